"""Leading: which upstream the name of a model leads to, where many speak as OpenAI does.

    groq/llama-3.3-70b-versatile   the upstream groq
    anthropic/claude-haiku-4-5     Anthropic's endpoint in OpenAI's shape; claude-haiku-4-5 too

Source: the providers' pages on compatibility with OpenAI's client. Not here: what upstreams there
are (`upstreams`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from budget.gateway.formats import openai
from budget.gateway.upstreams import Upstream

_ENDPOINTS: Final[Mapping[str, str]] = {
    "anthropic": "/v1",
    "azure": "/openai/v1",
    "gemini": "/v1beta/openai",
    "ollama": "/v1",
}
"""Where each format's upstreams answer in OpenAI's shape, below their base address."""
_OWN: Final[Mapping[str, str]] = {"anthropic": "/v1/chat/completions", "gemini": "/v1beta/openai/"}
"""Paths that lead there under the upstream's own name; of others all that begin so."""
_PLAIN: Final = (("claude-", "anthropic"), ("gemini-", "gemini"))
"""Models whose names tell their provider without a prefix."""


class Led(NamedTuple):
    """Where a model's name leads, and its name there."""

    upstream: Upstream
    model: str


def in_openai_shape(upstream: Upstream) -> Upstream | None:
    """The same upstream where it speaks as OpenAI does; None if it nowhere does."""
    if upstream.format is openai.FORMAT:
        return upstream
    endpoint = _ENDPOINTS.get(upstream.format.name)
    if endpoint is None:
        return None
    return replace(
        upstream, format=openai.FORMAT, base_url=upstream.base_url + endpoint, fallback=()
    )


def below_endpoint(upstream: Upstream, path: str) -> str | None:
    """A path in OpenAI's shape below this upstream's name; None if it is one of its own format."""
    name = upstream.format.name
    if name not in ("anthropic", "gemini", "ollama"):
        return None
    if not path.startswith(_OWN.get(name, _ENDPOINTS[name] + "/")):
        return None
    return path[len(_ENDPOINTS[name]) :]


def led_by(model: str, upstreams: Mapping[str, Upstream], *, own_key: bool) -> Led | None:
    """Where the name leads among these; None if it tells nothing of that.

    A name without a prefix leads to a provider only if the gateway has a key for it; never a call
    that brings its `own_key`, which is another provider's.
    """
    name, slash, rest = model.partition("/")
    prefixed = upstreams.get(name.lower()) if slash and rest else None
    if prefixed is not None:
        return Led(prefixed, rest)
    for begin, provider in _PLAIN:
        found = upstreams.get(provider)
        if model.startswith(begin) and found is not None and found.api_key and not own_key:
            return Led(found, model)
    return None
