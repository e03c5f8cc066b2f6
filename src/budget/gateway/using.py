"""Using: what a call has used, by how its answer ended; as the books take it.

The provider's own figures where it told them, else what came, counted; never nothing, and not the
worst case for ever. Not here: the booking (`holding`).
"""

from typing import Any, Literal, NamedTuple

from budget.domain.responses import Told
from budget.domain.usage import Usage
from budget.gateway.metering import Meter
from budget.sdk.responses import usage_ask

End = Literal["done", "cut", "left", "broken", "timed_out", "no_answer"]
"""How an answer ended: by itself; where the money did; because its caller had gone; it broke off,
fell silent, or never came.
"""
Source = Literal["provider", "counted", "estimated"]
"""Whose figures are booked: the provider's; tokens counted exactly; an estimate."""


class Used(NamedTuple):
    """What a call has used."""

    usage: Usage
    told: Told
    source: Source
    end: End

    def ask(self, provider: str, model: str | None) -> dict[str, Any]:
        """As `settle` takes it."""
        ask = usage_ask(self.usage, self.told, provider, model)
        said = {"usage_source": self.source, "end": self.end}
        return {**ask, "metadata": {**ask.get("metadata", {}), **said}}


def used(told: Told, meter: Meter, end: End, *, input_tokens: int, granted_tokens: int) -> Used:
    """What a call has used of which this was told and that was counted."""
    if told.usage is not None and told.complete:
        return Used(told.usage, told, "provider", end)
    output_tokens = meter.within(granted_tokens)
    unseen = end in ("timed_out", "no_answer") and not output_tokens
    if unseen:
        output_tokens = granted_tokens  # it may have been written, and not have come
    source: Source = "counted" if meter.is_exact and not unseen else "estimated"
    measured = told.usage
    if measured is None or not measured.input_tokens:
        return Used(Usage(input_tokens, output_tokens), told, source, end)
    most = max(measured.output_tokens, output_tokens)
    return Used(measured._replace(output_tokens=most), told, source, end)
