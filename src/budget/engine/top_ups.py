"""Top-ups: raising a limit for a while, for one partition or for all, and who did it why."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from budget.domain.attributes import parse_key, parse_value, partition_of, put_once
from budget.domain.budgets import Budget, Policy, TopUp, amount_to_json
from budget.domain.errors import InvalidInput
from budget.domain.policy_terms import parse_limit
from budget.domain.windows import MAX_US, parse_rfc3339, to_rfc3339
from budget.engine import catalogue_rows
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.changes import find_policy, live_policy, once, requested, with_policies
from budget.engine.fields import only_fields, parse_reason
from budget.engine.ids import new_id

_FIELDS: Final = frozenset({"amount", "reason", "until", "partition", "idempotency_key"})


def topping_up(policy_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], TopUp]:
    """The change of `top_up`."""
    only_fields(ask, _FIELDS)
    reason = parse_reason(ask.get("reason"))
    until_us = None if ask.get("until") is None else parse_rfc3339(ask["until"], "until")
    if ask.get("amount") is None:
        raise InvalidInput("amount", "is required.")
    partition = parse_partition(ask.get("partition"))
    top_up_id = new_id("top")
    request = requested("top_up", ask, caller, policy_id)

    def top_up(batch: Batch) -> tuple[TopUp, str]:
        budget, policy = live_policy(batch, policy_id, caller.bound)
        now_us = batch.now_us
        amount = parse_amount(ask["amount"], policy)
        named = partition_named(partition, policy)
        made = TopUp(
            top_up_id, policy_id, named, amount, now_us,
            ending_us(until_us, policy, named, now_us), request.actor, reason,
        )  # fmt: skip
        add(batch, budget, policy, made)
        return made, top_up_id

    def present(batch: Batch, ref: str) -> TopUp:
        return next(t for t in find_policy(batch, policy_id).top_ups if t.top_up_id == ref)

    return once(request, top_up, present)


def add(
    batch: Batch, budget: Budget, policy: Policy, made: TopUp, *, request_id: str | None = None
) -> None:
    """Store a top-up and enter it, within a change of the catalogue; `request_id`: who asked."""
    topped = replace(policy, top_ups=(*policy.top_ups, made))
    catalogue_rows.add_top_up(batch.unit, made)
    batch.catalogue = batch.catalogue.with_budget(
        with_policies(budget, [topped], budget.updated_us)
    )
    detail = {
        "top_up_id": made.top_up_id, "partition": made.partition, "unit": policy.unit,
        "amount": amount_to_json(made.amount, policy.unit),
        "until": None if made.until_us >= MAX_US else to_rfc3339(made.until_us),
        "reason": made.reason,
    }  # fmt: skip
    if request_id is not None:
        detail["request_id"] = request_id
    batch.enter(
        "topped_up", made.actor, [], detail,
        budget_id=budget.budget_id, policy_id=policy.policy_id,
    )  # fmt: skip


def parse_amount(given: object, policy: Policy) -> int:
    """How much a top-up raises the limit by, in the policy's unit."""
    amount = parse_limit(given, policy.unit, "amount")
    if not amount:
        raise InvalidInput("amount", "must be above 0.")
    return amount


def ending_us(until_us: int | None, policy: Policy, partition: str | None, now_us: int) -> int:
    """Until when a top-up counts; without a date to the end of the current window.

    Of sessions, which do not end, and the calls without one, which have the day, the day decides.
    """
    if until_us is None:
        if policy.rolling:
            return min(now_us + policy.calendar.period.length_us, MAX_US)
        partitions = [partition] if partition is not None else _kinds_of_partition(policy)
        return min(policy.window_of(one, now_us).end_us for one in partitions)
    if until_us <= now_us:
        raise InvalidInput("until", "must lie in the future.")
    return until_us


def _kinds_of_partition(policy: Policy) -> list[str]:
    """One partition of each kind of window that the policy has."""
    named = dict.fromkeys(policy.partition_by, "x")
    return [partition_of(policy.partition_by, attributes) for attributes in (named, {})]


def parse_partition(given: object) -> dict[str, str | None] | None:
    """The attributes that name a partition, as written; None for all of them."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInput("partition", "must be an object of attribute: value.")
    parsed: dict[str, str | None] = {}
    for key, value in given.items():
        name = parse_key(key, "partition")
        text = None if value is None else parse_value(value, f"partition.{name}")
        put_once(parsed, name, text, "partition")
    return parsed


def partition_named(given: Mapping[str, str | None] | None, policy: Policy) -> str | None:
    """The canonical name of a partition of the policy, each of whose attributes must be given."""
    if given is None:
        return None
    for key in given:
        if key not in policy.partition_by:
            raise InvalidInput(
                f"partition.{key}", "is not what this policy splits by.", policy.partition_by
            )
    for key in policy.partition_by:
        if key not in given:
            raise InvalidInput(f"partition.{key}", "is required; null names the calls without it.")
    stated = {key: value for key, value in given.items() if value is not None}
    return partition_of(policy.partition_by, stated)
