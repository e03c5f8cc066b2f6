"""Budgets read: with their policies and top-ups.

A policy's past limits are not told on the wire: `limits` is empty.
"""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import (
    amount,
    bps,
    nanos,
    page,
    partition,
    us,
    us_or_never,
    us_or_none,
)
from budget.domain.answers_limits import LimitSet
from budget.domain.answers_pages import Page
from budget.domain.attributes import parse_scope
from budget.domain.budgets import Budget, Policy, TopUp, Unpriced
from budget.domain.policy_terms import parse_headroom
from budget.domain.pricing import flat_rates
from budget.domain.windows import Calendar, parse_period


def top_up(shape: Mapping[str, Any]) -> TopUp:
    """A recorded raise of a limit."""
    of = shape["partition"]
    return TopUp(
        shape["top_up_id"], shape["policy_id"], None if of is None else partition(of),
        amount(shape["amount"]), us(shape["at"]), us_or_never(shape["until"]), shape["actor"],
        shape["reason"], shape.get("replayed", False),
    )  # fmt: skip


def top_ups(shape: Mapping[str, Any]) -> tuple[Page[TopUp], str]:
    """A page of the top-ups of a policy, and its unit."""
    return page(top_up)(shape), shape["unit"]


def policy(shape: Mapping[str, Any]) -> Policy:
    """One limit of a budget."""
    reset_day = shape["reset_day"]
    return Policy(
        policy_id=shape["policy_id"],
        budget_id=shape["budget_id"],
        unit=shape["unit"],
        calendar=Calendar(
            parse_period(shape["period"]), shape["timezone"], 1 if reset_day is None else reset_day
        ),
        limit=amount(shape["limit"]),
        enforcement=shape["enforcement"],
        partition_by=tuple(shape["partition_by"]),
        created_us=us(shape["created_at"]),
        warning_bps=bps(shape["warning_threshold"]),
        action_bps=bps(shape["action_threshold"]),
        rollover=shape["rollover"] == "unused",
        on_expiry=shape["on_expiry"],
        reserved_for_priority=parse_headroom(shape["reserved_for_priority"], "priority"),
        archived_us=us_or_none(shape["archived_at"]),
        top_ups=tuple(top_up(one) for one in shape["top_ups"]),
        succeeds=shape["succeeds"],
        replayed=shape.get("replayed", False),
    )


def budget(shape: Mapping[str, Any]) -> Budget:
    """A budget with its policies."""
    return Budget(
        budget_id=shape["budget_id"],
        name=shape["name"],
        scope=parse_scope(shape["scope"]),
        per=tuple(shape["per"]),
        created_us=us(shape["created_at"]),
        updated_us=us(shape["updated_at"]),
        description=shape["description"],
        owner=shape["owner"],
        unpriced=_unpriced(shape["unpriced"]),
        policies=tuple(policy(one) for one in shape["policies"]),
        metadata=shape["metadata"],
        degrade=tuple(shape.get("degrade", ())),  # a service of before has none
        archived_us=us_or_none(shape["archived_at"]),
        replayed=shape.get("replayed", False),
        notes=tuple(shape.get("notes", ())),
    )


def _unpriced(shape: Any) -> Unpriced | None:
    if shape is None or shape in ("refuse", "allow"):
        told: Unpriced | None = shape
        return told
    return flat_rates(nanos(shape["input"]), nanos(shape["output"]))


def limit_set(shape: Mapping[str, Any]) -> LimitSet:
    """The limit that holds now, and what had to be done for it."""
    return LimitSet(
        shape["did"], budget(shape["budget"]), policy(shape["policy"]), shape["replayed"]
    )
