"""Shapes of which model a call should go to, in JSON."""

from typing import TypedDict

from budget.domain.shapes import RefusalShape


class ConsideredShape(TypedDict):
    """A model that was considered: `step` is how it came to be, `why` what kept it from
    being taken.

    `estimated_cost` is what the call would hold, null where the model has no known price.
    """

    provider: str | None
    model: str
    tier: str | None
    step: str
    estimated_cost: str | None
    fits: bool
    why: str


class RoutingShape(TypedDict):
    """The model that a call should go to; nothing is held. Where `allowed` is false no model may be
    called. `refusal` is that of the model that was asked for, with the limits that refuse it.
    """

    allowed: bool
    reason: str
    why: str
    provider: str | None
    model: str | None
    tier: str | None
    estimated_cost: str | None
    original_provider: str | None
    original_model: str | None
    original_cost: str | None
    is_downgraded: bool
    input_tokens: int
    max_output_tokens: int
    warnings: list[str]
    considered: list[ConsideredShape]
    refusal: RefusalShape | None
    at: str
