"""Limits: how much may be spent in a period, by whom: the budget and policy found, made, changed.

One act in one transaction, for those who think in limits. Not here: budgets with several
partitions, reset days or rollover (`budgets`, `policies`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Unpack

from budget.domain.answers_limits import LimitSet
from budget.domain.asks_budgets import LimitAsk
from budget.domain.attributes import parse_scope, scope_to_json
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.policy_terms import parse_policy
from budget.domain.rights import Bound, sees_budget
from budget.engine import budgets, policies
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.changes import live_budget, recall, remember, requested
from budget.engine.fields import MAX_LINE_CHARS, only_fields
from budget.engine.job import Job, Maker

DEFAULT_NAME: Final = "Default Budget"
DEFAULT_ENFORCEMENT: Final = "warn"


_FIELDS: Final = frozenset(LimitAsk.__annotations__)
_TERMS: Final = ("limit", "enforcement", "warning_threshold", "action_threshold", "timezone")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PLACES: Final = ("provider", "tier", "component")


def setting(ask: Mapping[str, Any], caller: Caller) -> Callable[[Batch], LimitSet]:
    """The change of `set_limit`."""
    only_fields(ask, _FIELDS)
    asked = {name: value for name, value in ask.items() if value is not None}
    terms = _terms(asked)
    scope = _scope(asked)
    budget_id, policy_id = _id(asked, "budget_id"), _id(asked, "policy_id")
    if budget_id is not None and (scope or "name" in asked):
        raise InvalidInput("budget_id", "names the budget already; leave out name and scope.")
    name = asked.get("name", _name({**scope, **caller.bound}))
    changes: dict[str, Any] = {term: terms[term] for term in _TERMS if term in asked}
    if "policy_type" in asked:
        changes["enforcement"] = asked["policy_type"]
    request = requested("set_limit", ask, caller)
    creating = budgets.creating({"name": name, "scope": scope, "policies": [terms]}, caller)

    def find(batch: Batch) -> tuple[Budget, Policy | None] | None:
        if budget_id is not None:
            found: Budget | None = _seen(batch, budget_id, caller.bound)
        else:
            found = _named(batch, name, scope, caller.bound)
        return None if found is None else (found, _same(found, terms, policy_id))

    def change(batch: Batch) -> LimitSet:
        if recall(batch, request) is not None:
            return _replayed(find(batch))
        # What is done is found again by the same words, so the key need not say what that was; and
        # it is written with what the act below writes.
        remember(batch, request, "")
        found = find(batch)
        if found is None:
            if policy_id is not None:
                raise NotFound("policy", policy_id)
            made = creating(batch)
            return LimitSet("created_budget", made, made.live_policies[0])
        budget, policy = found
        if policy is None:
            new = policies.creating(budget.budget_id, terms, caller)(batch)
            return LimitSet("created_policy", batch.catalogue.budgets[budget.budget_id], new)
        new = policies.changing(policy.policy_id, changes, caller)(batch)
        did: Any = "changed_policy"
        if new == policy:
            did = "nothing"
            batch.unit.write(batch.changes)  # the key: where nothing changes, nothing else does
        before = policy if did == "changed_policy" else None
        return LimitSet(did, batch.catalogue.budgets[budget.budget_id], new, before=before)

    return change


def _replayed(found: tuple[Budget, Policy | None] | None) -> LimitSet:
    if found is None or found[1] is None:
        raise NotFound("policy", "", "What this key has set is not there any more.")
    return LimitSet("nothing", found[0], found[1], replayed=True)


def _terms(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The terms of a policy of its own, checked."""
    for name in ("period", "limit"):
        if name not in asked:
            raise InvalidInput(name, "is required.")
    said = [asked[name] for name in ("enforcement", "policy_type") if name in asked]
    if len(said) == 2 and said[0] != said[1]:
        raise InvalidInput("policy_type", "differs from enforcement; give one of them.")
    terms = {
        "period": asked["period"],
        "unit": asked.get("unit", "usd"),
        **{name: asked[name] for name in _TERMS if name in asked},
        "enforcement": said[0] if said else DEFAULT_ENFORCEMENT,
    }
    parse_policy(terms, policy_id="", budget_id="", per=(), now_us=0)
    return terms


def _scope(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Whose calls count: `scope`, and the attributes that may stand beside it."""
    given = asked.get("scope", {})
    if not isinstance(given, Mapping):
        raise InvalidInput("scope", "must be an object of attribute: value.")
    scope = dict(given)
    for name in _PLACES:
        if name in asked and scope.setdefault(name, asked[name]) != asked[name]:
            raise InvalidInput(name, f"differs from scope.{name}; give one of them.")
    return scope_to_json(parse_scope(scope))


def _name(scope: Mapping[str, Any]) -> str:
    """A name of its own for each scope, so that the same words find the same budget again."""
    if not scope:
        return DEFAULT_NAME
    keys = [*(key for key in _PLACES if key in scope), *sorted(scope.keys() - set(_PLACES))]
    told = (
        f"{key} {' or '.join(scope[key]) if isinstance(scope[key], list) else scope[key]}"
        for key in keys
    )
    # A value may have characters that a name may not.
    return _CONTROL.sub(" ", f"{DEFAULT_NAME} ({', '.join(told)})")[:MAX_LINE_CHARS]


def _id(asked: Mapping[str, Any], name: str) -> str | None:
    value = asked.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(name, "must be an id.")
    return value


# --- Finding -------------------------------------------------------------------------------------


def _seen(batch: Batch, budget_id: str, bound: Bound) -> Budget:
    found = batch.catalogue.budgets.get(budget_id)
    if found is None or not sees_budget(bound, found):
        raise NotFound("budget", budget_id)
    return live_budget(batch, budget_id)


def _named(batch: Batch, name: str, scope: Mapping[str, Any], bound: Bound) -> Budget | None:
    named = [
        budget
        for budget in batch.catalogue.budgets.values()
        if budget.name == name and budget.archived_us is None and sees_budget(bound, budget)
    ]
    wanted = {**scope, **bound}
    for budget in sorted(named, key=lambda one: one.budget_id):
        if scope_to_json(budget.scope) == wanted and not budget.per:
            return budget
    if named:
        raise InvalidInput(
            "name",
            f"{name!r} ({named[0].budget_id}) is there, but for other calls; name it by its "
            "budget_id, or choose another name.",
            code="other_scope",
        )
    return None


def _same(budget: Budget, terms: Mapping[str, Any], policy_id: str | None) -> Policy | None:
    """The policy in force of that unit and period; of several, that of the id, or of the zone."""
    asked = parse_policy(terms, policy_id="", budget_id="", per=(), now_us=0)
    found = [
        policy
        for policy in budget.live_policies
        if policy.unit == asked.unit and policy.calendar.period == asked.calendar.period
    ]
    if policy_id is not None:
        for policy in found:
            if policy.policy_id == policy_id:
                return policy
        raise NotFound(
            "policy", policy_id,
            f"There is no {asked.calendar.period.text} limit of {asked.unit} {policy_id!r} in this "
            "budget.",
        )  # fmt: skip
    if len(found) <= 1:
        return found[0] if found else None
    of_zone = [
        policy
        for policy in found
        if "timezone" in terms and policy.calendar.zone == asked.calendar.zone
    ]
    if len(of_zone) == 1:
        return of_zone[0]
    raise InvalidInput(
        "policy_id", "must say which of several such limits to change.",
        [policy.policy_id for policy in found], code="ambiguous",
    )  # fmt: skip


class LimitJobs(Maker):
    """The method that sets a limit."""

    def set_limit(self, **ask: Unpack[LimitAsk]) -> Job[LimitSet]:
        """Set how much may be spent in a period: the budget and the policy are found, or made.

        The same words set the same limit again, and change nothing.
        """
        return Job(change=setting(ask, self.caller))
