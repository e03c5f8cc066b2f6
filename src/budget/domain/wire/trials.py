"""Limits tried on the past, and decisions explained, in JSON."""

from budget.domain.answers_trials import (
    Counted,
    Explanation,
    Fullest,
    MetLimit,
    Simulation,
    TriedCall,
    TriedLimit,
)
from budget.domain.budgets import BPS
from budget.domain.money import format_fraction, format_usd
from budget.domain.shapes_trials import (
    CountedShape,
    ExplanationShape,
    FullestShape,
    MetLimitShape,
    SimulationShape,
    TriedCallShape,
    TriedLimitShape,
)
from budget.domain.windows import to_rfc3339
from budget.domain.wire.balances import leg
from budget.domain.wire.parts import amount, fraction, holding, money, partition_of, window_of


def simulation(answer: Simulation) -> SimulationShape:
    """What limits would have done to the calls of a time."""
    units = {one.policy.policy_id: one.policy.unit for one in answer.limits}
    first = answer.first
    return {
        "since": to_rfc3339(answer.since_us),
        "until": to_rfc3339(answer.until_us),
        "total": counted(answer.total),
        "limits": [_limit(one) for one in answer.limits],
        "days": [
            {"day": to_rfc3339(one.day_us)[:10], **counted(one.counted)} for one in answer.days
        ],
        "groups": [
            {"attribute": one.key, "value": one.value, **counted(one.counted)}
            for one in answer.groups
        ],
        "first_refusal": None if first is None else _call(first, units[first.policy_id]),
    }


def counted(answer: Counted) -> CountedShape:
    """Calls, and those that would have been hindered."""
    return {
        "calls": answer.calls,
        "cost": format_usd(answer.cost_nanos),
        "refused": answer.refused,
        "refused_cost": format_usd(answer.refused_nanos),
        "over": answer.over,
        "over_cost": format_usd(answer.over_nanos),
    }


def _limit(one: TriedLimit) -> TriedLimitShape:
    policy = one.policy
    return {
        "budget_id": policy.budget_id,
        "budget": one.budget,
        "policy_id": policy.policy_id,
        "unit": policy.unit,
        "period": policy.period.text,
        "enforcement": policy.enforcement,
        "warning_threshold": fraction(policy.warning_bps),
        "action_threshold": fraction(policy.action_bps),
        "limit": amount(one.limit, policy.unit),
        **counted(one.counted),
        "fullest": None if one.fullest is None else _fullest(one.fullest, policy.unit),
    }


def _fullest(one: Fullest, unit: str) -> FullestShape:
    return {
        "at": to_rfc3339(one.at_us),
        "partition": partition_of(one.partition),
        "window": window_of(one.window),
        "limit": amount(one.limit, unit),
        "used": amount(one.used, unit),
        "used_fraction": format_fraction(one.used * BPS // one.limit) if one.limit else None,
    }


def _call(one: TriedCall, unit: str) -> TriedCallShape:
    return {
        "at": to_rfc3339(one.at_us),
        "call_id": one.call_id,
        "attributes": dict(one.attributes),
        "policy_id": one.policy_id,
        "partition": partition_of(one.partition),
        "unit": unit,
        "limit": amount(one.limit, unit),
        "spent": amount(one.spent, unit),
        "reserved": amount(one.reserved, unit),
        "assumed": amount(one.assumed, unit),
        "requested": amount(one.requested, unit),
        "shortfall": amount(one.shortfall, unit),
    }


def explanation(answer: Explanation) -> ExplanationShape:
    """Why a call was admitted or refused, and what happened to it later."""
    return {
        "verdict": answer.verdict,
        "at": to_rfc3339(answer.at_us),
        "actor": answer.actor,
        "code": answer.code,
        "times": answer.times,
        "attributes": dict(answer.attributes),
        "allocation_id": answer.allocation_id,
        "usage_id": answer.usage_id,
        "basis": answer.basis,
        "held": None if answer.held is None else holding(answer.held),
        "input_tokens": answer.input_tokens,
        "granted_output_tokens": answer.granted_output_tokens,
        "limits": [_met(one) for one in answer.limits],
        "later": [
            {
                "at": to_rfc3339(one.at_us),
                "kind": one.kind,
                "actor": one.actor,
                "usage_id": one.usage_id,
                "cost": money(one.cost_nanos),
                "flags": list(one.flags),
                "reason": one.reason,
            }
            for one in answer.later
        ],
    }


def _met(one: MetLimit) -> MetLimitShape:
    unit = one.balance.policy.unit
    return {
        **leg(one.balance),
        "requested": None if one.requested is None else amount(one.requested, unit),
        "refused": one.refused,
        "shortfall": amount(one.shortfall, unit),
        "usage_id": one.usage_id,
    }
