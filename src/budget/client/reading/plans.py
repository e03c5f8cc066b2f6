"""Plans of tasks read."""

from collections.abc import Iterable, Mapping
from typing import Any

from budget.client.reading.balances import terms
from budget.client.reading.parts import amount, nanos, partition, us
from budget.domain.answers_plans import (
    Lack,
    MovedTask,
    OneMore,
    Plan,
    PlannedLimit,
    PlannedTask,
    PlannedValue,
)


def plan(shape: Mapping[str, Any]) -> Plan:
    """The plan that is worth most."""
    more = shape["one_more_usd"]
    return Plan(
        us(shape["at"]),
        shape["is_best"],
        nanos(shape["hold"]),
        _values(shape["values"]),
        tuple(_task(one) for one in shape["tasks"]),
        tuple(_limit(one) for one in shape["limits"]),
        None
        if more is None
        else OneMore(
            _values(more["values"]),
            tuple(MovedTask(one["id"], one["model_before"], one["model"]) for one in more["tasks"]),
        ),
    )


def _values(shapes: Iterable[Mapping[str, Any]]) -> tuple[PlannedValue, ...]:
    return tuple(PlannedValue(one["priority"], one["value"], one["at_most"]) for one in shapes)


def _task(shape: Mapping[str, Any]) -> PlannedTask:
    return PlannedTask(
        shape["id"], shape["priority"], shape["value"], shape["most_value"], shape["provider"],
        shape["model"], shape["tier"], shape["calls"], shape["input_tokens"],
        shape["max_output_tokens"], nanos(shape["hold"]), shape["tokens"], shape["why"],
        tuple(_lack(one) for one in shape["lacks"]), shape["candidates"],
        {one["model"]: one["why"] for one in shape["excluded"]},
    )  # fmt: skip


def _lack(shape: Mapping[str, Any]) -> Lack:
    if shape["policy_id"] is None:
        return Lack(None, None, None)
    return Lack(terms(shape), shape["budget"], amount(shape["amount"]))


def _limit(shape: Mapping[str, Any]) -> PlannedLimit:
    return PlannedLimit(
        terms(shape), shape["budget"], partition(shape["partition"]), amount(shape["limit"]),
        amount(shape["free"]), amount(shape["takes"]),
    )  # fmt: skip
