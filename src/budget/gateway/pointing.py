"""Pointing: where SDKs of providers find the gateway, and by which variables they are told.

    OPENAI_BASE_URL=http://127.0.0.1:8013/openai/v1 OPENAI_API_KEY=bud_... python agent.py

Not here: what lies behind these addresses (`upstreams`).
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple


class _Sdk(NamedTuple):
    """Where a provider's SDK is pointed to, and what tells it so.

    `before` are variables that it takes before or beside its key, if they are there.
    """

    path: str
    bases: tuple[str, ...]
    key: str
    before: tuple[str, ...] = ()


SDKS: Final[Mapping[str, _Sdk]] = {
    "openai": _Sdk("/openai/v1", ("OPENAI_BASE_URL", "OPENAI_API_BASE"), "OPENAI_API_KEY"),
    "anthropic": _Sdk(
        "/anthropic", ("ANTHROPIC_BASE_URL",), "ANTHROPIC_API_KEY", ("ANTHROPIC_AUTH_TOKEN",)
    ),
    "gemini": _Sdk(
        "/gemini", ("GOOGLE_GEMINI_BASE_URL",), "GEMINI_API_KEY", ("GOOGLE_API_KEY",)
    ),
    "ollama": _Sdk("/ollama", ("OLLAMA_HOST",), "OLLAMA_API_KEY"),
}  # fmt: skip
"""By the name of the upstream."""
NEEDS_NO_KEY: Final = frozenset({"ollama", "rhetor"})


def path_of(name: str, format_name: str) -> str:
    """The path to which an SDK of a format is pointed for an upstream of a name."""
    return f"/{name}/v1" if format_name == "openai" else f"/{name}"


def addresses(url: str) -> dict[str, str]:
    """The address for each provider's SDK, of a service at a URL."""
    return {name: url + sdk.path for name, sdk in SDKS.items()}


def variables(url: str, key: str, names: Collection[str], env: Mapping[str, str]) -> dict[str, str]:
    """What points the SDKs of these providers to the gateway of a service, with a budget key.

    `env` is what the program would have: what an SDK there takes before its key is replaced.
    """
    told: dict[str, str] = {}
    for name, sdk in SDKS.items():
        if name in names:
            told.update(dict.fromkeys(sdk.bases, url + sdk.path))
            told[sdk.key] = key
            told.update({before: key for before in sdk.before if env.get(before)})
    return told
