"""Limits tried on the past, read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.balances import terms
from budget.client.reading.parts import amount, nanos, partition, us, window
from budget.client.reading.rating import day_us
from budget.domain.answers_trials import (
    Counted,
    Fullest,
    Simulation,
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
