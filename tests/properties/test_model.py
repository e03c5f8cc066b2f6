"""The model itself, held against the words of the design with numbers worked out by hand.

Nothing of the engine runs here: what the ledger is compared with must be right on its own.
"""

from typing import Any

import pytest

from tests.properties.model import (
    DAY,
    HOUR,
    NEVER,
    SECOND,
    Allocation,
    Answer,
    Booked,
    Budget,
    Cell,
    Corrected,
    Fault,
    Head,
    Ledger,
    Placed,
    Policy,
    Rates,
    Refused,
    Usage,
    day_of,
    partition_of,
)

NOON = 1_774_699_200 * SECOND  # 2026-03-28 12:00 UTC
MIDNIGHT = NOON + 12 * HOUR
PRICES = {"plain": Rates(1_000, 3_000), "odd": Rates(1_500, 7_500, cache_read=150, request=500)}


class Desk:
    """A ledger with one budget, its clock, and the few words that these tests need."""

    def __init__(self, *policies: Policy, unpriced: str | Rates | None = None) -> None:
        self.now_us = NOON
        self.ledger = Ledger(PRICES)
        self.ledger.create_budget("b", Budget({}, (), list(policies), unpriced))

    def place(self, tokens: int | None = None, **ask: Any) -> Answer:
        """A call: of tokens, or of what is asked."""
        if tokens is not None:
            ask["tokens"] = tokens
        return self.ledger.place(self.now_us, ask, f"a{len(self.ledger.allocations)}")

    def placed(self, tokens: int | None = None, **ask: Any) -> Allocation:
        """A call that must be admitted."""
        answer = self.place(tokens, **ask)
        assert isinstance(answer, Placed), answer
        return answer.allocation

    def record(self, held: Allocation, tokens: int, *, final: bool = True, **ask: Any) -> Answer:
        """What a call used, all of it input."""
        ask = {"usage": Usage(tokens), "final": final, **ask}
        new_id = f"u{len(self.ledger.records)}"
        return self.ledger.record(self.now_us, held.allocation_id, ask, new_id)

    def booked(self, held: Allocation, tokens: int, *, final: bool = True, **ask: Any) -> Booked:
        """The same, booked."""
        answer = self.record(held, tokens, final=final, **ask)
        assert isinstance(answer, Booked), answer
        return answer

    def report(self, tokens: int, **ask: Any) -> Answer:
        """Usage that nobody reserved."""
        ask = {"usage": Usage(tokens), **ask}
        return self.ledger.report(self.now_us, ask, f"u{len(self.ledger.records)}")

    def figures(self, policy: int = 0, at_us: int | None = None) -> tuple[int, int, int, int]:
        """Spent, reserved, assumed, overrun of the window of an instant, or of now."""
        head = self.head(policy)
        if at_us is None:
            cells = head.live(self.now_us)
        else:
            cells = [head.cells.get(head.window(at_us)[0], Cell())]
        return (
            sum(cell.spent for cell in cells),
            sum(cell.reserved for cell in cells),
            sum(cell.assumed for cell in cells),
            sum(cell.overrun for cell in cells),
        )

    def head(self, policy: int = 0) -> Head:
        """The balance of a policy, in its only partition."""
        return next(h for h in self.ledger.heads.values() if h.policy.policy_id == str(policy))


def tokens(limit: int, period: str = "daily", number: int = 0, **more: Any) -> Policy:
    """A hard limit of tokens."""
    return Policy(str(number), "tokens", period, limit, created_us=NOON - 30 * DAY, **more)


# --- Money ---------------------------------------------------------------------------------------


def test_a_cost_is_rounded_up_once() -> None:
    # 3 x 1500 + 1 x 7500 + 1 x 500 = 12500 pico: 12.5 nano
    assert PRICES["odd"].cost(Usage(3, 1), 1) == 13
    # one of the three from the cache: 2 x 1500 + 150 + 7500 + 500 = 11150 pico
    assert PRICES["odd"].cost(Usage(3, 1, read=1), 1) == 12


def test_an_estimate_holds_the_dearest_rate() -> None:
    dear = Rates(100, 200, cache_write=400, reasoning=900)
    assert dear.estimate(10, 10, 1) == 13  # 10 x 400 + 10 x 900 = 13000 pico
    assert dear.for_tokens(10, 1) == 9  # 10 x 900


# --- Time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("UTC", NOON - 12 * HOUR, 24),
        ("Europe/Berlin", NOON - 13 * HOUR, 24),
    ],
)
def test_a_day_is_a_civil_day(zone: str, start: int, hours: int) -> None:
    assert day_of(NOON, zone) == (start, start + hours * HOUR)


def test_the_day_on_which_summer_begins_has_23_hours() -> None:
    sunday = NOON + DAY  # 2026-03-29
    assert day_of(sunday, "Europe/Berlin") == (NOON + 11 * HOUR, NOON + 34 * HOUR)


def test_a_rolling_window_is_the_current_bucket_and_the_sixty_before() -> None:
    desk = Desk(tokens(10, "rolling:1m"))
    desk.placed(6)
    desk.now_us += 60 * SECOND
    assert isinstance(desk.place(5), Refused), "still the sixtieth bucket before"
    desk.now_us += SECOND
    desk.placed(5)
    assert desk.figures() == (0, 5, 0, 0)


def test_a_session_has_no_end_and_calls_without_one_share_a_day() -> None:
    desk = Desk(tokens(10, "per_session"))
    desk.placed(6, attributes={"session": "s"})
    desk.placed(6)
    desk.now_us += DAY
    assert isinstance(desk.place(5, attributes={"session": "s"}), Refused)
    desk.placed(5)
    assert partition_of(("session", "user"), {"user": "u"}) == '{"session":null,"user":"u"}'


def test_time_does_not_go_back_in_a_balance() -> None:
    desk = Desk(tokens(10))
    desk.placed(6)
    desk.now_us -= 2 * DAY
    assert isinstance(desk.place(5), Refused)


def test_a_clock_that_runs_ahead_pauses_expiry_for_five_steady_minutes() -> None:
    desk = Desk(tokens(10, on_expiry="release"))
    desk.ledger.batch(desk.now_us, 0)
    desk.placed(6, ttl_seconds=60)
    desk.now_us += HOUR
    desk.ledger.batch(desk.now_us, SECOND)
    assert isinstance(desk.place(5), Refused)
    desk.now_us += 300 * SECOND
    desk.ledger.batch(desk.now_us, 301 * SECOND)
    desk.placed(5)


# --- Admission -----------------------------------------------------------------------------------


def test_a_hard_limit_admits_exactly_its_limit() -> None:
    desk = Desk(tokens(10))
    desk.placed(6)
    refused = desk.place(5)
    assert isinstance(refused, Refused)
    (line,) = refused.lines
    assert (line.limit, line.reserved, line.requested, line.shortfall) == (10, 6, 5, 1)
    assert line.resets_us == MIDNIGHT
    desk.placed(4)
    desk.placed(0)


def test_a_leg_of_nothing_is_admitted_at_a_limit_of_nothing() -> None:
    desk = Desk(tokens(0))
    desk.placed(0)
    assert isinstance(desk.place(1), Refused)


def test_all_or_nothing() -> None:
    desk = Desk(tokens(10, number=0), tokens(5, "total", number=1))
    assert isinstance(desk.place(6), Refused)
    assert desk.figures(0) == desk.figures(1) == (0, 0, 0, 0)


def test_a_soft_limit_refuses_nothing() -> None:
    desk = Desk(tokens(1, enforcement="soft_limit"))
    desk.placed(100)
    assert desk.figures() == (0, 100, 0, 0)


def test_headroom_is_kept_for_higher_priorities() -> None:
    desk = Desk(tokens(100, headroom={8: 10, 10: 5}))
    assert isinstance(desk.place(91), Refused), "90 for a normal call"
    assert isinstance(desk.place(96, priority=8), Refused), "95 for priority 8"
    desk.placed(100, priority=10)


def test_fit_grants_what_there_is_room_for() -> None:
    desk = Desk(tokens(100))
    held = desk.placed(model="plain", input_tokens=40, max_output_tokens=200, fit=True)
    assert held.granted == 60
    refused = desk.place(model="plain", input_tokens=0, max_output_tokens=20, fit=True)
    assert isinstance(refused, Refused), "16 is the least"


def test_a_hold_must_state_every_hard_unit() -> None:
    desk = Desk(tokens(10))
    assert desk.place(usd=5) == Fault("InvalidInput")


def test_an_unknown_price_is_refused_under_a_hard_limit_of_money() -> None:
    desk = Desk(Policy("0", "usd", "daily", 100))
    assert desk.place(5, model="unheard-of") == Refused("model_unpriced")
    allowed = Desk(Policy("0", "usd", "daily", 100), unpriced="allow")
    held = allowed.placed(5, model="unheard-of")
    assert held.first["usd"] == 0
    booked = allowed.booked(held, 5)
    assert booked.record.cost is None
    assert booked.record.flags == {"unpriced"}


# --- Usage ---------------------------------------------------------------------------------------


def test_settling_moves_what_was_used_and_returns_the_rest() -> None:
    desk = Desk(tokens(10))
    held = desk.placed(6)
    desk.booked(held, 2, final=False)
    assert desk.figures() == (2, 4, 0, 0)
    desk.booked(held, 1)
    assert desk.figures() == (3, 0, 0, 0)


def test_usage_beyond_the_hold_uses_free_room_and_then_overruns() -> None:
    desk = Desk(tokens(10))
    held = desk.placed(6)
    assert desk.booked(held, 13).record.flags == {"unpriced", "overrun"}
    assert desk.figures() == (13, 0, 0, 3)


def test_usage_goes_to_the_window_of_its_hold() -> None:
    desk = Desk(tokens(10))
    held = desk.placed(6)
    desk.now_us += DAY
    desk.booked(held, 8)
    assert desk.figures(at_us=NOON) == (8, 0, 0, 0)
    assert desk.figures() == (0, 0, 0, 0)


def test_the_first_record_counts_the_request() -> None:
    desk = Desk(Policy("0", "requests", "daily", 5))
    held = desk.placed(3)
    desk.booked(held, 1, final=False)
    assert desk.figures() == (1, 0, 0, 0)
    desk.booked(held, 1)
    assert desk.figures() == (1, 0, 0, 0)


def test_expiry_assumes_and_late_usage_tells_the_truth() -> None:
    desk = Desk(tokens(10))
    held = desk.placed(6)
    desk.now_us += HOUR
    assert desk.ledger.sweep(desk.now_us) == [held]
    assert desk.figures() == (0, 0, 6, 0)
    assert desk.booked(held, 2).record.flags == {"unpriced", "late"}
    assert desk.figures() == (2, 0, 0, 0)


def test_a_refusal_waits_for_holds_that_are_due() -> None:
    desk = Desk(tokens(10, on_expiry="release"))
    desk.placed(6, ttl_seconds=60)
    desk.now_us += 61 * SECOND
    desk.placed(5)


def test_unreserved_usage_goes_to_its_window_for_72_hours() -> None:
    desk = Desk(tokens(10))
    desk.report(4, occurred_us=NOON - DAY)
    assert desk.figures(at_us=NOON - DAY) == (4, 0, 0, 0)
    long_ago = desk.report(4, occurred_us=NOON - 4 * DAY)
    assert isinstance(long_ago, Booked)
    assert "prior_period" in long_ago.record.flags
    assert desk.figures() == (4, 0, 0, 0)
    assert desk.report(1, occurred_us=NOON + 301 * SECOND) == Fault("InvalidInput")


def test_a_correction_reverses_once_and_keeps_overrun() -> None:
    desk = Desk(tokens(10))
    desk.booked(desk.placed(6), 13)
    answer = desk.ledger.correct(desk.now_us, "u0", {"replacement": Usage(5)}, ("r", "s"))
    assert isinstance(answer, Corrected)
    assert desk.figures() == (5, 0, 0, 3), "overrun never shrinks"
    assert desk.ledger.correct(desk.now_us, "u0", {}, ("t", "v")) == Fault("Conflict")


# --- Exactly once --------------------------------------------------------------------------------


def test_the_same_key_is_one_effect_and_another_payload_none() -> None:
    desk = Desk(tokens(10))
    first, again = desk.place(6, key="k"), desk.place(6, key="k")
    assert isinstance(first, Placed)
    agreed = (first.allocation.first, first.allocation.first_granted)
    assert again == Placed(first.allocation, replayed=True, agreed=agreed)
    assert desk.place(7, key="k") == Fault("KeyReused")
    assert desk.figures() == (0, 6, 0, 0)


def test_a_refusal_takes_no_key() -> None:
    desk = Desk(tokens(10))
    held = desk.placed(6)
    assert isinstance(desk.place(6, key="k"), Refused)
    desk.booked(held, 1)
    assert isinstance(desk.place(6, key="k"), Placed)


def test_settling_again_replays_only_the_same_usage() -> None:
    desk = Desk(tokens(10))
    held = desk.placed(6)
    desk.booked(held, 2)
    assert desk.booked(held, 2).replayed
    assert desk.record(held, 3) == Fault("Conflict")


# --- Envelopes -----------------------------------------------------------------------------------


def test_a_call_draws_on_its_envelope_and_returns_to_it() -> None:
    desk = Desk(tokens(10))
    run = desk.placed(8, envelope=True)
    child = desk.placed(5, parent_id=run.allocation_id)
    assert desk.figures() == (0, 8, 0, 0)
    assert run.left["tokens"] == 3
    refused = desk.place(4, parent_id=run.allocation_id)
    assert isinstance(refused, Refused)
    assert refused.code == "envelope_exhausted"
    desk.booked(child, 7)  # 5 of its own, 2 of the envelope's
    assert run.left["tokens"] == 1
    assert desk.figures() == (7, 1, 0, 0)


def test_ending_an_envelope_assumes_its_calls_and_returns_its_rest() -> None:
    desk = Desk(tokens(10))
    run = desk.placed(8, envelope=True)
    child = desk.placed(5, parent_id=run.allocation_id)
    desk.ledger.release(desk.now_us, run.allocation_id, {})
    assert (run.status, child.status) == ("released", "expired")
    assert desk.figures() == (0, 0, 5, 0)


def test_an_envelope_holds_nothing_on_a_rolling_limit_but_its_calls_do() -> None:
    desk = Desk(tokens(4, "rolling:1h"))
    run = desk.placed(8, envelope=True)
    desk.placed(3, parent_id=run.allocation_id)
    assert desk.figures() == (0, 3, 0, 0)
    assert isinstance(desk.place(2, parent_id=run.allocation_id), Refused)


# --- Limits --------------------------------------------------------------------------------------


def test_what_is_unused_rolls_over_once() -> None:
    desk = Desk(tokens(10, rollover=True))
    desk.booked(desk.placed(6), 6)
    desk.now_us += DAY
    assert desk.head().limit(MIDNIGHT, desk.now_us) == 14  # 10 + (10 - 6)
    desk.booked(desk.placed(14), 14)
    desk.now_us += DAY
    assert desk.head().limit(MIDNIGHT + DAY, desk.now_us) == 10  # 10 - 14 is below nothing
    desk.now_us += 7 * DAY
    assert desk.head().limit(MIDNIGHT + 8 * DAY, desk.now_us) == 20, "at most one limit"


def test_a_top_up_raises_this_window_or_those_that_begin_before_its_date() -> None:
    desk = Desk(tokens(10))
    desk.placed(1)
    desk.ledger.top_up(desk.now_us, "0", 5, None, None)
    desk.ledger.top_up(desk.now_us, "0", 2, NOON + DAY, None)
    head = desk.head()
    assert [head.limit(NOON // DAY * DAY + n * DAY, NOON + n * DAY) for n in (0, 1, 2)] == [
        17,
        12,
        10,
    ]


def test_an_extension_holds_in_the_window_of_now_and_usage_draws_on_the_oldest_first() -> None:
    desk = Desk(tokens(10))
    held = desk.placed(6, ttl_seconds=86_400)
    desk.now_us += DAY - SECOND
    desk.ledger.extend(desk.now_us, held.allocation_id, {"tokens": 5})
    assert desk.figures() == (0, 5, 0, 0)
    desk.booked(held, 9)
    assert desk.figures(at_us=NOON) == (6, 0, 0, 0)
    assert desk.figures() == (3, 0, 0, 0)


def test_the_endless_window_has_no_end() -> None:
    assert Head(tokens(1, "total"), "{}").window(NOON) == (0, NEVER)
