"""Booked: what the journal tells since the last look, in the words of OpenTelemetry.

Reads. Not here: where it is sent (`emitting`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from budget.domain.answers import Event
from budget.domain.money import format_usd
from budget.engine.books import Books
from budget.engine.snapshots import snapshot
from budget.neighbours.otel import names
from budget.storage.schema import allocations, usage

KINDS: Final = frozenset({"recorded", "settled", "reported"})
"""The entries that book usage. What is corrected later is not taken back: counters only grow."""
DECISIONS: Final[Mapping[str, str]] = {"refused": "refused", "degraded": "degraded"}
"""The entries that tell of decisions beside `placed`, whose usage is told when it is booked."""

_USAGE: Final = (
    usage.c.id, usage.c.allocation_id, usage.c.recorded_us, usage.c.occurred_us,
    usage.c.attributes, usage.c.provider, usage.c.model, usage.c.input_tokens,
    usage.c.output_tokens, usage.c.cache_read_tokens, usage.c.cache_write_tokens,
    usage.c.cache_write_1h_tokens, usage.c.reasoning_tokens, usage.c.cost_nanos, usage.c.flags,
    usage.c.metadata,
)  # fmt: skip


class Held(NamedTuple):
    """The allocation that usage was on: when it was placed, and the span it was placed under."""

    placed_us: int
    traceparent: str | None


class Booked(NamedTuple):
    """One usage record. `counts` are those above 0, by our names; money is in nano-USD."""

    usage_id: str
    allocation_id: str | None
    began_us: int
    ended_us: int
    operation: str
    provider: str | None
    model: str | None
    component: str | None
    agent: str | None
    session: str | None
    counts: Mapping[str, int]
    cost_nanos: int | None
    flags: Sequence[str]
    response_id: str | None
    traceparent: str | None


def booked_of(books: Books, events: Sequence[Event]) -> list[Booked]:
    """The usage that some entries of the journal book."""
    ids = [event.usage_id for event in events if event.kind in KINDS and event.usage_id]
    if not ids:
        return []
    with snapshot(books.database) as connection:
        rows = connection.execute(select(*_USAGE).where(usage.c.id.in_(ids))).all()
        on = sorted({row.allocation_id for row in rows if row.allocation_id})
        held = {
            row.id: Held(row.placed_us, _traceparent(row.metadata))
            for row in connection.execute(
                select(allocations.c.id, allocations.c.placed_us, allocations.c.metadata).where(
                    allocations.c.id.in_(on)
                )
            )
        }
    return [_booked(row, held.get(row.allocation_id)) for row in rows]


def _traceparent(metadata: str) -> str | None:
    noted = json.loads(metadata).get("traceparent")
    return noted if isinstance(noted, str) else None


def _booked(row: Any, held: Held | None) -> Booked:
    attributes = json.loads(row.attributes)
    response_id = json.loads(row.metadata).get("response_id")
    return Booked(
        row.id,
        row.allocation_id,
        row.occurred_us if held is None else held.placed_us,
        row.recorded_us,
        _operation(row.model, row.output_tokens),
        row.provider,
        row.model,
        attributes.get("component"),
        attributes.get("agent"),
        attributes.get("session"),
        _counts(row),
        row.cost_nanos,
        tuple(row.flags.split()),
        response_id if isinstance(response_id, str) else None,
        None if held is None else held.traceparent,
    )


def _counts(row: Any) -> dict[str, int]:
    counts = {
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cache_read_tokens": row.cache_read_tokens,
        "cache_write_tokens": row.cache_write_tokens + row.cache_write_1h_tokens,
        "reasoning_tokens": row.reasoning_tokens,
    }
    return {name: count for name, count in counts.items() if count > 0}


def _operation(model: str | None, output_tokens: int) -> str:
    """The books know no operation; what is called an embedding and makes nothing is one."""
    embeds = model is not None and "embed" in model and not output_tokens
    return "embeddings" if embeds else "chat"


def told_of(booked: Booked) -> dict[str, str]:
    """What the conventions ask of every metric and span of a call, and its component."""
    told = {names.OPERATION: booked.operation}
    provider = booked.provider
    if provider is not None:
        told[names.PROVIDERS_NAMED[0]] = names.PROVIDERS_TOLD.get(provider, provider)
    if booked.model is not None:
        told[names.MODELS_NAMED[1]] = booked.model
    if booked.component is not None:
        told[f"{names.BUDGET}component"] = booked.component
    return told


def span_of(booked: Booked) -> dict[str, Any]:
    """The attributes of the span of a usage record: those of calls to models, and `budget.`."""
    told: dict[str, Any] = {**told_of(booked), names.USAGE_ID: booked.usage_id}
    told.update({names.SPAN_COUNTS[name]: count for name, count in booked.counts.items()})
    more = {
        names.ALLOCATION_ID: booked.allocation_id,
        "budget.decision": None if booked.allocation_id is None else "allowed",
        "budget.cost": None if booked.cost_nanos is None else format_usd(booked.cost_nanos),
        "budget.flags": list(booked.flags) or None,
        "gen_ai.agent.name": booked.agent,
        "gen_ai.conversation.id": booked.session,
        names.RESPONSE_ID: booked.response_id,
    }
    told.update({name: value for name, value in more.items() if value is not None})
    return told
