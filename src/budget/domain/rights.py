"""Rights: what a caller that is bound to attributes may spend on and see.

A key bound to `team: search` spends as that team alone, and sees nothing but its calls, its
budgets and its partitions. Not here: the scopes of keys (`engine.keys`), and which route needs
which (`http.routes`).
"""

import json
from collections.abc import Mapping
from typing import Final

from budget.domain.attributes import Attributes, Condition, Scope, compared, parse_attributes
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import Forbidden, InvalidInput

Bound = Mapping[str, str]
"""The attributes that a caller is bound to; empty: to none."""

UNBOUND: Final[Bound] = {}

ENVELOPE: Final = "tag.envelope"
"""The tag by which a key that may only draw names its envelope, which has it too."""

NOT_BOUND_BY: Final = frozenset(
    {"key", "session", "task", "task_type", "tier", "provider", "model"}
)
"""Attributes that say what is called, not who calls: a budget limits those, nobody is bound."""


def parse_bound(given: object, field: str = "bound") -> dict[str, str]:
    """The attributes that somebody is to be bound to; InvalidInput for what nobody can be."""
    parsed = parse_attributes(given, field)
    for name in parsed:
        if name in NOT_BOUND_BY:
            raise InvalidInput(
                f"{field}.{name}", "says what is called, not who calls; set a budget of that scope."
            )
    return parsed


def forced(attributes: Attributes, bound: Bound, field: str = "attributes") -> dict[str, str]:
    """The attributes with those that the caller is bound to; Forbidden if others are given."""
    for key, value in bound.items():
        given = attributes.get(key)
        if given is not None and compared(key, given) != compared(key, value):
            raise Forbidden(f"{field}.{key}: this key is bound to {value!r}; leave it out.")
    return dict(sorted({**attributes, **bound}.items()))


def covers(bound: Bound, attributes: Attributes) -> bool:
    """Whether a call with these attributes is one that the caller may see."""
    return all(
        (given := attributes.get(key)) is not None and compared(key, given) == compared(key, value)
        for key, value in bound.items()
    )


def pins(bound: Bound, scope: Scope) -> bool:
    """Whether a scope matches no call but those that the caller may see."""
    conditions = {condition.key: condition for condition in scope}
    return all(_only(conditions.get(key), key, value) for key, value in bound.items())


def pinned(scope: Scope, bound: Bound) -> Scope:
    """The scope with the attributes that the caller is bound to; Forbidden if it has others."""
    conditions = {condition.key: condition for condition in scope}
    for key, value in bound.items():
        condition = conditions.setdefault(key, Condition(key, frozenset((value,)), ()))
        if not _only(condition, key, value):
            raise Forbidden(f"scope.{key}: this key is bound to {value!r}; leave it out.")
    return tuple(conditions[key] for key in sorted(conditions))


def sees_budget(bound: Bound, budget: Budget) -> bool:
    """Whether the caller may know of a budget: it is of its attributes alone, or split by them."""
    conditions = {condition.key: condition for condition in budget.scope}
    return all(
        _only(conditions.get(key), key, value)
        or (key in budget.per and (key not in conditions or conditions[key].matches(value)))
        for key, value in bound.items()
    )


def sees_partition(bound: Bound, budget: Budget, partition: str) -> bool:
    """Whether the caller may see one balance of a budget; `partition` is its canonical name."""
    if not bound:
        return True
    conditions = {condition.key: condition for condition in budget.scope}
    named: dict[str, str | None] = json.loads(partition)
    return all(
        # What the partition names decides: the scope may have been another when it came to be.
        (named[key] == compared(key, value))
        if key in named
        else _only(conditions.get(key), key, value)
        for key, value in bound.items()
    )


def sees_balance(bound: Bound, budget: Budget, policy: Policy, partition: str) -> bool:
    """Whether the caller may see a balance: of policies in force alone.

    One that was archived may be from a time when its budget was somebody else's.
    """
    return not bound or (policy.archived_us is None and sees_partition(bound, budget, partition))


def narrowed(scope: Scope, bound: Bound) -> Scope:
    """A scope that the caller may see, without the names of others."""
    return tuple(
        Condition(one.key, frozenset((bound[one.key],)), ()) if one.key in bound else one
        for one in scope
    )


def _only(condition: Condition | None, key: str, value: str) -> bool:
    if condition is None or condition.prefixes:
        return False
    return {compared(key, one) for one in condition.exact} == {compared(key, value)}
