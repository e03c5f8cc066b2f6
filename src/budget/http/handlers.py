"""Handlers that are more than one act: usage, top-ups, policies, and status.

Not here: handlers that only pass on to a method of `Jobs` (`calls.act`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from budget.domain import cursors, wire
from budget.domain.answers import Event
from budget.domain.answers_pages import Page
from budget.domain.budgets import TopUp
from budget.domain.errors import InvalidInput
from budget.domain.windows import to_rfc3339
from budget.domain.wire.usage import usage_summary as wire_usage
from budget.http.calls import Answered, Call, with_key


def page_of(shape: Any) -> Any:
    """The shape of a page of things of a shape."""
    return lambda page: wire.page(page.items, page.next_cursor, shape)


def event_page(page: Page[Event]) -> Any:
    """The shape of a page of events."""
    return wire.page(
        page.items, page.next_cursor, lambda event: wire.event(event, cursors.encode(event.cursor))
    )


async def events(call: Call) -> Answered:
    """Entries of the journal in the order of their cursors, after one; none is ever skipped."""
    visitor = call.carried.visitor
    audited = visitor is None or visitor.key.allows("audit")
    return Answered(event_page(await call.run(call.jobs.events(**call.query, audited=audited))))


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


async def usage_summary(call: Call) -> Answered:
    """Say what usage adds up to: of a time, by attributes and by parts of the time."""
    return Answered(wire_usage(await call.run(call.jobs.usage_summary(**_summary_of(call.query)))))


async def usage_of_period(call: Call) -> Answered:
    """Say what usage of this hour, day, week, month, quarter or year adds up to."""
    ask = {**_summary_of(call.query), "period": call.ids[0]}
    return Answered(wire_usage(await call.run(call.jobs.usage_summary(**ask))))


def _summary_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """A summary's ask from a query, whose attributes are the scope."""
    ask = dict(query)
    scope = ask.pop("attributes", None)
    return ask if scope is None else {**ask, "scope": scope}


def top_up_page(found: tuple[Page[TopUp], str]) -> Any:
    """The shape of a page of a policy's top-ups, with its unit."""
    page, unit = found
    told = wire.page(page.items, page.next_cursor, lambda top_up: wire.top_up(top_up, unit))
    return {**told, "unit": unit}


async def status(call: Call) -> Answered:
    """Every balance of the current windows that calls with the attributes of the query meet."""
    attributes = call.query.get("attributes", {})
    balances = await call.run(call.jobs.status(**attributes))
    now_us = call.service.budget.books.database.now_us()
    return Answered(
        {
            "at": to_rfc3339(now_us),
            "attributes": attributes,
            "balances": [wire.balance(view) for view in balances],
        }
    )
