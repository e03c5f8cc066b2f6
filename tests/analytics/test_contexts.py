"""Contexts: when one is used up, and what would help, in figures that are worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.analytics.contexts import (
    Held,
    Level,
    efficiency_bps,
    halves_of,
    hints_of,
    limit_exhaustion,
    window_exhaustion,
)
from budget.domain.answers_contexts import Exhaustion, Use

MINUTE = 60_000_000


def calls(*sizes: tuple[int, int], apart_us: int = MINUTE) -> list[Use]:
    """Calls of (input, output) tokens, a minute apart; a token costs 10 nanos."""
    return [Use(n * apart_us, i, o, (i + o) * 10) for n, (i, o) in enumerate(sizes)]


def of_limit(
    uses: list[Use], limit: int, used: int, now_us: int, unit: str = "tokens"
) -> Exhaustion:
    level = Level(unit, limit, used)  # type: ignore[arg-type]
    return limit_exhaustion(uses, level, now_us, "policy_1", "Contexts")


def test_a_limit_is_used_up_at_the_pace_of_the_calls() -> None:
    uses = calls((900, 100), (900, 100), (900, 100))  # 1,000 tokens a minute
    told = of_limit(uses, 8000, 3000, now_us=2 * MINUTE)
    assert (told.left, told.calls_left) == (5000, 5)
    assert told.at_us == 2 * MINUTE + 5 * MINUTE


def test_while_nothing_comes_the_pace_slows() -> None:
    uses = calls((900, 100), (900, 100), (900, 100))  # 2,000 after the first, in 10 minutes
    told = of_limit(uses, 8000, 3000, now_us=10 * MINUTE)
    assert told.calls_left == 5
    assert told.at_us == 10 * MINUTE + 25 * MINUTE


def test_a_limit_in_money_is_used_up_by_what_calls_cost() -> None:
    uses = calls((900, 100), (900, 100))  # 10,000 nanos each, a minute apart
    told = of_limit(uses, 100_000, 20_000, MINUTE, "usd")
    assert (told.left, told.calls_left, told.at_us) == (80_000, 8, 9 * MINUTE)


@pytest.mark.parametrize(
    ("unit", "calls_left"),
    [("input_tokens", 5000 // 900), ("output_tokens", 50), ("requests", 5000)],
)
def test_each_unit_has_its_own_mean(unit: str, calls_left: int) -> None:
    assert of_limit(calls((900, 100)), 5000, 0, 0, unit).calls_left == calls_left


def test_one_call_has_a_size_and_no_pace() -> None:
    told = of_limit(calls((400, 100)), 2000, 500, now_us=MINUTE)
    assert (told.calls_left, told.at_us) == (3, None)


def test_without_calls_nothing_is_told_but_what_is_left() -> None:
    told = of_limit([], 2000, 0, now_us=MINUTE)
    assert (told.left, told.calls_left, told.at_us) == (2000, None, None)


def test_what_is_used_up_is_so_now() -> None:
    told = of_limit(calls((400, 100)), 400, 500, now_us=MINUTE)
    assert (told.left, told.calls_left, told.at_us) == (0, 0, MINUTE)


def test_a_window_fills_by_what_calls_grow() -> None:
    # Means of 200, 300, 400 and of 500, 600, 700: 300 and 600, three calls apart: 100 a call.
    uses = calls(*((n * 100, 0) for n in range(2, 8)))
    told = window_exhaustion(uses, 1750, now_us=5 * MINUTE)
    assert told is not None
    assert (told.used, told.left, told.calls_left) == (700, 1050, 10)
    assert told.at_us == 15 * MINUTE  # a call a minute


def test_a_window_that_does_not_fill_has_no_end() -> None:
    told = window_exhaustion(calls(*[(500, 50)] * 6), 1000, now_us=MINUTE)
    assert told is not None
    assert (told.left, told.calls_left, told.at_us) == (450, None, None)


def test_a_full_window_is_full_now_and_none_without_calls() -> None:
    told = window_exhaustion(calls((900, 200)), 1000, now_us=MINUTE)
    assert told is not None
    assert (told.left, told.calls_left, told.at_us) == (0, 0, MINUTE)
    assert window_exhaustion([], 1000, MINUTE) is None


def test_the_middle_of_an_odd_number_is_in_neither_half() -> None:
    halves = halves_of(calls(*((n, 10 * n) for n in range(1, 8))))
    assert halves is not None
    assert (halves.before_input, halves.after_input) == (2, 6)
    assert (halves.before_output, halves.after_output) == (20, 60)
    assert halves.apart == 4
    assert halves_of(calls(*[(1, 1)] * 5)) is None


def test_efficiency_is_what_was_used_of_what_was_allocated() -> None:
    assert efficiency_bps(750, 1000) == 7500
    assert efficiency_bps(1500, 1000) == 15_000
    assert efficiency_bps(0, 0) is None


NOTHING_HELD = Held(0, 0, 0)


def test_a_window_that_is_nearly_full_is_hinted_at() -> None:
    near = Exhaustion("window", "tokens", 1000, 800, 200, 4, None)
    (hint,) = hints_of([], [near], NOTHING_HELD)
    assert hint.kind == "window"
    assert hint.text == (
        "The newest call filled 80% of the model's window of 1,000 tokens, about 4 more calls fit: "
        "compress the context, or begin another."
    )
    assert hints_of([], [near._replace(used=799)], NOTHING_HELD) == ()


def test_a_limit_that_is_nearly_used_is_hinted_at() -> None:
    near = Exhaustion("limit", "tokens", 8000, 7600, 400, 1, None, "policy_1", "Contexts")
    (hint,) = hints_of([], [near], NOTHING_HELD)
    assert hint.text == (
        "95% of the context's limit of 8,000 tokens is used, 400 are left, about 1 more call fits: "
        "compress it, or raise the limit."
    )


def test_a_limit_that_is_used_up_is_told_shortly() -> None:
    full = Exhaustion("limit", "usd", 8000, 9000, 0, 0, 5, "policy_1", "Contexts")
    (hint,) = hints_of([], [full], NOTHING_HELD)
    assert hint.text == "The limit of the context that 'Contexts' sets is used up: raise it."


def test_input_that_grows_faster_than_output_is_hinted_at_with_what_it_costs() -> None:
    uses = calls((100, 50), (100, 50), (100, 50), (400, 60), (400, 60), (400, 60))
    (hint,) = hints_of(uses, [], NOTHING_HELD, million_input_nanos=3_000_000_000)
    assert (hint.kind, hint.saved_tokens) == ("input_growth", 300)
    assert hint.saved_nanos == 900_000  # 300 tokens at 3 USD a million
    assert "read 400 tokens on average, 100 before, and write 60, 50 before" in hint.text


def test_input_that_grows_as_its_output_does_is_not() -> None:
    uses = calls((100, 50), (100, 50), (100, 50), (400, 200), (400, 200), (400, 200))
    assert hints_of(uses, [], NOTHING_HELD) == ()


def test_holds_of_which_little_is_used_are_hinted_at() -> None:
    (hint,) = hints_of([], [], Held(5, 10_000, 4000))
    assert (hint.kind, hint.saved_tokens) == ("size", 1200)
    assert hint.text.startswith("Calls used 40% of the tokens")
    assert hints_of([], [], Held(4, 10_000, 4000)) == ()
    assert hints_of([], [], Held(5, 10_000, 5000)) == ()


# --- Properties ----------------------------------------------------------------------------------

USES = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), min_size=0, max_size=30
).map(lambda sizes: calls(*sizes))
LIMITS = st.integers(0, 10**9)


@given(USES, LIMITS, LIMITS, LIMITS, st.integers(0, 10**9))
def test_more_that_is_left_never_ends_sooner(
    uses: list[Use], used: int, less: int, more: int, later_us: int
) -> None:
    less, more = sorted((less, more))
    now_us = (uses[-1].at_us if uses else 0) + later_us
    sooner = of_limit(uses, used + less, used, now_us)
    later = of_limit(uses, used + more, used, now_us)
    if sooner.at_us is not None and later.at_us is not None:
        assert now_us <= sooner.at_us <= later.at_us
    if sooner.calls_left is not None and later.calls_left is not None:
        assert 0 <= sooner.calls_left <= later.calls_left
    assert sooner.left == less


@given(USES, st.integers(1, 10**7), st.integers(0, 10**9))
def test_so_many_calls_of_that_growth_do_fit(uses: list[Use], window: int, later_us: int) -> None:
    now_us = (uses[-1].at_us if uses else 0) + later_us
    told = window_exhaustion(uses, window, now_us)
    if told is None or told.calls_left is None:
        return
    assert told.at_us is None or told.at_us >= now_us
    halves = halves_of(uses)
    if told.left and halves is not None:
        grown = halves.after_input + halves.after_output
        grown -= halves.before_input + halves.before_output
        assert told.used * halves.apart + told.calls_left * grown <= window * halves.apart
