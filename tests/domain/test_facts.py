"""Facts: usage, returns, expiry and corrections, booked whatever they are; numbers by hand."""

import pytest

from budget.domain import facts
from budget.domain.allocations import Held
from budget.domain.balances import Posting
from budget.domain.errors import Conflict
from budget.domain.facts import Place
from tests.domain.desk import (
    DAY,
    HOUR,
    MIDNIGHT,
    MINUTE,
    NOON,
    Desk,
    left,
    policy,
    us,
)

FRIDAY = us("2026-05-15 00:00")

# --- Usage on a hold -----------------------------------------------------------------------------


def test_the_final_record_spends_what_was_used_and_returns_the_rest() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    assert not desk.settle(call, tokens=45).overran
    assert desk.figures("day") == (45, 0, 0)
    assert call.state.status == "settled"
    assert call.state.settled_by == "use"
    assert (call.state.held, call.state.left) == (Held(None, 60, None), Held(None, 0, None))
    assert left(call) == [0]


def test_each_record_is_one_increment_and_only_the_final_one_returns_the_rest() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.record(call, tokens=10)
    assert desk.figures("day") == (10, 50, 0)
    desk.record(call, tokens=15)
    assert desk.figures("day") == (25, 35, 0)
    assert (call.state.status, call.state.records) == ("open", 2)
    assert call.state.left == Held(None, 35, None)
    desk.settle(call, tokens=5)
    assert desk.figures("day") == (30, 0, 0)
    assert call.state.records == 3


def test_every_unit_moves_by_itself() -> None:
    desk = Desk(
        money=policy("usd", limit=1), tokens=policy(), read=policy("input_tokens"),
        written=policy("output_tokens"), calls=policy("requests"),
    )  # fmt: skip
    call = desk.place(usd=500, tokens=60, input_tokens=40, output_tokens=20, requests=1)
    desk.record(call, usd=100, tokens=30, input_tokens=25, output_tokens=5, requests=1)
    assert desk.figures("money") == (100, 400, 0)
    assert desk.figures("tokens") == (30, 30, 0)
    assert desk.figures("read") == (25, 15, 0)
    assert desk.figures("written") == (5, 15, 0)
    assert desk.figures("calls") == (1, 0, 0)


def test_a_cost_that_is_not_known_moves_no_money() -> None:
    desk = Desk(money=policy("usd", limit=1, enforcement="warn"), tokens=policy())
    call = desk.place(usd=0, tokens=60)
    desk.settle(call, tokens=60)
    assert desk.figures("money") == (0, 0, 0)
    assert desk.figures("tokens") == (60, 0, 0)


def test_what_exceeds_the_hold_uses_free_room_first() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    assert not desk.settle(call, tokens=100).overran
    assert desk.figures("day") == (100, 0, 0)
    assert desk.balance("day").overrun == 0


def test_beyond_free_room_the_excess_is_booked_and_is_overrun() -> None:
    desk = Desk(day=policy(limit=100))
    desk.place(tokens=30)
    call = desk.place(tokens=60)
    decided = desk.settle(call, tokens=85)
    assert decided.overran
    assert desk.figures("day") == (85, 30, 0)
    assert desk.balance("day").overrun == 15  # 10 were free of the 25 in excess
    assert decided.postings == [
        Posting(0, FRIDAY, 60, -60, 0),
        Posting(0, FRIDAY, 25, 0, 0, 15),
    ]


def test_of_several_policies_only_those_beyond_their_limit_are_overrun() -> None:
    desk = Desk(day=policy(limit=100), month=policy(period="monthly", limit=1000))
    call = desk.place(tokens=100)
    assert desk.settle(call, tokens=130).overran
    assert desk.balance("day").overrun == 30
    assert desk.balance("month").overrun == 0


def test_usage_goes_to_the_window_the_hold_came_from_even_when_that_is_over() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.move_to(MIDNIGHT + HOUR)
    desk.settle(call, tokens=80)
    closed = desk.closed("day", NOON)
    assert (closed.spent, closed.reserved, closed.overrun) == (80, 0, 0)
    assert desk.figures("day") == (0, 0, 0)


def test_an_excess_in_a_closed_window_is_overrun_by_the_limit_of_that_window() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.place(tokens=40, ttl_us=DAY)
    desk.move_to(MIDNIGHT)
    assert desk.settle(call, tokens=70).overran
    closed = desk.closed("day", NOON)
    assert (closed.spent, closed.reserved, closed.overrun) == (70, 40, 10)


def test_usage_draws_on_the_oldest_leg_first_and_any_excess_goes_to_the_newest() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.move_to(MIDNIGHT)
    desk.extend(call, tokens=30)
    desk.record(call, tokens=70)
    assert left(call) == [0, 20]
    assert (desk.closed("day", NOON).spent, desk.closed("day", NOON).reserved) == (60, 0)
    assert desk.figures("day") == (10, 20, 0)
    desk.settle(call, tokens=25)
    assert desk.figures("day") == (35, 0, 0)
    assert desk.closed("day", NOON).spent == 60


def test_any_record_on_an_open_hold_renews_its_expiry() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60, ttl_us=10 * MINUTE)
    desk.move_to(NOON + 9 * MINUTE)
    desk.record(call, tokens=1)
    assert call.state.expires_us == NOON + 19 * MINUTE


def test_a_record_of_nothing_still_leaves_a_posting_for_a_correction_to_find() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    decided = desk.record(call, tokens=0)
    assert [(p.head_id, p.cell_us, p.spent) for p in decided.postings] == [(0, FRIDAY, 0)]


# --- Rolling -------------------------------------------------------------------------------------


def test_a_hold_and_its_usage_count_in_the_bucket_of_admission_and_leave_with_it() -> None:
    desk = Desk(hour=policy(period="rolling:1h", limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.move_to(NOON + 30 * MINUTE)
    desk.record(call, tokens=20)
    assert desk.figures("hour") == (20, 40, 0)
    assert (desk.closed("hour", NOON).spent, desk.closed("hour", NOON).reserved) == (20, 40)
    desk.move_to(NOON + 61 * MINUTE)
    assert desk.figures("hour") == (0, 0, 0), "the hold is open, but its bucket has left"
    desk.place(tokens=100)
    desk.settle(call, tokens=40)
    assert desk.figures("hour") == (0, 100, 0), "it was held for in the bucket that left"


def test_an_excess_counts_in_the_bucket_of_now() -> None:
    desk = Desk(hour=policy(period="rolling:1h", limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.move_to(NOON + 30 * MINUTE)
    assert not desk.settle(call, tokens=75).overran
    assert desk.closed("hour", NOON).spent == 60
    assert desk.closed("hour", NOON + 30 * MINUTE).spent == 15
    desk.move_to(NOON + 61 * MINUTE)
    assert desk.figures("hour") == (15, 0, 0)


def test_usage_on_a_returned_hold_counts_in_the_bucket_of_now() -> None:
    desk = Desk(hour=policy(period="rolling:1h", limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.release(call)
    desk.move_to(NOON + 30 * MINUTE)
    desk.settle(call, tokens=50)
    assert desk.closed("hour", NOON).spent == 0
    assert desk.closed("hour", NOON + 30 * MINUTE).spent == 50


# --- Release -------------------------------------------------------------------------------------


def test_a_release_returns_the_rest() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.record(call, tokens=20)
    desk.release(call)
    assert desk.figures("day") == (20, 0, 0)
    assert call.state.status == "released"
    assert call.state.left == Held(None, 0, None)


def test_a_release_in_a_later_window_returns_to_the_window_it_was_held_in() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.move_to(MIDNIGHT)
    desk.release(call)
    assert desk.closed("day", NOON).reserved == 0
    assert desk.figures("day") == (0, 0, 0)


@pytest.mark.parametrize("end", ["settle", "release"])
def test_what_was_returned_is_not_released_again(end: str) -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    getattr(desk, end)(call)
    with pytest.raises(Conflict) as caught:
        desk.release(call)
    assert caught.value.code == "not_open"


# --- Expiry --------------------------------------------------------------------------------------


def test_a_hold_on_a_hard_limit_is_assumed_spent_when_it_expires() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.record(call, tokens=20)
    desk.expire(call)
    assert desk.figures("day") == (20, 0, 40)
    assert call.state.status == "expired"
    assert call.state.left == Held(None, 40, None)


def test_a_hold_on_any_other_limit_returns_when_it_expires() -> None:
    desk = Desk(day=policy(limit=100, enforcement="soft_limit"))
    call = desk.place(tokens=60)
    desk.expire(call)
    assert desk.figures("day") == (0, 0, 0)
    assert call.state.left == Held(None, 0, None)


def test_each_policy_says_what_becomes_of_a_hold_that_expires() -> None:
    desk = Desk(
        kept=policy(limit=100, enforcement="warn", on_expiry="assume"),
        returned=policy(period="monthly", limit=100, on_expiry="release"),
    )
    call = desk.place(tokens=60)
    desk.expire(call)
    assert desk.figures("kept") == (0, 0, 60)
    assert desk.figures("returned") == (0, 0, 0)


def test_late_usage_replaces_what_was_assumed() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.expire(call)
    desk.record(call, tokens=10)
    assert desk.figures("day") == (10, 0, 50)
    assert call.state.records == 1
    desk.settle(call, tokens=25)
    assert desk.figures("day") == (35, 0, 0)
    assert call.state.status == "settled"


def test_a_call_that_never_happened_is_settled_with_nothing() -> None:
    desk = Desk(day=policy(limit=100), calls=policy("requests"))
    call = desk.place(tokens=60, requests=1)
    desk.expire(call)
    assert desk.figures("calls") == (0, 0, 1)
    desk.settle(call, tokens=0, requests=0)
    assert desk.figures("day") == desk.figures("calls") == (0, 0, 0)


def test_late_usage_beyond_what_was_assumed_is_an_excess() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.expire(call)
    desk.place(tokens=40)
    assert desk.settle(call, tokens=75).overran
    assert desk.figures("day") == (75, 40, 0)
    assert desk.balance("day").overrun == 15


def test_late_usage_on_a_hold_that_has_returned_is_charged_all_the_same() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.release(call)
    desk.place(tokens=90)
    assert desk.settle(call, tokens=30).overran
    assert desk.figures("day") == (30, 90, 0)
    assert desk.balance("day").overrun == 20
    assert call.state.status == "settled"


def test_late_usage_does_not_renew_what_has_ended() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.expire(call)
    before = call.state.expires_us
    desk.move_to(NOON + HOUR)
    desk.record(call, tokens=1)
    assert call.state.expires_us == before


def test_what_was_assumed_may_be_released() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.expire(call)
    desk.release(call)
    assert desk.figures("day") == (0, 0, 0)
    assert call.state.status == "released"


# --- Envelopes -----------------------------------------------------------------------------------


def test_what_a_call_returns_goes_to_its_open_envelope() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=100)
    call = desk.place(parent=run, tokens=30)
    desk.settle(call, parent=run, tokens=20)
    assert desk.figures("day") == (20, 80, 0)
    assert left(run) == [80]
    assert run.state.left == Held(None, 80, None)
    released = desk.place(parent=run, tokens=50)
    desk.release(released, parent=run)
    assert desk.figures("day") == (20, 80, 0)
    assert left(run) == [80]


@pytest.mark.parametrize("end", ["settle", "release", "expire"])
def test_what_a_call_holds_beside_its_envelope_returns_to_its_own_balance(end: str) -> None:
    desk = Desk(
        day=policy(limit=100), minute=policy(period="minute", limit=50, on_expiry="release")
    )
    run = desk.place(envelope=True, tokens=100)
    call = desk.place(parent=run, tokens=30)
    assert desk.figures("minute") == (0, 30, 0)
    getattr(desk, end)(call, parent=run)
    assert desk.figures("minute") == (0, 0, 0)


def test_once_the_envelope_has_ended_what_a_call_returns_goes_to_the_balance() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=100)
    call = desk.place(parent=run, tokens=30)
    desk.expire(call, parent=run)
    desk.release(run)
    assert desk.figures("day") == (0, 0, 30)
    desk.settle(call, parent=run, tokens=10)
    assert desk.figures("day") == (10, 0, 0)
    assert left(run) == [0]


def test_an_excess_uses_the_envelope_then_free_room_then_is_overrun() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=50)
    call = desk.place(parent=run, tokens=20)
    desk.record(call, parent=run, tokens=40)  # 20 held, 20 of the envelope's 30
    assert desk.figures("day") == (40, 10, 0)
    assert left(run) == [10]
    desk.record(call, parent=run, tokens=60)  # 10 of the envelope, 50 of free room
    assert desk.figures("day") == (100, 0, 0)
    assert desk.balance("day").overrun == 0
    assert desk.record(call, parent=run, tokens=1).overran
    assert desk.balance("day").overrun == 1
    assert run.state.left == Held(None, 0, None)


def test_an_excess_on_what_the_envelope_does_not_hold_is_not_drawn_from_it() -> None:
    desk = Desk(day=policy(limit=100), minute=policy(period="minute", limit=30))
    run = desk.place(envelope=True, tokens=50)
    call = desk.place(parent=run, tokens=20)
    assert desk.settle(call, parent=run, tokens=35).overran
    assert desk.figures("minute") == (35, 0, 0)
    assert desk.balance("minute").overrun == 5
    assert desk.balance("day").overrun == 0
    assert left(run) == [15]


def test_recording_on_a_call_renews_its_envelope_and_caps_the_call() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=50, ttl_us=10 * MINUTE)
    call = desk.place(parent=run, tokens=20, ttl_us=HOUR)
    desk.move_to(NOON + 5 * MINUTE)
    desk.record(call, parent=run, tokens=1)
    assert run.state.expires_us == call.state.expires_us == NOON + 15 * MINUTE


def test_only_calls_are_assumed_an_envelope_returns_its_own_remainder() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=100)
    call = desk.place(parent=run, tokens=30)
    desk.expire(call, parent=run)
    assert left(run) == [70]
    desk.expire(run)
    assert desk.figures("day") == (0, 0, 30)
    assert run.state.status == "expired"
    assert left(run) == [0]


def test_a_call_that_expired_gives_back_to_its_open_envelope_where_nothing_is_assumed() -> None:
    desk = Desk(day=policy(limit=100, on_expiry="release"))
    run = desk.place(envelope=True, tokens=100)
    call = desk.place(parent=run, tokens=30)
    desk.expire(call, parent=run)
    assert desk.figures("day") == (0, 100, 0)
    assert left(run) == [100]
    assert run.state.left == Held(None, 100, None)


def test_late_usage_returns_the_rest_of_what_was_assumed_to_the_open_envelope() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=100)
    call = desk.place(parent=run, tokens=30)
    desk.expire(call, parent=run)
    assert desk.figures("day") == (0, 70, 30)
    desk.settle(call, parent=run, tokens=10)
    assert desk.figures("day") == (10, 90, 0)
    assert left(run) == [90]
    assert run.state.left == Held(None, 90, None)


# --- Usage that nobody reserved ------------------------------------------------------------------


def test_unreserved_usage_is_charged_and_is_overrun_beyond_the_limit() -> None:
    desk = Desk(day=policy(limit=100))
    desk.place(tokens=70)
    assert not desk.report(tokens=30).overran
    assert desk.report(tokens=5).overran
    assert desk.figures("day") == (35, 70, 0)
    assert desk.balance("day").overrun == 5


@pytest.mark.parametrize(
    ("occurred", "cell", "prior"),
    [
        ("2026-05-15 03:00", "2026-05-15", False),  # the open window
        ("2026-05-14 23:59", "2026-05-14", False),  # ended 12 hours ago
        ("2026-05-12 00:00", "2026-05-12", False),  # ended 60 hours ago
        ("2026-05-11 23:59", "2026-05-15", True),  # ended 84 hours ago: counts as now, flagged
        ("2026-05-15 12:04", "2026-05-15", False),  # a little ahead
    ],
)
def test_unreserved_usage_goes_to_its_own_window_for_72_hours_and_then_to_this_one(
    occurred: str, cell: str, prior: bool
) -> None:
    desk = Desk(day=policy())
    place = facts.cell_of(desk.balance("day"), us(occurred), NOON)
    assert place == Place(us(f"{cell} 00:00"), prior)


def test_a_window_that_ended_exactly_72_hours_ago_is_a_prior_period() -> None:
    ended = us("2026-05-12 12:00")
    desk = Desk(hours=policy(period="hourly"), now_us=NOON)
    assert facts.cell_of(desk.balance("hours"), ended - 1, NOON) == Place(NOON, True)
    assert facts.cell_of(desk.balance("hours"), ended, NOON) == Place(ended)


def test_late_unreserved_usage_is_overrun_by_the_limit_of_its_own_window() -> None:
    desk = Desk(day=policy(limit=100))
    desk.place(tokens=90)
    assert desk.report(occurred_us=NOON - DAY, tokens=120).overran
    closed = desk.closed("day", NOON - DAY)
    assert (closed.spent, closed.overrun) == (120, 20)
    assert desk.figures("day") == (0, 90, 0)


def test_unreserved_usage_of_a_rolling_limit_goes_to_its_own_bucket() -> None:
    desk = Desk(hour=policy(period="rolling:1h", limit=100))
    desk.report(occurred_us=NOON - 30 * MINUTE, tokens=40)
    assert desk.closed("hour", NOON - 30 * MINUTE).spent == 40
    desk.move_to(NOON + 31 * MINUTE)
    assert desk.figures("hour") == (0, 0, 0)


def test_unreserved_usage_whose_bucket_has_left_counts_in_no_balance() -> None:
    desk = Desk(hour=policy(period="rolling:1h"), day=policy())
    decided = desk.report(occurred_us=NOON - 61 * MINUTE, tokens=40)
    assert [posting.head_id for posting in decided.postings] == [desk.names["day"]]
    assert desk.figures("hour") == (0, 0, 0)
    assert desk.figures("day") == (40, 0, 0)


def test_usage_of_now_counts_in_the_open_window_when_the_clock_has_gone_back() -> None:
    desk = Desk(day=policy(), hour=policy(period="rolling:1h"), now_us=MIDNIGHT + HOUR)
    desk.now_us = NOON
    desk.report(tokens=40)
    assert desk.figures("day") == desk.figures("hour") == (40, 0, 0)


# --- Corrections ---------------------------------------------------------------------------------


def test_a_reversal_takes_back_what_a_record_spent_and_restores_no_hold() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.record(call, tokens=20)
    desk.correct("day", [(FRIDAY, 20)])
    assert desk.figures("day") == (0, 40, 0)
    assert call.state.left == Held(None, 40, None)


def test_a_replacement_moves_only_the_difference() -> None:
    desk = Desk(day=policy(limit=100))
    desk.settle(desk.place(tokens=60), tokens=50)
    assert desk.correct("day", [(FRIDAY, 50)], tokens=35).postings == [
        Posting(0, FRIDAY, -15, 0, 0)
    ]
    assert desk.figures("day") == (35, 0, 0)


def test_a_replacement_that_used_more_is_a_fact_and_may_be_overrun() -> None:
    desk = Desk(day=policy(limit=100))
    desk.settle(desk.place(tokens=60), tokens=60)
    desk.place(tokens=30)
    assert desk.correct("day", [(FRIDAY, 60)], tokens=85).overran
    assert desk.figures("day") == (85, 30, 0)
    assert desk.balance("day").overrun == 15


def test_an_overrun_never_shrinks_even_when_the_spending_is_taken_back() -> None:
    desk = Desk(day=policy(limit=100))
    desk.report(tokens=150)
    desk.correct("day", [(FRIDAY, 150)])
    assert desk.figures("day") == (0, 0, 0)
    assert desk.balance("day").overrun == 50


def test_a_replacement_fills_the_windows_of_the_record_in_order_and_the_last_takes_the_rest() -> (
    None
):
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.move_to(MIDNIGHT)
    desk.extend(call, tokens=30)
    desk.settle(call, tokens=80)  # 60 on Friday, 20 on Saturday
    booked = [(FRIDAY, 60), (MIDNIGHT, 20)]
    desk.correct("day", booked, tokens=50)
    assert (desk.closed("day", NOON).spent, desk.balance("day").spent) == (50, 0)
    desk.correct("day", [(FRIDAY, 50), (MIDNIGHT, 0)], tokens=95)
    assert (desk.closed("day", NOON).spent, desk.balance("day").spent) == (50, 45)


def test_the_same_usage_again_moves_nothing() -> None:
    desk = Desk(day=policy(limit=100))
    desk.settle(desk.place(tokens=60), tokens=50)
    assert desk.correct("day", [(FRIDAY, 50)], tokens=50).postings == []


def test_a_correction_in_a_bucket_that_has_left_counts_in_no_balance() -> None:
    desk = Desk(hour=policy(period="rolling:1h", limit=100))
    desk.report(tokens=150)
    desk.move_to(NOON + 2 * HOUR)
    assert not desk.correct("hour", [(NOON, 150)], tokens=500).overran
    assert desk.figures("hour") == (0, 0, 0)
