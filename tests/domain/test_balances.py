"""Balances: windows that open and close, buckets that leave, carries, top-ups and thresholds."""

from dataclasses import replace

import pytest

from budget.domain.balances import MAX_BALANCE, Balance, Cell, Posting
from budget.domain.budgets import Policy
from budget.domain.errors import InvalidInput
from budget.domain.windows import MAX_US, Window
from tests.domain.desk import HOUR, MIDNIGHT, MINUTE, NOON, policy, top_up, us

FRIDAY = us("2026-05-15 00:00")
SATURDAY = us("2026-05-16 00:00")
SUNDAY = us("2026-05-17 00:00")


def opened(of: Policy, now_us: int = NOON, partition: str = "{}") -> Balance:
    balance = Balance(1, of, partition)
    balance.open(now_us)
    return balance


def spend(balance: Balance, amount: int, cell_us: int | None = None) -> None:
    balance.post(Posting(1, balance.start_us if cell_us is None else cell_us, amount, 0, 0))


def figures(of: Balance | Cell) -> tuple[int, int, int, int]:
    return of.spent, of.reserved, of.assumed, of.overrun


# --- Windows -------------------------------------------------------------------------------------


def test_the_first_call_opens_the_window_of_now() -> None:
    balance = opened(policy(limit=100))
    assert balance.window == Window(FRIDAY, SATURDAY)
    assert balance.limit == 100
    assert figures(balance) == (0, 0, 0, 0)
    assert not balance.changed, "opening is not yet a change"


def test_postings_change_the_open_window_and_count_versions() -> None:
    balance = opened(policy())
    assert balance.post(Posting(1, FRIDAY, 0, 60, 0)) == 1
    assert balance.post(Posting(1, FRIDAY, 50, -60, 10, 3)) == 2
    assert figures(balance) == (50, 0, 10, 3)
    assert balance.total == 60
    assert balance.changed


def test_a_window_that_has_passed_is_closed_with_its_figures() -> None:
    balance = opened(policy())
    balance.post(Posting(1, FRIDAY, 5, 20, 0))
    assert balance.open(MIDNIGHT) == MIDNIGHT
    assert balance.window == Window(SATURDAY, SUNDAY)
    assert figures(balance) == (0, 0, 0, 0)
    closed = balance.cells[FRIDAY]
    assert (figures(closed), closed.end_us, closed.changed) == ((5, 20, 0, 0), SATURDAY, True)


def test_a_late_fact_changes_the_closed_window_and_not_the_open_one() -> None:
    balance = opened(policy())
    balance.post(Posting(1, FRIDAY, 0, 20, 0))
    balance.open(MIDNIGHT)
    balance.post(Posting(1, FRIDAY, 25, -20, 0))
    assert figures(balance.cells[FRIDAY]) == (25, 0, 0, 0)
    assert figures(balance) == (0, 0, 0, 0)


def test_a_window_ends_just_before_the_next_one_starts() -> None:
    balance = opened(policy(), MIDNIGHT - 1)
    assert balance.start_us == FRIDAY
    balance.open(MIDNIGHT)
    assert balance.start_us == SATURDAY


def test_a_window_that_was_left_never_opens_again() -> None:
    balance = opened(policy(), MIDNIGHT)
    assert balance.open(NOON) == MIDNIGHT, "the clock went back, the balance did not"
    assert balance.window == Window(SATURDAY, SUNDAY)


def test_a_partition_without_its_session_has_the_day_as_its_window() -> None:
    of = policy(period="per_session")
    assert opened(of, partition='{"session":"s"}').window == Window(0, MAX_US)
    assert opened(of, partition='{"session":null}').window == Window(FRIDAY, SATURDAY)


# --- Rolling buckets -----------------------------------------------------------------------------


def test_a_rolling_balance_is_the_sum_of_the_current_bucket_and_the_sixty_before() -> None:
    balance = opened(policy(period="rolling:1h"))
    assert balance.window == Window(NOON - HOUR, NOON + MINUTE)
    spend(balance, 10)
    balance.open(NOON + 30 * MINUTE)
    spend(balance, 20)
    balance.open(NOON + 61 * MINUTE - 1)  # the last instant at which the first bucket counts
    assert balance.spent == 30
    balance.open(NOON + 61 * MINUTE)
    assert balance.spent == 20
    assert list(balance.cells) == [NOON + 30 * MINUTE]
    balance.open(NOON + 91 * MINUTE)
    assert balance.spent == 0


def test_a_bucket_is_a_sixtieth_of_the_period_rounded_up() -> None:
    balance = opened(policy(period="rolling:1s"), NOON)
    assert balance.policy.bucket_us == 16_667  # 1,000,000 / 60 = 16,666.67
    assert balance.window.end_us - balance.window.start_us == 61 * 16_667


def test_all_of_a_bucket_leaves_together() -> None:
    balance = opened(policy(period="rolling:1h"))
    balance.post(Posting(1, NOON, 1, 2, 3, 4))
    balance.open(NOON + 2 * HOUR)
    assert figures(balance) == (0, 0, 0, 0)


def test_a_posting_to_a_bucket_that_has_left_counts_nowhere_but_in_the_version() -> None:
    balance = opened(policy(period="rolling:1h"))
    balance.post(Posting(1, NOON, 0, 50, 0))
    balance.open(NOON + 2 * HOUR)
    assert balance.post(Posting(1, NOON, 50, -50, 0)) == 2
    assert figures(balance) == (0, 0, 0, 0)
    assert balance.cells == {}


def test_buckets_never_move_back() -> None:
    balance = opened(policy(period="rolling:1h"))
    spend(balance, 10)
    assert balance.open(NOON - 5 * MINUTE) == NOON
    assert balance.start_us == NOON
    assert balance.spent == 10


# --- Rollover ------------------------------------------------------------------------------------


def rolling_over(*, limit: int, created_us: int = us("2026-05-01 00:00")) -> Policy:
    return policy(limit=limit, rollover="unused", created_us=created_us)


def test_what_is_left_of_a_window_is_carried_into_the_next() -> None:
    balance = opened(rolling_over(limit=100), FRIDAY)
    balance.post(Posting(1, balance.start_us, 30, 20, 10))
    balance.open(SATURDAY)
    assert balance.carry == 40  # 100 - 30 - 20 - 10
    assert balance.limit == 140


def test_the_carry_does_not_carry_on() -> None:
    balance = opened(rolling_over(limit=100), us("2026-05-14 12:00"))
    balance.open(FRIDAY)
    assert balance.limit == 200
    spend(balance, 150)  # 50 of them out of what Thursday left
    balance.open(SATURDAY)
    assert balance.carry == 0  # max(0, 100 - 150)
    balance.open(SUNDAY)
    assert balance.carry == 100


def test_a_window_without_a_call_counts_as_wholly_unused() -> None:
    balance = opened(rolling_over(limit=100), us("2026-05-13 12:00"))
    spend(balance, 90)
    balance.open(NOON)  # nobody called on the 14th
    assert balance.carry == 100


def test_the_carry_is_at_most_one_limit() -> None:
    of = rolling_over(limit=100)
    of = replace(of, top_ups=(top_up(50, FRIDAY, FRIDAY + 1),))
    balance = opened(of, FRIDAY + HOUR)
    assert balance.limit == 250  # a limit, what was left of Thursday, and the top-up
    spend(balance, 10)
    balance.open(SATURDAY)
    assert balance.carry == 100  # 100 + 50 - 10 = 140, of which one limit


def test_a_top_up_that_was_not_used_is_carried_over() -> None:
    of = replace(rolling_over(limit=100), top_ups=(top_up(50, FRIDAY, FRIDAY + 1),))
    balance = opened(of, FRIDAY + HOUR)
    spend(balance, 70)
    balance.open(SATURDAY)
    assert balance.carry == 80  # 100 + 50 - 70


def test_nothing_is_carried_from_before_the_policy_existed() -> None:
    of = rolling_over(limit=100, created_us=FRIDAY)
    assert opened(of, NOON).carry == 0
    assert opened(of, SATURDAY).carry == 100, "the day it was made counts"


def test_a_policy_made_in_the_middle_of_a_window_carries_what_is_left_of_it() -> None:
    balance = opened(rolling_over(limit=100, created_us=NOON), NOON)
    assert balance.carry == 0
    spend(balance, 25)
    balance.open(SATURDAY)
    assert balance.carry == 75


def test_the_carry_is_fixed_when_the_window_opens() -> None:
    balance = opened(rolling_over(limit=100), FRIDAY)
    balance.post(Posting(1, FRIDAY, 0, 60, 0))
    balance.open(SATURDAY)
    assert balance.carry == 40
    balance.post(Posting(1, FRIDAY, 0, -60, 0))  # the hold returns: too late for Saturday
    balance.open(SATURDAY + HOUR)
    assert balance.carry == 40


def test_a_window_is_carried_over_at_the_limit_that_was_in_force_when_it_ended() -> None:
    changed = ((us("2026-05-01 00:00"), 100), (NOON, 40), (SATURDAY + HOUR, 500))
    of = replace(rolling_over(limit=100), limit=500, limits=changed)
    balance = opened(of, SATURDAY + 2 * HOUR)
    assert balance.carry == 40
    assert balance.limit == 540


# --- Top-ups -------------------------------------------------------------------------------------


def test_a_top_up_raises_every_window_that_starts_before_its_date_each_to_its_own_end() -> None:
    of = replace(policy(limit=100), top_ups=(top_up(50, NOON, SATURDAY + HOUR),))
    assert opened(of, us("2026-05-14 23:59")).limit == 100
    assert opened(of, NOON).limit == 150
    assert opened(of, SUNDAY - 1).limit == 150
    assert opened(of, SUNDAY).limit == 100


def test_a_top_up_counts_for_its_own_partition_or_for_all() -> None:
    top_ups = (top_up(50, NOON, MIDNIGHT, '{"user":"ann"}'), top_up(7, NOON, MIDNIGHT))
    of = replace(policy(limit=100), top_ups=top_ups)
    assert opened(of, NOON, '{"user":"ann"}').limit == 157
    assert opened(of, NOON, '{"user":"bob"}').limit == 107


def test_a_top_up_of_a_rolling_limit_counts_from_its_instant_to_its_date() -> None:
    of = replace(policy(period="rolling:1h", limit=100), top_ups=(top_up(50, NOON, NOON + MINUTE),))
    balance = Balance(1, of, "{}")
    limits = []
    for at_us in (NOON - 1, NOON, NOON + MINUTE - 1, NOON + MINUTE):
        balance.open(at_us)
        limits.append(balance.limit)
    assert limits == [100, 150, 150, 100]


# --- Overrun -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "increase", "overrun"),
    [
        (50, 50, 0),  # up to the limit
        (50, 51, 1),
        (90, 30, 20),  # 10 of it had room
        (100, 5, 5),
        (130, 5, 5),  # of what is beyond already only the increase counts
        (130, 0, 0),
        (130, -5, 0),
    ],
)
def test_an_overrun_is_what_of_the_increase_lies_beyond_the_limit(
    before: int, increase: int, overrun: int
) -> None:
    balance = opened(policy(limit=100))
    spend(balance, before)
    assert balance.overrun_by(FRIDAY, increase) == overrun


def test_what_is_held_and_assumed_leaves_less_before_an_overrun() -> None:
    balance = opened(policy(limit=100))
    balance.post(Posting(1, FRIDAY, 10, 40, 30))
    assert balance.overrun_by(FRIDAY, 25) == 5  # 80 + 25 - 100


@pytest.mark.parametrize("enforcement", ["soft_limit", "warn", "ignore"])
def test_only_a_hard_limit_is_overrun(enforcement: str) -> None:
    balance = opened(policy(limit=100, enforcement=enforcement))
    assert balance.overrun_by(FRIDAY, 500) == 0


def test_a_closed_window_is_overrun_by_its_own_limit() -> None:
    changed = ((us("2026-05-01 00:00"), 100), (MIDNIGHT, 1000))
    of = replace(
        policy(limit=100), limits=changed, limit=1000, top_ups=(top_up(20, NOON, NOON + 1),)
    )
    balance = Balance(1, of, "{}")
    balance.open(NOON)
    spend(balance, 110)
    balance.open(MIDNIGHT)
    balance.cells[FRIDAY].carry = 5
    assert balance.limit == 1000
    assert balance.overrun_by(FRIDAY, 20) == 5  # 110 + 20 - (100 + 20 + 5)


def test_a_rolling_limit_is_overrun_by_all_its_buckets_together() -> None:
    balance = opened(policy(period="rolling:1h", limit=100))
    spend(balance, 80)
    balance.open(NOON + MINUTE)
    assert balance.overrun_by(NOON + MINUTE, 30) == 10
    assert balance.overrun_by(NOON, 30) == 10
    balance.open(NOON + 3 * HOUR)
    assert balance.overrun_by(NOON, 500) == 0, "what has left counts nowhere"


# --- Room and thresholds -------------------------------------------------------------------------


def test_room_is_what_is_left_and_below_0_when_over() -> None:
    balance = opened(policy(limit=100))
    balance.post(Posting(1, FRIDAY, 30, 20, 10))
    assert balance.room(5) == 40
    spend(balance, 50)
    assert balance.room(5) == -10


def test_thresholds_are_crossed_by_what_is_spent_and_assumed_and_each_once() -> None:
    balance = opened(policy(limit=1000))

    def crossed_by(spent: int, reserved: int, assumed: int) -> list[str]:
        before = balance.spent + balance.assumed
        balance.post(Posting(1, FRIDAY, spent, reserved, assumed))
        return balance.crossed(before)

    assert crossed_by(0, 1000, 0) == []  # holds don't count
    assert crossed_by(799, -799, 0) == []
    assert crossed_by(0, -1, 1) == ["warning"]  # 800 of 1000
    assert crossed_by(100, 0, 0) == []
    assert crossed_by(100, 0, 0) == ["action", "limit"]  # 950 and 1000 at once
    assert crossed_by(100, 0, 0) == []


def test_a_policy_that_only_tracks_crosses_nothing() -> None:
    balance = opened(policy(limit=100, enforcement="ignore"))
    spend(balance, 500)
    assert balance.crossed(0) == []


def test_a_balance_that_would_outgrow_the_books_is_an_error() -> None:
    balance = opened(policy(limit=100, enforcement="warn"))
    spend(balance, MAX_BALANCE)
    with pytest.raises(InvalidInput) as caught:
        spend(balance, 1)
    assert caught.value.code == "balance_overflow"
