"""Limits tried on the past, and decisions explained, read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.balances import balance, terms
from budget.client.reading.parts import (
    amount,
    amount_or_none,
    held,
    nanos,
    nanos_or_none,
    partition,
    us,
    window,
)
from budget.client.reading.rating import day_us
from budget.domain.answers_trials import (
    Counted,
    Explanation,
    Fullest,
    MetLimit,
    Simulation,
    Step,
    TriedCall,
    TriedDay,
    TriedGroup,
    TriedLimit,
)


def simulation(shape: Mapping[str, Any]) -> Simulation:
    """What limits would have done to the calls of a time."""
    first = shape["first_refusal"]
    return Simulation(
        us(shape["since"]),
        us(shape["until"]),
        _counted(shape["total"]),
        tuple(_limit(one) for one in shape["limits"]),
        tuple(TriedDay(day_us(one["day"]), _counted(one)) for one in shape["days"]),
        tuple(TriedGroup(one["attribute"], one["value"], _counted(one)) for one in shape["groups"]),
        None if first is None else _call(first),
    )


def _counted(shape: Mapping[str, Any]) -> Counted:
    return Counted(
        shape["calls"], nanos(shape["cost"]), shape["refused"], nanos(shape["refused_cost"]),
        shape["over"], nanos(shape["over_cost"]),
    )  # fmt: skip


def _limit(shape: Mapping[str, Any]) -> TriedLimit:
    fullest = shape["fullest"]
    return TriedLimit(
        terms(shape), shape["budget"], amount(shape["limit"]), _counted(shape),
        None if fullest is None else _fullest(fullest),
    )  # fmt: skip


def _fullest(shape: Mapping[str, Any]) -> Fullest:
    return Fullest(
        us(shape["at"]), partition(shape["partition"]), window(shape["window"]),
        amount(shape["limit"]), amount(shape["used"]),
    )  # fmt: skip


def _call(shape: Mapping[str, Any]) -> TriedCall:
    return TriedCall(
        us(shape["at"]), shape["call_id"], shape["attributes"], shape["policy_id"],
        partition(shape["partition"]), amount(shape["limit"]), amount(shape["spent"]),
        amount(shape["reserved"]), amount(shape["assumed"]), amount(shape["requested"]),
        amount(shape["shortfall"]),
    )  # fmt: skip


def explanation(shape: Mapping[str, Any]) -> Explanation:
    """Why a call was admitted or refused, and what happened to it later."""
    return Explanation(
        shape["verdict"], us(shape["at"]), shape["actor"], shape["code"], shape["times"],
        shape["attributes"], shape["allocation_id"], shape["usage_id"], shape["basis"],
        None if shape["held"] is None else held(shape["held"]),
        shape["input_tokens"], shape["granted_output_tokens"],
        tuple(
            MetLimit(
                balance(one), amount_or_none(one["requested"]), one["refused"],
                amount(one["shortfall"]), one.get("usage_id"),
            )
            for one in shape["limits"]
        ),
        tuple(
            Step(
                us(one["at"]), one["kind"], one["actor"], one["usage_id"],
                nanos_or_none(one["cost"]), tuple(one["flags"]), one["reason"],
            )
            for one in shape["later"]
        ),
    )  # fmt: skip
