"""Bulk handler: many usage records in one request, each with its own status or problem.

Not here: what a record may say, and how it is booked (`engine.bulk`).
"""

from typing import Any

import msgspec

from budget.domain.answers import Receipt
from budget.domain.errors import BudgetError
from budget.domain.shapes_bulk import BulkResultShape, BulkShape
from budget.domain.wire.parts import money
from budget.http import problems
from budget.http.calls import Answered, Call, with_key


async def record_bulk(call: Call) -> Answered:
    """Book up to 1,000 usage records, each by itself: one that fails keeps no other from being
    booked. One with an `allocation_id` is usage of that, final only if it says so.
    """
    records = call.ask.get("records")
    if isinstance(records, list):
        records = [_as_sent_alone(call, record) for record in records]
    key = call.ask.get("idempotency_key")
    booked = await call.run(call.jobs.record_bulk(records=records or [], idempotency_key=key))
    told: BulkShape = {
        "accepted": booked.accepted,
        "failed": len(booked.results) - booked.accepted,
        "results": [_told(at, result) for at, result in enumerate(booked.results)],
    }
    return Answered(told, booked.replayed)


def _as_sent_alone(call: Call, record: Any) -> Any:
    """A record as `POST /usage` would take it: what is wrong in it is its own affair."""
    if not isinstance(record, dict) or record.get("allocation_id") is not None:
        return record
    attributes = record.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        return record
    return with_key(call._replace(ask=record))


def _told(at: int, result: Receipt | BudgetError) -> BulkResultShape:
    if isinstance(result, BudgetError):
        reply = problems.reply_to(result)
        return {
            "index": at,
            "status": reply.status,
            "usage_id": None,
            "allocation_id": None,
            "cost": None,
            "flags": [],
            "replayed": False,
            "problem": msgspec.Raw(reply.body),
        }
    return {
        "index": at,
        "status": 200 if result.replayed else 201,
        "usage_id": result.usage_id,
        "allocation_id": result.allocation_id,
        "cost": money(result.cost_nanos),
        "flags": list(result.flags),
        "replayed": result.replayed,
        "problem": None,
    }
