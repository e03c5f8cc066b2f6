"""Known models: what current models of their makers can do, where no source of prices says so.

From LiteLLM's map 1.110.2 and, for models that it has dropped, Anthropic's and Google's pages of
deprecations, read in November 2026. Not here: what sources and operators say, which counts before
this (`capabilities`).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from budget.prices.listings import Capabilities

_MILLION: Final = 1_048_576

# Names by context window, most output tokens and abilities: t tools, v vision, r reasoning, j JSON
# by a schema. Names are as `capabilities.plain_model` writes them: without a date, `-` for dots.
_CHAT: Final = (
    # OpenAI
    (16_385, 4_096, "t", "gpt-3-5-turbo"),
    (8_192, 4_096, "t", "gpt-4"),
    (128_000, 4_096, "tv", "gpt-4-turbo"),
    (1_047_576, 32_768, "tvj", "gpt-4-1 gpt-4-1-mini gpt-4-1-nano"),
    (128_000, 16_384, "tvj", "gpt-4o gpt-4o-mini"),
    (400_000, 128_000, "tvrj",
     ("gpt-5 gpt-5-mini gpt-5-nano gpt-5-codex gpt-5-1 gpt-5-1-codex gpt-5-1-codex-mini "
      "gpt-5-2 gpt-5-2-codex gpt-5-2-pro gpt-5-3-codex gpt-5-4-mini gpt-5-4-nano")),
    (400_000, 272_000, "tvrj", "gpt-5-pro"),
    (1_050_000, 128_000, "tvrj",
     ("gpt-5-4 gpt-5-5 gpt-5-6-sol gpt-5-6-terra gpt-5-6-luna gpt-6-astra gpt-6-sol gpt-6-luna "
      "gpt-6-1-sol gpt-6-1-terra")),
    (200_000, 100_000, "tvrj", "o1 o1-pro o3 o3-pro o4-mini"),
    (200_000, 100_000, "trj", "o3-mini"),
    # Anthropic
    (200_000, None, "", "claude-2"),
    (200_000, 4_096, "tv", "claude-3-haiku claude-3-opus claude-3-sonnet"),
    (200_000, 8_192, "tv", "claude-3-5-haiku claude-3-5-sonnet"),
    (200_000, 64_000, "tvr", "claude-3-7-sonnet"),
    (200_000, 64_000, "tvrj", "claude-haiku-4-5 claude-opus-4-5 claude-sonnet-4-5"),
    (1_000_000, 128_000, "tvrj",
     ("claude-fable-5 claude-fable-5-1 claude-haiku-5-5 claude-opus-4-6 claude-opus-4-7 "
      "claude-opus-4-8 claude-opus-5 claude-opus-5-5 claude-sonnet-4-6 claude-sonnet-5 "
      "claude-sonnet-5-5")),
    # Google
    (_MILLION, 65_536, "tvrj",
     ("gemini-2-5-flash gemini-2-5-flash-lite gemini-2-5-pro gemini-3-flash-preview "
      "gemini-3-1-flash-lite gemini-3-1-pro-preview gemini-3-5-flash gemini-3-5-flash-lite "
      "gemini-3-6-flash gemini-3-7-flash gemini-3-8-flash")),
    (_MILLION, 8_192, "tvj", "gemini-1-5-flash gemini-1-5-pro"),
    # Mistral
    (262_144, 262_144, "tvj", "mistral-large-3"),
    (262_144, 262_144, "tvrj", "mistral-medium mistral-medium-3-5 magistral-medium"),
    (128_000, 128_000, "tj", "codestral"),
    (128_000, 128_000, "tvj", "pixtral-large"),
    # DeepSeek, xAI, Cohere, Moonshot, Amazon
    (131_072, 8_192, "tj", "deepseek-chat"),
    (131_072, 65_536, "rj", "deepseek-reasoner"),
    (1_000_000, 393_216, "tvrj", "deepseek-v4-flash"),
    (1_000_000, 393_216, "trj", "deepseek-v4-pro"),
    (1_000_000, 1_000_000, "tvrj", "grok-4-3"),
    (500_000, 500_000, "tvrj", "grok-4-5 grok-4-6 grok-4-7"),
    (256_000, 8_000, "t", "command-a"),
    (128_000, 4_096, "t", "command-r7b"),
    (262_144, 262_144, "tvrj", "kimi-k2-5 kimi-k2-6"),
    (_MILLION, _MILLION, "tvrj", "kimi-k3"),
    (300_000, 10_000, "tvj", "nova-lite nova-pro"),
    (128_000, 10_000, "tj", "nova-micro"),
    (1_000_000, 10_000, "tvj", "nova-premier"),
)  # fmt: skip

_RETIRED: Final[Mapping[str, str]] = {
    "2025-07-21": "claude-2 claude-3-sonnet",
    "2025-09-24": "gemini-1-5-flash gemini-1-5-pro",
    "2025-10-28": "claude-3-5-sonnet",
    "2026-01-05": "claude-3-opus",
    "2026-02-19": "claude-3-5-haiku claude-3-7-sonnet",
    "2026-04-20": "claude-3-haiku",
    "2026-07-23": "gpt-5-codex gpt-5-1-codex gpt-5-1-codex-mini gpt-5-2-codex",
    "2026-07-24": "deepseek-chat deepseek-reasoner",
    "2026-08-31": "kimi-k2-5",
    "2026-10-23": "gpt-3-5-turbo gpt-4 gpt-4-turbo gpt-4-1-nano o1 o1-pro o3-mini o4-mini",
    "2026-11-30": "claude-sonnet-4-5",
    "2026-12-01": "gemini-2-5-flash gemini-2-5-pro",
    "2026-12-11": "gpt-5 gpt-5-mini gpt-5-nano o3 o3-pro",
    "2027-01-14": "gpt-4-1 gpt-4-1-mini gpt-4o gpt-4o-mini",
}
"""The day from which the maker answers no more; others that sell the model follow, each in time."""


@lru_cache(maxsize=1)
def known_models() -> Mapping[str, Capabilities]:
    """By name, what the model can do."""
    return dict(_known())


def _known() -> Iterator[tuple[str, Capabilities]]:
    retired_us = {
        name: int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000
        for day, names in _RETIRED.items()
        for name in names.split()
    }
    for window, most_output, abilities, names in _CHAT:
        for name in names.split():
            yield (
                name,
                Capabilities(
                    context_window=window,
                    max_output_tokens=most_output,
                    mode="chat",
                    tools="t" in abilities if abilities else None,
                    vision="v" in abilities if abilities else None,
                    json=True if "j" in abilities else None,
                    reasoning="r" in abilities if abilities else None,
                    retired_us=retired_us.get(name),
                ),
            )
