"""Upstreams: the providers that the gateway leads to, by name, from the environment.

    OPENAI_API_KEY=sk-... BUDGET_GATEWAY_VLLM_BASE_URL=http://127.0.0.1:8000/v1 budget serve

Addresses are the operator's alone: no request can name one. Not here: how each format is spelled
(`formats`), and how requests are sent (`sending`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from budget.domain.errors import InvalidInput
from budget.gateway.formats import anthropic, azure, gemini, ollama, openai, rhetor
from budget.gateway.formats.format import Format
from budget.gateway.provider_keys import with_keys

FORMATS: Final[Mapping[str, Format]] = {
    each.name: each
    for each in (
        openai.FORMAT,
        azure.FORMAT,
        anthropic.FORMAT,
        gemini.FORMAT,
        ollama.FORMAT,
        rhetor.FORMAT,
    )
}

_PREFIX: Final = "BUDGET_GATEWAY_"
_FIELDS: Final = ("BASE_URL", "API_KEY", "FORMAT", "PROVIDER", "FALLBACK")
_RETRIES: Final = "BUDGET_GATEWAY_RETRIES"
_MOST_RETRIES: Final = 5
_SILENCE: Final = "BUDGET_GATEWAY_SILENCE_SECONDS"
_SILENCE_SECONDS: Final = 600
_MOST_SILENCE_SECONDS: Final = 3600
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TAKEN: Final = frozenset({"api", "docs", "health", "login", "logout", "metrics", "ready", "ws"})


class _Known(NamedTuple):
    """A provider that needs no more than a key: its format, address, and where its key is found."""

    format: str
    base_url: str
    keys: tuple[str, ...]
    provider: str


KNOWN: Final[Mapping[str, _Known]] = {
    "openai": _Known("openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), "openai"),
    "anthropic": _Known(
        "anthropic", "https://api.anthropic.com", ("ANTHROPIC_API_KEY",), "anthropic"
    ),
    "gemini": _Known(
        "gemini",
        "https://generativelanguage.googleapis.com",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "google",
    ),
    "ollama": _Known("ollama", "http://127.0.0.1:11434", (), "ollama"),
    "openrouter": _Known(
        "openai", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",), "openrouter"
    ),
    "groq": _Known("openai", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",), "groq"),
    "mistral": _Known("openai", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",), "mistral"),
    "deepseek": _Known("openai", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",), "deepseek"),
    "xai": _Known("openai", "https://api.x.ai/v1", ("XAI_API_KEY",), "x-ai"),
    "together": _Known("openai", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",), "together"),
    "fireworks": _Known(
        "openai", "https://api.fireworks.ai/inference/v1", ("FIREWORKS_API_KEY",), "fireworks"
    ),
    "perplexity": _Known(
        "openai", "https://api.perplexity.ai", ("PERPLEXITY_API_KEY",), "perplexity"
    ),
    "cerebras": _Known("openai", "https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",), "cerebras"),
}


_ELSEWHERE: Final[Mapping[str, _Known]] = {
    "azure": _Known("azure", "", ("AZURE_OPENAI_API_KEY",), "azure"),
    "rhetor": _Known("rhetor", "", (), "rhetor"),
}
"""Those whose address is each customer's own."""
_NEIGHBOURS: Final[Mapping[str, tuple[tuple[str, ...], int]]] = {
    "rhetor": (("BUDGET_RHETOR_URL", "RHETOR_API_URL"), 8003),
}
"""Neighbours that are upstreams as well, where their own setting says; and their usual port."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where calls go: `base_url` without a slash at its end. `provider` is whose prices count.

    `api_key` is sent where the caller brings none of its own. `fallback` names the upstreams that
    are tried next when this one is overloaded or down, after `retries` more tries at this one.
    `silence_seconds` is how long it may say nothing.
    """

    name: str
    format: Format
    base_url: str
    provider: str
    api_key: str | None = field(default=None, repr=False)
    fallback: tuple[str, ...] = ()
    retries: int = 1
    silence_seconds: int = _SILENCE_SECONDS

    @property
    def is_set_up(self) -> bool:
        """Whether the operator said anything of it: gave a key, or named an address."""
        known = KNOWN.get(self.name)
        return self.api_key is not None or known is None or known.base_url != self.base_url

    @property
    def needs_no_key(self) -> bool:
        """Whether it is known to work without a key."""
        known = KNOWN.get(self.name)
        return known is not None and not known.keys

    def own_headers(self) -> dict[str, str]:
        """The headers of a request for no caller, with our key."""
        sent = {"accept-encoding": "identity", **self.format.own_headers}
        if self.api_key is not None:
            name = self.format.key_header
            sent[name] = f"Bearer {self.api_key}" if name == "authorization" else self.api_key
        return sent

    def hidden(self, answer: bytes) -> bytes:
        """What it answers without our key in it: some tell in an error what they were sent."""
        return answer.replace(self.api_key.encode(), b"***") if self.api_key else answer


def read_upstreams(env: Mapping[str, str]) -> dict[str, Upstream]:
    """The upstreams by name: those that are known, and those that the environment adds.

    InvalidInput, naming the variable, for what cannot be.
    """
    env = _with_neighbours(with_keys(env))
    names = {*KNOWN, *_named(env)}
    found = {name: _upstream(name, env) for name in sorted(names)}
    for upstream in found.values():
        for other in upstream.fallback:
            _check_fallback(upstream, other, found)
    return found


def _with_neighbours(env: Mapping[str, str]) -> Mapping[str, str]:
    found = dict(env)
    for name, (settings, port) in _NEIGHBOURS.items():
        setting = next((each for each in settings if env.get(each)), None)
        if setting is not None and env[setting] != "off":
            address = _address(env[setting], setting, port)
            found.setdefault(f"{_PREFIX}{name.upper()}_BASE_URL", address)
    return found


def _named(env: Mapping[str, str]) -> Iterator[str]:
    for variable, value in env.items():
        if variable.startswith(_PREFIX) and variable.endswith("_BASE_URL") and value:
            name = variable[len(_PREFIX) : -len("_BASE_URL")].lower()
            if not _NAME.fullmatch(name) or name in _TAKEN:
                raise InvalidInput(variable, f"{name[:80]!r} cannot be the name of an upstream.")
            yield name


def _upstream(name: str, env: Mapping[str, str]) -> Upstream:
    known = KNOWN.get(name) or _ELSEWHERE.get(name)
    said = {each: env.get(f"{_PREFIX}{name.upper()}_{each}") or None for each in _FIELDS}
    spoken = said["FORMAT"] or (known.format if known else "openai")
    if spoken not in FORMATS:
        raise InvalidInput(
            f"{_PREFIX}{name.upper()}_FORMAT", f"{spoken[:80]!r} is no format.", sorted(FORMATS)
        )
    base_url = said["BASE_URL"] or (known.base_url if known else "")
    fallback = tuple(part.strip().lower() for part in (said["FALLBACK"] or "").split(","))
    return Upstream(
        name,
        FORMATS[spoken],
        _address(base_url, f"{_PREFIX}{name.upper()}_BASE_URL"),
        said["PROVIDER"] or (known.provider if known else name),
        said["API_KEY"] or _key_of(known, env),
        tuple(part for part in fallback if part),
        _count(env, _RETRIES, 1, 0, _MOST_RETRIES),
        _count(env, _SILENCE, _SILENCE_SECONDS, 1, _MOST_SILENCE_SECONDS),
    )


def _count(env: Mapping[str, str], variable: str, usual: int, least: int, most: int) -> int:
    text = env.get(variable) or str(usual)
    if text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most:
        return int(text)
    raise InvalidInput(variable, f"{text[:80]!r} is no whole number from {least} to {most}.")


def _key_of(known: _Known | None, env: Mapping[str, str]) -> str | None:
    """The provider's key from the variable of its own name, or from the file that names."""
    for variable in known.keys if known else ():
        if env.get(variable):
            return env[variable]
        if env.get(f"{variable}_FILE"):
            try:
                return Path(env[f"{variable}_FILE"]).expanduser().read_text().strip()
            except OSError as error:
                raise InvalidInput(
                    f"{variable}_FILE", f"cannot be read: {error.strerror}."
                ) from error
    return None


def _address(text: str, variable: str, port: int = 8000) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        such = f"http://127.0.0.1:{port}"
        raise InvalidInput(variable, f"{text[:80]!r} is no http(s) address such as {such}.")
    if parts.query or parts.fragment or parts.username:
        raise InvalidInput(variable, "must be an address without query, fragment or password.")
    return text.rstrip("/")


def _check_fallback(upstream: Upstream, other: str, all_of: Mapping[str, Upstream]) -> None:
    variable = f"{_PREFIX}{upstream.name.upper()}_FALLBACK"
    if other not in all_of or other == upstream.name:
        raise InvalidInput(variable, f"{other[:80]!r} is no other upstream.", sorted(all_of))
    if all_of[other].format is not upstream.format:
        raise InvalidInput(variable, f"{other} speaks another format than {upstream.name}.")
