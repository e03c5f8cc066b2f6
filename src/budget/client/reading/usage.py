"""Usage as a whole read: what it adds up to, and how policies stand."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.balances import balance, terms
from budget.client.reading.parts import amount, nanos, us, us_or_never, window
from budget.domain.answers_usage import Bucket, Figures, Group, Standing, UsageSummary
from budget.domain.windows import Window


def figures(shape: Mapping[str, Any]) -> Figures:
    """What records add up to."""
    return Figures(
        records=shape["count"],
        requests=shape["requests"],
        input_tokens=shape["input_tokens"],
        output_tokens=shape["output_tokens"],
        cache_read_tokens=shape["cache_read_tokens"],
        cache_write_tokens=shape["cache_write_tokens"],
        reasoning_tokens=shape["reasoning_tokens"],
        cost_nanos=nanos(shape["cost"]),
        unpriced=shape["unpriced"],
    )


def usage_summary(shape: Mapping[str, Any]) -> UsageSummary:
    """What usage of a time adds up to."""
    keys = tuple(shape["group_by"])
    groups = shape["groups"]
    return UsageSummary(
        window=Window(us(shape["since"]), us_or_never(shape["until"])),
        period=shape["period"],
        zone=shape["timezone"],
        total=figures(shape["total"]),
        group_by=keys,
        groups=tuple(_group(keys, one) for one in groups) if keys else (),
        other=_figures_or_none(shape["other"]),
        by={} if keys else {key: _groups_by(of) for key, of in groups.items()},
        bucket=shape["bucket"],
        buckets=tuple(_bucket(one) for one in shape["buckets"]),
    )


def _group(keys: tuple[str, ...], shape: Mapping[str, Any]) -> Group:
    values = tuple(shape["group"][key] or "" for key in keys)
    return Group(values, figures(shape), tuple(figures(one) for one in shape["buckets"]))


def _groups_by(shape: Mapping[str, Any]) -> tuple[Group, ...]:
    return tuple(Group((value,), figures(one)) for value, one in shape.items())


def _bucket(shape: Mapping[str, Any]) -> Bucket:
    of = Window(us(shape["start"]), us_or_never(shape["end"]))
    return Bucket(of, figures(shape), _figures_or_none(shape["other"]))


def _figures_or_none(shape: Mapping[str, Any] | None) -> Figures | None:
    return None if shape is None else figures(shape)


def standing(shape: Mapping[str, Any]) -> Standing:
    """How a policy stands."""
    fullest = shape["fullest"]
    return Standing(
        terms(shape),
        shape["budget"],
        shape["timezone"],
        tuple(shape["partition_by"]),
        window(shape["window"]),
        shape["balances"],
        amount(shape["limit"]),
        amount(shape["spent"]),
        amount(shape["reserved"]),
        amount(shape["assumed"]),
        amount(shape["overrun"]),
        None if fullest is None else balance(fullest),
        shape["active_allocations"],
        shape["total_tokens_used"],
        nanos(shape["total_cost"]),
        shape["requests"],
    )
