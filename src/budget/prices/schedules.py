"""Schedules: a model's prices over time, and what a source of them is to a price book.

Not here: which price of several holds (`layers`, `book`), and where prices come from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from budget.domain.pricing import Rates

DAY_US: Final = 86_400_000_000
ALWAYS_US: Final = (-(2**63), 2**63 - 1)


class Piece(NamedTuple):
    """Rates and when they hold: always, from an instant on, or daily between two UTC times.

    `rates` None: the source has no price that we can use for that time.
    """

    rates: Rates | None
    start_us: int | None = None
    daily_us: tuple[int, int] | None = None
    """[start, end) in microseconds since UTC midnight; an end before its start is past midnight."""
    end_us: int | None = None
    """The first instant at which it holds no more; None: until another one does."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A model's prices over time: of the pieces in force the last counts.

    If none is, it is the first, unless that has an end: then it is the price of its time only.
    """

    pieces: tuple[Piece, ...]

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        midnight_us = at_us - at_us % DAY_US
        from_us, until_us = ALWAYS_US
        for piece in self.pieces:
            for edge_us in _edges_us(piece, midnight_us):
                if edge_us <= at_us:
                    from_us = max(from_us, edge_us)
                else:
                    until_us = min(until_us, edge_us)
        for piece in reversed(self.pieces):
            if _holds(piece, at_us, at_us - midnight_us):
                return piece.rates, from_us, until_us
        undated = self.pieces[0]
        return undated.rates if undated.end_us is None else None, from_us, until_us


def _holds(piece: Piece, at_us: int, since_midnight_us: int) -> bool:
    if piece.start_us is not None and at_us < piece.start_us:
        return False
    if piece.end_us is not None and at_us >= piece.end_us:
        return False
    if piece.daily_us is None:
        return True
    start_us, end_us = piece.daily_us
    if end_us < start_us:
        return since_midnight_us >= start_us or since_midnight_us < end_us
    return start_us <= since_midnight_us < end_us


def _edges_us(piece: Piece, midnight_us: int) -> list[int]:
    """The instants, about that day, at which the piece may begin or cease to hold."""
    edges_us = [edge_us for edge_us in (piece.start_us, piece.end_us) if edge_us is not None]
    for time_us in piece.daily_us or ():
        edges_us += [midnight_us + days * DAY_US + time_us for days in (-1, 0, 1)]
    return edges_us


CONTEXT_NAMES: Final = ("processing", "region", "route", "search_type", "service_tier", "speed")
"""`processing=batch`, `service_tier=flex` or `=priority`, `speed=fast`, a `region` or a `route`."""

Context = tuple[tuple[str, str], ...]
"""What of a call decides its price beside model and time: (name, value), by name."""


class Scheduled(Protocol):
    """Prices over time."""

    def at(self, at_us: int) -> tuple[Rates | None, int, int]:
        """The rates at an instant, and an interval [from, until) around it in which they stay."""
        ...


class PriceSource(Protocol):
    """What a book draws on: prices under one basis, and that source's way of matching names."""

    @property
    def basis(self) -> str:
        """Source, version and start of the sha256 of its prices."""
        ...

    def provider_id(self, provider: str) -> str | None:
        """The source's own name of a provider, however it is spelled; None if unknown."""
        ...

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Scheduled | None:
        """The prices of a model in a context, None if unknown. Without a provider the model's name
        decides; a context that the model has no price for changes nothing.
        """
        ...

    def models(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) listed, priced or not."""
        ...
