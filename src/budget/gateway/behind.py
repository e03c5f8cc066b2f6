"""Behind: who sells what an upstream passes on that sells nothing itself.

Rhetor has models of several providers. A call to one of them counts in the limits of that provider,
at its prices. Not here: what names of models mean (`prices.naming`).
"""

from dataclasses import replace
from typing import Final

from budget.gateway.formats import rhetor
from budget.gateway.upstreams import Upstream
from budget.prices.book import PriceBook
from budget.prices.naming import OLLAMA

_TAG: Final = ":"
"""Ollama's names have a tag behind it: `llama3.3:70b`."""
_MAKERS: Final = (
    ("claude-", "anthropic"), ("gpt-", "openai"), ("gemini-", "google"), ("grok-", "x-ai"),
)  # fmt: skip
"""Whose a model is that no list has yet, by how its name begins."""


def with_seller(upstream: Upstream, model: str, prices: PriceBook, at_us: int) -> Upstream:
    """The upstream with the provider of the model; as it is, where it has one of its own."""
    if upstream.format.name != rhetor.NAME or upstream.provider != rhetor.NAME:
        return upstream
    seller = _seller(model, prices, at_us)
    return upstream if seller is None else replace(upstream, provider=seller)


def _seller(model: str, prices: PriceBook, at_us: int) -> str | None:
    if _TAG in model and "/" not in model:
        return OLLAMA
    found = prices.seller(None, model, at_us)
    by_name = (maker for begin, maker in _MAKERS if model.lower().startswith(begin))
    return found or next(by_name, None)
