"""Changes: what a newer feed of a source changes, and what of that nobody should believe unasked.

    for model in changes(listings(old), listings(new), kept, now_us): ...

Pure: compares what held with what the feed says, at now, at each start to come, then at those past.
Not here: what is done about it (`engine.price_book.applying`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from budget.domain.pricing import Rate, Rates, rate_at
from budget.domain.usage import CACHE_UNITS, INPUT_UNITS, OUTPUT_UNITS
from budget.prices.combined import Key, context_text
from budget.prices.listings import Listed
from budget.prices.schedules import DAY_US, Piece, Schedule
from budget.prices.verification import change_bps

MAX_TIMES: Final = 10
"""More than ten times as much, or less than a tenth, is not believed."""

_KINDS: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
_FALLS_BACK: Final[Mapping[str, str]] = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
}
MAX_INSTANTS: Final = 200

Listings = Mapping[Key, Schedule]


class Step(NamedTuple):
    """A kind of unit from one price to another, first seen at `from_us`."""

    kind: str
    from_tokens: int
    old_pico: int | None
    new_pico: int | None
    from_us: int

    @property
    def change_bps(self) -> int | None:
        """In basis points of the old price; None from nothing or zero."""
        return change_bps(self.old_pico, self.new_pico)


class ModelChange(NamedTuple):
    """What a feed does to a model in one context.

    `what`: `added`, `changed`, `dropped`, `quarantined`, or `returned` to the price that was kept.
    `former` is the schedule that held, None for an added one.
    """

    key: Key
    what: str
    former: Schedule | None
    steps: tuple[Step, ...]


def listings(prices: Iterable[Listed]) -> dict[Key, Schedule]:
    """The prices of a feed by model and context."""
    return {
        (one.provider.lower(), one.model.lower(), context_text(one.context)): Schedule(one.pieces)
        for one in prices
        if one.pieces
    }


def lost_half(old: Collection[Key], new: Collection[Key]) -> bool:
    """Whether half of the models of a source, or more, are gone from its newer feed."""
    before = {key[:2] for key in old}
    gone = before - {key[:2] for key in new}
    return bool(before) and 2 * len(gone) >= len(before)


def changes(old: Listings, new: Listings, kept: Listings, now_us: int) -> Iterator[ModelChange]:
    """What the newer listings of a source change of those in force before.

    `kept` are the prices that hold in spite of the old listings. What the source says as before is
    no change, whether it was believed or not.
    """
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if after is None:
            if before is not None and key not in kept:
                yield ModelChange(key, "dropped", before, tuple(steps(before, None, now_us)))
            continue
        if before is not None and _same(before, after):
            continue
        former = kept.get(key, before)
        if former is None:
            yield ModelChange(key, "added", None, tuple(steps(None, after, now_us)))
        elif _same(former, after):
            yield ModelChange(key, "returned", former, ())
        else:
            found = tuple(steps(former, after, now_us))
            wild = any(_is_wild(step) for step in found if step.from_us >= now_us)
            yield ModelChange(key, "quarantined" if wild else "changed", former, found)


def _is_wild(step: Step) -> bool:
    old, new = step.old_pico, step.new_pico
    if old is None or new is None:
        return False
    return bool(old) != bool(new) or new > MAX_TIMES * old or old > MAX_TIMES * new


def _same(one: Schedule, other: Schedule) -> bool:
    """Whether two schedules say the same, whatever their basis."""
    return _without_basis(one) == _without_basis(other)


def _without_basis(schedule: Schedule) -> list[Piece]:
    return [
        piece._replace(rates=piece.rates and piece.rates._replace(basis=""))
        for piece in schedule.pieces
    ]


def steps(old: Schedule | None, new: Schedule | None, now_us: int) -> Iterator[Step]:
    """Each pair of prices that differ, with the first instant at which they do."""
    seen = set()
    for from_us, at_us in _instants(old, new, now_us):
        before = None if old is None else old.at(at_us)[0]
        after = None if new is None else new.at(at_us)[0]
        for kind, from_tokens, old_pico, new_pico in _differences(before, after):
            pair = (kind, from_tokens, old_pico, new_pico)
            if pair not in seen:
                seen.add(pair)
                yield Step(kind, from_tokens, old_pico, new_pico, from_us)


def _instants(old: Schedule | None, new: Schedule | None, now_us: int) -> Iterator[tuple[int, int]]:
    """(from when, an instant to look at): now, each edge to come, each past, before them all.

    Where prices go by the time of day, each edge of that day is looked at too.
    """
    pieces = [piece for schedule in (old, new) if schedule for piece in schedule.pieces]
    edges = {us for piece in pieces for us in (piece.start_us, piece.end_us) if us is not None}
    times = sorted({time for piece in pieces for time in piece.daily_us or ()})
    later = sorted(edge for edge in edges if edge > now_us)
    past = sorted((edge for edge in edges if edge <= now_us), reverse=True)
    for from_us in (now_us, *later, *past, *([min(edges) - 1] if past else ()))[:MAX_INSTANTS]:
        yield from_us, from_us
        if len(times) <= MAX_INSTANTS:
            midnight_us = from_us - from_us % DAY_US + DAY_US
            yield from ((from_us, midnight_us + time) for time in times)


def _differences(
    old: Rates | None, new: Rates | None
) -> Iterator[tuple[str, int, int | None, int | None]]:
    """(kind, first input tokens of the tier, old, new) of what differs; None: no price."""
    units = sorted({unit for rates in (old, new) if rates for unit, _ in rates.units})
    for kind in (*_KINDS, *units):
        if not any(rates is not None and _own(rates, kind) is not None for rates in (old, new)):
            continue
        before, after = _effective(old, kind), _effective(new, kind)
        for tokens in sorted({*_starts(before), *_starts(after)}):
            pair = (_at(before, tokens), _at(after, tokens))
            if pair[0] != pair[1]:
                yield kind, tokens, *pair
    requests = (old and old.request, new and new.request)
    if requests[0] != requests[1] and any(requests):
        yield "request", 0, *requests


def _own(rates: Rates, kind: str) -> Rate | None:
    """The rate that is written for a kind of unit."""
    if kind in _KINDS:
        rate: Rate | None = getattr(rates, kind)
        return rate
    return dict(rates.units).get(kind)


def _effective(rates: Rates | None, kind: str) -> Rate | None:
    """The rate that a kind of unit is priced at, by its own or the one it falls back to."""
    if rates is None:
        return None
    rate = _own(rates, kind)
    if rate is not None:
        return rate
    if kind in CACHE_UNITS:
        return _effective(rates, "cache_read")
    if kind in INPUT_UNITS:
        return rates.input
    if kind in OUTPUT_UNITS:
        return rates.output
    return _effective(rates, _FALLS_BACK[kind]) if kind in _FALLS_BACK else None


def _starts(rate: Rate | None) -> tuple[int, ...]:
    return tuple(start for start, _ in rate) if isinstance(rate, tuple) else (0,)


def _at(rate: Rate | None, tokens: int) -> int | None:
    return None if rate is None else rate_at(rate, tokens)
