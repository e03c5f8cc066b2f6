"""Acts on requests for top-ups: making one, approving, rejecting and withdrawing it.

Whoever approves makes the top-up, in the same transaction; its date ends the grant by itself. Not
here: how a top-up raises a limit (`top_ups`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from budget.domain.answers_requests import TopUpRequest
from budget.domain.asks_budgets import ApproveAsk, RejectAsk, RequestAsk, WithdrawAsk
from budget.domain.budgets import Budget, Policy, TopUp, amount_to_json
from budget.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from budget.domain.money import parse_count
from budget.domain.rights import Bound, pins, sees_budget, sees_partition
from budget.domain.windows import to_rfc3339
from budget.engine import top_ups
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.changes import (
    Request,
    find_budget,
    live_budget,
    live_policy,
    once,
    requested,
)
from budget.engine.fields import (
    instant_us,
    only_fields,
    parse_idempotency_key,
    parse_reason,
    request_hash,
)
from budget.engine.ids import new_id
from budget.engine.requests import rows

EXPIRES_SECONDS: Final = 7 * 86_400
"""After how long a request that nobody decides expires, unless it or the settings say otherwise."""
MIN_EXPIRES_SECONDS: Final = 60
MAX_EXPIRES_SECONDS: Final = 90 * 86_400
MAX_PENDING: Final = 100
"""How many requests of one maker may wait on one budget."""


_MAKE: Final = frozenset(RequestAsk.__annotations__)
_APPROVE: Final = frozenset(ApproveAsk.__annotations__)
_REJECT: Final = frozenset(RejectAsk.__annotations__)
_WITHDRAW: Final = frozenset(WithdrawAsk.__annotations__)


# --- Making --------------------------------------------------------------------------------------


def making(
    budget_id: str, ask: Mapping[str, Any], caller: Caller
) -> Callable[[Batch], TopUpRequest]:
    """The change of `make_request`."""
    only_fields(ask, _MAKE)
    reason = parse_reason(ask.get("reason"))
    until_us = instant_us(ask, "until")
    if ask.get("amount") is None:
        raise InvalidInput("amount", "is required.")
    partition = top_ups.parse_partition(ask.get("partition"))
    seconds = parse_expires_seconds(ask.get("expires_in_seconds"), "expires_in_seconds")
    policy_id = ask.get("policy_id")
    if policy_id is not None and not isinstance(policy_id, str):
        raise InvalidInput("policy_id", "must be the id of a policy.")
    request_id = new_id("req")
    request = _request("make_request", ask, caller, budget_id)

    def make(batch: Batch) -> tuple[TopUpRequest, str]:
        now_us = batch.now_us
        budget = _seen_budget(batch, budget_id, caller.bound)
        policy = _policy_of(budget, policy_id)
        amount = top_ups.parse_amount(ask["amount"], policy)
        _check_pending(batch, budget_id, caller.actor)
        lasts = seconds or batch.catalogue.settings.get("request_expires_seconds", EXPIRES_SECONDS)
        expires_us = now_us + lasts * 1_000_000
        if until_us is not None:
            if until_us <= now_us:
                raise InvalidInput("until", "must lie in the future.")
            expires_us = min(expires_us, until_us)
        made = TopUpRequest(
            request_id, budget_id, policy.policy_id, policy.unit,
            _partition_of(caller.bound, budget, policy, partition), amount, until_us, reason,
            caller.actor, "pending", now_us, expires_us,
        )  # fmt: skip
        rows.add(batch, made)
        detail = {**_told(made), "reason": reason, "expires_at": to_rfc3339(expires_us)}
        _enter(batch, "request_made", caller, made, detail)
        return made, request_id

    return once(request, make, rows.find, catalogue=False)


def parse_expires_seconds(value: object, field: str) -> int | None:
    """For how long a request waits, in seconds."""
    if value is None:
        return None
    seconds = parse_count(value, field, maximum=MAX_EXPIRES_SECONDS)
    if seconds < MIN_EXPIRES_SECONDS:
        raise InvalidInput(
            field, f"must be {MIN_EXPIRES_SECONDS} to {MAX_EXPIRES_SECONDS} seconds."
        )
    return seconds


def _seen_budget(batch: Batch, budget_id: str, bound: Bound) -> Budget:
    found = batch.catalogue.budgets.get(budget_id)
    if found is None or not sees_budget(bound, found):
        raise NotFound("budget", budget_id)
    return live_budget(batch, budget_id)


def _policy_of(budget: Budget, policy_id: str | None) -> Policy:
    """The limit to raise: that named, else the only hard one, else the only one."""
    live = budget.live_policies
    if policy_id is not None:
        for policy in live:
            if policy.policy_id == policy_id:
                return policy
        raise NotFound("policy", policy_id, f"This budget has no policy {policy_id!r} in force.")
    hard = [policy for policy in live if policy.hard] or live
    if len(hard) != 1:
        raise InvalidInput(
            "policy_id", f"must say which of the {len(hard)} limits to raise.",
            [policy.policy_id for policy in hard],
        )  # fmt: skip
    return hard[0]


def _partition_of(
    bound: Bound, budget: Budget, policy: Policy, given: Mapping[str, str | None] | None
) -> str | None:
    """The partition asked for; a bound caller may ask for its own alone, which it need not name."""
    if pins(bound, budget.scope):
        return top_ups.partition_named(given, policy)
    own = {key: value for key, value in bound.items() if key in policy.partition_by}
    named = top_ups.partition_named({**own, **(given or {})}, policy)
    if named is None or not sees_partition(bound, budget, named):
        raise Forbidden(f"partition: this key is bound to {dict(bound)!r}; ask for its own.")
    return named


def _check_pending(batch: Batch, budget_id: str, actor: str) -> None:
    if rows.count_pending(batch, budget_id, actor) >= MAX_PENDING:
        raise Conflict(
            f"{MAX_PENDING} requests of this key wait on this budget; withdraw some, or wait.",
            code="too_many_pending",
        )


# --- Deciding ------------------------------------------------------------------------------------


def approving(
    request_id: str, ask: Mapping[str, Any], caller: Caller
) -> Callable[[Batch], TopUpRequest]:
    """The change of `approve_request`: the top-up and the decision, or neither.

    Nobody approves what they asked for themselves, so that two people have seen what is spent; but
    for callers with every right, who could give themselves any other key.
    """
    only_fields(ask, _APPROVE)
    note = parse_reason(ask.get("note"), required=False, field="note")
    until_us = instant_us(ask, "until")
    top_up_id = new_id("top")
    request = requested("approve_request", ask, caller, request_id)

    def approve(batch: Batch) -> tuple[TopUpRequest, str]:
        found = _pending(batch, request_id, caller)
        if found.actor == caller.actor and not caller.admin:
            raise Forbidden(
                "This key asked for it; let another one with the right `manage` approve it.",
                code="own_request",
            )
        budget, policy = live_policy(batch, found.policy_id)
        amount = found.amount
        if ask.get("amount") is not None:
            amount = top_ups.parse_amount(ask["amount"], policy)
        if amount > found.amount:
            raise InvalidInput(
                "amount", "must be at most what was asked for; for more, make a top-up."
            )
        ends_us = top_ups.ending_us(
            found.until_us if until_us is None else until_us, policy, found.partition, batch.now_us
        )
        made = TopUp(
            top_up_id, policy.policy_id, found.partition, amount, batch.now_us, ends_us,
            caller.actor, found.reason,
        )  # fmt: skip
        decided = _decided(batch, found, "approved", caller, note, top_up_id)
        granted = replace(decided, granted=amount, granted_until_us=ends_us)
        detail = {
            "requested_by": found.actor, **_told(granted), "top_up_id": top_up_id,
            "granted_amount": amount_to_json(amount, policy.unit), "note": note,
        }  # fmt: skip
        _enter(batch, "request_approved", caller, granted, detail)
        top_ups.add(batch, budget, policy, made, request_id=request_id)
        return granted, request_id

    return once(request, approve, rows.find)


def rejecting(
    request_id: str, ask: Mapping[str, Any], caller: Caller
) -> Callable[[Batch], TopUpRequest]:
    """The change of `reject_request`."""
    only_fields(ask, _REJECT)
    reason = parse_reason(ask.get("reason"))
    request = requested("reject_request", ask, caller, request_id)

    def reject(batch: Batch) -> tuple[TopUpRequest, str]:
        found = _pending(batch, request_id, caller)
        decided = _decided(batch, found, "rejected", caller, reason)
        detail = {"requested_by": found.actor, **_told(decided), "reason": reason}
        _enter(batch, "request_rejected", caller, decided, detail)
        return decided, request_id

    return once(request, reject, rows.find, catalogue=False)


def withdrawing(
    request_id: str, ask: Mapping[str, Any], caller: Caller
) -> Callable[[Batch], TopUpRequest]:
    """The change of `withdraw_request`, which is its maker's own."""
    only_fields(ask, _WITHDRAW)
    request = _request("withdraw_request", ask, caller, request_id)

    def withdraw(batch: Batch) -> tuple[TopUpRequest, str]:
        found = _seen(batch, request_id, caller.bound)
        if found.actor != caller.actor:
            raise Forbidden("Only the key that asked for it may withdraw it; it can be rejected.")
        _check_pends(found)
        decided = _decided(batch, found, "withdrawn", caller, None)
        _enter(batch, "request_withdrawn", caller, decided, _told(decided))
        return decided, request_id

    return once(request, withdraw, rows.find, catalogue=False)


def sees_request(bound: Bound, budget: Budget, partition: str | None) -> bool:
    """Whether a caller may know of a request on a budget; `partition` None: on all of it."""
    if partition is None or not sees_budget(bound, budget):
        return pins(bound, budget.scope)
    return sees_partition(bound, budget, partition)


def _seen(batch: Batch, request_id: str, bound: Bound) -> TopUpRequest:
    found = rows.find(batch, request_id)
    catalogue = batch.catalogue
    past = catalogue.policies[found.policy_id].archived_us is not None
    if (bound and past) or not sees_request(
        bound, catalogue.budgets[found.budget_id], found.partition
    ):
        raise NotFound("request", request_id)
    return found


def _pending(batch: Batch, request_id: str, caller: Caller) -> TopUpRequest:
    """The request, which the caller must be one to decide, and which must not be decided."""
    found = _seen(batch, request_id, caller.bound)
    find_budget(batch, found.budget_id, caller.bound)  # which the caller may change
    _check_pends(found)
    return found


def _check_pends(found: TopUpRequest) -> None:
    if found.status == "expired":
        raise Conflict(
            f"The request expired on {to_rfc3339(found.expires_us)}; make a new one.",
            code="request_expired",
        )
    if found.status != "pending":
        raise Conflict(f"The request was {found.status} before.", code="request_decided")


def _decided(
    batch: Batch,
    found: TopUpRequest,
    status: Any,
    caller: Caller,
    decision: str | None,
    top_up_id: str | None = None,
) -> TopUpRequest:
    decided = replace(
        found, status=status, decided_us=batch.now_us, decided_by=caller.actor,
        decision=decision or None, top_up_id=top_up_id,
    )  # fmt: skip
    rows.decide(batch, decided)
    return decided


# --- What they have in common --------------------------------------------------------------------


def _request(act: str, ask: Mapping[str, Any], caller: Caller, of: str) -> Request:
    return Request(act, caller.actor, parse_idempotency_key(ask), request_hash(ask, of))


def _told(request: TopUpRequest) -> dict[str, Any]:
    """What every entry tells of a request."""
    return {
        "request_id": request.request_id,
        "partition": request.partition,
        "unit": request.unit,
        "amount": amount_to_json(request.amount, request.unit),
        "until": None if request.until_us is None else to_rfc3339(request.until_us),
    }


def _enter(
    batch: Batch, kind: str, caller: Caller, request: TopUpRequest, detail: dict[str, Any]
) -> None:
    batch.enter(
        kind, caller.actor, [], detail, budget_id=request.budget_id, policy_id=request.policy_id
    )
