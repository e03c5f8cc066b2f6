"""Budgets: creating, changing and archiving them and their policies; raising limits for a while.

Each act checks what it can at once and returns a change, which the ledger runs alone in its
transaction. Names may repeat: the id tells two budgets apart. A field given as null is as if left
out. Not here: how budgets lie in the tables (`catalogue_rows`), what a successor takes over from
the past (`backfill`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypedDict, TypeVar

import msgspec

from budget.domain.attributes import (
    parse_key,
    parse_per,
    parse_scope,
    parse_value,
    partition_of,
)
from budget.domain.budgets import (
    MAX_POLICIES,
    POLICY_FIELDS,
    Budget,
    Policy,
    TopUp,
    amount_to_json,
    budget_to_json,
    default_on_expiry,
    parse_limit,
    parse_policy,
    parse_thresholds,
    parse_unpriced,
    partition_by,
    policy_to_json,
)
from budget.domain.errors import Conflict, Forbidden, InvalidInput, KeyReused, NotFound
from budget.domain.windows import MAX_US, parse_rfc3339, to_rfc3339
from budget.engine import catalogue_rows
from budget.engine.backfill import backfill
from budget.engine.batch import Batch
from budget.engine.catalogue_rows import load_catalogue
from budget.engine.ids import new_id
from budget.engine.intake import (
    Caller,
    metadata_json,
    only_fields,
    parse_flag,
    parse_idempotency_key,
    parse_reason,
    parse_text,
    request_hash,
)

__all__ = [
    "BudgetAsk", "PolicyAsk", "archiving", "archiving_policy", "changing", "changing_policy",
    "creating", "creating_policy", "load_catalogue", "topping_up",
]  # fmt: skip

MAX_NAME_CHARS: Final = 200
MAX_DESCRIPTION_CHARS: Final = 2000
MAX_LIMITS_KEPT: Final = 1000
"""How many former limits a policy remembers; older windows are judged by the oldest known."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

T = TypeVar("T")


class PolicyAsk(TypedDict, total=False):
    """What a policy is made of; `limit` is in USD for the unit `usd`, else a count.

    `backfill`: count in what was spent and is held already, for a new policy or a successor.
    """

    unit: str
    period: str
    limit: str | int | Decimal
    enforcement: str
    warning_threshold: str | Decimal
    action_threshold: str | Decimal
    timezone: str
    reset_day: int | str
    on_expiry: str
    rollover: str
    reserved_for_priority: Mapping[str, str]
    backfill: bool
    idempotency_key: str


class BudgetAsk(TypedDict, total=False):
    """What a budget is made of; when it is changed, `policies` have acts of their own."""

    name: str
    description: str
    owner: str
    scope: Mapping[str, str | Sequence[str]]
    per: Sequence[str]
    unpriced: str | Mapping[str, str | int | Decimal]
    policies: Sequence[PolicyAsk]
    metadata: Mapping[str, Any]
    backfill: bool
    idempotency_key: str


_BUDGET_FIELDS: Final = frozenset(BudgetAsk.__annotations__)
_POLICY_ACT_FIELDS: Final = frozenset(PolicyAsk.__annotations__)
_NO_THRESHOLDS: Final = {"warning_threshold": None, "action_threshold": None}
_TOP_UP_FIELDS: Final = frozenset({"amount", "reason", "until", "partition", "idempotency_key"})


# --- Once ----------------------------------------------------------------------------------------


class _Request(NamedTuple):
    """Who asks for which act, and what recognises the same request again."""

    act: str
    actor: str
    key: str | None
    request_hash: str


def _request(act: str, ask: Mapping[str, Any], caller: Caller, *of: str) -> _Request:
    if not caller.manage:
        raise Forbidden("This key may not change budgets; use one with the right `manage`.")
    return _Request(act, caller.actor, parse_idempotency_key(ask), request_hash(ask, *of))


def _once(
    request: _Request,
    act: Callable[[Batch], tuple[T, str]],
    present: Callable[[Batch, str], T],
) -> Callable[[Batch], T]:
    """A change that runs `act` unless its key was used before: then `present` tells what that made.

    `act` answers with the id that `present` needs. One that changes nothing takes no key.
    """

    def change(batch: Batch) -> T:
        name = (request.actor, request.act, request.key or "")
        if request.key is not None:
            batch.needs.keys.append((*name, request.request_hash, "", batch.now_us))
            batch.load_keys()
            if name in batch.keys:
                earlier_hash, ref = batch.keys[name]
                if earlier_hash != request.request_hash:
                    raise KeyReused(
                        "This idempotency key was used before with another payload; use a new key."
                    )
                return present(batch, ref)
        answer, ref = act(batch)
        if batch.changes.entries:
            catalogue_rows.count_up(batch.unit)
            if request.key is not None:
                batch.keys[name] = (request.request_hash, ref)
                batch.changes.keys.append((*name, request.request_hash, ref, batch.now_us))
        batch.write(batch.needs.keys)
        return answer

    return change


def _budget(batch: Batch, budget_id: str) -> Budget:
    found = batch.catalogue.budgets.get(budget_id)
    if found is None:
        raise NotFound("budget", budget_id)
    return found


def _policy(batch: Batch, policy_id: str) -> Policy:
    found = batch.catalogue.policies.get(policy_id)
    if found is None:
        raise NotFound("policy", policy_id)
    return found


def _live_budget(batch: Batch, budget_id: str) -> Budget:
    budget = _budget(batch, budget_id)
    if budget.archived_us is not None:
        raise Conflict(
            f"The budget was archived on {to_rfc3339(budget.archived_us)}; create a new one.",
            code="archived",
        )
    return budget


def _live_policy(batch: Batch, policy_id: str) -> tuple[Budget, Policy]:
    policy = _policy(batch, policy_id)
    if policy.archived_us is not None:
        raise Conflict(
            f"The policy was archived on {to_rfc3339(policy.archived_us)}; create a new one.",
            code="archived",
        )
    return _live_budget(batch, policy.budget_id), policy


def _with_policies(budget: Budget, changed: Sequence[Policy], now_us: int) -> Budget:
    """The budget with these policies in place of their former selves, or added at the end."""
    policies = {policy.policy_id: policy for policy in (*budget.policies, *changed)}
    return replace(budget, policies=tuple(policies.values()), updated_us=now_us)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs, as `{field: {old, new}}`."""
    return {
        name: {"old": old.get(name), "new": new.get(name)}
        for name in (*old, *(name for name in new if name not in old))
        if old.get(name) != new.get(name)
    }


# --- Budgets -------------------------------------------------------------------------------------


def creating(ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Budget]:
    """The change of `create_budget`."""
    request = _request("create_budget", ask, caller)
    only_fields(ask, _BUDGET_FIELDS)
    if ask.get("name") is None:
        raise InvalidInput("name", "is required.")
    fields = _budget_fields(ask)
    backfilled = parse_flag(ask, "backfill")
    budget_id = new_id("bud")
    policies = _parse_policies(ask.get("policies"), budget_id, fields.get("per", ()))
    draft = Budget(**{"scope": (), "per": (), **fields}, budget_id=budget_id, created_us=0,
                   updated_us=0)  # fmt: skip

    def create(batch: Batch) -> tuple[Budget, str]:
        now_us = batch.now_us
        budget = replace(
            draft,
            created_us=now_us,
            updated_us=now_us,
            policies=tuple(_as_of(policy, now_us) for policy in policies),
        )
        catalogue_rows.add_budget(batch.unit, budget)
        batch.catalogue = batch.catalogue.with_budget(budget)
        written = {policy.policy_id: policy_to_json(policy) for policy in budget.policies}
        detail = {**budget_to_json(budget), "policies": written}
        batch.enter("budget_created", request.actor, [], detail, budget_id=budget_id)
        if backfilled:
            backfill(batch, budget, budget.policies, request.actor)
        return budget, budget_id

    return _once(request, create, _budget)


def changing(budget_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], Budget]:
    """The change of `change_budget`: the fields given; another scope or `per` by successors.

    Then every policy in force is archived and succeeded by one of the same terms, at zero or, with
    `backfill`, at what the past has used. Top-ups are not taken over.
    """
    request = _request("change_budget", ask, caller, budget_id)
    only_fields(ask, _BUDGET_FIELDS)
    if ask.get("policies") is not None:
        raise InvalidInput(
            "policies",
            "is not changed through the budget: change, add or archive each policy by itself "
            "(PUT, POST, DELETE of /api/v1/policies).",
        )
    fields = _budget_fields(ask)
    backfilled = parse_flag(ask, "backfill")

    def change(batch: Batch) -> tuple[Budget, str]:
        old = _live_budget(batch, budget_id)
        now_us = batch.now_us
        new: Budget = replace(old, **fields)
        if new == old:
            return old, budget_id
        succession: dict[str, str] = {}
        successors: list[Policy] = []
        if (new.scope, new.per) != (old.scope, old.per):
            ids = sorted(new_id("pol") for _ in old.live_policies)
            successors = [
                _successor(policy, policy, policy_id, new.per, now_us)
                for policy, policy_id in zip(old.live_policies, ids, strict=True)
            ]
            succession = {p.succeeds: p.policy_id for p in successors if p.succeeds is not None}
        archived = [
            replace(p, archived_us=now_us) for p in old.policies if p.policy_id in succession
        ]
        new = _with_policies(new, [*archived, *successors], now_us)
        catalogue_rows.change_budget(batch.unit, new)
        for policy in archived:
            catalogue_rows.change_policy(batch.unit, policy)
        catalogue_rows.add_policies(batch.unit, successors)
        batch.catalogue = batch.catalogue.with_budget(new)
        detail: dict[str, Any] = {"changes": _changes(budget_to_json(old), budget_to_json(new))}
        if succession:
            detail |= {"successors": succession, "backfill": backfilled}
        batch.enter("budget_changed", request.actor, [], detail, budget_id=budget_id)
        if backfilled and successors:
            backfill(batch, new, successors, request.actor)
        return new, budget_id

    return _once(request, change, _budget)


def archiving(budget_id: str, caller: Caller) -> Callable[[Batch], Budget]:
    """The change of `archive_budget`, with its policies. Of an archived one: that one as it is."""
    request = _request("archive_budget", {}, caller, budget_id)

    def archive(batch: Batch) -> tuple[Budget, str]:
        old = _budget(batch, budget_id)
        now_us = batch.now_us
        if old.archived_us is not None:
            return old, budget_id
        policies = [replace(policy, archived_us=now_us) for policy in old.live_policies]
        new = _with_policies(replace(old, archived_us=now_us), policies, now_us)
        catalogue_rows.change_budget(batch.unit, new)
        for policy in policies:
            catalogue_rows.change_policy(batch.unit, policy)
        batch.catalogue = batch.catalogue.with_budget(new)
        detail = {"name": new.name, "policies": [policy.policy_id for policy in policies]}
        batch.enter("budget_archived", request.actor, [], detail, budget_id=budget_id)
        return new, budget_id

    return _once(request, archive, _budget)


def _budget_fields(ask: Mapping[str, Any]) -> dict[str, Any]:
    """The fields given of a budget, checked, by their names in `Budget`."""
    fields: dict[str, Any] = {}
    given = {name: value for name, value in ask.items() if value is not None}
    if "name" in given:
        fields["name"] = _line(given["name"], "name")
        if not fields["name"].strip():
            raise InvalidInput("name", f"must have 1 to {MAX_NAME_CHARS} characters.")
    if "description" in given:
        fields["description"] = _text(given["description"], "description", MAX_DESCRIPTION_CHARS)
    if "owner" in given:
        fields["owner"] = _line(given["owner"], "owner")
    if "scope" in given:
        fields["scope"] = parse_scope(given["scope"])
    if "per" in given:
        fields["per"] = parse_per(given["per"])
    if "unpriced" in given:
        fields["unpriced"] = parse_unpriced(given["unpriced"])
    if "metadata" in given:
        fields["metadata"] = msgspec.json.decode(metadata_json(given["metadata"]))
    return fields


def _text(value: object, field: str, most: int) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a string.")
    if len(value) > most:
        raise InvalidInput(field, f"must have at most {most} characters.")
    return parse_text(value, field)


def _line(value: object, field: str) -> str:
    text = _text(value, field, MAX_NAME_CHARS)
    if _CONTROL.search(text):
        raise InvalidInput(field, "must not contain control characters.")
    return text


# --- Policies ------------------------------------------------------------------------------------


def _parse_policies(given: object, budget_id: str, per: tuple[str, ...]) -> list[Policy]:
    if not isinstance(given, list | tuple) or not given:
        raise InvalidInput("policies", "must be a list of at least one policy.")
    if len(given) > MAX_POLICIES:
        raise InvalidInput("policies", f"must be at most {MAX_POLICIES}.")
    ids = sorted(new_id("pol") for _ in given)  # policies are shown by id: in the order given
    return [
        parse_policy(
            policy, policy_id=policy_id, budget_id=budget_id, per=per, now_us=0,
            path=f"policies[{at}].",
        )
        for at, (policy, policy_id) in enumerate(zip(given, ids, strict=True))
    ]  # fmt: skip


def _as_of(policy: Policy, now_us: int) -> Policy:
    """A policy that begins now."""
    return replace(policy, created_us=now_us, limits=((now_us, policy.limit),))


def creating_policy(
    budget_id: str, ask: Mapping[str, Any], caller: Caller
) -> Callable[[Batch], Policy]:
    """The change of `create_policy`."""
    request = _request("create_policy", ask, caller, budget_id)
    only_fields(ask, _POLICY_ACT_FIELDS)
    given = {name: value for name, value in ask.items() if name in POLICY_FIELDS}
    backfilled = parse_flag(ask, "backfill")
    policy_id = new_id("pol")
    draft = parse_policy(given, policy_id=policy_id, budget_id=budget_id, per=(), now_us=0)

    def create(batch: Batch) -> tuple[Policy, str]:
        budget = _live_budget(batch, budget_id)
        if len(budget.live_policies) >= MAX_POLICIES:
            raise Conflict(
                f"The budget has {MAX_POLICIES} policies, the most it may have; archive one first.",
                code="too_many_policies",
            )
        policy = replace(
            _as_of(draft, batch.now_us), partition_by=partition_by(budget.per, draft.calendar)
        )
        budget = _with_policies(budget, [policy], batch.now_us)
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

    return _once(request, create, _policy)


def changing_policy(
    policy_id: str, ask: Mapping[str, Any], caller: Caller
) -> Callable[[Batch], Policy]:
    """The change of `change_policy`: the fields given; answers the policy that is in force then.

    Another unit, period, zone or reset day archives the policy and makes a successor. `on_expiry`
    follows the enforcement's default as long as it was that default.
    """
    request = _request("change_policy", ask, caller, policy_id)
    only_fields(ask, _POLICY_ACT_FIELDS)
    given = {
        name: value for name, value in ask.items() if name in POLICY_FIELDS and value is not None
    }
    _check_alone(given)
    backfilled = parse_flag(ask, "backfill")
    successor_id = new_id("pol")

    def change(batch: Batch) -> tuple[Policy, str]:
        budget, old = _live_policy(batch, policy_id)
        now_us = batch.now_us
        wanted = _merged(old, given, budget.per)
        changes = _changes(policy_to_json(old), policy_to_json(wanted))
        if not changes:
            return old, policy_id
        detail: dict[str, Any] = {"changes": changes}
        if (wanted.unit, wanted.calendar) == (old.unit, old.calendar):
            new = _changed_in_place(old, wanted, now_us)
            changed = [new]
            catalogue_rows.change_policy(batch.unit, new)
        else:
            new = _successor(old, wanted, successor_id, budget.per, now_us)
            changed = [replace(old, archived_us=now_us), new]
            catalogue_rows.change_policy(batch.unit, changed[0])
            catalogue_rows.add_policies(batch.unit, [new])
            detail |= {"successor": successor_id, "backfill": backfilled}
        budget = _with_policies(budget, changed, now_us)
        catalogue_rows.change_budget(batch.unit, budget)
        batch.catalogue = batch.catalogue.with_budget(budget)
        batch.enter(
            "policy_changed", request.actor, [], detail,
            budget_id=budget.budget_id, policy_id=policy_id,
        )  # fmt: skip
        if backfilled and new.policy_id == successor_id:
            backfill(batch, budget, [new], request.actor)
        return new, new.policy_id

    return _once(request, change, _policy)


def archiving_policy(policy_id: str, caller: Caller) -> Callable[[Batch], Policy]:
    """The change of `archive_policy`. Of an archived one: that one as it is."""
    request = _request("archive_policy", {}, caller, policy_id)

    def archive(batch: Batch) -> tuple[Policy, str]:
        old = _policy(batch, policy_id)
        if old.archived_us is not None:
            return old, policy_id
        new = replace(old, archived_us=batch.now_us)
        budget = _with_policies(_budget(batch, old.budget_id), [new], batch.now_us)
        catalogue_rows.change_policy(batch.unit, new)
        catalogue_rows.change_budget(batch.unit, budget)
        batch.catalogue = batch.catalogue.with_budget(budget)
        batch.enter(
            "policy_archived", request.actor, [], policy_to_json(new),
            budget_id=budget.budget_id, policy_id=policy_id,
        )  # fmt: skip
        return new, policy_id

    return _once(request, archive, _policy)


def _check_alone(given: Mapping[str, Any]) -> None:
    """Refuse at once what would be wrong whatever the policy is; the rest waits for the policy."""
    trial = {"unit": "requests", "period": "monthly", "limit": 0, **given}
    if "unit" not in given:
        trial["limit"] = 0
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
        limits = (*limits, (now_us, wanted.limit))[-MAX_LIMITS_KEPT:]
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


def _successor(
    old: Policy, wanted: Policy, policy_id: str, per: tuple[str, ...], now_us: int
) -> Policy:
    """A policy of the terms wanted that begins now in another's place."""
    return replace(
        _as_of(wanted, now_us),
        policy_id=policy_id,
        partition_by=partition_by(per, wanted.calendar),
        top_ups=(),
        succeeds=old.policy_id,
    )


# --- Top-ups -------------------------------------------------------------------------------------


def topping_up(policy_id: str, ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], TopUp]:
    """The change of `top_up`."""
    request = _request("top_up", ask, caller, policy_id)
    only_fields(ask, _TOP_UP_FIELDS)
    reason = parse_reason(ask.get("reason"))
    until_us = None if ask.get("until") is None else parse_rfc3339(ask["until"], "until")
    if ask.get("amount") is None:
        raise InvalidInput("amount", "is required.")
    partition = _parse_partition(ask.get("partition"))
    top_up_id = new_id("top")

    def top_up(batch: Batch) -> tuple[TopUp, str]:
        budget, policy = _live_policy(batch, policy_id)
        now_us = batch.now_us
        amount = parse_limit(ask["amount"], policy.unit, "amount")
        if not amount:
            raise InvalidInput("amount", "must be above 0.")
        made = TopUp(
            top_up_id, policy_id, _partition_named(partition, policy), amount, now_us,
            _until(until_us, policy, now_us), request.actor, reason,
        )  # fmt: skip
        budget = _with_policies(
            budget, [replace(policy, top_ups=(*policy.top_ups, made))], budget.updated_us
        )
        catalogue_rows.add_top_up(batch.unit, made)
        batch.catalogue = batch.catalogue.with_budget(budget)
        detail = {
            "top_up_id": top_up_id, "partition": made.partition, "unit": policy.unit,
            "amount": amount_to_json(amount, policy.unit), "until": to_rfc3339(made.until_us),
            "reason": reason,
        }  # fmt: skip
        batch.enter(
            "topped_up", request.actor, [], detail,
            budget_id=budget.budget_id, policy_id=policy_id,
        )  # fmt: skip
        return made, top_up_id

    def present(batch: Batch, ref: str) -> TopUp:
        return next(t for t in _policy(batch, policy_id).top_ups if t.top_up_id == ref)

    return _once(request, top_up, present)


def _until(until_us: int | None, policy: Policy, now_us: int) -> int:
    """Until when a top-up counts; without a date in the current window only."""
    if until_us is None:
        length_us = policy.calendar.period.length_us if policy.rolling else 1
        return min(now_us + length_us, MAX_US - 1)
    if until_us <= now_us:
        raise InvalidInput("until", "must lie in the future.")
    return until_us


def _parse_partition(given: object) -> dict[str, str | None] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidInput("partition", "must be an object of attribute: value.")
    return {
        parse_key(key, "partition"): (
            None if value is None else parse_value(value, f"partition.{key}")
        )
        for key, value in given.items()
    }


def _partition_named(given: Mapping[str, str | None] | None, policy: Policy) -> str | None:
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
