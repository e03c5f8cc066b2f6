"""Tools of calls: may it go, hold for it, book what it used.

Not here: envelopes for agents (`envelopes`), and which model to call (`models`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain import wire
from budget.domain.allocations import Held
from budget.domain.answers import Allocation, BalanceView, Receipt, Refusal
from budget.domain.errors import Forbidden, InvalidInput, NotFound
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import money
from budget.mcp.answers import (
    AllocatedShape,
    CheckedShape,
    RecordedShape,
    ReleasedShape,
)
from budget.mcp.asking import Asking, Told
from budget.mcp.fields import Field, obj, text, usd, whole
from budget.mcp.refusing import refused, what_next
from budget.mcp.tool import Tool

TIERS: Final = ("local_lightweight", "local_midweight", "remote_heavyweight")

OF_MODEL: Final = (
    text("provider", "Who sells the model, such as anthropic."),
    text("model", "The model, such as claude-sonnet-4-5."),
)
OF_CALLER: Final = (
    text("component", "The component that spends."),
    text("task_type", "What the call is for, such as chat or coding."),
    text("context_id", "The session or context that the call belongs to."),
    text("tier", "The tier of the model; follows from the model unless said.", *TIERS),
    text("user_id", "The person on whose behalf the call is made."),
    text("agent", "The agent that makes the call."),
    obj("attributes", "Further attributes of the call, such as {team: search}."),
)
IDEMPOTENCY: Final = text(
    "idempotency_key", "The same key makes a call that is sent again count once."
)
_NAMED: Final = ("provider", "model", "component", "task_type", "context_id", "tier", "user_id")


def who(call: Asking) -> dict[str, Any]:
    """Who spends on what, from the arguments; with the key unless they draw on an envelope."""
    given: Mapping[str, Any] = call.given.get("attributes", {})
    attributes = dict(given)
    if "agent" in call.given:
        attributes["agent"] = call.given["agent"]
    if call.guest.actor is not None and "parent_id" not in call.given:
        attributes.setdefault("key", call.guest.actor)
    return {**call.only(*_NAMED), **({"attributes": attributes} if attributes else {})}


# --- Holding -------------------------------------------------------------------------------------

_HOLDS: Final = (
    whole("input_tokens", "Input tokens of the call, where no amount is stated."),
    whole("max_output_tokens", "The most output tokens that the call may use."),
    usd("usd", "The amount of money to hold, in place of tokens."),
    whole("priority", "1 low, 5 normal, 8 high, 10 critical. Passes no hard limit."),
    whole("ttl_seconds", "How long the hold lasts without being used; 900 unless said."),
    text("parent_id", "The envelope that the call draws on."),
    text("allocation_id", "An id for the hold, chosen by you."),
)
_HELD: Final = (
    "input_tokens", "max_output_tokens", "usd", "priority", "ttl_seconds", "parent_id",
    "allocation_id", "idempotency_key",
)  # fmt: skip


async def allocate(call: Asking) -> Told:
    """Hold tokens or money for a model call before it is made, or say why not. Afterwards settle
    the hold with what was really used (budget_settle), or release it (budget_release).
    """
    ask = {**who(call), **call.only(*_HELD)}
    if "amount" in call.given:
        ask["tokens"] = call.given["amount"]
    return held(await call.do(call.acts.allocate(**ask)), call.given.get("context_id"))


def held(answer: Allocation | Refusal, context_id: str | None = None) -> Told:
    """A hold, or why there is none."""
    if isinstance(answer, Refusal):
        return _refused(answer, context_id)
    context_id = answer.attributes.get("session", context_id)
    warned = warnings_of(answer.legs)
    after = (
        f"Make the calls with parent_id {answer.allocation_id}, then budget_close_envelope."
        if answer.envelope
        else f"Make the call, then budget_settle with allocation_id {answer.allocation_id}."
    )
    body: AllocatedShape = {
        "allowed": True,
        "allocation_id": answer.allocation_id,
        "context_id": context_id,
        "amount": answer.reserved.tokens,
        "remaining": answer.remaining.tokens,
        "held_usd": money(priced(answer.reserved, answer.basis).usd),
        "tier": answer.attributes.get("tier"),
        "provider": answer.provider,
        "model": answer.model,
        "granted_output_tokens": answer.granted_output_tokens,
        "status": answer.status,
        "expires_at": to_rfc3339(answer.expires_us),
        "warnings": warned,
        "refusal": None,
        "next": after,
    }
    holds = words_of(priced(answer.reserved, answer.basis))
    told = f"Held {holds} as {answer.allocation_id} until {body['expires_at']}."
    return Told(body, " ".join((told, *warned, after)))


def _refused(answer: Refusal, context_id: str | None) -> Told:
    after = what_next(answer)
    body: AllocatedShape = {
        "allowed": False,
        "allocation_id": None,
        "context_id": context_id,
        "amount": None,
        "remaining": None,
        "held_usd": None,
        "tier": None,
        "provider": answer.provider,
        "model": answer.model,
        "granted_output_tokens": None,
        "status": None,
        "expires_at": None,
        "warnings": [],
        "refusal": refused(answer),
        "next": after,
    }
    return Told(body, f"Refused: {answer.detail} {after}")


def priced(amounts: Held, basis: str | None) -> Held:
    """What is held, its money null where no price is known: unknown is not free."""
    return amounts._replace(usd=None) if basis is None and amounts.usd == 0 else amounts


def words_of(amounts: Held) -> str:
    """What is held, in words: 2000 tokens and 0.03 USD."""
    parts = [] if amounts.tokens is None else [f"{amounts.tokens} tokens"]
    if amounts.usd is not None:
        parts.append(f"{money(amounts.usd)} USD")
    elif parts:
        return f"{parts[0]} (no known price)"
    if not parts and amounts.requests is not None:
        parts.append(f"{amounts.requests} requests")
    return " and ".join(parts) or "nothing"


def warnings_of(legs: tuple[BalanceView, ...]) -> list[str]:
    """The thresholds that were passed, in sentences."""
    return [one["detail"] for one in wire.warnings(legs)]


async def extend(call: Asking) -> Told:
    """Give an open hold or envelope more time, money or tokens, or say why not."""
    ask = call.only("ttl_seconds", "usd", "tokens", "max_output_tokens", "idempotency_key")
    return held(await call.do(call.acts.extend(call.text("allocation_id"), **ask)))


# --- Checking ------------------------------------------------------------------------------------


async def check(call: Asking) -> Told:
    """Say whether a model call would be allowed and what it would cost at most. Nothing is held;
    budget_allocate_budget holds.
    """
    ask = {**who(call), **call.only("input_tokens", "max_output_tokens", "priority", "parent_id")}
    written = call.given.get("input_text")
    if written and "input_tokens" in call.given:
        raise InvalidInput("input_tokens", "is stated beside input_text; give one of them.")
    if written:
        ask["request"] = written
    else:
        ask.setdefault("input_tokens", 0)
    answer = await call.do(call.acts.check(**ask))
    if isinstance(answer, Refusal):
        return _checked(False, answer.detail, Held(), refusal=answer)
    holds = priced(answer.reserved, answer.basis)
    return _checked(
        True, "Every limit that the call meets has room.", holds, answer.legs,
        answer.granted_output_tokens,
    )  # fmt: skip


def _checked(
    allowed: bool,
    reason: str,
    holds: Held,
    legs: tuple[BalanceView, ...] = (),
    output_tokens: int | None = None,
    *,
    refusal: Refusal | None = None,
) -> Told:
    after = "Hold it with budget_allocate_budget." if refusal is None else what_next(refusal)
    body: CheckedShape = {
        "allowed": allowed,
        "info": {
            "reason": reason,
            "estimated_cost": money(holds.usd),
            "tokens": holds.tokens,
            "max_output_tokens": output_tokens,
            "warnings": warnings_of(legs),
        },
        "refusal": None if refusal is None else refused(refusal),
        "next": after,
    }
    if refusal is not None:
        return Told(body, f"Refused: {reason} {after}")
    told = f"Allowed. It would hold at most {words_of(holds)}."
    return Told(body, " ".join((told, *body["info"]["warnings"], after)))


# --- Booking -------------------------------------------------------------------------------------

_COUNTS: Final = (
    whole("input_tokens", "Input tokens that were used, those read from a cache included."),
    whole("output_tokens", "Output tokens that were used."),
    whole("cache_read_tokens", "Of the input tokens those read from a cache."),
    whole("cache_write_tokens", "Of the input tokens those written to a cache."),
    whole("reasoning_tokens", "Of the output tokens those of reasoning."),
)
_USED: Final = tuple(one.name for one in _COUNTS)


class _Counts(NamedTuple):
    used: dict[str, Any]
    estimated: bool


async def record(call: Asking) -> Told:
    """Book what a model call has used: on its hold (allocation_id, or the open one of context_id),
    else as usage that nobody reserved. State tokens, or the texts, which are then estimated.
    """
    counts = await _counts(call)
    ask = {**counts.used, **call.only("provider", "model", "metadata", "idempotency_key")}
    if "request_id" in call.given:
        ask.setdefault("idempotency_key", call.given["request_id"])
    allocation_id = call.given.get("allocation_id") or await _open_hold(call)
    if allocation_id is not None:
        receipt = await call.do(call.acts.record(allocation_id, **ask))
    else:
        receipt = await call.do(call.acts.record_usage(**{**who(call), **ask}))
    return _recorded(receipt, call, counts)


async def settle(call: Asking) -> Told:
    """Book what a call really used, as the last word on its hold: the rest of it returns."""
    ask = call.only(*_USED, "provider", "model", "metadata", "idempotency_key")
    receipt = await call.do(call.acts.settle(call.text("allocation_id"), **ask))
    return _recorded(receipt, call, _Counts(call.only(*_USED), False))


async def _open_hold(call: Asking) -> str | None:
    """The open hold of the context, unless that is an envelope or of another model."""
    context_id = call.given.get("context_id")
    if context_id is None:
        return None
    try:
        found = await call.do(call.acts.allocation_of_context(context_id))
    except NotFound:
        return None
    except Forbidden:
        detail = "is required: a key without the right `read` cannot look for the open hold."
        raise InvalidInput("allocation_id", detail) from None
    other = found.model is not None and found.model != call.given.get("model")
    return None if found.envelope or other else found.allocation_id


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


def _recorded(receipt: Receipt, call: Asking, counts: _Counts) -> Told:
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
        "context_id": call.given.get("context_id"),
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


_ALLOCATION: Final[Field] = text("allocation_id", "The id of the hold.", required=True)

SPENDING: Final = (
    Tool("budget_allocate_budget", "spend", allocate, AllocatedShape,
         (text("context_id", "The session or context that spends.", required=True),
          text("component", "The component that spends.", required=True),
          whole("amount", "How many tokens to hold; by task type and priority unless said."),
          *(one for one in OF_CALLER if one.name not in ("context_id", "component")),
          *OF_MODEL, *_HOLDS, IDEMPOTENCY),
         "AllocateBudget", changes=True, again=False),
    Tool("budget_check_budget", "spend", check, CheckedShape,
         (text("provider", "Who sells the model.", required=True),
          text("model", "The model.", required=True),
          text("input_text", "The input of the call."),
          whole("input_tokens", "Input tokens, in place of input_text."),
          whole("max_output_tokens", "The most output tokens that the call may use."),
          whole("priority", "1 low, 5 normal, 8 high, 10 critical."),
          text("parent_id", "The envelope that the call would draw on."), *OF_CALLER),
         "CheckBudget"),
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
         (_ALLOCATION, *_COUNTS, *OF_MODEL, obj("metadata", "Anything to keep with the record."),
          IDEMPOTENCY), changes=True, again=False),
    Tool("budget_release", "spend", release, ReleasedShape,
         (_ALLOCATION, text("reason", "Why."), IDEMPOTENCY), changes=True),
    Tool("budget_extend", "spend", extend, AllocatedShape,
         (_ALLOCATION, usd("usd", "How much more money."),
          whole("tokens", "How many more tokens."),
          whole("max_output_tokens", "How many more output tokens, priced by the model."),
          whole("ttl_seconds", "How long the hold lasts from now."), IDEMPOTENCY),
         changes=True, again=False),
)  # fmt: skip
"""The tools."""
