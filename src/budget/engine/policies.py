"""Policies: creating, changing and archiving them.

What can't change in place makes a successor: the policy is archived, and a new one begins at zero
or, with `backfill`, at what the past has used. A field given as null is as if left out. Not here:
budgets (`budgets`), raising a limit for a while (`top_ups`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import select

from budget.domain.asks_budgets import PolicyAsk
from budget.domain.budgets import BPS, MAX_POLICIES, Policy, partition_by, policy_to_json
from budget.domain.errors import Conflict, InvalidInput
from budget.domain.policy_terms import (
    POLICY_FIELDS,
    default_on_expiry,
    parse_policy,
    parse_thresholds,
)
from budget.engine import catalogue_rows
from budget.engine.backfill import backfill
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.changes import (
    differences,
    find_budget,
    find_policy,
    live_budget,
    live_policy,
    once,
    requested,
    with_policies,
)
from budget.engine.fields import only_fields, parse_flag
from budget.engine.ids import new_id
from budget.engine.rows import balance_from_row
from budget.storage import schema
from budget.storage.unit import HEAD_COLUMNS

MAX_LIMITS_KEPT: Final = 1000
"""How many former limits a policy remembers; older windows are judged by the oldest known."""


_FIELDS: Final = frozenset(PolicyAsk.__annotations__)
_NO_THRESHOLDS: Final = {"warning_threshold": None, "action_threshold": None}


# --- Acts ----------------------------------------------------------------------------------------


def creating(budget_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Policy]:
    """The change of `create_policy`."""
    only_fields(ask, _FIELDS)
    given = {name: value for name, value in ask.items() if name in POLICY_FIELDS}
    backfilled = parse_flag(ask, "backfill")
    policy_id = new_id("pol")
    draft = parse_policy(given, policy_id=policy_id, budget_id=budget_id, per=(), now_us=0)
    request = requested("create_policy", ask, caller, budget_id)

    def create(batch: Batch) -> tuple[Policy, str]:
        budget = live_budget(batch, budget_id, caller.bound)
        if len(budget.live_policies) >= MAX_POLICIES:
            raise Conflict(
                f"The budget has {MAX_POLICIES} policies, the most it may have; archive one first.",
                code="too_many_policies",
            )
        policy = replace(
            beginning(draft, batch.now_us), partition_by=partition_by(budget.per, draft.calendar)
        )
        budget = with_policies(budget, [policy], batch.now_us)
        catalogue_rows.change_budget(batch.unit, budget)
        catalogue_rows.add_policies(batch.unit, [policy])
        batch.catalogue = batch.catalogue.with_budget(budget)
        batch.enter(
            "policy_created", request.actor, [], policy_to_json(policy),
            budget_id=budget_id, policy_id=policy_id,
        )  # fmt: skip
        if backfilled:
            backfill(batch, budget, [policy], request.actor)
        return policy, policy_id

    return once(request, create, find_policy)


def changing(policy_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Policy]:
    """The change of `change_policy`: the fields given; answers the policy that is in force then.

    Another unit, period, zone or reset day archives the policy and makes a successor. `on_expiry`
    follows the enforcement's default as long as it was that default.
    """
    only_fields(ask, _FIELDS)
    given = {
        name: value for name, value in ask.items() if name in POLICY_FIELDS and value is not None
    }
    _check_alone(given)
    backfilled = parse_flag(ask, "backfill")
    successor_id = new_id("pol")
    request = requested("change_policy", ask, caller, policy_id)

    def change(batch: Batch) -> tuple[Policy, str]:
        budget, old = live_policy(batch, policy_id, caller.bound)
        now_us = batch.now_us
        wanted = _merged(old, given, budget.per)
        changes = differences(policy_to_json(old), policy_to_json(wanted))
        if not changes:
            return old, policy_id
        detail: dict[str, Any] = {"changes": changes}
        if (wanted.unit, wanted.calendar) == (old.unit, old.calendar):
            new = _changed_in_place(old, wanted, now_us)
            changed = [new]
            catalogue_rows.change_policy(batch.unit, new)
        else:
            new = successor(old, wanted, successor_id, budget.per, now_us)
            changed = [replace(old, archived_us=now_us), new]
            catalogue_rows.change_policy(batch.unit, changed[0])
            catalogue_rows.add_policies(batch.unit, [new])
            detail |= {"successor": successor_id, "backfill": backfilled}
        budget = with_policies(budget, changed, now_us)
        catalogue_rows.change_budget(batch.unit, budget)
        batch.catalogue = batch.catalogue.with_budget(budget)
        batch.enter(
            "policy_changed", request.actor, [], detail,
            budget_id=budget.budget_id, policy_id=policy_id,
        )  # fmt: skip
        if new.policy_id != successor_id:
            _alert_of_what_is_passed(batch, new)
        elif backfilled:
            backfill(batch, budget, [new], request.actor)
        return new, new.policy_id

    return once(request, change, find_policy)


def archiving(policy_id: str, caller: Caller) -> Callable[[Batch], Policy]:
    """The change of `archive_policy`. Of an archived one: that one as it is."""
    request = requested("archive_policy", {}, caller, policy_id)

    def archive(batch: Batch) -> tuple[Policy, str]:
        old = find_policy(batch, policy_id, caller.bound)
        if old.archived_us is not None:
            return replace(old, replayed=True), policy_id
        new = replace(old, archived_us=batch.now_us)
        budget = with_policies(find_budget(batch, old.budget_id), [new], batch.now_us)
        catalogue_rows.change_policy(batch.unit, new)
        catalogue_rows.change_budget(batch.unit, budget)
        batch.catalogue = batch.catalogue.with_budget(budget)
        batch.enter(
            "policy_archived", request.actor, [], policy_to_json(new),
            budget_id=budget.budget_id, policy_id=policy_id,
        )  # fmt: skip
        return new, policy_id

    return once(request, archive, find_policy)


def _alert_of_what_is_passed(batch: Batch, policy: Policy) -> None:
    """Raise the alerts of thresholds that a change has moved below what is spent already."""
    lowest = policy.limit * min(policy.warning_bps, policy.action_bps, BPS) // BPS
    heads = schema.heads.c
    met = select(*(heads[name] for name in HEAD_COLUMNS)).where(
        heads.policy_id == policy.policy_id, heads.spent + heads.assumed >= max(1, lowest)
    )
    for row in batch.unit.execute(met):
        balance = balance_from_row(row, policy)
        balance.open(batch.now_us)
        for kind in balance.crossed(0):
            batch.alert(kind, balance)


# --- Terms ---------------------------------------------------------------------------------------


def parse_policies(given: object, budget_id: str, per: tuple[str, ...]) -> list[Policy]:
    """The policies of a new budget, in the order given; when they begin is still to be said."""
    if not isinstance(given, list | tuple) or not given:
        raise InvalidInput("policies", "must be a list of at least one policy.")
    if len(given) > MAX_POLICIES:
        raise InvalidInput("policies", f"must be at most {MAX_POLICIES}.")
    ids = sorted(new_id("pol") for _ in given)  # policies are shown in the order of their ids
    return [
        parse_policy(
            policy, policy_id=policy_id, budget_id=budget_id, per=per, now_us=0,
            path=f"policies[{at}].",
        )
        for at, (policy, policy_id) in enumerate(zip(given, ids, strict=True))
    ]  # fmt: skip


def beginning(policy: Policy, now_us: int) -> Policy:
    """A policy that begins now."""
    return replace(policy, created_us=now_us, limits=((now_us, policy.limit),))


def _check_alone(given: Mapping[str, Any]) -> None:
    """Refuse at once what would be wrong whatever the policy is; the rest waits for the policy."""
    trial = {"unit": "requests", "period": "monthly", "limit": 0, **given}
    if "unit" not in given:
        trial["limit"] = 0  # in which unit it is, the policy knows
    parse_policy(trial, policy_id="", budget_id="", per=(), now_us=0)


def _merged(old: Policy, given: Mapping[str, Any], per: tuple[str, ...]) -> Policy:
    """The policy as the fields given would have it."""
    if "limit" not in given and given.get("unit", old.unit) != old.unit:
        raise InvalidInput("limit", "is required when the unit changes.")
    written = policy_to_json(old)
    if "enforcement" in given and old.on_expiry == default_on_expiry(old.enforcement):
        del written["on_expiry"]
    if given.get("period", "monthly") != "monthly":
        written.pop("reset_day", None)
    warning_bps, action_bps = parse_thresholds(
        given.get("warning_threshold"),
        given.get("action_threshold"),
        "",
        defaults=(old.warning_bps, old.action_bps),
    )
    merged = parse_policy(
        {**written, **given, **_NO_THRESHOLDS},
        policy_id=old.policy_id,
        budget_id=old.budget_id,
        per=per,
        now_us=0,
    )
    return replace(merged, warning_bps=warning_bps, action_bps=action_bps)


def _changed_in_place(old: Policy, wanted: Policy, now_us: int) -> Policy:
    limits = old.limits
    if wanted.limit != old.limit:
        since_us = max(now_us, limits[-1][0])  # in order, also when the clock has gone back
        limits = (*limits, (since_us, wanted.limit))[-MAX_LIMITS_KEPT:]
    return replace(
        old,
        limit=wanted.limit,
        limits=limits,
        enforcement=wanted.enforcement,
        warning_bps=wanted.warning_bps,
        action_bps=wanted.action_bps,
        rollover=wanted.rollover,
        on_expiry=wanted.on_expiry,
        reserved_for_priority=wanted.reserved_for_priority,
    )


def successor(
    old: Policy, wanted: Policy, policy_id: str, per: tuple[str, ...], now_us: int
) -> Policy:
    """A policy of the terms wanted that begins now in another's place."""
    return replace(
        beginning(wanted, now_us),
        policy_id=policy_id,
        partition_by=partition_by(per, wanted.calendar),
        top_ups=(),
        succeeds=old.policy_id,
    )
