"""Tools of what calls have used: book it, as the last word or not, or give the hold back.

Not here: holding (`spending`), and ending an envelope (`envelopes`).
"""

from typing import Any, Final, NamedTuple

from budget.domain.allocations import Held
from budget.domain.answers import Allocation, Receipt
from budget.domain.errors import BudgetError, InvalidInput
from budget.domain.wire.parts import money
from budget.mcp.answers import RecordedShape, ReleasedShape
from budget.mcp.asking import Asking, Told, blaming
from budget.mcp.fields import obj, text, whole
from budget.mcp.tool import Tool
from budget.mcp.tools.spending import ALLOCATION, IDEMPOTENCY, MADE_FROM, OF_CALLER, OF_MODEL, who

_COUNTS: Final = (
    whole("input_tokens", "Input tokens that were used, those read from a cache included."),
    whole("output_tokens", "Output tokens that were used."),
    whole("cache_read_tokens", "Of the input tokens those read from a cache."),
    whole("cache_write_tokens", "Of the input tokens those written to a cache."),
    whole("reasoning_tokens", "Of the output tokens those of reasoning."),
)
_USED: Final = tuple(one.name for one in _COUNTS)
_TOLD: Final = ("allocation_id", "request_id", "provider", "model", "metadata", "idempotency_key")


class _Counts(NamedTuple):
    used: dict[str, Any]
    estimated: bool


async def record(call: Asking) -> Told:
    """Book what a model call has used: on its hold (allocation_id, or the open one of context_id),
    else as usage that nobody reserved. State tokens, or the texts, which are then estimated.
    """
    counts = await _counts(call)
    ask = {**who(call), **counts.used, **call.only(*_TOLD)}
    with blaming(MADE_FROM):
        receipt = await call.do(call.acts.record_in_context(**ask))
    return _recorded(receipt, await _context_of(call, receipt), counts)


async def settle(call: Asking) -> Told:
    """Book what a call really used, as the last word on its hold: the rest of it returns."""
    ask = call.only(*_USED, "provider", "model", "metadata", "idempotency_key")
    receipt = await call.do(call.acts.settle(call.text("allocation_id"), **ask))
    context_id = await _context_of(call, receipt)
    return _recorded(receipt, context_id, _Counts(call.only(*_USED), False))


async def _context_of(call: Asking, receipt: Receipt) -> str | None:
    """The context that was booked on: that of the hold, for who may read, else the stated one."""
    stated: str | None = call.given.get("context_id")
    if stated is not None or receipt.allocation_id is None:
        return stated
    try:
        found = await seen(call, receipt.allocation_id)
    except BudgetError:  # it is booked all the same
        return None
    return None if found is None else found.attributes.get("session")


async def _counts(call: Asking) -> _Counts:
    """The tokens that were stated, or those that the texts come to at most."""
    used = call.only(*_USED)
    estimated = False
    for side in ("input", "output"):
        written, stated = call.given.get(f"{side}_text"), f"{side}_tokens"
        if written is None:
            if stated not in used:
                raise InvalidInput(stated, f"is required, or {side}_text in its place.")
            continue
        if stated in used:
            raise InvalidInput(stated, f"is stated beside {side}_text; give one of them.")
        used[stated] = await _tokens_of(call, written)
        estimated = True
    return _Counts(used, estimated)


async def _tokens_of(call: Asking, written: str) -> int:
    if not written:
        return 0
    asked = call.acts.estimate(**call.only("provider", "model"), request=written)
    return (await call.do(asked)).input_tokens


def _recorded(receipt: Receipt, context_id: str | None, counts: _Counts) -> Told:
    left = receipt.remaining
    tokens = counts.used.get("input_tokens", 0) + counts.used.get("output_tokens", 0)
    is_open = receipt.status == "open"
    after = (
        f"When the call is over: budget_settle, allocation_id {receipt.allocation_id}."
        if is_open
        else "Nothing more is to be done for this call."
    )
    body: RecordedShape = {
        "success": True,
        "usage_id": receipt.usage_id,
        "context_id": context_id,
        "allocation_id": receipt.allocation_id,
        "recorded_tokens": tokens,
        "cost": money(receipt.cost_nanos),
        "remaining": None if left is None else left.tokens,
        "remaining_usd": None if left is None else money(left.usd),
        "status": receipt.status,
        "flags": list(receipt.flags),
        "replayed": receipt.replayed,
        "estimated": counts.estimated,
        "next": after,
    }
    cost = "at no known price" if receipt.cost_nanos is None else f"for {body['cost']} USD"
    told = f"Booked {tokens} tokens {cost} as {receipt.usage_id}."
    flags = f"Flags: {', '.join(receipt.flags)}." if receipt.flags else ""
    return Told(body, " ".join(part for part in (told, flags, after) if part))


async def release(call: Asking) -> Told:
    """Return the rest of a hold: the call will not be made."""
    allocation_id = call.text("allocation_id")
    found = await seen(call, allocation_id)
    ask = call.only("reason", "idempotency_key")
    answer = await call.do(call.acts.release(allocation_id, **ask))
    left = Held() if found is None else found.remaining
    body: ReleasedShape = {
        "allocation_id": answer.allocation_id,
        "status": answer.status,
        "returned_usd": money(left.usd),
        "returned_tokens": left.tokens,
        "next": "Nothing more is to be done for this hold.",
    }
    return Told(body, f"Released {answer.allocation_id}; what it held and did not use is free.")


async def seen(call: Asking, allocation_id: str) -> Allocation | None:
    """A hold as it stands; None for who may not read."""
    if not call.guest.may("read"):
        return None
    return await call.do(call.acts.allocation(allocation_id))


BOOKING: Final = (
    Tool("budget_record_usage", "spend", record, RecordedShape,
         (text("provider", "Who sold the model.", required=True),
          text("model", "The model that was called.", required=True), *_COUNTS,
          text("input_text", "The input, where its tokens are not known."),
          text("output_text", "The output, where its tokens are not known."),
          text("allocation_id", "The hold that the usage belongs to."),
          text("request_id", "Your id of the request: the same id is booked once."),
          obj("metadata", "Anything to keep with the record."), *OF_CALLER, IDEMPOTENCY),
         "RecordUsage", changes=True, again=False),
    Tool("budget_settle", "spend", settle, RecordedShape,
         (ALLOCATION, *_COUNTS, *OF_MODEL, obj("metadata", "Anything to keep with the record."),
          IDEMPOTENCY), changes=True, again=False),
    Tool("budget_release", "spend", release, ReleasedShape,
         (ALLOCATION, text("reason", "Why."), IDEMPOTENCY), changes=True),
)  # fmt: skip
"""The tools."""
