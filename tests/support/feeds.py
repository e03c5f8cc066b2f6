"""Small feeds in the shapes of the sources of prices, written for the tests: figures are made up.

Each is a value that `dumped` turns into the bytes that its source would serve.
"""

import json
from typing import Any, Final

GENAI_PRICES: Final[Any] = [
    {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "https://api\\.example",
        "model_match": {"starts_with": "small"},
        "provider_match": {"contains": "openai"},
        "extractors": [
            {
                "root": "usage",
                "mappings": [{"path": "prompt_tokens", "dest": "a_unit_of_tomorrow"}],
            }
        ],
        "models": [
            {
                "id": "small-1",
                "name": "Small 1",
                "match": {"or": [{"equals": "small-1"}, {"regex": "^small-1-\\d{8}$"}]},
                "context_window": 128000,
                "prices": {
                    "input_mtok": 2.5,
                    "cache_read_mtok": 1.25,
                    "output_mtok": 10,
                    "web_searches_kcount": 10,
                },
                "price_variants": [
                    {
                        "when": {"processing": "batch"},
                        "constraint": {"start_date": "2026-03-01"},
                        "prices": {"input_mtok": 1.25, "output_mtok": 5},
                    },
                    {"when": {"the_moon": "full"}, "prices": {"input_mtok": 1}},
                ],
            },
            {
                "id": "long-1",
                "match": {"starts_with": "long-1"},
                "prices": [
                    {"prices": {"input_mtok": 4, "output_mtok": 16}},
                    {
                        "constraint": {"start_date": "2026-06-01"},
                        "prices": {
                            "input_mtok": {"base": 2, "tiers": [{"start": 200000, "price": 4}]},
                            "output_mtok": 8,
                        },
                    },
                ],
            },
            {
                "id": "night-1",
                "match": {"equals": "night-1"},
                "prices": [
                    {"prices": {"input_mtok": 1, "output_mtok": 2}},
                    {
                        "constraint": {"start_time": "16:30:00Z", "end_time": "00:30:00Z"},
                        "prices": {"input_mtok": 0.5, "output_mtok": 1},
                    },
                ],
            },
            {
                "id": "speech-1",
                "match": {"equals": "speech-1"},
                "prices": {"audio_hours": 0.36},
            },
        ],
    },
]

LITELLM: Final[Any] = {
    "sample_spec": {"litellm_provider": "one of many", "input_cost_per_token": 0.0},
    "small-1": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": 272000,
        "max_output_tokens": 128000,
        "input_cost_per_token": 1.25e-06,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1.25e-07,
        "input_cost_per_token_batches": 6.25e-07,
        "output_cost_per_token_batches": 5e-06,
        "input_cost_per_token_priority": 2.5e-06,
        "output_cost_per_token_priority": 2e-05,
        "search_context_cost_per_query": {
            "search_context_size_low": 0.01,
            "search_context_size_medium": 0.01,
            "search_context_size_high": 0.01,
        },
        "supports_function_calling": True,
        "supports_vision": True,
        "supports_response_schema": True,
        "supports_audio_input": False,
        "deprecation_date": "2026-12-11",
        "source": "https://prices.example",
    },
    "gemini/long-1": {
        "litellm_provider": "gemini",
        "mode": "chat",
        "input_cost_per_token": 1.25e-06,
        "input_cost_per_token_above_200k_tokens": 2.5e-06,
        "output_cost_per_token": 1e-05,
        "output_cost_per_token_above_200k_tokens": 1.5e-05,
        "cache_creation_input_token_cost_above_200k_tokens": 2.5e-07,
        "input_cost_per_token_batches": 6.25e-07,
    },
    "vertex_ai/long-1": {
        "litellm_provider": "vertex_ai-language-models",
        "mode": "chat",
        "input_cost_per_token": 2e-06,
        "output_cost_per_token": 2e-05,
    },
    "claude-1": {
        "litellm_provider": "anthropic",
        "mode": "chat",
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_creation_input_token_cost": 3.75e-06,
        "cache_creation_input_token_cost_above_1hr": 6e-06,
        "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05,
        "cache_read_input_token_cost": 3e-07,
    },
    "azure/eu/small-1": {
        "litellm_provider": "azure",
        "mode": "chat",
        "input_cost_per_token": 1.375e-06,
        "output_cost_per_token": 1.1e-05,
    },
    "bedrock/us-east-1/anthropic.claude-1": {
        "litellm_provider": "bedrock",
        "mode": "chat",
        "input_cost_per_token": 8e-06,
        "output_cost_per_token": 2.4e-05,
    },
    "bedrock/us-east-1/1-month-commitment/anthropic.claude-1": {
        "litellm_provider": "bedrock",
        "mode": "chat",
        "input_cost_per_second": 0.011,
        "output_cost_per_second": 0.011,
    },
    "dashscope/steps-1": {
        "litellm_provider": "dashscope",
        "mode": "chat",
        "tiered_pricing": [
            {"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
            {
                "range": [256000.0, 1000000.0],
                "input_cost_per_token": 2.5e-07,
                "output_cost_per_token": 2e-06,
            },
        ],
    },
    "whisper-9": {
        "litellm_provider": "openai",
        "mode": "audio_transcription",
        "input_cost_per_second": 0.0001,
        "output_cost_per_second": 0.0001,
    },
    "tts-9": {
        "litellm_provider": "openai",
        "mode": "audio_speech",
        "input_cost_per_character": 1.5e-05,
    },
    "hd/1024-x-1792/picture-1": {
        "litellm_provider": "openai",
        "mode": "image_generation",
        "input_cost_per_pixel": 6.539e-08,
        "output_cost_per_pixel": 0.0,
    },
    "cohere/rerank-9": {
        "litellm_provider": "cohere",
        "mode": "rerank",
        "input_cost_per_query": 0.002,
        "input_cost_per_token": 0.0,
        "output_cost_per_token": 0.0,
    },
    "ollama/llama9": {
        "litellm_provider": "ollama",
        "mode": "chat",
        "input_cost_per_token": 0.0,
        "output_cost_per_token": 0.0,
    },
    "lab/preview-1": {
        "litellm_provider": "lab",
        "mode": "chat",
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
    },
    "small-latest": {"alias_of": "small-1"},
    "together-ai-21.1b-41b": {
        "litellm_provider": "together_ai",
        "mode": "chat",
        "input_cost_per_token": 8e-07,
        "output_cost_per_token": 8e-07,
    },
}

MODELS_DEV: Final[Any] = {
    "openai": {
        "id": "openai",
        "name": "OpenAI",
        "npm": "@ai-sdk/openai",
        "models": {
            "small-1": {
                "id": "small-1",
                "name": "Small 1",
                "attachment": True,
                "reasoning": True,
                "tool_call": True,
                "structured_output": True,
                "open_weights": False,
                "release_date": "2026-02-01",
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "limit": {"context": 400000, "output": 128000},
                "cost": {
                    "input": 1.25,
                    "output": 10,
                    "cache_read": 0.125,
                    "cache_write": 0,
                    "tiers": [
                        {
                            "tier": {"type": "context", "size": 272000},
                            "input": 2.5,
                            "output": 15,
                            "cache_read": 0.25,
                        }
                    ],
                    "context_over_200k": {"input": 2.5, "output": 15, "cache_read": 0.25},
                },
                "experimental": {
                    "modes": {
                        "fast": {
                            "cost": {"input": 2.5, "output": 20},
                            "provider": {"body": {"service_tier": "priority"}},
                        },
                        "odd": {"cost": {"input": 9, "output": 9}},
                    }
                },
            },
            "unpriced-1": {"id": "unpriced-1", "name": "?", "limit": {"context": 1, "output": 1}},
        },
    },
    "togetherai": {
        "id": "togetherai",
        "models": {
            "lab/open-1": {
                "id": "lab/open-1",
                "open_weights": True,
                "modalities": {"input": ["text", "audio"], "output": ["audio"]},
                "cost": {"input": 0.2, "output": 0.6, "input_audio": 2, "output_audio": 4},
            },
            "lab/older-1": {
                "id": "lab/older-1",
                "cost": {"input": 1, "output": 2, "context_over_200k": {"input": 2, "output": 3}},
            },
            "lab/plan-1": {"id": "lab/plan-1", "cost": {"input": 0, "output": 0}},
        },
    },
}

OPENROUTER: Final[Any] = {
    "data": [
        {
            "id": "anthropic/claude-9",
            "canonical_slug": "anthropic/claude-9-20260101",
            "context_length": 1000000,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "pricing": {
                "prompt": "0.000003",
                "completion": "0.000015",
                "request": "0",
                "image": "0.0048",
                "web_search": "0.01",
                "internal_reasoning": "0",
                "input_cache_read": "0.0000003",
                "input_cache_write": "0.00000375",
                "input_cache_write_1h": "0.000006",
                "overrides": [
                    {
                        "min_prompt_tokens": 200000,
                        "prompt": "0.000006",
                        "completion": "0.0000225",
                        "input_cache_read": "0.0000006",
                    }
                ],
            },
            "top_provider": {"context_length": 1000000, "max_completion_tokens": 64000},
            "supported_parameters": ["tools", "max_tokens", "structured_outputs"],
            "expiration_date": "2027-01-31",
        },
        {
            "id": "openai/audio-9",
            "pricing": {
                "prompt": "0.0000025",
                "completion": "0.00001",
                "audio": "0.000032",
                "audio_output": "0.000064",
            },
        },
        {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "lab/open-9:free", "pricing": {"prompt": "0", "completion": "0"}},
        {"id": "lab/stealth-9", "pricing": {"prompt": "0", "completion": "0"}},
        {
            "id": "lab/by-the-call",
            "pricing": {"prompt": "0.000001", "completion": "0.000001", "request": "0.005"},
        },
    ]
}

LLM_PRICES: Final[Any] = {
    "updated_at": "2026-11-01",
    "prices": [
        {
            "id": "chat-9",
            "vendor": "deepseek",
            "name": "Chat 9",
            "input": 0.27,
            "output": 1.1,
            "input_cached": 0.07,
            "from_date": "2026-02-08",
            "to_date": None,
        },
        {
            "id": "chat-9",
            "vendor": "deepseek",
            "name": "Chat 9",
            "input": 0.14,
            "output": 0.28,
            "input_cached": None,
            "from_date": None,
            "to_date": "2026-02-08",
        },
        {
            "id": "gone-9",
            "vendor": "xai",
            "name": "Gone 9",
            "input": 3,
            "output": 15,
            "input_cached": 0.75,
            "from_date": None,
            "to_date": "2026-05-01",
        },
        {
            "id": "long-9",
            "vendor": "google",
            "name": "Long 9 ≤200k",
            "input": 1.25,
            "output": 10,
            "input_cached": 0.125,
            "from_date": None,
            "to_date": None,
        },
        {
            "id": "long-9-200k",
            "vendor": "google",
            "name": "Long 9 >200k",
            "input": 2.5,
            "output": 15,
            "input_cached": 0.25,
            "from_date": None,
            "to_date": None,
        },
        {
            "id": "half-9",
            "vendor": "google",
            "name": "Half 9 ≤128k",
            "input": 1,
            "output": 2,
            "input_cached": None,
            "from_date": None,
            "to_date": None,
        },
        {
            "id": "picture-9",
            "vendor": "openai",
            "name": "Picture 9 (image gen)",
            "input": 10,
            "output": 40,
            "input_cached": None,
            "from_date": None,
            "to_date": None,
        },
    ],
}

LLM_PRICES_VENDOR: Final[Any] = {
    "vendor": "deepseek",
    "models": [
        {
            "id": "chat-9",
            "name": "Chat 9",
            "price_history": [
                {
                    "input": 0.27,
                    "output": 1.1,
                    "input_cached": 0.07,
                    "from_date": "2026-02-08",
                    "to_date": None,
                },
                {
                    "input": 0.14,
                    "output": 0.28,
                    "input_cached": None,
                    "from_date": None,
                    "to_date": "2026-02-08",
                },
            ],
        }
    ],
}

FEEDS: Final[dict[str, Any]] = {
    "genai-prices": GENAI_PRICES,
    "litellm": LITELLM,
    "models.dev": MODELS_DEV,
    "openrouter": OPENROUTER,
    "llm-prices": LLM_PRICES,
}
"""One for each source, by its name."""


def dumped(feed: object) -> bytes:
    """A feed as its source would serve it."""
    return json.dumps(feed).encode()
