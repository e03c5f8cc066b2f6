"""Parts that many answers share: amounts, instants, windows, partitions, holds."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from budget.domain.allocations import Held
from budget.domain.budgets import PolicyTerms
from budget.domain.money import format_fraction, format_usd
from budget.domain.shapes import Amount, HeldShape, PageShape, WindowShape
from budget.domain.windows import MAX_US, Window, to_rfc3339

T = TypeVar("T")


def amount(value: int, unit: str) -> Amount:
    """An amount in a policy's unit: USD as a string, else a count."""
    return format_usd(value) if unit == "usd" else value


def amount_text(value: int, unit: str) -> str:
    """An amount in words: 1.50 USD, 1200 tokens."""
    return f"{format_usd(value)} USD" if unit == "usd" else f"{value} {unit.replace('_', ' ')}"


def money(nanos: int | None) -> str | None:
    """Money; null where it is not known."""
    return None if nanos is None else format_usd(nanos)


fraction = lru_cache(maxsize=64)(format_fraction)
limit_in_usd = lru_cache(maxsize=1024)(format_usd)  # the same few come with every call


def instant(at_us: int) -> str | None:
    """An instant; null for what never comes."""
    return None if at_us >= MAX_US else to_rfc3339(at_us)


def policy_text(policy: PolicyTerms) -> str:
    """A policy in words: daily usd hard_limit."""
    return f"{policy.period.text} {policy.unit} {policy.enforcement}"


def holding(held: Held) -> HeldShape:
    """What an allocation holds as a whole."""
    usd, tokens, requests = held
    return {"usd": money(usd), "tokens": tokens, "requests": requests}


def window_of(window: Window) -> WindowShape:
    """A window."""
    start, end = _window_ends(window)
    return {"start": start, "end": end}


@lru_cache(maxsize=1024)
def _window_ends(window: Window) -> tuple[str, str | None]:
    return to_rfc3339(window.start_us), instant(window.end_us)


def partition_of(text: str) -> dict[str, str | None]:
    """A partition: its attributes and their values."""
    return {} if text == "{}" else _partition(text).copy()


@lru_cache(maxsize=4096)
def _partition(text: str) -> dict[str, str | None]:
    parts: dict[str, str | None] = json.loads(text)
    return parts


def metadata_of(text: str) -> Any:
    """Metadata, as its caller gave it."""
    return {} if text == "{}" else json.loads(text)


def page(items: Sequence[T], next_cursor: str | None, shape: Callable[[T], Any]) -> PageShape:
    """One page of a list, each item in its shape."""
    return {"items": [shape(item) for item in items], "next_cursor": next_cursor}
