"""Counting: usage out of metrics, what each series has grown by, each growth once.

What a series grew to is noted in the books before it is booked, together with the usage that leads
there, whose id says the same. So whatever fails in between, the next request books that usage
first, and it counts once. Not here: how metrics are read (`points`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from budget.domain.windows import MAX_US, to_rfc3339
from budget.engine.budget import AsyncBudget
from budget.engine.callers import LOCAL, Caller
from budget.neighbours.notes import Notes
from budget.neighbours.otel import names
from budget.neighbours.otel.booking import Ask, Own, Taken, as_callers, book_asks
from budget.neighbours.otel.encodings import Encoding
from budget.neighbours.otel.points import Series, digest, series_of, usage_of_series
from budget.neighbours.otel.spans import BOOKED, NO_CALL, NO_USAGE, OURS, Left, is_call, leads_to

MAX_SERIES: Final = 10_000
KEPT_NS: Final = 30 * 86_400 * 10**9
"""A series that has told nothing for so long is over."""
MAX_FIGURES: Final = 200
"""Of one series."""
NOTHING_NEW: Final = Left("nothing new in a metric")
_NOTE: Final = "series:"

Figures = dict[str, tuple[int, int]]


class Counting:
    """What the series of metrics have grown to. One request after another is counted."""

    def __init__(self, budget: AsyncBudget) -> None:
        self._budget = budget
        self._notes = Notes(budget, "otlp")
        self._turn = asyncio.Lock()
        self._grown: dict[str, Figures] | None = None
        self._owed: dict[str, Ask] = {}
        """Usage that is noted, and not known to be booked, by series."""

    async def take(self, body: bytes, encoding: Encoding, caller: Caller, own: Own) -> Taken:
        """Book what the metrics of a request grew by. Unavailable: it may come again."""
        request = await asyncio.to_thread(encoding.read, "metrics", body)
        found, bad = await asyncio.to_thread(series_of, request, encoding)
        taken = Taken()
        for _ in range(bad):
            taken.refuse("A data point has a value that cannot be.")
        async with self._turn:
            grown = await self._load()
            await self._pay(LOCAL, Taken())
            windows: list[Ask] = []
            for series in found:
                ask = self._count(series, grown, own, taken)
                if ask is None:
                    continue
                if series.cumulative:
                    self._owed[series.series_id] = as_callers(ask, caller)
                else:
                    windows.append(as_callers(ask, caller))
            await self._pay(caller, taken)
            await book_asks(self._budget, caller, windows, taken)
        return taken

    def _count(
        self, series: Series, grown: dict[str, Figures], own: Own, taken: Taken
    ) -> Ask | None:
        """What a series is to be booked for."""
        if not is_call(series.said):
            taken.add(NO_CALL)
            return None
        if names.INSTANCE in series.about:
            taken.add(BOOKED)
            return None
        if leads_to(series.said, own):
            taken.add(OURS)
            return None
        cumulative = series.cumulative
        if cumulative and series.series_id not in grown and len(grown) >= MAX_SERIES:
            taken.refuse(f"There are more than {MAX_SERIES} series of metrics.")
            return None
        before = grown.get(series.series_id, {}) if cumulative else {}
        newer = {
            name: figure
            for name, figure in series.figures.items()
            if name not in before or figure[0] > before[name][0]
        }
        if not newer:
            taken.before += 1
            return None
        if cumulative:
            grown[series.series_id] = _kept({**before, **newer})
        growth = _growth(newer, before)
        ask = usage_of_series(series, growth)
        if ask is None:
            taken.add(NO_USAGE if any(growth.values()) else NOTHING_NEW)
            return None
        ask["usage_id"] = f"otlp-{digest([series.series_id, sorted(newer.items())])}"
        at_us = max(at_ns for at_ns, _ in newer.values()) // 1000
        if 0 < at_us < MAX_US:
            ask["occurred_at"] = to_rfc3339(at_us)
        return ask

    async def _pay(self, caller: Caller, taken: Taken) -> None:
        """Note what is owed, then book it."""
        if not self._owed:
            return
        grown = self._grown or {}
        noted: dict[str, Any] = {
            f"{_NOTE}{one}": {"grown": grown[one], "owed": ask} for one, ask in self._owed.items()
        }
        await self._notes.put_all(noted)
        rejected = await book_asks(self._budget, caller, list(self._owed.values()), taken)
        if rejected:
            never = {name: note for name, note in noted.items() if note["owed"] in rejected}
            await self._notes.put_all(
                {name: {**note, "owed": None} for name, note in never.items()}
            )
        self._owed.clear()

    async def _load(self) -> dict[str, Figures]:
        """What was noted, with what is owed of it."""
        if self._grown is None:
            noted = await self._notes.all(_NOTE)
            grown: dict[str, Figures] = {}
            newest = max((_newest(note) for note in noted.values()), default=0)
            for name, note in noted.items():
                if newest - _newest(note) > KEPT_NS:
                    await self._notes.put(name, None)
                    continue
                one = name.removeprefix(_NOTE)
                grown[one] = {key: (at, value) for key, (at, value) in note["grown"].items()}
                if note["owed"] is not None:
                    self._owed[one] = note["owed"]
            self._grown = grown
        return self._grown


def _kept(figures: Figures) -> Figures:
    """The newest figures: whoever starts anew brings others."""
    if len(figures) <= MAX_FIGURES:
        return figures
    newest = sorted(figures, key=lambda name: figures[name], reverse=True)[:MAX_FIGURES]
    return {name: figures[name] for name in newest}


def _growth(newer: Figures, before: Figures) -> dict[str, int]:
    """By how much each figure grew; one that fell began anew."""
    grown = {}
    for name, (_, value) in newer.items():
        was = before[name][1] if name in before else 0
        grown[name] = value - was if value >= was else value
    return grown


def _newest(note: Mapping[str, Any]) -> int:
    return max((at for at, _ in note["grown"].values()), default=0)
