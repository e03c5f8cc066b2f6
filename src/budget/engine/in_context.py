"""In context: usage that is told with its context, and the hold that it is usage of.

Tekton tells usage so: its allocation is the one that is open for that context. Not here: how
usage is booked once that is known (`acts.recording`).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select

from budget.domain.answers import Allocation
from budget.domain.asks import ToldUsageAsk, UsageAsk
from budget.domain.attributes import compared, parse_value
from budget.domain.errors import InvalidInput
from budget.engine import reports
from budget.engine.books import Books
from budget.engine.callers import Caller
from budget.engine.commands import Record, Report
from budget.engine.fields import chosen_id, noting, only_fields, parse_idempotency_key
from budget.engine.intake import recording, reporting
from budget.engine.snapshots import snapshot
from budget.storage.schema import usage

MAX_LOOKED_AT: Final = 20
"""So many open allocations of a context are looked at, the newest."""

_FIELDS: Final = frozenset(ToldUsageAsk.__annotations__)
_OF_USAGE: Final = frozenset(UsageAsk.__annotations__)
_NOTED: Final = ("request_id", "operation_id")


def booking(ask: Mapping[str, Any], caller: Caller, books: Books) -> Record | Report:
    """The command of `record_in_context`; it reads the books, which takes a while.

    What comes again goes where it went first, whatever has been opened or closed since: it is
    known by its `usage_id`, which is made from the key where none is chosen.
    """
    only_fields(ask, _FIELDS)
    told = _noted(ask)
    allocation_id = chosen_id(told, "allocation_id")
    told.pop("allocation_id", None)
    if allocation_id is None and not told.get("history"):
        _name(told, caller)
        allocation_id = _found(told, caller, books)
    now_us = books.database.now_us()
    if allocation_id is None:
        return reporting(told, caller, books.prices, now_us)
    if told.get("history"):
        raise InvalidInput("history", "goes without an allocation_id: that is of now.")
    # Who spends was told with the hold, and stays so.
    used = {name: value for name, value in told.items() if name in _OF_USAGE}
    return recording(allocation_id, {**used, "final": False}, caller, books.prices, now_us)


def _noted(ask: Mapping[str, Any]) -> dict[str, Any]:
    """The ask with Tekton's ids in its metadata, and that of the request as its key.

    It goes before a key that is given: clients make a new one for each request by themselves.
    """
    parse_idempotency_key(ask)
    told = {name: value for name, value in ask.items() if name not in _NOTED}
    ids = {name: parse_idempotency_key(ask, name) for name in _NOTED if ask.get(name) is not None}
    if ids:
        told = noting(told, **ids)
    if "request_id" in ids:
        told["idempotency_key"] = ids["request_id"]
    return told


def _name(told: dict[str, Any], caller: Caller) -> None:
    """Put an id in the place of the key. Keys are known by what was done under them, and here the
    same request might be two things: a record on a hold, and later one of no hold.
    """
    key, usage_id = parse_idempotency_key(told), chosen_id(told, "usage_id")
    if key is None or usage_id is not None:
        return
    del told["idempotency_key"]
    of = f"{caller.actor}\0{key}".encode()
    told["usage_id"] = f"told-{hashlib.blake2b(of, digest_size=16).hexdigest()}"


def _found(told: Mapping[str, Any], caller: Caller, books: Books) -> str | None:
    """The allocation that it was booked on before, else the newest open one that it fits."""
    usage_id = told.get("usage_id")
    if usage_id is not None:
        with snapshot(books.database) as connection:
            query = select(usage.c.allocation_id).where(usage.c.id == usage_id)
            before = connection.execute(query).first()
        if before is not None:
            found: str | None = before[0]
            return found
    if told.get("context_id") is None:
        return None
    context_id = parse_value(told["context_id"], "context_id")
    page = reports.allocations(
        books.database, caller.bound, status="open", attributes={"session": context_id},
        parent_id=caller.envelope, limit=MAX_LOOKED_AT,
    )  # fmt: skip
    return next((one.allocation_id for one in page.items if _fits(one, told)), None)


def _fits(held: Allocation, told: Mapping[str, Any]) -> bool:
    """Whether usage may be of a hold: that is of no other model, and not of several calls."""
    if held.envelope or held.model is None:
        return not held.envelope
    model = told.get("model")
    return isinstance(model, str) and compared("model", held.model) == compared("model", model)
