"""Shapes of many usage records: what became of each.

Not here: how they are made of answers (`http.bulk`: a problem is told by each face in its own way).
"""

from typing import Any, TypedDict


class BulkResultShape(TypedDict):
    """What became of one record: booked now (201), booked before (200), or why not, as a problem.

    `index` is its place in the request.
    """

    index: int
    status: int
    usage_id: str | None
    allocation_id: str | None
    cost: str | None
    flags: list[str]
    replayed: bool
    problem: Any


class BulkShape(TypedDict):
    """What became of many usage records, in their order."""

    accepted: int
    failed: int
    results: list[BulkResultShape]
