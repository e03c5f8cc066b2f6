"""What else would do for a call, and for how much, as values."""

from typing import NamedTuple


class Recommendation(NamedTuple):
    """A model that will do, what a call costs with it, and its rates at that size (pico-USD).

    `is_known`: all that the call needs is known of it. `savings_nanos` None: compared with nothing.
    """

    provider: str
    model: str
    cost_nanos: int
    input_pico: int
    output_pico: int
    is_known: bool
    savings_nanos: int | None = None


class Recommendations(NamedTuple):
    """Models for a call of a size, the cheapest first, and the model that they are compared with.

    Of those that may do for want of knowledge none is the best.
    """

    input_tokens: int
    output_tokens: int
    items: tuple[Recommendation, ...]
    current: Recommendation | None = None

    @property
    def best(self) -> Recommendation | None:
        """The cheapest of those of which all is known that the call needs."""
        return next((item for item in self.items if item.is_known), None)
