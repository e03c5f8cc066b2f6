"""Which model a call should go to within its budgets, and why, as values."""

from typing import Literal, NamedTuple

from budget.domain.answers import Refusal

Reason = Literal["fits", "hard_limit", "soft_limit", "unpriced", "no_model"]
"""Why the model is what it is: the one asked for may be called; a hard limit refuses it; a soft
limit is past its action threshold; it has no known price; or none was asked for.
"""
Step = Literal["asked", "ladder", "given", "same_provider", "other_provider", "free"]
"""How a model came to be considered."""


class Considered(NamedTuple):
    """A model that was considered; `why` it was not taken, empty for the one that was.

    `hold_nanos` is what the call would hold, None where it has no known price.
    """

    provider: str | None
    model: str
    tier: str | None
    step: Step
    hold_nanos: int | None
    fits: bool
    why: str = ""


class Routing(NamedTuple):
    """The model that a call should go to. Nothing is held: to be sure of it, allocate.

    Where it may not go at all, `model` is None, and `refusal` says which limits refuse the model
    that was asked for.
    """

    allowed: bool
    reason: Reason
    why: str
    provider: str | None
    model: str | None
    tier: str | None
    hold_nanos: int | None
    original_provider: str | None
    original_model: str | None
    original_hold_nanos: int | None
    input_tokens: int
    max_output_tokens: int
    warnings: tuple[str, ...]
    considered: tuple[Considered, ...]
    at_us: int
    refusal: Refusal | None = None

    @property
    def is_downgraded(self) -> bool:
        """Whether it is another model than was asked for."""
        return (
            self.allowed
            and self.original_model is not None
            and (self.provider, self.model) != (self.original_provider, self.original_model)
        )
