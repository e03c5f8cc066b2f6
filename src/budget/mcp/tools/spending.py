"""Tools of calls before they are made: may it go, and hold for it.

Not here: what it used (`booking`), envelopes for agents (`envelopes`), which model to call
(`models`).
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain import wire
from budget.domain.allocations import Held
from budget.domain.answers import Allocation, BalanceView, Refusal
from budget.domain.errors import InvalidInput
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import money
from budget.mcp.answers import (
    AllocatedShape,
    CheckedShape,
)
from budget.mcp.asking import Asking, Told, blaming
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


MADE_FROM: Final = {"attributes.agent": "agent"}
"""Which argument a field of an act is made from, where that has another name."""


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
    with blaming({**MADE_FROM, "tokens": "amount"}):
        answer = await call.do(call.acts.allocate(**ask))
    return held(answer, call.given.get("context_id"))


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
    ask = call.only("ttl_seconds", "usd", "tokens", "max_output_tokens")
    if not ask:
        raise InvalidInput("ttl_seconds", "is required, or usd, tokens or max_output_tokens.")
    ask |= call.only("idempotency_key")
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
    with blaming(MADE_FROM):
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


ALLOCATION: Final[Field] = text("allocation_id", "The id of the hold.", required=True)

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
    Tool("budget_extend", "spend", extend, AllocatedShape,
         (ALLOCATION, usd("usd", "How much more money."),
          whole("tokens", "How many more tokens."),
          whole("max_output_tokens", "How many more output tokens, priced by the model."),
          whole("ttl_seconds", "How long the hold lasts from now."), IDEMPOTENCY),
         changes=True, again=False),
)  # fmt: skip
"""The tools."""
