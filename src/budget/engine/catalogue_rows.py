"""Catalogue rows: how budgets, policies and top-ups are put into their tables; loading all.

Not here: how they are made of rows (`budget_rows`), what may be changed (`budgets`), how calls find
their budgets (`catalogue`), how answers look in JSON.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, insert, select, update

from budget.domain.attributes import scope_to_json
from budget.domain.budgets import Budget, Policy, TopUp
from budget.domain.pricing import Rates, encode_rates
from budget.engine.budget_rows import TOP_UP_COLUMNS, budgets_from_rows
from budget.engine.catalogue import Catalogue
from budget.engine.rows import to_json
from budget.storage import schema
from budget.storage.unit import Unit

CHANGED_IN_PLACE: Final = (
    "limit_amount", "enforcement", "warning_bps", "action_bps", "rollover", "on_expiry",
    "headroom", "limits", "archived_us",
)  # fmt: skip
"""What of a policy may change; of a budget everything may but its id."""

_ALL_BUDGETS: Final = select(schema.budgets)
_ALL_POLICIES: Final = select(schema.policies)
_ALL_TOP_UPS: Final = select(schema.top_ups)
_PRICE_VERSION: Final = select(schema.price_state.c.version)
_ALL_SETTINGS: Final = select(schema.settings.c.name, schema.settings.c.value)

_ADD_BUDGET: Final = insert(schema.budgets)
_ADD_POLICIES: Final = insert(schema.policies)
_ADD_TOP_UP: Final = insert(schema.top_ups)
# What an update sets follows from the columns it is given.
_CHANGE_BUDGET: Final = update(schema.budgets).where(schema.budgets.c.budget_id == bindparam("of"))
_CHANGE_POLICY: Final = update(schema.policies).where(
    schema.policies.c.policy_id == bindparam("of")
)
_COUNT_UP: Final = update(schema.state).values(
    catalogue_version=schema.state.c.catalogue_version + 1
)


# --- Loading -------------------------------------------------------------------------------------


def load_catalogue(unit: Unit, version: int) -> Catalogue:
    """All budgets and policies, archived ones too, and the settings, inside the unit's transaction;
    compiled.
    """
    with _no_collection():
        budgets = unit.execute(_ALL_BUDGETS)
        policies = unit.execute(_ALL_POLICIES)
        top_ups = unit.execute(_ALL_TOP_UPS)
        (price_version,) = unit.execute(_PRICE_VERSION)[0]
        settings = {name: msgspec.json.decode(value) for name, value in unit.execute(_ALL_SETTINGS)}
        compiled = budgets_from_rows(budgets, policies, top_ups)
        return Catalogue(version, compiled, price_version, settings)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from looking, again and again, at much that is made to stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# --- To rows -------------------------------------------------------------------------------------


def budget_values(budget: Budget) -> dict[str, Any]:
    """The columns of a budget."""
    unpriced = budget.unpriced
    return {
        "budget_id": budget.budget_id,
        "name": budget.name,
        "description": budget.description,
        "owner": budget.owner,
        "scope": to_json(scope_to_json(budget.scope)),
        "per": to_json(budget.per),
        "unpriced": encode_rates(unpriced) if isinstance(unpriced, Rates) else unpriced,
        "metadata": to_json(budget.metadata),
        "created_us": budget.created_us,
        "updated_us": budget.updated_us,
        "archived_us": budget.archived_us,
        "degrade": to_json(budget.degrade),
    }


def policy_values(policy: Policy) -> dict[str, Any]:
    """The columns of a policy."""
    return {
        "policy_id": policy.policy_id,
        "budget_id": policy.budget_id,
        "unit": policy.unit,
        "period": policy.calendar.period.text,
        "timezone": policy.calendar.zone,
        "reset_day": str(policy.calendar.reset_day),
        "limit_amount": policy.limit,
        "enforcement": policy.enforcement,
        "warning_bps": policy.warning_bps,
        "action_bps": policy.action_bps,
        "rollover": int(policy.rollover),
        "on_expiry": policy.on_expiry,
        "headroom": to_json(policy.reserved_for_priority),
        "partition_by": to_json(policy.partition_by),
        "limits": to_json(policy.limits),
        "created_us": policy.created_us,
        "archived_us": policy.archived_us,
        "succeeds": policy.succeeds,
    }


def top_up_values(top_up: TopUp) -> dict[str, Any]:
    """The columns of a top-up."""
    return {name: getattr(top_up, name) for name in TOP_UP_COLUMNS}


# --- Writing -------------------------------------------------------------------------------------


def add_budget(unit: Unit, budget: Budget) -> None:
    """Store a new budget with its policies."""
    unit.execute(_ADD_BUDGET, budget_values(budget))
    add_policies(unit, budget.policies)


def add_policies(unit: Unit, policies: Sequence[Policy]) -> None:
    """Store new policies."""
    if policies:
        unit.execute(_ADD_POLICIES, [policy_values(policy) for policy in policies])


def add_top_up(unit: Unit, top_up: TopUp) -> None:
    """Store a top-up."""
    unit.execute(_ADD_TOP_UP, top_up_values(top_up))


def change_budget(unit: Unit, budget: Budget) -> None:
    """Store what a budget is now; its policies are stored by themselves."""
    values = budget_values(budget)
    unit.execute(_CHANGE_BUDGET, {**values, "of": values.pop("budget_id")})


def change_policy(unit: Unit, policy: Policy) -> None:
    """Store what of a policy can change in place."""
    values = policy_values(policy)
    wanted = {name: values[name] for name in CHANGED_IN_PLACE}
    unit.execute(_CHANGE_POLICY, {**wanted, "of": policy.policy_id})


def count_up(unit: Unit) -> None:
    """Tell every process that the catalogue it has compiled is old."""
    unit.execute(_COUNT_UP)
