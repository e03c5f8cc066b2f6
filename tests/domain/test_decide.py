"""Deciding: who is admitted, who is refused and why, what is held; numbers worked out by hand."""

from dataclasses import replace

import pytest

from budget.domain import decide
from budget.domain.allocations import Amounts, Held, Holding, Leg
from budget.domain.decide import Decided, EnvelopeShort, Refused
from budget.domain.errors import Conflict, InvalidInput
from budget.domain.pricing import Rates
from tests.domain.desk import (
    DAY,
    HOUR,
    MIDNIGHT,
    MINUTE,
    NOON,
    SECOND,
    TTL,
    Desk,
    left,
    policy,
    top_up,
    us,
)

# --- Placing -------------------------------------------------------------------------------------


def test_a_call_holds_its_amount_on_every_policy_in_the_unit_of_each() -> None:
    desk = Desk(
        money=policy("usd", limit=1), tokens=policy(limit=1000), calls=policy("requests", limit=9)
    )
    held = desk.place(usd=400, tokens=300, requests=1)
    assert desk.figures("money") == (0, 400, 0)
    assert desk.figures("tokens") == (0, 300, 0)
    assert desk.figures("calls") == (0, 1, 0)
    assert held.state.status == "open"
    assert held.state.held == held.state.left == Held(400, 300, 1)
    assert held.state.expires_us == NOON + TTL


def test_a_call_fits_exactly_and_the_next_token_does_not() -> None:
    desk = Desk(day=policy(limit=100))
    desk.place(tokens=60)
    desk.place(tokens=40)
    assert desk.figures("day") == (0, 100, 0)
    (short,) = desk.refused(tokens=1).shortfalls
    assert (short.limit, short.spent, short.reserved, short.assumed) == (100, 0, 100, 0)
    assert (short.requested, short.short) == (1, 1)
    assert short.resets_us == MIDNIGHT


def test_what_is_spent_and_assumed_counts_against_the_limit_like_what_is_reserved() -> None:
    desk = Desk(day=policy(limit=100))
    desk.settle(desk.place(tokens=30), tokens=30)
    desk.expire(desk.place(tokens=20))
    desk.place(tokens=40)
    assert desk.figures("day") == (30, 40, 20)
    (short,) = desk.refused(tokens=11).shortfalls
    assert short.short == 1
    desk.place(tokens=10)


def test_a_hold_is_placed_on_all_policies_or_on_none() -> None:
    desk = Desk(wide=policy(limit=100), narrow=policy(period="monthly", limit=10))
    desk.refused(tokens=11)
    assert desk.figures("wide") == desk.figures("narrow") == (0, 0, 0)
    assert desk.balance("wide").version == 0


def test_a_refusal_lists_every_policy_that_refuses_with_its_numbers() -> None:
    desk = Desk(
        day=policy(limit=100),
        month=policy(period="monthly", limit=50),
        money=policy("usd", limit=1),
        calls=policy("requests", period="minute", limit=0),
    )
    refused = desk.refused(tokens=120, usd=1, requests=1)
    assert [
        (s.balance.policy.policy_id, s.limit, s.requested, s.short) for s in refused.shortfalls
    ] == [
        ("tokens-daily", 100, 120, 20),
        ("tokens-monthly", 50, 120, 70),
        ("requests-minute", 0, 1, 1),
    ]
    assert refused.envelope is None


def test_only_a_hard_limit_refuses() -> None:
    desk = Desk(
        soft=policy(limit=10, enforcement="soft_limit"),
        warn=policy(period="monthly", limit=10, enforcement="warn"),
        seen=policy(period="yearly", limit=0, enforcement="ignore"),
    )
    desk.place(tokens=500)
    for name in ("soft", "warn", "seen"):
        assert desk.figures(name) == (0, 500, 0)


def test_an_amount_of_0_is_admitted_at_limit_0_and_nothing_else_is() -> None:
    desk = Desk(day=policy(limit=0))
    desk.place(tokens=0)
    assert desk.figures("day") == (0, 0, 0)
    (short,) = desk.refused(tokens=1).shortfalls
    assert (short.short, short.resets_us) == (1, None)


def test_an_amount_of_0_is_admitted_even_over_the_limit() -> None:
    desk = Desk(day=policy(limit=10))
    desk.report(tokens=25)
    desk.place(tokens=0)
    (short,) = desk.refused(tokens=1).shortfalls
    assert short.short == 1, "what lies beyond the limit is not asked of the next call"


def test_a_hard_limit_needs_an_amount_in_its_unit() -> None:
    desk = Desk(money=policy("usd", limit=1))
    with pytest.raises(InvalidInput) as caught:
        desk.ask(tokens=5)
    assert caught.value.code == "amount_required"
    assert caught.value.field == "usd"
    assert "usd-daily" in caught.value.detail


def test_other_limits_take_an_unstated_amount_as_0() -> None:
    desk = Desk(money=policy("usd", limit=1, enforcement="warn"))
    held = desk.place(tokens=5)
    assert held.state.legs == (Leg(0, us("2026-05-15 00:00"), 0, 0),)
    assert desk.figures("money") == (0, 0, 0)


# --- When a refusal ends -------------------------------------------------------------------------


def test_what_is_more_than_the_whole_limit_is_cured_by_no_reset() -> None:
    desk = Desk(day=policy(limit=100))
    assert [s.resets_us for s in desk.refused(tokens=101).shortfalls] == [None]


@pytest.mark.parametrize("period", ["total", "per_session", "per_task"])
def test_what_never_ends_never_resets(period: str) -> None:
    desk = Desk(all=policy(period=period, limit=100))
    desk.balance("all").partition = '{"session":"s","task":"t"}'
    desk.place(tokens=100)
    assert [s.resets_us for s in desk.refused(tokens=1).shortfalls] == [None]


def test_a_rolling_limit_admits_again_when_enough_buckets_have_left() -> None:
    desk = Desk(hour=policy(period="rolling:1h", limit=100), now_us=NOON)
    desk.place(tokens=30)
    desk.move_to(NOON + 10 * MINUTE)
    desk.place(tokens=60)
    # 10 are free. For 40 the first bucket must leave, for 41 the second too: each an hour after
    # its minute has ended.
    assert [s.resets_us for s in desk.refused(tokens=40).shortfalls] == [NOON + 61 * MINUTE]
    assert [s.resets_us for s in desk.refused(tokens=41).shortfalls] == [NOON + 71 * MINUTE]
    desk.move_to(NOON + 61 * MINUTE - 1)
    desk.refused(tokens=40)
    desk.move_to(NOON + 61 * MINUTE)
    desk.place(tokens=40)


# --- Priority ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("priority", "admits"),
    [(1, 850), (5, 850), (7, 850), (8, 950), (9, 950), (10, 1000)],
)
def test_headroom_is_kept_for_higher_priorities(priority: int, admits: int) -> None:
    # 15% are kept for 8 and above, 5% for 10: a call below 8 leaves the larger of them free.
    kept = {"8": "15%", "10": "5%"}
    desk = Desk(day=policy(limit=1000, reserved_for_priority=kept))
    (short,) = desk.refused(tokens=admits + 1, priority=priority).shortfalls
    assert short.short == 1
    assert short.limit == 1000
    desk.place(tokens=admits, priority=priority)


def test_a_priority_never_goes_beyond_a_hard_limit() -> None:
    desk = Desk(day=policy(limit=100, reserved_for_priority={"8": "10%"}))
    desk.refused(tokens=101, priority=10)


def test_the_share_kept_free_is_rounded_up() -> None:
    desk = Desk(day=policy(limit=101, reserved_for_priority={"8": "10%"}))
    desk.refused(tokens=91, priority=5)  # 10.1 are kept: 11
    desk.place(tokens=90, priority=5)


# --- Fitting -------------------------------------------------------------------------------------

RATES = Rates(1_000_000, 2_000_000)
"""An input token costs 1,000 nano-USD, an output token 2,000."""


def fitting(desk: Desk, *, wanted: int = 500, input_tokens: int = 100, priority: int = 5,
            rates: Rates | None = RATES, parent: Holding | None = None) -> int:  # fmt: skip
    return decide.fit_output_tokens(
        rates, input_tokens, wanted, 1, desk.balances.values(), priority=priority, parent=parent,
        by_head=desk.balances,
    )  # fmt: skip


def test_a_call_that_fits_whole_is_granted_all_it_wants() -> None:
    assert fitting(Desk(day=policy(limit=600))) == 500


def test_what_costs_nothing_is_granted_whole_also_beyond_the_limit() -> None:
    desk = Desk(day=policy("usd", limit=0))
    desk.report(usd=3)
    assert fitting(desk, rates=Rates(0, 0)) == 500
    assert fitting(desk, rates=Rates(0, 1), input_tokens=0) == 0
    assert fitting(desk, rates=Rates(1, 0)) == -1


def test_fit_grants_exactly_what_each_unit_has_room_for() -> None:
    assert fitting(Desk(day=policy(limit=350))) == 250  # 100 of them are input
    assert fitting(Desk(day=policy("output_tokens", limit=77))) == 77
    assert fitting(Desk(day=policy("input_tokens", limit=100))) == 500
    assert fitting(Desk(day=policy("input_tokens", limit=99))) == -1
    assert fitting(Desk(day=policy("requests", limit=0))) == -1


def test_fit_grants_the_most_that_the_money_covers() -> None:
    desk = Desk(day=policy("usd", limit=1))
    desk.place(usd=10**9 - 300_999)  # 300,999 are left: 100,000 for the input, 200,999 for output
    assert fitting(desk) == 100
    exact, held = decide.estimate(RATES, 100, 100, 1)
    assert exact.usd == 300_000
    assert not isinstance(desk.ask(usd=exact.usd), Refused)
    one_more, _ = decide.estimate(RATES, 100, 101, 1)
    assert one_more.usd == 302_000
    assert isinstance(desk.ask(usd=one_more.usd), Refused)
    assert held == Held(300_000, 200, 1)


def test_the_narrowest_limit_decides_what_is_granted() -> None:
    desk = Desk(
        tokens=policy(limit=400),
        out=policy("output_tokens", limit=200),
        soft=policy("output_tokens", period="monthly", limit=1, enforcement="soft_limit"),
    )
    assert fitting(desk) == 200


def test_an_empty_answer_that_does_not_fit_is_told_apart_from_one_that_does() -> None:
    desk = Desk(day=policy(limit=100))
    assert fitting(desk, input_tokens=100) == 0
    assert fitting(desk, input_tokens=101) < 0


def test_fit_leaves_the_headroom_of_higher_priorities_free() -> None:
    desk = Desk(day=policy(limit=300, reserved_for_priority={"8": "10%"}))
    assert fitting(desk, priority=5) == 170  # 300 - 30 - 100
    assert fitting(desk, priority=8) == 200


def test_fit_in_an_envelope_looks_at_its_remainder_and_at_what_it_does_not_hold() -> None:
    desk = Desk(day=policy(limit=10_000), minute=policy(period="minute", limit=350))
    run = desk.place(envelope=True, tokens=300)
    assert fitting(desk, parent=run) == 200
    assert fitting(desk, parent=run, input_tokens=280) == 20
    desk.report(tokens=200)
    assert fitting(desk, parent=run) == 50  # 150 are left of this minute


def test_without_a_price_money_does_not_narrow_the_grant() -> None:
    assert fitting(Desk(day=policy("usd", limit=0)), rates=None) == 500


def test_an_estimate_states_every_unit_and_its_money_covers_the_dearest_kinds() -> None:
    rates = Rates(1_000_000, 2_000_000, cache_write=1_250_000, reasoning=3_000_000, request=500)
    amounts, held = decide.estimate(rates, 100, 10, 1)
    # 100 x 1,250 + 10 x 3,000 nano-USD, and half a nano for the request, rounded up
    assert amounts == Amounts(155_001, 110, 100, 10, 1)
    assert held == Held(155_001, 110, 1)
    assert decide.estimate(None, 100, 10, 1)[0] == Amounts(0, 110, 100, 10, 1)


# --- Envelopes -----------------------------------------------------------------------------------


def test_a_call_in_an_envelope_takes_its_amount_from_what_the_envelope_holds() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=100)
    call = desk.place(parent=run, tokens=30)
    assert desk.figures("day") == (0, 100, 0), "nothing more is held"
    assert left(run) == [70]
    assert left(call) == [30]
    assert call.state.legs[0].from_parent == 1
    assert run.state.left == Held(None, 70, None)
    assert run.state.held == Held(None, 100, None)


def test_a_call_in_an_envelope_needs_no_room_on_what_the_envelope_holds() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=100)
    desk.refused(tokens=1)
    desk.place(parent=run, tokens=100)


def test_a_call_in_an_envelope_is_admitted_normally_on_every_other_policy() -> None:
    desk = Desk(day=policy(limit=1000), minute=policy(period="minute", limit=50),
                hour=policy(period="rolling:1h", limit=80))  # fmt: skip
    run = desk.place(envelope=True, tokens=500)
    assert [leg.head_id for leg in run.state.legs] == [desk.names["day"]]
    desk.place(parent=run, tokens=50)
    assert desk.figures("minute") == desk.figures("hour") == (0, 50, 0)
    assert desk.figures("day") == (0, 500, 0)
    refused = desk.refused(parent=run, tokens=31)
    assert [(s.balance.policy.policy_id, s.short) for s in refused.shortfalls] == [
        ("tokens-minute", 31), ("tokens-rolling:1h", 1),
    ]  # fmt: skip
    assert left(run) == [450], "a refused call takes nothing"


def test_an_envelope_that_has_too_little_left_refuses_and_says_so() -> None:
    desk = Desk(day=policy(limit=1000))
    run = desk.place(envelope=True, tokens=100, usd=50)
    desk.place(parent=run, tokens=80, usd=10)
    refused = desk.refused(parent=run, tokens=21, usd=1)
    assert refused.envelope == EnvelopeShort("run", "tokens", limit=100, left=20, requested=21)
    assert refused.shortfalls == ()


def test_an_envelope_whose_input_is_used_up_refuses_although_it_has_tokens_left() -> None:
    desk = Desk(input=policy("input_tokens", limit=1000), day=policy(limit=1000))
    run = desk.place(envelope=True, tokens=100, input_tokens=30)
    refused = desk.refused(parent=run, tokens=40, input_tokens=31)
    short = EnvelopeShort("run", "input_tokens", limit=30, left=30, requested=31)
    assert refused.envelope == short
    assert fitting(desk, parent=run, input_tokens=31) == -1
    desk.place(parent=run, tokens=40, input_tokens=30)


def test_what_an_envelope_does_not_limit_a_call_may_hold_freely() -> None:
    desk = Desk(day=policy("usd", limit=1))
    run = desk.place(envelope=True, usd=100)
    call = desk.place(parent=run, usd=10, tokens=10**6, requests=1)
    assert call.state.held == Held(10, 10**6, 1)
    assert run.state.left == Held(90, None, None)


def test_a_call_must_state_what_its_envelope_is_limited_in() -> None:
    desk = Desk(day=policy("usd", limit=1))
    run = desk.place(envelope=True, usd=100)
    with pytest.raises(InvalidInput) as caught:
        desk.ask(parent=run, tokens=10)
    assert caught.value.code == "amount_required"


def test_placing_a_call_renews_its_envelope_and_the_call_ends_no_later() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=100, ttl_us=10 * MINUTE)
    desk.move_to(NOON + 4 * MINUTE)
    call = desk.place(parent=run, tokens=1, ttl_us=HOUR)
    assert run.state.expires_us == NOON + 14 * MINUTE
    assert call.state.expires_us == NOON + 14 * MINUTE
    short = desk.place(parent=run, tokens=1, ttl_us=MINUTE)
    assert short.state.expires_us == NOON + 5 * MINUTE


def test_a_refused_call_does_not_renew_its_envelope() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=10, ttl_us=10 * MINUTE)
    desk.move_to(NOON + 4 * MINUTE)
    desk.refused(parent=run, tokens=11)
    assert run.state.expires_us == NOON + 10 * MINUTE


def test_a_call_draws_on_the_oldest_leg_of_its_envelope_first() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=40, ttl_us=DAY)
    desk.move_to(MIDNIGHT)
    assert isinstance(desk.extend(run, tokens=30), Decided)
    call = desk.place(parent=run, tokens=50)
    assert [(leg.cell_us, leg.left) for leg in call.state.legs] == [
        (us("2026-05-15 00:00"), 40), (MIDNIGHT, 10),
    ]  # fmt: skip
    assert left(run) == [0, 20]


def test_a_call_has_a_leg_on_all_that_its_envelope_holds_even_of_nothing() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=40, ttl_us=DAY)
    desk.move_to(MIDNIGHT)
    desk.extend(run, tokens=30)
    some, none = desk.place(parent=run, tokens=10), desk.place(parent=run, tokens=0)
    assert [(leg.cell_us, leg.held) for leg in some.state.legs] == [
        (us("2026-05-15 00:00"), 10), (MIDNIGHT, 0),
    ]  # fmt: skip
    assert [(leg.cell_us, leg.held) for leg in none.state.legs] == [(MIDNIGHT, 0)]


# --- Extending -----------------------------------------------------------------------------------


def test_more_money_in_the_same_window_grows_the_leg() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    assert isinstance(desk.extend(call, tokens=40), Decided)
    assert call.state.legs == (Leg(0, us("2026-05-15 00:00"), 100, 100),)
    assert call.state.held == call.state.left == Held(None, 100, None)
    assert desk.figures("day") == (0, 100, 0)


def test_more_money_grows_the_leg_on_every_policy() -> None:
    desk = Desk(day=policy(limit=100), month=policy(period="monthly", limit=200),
                year=policy(period="yearly", limit=300))  # fmt: skip
    call = desk.place(tokens=60)
    desk.extend(call, tokens=40)
    assert [(leg.held, leg.left) for leg in call.state.legs] == [(100, 100)] * 3


def test_more_of_what_was_not_stated_is_stated_from_then_on() -> None:
    desk = Desk(money=policy("usd", limit=1, enforcement="warn"), day=policy(limit=100))
    call = desk.place(tokens=60)
    desk.extend(call, usd=5)
    assert call.state.held == call.state.left == Held(5, 60, None)
    assert desk.figures("money") == (0, 5, 0)


def test_more_money_in_another_window_is_a_further_leg_there() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60, ttl_us=DAY)
    desk.move_to(MIDNIGHT)
    assert isinstance(desk.extend(call, tokens=90), Decided)  # today has its own 100
    assert call.state.legs == (
        Leg(0, us("2026-05-15 00:00"), 60, 60), Leg(0, MIDNIGHT, 90, 90),
    )  # fmt: skip
    assert desk.figures("day") == (0, 90, 0)
    assert desk.closed("day", NOON).reserved == 60


def test_more_money_on_a_rolling_limit_is_held_in_the_bucket_of_now() -> None:
    desk = Desk(hour=policy(period="rolling:1h", limit=100))
    call = desk.place(tokens=60)
    desk.move_to(NOON + 10 * MINUTE)
    assert isinstance(desk.extend(call, tokens=40), Decided)
    assert [(leg.cell_us - NOON, leg.left) for leg in call.state.legs] == [
        (0, 60), (10 * MINUTE, 40),
    ]  # fmt: skip
    refused = desk.extend(call, tokens=1)
    assert isinstance(refused, Refused)


def test_a_refused_extension_changes_nothing_not_even_the_expiry() -> None:
    desk = Desk(day=policy(limit=100), month=policy(period="monthly", limit=70))
    call = desk.place(tokens=60)
    before = call.state
    desk.move_to(NOON + MINUTE)
    refused = desk.extend(call, tokens=11, ttl_us=HOUR)
    assert isinstance(refused, Refused)
    assert [(s.balance.policy.policy_id, s.short) for s in refused.shortfalls] == [
        ("tokens-monthly", 1)
    ]
    assert call.state == before
    assert desk.figures("day") == desk.figures("month") == (0, 60, 0)


def test_more_time_alone_is_never_refused() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=100)
    desk.report(tokens=900)
    desk.move_to(NOON + 10 * MINUTE)
    assert isinstance(desk.extend(call, ttl_us=HOUR), Decided)
    assert call.state.expires_us == NOON + 70 * MINUTE
    assert call.state.ttl_us == HOUR


def test_an_extension_renews_the_expiry_by_the_time_agreed_and_never_shortens_it() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=10, ttl_us=HOUR)
    desk.move_to(NOON + MINUTE)
    desk.extend(call, tokens=1)
    assert call.state.expires_us == NOON + 61 * MINUTE
    desk.extend(call, ttl_us=SECOND)
    assert call.state.expires_us == NOON + 61 * MINUTE


def test_an_extension_is_held_on_the_policies_the_call_already_holds_and_on_no_other() -> None:
    desk = Desk(old=policy(limit=100), new=policy(period="monthly", limit=0))
    call = desk.place(on=("old",), tokens=10)
    assert isinstance(desk.extend(call, tokens=20), Decided)
    assert desk.figures("old") == (0, 30, 0)
    assert desk.figures("new") == (0, 0, 0)


def test_an_extension_leaves_headroom_to_higher_priorities_as_the_call_did() -> None:
    desk = Desk(day=policy(limit=100, reserved_for_priority={"8": "10%"}))
    call = desk.place(tokens=80, priority=5)
    assert isinstance(desk.extend(call, tokens=11), Refused)
    assert isinstance(desk.extend(call, tokens=10), Decided)


def test_more_output_tokens_add_to_the_grant() -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=60)
    grants = [call.state.granted_output_tokens]
    for more in (15, 5, None):
        desk.extend(call, tokens=more or 0, more_output_tokens=more)
        grants.append(call.state.granted_output_tokens)
    assert grants == [None, 15, 20, 20]


def test_an_envelope_whose_input_is_used_up_gives_a_call_no_more_of_it() -> None:
    desk = Desk(input=policy("input_tokens", limit=1000), day=policy(limit=1000))
    run = desk.place(envelope=True, tokens=100, input_tokens=30)
    call = desk.place(parent=run, tokens=30, input_tokens=25)
    before = (run.state, call.state)
    refused = desk.extend(call, parent=run, tokens=10, input_tokens=6)
    assert isinstance(refused, Refused)
    assert refused.envelope == EnvelopeShort("run", "input_tokens", limit=30, left=5, requested=6)
    assert (run.state, call.state) == before


def test_more_money_for_a_call_in_an_envelope_comes_from_the_envelope_alone() -> None:
    desk = Desk(day=policy(limit=100), hour=policy(period="rolling:1h", limit=100))
    run = desk.place(envelope=True, tokens=50, ttl_us=10 * MINUTE)
    call = desk.place(parent=run, tokens=20)
    desk.move_to(NOON + MINUTE)
    assert isinstance(desk.extend(call, parent=run, tokens=30), Decided)
    assert desk.figures("day") == (0, 50, 0)
    assert desk.figures("hour") == (0, 50, 0)
    assert left(run) == [0]
    assert run.state.left == Held(None, 0, None)
    assert run.state.expires_us == call.state.expires_us == NOON + 11 * MINUTE
    refused = desk.extend(call, parent=run, tokens=1)
    assert isinstance(refused, Refused)
    assert refused.envelope == EnvelopeShort("run", "tokens", limit=50, left=0, requested=1)


def test_a_call_extended_in_time_alone_renews_its_envelope_and_is_capped_by_it() -> None:
    desk = Desk(day=policy(limit=100))
    run = desk.place(envelope=True, tokens=50, ttl_us=10 * MINUTE)
    call = desk.place(parent=run, tokens=20, ttl_us=MINUTE)
    desk.move_to(NOON + 5 * MINUTE)
    assert isinstance(desk.extend(call, parent=run, ttl_us=HOUR), Decided)
    assert run.state.expires_us == call.state.expires_us == NOON + 15 * MINUTE
    assert left(run) == [30]


@pytest.mark.parametrize("end", ["settle", "release", "expire"])
def test_an_ended_allocation_is_not_extended(end: str) -> None:
    desk = Desk(day=policy(limit=100))
    call = desk.place(tokens=20)
    getattr(desk, end)(call)
    with pytest.raises(Conflict) as caught:
        desk.extend(call, ttl_us=HOUR)
    assert caught.value.code == "not_open"


# --- What the limit is ---------------------------------------------------------------------------


def test_a_top_up_makes_room_in_its_window_only() -> None:
    desk = Desk(day=replace(policy(limit=100), top_ups=(top_up(50, NOON, NOON + 1),)))
    desk.place(tokens=150)
    (short,) = desk.refused(tokens=1).shortfalls
    assert short.limit == 150
    desk.move_to(MIDNIGHT)
    desk.refused(tokens=101)
    desk.place(tokens=100)


def test_what_was_not_used_yesterday_makes_room_today() -> None:
    desk = Desk(day=policy(limit=100, rollover="unused"), now_us=us("2026-05-02 12:00"))
    desk.settle(desk.place(tokens=70), tokens=70)
    desk.move_to(us("2026-05-03 12:00"))
    desk.place(tokens=130)
    (short,) = desk.refused(tokens=1).shortfalls
    assert short.limit == 130
