"""Tools of asking for more: a request for a top-up, on which a person decides.

Where the client can ask whoever sits before it, they are asked at once. Their word counts as far as
the key goes: only a key that may approve what it asked for itself (`admin`) makes the top-up.
"""

from typing import Final

from budget.domain.answers import BalanceView
from budget.domain.answers_requests import TopUpRequest
from budget.domain.answers_usage import Standing
from budget.domain.errors import NotFound
from budget.domain.windows import MAX_US, to_rfc3339
from budget.domain.wire.parts import amount_text
from budget.domain.wire.requests import top_up_request
from budget.mcp.answers import TopUpAskedShape
from budget.mcp.asking import ADMIN, Asking, Told, Word
from budget.mcp.fields import text, usd, whole
from budget.mcp.tool import Tool

_PENDING: Final = "pending"
_MOST: Final = 200
"""How many limits of a budget are looked through for the one that is asked of."""
_SAID: Final[dict[str, str]] = {
    "approved": "The limit is raised; make the call.",
    "rejected": "The person said no: spend less, or wait for the reset.",
    "withdrawn": "The person said no: spend less, or wait for the reset.",
    "expired": "Nobody decided in time; ask again, or wait for the reset.",
}


async def request_top_up(call: Asking) -> Told:
    """Ask for more of a budget. A person decides: at once where the client can ask them and the key
    may approve, else later; budget_get_top_up_request tells what became of it.
    """
    made = await _made(call)
    if made.status != _PENDING:
        return _told(made, "unasked")
    word = await call.person(await _question(call, made), made.request_id)
    return _told(await _decided(call, made, word), word)


async def _made(call: Asking) -> TopUpRequest:
    """The request: made now, or in an earlier round of the same call, if it is that one."""
    budget_id = call.text("budget_id")
    if call.earlier is not None:
        made = await call.do(call.acts.request(call.earlier))
        if made.budget_id == budget_id and made.reason == call.given["reason"]:
            return made
    ask = call.only("amount", "reason", "policy_id", "until", "expires_in_seconds")
    key = call.only("idempotency_key")
    return await call.do(call.acts.make_request(budget_id, **ask, **key))


# --- What the person is asked --------------------------------------------------------------------


async def _question(call: Asking, made: TopUpRequest) -> str:
    """What a person must know to decide: how much, of what, for how long, for whom and why.

    The reason is the asker's own words, so it is marked as such, on one line.
    """
    much = amount_text(made.amount, made.unit)
    reason = " ".join(made.reason.split()).replace('"', "'")
    then = (
        "Approving raises the limit now."
        if call.guest.may(ADMIN)
        else "Approving sends this on to whoever manages the budget; it raises nothing by itself."
    )
    return (
        f"{much} more are asked for of budget {_limit(made, await _standing(call, made))} "
        f'Asked by {await _asker(call, made)}, who says why: "{reason}". {then}'
    )


async def _standing(call: Asking, made: TopUpRequest) -> Standing | None:
    """How the limit stands that is to be raised; None for who may not read that."""
    if not call.guest.may("read"):
        return None
    page = await call.do(call.acts.budget_summary(made.budget_id, limit=_MOST))
    return next((one for one in page.items if one.policy.policy_id == made.policy_id), None)


def _limit(made: TopUpRequest, found: Standing | None) -> str:
    if found is None:
        return f"{made.budget_id}, {_until(made.until_us)}."
    unit, period = made.unit, found.policy.period.text
    one = _balance(made, found)
    ends_us = made.until_us or (None if found.policy.rolling else found.window.end_us)
    named = f"{found.budget!r} ({made.budget_id})"
    if one is None:
        return f"{named}, {period} in {unit}, {_until(ends_us)}."
    return (
        f"{named}: of its {period} limit of {amount_text(one.limit, unit)}, "
        f"{amount_text(one.spent + one.assumed, unit)} are spent and "
        f"{amount_text(one.reserved, unit)} held. "
        f"The limit would be {amount_text(one.limit + made.amount, unit)}, {_until(ends_us)}."
    )


def _balance(made: TopUpRequest, found: Standing) -> Standing | BalanceView | None:
    """The balance that is meant; None if its figures are not at hand."""
    if not found.partition_by:
        return found
    fullest = found.fullest
    return fullest if fullest is not None and fullest.partition == made.partition else None


def _until(until_us: int | None) -> str:
    if until_us is None:
        return "for the current window"
    return "for good" if until_us >= MAX_US else f"until {to_rfc3339(until_us)}"


async def _asker(call: Asking, made: TopUpRequest) -> str:
    """Who asks, by the name of the key if it has one."""
    try:
        key = await call.do(call.acts.own_key())
    except NotFound:
        return made.actor
    return f"{key.name!r} ({made.actor})" if key.key_id == made.actor else made.actor


# --- What became of it ---------------------------------------------------------------------------


async def _decided(call: Asking, made: TopUpRequest, word: Word) -> TopUpRequest:
    """What became of a request by the word of a person."""
    acts, request_id = call.acts, made.request_id
    if word == "no":
        return await call.do(acts.withdraw_request(request_id))
    if word == "yes" and call.guest.may(ADMIN):
        note = "Approved by the person at the MCP client."
        return await call.do(acts.approve_request(request_id, note=note))
    return made


async def get_request(call: Asking) -> Told:
    """Say what became of a request for a top-up."""
    return _told(await call.do(call.acts.request(call.text("request_id"))), "unasked")


def _told(found: TopUpRequest, word: Word) -> Told:
    told = top_up_request(found)
    after = _SAID.get(found.status) or (
        f"Somebody with the right `manage` must approve {found.request_id}; look again with "
        "budget_get_top_up_request, and spend within the limit meanwhile."
    )
    body: TopUpAskedShape = {
        "request_id": found.request_id,
        "status": told["status"],
        "budget_id": found.budget_id,
        "policy_id": found.policy_id,
        "unit": found.unit,
        "amount": told["amount"],
        "granted_amount": told["granted_amount"],
        "reason": found.reason,
        "expires_at": told["expires_at"],
        "person": word,
        "next": after,
    }
    much = amount_text(found.amount, found.unit)
    return Told(body, f"The request for {much} ({found.request_id}) is {told['status']}. {after}")


RAISING: Final = (
    Tool("budget_request_top_up", "spend", request_top_up, TopUpAskedShape,
         (text("budget_id", "The budget, as a refusal names it.", required=True),
          usd("amount", "How much more; of a limit of tokens or requests a count.", required=True),
          text("reason", "What it is for: whoever decides reads this.", required=True),
          text("policy_id", "Which limit of the budget; the one that refuses unless said."),
          text("until", "Until when, RFC 3339; for the current window unless said."),
          whole("expires_in_seconds", "How long the request waits for a decision."),
          text("idempotency_key", "The same key asks once.")), changes=True, again=False),
    Tool("budget_get_top_up_request", "read", get_request, TopUpAskedShape,
         (text("request_id", "The id of the request.", required=True),)),
)  # fmt: skip
"""The tools."""
