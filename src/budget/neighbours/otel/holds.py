"""Holds: the allocations that spans are the calls of, so that open ones are settled by them.

A span names its allocation, or the allocation noted, when it was placed, what it would be told by:
the trace or the answer's id. What settled a hold from the answer itself, as the gateway and `track`
do, noted the answer's id, too. Not here: how usage is booked (`booking`).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, or_, select

from budget.domain.models import bare_model
from budget.domain.rights import Bound, covers
from budget.domain.windows import MAX_US
from budget.engine.books import Books
from budget.engine.snapshots import snapshot
from budget.neighbours.otel import names
from budget.neighbours.otel.spans import Span, allocation_of, text_of
from budget.storage.schema import allocations as table
from budget.storage.schema import usage

MAX_NOTED: Final = 2000
"""So many open allocations that noted something are looked at, the newest."""
MAX_SETTLED: Final = 5000
"""So many allocations that were placed before or while the calls went on are looked at."""
_HELD_BEFORE_US: Final = 300_000_000
_NAMED_AT_ONCE: Final = 500

_ROW: Final = (
    table.c.id, table.c.status, table.c.envelope, table.c.settled_by, table.c.model,
    table.c.attributes, table.c.metadata,
)  # fmt: skip


class Hold(NamedTuple):
    """An allocation as spans meet it. An envelope goes on after a call; others are settled by it.

    `marks` are what it noted of the call: `trace:…`, `span:…` and `response:…`.
    """

    allocation_id: str
    status: str
    envelope: bool
    settled_by: str | None
    model: str | None
    marks: frozenset[str] = frozenset()


class Joined(NamedTuple):
    """What spans meet, by their usage ids: holds, and those whose answer was booked already."""

    holds: Mapping[str, Hold]
    booked: frozenset[str]


def joined(books: Books, spans: Sequence[Span], bound: Bound) -> Joined:
    """The allocation of each span that is the call of one; and which are booked. Reads."""
    named = {span.usage_id: allocation_of(span) for span in spans}
    wanted = sorted({one for one in named.values() if one is not None})
    with snapshot(books.database) as connection:
        found: dict[str, Hold] = {}
        for at in range(0, len(wanted), _NAMED_AT_ONCE):
            some = wanted[at : at + _NAMED_AT_ONCE]
            rows = connection.execute(select(*_ROW).where(table.c.id.in_(some)))
            found.update(_held(rows, bound))
        noted = _held(connection.execute(_NOTED), bound)
        answered = _answered(connection, spans)
    holds = {
        usage_id: found[one] for usage_id, one in named.items() if one is not None and one in found
    }
    others = [span for span in spans if named[span.usage_id] is None]
    if noted and others:
        holds.update(_told_by(others, list(noted.values())))
    return Joined(holds, answered)


def _answered(connection: Connection, spans: Sequence[Span]) -> frozenset[str]:
    """The spans whose answer's id was noted when the hold of its call was settled."""
    told = [(text_of(span.said.get(names.RESPONSE_ID)), span.usage_id) for span in spans]
    if not any(response_id for response_id, _ in told):
        return frozenset()
    first_us = min(span.start_ns for span in spans) // 1000 - _HELD_BEFORE_US
    last_us = max(span.end_ns for span in spans) // 1000
    placed = (
        select(table.c.id)
        .where(table.c.placed_us.between(max(first_us, 0), min(last_us, MAX_US)))
        .order_by(table.c.placed_us.desc())
        .limit(MAX_SETTLED)
        .subquery()
    )
    noted = (
        select(usage.c.metadata)
        .join(placed, usage.c.allocation_id == placed.c.id)
        .where(usage.c.metadata.contains('"response_id"'), usage.c.id.not_like("otlp-%"))
    )
    ids = {json.loads(one).get("response_id") for one in connection.scalars(noted)}
    return frozenset(usage_id for response_id, usage_id in told if response_id in ids)


_NOTED: Final = (
    select(*_ROW)
    .where(
        table.c.status == "open",
        table.c.metadata != "{}",
        or_(*(table.c.metadata.contains(f'"{name}"') for name in
              ("traceparent", "trace_id", "response_id"))),
    )
    .order_by(table.c.expires_us.desc())
    .limit(MAX_NOTED)
)  # fmt: skip


def _held(rows: Iterable[Any], bound: Bound) -> dict[str, Hold]:
    found = {}
    for allocation_id, status, envelope, settled_by, model, attributes, metadata in rows:
        if not bound or covers(bound, json.loads(attributes)):
            marks = frozenset(_marks(json.loads(metadata)))
            found[allocation_id] = Hold(
                allocation_id, status, bool(envelope), settled_by, model, marks
            )
    return found


def _marks(noted: dict[str, Any]) -> Iterable[str]:
    """What an allocation noted of the call it is for, as marks."""
    parent = noted.get("traceparent")
    if isinstance(parent, str) and parent.count("-") >= 2:
        _, trace, span = parent.lower().split("-")[:3]
        yield f"span:{trace}-{span}"
    for name, mark in (("trace_id", "trace"), ("response_id", "response")):
        value = noted.get(name)
        if isinstance(value, str):
            yield f"{mark}:{value.lower() if mark == 'trace' else value}"


def _told_by(spans: Sequence[Span], holds: Sequence[Hold]) -> dict[str, Hold]:
    """Spans with the allocations that noted what they say, each with one at most.

    The answer's id is surest, then the span itself or the one above it, then the trace.
    """
    by_mark: dict[str, list[Hold]] = defaultdict(list)
    for hold in reversed(holds):  # those that end first were placed first
        for mark in hold.marks:
            by_mark[mark].append(hold)
    joined: dict[str, Hold] = {}
    taken: set[str] = set()
    for span in sorted(spans, key=lambda one: one.start_ns):
        for mark in _said_marks(span):
            free = (one for one in by_mark.get(mark, ()) if one.allocation_id not in taken)
            met = next((one for one in free if _is_of(span, one)), None)
            if met is not None:
                joined[span.usage_id] = met
                if not met.envelope:
                    taken.add(met.allocation_id)
                break
    return joined


def _said_marks(span: Span) -> Iterable[str]:
    response_id = text_of(span.said.get(names.RESPONSE_ID))
    if response_id is not None:
        yield f"response:{response_id}"
    yield f"span:{span.trace_id}-{span.span_id}"
    yield f"span:{span.trace_id}-{span.parent_id}"
    yield f"trace:{span.trace_id}"


def _is_of(span: Span, hold: Hold) -> bool:
    """Whether the call may be the one that was held for: of that model, as it was asked for."""
    if hold.model is None:
        return True
    said = [text_of(span.said.get(name)) for name in names.MODELS_NAMED]
    return not any(said) or any(
        one is not None and bare_model(one) == bare_model(hold.model) for one in said
    )
