"""Pointing: where SDKs of providers find the gateway, and by which variables they are told.

    OPENAI_BASE_URL=http://127.0.0.1:8013/openai/v1 OPENAI_API_KEY=bud_... python agent.py

Not here: what lies behind these addresses (`upstreams`).
"""

from collections.abc import Mapping
from typing import Final

PATHS: Final[Mapping[str, str]] = {
    "openai": "/openai/v1", "anthropic": "/anthropic", "gemini": "/gemini", "ollama": "/ollama",
}  # fmt: skip
"""Where each of the SDKs is pointed to, by whose it is."""

_BASES: Final[Mapping[str, str]] = {
    "OPENAI_BASE_URL": "openai",
    "OPENAI_API_BASE": "openai",
    "ANTHROPIC_BASE_URL": "anthropic",
    "GOOGLE_GEMINI_BASE_URL": "gemini",
    "OLLAMA_HOST": "ollama",
}
_KEYS: Final = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OLLAMA_API_KEY")
_BEFORE: Final = ("GOOGLE_API_KEY", "ANTHROPIC_AUTH_TOKEN")
"""What an SDK takes before, or beside, its key, if it is there."""


def path_of(name: str, format_name: str) -> str:
    """The path to which an SDK of a format is pointed for an upstream of a name."""
    return f"/{name}/v1" if format_name == "openai" else f"/{name}"


def addresses(url: str) -> dict[str, str]:
    """The address for each provider's SDK, of a service at a URL."""
    return {name: url + path for name, path in PATHS.items()}


def variables(url: str, key: str, env: Mapping[str, str]) -> dict[str, str]:
    """What points the SDKs of a program to the gateway of a service, with a budget key.

    `env` is what the program would have: where a variable there comes before the key it is
    replaced.
    """
    told = addresses(url)
    names = (*_KEYS, *(name for name in _BEFORE if env.get(name)))
    return {**{name: told[whose] for name, whose in _BASES.items()}, **dict.fromkeys(names, key)}
