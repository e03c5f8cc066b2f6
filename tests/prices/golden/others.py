"""Golden costs of xAI, DeepSeek, Mistral, Cohere, Perplexity, Moonshot, Z.ai, MiniMax and of those
who host models: Groq, Fireworks, Together and OpenRouter."""

from typing import Final

from tests.prices.golden.case import BATCH, Case, Source, used

XAI: Final = Source("Pricing", "https://docs.x.ai/developers/pricing", "2026-10")
XAI_420: Final = Source(
    "Grok 4.20", "https://docs.x.ai/developers/models/grok-4.20-0309.md", "2026-10"
)
XAI_CODE: Final = Source(
    "Grok Code Fast 1", "https://docs.x.ai/docs/models/grok-code-fast-1", "2026-05",
    "RooCodeInc/Roo-Code-Docs, pull request 320",
)  # fmt: skip
DEEPSEEK: Final = Source(
    "Models & Pricing", "https://api-docs.deepseek.com/quick_start/pricing", "2026-11-15"
)
DEEPSEEK_JULY: Final = Source(
    "Models & Pricing", "https://api-docs.deepseek.com/quick_start/pricing", "2026-08-15"
)
DEEPSEEK_2025: Final = Source(
    "Models & Pricing", "https://api-docs.deepseek.com/quick_start/pricing-details-usd", "2025-08"
)
DEEPSEEK_V32: Final = Source(
    "Models & Pricing", "https://api-docs.deepseek.com/quick_start/pricing", "2025-12-01",
    "https://api-docs.deepseek.com/updates",
)  # fmt: skip
NEMO: Final = Source(
    "Mistral Nemo 12B", "https://docs.mistral.ai/models/mistral-nemo-12b-24-07.md", "2026-06"
)
MAGISTRAL: Final = Source(
    "Magistral Medium 1.0",
    "https://docs.mistral.ai/models/magistral-medium-1-0-25-06.md",
    "2026-06",
)
MEDIUM: Final = Source(
    "Mistral Medium 3.5", "https://docs.mistral.ai/models/model-cards/mistral-medium-3-5-26-04",
    "2026-05", "braintrustdata/braintrust-proxy, issue 802",
)  # fmt: skip
MISTRAL: Final = Source(
    "API pricing", "https://mistral.ai/pricing/api", "2026-06-17",
    "simonw/llm-prices, pull request 63",
)  # fmt: skip
COHERE: Final = Source(
    "Cohere pricing", "https://cohere.com/pricing", "2026-11-11",
    "https://docs.flexprice.io/cookbooks/pricing-teardowns/cohere-pricing",
)  # fmt: skip
COHERE_JUNE: Final = Source(
    "Cohere pricing", "https://cohere.com/pricing", "2026-06",
    "https://developer.puter.com/tutorials/cohere-api-pricing/",
)  # fmt: skip
PERPLEXITY: Final = Source(
    "Pricing", "https://docs.perplexity.ai/getting-started/pricing", "2026-06"
)  # fmt: skip
KIMI: Final = Source(
    "Kimi K3 pricing", "https://platform.kimi.ai/docs/pricing/chat-k3", "2026-07-18",
    "getagentseal/codeburn, pull request 709",
)  # fmt: skip
KIMI_31: Final = Source(
    "Pricing", "https://platform.kimi.ai/docs/pricing/chat.md", "2026-11",
    "https://docs.apiyi.com/en/api-capabilities/kimi-k3-1/overview.md",
)  # fmt: skip
ZAI: Final = Source(
    "Pricing", "https://docs.z.ai/guides/overview/pricing", "2026-08-20",
    "VladoIvankovic/Codeep, release v2.20.0",
)  # fmt: skip
MINIMAX: Final = Source(
    "Pay as you go", "https://platform.minimax.io/docs/guides/pricing-paygo", "2026-04-21",
    "getagentseal/codeburn, pull request 118",
)  # fmt: skip
MINIMAX_M3: Final = Source(
    "Pay as you go", "https://platform.minimax.io/docs/guides/pricing-paygo", "2026-09-11",
    "https://dev.to/aiwave/minimax-m3-api-complete-integration-guide-1lba",
)  # fmt: skip
FIREWORKS: Final = Source(
    "Serverless Pricing", "https://docs.fireworks.ai/serverless/pricing", "2026-05"
)
GROQ: Final = Source(
    "Supported Models", "https://console.groq.com/docs/models", "2026-06",
    "braintrustdata/braintrust-proxy, issue 925",
)  # fmt: skip
GROQ_LLAMA: Final = Source(
    "On-demand pricing", "https://groq.com/pricing", "2026-05",
    "https://www.lava.so/docs/gateway/providers/groq",
)  # fmt: skip
TOGETHER: Final = Source(
    "Serverless models", "https://docs.together.ai/docs/serverless/models", "2026-05",
    "braintrustdata/braintrust-proxy, issue 566",
)  # fmt: skip
OPENROUTER_OPUS: Final = Source(
    "Claude Opus 5 (Fast)", "https://openrouter.ai/anthropic/claude-opus-5-fast-20260723", "2026-10"
)
OPENROUTER_SONAR: Final = Source(
    "Perplexity: Sonar Deep Research", "https://openrouter.ai/perplexity/sonar-deep-research",
    "2026-06",
)  # fmt: skip

CASES: Final = (
    Case(
        "the last count of a short prompt", "x-ai", "grok-4.3", used(199_999, 1_000),
        "199,999 x 1.25/M + 1,000 x 2.50/M", "0.25249875", XAI,
    ),
    Case(
        "200,000 is long already", "x-ai", "grok-4.3", used(200_000, 1_000),
        "200,000 x 2.50/M + 1,000 x 5/M", "0.505", XAI,
    ),
    Case(
        "cached input", "x-ai", "grok-4.7", used(100_000, 2_000, read=60_000),
        "40,000 x 2/M + 60,000 x 0.50/M + 2,000 x 6/M", "0.122", XAI,
    ),
    Case(
        "a batch is a fifth less", "x-ai", "grok-4.20-0309-reasoning", used(100_000, 10_000),
        "100,000 x 1/M + 10,000 x 2/M", "0.12", XAI_420, context=BATCH,
    ),
    Case(
        "before it was retired", "x-ai", "grok-code-fast-1", used(100_000, 10_000),
        "100,000 x 0.20/M + 10,000 x 1.50/M", "0.035", XAI_CODE, at="2026-05-15T18:59",
    ),
    Case(
        "what answers by its name since", "x-ai", "grok-code-fast-1", used(100_000, 10_000),
        "100,000 x 1/M + 10,000 x 2/M", "0.12", XAI, at="2026-05-15T19:00", corrected=True,
    ),
    Case(
        "the last minute of peak hours", "deepseek", "deepseek-flash",
        used(100_000, 5_000, read=80_000),
        "20,000 x 0.30/M + 80,000 x 0.006/M + 5,000 x 1.20/M", "0.01248", DEEPSEEK,
        at="2026-11-25T09:59",
    ),
    Case(
        "off peak", "deepseek", "deepseek-flash", used(100_000, 5_000, read=80_000),
        "20,000 x 0.15/M + 80,000 x 0.003/M + 5,000 x 0.60/M", "0.00624", DEEPSEEK,
        at="2026-11-25T10:00",
    ),
    Case(
        "a Saturday has no peak hours", "deepseek", "deepseek-flash",
        used(100_000, 5_000, read=80_000),
        "20,000 x 0.15/M + 80,000 x 0.003/M + 5,000 x 0.60/M", "0.00624", DEEPSEEK,
        at="2026-11-21T02:00", corrected=True,
    ),
    Case(
        "peak hours", "deepseek", "deepseek-v4-pro", used(100_000, 5_000, read=80_000),
        "20,000 x 1.32/M + 80,000 x 0.044/M + 5,000 x 3.96/M", "0.04972", DEEPSEEK,
        at="2026-11-25T01:00",
    ),
    Case(
        "before there were peak hours", "deepseek", "deepseek-v4-pro",
        used(100_000, 5_000, read=80_000),
        "20,000 x 0.435/M + 80,000 x 0.003625/M + 5,000 x 0.87/M", "0.01334", DEEPSEEK_JULY,
        at="2026-07-01T02:00", corrected=True,
    ),
    Case(
        "by day, in 2025", "deepseek", "deepseek-chat", used(100_000, 10_000, read=40_000),
        "60,000 x 0.27/M + 40,000 x 0.07/M + 10,000 x 1.10/M", "0.03", DEEPSEEK_2025,
        at="2025-08-01T12:00",
    ),
    Case(
        "V3.2", "deepseek", "deepseek-chat", used(100_000, 10_000),
        "100,000 x 0.28/M + 10,000 x 0.42/M", "0.0322", DEEPSEEK_V32, at="2025-12-01T12:00",
        corrected=True,
    ),
    Case(
        "V3.2, thinking", "deepseek", "deepseek-reasoner",
        used(100_000, 10_000, read=50_000, reasoning=8_000),
        "50,000 x 0.28/M + 50,000 x 0.028/M + 2,000 x 0.42/M + 8,000 x 0.42/M", "0.0196",
        DEEPSEEK_V32, at="2025-12-01T12:00", corrected=True,
    ),
    Case(
        "text", "mistral", "open-mistral-nemo", used(100_000, 10_000),
        "100,000 x 0.15/M + 10,000 x 0.15/M", "0.0165", NEMO, at="2026-06-01T00:00",
    ),
    Case(
        "reasoning", "mistral", "magistral-medium-2506", used(10_000, 10_000, reasoning=9_000),
        "10,000 x 2/M + 1,000 x 5/M + 9,000 x 5/M", "0.07", MAGISTRAL, at="2025-09-01T00:00",
    ),
    Case(
        "the latest medium, before 3.5", "mistral", "mistral-medium-latest", used(100_000, 10_000),
        "100,000 x 0.40/M + 10,000 x 2/M", "0.06", MEDIUM, at="2026-04-01T00:00",
    ),
    Case(
        "the latest medium", "mistral", "mistral-medium-latest", used(100_000, 10_000),
        "100,000 x 1.50/M + 10,000 x 7.50/M", "0.225", MEDIUM,
    ),
    Case(
        "a batch is half", "mistral", "mistral-medium-3-5", used(100_000, 10_000),
        "100,000 x 0.75/M + 10,000 x 3.75/M", "0.1125", MEDIUM, context=BATCH,
    ),
    Case(
        "the latest large, before 3", "mistral", "mistral-large-latest", used(100_000, 10_000),
        "100,000 x 2/M + 10,000 x 6/M", "0.26", MISTRAL, at="2025-12-01T23:59",
    ),
    Case(
        "the latest large", "mistral", "mistral-large-latest", used(100_000, 10_000),
        "100,000 x 0.50/M + 10,000 x 1.50/M", "0.065", MISTRAL, at="2025-12-02T00:00",
        corrected=True,
    ),
    Case(
        "text", "cohere", "command-r-08-2024", used(100_000, 10_000),
        "100,000 x 0.15/M + 10,000 x 0.60/M", "0.021", COHERE,
    ),
    Case(
        "a fraction of a nano-dollar is rounded up", "cohere", "command-r7b-12-2024", used(1),
        "1 x 0.0375/M", "0.000000038", COHERE_JUNE,
    ),
    Case(
        "an embedding", "cohere", "embed-v4.0", used(250_000),
        "250,000 x 0.12/M", "0.03", COHERE_JUNE,
    ),
    Case(
        "a request in a large search context", "perplexity", "sonar", used(1_000, 500),
        "1,000 x 1/M + 500 x 1/M + 1 x 12/K", "0.0135", PERPLEXITY,
    ),
    Case(
        "a request in a large search context", "perplexity", "sonar-pro", used(1_000, 500),
        "1,000 x 3/M + 500 x 15/M + 1 x 14/K", "0.0245", PERPLEXITY,
    ),
    Case(
        "reasoning and thirty searches", "perplexity", "sonar-deep-research",
        used(1_000, 25_000, reasoning=20_000, units={"searches": 30}),
        "1,000 x 2/M + 5,000 x 8/M + 20,000 x 3/M + 30 x 5/K", "0.252", PERPLEXITY,
    ),
    Case(
        "mostly cached", "moonshotai", "kimi-k3", used(100_000, 2_000, read=90_000),
        "10,000 x 3/M + 90,000 x 0.30/M + 2,000 x 15/M", "0.087", KIMI,
    ),
    Case(
        "a write for an hour is twice", "moonshotai", "kimi-k3.1-pro",
        used(10_000, 1_000, read=4_000, write=3_000, write_1h=2_000),
        "1,000 x 2/M + 4,000 x 0.20/M + 3,000 x 2/M + 2,000 x 4/M + 1,000 x 10/M", "0.0268",
        KIMI_31,
    ),
    Case(
        "text", "zai", "glm-5.3", used(10_000, 1_000),
        "10,000 x 1.40/M + 1,000 x 4.40/M", "0.0184", ZAI,
    ),
    Case(
        "reads and writes", "minimax", "MiniMax-M2.7",
        used(10_000, 1_000, read=5_000, write=2_000),
        "3,000 x 0.30/M + 5,000 x 0.06/M + 2,000 x 0.375/M + 1,000 x 1.20/M", "0.00315", MINIMAX,
    ),
    Case(
        "the last count of a short prompt", "minimax", "MiniMax-M3", used(512_000, 1_000),
        "512,000 x 0.30/M + 1,000 x 1.20/M", "0.1548", MINIMAX_M3,
    ),
    Case(
        "a long prompt", "minimax", "MiniMax-M3", used(512_001, 1_000),
        "512,001 x 0.60/M + 1,000 x 2.40/M", "0.3096006", MINIMAX_M3,
    ),
    Case(
        "cached input", "fireworks", "accounts/fireworks/models/kimi-k2p6",
        used(10_000, 1_000, read=5_000),
        "5,000 x 0.95/M + 5,000 x 0.16/M + 1,000 x 4/M", "0.00955", FIREWORKS,
    ),
    Case(
        "cached input", "fireworks", "accounts/fireworks/models/gpt-oss-120b",
        used(100_000, 10_000, read=60_000),
        "40,000 x 0.15/M + 60,000 x 0.015/M + 10,000 x 0.60/M", "0.0129", FIREWORKS,
    ),
    Case(
        "text", "groq", "openai/gpt-oss-120b", used(100_000, 10_000),
        "100,000 x 0.15/M + 10,000 x 0.60/M", "0.021", GROQ,
    ),
    Case(
        "text", "groq", "llama-3.3-70b-versatile", used(100_000, 10_000),
        "100,000 x 0.59/M + 10,000 x 0.79/M", "0.0669", GROQ_LLAMA,
    ),
    Case(
        "a batch is half", "groq", "openai/gpt-oss-120b", used(100_000, 10_000),
        "100,000 x 0.075/M + 10,000 x 0.30/M", "0.0105", GROQ, context=BATCH,
    ),
    Case(
        "text", "together", "openai/gpt-oss-120b", used(100_000, 10_000),
        "100,000 x 0.15/M + 10,000 x 0.60/M", "0.021", TOGETHER,
    ),
    Case(
        "text", "openrouter", "anthropic/claude-opus-5-fast", used(10_000, 1_000),
        "10,000 x 10/M + 1,000 x 50/M", "0.15", OPENROUTER_OPUS,
    ),
    Case(
        "text", "openrouter", "perplexity/sonar-deep-research", used(1_000, 1_000),
        "1,000 x 2/M + 1,000 x 8/M", "0.01", OPENROUTER_SONAR,
    ),
)  # fmt: skip
