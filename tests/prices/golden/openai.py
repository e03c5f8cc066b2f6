"""Golden costs of OpenAI, and of its models at Azure."""

from typing import Final

from tests.prices.golden.case import BATCH, FLEX, PRIORITY, Case, Source, used

PAGE: Final = "https://developers.openai.com/api/docs/pricing"
LITELLM: Final = "BerriAI/litellm (its map of 1.110.2, which names the page)"
GPT_4O: Final = Source(
    "Pricing", PAGE, "2026-05-27",
    "CommitBrief/commitbrief, wiki Provider-OpenAI",
)  # fmt: skip
GPT_4O_BATCH: Final = Source(
    "Pricing", PAGE, "2026-06", "https://chatgptpricing-akr.pages.dev/api-pricing"
)
GPT_5: Final = Source("Pricing", PAGE, "2026-03", "https://deploybase.ai/articles/openai-pricing")
GPT_54: Final = Source("Pricing", PAGE, "2026-05", "https://wavespeed.ai/llm/openai/gpt-5.4")
MAPPED: Final = Source("Pricing", PAGE, "2026-11", LITELLM)
EMBEDDING: Final = Source(
    "Pricing", PAGE, "2026-06-21", "https://tokenmath.io/openai-api-pricing-explained"
)
PRIORITY_PAGE: Final = Source(
    "Priority Processing for API Customers", "https://openai.com/api-priority-processing/",
    "2026-11",
)  # fmt: skip
REALTIME: Final = Source(
    "GPT-Realtime-1.5", "https://developers.openai.com/api/docs/models/gpt-realtime-1.5", "2026-11"
)
REALTIME_4O: Final = Source(
    "GPT-4o Realtime", "https://developers.openai.com/api/docs/models/gpt-4o-realtime-preview",
    "2026-11",
)  # fmt: skip
IMAGE_MINI: Final = Source(
    "GPT Image 1 mini", "https://developers.openai.com/api/docs/models/gpt-image-1-mini", "2026-11"
)
GPT_56_CUT: Final = Source(
    "Changelog, 30 July 2026", "https://developers.openai.com/api/docs/changelog", "2026-07-31",
    "https://docs.apiyi.com/live/2026-07/gpt-5-6-terra-luna-price-cut.md",
)  # fmt: skip
GPT_61: Final = Source(
    "GPT-6.1 Sol", "https://developers.openai.com/api/docs/models/gpt-6.1-sol", "2026-09-30",
    "amine123max/Codex-Manager, release 0.4.7",
)  # fmt: skip
O3: Final = Source(
    "o3", "https://platform.openai.com/docs/models/o3", "2025-04-17",
    "RooCodeInc/Roo-Code, pull request 2691",
)  # fmt: skip
AZURE: Final = Source(
    "Azure OpenAI Service pricing",
    "https://azure.microsoft.com/en-us/pricing/details/cognitive-services/openai-service/",
    "2026-06-23", "https://redresscompliance.com/azure-openai-enterprise-pricing-guide",
)  # fmt: skip

CASES: Final = (
    Case(
        "text", "openai", "gpt-4o", used(1_000, 500),
        "1,000 x 2.50/M + 500 x 10/M", "0.0075", GPT_4O,
    ),
    Case(
        "cached input", "openai", "gpt-4o", used(1_000, 500, read=400),
        "600 x 2.50/M + 400 x 1.25/M + 500 x 10/M", "0.007", GPT_4O,
    ),
    Case(
        "a batch is half", "openai", "gpt-4o", used(1_000_000, 100_000),
        "1,000,000 x 1.25/M + 100,000 x 5/M", "1.75", GPT_4O_BATCH, context=BATCH,
    ),
    Case(
        "odd counts", "openai", "gpt-4o-mini", used(12_345, 678),
        "12,345 x 0.15/M + 678 x 0.60/M", "0.00225855", GPT_4O,
    ),
    Case(
        "web searches", "openai", "gpt-4o", used(1_000, units={"searches": 3}),
        "1,000 x 2.50/M + 3 x 10/K", "0.0325", MAPPED,
    ),
    Case(
        "reasoning costs what output does", "openai", "gpt-5", used(2_000, 5_000, reasoning=4_000),
        "2,000 x 1.25/M + 1,000 x 10/M + 4,000 x 10/M", "0.0525", GPT_5,
    ),
    Case(
        "flex is half", "openai", "gpt-5", used(10_000, 1_000, read=4_000),
        "6,000 x 0.625/M + 4,000 x 0.0625/M + 1,000 x 5/M", "0.009", MAPPED, context=FLEX,
    ),
    Case(
        "priority", "openai", "gpt-5", used(10_000, 1_000, read=4_000),
        "6,000 x 2.50/M + 4,000 x 0.25/M + 1,000 x 20/M", "0.036", PRIORITY_PAGE, context=PRIORITY,
    ),
    Case(
        "priority", "openai", "gpt-5-mini", used(10_000, 2_000, read=5_000),
        "5,000 x 0.45/M + 5,000 x 0.045/M + 2,000 x 3.60/M", "0.009675", PRIORITY_PAGE,
        context=PRIORITY,
    ),
    Case(
        "priority", "openai", "gpt-4.1", used(100_000, 2_000, read=60_000),
        "40,000 x 3.50/M + 60,000 x 0.875/M + 2,000 x 14/M", "0.2205", PRIORITY_PAGE,
        context=PRIORITY,
    ),
    Case(
        "priority", "openai", "gpt-5.4", used(10_000, 1_000),
        "10,000 x 5/M + 1,000 x 30/M", "0.08", PRIORITY_PAGE, context=PRIORITY,
    ),
    Case(
        "the last count of a short context", "openai", "gpt-5.4", used(272_000, 1_000),
        "272,000 x 2.50/M + 1,000 x 15/M", "0.695", GPT_54,
    ),
    Case(
        "one more makes all of it long", "openai", "gpt-5.4", used(272_001, 1_000),
        "272,001 x 5/M + 1,000 x 22.50/M", "1.382505", GPT_54,
    ),
    Case(
        "what is cached counts for the length", "openai", "gpt-5.4",
        used(300_000, 1_000, read=200_000),
        "100,000 x 5/M + 200,000 x 0.50/M + 1,000 x 22.50/M", "0.6225", MAPPED,
    ),
    Case(
        "a long batch", "openai", "gpt-5.4", used(300_000, 1_000),
        "300,000 x 2.50/M + 1,000 x 11.25/M", "0.76125", MAPPED, context=BATCH,
    ),
    Case(
        "a long batch", "openai", "gpt-5.5-pro", used(300_000, 1_000),
        "300,000 x 30/M + 1,000 x 135/M", "9.135", MAPPED, context=BATCH, corrected=True,
    ),
    Case(
        "the day before a cut", "openai", "gpt-5.6-luna", used(200_000, 10_000),
        "200,000 x 1/M + 10,000 x 6/M", "0.26", GPT_56_CUT, at="2026-07-29T23:59",
    ),
    Case(
        "the day of the cut", "openai", "gpt-5.6-luna", used(200_000, 10_000),
        "200,000 x 0.20/M + 10,000 x 1.20/M", "0.052", GPT_56_CUT, at="2026-07-30T00:00",
    ),
    Case(
        "a write to the cache costs a quarter more", "openai", "gpt-5.6-terra",
        used(100_000, 2_000, read=10_000, write=40_000),
        "50,000 x 2/M + 10,000 x 0.20/M + 40,000 x 2.50/M + 2,000 x 12/M", "0.226", GPT_56_CUT,
    ),
    Case(
        "a long context, two thirds new", "openai", "gpt-6.1-sol",
        used(300_000, 5_000, read=100_000),
        "200,000 x 4/M + 100,000 x 0.20/M + 5,000 x 15/M", "0.895", GPT_61,
    ),
    Case(
        "fast is twice", "openai", "gpt-6.1-sol", used(10_000, 1_000),
        "10,000 x 4/M + 1,000 x 20/M", "0.06", GPT_61, context=(("service_tier", "fast"),),
    ),
    Case(
        "before it fell by four fifths", "openai", "o3", used(100_000, 10_000, read=40_000),
        "60,000 x 10/M + 40,000 x 2.50/M + 10,000 x 40/M", "1.1", O3, at="2025-06-09T23:59",
        corrected=True,
    ),
    Case(
        "after it fell", "openai", "o3", used(100_000, 10_000, read=40_000),
        "60,000 x 2/M + 40,000 x 0.50/M + 10,000 x 8/M", "0.22", GPT_5,
    ),
    Case(
        "text and audio, both ways and cached", "openai", "gpt-realtime-1.5",
        used(
            10_000, 2_000, read=3_000,
            units={
                "input_audio_tokens": 4_000, "cache_read_audio_tokens": 1_000,
                "output_audio_tokens": 1_500,
            },
        ),
        "3,000 x 4/M + 4,000 x 32/M + 2,000 x 0.40/M + 1,000 x 0.40/M + 500 x 16/M + 1,500 x 64/M",
        "0.2452", REALTIME,
    ),
    Case(
        "audio only", "openai", "gpt-4o-realtime-preview",
        used(1_000, 1_000, units={"input_audio_tokens": 1_000, "output_audio_tokens": 1_000}),
        "1,000 x 40/M + 1,000 x 80/M", "0.12", REALTIME_4O,
    ),
    Case(
        "an image of text and an image", "openai", "gpt-image-1-mini",
        used(1_050, 272, units={"input_image_tokens": 1_000}),
        "50 x 2/M + 1,000 x 2.50/M + 272 x 8/M", "0.004776", IMAGE_MINI,
    ),
    Case(
        "an embedding has no output", "openai", "text-embedding-3-small", used(1_000_000),
        "1,000,000 x 0.02/M", "0.02", EMBEDDING,
    ),
    Case(
        "cached input", "azure", "gpt-4o", used(10_000, 1_000, read=2_000),
        "8,000 x 2.50/M + 2,000 x 1.25/M + 1,000 x 10/M", "0.0325", AZURE,
    ),
    Case(
        "text", "azure", "gpt-4o-mini", used(100_000, 10_000),
        "100,000 x 0.15/M + 10,000 x 0.60/M", "0.021", AZURE,
    ),
)  # fmt: skip
