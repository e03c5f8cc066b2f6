"""Sizes: how many tokens to hold for a call, learnt from what such calls used.

It is a quantile of what was used, within what the table of default sizes spans for the type of
task. Not here: which calls are alike (`engine.sizes`), and the table (`domain.allocations`).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from budget.analytics.contexts import percent
from budget.domain.allocations import NORMAL_PRIORITY, default_size_tokens
from budget.domain.budgets import BPS
from budget.domain.money import ceil_div

QUANTILE_BPS: Final = 9_500
FEWEST_CALLS: Final = 20
"""With fewer calls the table's size stays."""
LOW: Final = 1
CRITICAL: Final = 10


class Size(NamedTuple):
    """A size and what it comes from; `quantile_tokens` is what so many of the calls stay within."""

    tokens: int
    quantile_tokens: int
    table_tokens: int
    least_tokens: int
    most_tokens: int
    why: str


def quantile(values: Sequence[int], bps: int) -> int:
    """The least of some values that at least this share of them is not above.

    Raises ValueError where there are none, or for a share that is not between 0 and 10,000.
    """
    if not values or not 0 <= bps <= BPS:
        raise ValueError("a quantile is of some values, and from 0 to 10,000")
    return sorted(values)[max(0, ceil_div(len(values) * bps, BPS) - 1)]


def size_of(used_tokens: Sequence[int], task_type: str) -> Size:
    """The size for calls of a type of task, from what such calls used."""
    table = default_size_tokens(task_type, NORMAL_PRIORITY)
    least, most = default_size_tokens(task_type, LOW), default_size_tokens(task_type, CRITICAL)
    calls = len(used_tokens)
    if calls < FEWEST_CALLS:
        why = (
            f"{calls:,} of the {FEWEST_CALLS} calls that it takes have been seen; the table says "
            f"{table:,} tokens."
        )
        seen = quantile(used_tokens, QUANTILE_BPS) if calls else 0
        return Size(table, seen, table, least, most, why)
    seen = quantile(used_tokens, QUANTILE_BPS)
    tokens = min(most, max(least, seen))
    why = f"{percent(QUANTILE_BPS)} of {calls:,} calls used at most {seen:,} tokens"
    if tokens != seen:
        why += f"; a size is between {least:,} and {most:,}"
    return Size(tokens, seen, table, least, most, f"{why}. The table says {table:,}.")
