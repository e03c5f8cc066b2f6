"""Sizes: a quantile of what was used, within the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.analytics.sizes import quantile, size_of

VALUES = st.lists(st.integers(0, 10**9), min_size=1, max_size=60)


def test_a_quantile_is_one_of_the_values() -> None:
    tens = list(range(10, 210, 10))  # 20 values
    assert quantile(tens, 9_500) == 190
    assert quantile(tens, 5_000) == 100
    assert (quantile(tens, 0), quantile(tens, 10_000)) == (10, 200)
    assert quantile([7], 9_500) == 7


def test_there_is_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError, match="of some values"):
        quantile([], 5_000)
    with pytest.raises(ValueError, match="from 0 to 10,000"):
        quantile([1], 10_001)


@given(VALUES, st.integers(0, 10_000))
def test_a_quantile_covers_its_share_and_nothing_less_would(values: list[int], bps: int) -> None:
    found = quantile(values, bps)
    assert found in values
    assert 10_000 * sum(one <= found for one in values) >= bps * len(values)
    below = sum(one < found for one in values)
    assert below == 0 or 10_000 * below < bps * len(values)


@given(VALUES, st.integers(0, 10_000), st.integers(0, 10_000))
def test_quantiles_grow_with_their_share(values: list[int], one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert min(values) <= quantile(values, less) <= quantile(values, more) <= max(values)


def test_the_size_of_a_chat_is_what_most_calls_stay_within() -> None:
    size = size_of([3000] * 19 + [9000], "chat")
    assert (size.tokens, size.quantile_tokens, size.table_tokens) == (3000, 3000, 4000)
    assert size.why == "95% of 20 calls used at most 3,000 tokens. The table says 4,000."


def test_a_size_stays_within_the_table() -> None:
    small, large = size_of([10] * 20, "chat"), size_of([10**6] * 20, "chat")
    assert (small.tokens, large.tokens) == (2000, 16_000)
    assert "a size is between 2,000 and 16,000" in large.why


def test_few_calls_leave_the_table() -> None:
    size = size_of([10] * 19, "coding")
    assert size.tokens == size.table_tokens == 8000
    assert (
        size.why == "19 of the 20 calls that it takes have been seen; the table says 8,000 tokens."
    )
    assert size_of([], "odd").tokens == 2000  # the default


@given(st.lists(st.integers(0, 10**9), max_size=60), st.sampled_from(["chat", "coding", "x"]))
def test_a_size_is_never_out_of_its_bounds(used: list[int], task_type: str) -> None:
    size = size_of(used, task_type)
    assert size.least_tokens <= size.tokens <= size.most_tokens
