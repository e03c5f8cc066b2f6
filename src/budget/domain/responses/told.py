"""Told: what a provider's response says about itself, in our words.

Not here: how each provider spells it (one file per shape), and what it costs (`pricing`).
"""

from typing import NamedTuple

from budget.domain.usage import Usage


class Told(NamedTuple):
    """What a response, or the part of a stream that came, tells. None: it does not say."""

    usage: Usage | None = None
    """The counts, which pass `usage.validated`. None: nothing was counted, or only placeholders."""
    model: str | None = None
    """The model that answered, as the response names it; it may differ from the one asked."""
    response_id: str | None = None
    reported_cost_nanos: int | None = None
    """What the provider says that it cost, in nano-USD, rounded up; only OpenRouter says so."""
    complete: bool = False
    """The provider said that these are the final figures, and each of them could be read."""
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
