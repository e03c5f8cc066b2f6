"""Tools of envelopes: one hold for a whole run of an agent, which its sub-agents' calls draw on."""

from typing import Final

from budget.domain.answers import Allocation
from budget.domain.errors import InvalidInput
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import money
from budget.mcp.answers import AllocatedShape, AllocationToldShape, EnvelopeClosedShape
from budget.mcp.asking import Asking, Told, blaming
from budget.mcp.fields import text, usd, whole
from budget.mcp.tool import Tool
from budget.mcp.tools.booking import seen
from budget.mcp.tools.spending import IDEMPOTENCY, MADE_FROM, OF_CALLER, held, who


async def open_envelope(call: Asking) -> Told:
    """Hold money or tokens for a whole agent run. Calls of its sub-agents draw on it: give them its
    id as parent_id. The rest returns when it is closed (budget_close_envelope).
    """
    if not call.only("usd", "tokens"):
        raise InvalidInput("usd", "is required, or tokens: how much to hold for the run.")
    ask = call.only("usd", "tokens", "ttl_seconds", "priority", "allocation_id", "idempotency_key")
    with blaming(MADE_FROM):
        answer = await call.do(call.acts.allocate(**{**who(call), **ask, "envelope": True}))
    return held(answer, call.given.get("context_id"))


async def close_envelope(call: Asking) -> Told:
    """End an agent run: what its envelope holds and nobody spent is free again."""
    allocation_id = call.text("allocation_id")
    found = await seen(call, allocation_id)
    ask = call.only("reason", "idempotency_key")
    ended = await call.do(call.acts.release(allocation_id, **ask))
    body: EnvelopeClosedShape = {
        "allocation_id": ended.allocation_id,
        "status": ended.status,
        "held_usd": money(ended.reserved.usd),
        "spent_usd": None if found is None else _spent_usd(found),
        "returned_usd": None if found is None else money(found.remaining.usd),
        "held_tokens": ended.reserved.tokens,
        "returned_tokens": None if found is None else found.remaining.tokens,
        "children": 0 if found is None else len(found.children),
        "next": "Nothing more is to be done for this run.",
    }
    spent = "" if body["spent_usd"] is None else f" Its calls spent {body['spent_usd']} USD."
    return Told(body, f"Closed {allocation_id}.{spent}")


def _spent_usd(found: Allocation) -> str | None:
    """What is neither left of an envelope nor held by its open calls."""
    if found.reserved.usd is None or found.remaining.usd is None:
        return None
    is_held = sum(one.remaining.usd or 0 for one in found.children if one.status == "open")
    return money(max(0, found.reserved.usd - found.remaining.usd - is_held))


async def get_allocation(call: Asking) -> Told:
    """Show one hold or envelope as it stands: what is left of it, what was booked, until when."""
    found = await call.do(call.acts.allocation(call.text("allocation_id")))
    costs = [one.cost_nanos for one in found.records if one.cost_nanos is not None]
    is_open = found.status == "open"
    after = "budget_settle or budget_release ends it." if is_open else "It has ended."
    body: AllocationToldShape = {
        "allocation_id": found.allocation_id,
        "status": found.status,
        "envelope": found.envelope,
        "parent_id": found.parent_id,
        "provider": found.provider,
        "model": found.model,
        "reserved_usd": money(found.reserved.usd),
        "reserved_tokens": found.reserved.tokens,
        "remaining_usd": money(found.remaining.usd),
        "remaining_tokens": found.remaining.tokens,
        "used_usd": _spent_usd(found) if found.envelope else money(sum(costs)),
        "records": len(found.records),
        "children": len(found.children),
        "placed_at": to_rfc3339(found.placed_us),
        "expires_at": to_rfc3339(found.expires_us),
        "attributes": dict(found.attributes),
        "next": after,
    }
    left = "" if body["remaining_usd"] is None else f" {body['remaining_usd']} USD are left."
    return Told(body, f"{found.allocation_id} is {found.status} until {body['expires_at']}.{left}")


_ID: Final = text("allocation_id", "The id of the envelope.", required=True)

ENVELOPES: Final = (
    Tool("budget_open_envelope", "spend", open_envelope, AllocatedShape,
         (usd("usd", "How much money to hold for the run."),
          whole("tokens", "How many tokens to hold for the run."),
          whole("ttl_seconds", "How long it lasts without being used; 900 unless said."),
          whole("priority", "1 low, 5 normal, 8 high, 10 critical."),
          text("allocation_id", "An id for the envelope, chosen by you."), *OF_CALLER,
          IDEMPOTENCY), changes=True, again=False),
    Tool("budget_close_envelope", "spend", close_envelope, EnvelopeClosedShape,
         (_ID, text("reason", "Why."), IDEMPOTENCY), changes=True),
    Tool("budget_get_allocation", "read", get_allocation, AllocationToldShape,
         (text("allocation_id", "The id of the hold or envelope.", required=True),)),
)  # fmt: skip
"""The tools."""
