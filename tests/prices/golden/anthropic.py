"""Golden costs of Anthropic, and of its models at Amazon Bedrock."""

from typing import Final

from tests.prices.golden.case import BATCH, Case, Source, used

PRICING: Final = Source(
    "Pricing", "https://platform.claude.com/docs/en/about-claude/pricing", "2026-09"
)  # fmt: skip
PRICING_EARLY: Final = Source(
    "Pricing", "https://platform.claude.com/docs/en/docs/about-claude/pricing", "2026-02"
)
BATCHES: Final = Source(
    "Batch processing", "https://platform.claude.com/docs/en/build-with-claude/batch-processing",
    "2026-09",
)  # fmt: skip
OPUS_5: Final = Source(
    "Claude Opus 5", "https://platform.claude.com/docs/en/build-with-claude/fast-mode", "2026-10",
    "https://openrouter.ai/anthropic/claude-opus-5-fast-20260723",
)  # fmt: skip
HAIKU_55: Final = Source(
    "Claude Haiku 5.5", "https://platform.claude.com/docs/en/models/haiku-5-5/overview", "2026-10",
    "https://apify.com/apify/aws-bedrock-proxy (at a tenth more, as Bedrock in a region)",
)  # fmt: skip
BEDROCK: Final = Source(
    "Amazon Bedrock pricing", "https://aws.amazon.com/bedrock/pricing/", "2026-10",
    "https://apify.com/apify/aws-bedrock-proxy",
)  # fmt: skip
NOVA: Final = Source(
    "Amazon Bedrock pricing", "https://aws.amazon.com/bedrock/pricing/", "2026-05",
    "https://www.swfte.com/de/blog/amazon-nova-pro-pricing",
)  # fmt: skip

CASES: Final = (
    Case(
        "reads and both kinds of write", "anthropic", "claude-haiku-4-5",
        used(10_000, 1_000, read=4_000, write=2_000, write_1h=1_000),
        "3,000 x 1/M + 4,000 x 0.10/M + 2,000 x 1.25/M + 1,000 x 2/M + 1,000 x 5/M", "0.0129",
        PRICING,
    ),
    Case(
        "text", "anthropic", "claude-sonnet-4-6", used(50_000, 2_000),
        "50,000 x 3/M + 2,000 x 15/M", "0.18", PRICING,
    ),
    Case(
        "a prompt kept for an hour", "anthropic", "claude-opus-4-5-20251101",
        used(100_000, 500, write_1h=100_000),
        "100,000 x 10/M + 500 x 25/M", "1.0125", PRICING,
    ),
    Case(
        "a batch is half", "anthropic", "claude-sonnet-4-5-20250929", used(100_000, 10_000),
        "100,000 x 1.50/M + 10,000 x 7.50/M", "0.225", BATCHES, context=BATCH,
    ),
    Case(
        "the cache in a batch is half too", "anthropic", "claude-haiku-4-5",
        used(10_000, 1_000, read=5_000, write_1h=2_000),
        "3,000 x 0.50/M + 5,000 x 0.05/M + 2,000 x 1/M + 1,000 x 2.50/M", "0.00625", BATCHES,
        context=BATCH,
    ),
    Case(
        "the last count of a short context, then", "anthropic", "claude-opus-4-6",
        used(200_000, 1_000), "200,000 x 5/M + 1,000 x 25/M", "1.025", PRICING_EARLY,
        at="2026-03-01T00:00",
    ),
    Case(
        "a long context, then", "anthropic", "claude-opus-4-6", used(200_001, 1_000),
        "200,001 x 10/M + 1,000 x 37.50/M", "2.03751", PRICING_EARLY, at="2026-03-01T00:00",
    ),
    Case(
        "a long context, now", "anthropic", "claude-opus-4-6", used(200_001, 1_000),
        "200,001 x 5/M + 1,000 x 25/M", "1.025005", PRICING,
    ),
    Case(
        "fast is twice", "anthropic", "claude-opus-5", used(10_000, 2_000),
        "10,000 x 10/M + 2,000 x 50/M", "0.2", OPUS_5, context=(("speed", "fast"),),
    ),
    Case(
        "reads at a fortieth", "anthropic", "claude-fable-5-1", used(100_000, 1_000, read=90_000),
        "10,000 x 10/M + 90,000 x 0.25/M + 1,000 x 50/M", "0.1725", PRICING,
    ),
    Case(
        "the last count of a short prompt", "anthropic", "claude-haiku-5-5", used(100_000, 1_000),
        "100,000 x 0.10/M + 1,000 x 0.50/M", "0.0105", HAIKU_55,
    ),
    Case(
        "a long prompt costs five times", "anthropic", "claude-haiku-5-5", used(100_001, 1_000),
        "100,001 x 0.50/M + 1,000 x 2.50/M", "0.0525005", HAIKU_55,
    ),
    Case(
        "web searches", "anthropic", "claude-sonnet-5",
        used(20_000, 1_000, units={"searches": 5}),
        "20,000 x 2/M + 1,000 x 10/M + 5 x 10/K", "0.1", PRICING,
    ),
    Case(
        "a write that is not a quarter more", "anthropic", "claude-3-haiku-20240307",
        used(10_000, 1_000, write=4_000),
        "6,000 x 0.25/M + 4,000 x 0.30/M + 1,000 x 1.25/M", "0.00395", PRICING_EARLY,
    ),
    Case(
        "text", "anthropic", "claude-opus-4-1-20250805", used(1_000, 1_000),
        "1,000 x 15/M + 1,000 x 75/M", "0.09", PRICING,
    ),
    Case(
        "a region costs a tenth more", "aws", "us.anthropic.claude-sonnet-5-5",
        used(10_000, 1_000, read=3_000, write=2_000, write_1h=1_000),
        "4,000 x 2.20/M + 3,000 x 0.11/M + 2,000 x 2.75/M + 1,000 x 4.40/M + 1,000 x 11/M",
        "0.03003", BEDROCK,
    ),
    Case(
        "cached input", "aws", "amazon.nova-pro-v1:0", used(100_000, 10_000, read=40_000),
        "60,000 x 0.80/M + 40,000 x 0.20/M + 10,000 x 3.20/M", "0.088", NOVA,
    ),
    Case(
        "text", "aws", "amazon.nova-micro-v1:0", used(1_000_000, 100_000),
        "1,000,000 x 0.035/M + 100,000 x 0.14/M", "0.049", NOVA,
    ),
)  # fmt: skip
