"""What settled calls teach: it lowers the bound only as far as it keeps nearly all of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.domain.calibration import (
    FEWEST_SAMPLES,
    KEPT_SAMPLES,
    Calibration,
    all_learnt,
    calibrated,
    common_factor_bps,
    factor_bps,
    learnt,
)
from budget.domain.errors import InvalidInput
from budget.domain.estimating import Bound


def after(*pairs: tuple[int, int], times: int = 1) -> Calibration:
    calibration = Calibration()
    for _ in range(times):
        for bound, tokens in pairs:
            calibration = learnt(calibration, bound, tokens)
    return calibration


def test_with_few_samples_the_bound_stays_as_it_is() -> None:
    few = after((1000, 500), times=FEWEST_SAMPLES - 1)
    assert factor_bps(few) == 10_000
    assert factor_bps(learnt(few, 1000, 500)) == 5250  # 50%, and 5% of that


def test_the_factor_covers_the_highest_ratio_seen_and_a_little_more() -> None:
    # 100 calls at 50%, 100 at 60.4% (61 steps of 1%): 61% x 1.05
    assert factor_bps(after((1000, 500), (1000, 604), times=100)) == 6405


def test_one_call_of_a_thousand_may_be_left_uncovered() -> None:
    calibration = learnt(after((1000, 500), times=999), 1000, 900)
    assert factor_bps(calibration) == 5250
    assert factor_bps(learnt(calibration, 1000, 900)) == 9450


def test_bounds_that_were_too_low_are_raised() -> None:
    assert factor_bps(after((1000, 1200), times=200)) == 12_600


def test_the_factor_is_never_below_two_fifths_nor_above_two() -> None:
    assert factor_bps(after((1000, 10), times=200)) == 4000
    assert factor_bps(after((1000, 0), times=200)) == 4000
    assert factor_bps(after((1000, 9000), times=200)) == 20_000


def test_the_calibrated_bound_is_rounded_up() -> None:
    assert calibrated(Bound(1001, 0), 5250) == 526  # 525.525
    assert calibrated(Bound(1001, 0), 10_000) == 1001


def test_a_factor_applies_to_texts_alone() -> None:
    # 1001 of 4001 are text: 525.525, and 3000 for images
    assert calibrated(Bound(4001, 3000), 5250) == 3526


def test_what_is_learnt_at_once_is_what_is_learnt_one_by_one() -> None:
    pairs = [(1000, 500), (1000, 731), (10, 30)]
    assert all_learnt(after((8, 8)), pairs) == after((8, 8), *pairs)


def test_others_get_the_highest_factor_of_at_least_three_keys() -> None:
    assert common_factor_bps([5000, 5250]) is None
    assert common_factor_bps([5000, 9000, 4000]) == 9000


def test_what_was_learnt_long_ago_fades() -> None:
    full = Calibration({50: KEPT_SAMPLES - 10, 80: 10})
    halved = learnt(full, 1000, 500)
    assert dict(halved.seen) == {50: (KEPT_SAMPLES - 9) // 2, 80: 5}


def test_learning_leaves_the_former_state_as_it_was() -> None:
    before = after((1000, 500))
    learnt(before, 1000, 500)
    assert before.samples == 1


@pytest.mark.parametrize(
    ("bound", "tokens", "field"),
    [(0, 1, "bound_tokens"), (True, 1, "bound_tokens"), (5, -1, "input_tokens"),
     (5, 10**12 + 1, "input_tokens")],
)  # fmt: skip
def test_counts_that_cannot_be_are_refused(bound: int, tokens: int, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        learnt(Calibration(), bound, tokens)
    assert refused.value.field == field


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)), min_size=200, max_size=300)
)
def test_nearly_all_calls_seen_are_covered_where_the_most_allows_it(
    pairs: list[tuple[int, int]],
) -> None:
    calibration = after(*pairs)
    factor = factor_bps(calibration)
    uncovered = sum(tokens > calibrated(Bound(bound, 0), factor) for bound, tokens in pairs)
    beyond_most = sum(tokens > 2 * bound for bound, tokens in pairs)
    assert uncovered <= max(len(pairs) // 1000, beyond_most)
