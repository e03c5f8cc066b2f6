"""Booking: usage out of spans, each once however often it comes.

A span is known by its trace and span id, for ever. Not here: what of a span is usage (`spans`), and
which allocation it settles (`holds`).
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from budget.domain.answers import Receipt
from budget.domain.attributes import STANDARD
from budget.domain.errors import BudgetError, Conflict, KeyReused, NotFound, Unavailable
from budget.engine.budget import AsyncBudget
from budget.engine.bulk import MAX_RECORDS
from budget.engine.callers import Caller
from budget.neighbours.otel.holds import Hold, joined
from budget.neighbours.otel.nesting import Wrappers
from budget.neighbours.otel.spans import BOOKED, NESTED, OURS, Left, Span, attributes_of, usage_of

Ask = dict[str, Any]
Own = frozenset[tuple[str, int]]

MAX_ABOVE: Final = 20
"""So many spans around one are looked at."""
_PRICED_BY: Final = frozenset({"model", "provider"})
"""Attributes that are told as fields: where a key is bound to others, its caller may not do it."""


@dataclass(slots=True)
class Taken:
    """What came of a request: how many were booked now or before, left out, or rejected, and why.

    `why` is what the sender is told of the first that was rejected.
    """

    booked: int = 0
    before: int = 0
    rejected: int = 0
    left: Counter[str] = field(default_factory=Counter)
    why: str = ""

    def refuse(self, why: str) -> None:
        """One that cannot be booked, now or ever."""
        self.rejected += 1
        self.why = self.why or why

    def add(self, left: Left) -> None:
        """One that is left out."""
        if left.bad:
            self.refuse(f"A span {left.why}.")
        else:
            self.left[left.why] += 1


def sorted_out(
    spans: Sequence[Span], own: Own, wrappers: Wrappers, actor: str
) -> tuple[dict[str, Ask], Taken]:
    """What is to be booked of some spans, by usage id, and what came of the others."""
    found = [(span, usage_of(span, own)) for span in spans]
    counted = [span for span, ask in found if not isinstance(ask, Left) or ask in (OURS, BOOKED)]
    wrapping = wrappers.of(actor, spans, counted)
    by_place = {(span.trace_id, span.span_id): span for span in spans}
    asks: dict[str, Ask] = {}
    taken = Taken()
    for span, ask in found:
        if isinstance(ask, Left):
            taken.add(ask)
        elif wrapping and (span.trace_id, span.span_id) in wrapping:
            taken.add(NESTED)
        elif span.usage_id in asks:
            taken.before += 1
        else:
            asks[span.usage_id] = ask
            _inherit(ask["attributes"], span, by_place)
    return asks, taken


def _inherit(
    attributes: dict[str, str], span: Span, by_place: Mapping[tuple[str, str], Span]
) -> None:
    """Take over what spans around it say of who spends, and it does not: an agent, a session."""
    for _ in range(MAX_ABOVE):
        above = by_place.get((span.trace_id, span.parent_id))
        if above is None:
            return
        if above.said:
            for name, value in attributes_of({}, above.said).items():
                if name in STANDARD:
                    attributes.setdefault(name, value)
        span = above


async def book_spans(
    budget: AsyncBudget, caller: Caller, spans: Sequence[Span], asks: dict[str, Ask], taken: Taken
) -> None:
    """Book what was sorted out. Unavailable if any of it could not be booked now: all of it may
    come again then, and what was booked is known.
    """
    if not asks:
        return
    acting = budget.acting_as(caller)
    wanted = [span for span in spans if span.usage_id in asks]
    met = await asyncio.to_thread(joined, budget.books, wanted, caller.bound)
    records = []
    for usage_id, ask in asks.items():
        hold = met.holds.get(usage_id)
        if usage_id in met.booked:
            taken.add(BOOKED)
            continue
        if hold is not None and hold.status == "settled":
            _note_settled(hold, usage_id, taken)
            continue
        records.append(as_callers(ask, caller) if hold is None else _settling(ask, hold))
    again = []
    for record, result in await _booked(acting, records):
        if "allocation_id" in record and _was_no_hold(result):
            again.append(as_callers(asks[record["usage_id"]], caller))
        else:
            _note(result, taken)
    for _, result in await _booked(acting, again):
        _note(result, taken)


async def book_asks(
    budget: AsyncBudget, caller: Caller, asks: Sequence[Ask], taken: Taken
) -> list[Ask]:
    """Book usage that is nobody's hold; those that were rejected. Unavailable as above."""
    rejected = []
    for ask, result in await _booked(budget.acting_as(caller), asks):
        if _note(result, taken):
            rejected.append(ask)
    return rejected


async def _booked(
    acting: AsyncBudget, records: Sequence[Ask]
) -> list[tuple[Ask, Receipt | BudgetError]]:
    """Each record with what became of it."""
    told: list[tuple[Ask, Receipt | BudgetError]] = []
    for at in range(0, len(records), MAX_RECORDS):
        some = records[at : at + MAX_RECORDS]
        # The ledger takes what it is asked apart: what is kept here stays whole.
        answer = await acting.run(acting.jobs.record_bulk(records=[dict(one) for one in some]))  # type: ignore[misc]
        for result in answer.results:
            if isinstance(result, Unavailable):
                raise result
        told.extend(zip(some, answer.results, strict=True))
    return told


def as_callers(ask: Ask, caller: Caller) -> Ask:
    """Usage that nobody reserved, of whoever sent it: what its key is bound to is so."""
    bound = {name: value for name, value in caller.bound.items() if name not in _PRICED_BY}
    return {**ask, "attributes": {**ask["attributes"], "key": caller.actor, **bound}}


def _settling(ask: Ask, hold: Hold) -> Ask:
    """Usage of an allocation, which has its own attributes."""
    rest = {name: value for name, value in ask.items() if name != "attributes"}
    return {**rest, "allocation_id": hold.allocation_id, "final": not hold.envelope}


def _note_settled(hold: Hold, usage_id: str, taken: Taken) -> None:
    if hold.settled_by == usage_id:
        taken.before += 1
    else:
        taken.add(BOOKED)


def _was_no_hold(result: Receipt | BudgetError) -> bool:
    """Whether usage of an allocation found none that could take it: then nobody reserved it."""
    if isinstance(result, NotFound):
        return True
    return isinstance(result, Conflict) and result.code not in ("already_settled", "id_taken")


def _note(result: Receipt | BudgetError, taken: Taken) -> bool:
    """Count what became of one; whether it was rejected."""
    if isinstance(result, Receipt):
        if result.replayed:
            taken.before += 1
        else:
            taken.booked += 1
        return False
    if isinstance(result, KeyReused) or (
        isinstance(result, Conflict) and result.code == "id_taken"
    ):
        taken.before += 1  # by another name, or by another key: it is the same call
        return False
    if isinstance(result, Conflict):
        taken.add(BOOKED)
        return False
    taken.refuse(result.detail)
    return True
