"""Using: what a call has used, by how its answer ended; as the books take it.

The provider's own figures where it told them, else what came, counted; never nothing, and not the
worst case for ever. Not here: the booking (`holding`).
"""

from typing import Any, Final, Literal, NamedTuple

from budget.domain.responses import Told
from budget.domain.usage import Usage
from budget.engine.commands import Place
from budget.gateway.metering import Meter
from budget.gateway.ratios import Name, Ratios
from budget.sdk.responses import usage_ask

End = Literal["done", "cut", "left", "broken", "timed_out", "no_answer"]
"""How an answer ended: by itself; where the money did; because its caller had gone; it broke off,
fell silent, or never came.
"""
_UNSEEN: Final = frozenset({"timed_out", "no_answer", "left"})
_ROOM_TOKENS: Final = 5
"""OpenAI begins an answer with 3 tokens, by its cookbook; the bound has room for 8."""
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


class Expected(NamedTuple):
    """What a call is thought to have used where nobody tells: `input_tokens`, and as much output
    where none came that may have been written.
    """

    input_tokens: int
    granted_tokens: int
    unseen_tokens: int


def told_by_provider(told: Told, end: End) -> Used | None:
    """What a call has used by the provider's own figures; None where these are not the last."""
    if told.usage is None or not told.complete:
        return None
    return Used(told.usage, told, "provider", end)


def used(told: Told, meter: Meter, end: End, expected: Expected, ratios: Ratios) -> Used:
    """What a call has used that was counted, where the provider's own figures are not the last."""
    granted_tokens = expected.granted_tokens
    within = meter.within(granted_tokens)
    output_tokens = within
    if not meter.is_exact:
        unsure = end == "cut" and not ratios.knows(meter.name)  # then none of it goes to others
        output_tokens = meter.surely() if unsure else ratios.likely(meter.name, meter.likely())
    if within <= granted_tokens:
        output_tokens = min(output_tokens, granted_tokens)
    unread = end == "done" and told == Told()
    unseen = (unread or end in _UNSEEN) and not output_tokens
    if unseen:  # it may have been written, and not have come
        output_tokens = min(granted_tokens, expected.unseen_tokens)
    source: Source = "counted" if meter.is_exact and not unseen else "estimated"
    measured = told.usage
    if measured is None or not measured.input_tokens:
        return Used(Usage(expected.input_tokens, output_tokens), told, source, end)
    most = max(measured.output_tokens, output_tokens)
    return Used(measured._replace(output_tokens=most), told, source, end)


def learn(ratios: Ratios, told: Told, meter: Meter, bound_tokens: int) -> None:
    """Compare what a provider told of a whole answer with what was counted of it here."""
    usage = told.usage
    if usage is None or not told.complete:
        return
    ratios.learn(_input_of(meter), bound_tokens, usage.input_tokens)
    if not meter.is_exact and not usage.reasoning_tokens and ratios.wants(meter.name):
        ratios.learn(meter.name, meter.likely(), usage.output_tokens)


def likely_input(ratios: Ratios, meter: Meter, bound_tokens: int) -> int:
    """How many input tokens a request likely has, by its bound."""
    if ratios.knows(_input_of(meter)):
        return ratios.likely(_input_of(meter), bound_tokens)
    if meter.is_exact:
        return max(1, bound_tokens - _ROOM_TOKENS)
    return meter.unscaled(bound_tokens)


def _input_of(meter: Meter) -> Name:
    return ("input", *meter.name[1:])


def bounded(told: Told, end: End, place: Place) -> Used:
    """The same of a call that was held at the most that it may use, and is not counted."""
    most = Usage(place.input_tokens or 0, place.max_output_tokens or 0, units=place.units)
    return Used(most, told, "estimated", end)
