"""Budget rows: budgets, policies and top-ups made of the rows of their tables.

What was stored has been checked before, so reading trusts it. Nothing here needs the schema, which
takes a while to import. Not here: how they are stored, and all of them loaded (`catalogue_rows`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from budget.domain.attributes import Condition, Scope
from budget.domain.budgets import Budget, Policy, TopUp, Unpriced
from budget.domain.pricing import decode_rates
from budget.domain.windows import Calendar, ResetDay, parse_period

BUDGET_COLUMNS: Final = (
    "budget_id", "name", "description", "owner", "scope", "per", "unpriced", "metadata",
    "created_us", "updated_us", "archived_us", "degrade",
)  # fmt: skip
POLICY_COLUMNS: Final = (
    "policy_id", "budget_id", "unit", "period", "timezone", "reset_day", "limit_amount",
    "enforcement", "warning_bps", "action_bps", "rollover", "on_expiry", "headroom",
    "partition_by", "limits", "created_us", "archived_us", "succeeds",
)  # fmt: skip
TOP_UP_COLUMNS: Final = (
    "top_up_id", "policy_id", "partition", "amount", "at_us", "until_us", "actor", "reason",
)  # fmt: skip
"""The columns of the tables, in their order."""

_decode_scope = msgspec.json.Decoder(dict[str, str | list[str]]).decode
_decode_names = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_pairs = msgspec.json.Decoder(tuple[tuple[int, int], ...]).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


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


def budget_from_row(row: Sequence[Any], policies: tuple[Policy, ...] = ()) -> Budget:
    """A budget from a BUDGET_COLUMNS row, with its policies."""
    (
        budget_id, name, description, owner, scope, per, unpriced, metadata,
        created_us, updated_us, archived_us, degrade,
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
        degrade=_names(degrade),
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
