"""Placing: a hold for a call of this program, and how it ends. Functions over open books.

The ids are chosen here, so that whatever is tried again is the same hold and the same usage.
Not here: the blocks that people write (`holds`), and calls that are tracked (`tracking`).
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from budget.domain.answers import Allocation, Refusal
from budget.domain.errors import BudgetRefused, OutcomeUnknown
from budget.engine.ids import new_id
from budget.sdk.attributes import current_attributes, current_envelope
from budget.sdk.booking import Act, book, submit
from budget.sdk.books import Books

Ask = Mapping[str, Any]


def ask_here(ask: Ask) -> dict[str, Any]:
    """The ask as it is to be sent: with an id, and the attributes and the envelope of here."""
    own = ask.get("attributes") or {}
    said = current_attributes()
    for name in ("provider", "model"):  # what is called is known better than what was said
        if ask.get(name) is not None:
            said.pop(name, None)
    full = {name: value for name, value in ask.items() if value is not None}
    full["attributes"] = {**said, **own}
    full.setdefault("allocation_id", new_id("alloc"))
    parent = current_envelope()
    if parent is not None and not full.get("envelope"):
        full.setdefault("parent_id", parent)
    return full


def place(books: Books, ask: Ask) -> Allocation:
    """Hold what a full ask says. BudgetRefused, with the whole refusal, if it may not go."""
    try:
        answer = books.allocate(**ask)
    except OutcomeUnknown:
        answer = books.allocate(**ask)  # the same id: the same hold
    if isinstance(answer, Refusal):
        raise BudgetRefused(answer)
    return answer


async def place_async(books: Books, ask: Ask) -> Allocation:
    """The same from an event loop. If it is cancelled, what was held meanwhile is given back."""
    future = submit(partial(place, books, ask))
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    except asyncio.CancelledError:
        future.add_done_callback(partial(_give_back, books))
        raise


def _give_back(books: Books, future: "Future[Allocation]") -> None:
    if future.exception() is None:
        book(releasing(books, future.result().allocation_id, "cancelled before the call"))


def settling(books: Books, allocation_id: str, usage: Ask) -> Act:
    """The act that books this usage and ends the hold."""
    full = {"usage_id": new_id("use"), **usage}
    return Act(
        partial(books.settle, allocation_id, **full),
        f"usage of {allocation_id}: {_figures(full)}",
    )


def reporting(books: Books, report: Ask) -> Act:
    """The act that books usage for which nothing was held."""
    full = {"usage_id": new_id("use"), **report}
    return Act(partial(books.record_usage, **full), f"usage: {_figures(full)}")


def releasing(books: Books, allocation_id: str, reason: str) -> Act:
    """The act that gives a hold back, because nothing was used of it."""
    return Act(
        partial(books.release, allocation_id, reason=reason),
        f"release of {allocation_id}: {reason}",
    )


def _figures(usage: Ask) -> str:
    """Usage in the words of a log: enough to book it by hand."""
    return " ".join(f"{name}={value}" for name, value in usage.items())
