"""Resolutions: what a name of a model means, as is told of it, and who sells the models of others.

Not here: how it is found (`resolving`).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from budget.domain.pricing import Rates

HOSTS: Final = frozenset((
    "alibaba", "avian", "aws", "azure", "baseten", "cerebras", "cloudflare", "databricks",
    "deepinfra", "doubleword", "fireworks", "github-copilot", "github-models", "groq",
    "hyperbolic", "lambda", "modal", "nebius", "novita", "nscale", "nvidia", "openrouter",
    "ovhcloud", "quicksilverpro", "replicate", "sambanova", "scaleway", "siliconflow",
    "together", "vercel", "watsonx",
))  # fmt: skip
"""Providers that sell the models of others: a name without a provider is not taken for theirs."""
_MAKERS: Final = frozenset((
    "ai21", "anthropic", "assemblyai", "cohere", "deepgram", "deepseek", "elevenlabs", "google",
    "inception", "jina", "minimax", "mistral", "moonshotai", "openai", "perplexity", "reka",
    "voyageai", "x-ai",
))  # fmt: skip
"""Providers that sell models of their own: of several sellers the one among them is meant."""
_HOSTS_BEGIN: Final = "huggingface_"


class Resolution(NamedTuple):
    """What a name means at an instant."""

    provider: str | None
    """Our id of the provider; None if nothing says one."""
    model: str
    """The name that it is listed under, or that was asked for where it is not listed."""
    rates: Rates | None
    how: tuple[str, ...] = ()
    """How the name was read and found, step by step, in words; empty: as it stands."""
    candidates: tuple[str, ...] = ()
    """Where several models are meant by the name: which, as provider/model. It has no price then.
    """
    nearest: tuple[str, ...] = ()
    """Where nothing is known by the name: the names most like it."""
    why: str = ""
    """What keeps a name that was read from having a price; empty: nothing, or it is unknown."""


def is_host(provider: str | None) -> bool:
    """Whether a provider sells the models of others."""
    return provider in HOSTS or (provider or "").startswith(_HOSTS_BEGIN)


def why_unpriced(resolution: Resolution) -> str:
    """What a person is told of a name without a price, as sentences; empty: nothing is known."""
    if resolution.why:
        return resolution.why
    if resolution.candidates:
        names = ", ".join(resolution.candidates)
        return f"The name may mean any of these; say provider and model: {names}."
    if resolution.nearest:
        return f"Known by names like it: {', '.join(resolution.nearest)}."
    return ""


def maker_of(sellers: Iterable[str]) -> str | None:
    """Who of those that list a name makes the model; None if that cannot be told."""
    others = {seller for seller in sellers if not is_host(seller)}
    makers = others & _MAKERS or others
    return makers.pop() if len(makers) == 1 else None
