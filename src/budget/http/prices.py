"""Price handlers: those of `/prices` that are more than one act of the engine.

Not here: those that only pass on to a method of `Jobs` (`calls.act`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from budget.domain import wire
from budget.domain.answers_prices import PricePeriod, PriceSourceView
from budget.http import handlers
from budget.http.calls import Answered, Call


class CurrentAsk(TypedDict, total=False):
    """Which price: of a model, perhaps of one provider, in a context, at another time than now."""

    provider: str
    model: str
    at: str
    price_context: Mapping[str, str]


class UpdateAsk(TypedDict, total=False):
    """Which sources to read; those that are configured unless some are named."""

    sources: Sequence[str]


class DecideAsk(TypedDict, total=False):
    """Why a price is accepted or rejected."""

    reason: str


class EndAsk(TypedDict, total=False):
    """Why a price that was set ends, and when; now unless said."""

    reason: str
    ends_at: str


price_page: Final = handlers.page_of(wire.price)
update_page: Final = handlers.page_of(wire.price_update)


def period_page(periods: Sequence[PricePeriod]) -> Any:
    """The whole history of a model, as the one page of a list."""
    return wire.page(periods, None, wire.price_period)


def source_page(sources: Sequence[PriceSourceView]) -> Any:
    """All sources, as the one page of a list."""
    return wire.page(sources, None, wire.price_source)


async def current(call: Call) -> Answered:
    """The price of a model now, or `at` another time; 404 where none is known."""
    asked = {"model": None, **call.ask, **call.query}
    return Answered(wire.price(await call.run(call.jobs.current_price(**asked))))


async def compare(call: Call) -> Answered:
    """What each source says of a model now, beside the price in force."""
    asked = {"model": None, **call.query}
    return Answered(wire.price_comparison(await call.run(call.jobs.compare_prices(**asked))))


async def end_price(call: Call) -> Answered:
    """End a price that was set, now or at a time to come: that of the sources holds again."""
    asked = {"reason": None, **call.ask}
    return Answered(wire.price_override(await call.run(call.jobs.end_price(*call.ids, **asked))))


async def update(call: Call) -> Answered:
    """Read sources anew, and apply what they say or hold it in quarantine; `results` tell which."""
    job = call.jobs.update_prices(**call.ask)
    # One at a time: a source that is slow to answer must not take the threads that others wait for.
    async with call.service.updating:
        return Answered(wire.price_report(await call.run(job)))


async def accept(call: Call) -> Answered:
    """Let a price that waits in quarantine come into force, or a whole snapshot by its basis."""
    asked = {"reason": None, **call.ask}
    return Answered(wire.price_decision(await call.run(call.jobs.accept_price(*call.ids, **asked))))


async def reject(call: Call) -> Answered:
    """Say no to a price that waits in quarantine, or to a whole snapshot: the former one stays."""
    asked = {"reason": None, **call.ask}
    return Answered(wire.price_decision(await call.run(call.jobs.reject_price(*call.ids, **asked))))
