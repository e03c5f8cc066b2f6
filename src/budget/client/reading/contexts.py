"""Contexts read, and what use teaches of holds."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import amount, nanos, nanos_or_none, us, us_or_none
from budget.domain.answers_contexts import (
    Context,
    ContextUse,
    Efficiencies,
    Efficiency,
    Exhaustion,
    Hint,
    LearntSize,
    Prediction,
    SeenContext,
    Use,
)

Shape = Mapping[str, Any]


def context(shape: Shape) -> Context:
    """A context; in full where that is told."""
    seen = shape.get("apollo")
    return Context(
        shape["context_id"], shape["attributes"], us(shape["first_at"]), us(shape["last_at"]),
        shape["requests"], shape["input_tokens"], shape["output_tokens"], nanos(shape["cost"]),
        shape["unpriced"], shape["allocations"], shape["open_allocations"],
        shape["reserved_tokens"], shape["allocated_tokens"], shape["used_tokens"],
        _bps(shape["efficiency"]), shape["window_tokens"], shape["fill_tokens"],
        tuple(map(_exhaustion, shape["exhaustions"])), tuple(map(_hint, shape["hints"])),
        tuple(map(_use_by, shape.get("by", ()))), tuple(map(_use, shape.get("calls", ()))),
        None if seen is None else _seen(seen),
        tuple(map(_prediction, shape.get("predictions", ()))),
    )  # fmt: skip


def _exhaustion(one: Shape) -> Exhaustion:
    return Exhaustion(
        one["of"], one["unit"], amount(one["limit"]), amount(one["used"]), amount(one["left"]),
        one["calls_left"], us_or_none(one["at"]), one["policy_id"], one["budget"],
    )  # fmt: skip


def _hint(one: Shape) -> Hint:
    return Hint(one["kind"], one["text"], one["saved_tokens"], nanos_or_none(one["saved_cost"]))


def _use_by(one: Shape) -> ContextUse:
    return ContextUse(
        one["component"], one["tier"], one["task_type"], one["provider"], one["model"],
        one["requests"], one["input_tokens"], one["output_tokens"], nanos(one["cost"]),
        one["unpriced"],
    )  # fmt: skip


def _use(one: Shape) -> Use:
    cost_nanos = nanos_or_none(one["cost"])
    return Use(us(one["at"]), one["input_tokens"], one["output_tokens"], cost_nanos)


def _seen(one: Shape) -> SeenContext:
    return SeenContext(
        one["context_id"], one["component"], one["provider"], one["model"], one["task_type"],
        one["input_tokens"], one["output_tokens"], one["total_tokens"], one["max_tokens"],
        _bps(one["token_utilization"]), one["health"], _bps(one["health_score"]),
        one["updated_at"],
    )  # fmt: skip


def _prediction(one: Shape) -> Prediction:
    return Prediction(
        one["context_id"], one["prediction_id"], one["health"], _bps(one["health_score"]),
        one["total_tokens"], _bps(one["token_utilization"]), _bps(one["confidence"]),
        one["predicted_at"],
    )  # fmt: skip


def efficiencies(shape: Shape) -> Efficiencies:
    """What was used of what was held."""
    keys = tuple(shape["group_by"])
    groups = [_efficiency(keys, one) for one in shape["groups"]]
    return Efficiencies(keys, _efficiency((), shape["total"]), groups)


def _efficiency(keys: tuple[str, ...], one: Shape) -> Efficiency:
    return Efficiency(
        tuple(one["attributes"][key] or "" for key in keys), one["calls"],
        one["allocated_tokens"], one["used_tokens"], one["overrun_tokens"],
        _bps(one["efficiency"]),
    )  # fmt: skip


def sizes(shape: Shape) -> list[LearntSize]:
    """What was learnt of each kind of calls."""
    return [
        LearntSize(
            one["component"] or "", one["task_type"], one["family"] or "", one["calls"],
            one["quantile_tokens"], one["tokens"], one["table_tokens"], one["least_tokens"],
            one["most_tokens"], one["applied"], one["why"],
        )
        for one in shape["items"]
    ]  # fmt: skip


def _bps(text: str | None) -> int | None:
    """A share in basis points; it may be above 1."""
    if text is None:
        return None
    whole, _, decimals = text.partition(".")
    return int(whole + decimals.ljust(4, "0"))
