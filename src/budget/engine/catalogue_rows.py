"""Catalogue rows: how budgets, policies and top-ups lie in their tables, both ways; loading all.

What was stored has been checked before, so reading trusts it. Not here: what may be changed
(`budgets`), how calls find their budgets (`catalogue`), how answers look in JSON.
"""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, insert, select, update

from budget.domain.attributes import Condition, Scope, scope_to_json
from budget.domain.budgets import Budget, Policy, TopUp, Unpriced
from budget.domain.pricing import Rates, decode_rates, encode_rates
from budget.domain.windows import Calendar, ResetDay, parse_period
from budget.engine.catalogue import Catalogue
from budget.engine.rows import to_json
from budget.storage import schema
from budget.storage.unit import Unit

BUDGET_COLUMNS: Final = tuple(column.name for column in schema.budgets.columns)
POLICY_COLUMNS: Final = tuple(column.name for column in schema.policies.columns)
TOP_UP_COLUMNS: Final = tuple(column.name for column in schema.top_ups.columns)

CHANGED_IN_PLACE: Final = (
    "limit_amount", "enforcement", "warning_bps", "action_bps", "rollover", "on_expiry",
    "headroom", "limits", "archived_us",
)  # fmt: skip
"""What of a policy may change; of a budget everything may but its id."""

_decode_scope = msgspec.json.Decoder(dict[str, str | list[str]]).decode
_decode_names = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_pairs = msgspec.json.Decoder(tuple[tuple[int, int], ...]).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode

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


def budgets_from_rows(
    budgets: Iterable[Sequence[Any]],
    policies: Iterable[Sequence[Any]],
    top_ups: Iterable[Sequence[Any]] = (),
) -> list[Budget]:
    """Budgets with their policies and those with their top-ups, from rows in the orders above."""
    granted: dict[str, list[TopUp]] = defaultdict(list)
    for row in top_ups:
        top_up = top_up_from_row(row)
        granted[top_up.policy_id].append(top_up)
    held: dict[str, list[Policy]] = defaultdict(list)
    for row in policies:
        policy = policy_from_row(row, tuple(sorted(granted.get(row[0], ()), key=_given_at)))
        held[policy.budget_id].append(policy)
    return [
        budget_from_row(row, tuple(sorted(held.get(row[0], ()), key=_made_at))) for row in budgets
    ]


def _given_at(top_up: TopUp) -> tuple[int, str]:
    return top_up.at_us, top_up.top_up_id


def _made_at(policy: Policy) -> tuple[int, str]:
    return policy.created_us, policy.policy_id


# --- From rows -----------------------------------------------------------------------------------


def budget_from_row(row: Sequence[Any], policies: tuple[Policy, ...] = ()) -> Budget:
    """A budget from a BUDGET_COLUMNS row, with its policies."""
    (
        budget_id, name, description, owner, scope, per, unpriced, metadata,
        created_us, updated_us, archived_us,
    ) = row  # fmt: skip
    return Budget(
        budget_id=budget_id,
        name=name,
        scope=_scope(scope),
        per=_names(per),
        created_us=created_us,
        updated_us=updated_us,
        description=description,
        owner=owner,
        unpriced=_unpriced(unpriced),
        policies=policies,
        metadata={} if metadata == "{}" else _decode_object(metadata),
        archived_us=archived_us,
    )


def policy_from_row(row: Sequence[Any], top_ups: tuple[TopUp, ...] = ()) -> Policy:
    """A policy from a POLICY_COLUMNS row, with its top-ups."""
    (
        policy_id, budget_id, unit, period, timezone, reset_day, limit_amount, enforcement,
        warning_bps, action_bps, rollover, on_expiry, headroom, partition_by, limits,
        created_us, archived_us, succeeds,
    ) = row  # fmt: skip
    return Policy(
        policy_id=policy_id,
        budget_id=budget_id,
        unit=unit,
        calendar=_calendar(period, timezone, reset_day),
        limit=limit_amount,
        enforcement=enforcement,
        partition_by=_names(partition_by),
        created_us=created_us,
        warning_bps=warning_bps,
        action_bps=action_bps,
        rollover=bool(rollover),
        on_expiry=on_expiry,
        reserved_for_priority=() if headroom == "[]" else _decode_pairs(headroom),
        archived_us=archived_us,
        limits=_decode_pairs(limits),
        top_ups=top_ups,
        succeeds=succeeds,
    )


def top_up_from_row(row: Sequence[Any]) -> TopUp:
    """A top-up from a TOP_UP_COLUMNS row."""
    return TopUp(*row)


def _scope(text: str) -> Scope:
    return tuple(
        Condition(
            key=key,
            exact=frozenset(value for value in values if not value.endswith("*")),
            prefixes=tuple(value[:-1] for value in values if value.endswith("*")),
        )
        for key, given in _decode_scope(text).items()
        for values in ([given] if isinstance(given, str) else given,)
    )


def _unpriced(text: str | None) -> Unpriced | None:
    if text is None or text == "allow" or text == "refuse":
        return text  # type: ignore[return-value]  # compared by ==, which narrows no str
    return decode_rates(text)


@lru_cache(maxsize=4096)
def _calendar(period: str, zone: str, reset_day: str) -> Calendar:
    day: ResetDay = "last" if reset_day == "last" else int(reset_day)
    return Calendar(parse_period(period), zone, day)


@lru_cache(maxsize=1024)
def _names(text: str) -> tuple[str, ...]:
    return _decode_names(text)


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
