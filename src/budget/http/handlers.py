"""Handlers that are more than one act: usage, top-ups, policies, and status.

Not here: handlers that only pass on to a method of `Jobs` (`calls.act`).
"""

import asyncio
from typing import Any

from budget.domain import wire
from budget.domain.answers import Event
from budget.domain.errors import InvalidInput
from budget.domain.windows import to_rfc3339
from budget.engine.pages import Page
from budget.http.calls import Answered, Call, with_key
from budget.storage import cursors


def page_of(shape: Any) -> Any:
    """The shape of a page of things of a shape."""
    return lambda page: wire.page(page.items, page.next_cursor, shape)


def event_page(page: Page[Event]) -> Any:
    """The shape of a page of events."""
    return wire.page(
        page.items, page.next_cursor, lambda event: wire.event(event, cursors.encode(event.cursor))
    )


# --- Budgets and policies ------------------------------------------------------------------------


async def create_policy(call: Call) -> Answered:
    """Add a policy to the budget that the body names as `budget_id`."""
    ask = dict(call.ask)
    budget_id = ask.pop("budget_id", None)
    if not isinstance(budget_id, str):
        raise InvalidInput("budget_id", "is required: the id of the budget that the policy joins.")
    made = await call.run(call.jobs.create_policy(budget_id, **ask))
    return Answered(wire.changed_policy(made), made.replayed)


async def top_up(call: Call) -> Answered:
    """Raise a policy's limit in the current window, or in every one that starts before `until`."""
    ask = {"amount": None, "reason": None, **call.ask}
    made = await call.run(call.jobs.top_up(*call.ids, **ask))
    # The catalogue knew the policy when the top-up was booked, and forgets none.
    unit = call.service.budget.books.ledger.catalogue.policies[made.policy_id].unit
    return Answered(wire.made_top_up(made, unit), made.replayed)


async def correct(call: Call) -> Answered:
    """Reverse a usage record, and book a replacement that differs in the counts given."""
    # What the record holds is read before anything can be decided: not on the loop's time.
    ask = {"reason": None, **call.ask}
    job = await asyncio.to_thread(call.jobs.correct, *call.ids, **ask)
    corrected = await call.run(job)
    return Answered(wire.correction(corrected), corrected.replayed)


async def check(call: Call) -> Answered:
    """Say what `allocate` would answer, and hold nothing; 200 either way."""
    return Answered(wire.check(await call.service.budget.run(call.jobs.check(**with_key(call)))))


# --- Reading -------------------------------------------------------------------------------------


async def status(call: Call) -> Answered:
    """Every balance of the current windows that calls with the attributes of the query meet."""
    balances = await call.run(call.jobs.status(**call.query))
    now_us = call.service.budget.books.database.now_us()
    return Answered(
        {
            "at": to_rfc3339(now_us),
            "attributes": call.query,
            "balances": [wire.balance(view) for view in balances],
        }
    )
