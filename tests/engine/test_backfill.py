"""Backfill: what a policy counts that begins with the past, worked out by hand, on both engines."""

from typing import Any

import pytest

from budget.domain.answers import Refusal
from budget.domain.asks_budgets import PolicyAsk
from budget.domain.budgets import Budget, Policy
from budget.engine import backfill
from budget.engine.budget import Budget as Books
from tests.engine.opened import (
    MILLI,
    MINUTE,
    USD,
    Clock,
    allocated,
    balances,
    figures,
    told,
    us,
)

ACME = {"org": "acme"}
TRACKED: PolicyAsk = {"unit": "usd", "period": "monthly", "limit": "100"}


def a_budget(books: Books, *policies: PolicyAsk, **more: Any) -> Budget:
    return books.create_budget(name="Team", scope=ACME, policies=policies or (TRACKED,), **more)


def used(books: Books, clock: Clock, at: str, input_tokens: int, **attributes: str) -> str:
    """Usage that nobody reserved, booked when it happened; its id."""
    clock.now_us = us(at)
    receipt = books.record_usage(
        attributes={**ACME, **attributes}, model="m", input_tokens=input_tokens
    )
    return receipt.usage_id


def successor(books: Books, policy: Policy, **given: Any) -> Policy:
    return books.change_policy(policy.policy_id, backfill=True, **given)


# --- what was used -------------------------------------------------------------------------------


def test_the_usage_of_the_current_window_is_posted_by_partition(books: Books, clock: Clock) -> None:
    clock.now_us = us("2026-04-30 20:00")
    old = a_budget(books, {**TRACKED, "period": "yearly"}, per=["user"]).policies[0]
    used(books, clock, "2026-04-30 23:59:59", 1000, user="u")  # last month
    used(books, clock, "2026-05-01 00:00", 2000, user="u")
    used(books, clock, "2026-05-10 00:00", 3000, user="v")
    used(books, clock, "2026-05-10 00:00", 4000)
    used(books, clock, "2026-05-10 00:00", 50_000, org="other", user="u")
    clock.now_us = us("2026-05-15 12:00")
    new = successor(books, old, period="monthly")
    assert figures(books, new.policy_id) == {
        '{"user":"u"}': (2 * USD, 0, 0),
        '{"user":"v"}': (3 * USD, 0, 0),
        '{"user":null}': (4 * USD, 0, 0),
    }
    assert told(books, "backfilled") == [{"records": 3, "allocations": 0}]
    assert told(books, "policy_changed")[0]["backfill"] is True
    # What comes next comes on top.
    used(books, clock, "2026-05-15 12:00", 500, user="u")
    assert figures(books, new.policy_id)['{"user":"u"}'] == (2500 * MILLI, 0, 0)


def test_another_scope_and_split_count_the_past_their_own_way(books: Books, clock: Clock) -> None:
    budget = a_budget(
        books, TRACKED, {"unit": "tokens", "period": "daily", "limit": 100}, per=["user"]
    )
    used(books, clock, "2026-05-10 00:00", 1000, user="u")
    used(books, clock, "2026-05-15 00:00", 2000, user="v")
    used(books, clock, "2026-05-15 11:00", 4000, org="apex", user="u")
    changed = books.change_budget(
        budget.budget_id, scope={"org": ["acme", "apex"]}, per=["org"], backfill=True
    )
    money, tokens = changed.live_policies
    assert figures(books, money.policy_id) == {
        '{"org":"acme"}': (3 * USD, 0, 0),
        '{"org":"apex"}': (4 * USD, 0, 0),
    }
    assert figures(books, tokens.policy_id) == {
        '{"org":"acme"}': (2000, 0, 0),
        '{"org":"apex"}': (4000, 0, 0),
    }


def test_a_new_policy_and_a_new_budget_may_begin_with_the_past_too(
    books: Books, clock: Clock
) -> None:
    used(books, clock, "2026-05-10 00:00", 1000)
    budget = a_budget(books, backfill=True)
    assert figures(books, budget.policies[0].policy_id) == {"{}": (1 * USD, 0, 0)}
    added = books.create_policy(
        budget.budget_id, unit="requests", period="monthly", limit=5, backfill=True
    )
    assert figures(books, added.policy_id) == {"{}": (1, 0, 0)}


def test_corrections_are_counted_as_they_stand(books: Books, clock: Clock) -> None:
    old = a_budget(books).policies[0]
    first = used(books, clock, "2026-05-10 00:00", 5000)
    second = used(books, clock, "2026-05-11 00:00", 300)
    clock.now_us = us("2026-05-15 12:00")
    books.correct(first, reason="r", replacement={"input_tokens": 1000})
    books.correct(second, reason="r")
    new = successor(books, old, unit="tokens", limit=10_000)
    assert figures(books, new.policy_id) == {"{}": (1000, 0, 0)}


def test_usage_without_a_price_counts_in_every_unit_but_money(books: Books, clock: Clock) -> None:
    budget = a_budget(
        books, TRACKED, {"unit": "tokens", "period": "monthly", "limit": 100}, unpriced="allow"
    )
    books.record_usage(attributes=ACME, model="unheard-of", input_tokens=700)
    used(books, clock, "2026-05-15 12:00", 200)
    changed = books.change_budget(budget.budget_id, per=["org"], backfill=True)
    money, tokens = changed.live_policies
    assert figures(books, money.policy_id) == {'{"org":"acme"}': (200 * MILLI, 0, 0)}
    assert figures(books, tokens.policy_id) == {'{"org":"acme"}': (900, 0, 0)}
    assert [detail["records"] for detail in told(books, "backfilled")] == [1, 2]


def test_a_session_counts_from_its_start_and_calls_without_one_from_the_start_of_the_day(
    books: Books, clock: Clock
) -> None:
    clock.now_us = us("2026-05-10 00:00")
    old = a_budget(books, {**TRACKED, "period": "per_session"}).policies[0]
    used(books, clock, "2026-05-12 00:00", 1000, session="s")
    # In Berlin the 15th of May begins at 22:00 UTC of the 14th.
    used(books, clock, "2026-05-14 21:59", 2000)
    used(books, clock, "2026-05-14 22:00", 4000)
    clock.now_us = us("2026-05-15 12:00")
    new = successor(books, old, timezone="Europe/Berlin")
    assert figures(books, new.policy_id) == {
        '{"session":"s"}': (1 * USD, 0, 0),
        '{"session":null}': (4 * USD, 0, 0),
    }


def test_a_rolling_policy_counts_what_its_live_buckets_would_have(
    books: Books, clock: Clock
) -> None:
    clock.now_us = us("2026-05-15 10:00")
    old = a_budget(books).policies[0]
    used(books, clock, "2026-05-15 10:59:59", 1000)
    used(books, clock, "2026-05-15 11:00:30", 2000)
    used(books, clock, "2026-05-15 11:30:00", 4000)
    clock.now_us = us("2026-05-15 12:00:10")
    # Buckets of a minute: that of 12:00 and the sixty before it, from 11:00 on.
    new = successor(books, old, period="rolling:1h")
    assert figures(books, new.policy_id) == {"{}": (6 * USD, 0, 0)}
    clock.now_us = us("2026-05-15 12:01")
    assert figures(books, new.policy_id) == {"{}": (4 * USD, 0, 0)}
    clock.now_us = us("2026-05-15 12:31")
    assert figures(books, new.policy_id) == {"{}": (0, 0, 0)}


def test_what_happened_a_little_ahead_of_the_clock_counts_as_now(
    books: Books, clock: Clock
) -> None:
    budget = a_budget(books, {**TRACKED, "period": "yearly"}, {**TRACKED, "period": "total"})
    held = allocated(books, attributes=ACME, model="m", usd="5")
    clock.now_us = us("2026-05-15 23:58")
    books.record(held.allocation_id, input_tokens=1000, occurred_at="2026-05-16T00:02:00Z")
    daily = successor(books, budget.policies[0], period="daily")
    rolling = successor(books, budget.policies[1], period="rolling:1h")
    assert figures(books, daily.policy_id) == {"{}": (1 * USD, 4 * USD, 0)}
    assert figures(books, rolling.policy_id) == {"{}": (1 * USD, 4 * USD, 0)}


def test_a_past_beyond_the_limit_is_no_overrun_but_leaves_no_room(
    books: Books, clock: Clock
) -> None:
    old = a_budget(books).policies[0]
    used(books, clock, "2026-05-15 11:00", 30_000)
    new = successor(books, old, period="daily", limit="20")
    (view,) = balances(books, new.policy_id)
    assert (view.limit, view.spent, view.overrun, view.remaining) == (20 * USD, 30 * USD, 0, 0)
    refusal = books.allocate(attributes=ACME, usd="0.01")
    assert isinstance(refusal, Refusal)
    assert refusal.lines[0].shortfall == 10 * MILLI


def test_without_a_past_a_backfill_tells_so_and_makes_no_balance(books: Books) -> None:
    old = a_budget(books, per=["user"]).policies[0]
    new = successor(books, old, period="daily")
    assert figures(books, new.policy_id) == {}
    assert told(books, "backfilled") == [{"records": 0, "allocations": 0}]


def test_a_long_past_is_read_and_told_in_parts(
    monkeypatch: pytest.MonkeyPatch, books: Books, clock: Clock
) -> None:
    monkeypatch.setattr(backfill, "PAGE", 3)
    monkeypatch.setattr(backfill, "_USAGE_PAGE", backfill._USAGE_PAGE.limit(3))
    monkeypatch.setattr(backfill, "POSTINGS_PER_ENTRY", 2)
    old = a_budget(books, per=["user"]).policies[0]
    for number in range(1, 8):
        used(books, clock, "2026-05-15 11:00", number * 100, user=f"u{number % 5}")
    held = allocated(books, attributes={**ACME, "user": "u9"}, usd="1")
    new = successor(books, old, period="daily")
    milli = {user: spent // MILLI for user, (spent, _, _) in figures(books, new.policy_id).items()}
    assert milli == {
        '{"user":"u0"}': 500,
        '{"user":"u1"}': 100 + 600,
        '{"user":"u2"}': 200 + 700,
        '{"user":"u3"}': 300,
        '{"user":"u4"}': 400,
        '{"user":"u9"}': 0,
    }
    assert told(books, "backfilled") == [{"records": 7, "allocations": 1}, {}, {}]
    books.release(held.allocation_id)


# --- what is held --------------------------------------------------------------------------------

EVERY_UNIT: list[PolicyAsk] = [
    {"unit": "usd", "period": "monthly", "limit": "100"},
    {"unit": "tokens", "period": "monthly", "limit": 100_000},
    {"unit": "input_tokens", "period": "monthly", "limit": 100_000},
    {"unit": "output_tokens", "period": "monthly", "limit": 100_000},
    {"unit": "requests", "period": "monthly", "limit": 100},
]


def by_unit(books: Books, budget: Budget) -> dict[str, tuple[int, int, int]]:
    """The figures of the only balance of each policy in force; money in thousandths of a dollar."""
    return {
        view.policy.unit: (
            (view.spent // MILLI, view.reserved // MILLI, view.assumed // MILLI)
            if view.policy.unit == "usd"
            else (view.spent, view.reserved, view.assumed)
        )
        for view in books.status()
        if view.policy.budget_id == budget.budget_id
    }


def test_an_open_estimate_is_held_on_for_what_it_has_left(books: Books, clock: Clock) -> None:
    budget = a_budget(books, *EVERY_UNIT)
    # 1,000 x 0.001 + 500 x 0.002 = 2 USD; used so far: 400 x 0.001 + 100 x 0.002 = 0.6 USD.
    held = allocated(books, attributes=ACME, model="m", input_tokens=1000, max_output_tokens=500)
    books.record(held.allocation_id, input_tokens=400, output_tokens=100)
    clock.move(MINUTE)
    books.change_budget(budget.budget_id, per=["org"], backfill=True)
    assert by_unit(books, budget) == {
        "usd": (600, 1400, 0),
        "tokens": (500, 1000, 0),
        "input_tokens": (400, 600, 0),
        "output_tokens": (100, 400, 0),
        "requests": (1, 0, 0),
    }
    # 600 x 0.001 + 450 x 0.002 = 1.5 USD: 0.1 USD and 50 output tokens more than were held.
    receipt = books.settle(held.allocation_id, input_tokens=600, output_tokens=450)
    assert receipt.flags == ()
    assert len(receipt.balances) == 10
    assert by_unit(books, budget) == {
        "usd": (2100, 0, 0),
        "tokens": (1550, 0, 0),
        "input_tokens": (1000, 0, 0),
        "output_tokens": (550, 0, 0),
        "requests": (1, 0, 0),
    }


def test_an_open_hold_of_tokens_counts_in_full_for_input_and_for_output(books: Books) -> None:
    budget = a_budget(books, *EVERY_UNIT)
    # 1,000 tokens at the dearest rate: 2 USD. Used: 300 x 0.001 = 0.3 USD.
    held = allocated(books, attributes=ACME, model="m", tokens=1000)
    books.record(held.allocation_id, input_tokens=300)
    books.change_budget(budget.budget_id, per=["org"], backfill=True)
    assert by_unit(books, budget) == {
        "usd": (300, 1700, 0),
        "tokens": (300, 700, 0),
        "input_tokens": (300, 700, 0),
        "output_tokens": (0, 1000, 0),
        "requests": (1, 0, 0),
    }


def test_what_extensions_have_added_is_held_on_too(books: Books) -> None:
    budget = a_budget(books, *EVERY_UNIT)
    held = allocated(books, attributes=ACME, model="m", input_tokens=1000, max_output_tokens=500)
    books.extend(held.allocation_id, max_output_tokens=100)  # 0.2 USD
    books.extend(held.allocation_id, tokens=50)  # 0.1 USD, 50 for input and 50 for output
    before = by_unit(books, budget)
    assert before == {
        "usd": (0, 2300, 0),
        "tokens": (0, 1650, 0),
        "input_tokens": (0, 1050, 0),
        "output_tokens": (0, 650, 0),
        "requests": (0, 1, 0),
    }
    books.change_budget(budget.budget_id, per=["org"], backfill=True)
    assert by_unit(books, budget) == before


def test_a_hold_that_states_no_amount_in_a_unit_is_charged_there_all_the_same(
    books: Books,
) -> None:
    budget = a_budget(books)
    held = allocated(books, attributes=ACME, model="m", usd="5")
    books.create_policy(budget.budget_id, unit="tokens", period="daily", limit=10, backfill=True)
    assert by_unit(books, budget) == {"usd": (0, 5000, 0), "tokens": (0, 0, 0)}
    receipt = books.settle(held.allocation_id, input_tokens=30)
    assert receipt.flags == ("overrun",)
    assert by_unit(books, budget) == {"usd": (30, 0, 0), "tokens": (30, 0, 0)}


def test_holds_that_do_not_match_get_no_leg(books: Books) -> None:
    allocated(books, attributes={"org": "other"}, model="m", usd="5")
    budget = a_budget(books, backfill=True)
    assert by_unit(books, budget) == {"usd": (0, 0, 0)}
    assert told(books, "backfilled") == [{"records": 0, "allocations": 0}]


def test_an_assumed_hold_stays_assumed_until_true_usage_arrives(books: Books, clock: Clock) -> None:
    old = a_budget(books).policies[0]
    held = allocated(books, attributes=ACME, model="m", usd="3", ttl_seconds=60)
    clock.move(2 * MINUTE)
    assert books.sweep() == 1
    new = successor(books, old, period="daily")
    assert figures(books, new.policy_id) == {"{}": (0, 0, 3 * USD)}
    receipt = books.settle(held.allocation_id, input_tokens=1000)
    assert receipt.flags == ("late",)
    assert figures(books, new.policy_id) == {"{}": (1 * USD, 0, 0)}


def test_a_hold_that_has_ended_otherwise_gets_no_leg(books: Books, clock: Clock) -> None:
    old = a_budget(books, {**TRACKED, "on_expiry": "release"}).policies[0]
    ask: dict[str, Any] = {"attributes": ACME, "model": "m", "usd": "3", "ttl_seconds": 60}
    allocated(books, **ask)
    released, settled = allocated(books, **ask), allocated(books, **ask)
    books.release(released.allocation_id)
    books.settle(settled.allocation_id, input_tokens=1000)
    clock.move(2 * MINUTE)
    assert books.sweep() == 1
    new = successor(books, old, period="daily")
    assert figures(books, new.policy_id) == {"{}": (1 * USD, 0, 0)}
    assert told(books, "backfilled") == [{"records": 1, "allocations": 0}]


def test_a_hold_counts_in_the_rolling_bucket_of_the_backfill(books: Books, clock: Clock) -> None:
    clock.now_us = us("2026-05-15 11:15")
    old = a_budget(books).policies[0]
    held = allocated(books, attributes=ACME, model="m", usd="3", ttl_seconds=86_400)
    clock.now_us = us("2026-05-15 12:00")
    new = successor(books, old, period="rolling:1h")
    clock.now_us = us("2026-05-15 13:01") - 1
    assert figures(books, new.policy_id) == {"{}": (0, 3 * USD, 0)}
    clock.move(1)
    assert figures(books, new.policy_id) == {"{}": (0, 0, 0)}
    books.settle(held.allocation_id, input_tokens=1000)
    assert figures(books, new.policy_id) == {"{}": (0, 0, 0)}


def test_a_hold_of_last_month_is_held_on_in_this_month(books: Books, clock: Clock) -> None:
    clock.now_us = us("2026-04-30 23:50")
    old = a_budget(books, {**TRACKED, "period": "total"}).policies[0]
    held = allocated(books, attributes=ACME, model="m", usd="3", ttl_seconds=86_400)
    clock.now_us = us("2026-05-01 00:10")
    new = successor(books, old, period="monthly")
    assert figures(books, new.policy_id) == {"{}": (0, 3 * USD, 0)}
    books.settle(held.allocation_id, input_tokens=1000)
    assert figures(books, new.policy_id) == {"{}": (1 * USD, 0, 0)}


# --- envelopes -----------------------------------------------------------------------------------


def an_agent_run(books: Books, clock: Clock, **parent: Any) -> tuple[str, str, str]:
    """An envelope of 10 USD with an open call of 2, an assumed one of 3, and one that cost 1.

    (envelope, open call, assumed call). What is left to the envelope: 10 - 2 - 3 - 1 = 4 USD.
    """
    ask: dict[str, Any] = {"attributes": ACME, "envelope": True, "usd": "10", "ttl_seconds": 3600}
    run = allocated(books, **{**ask, **parent})
    call: dict[str, Any] = {"parent_id": run.allocation_id, "model": "m"}
    assumed = allocated(books, **call, usd="3", ttl_seconds=60)
    clock.move(2 * MINUTE)
    assert books.sweep() == 1
    settled = allocated(books, **call, usd="4")
    books.settle(settled.allocation_id, input_tokens=1000)
    opened = allocated(books, **call, usd="2", ttl_seconds=3600)
    return run.allocation_id, opened.allocation_id, assumed.allocation_id


def test_an_envelope_and_its_calls_are_held_on_as_before(books: Books, clock: Clock) -> None:
    old = a_budget(books).policies[0]
    run, opened, assumed = an_agent_run(books, clock)
    as_before = {"{}": (1 * USD, 6 * USD, 3 * USD)}
    assert figures(books, old.policy_id) == as_before
    new = successor(books, old, period="yearly")
    assert figures(books, new.policy_id) == as_before
    # The open call costs 3 USD: 2 of its own, 1 from the envelope, which has 3 left.
    books.settle(opened, input_tokens=3000)
    assert figures(books, new.policy_id) == {"{}": (4 * USD, 3 * USD, 3 * USD)}
    # Further calls come out of the envelope, not out of the budget.
    last = allocated(books, parent_id=run, model="m", usd="3")
    assert figures(books, new.policy_id) == {"{}": (4 * USD, 3 * USD, 3 * USD)}
    refusal = books.allocate(parent_id=run, model="m", usd="0.01")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "envelope_exhausted"
    # The assumed call cost 0.5 USD; the rest returns to the envelope, which is open.
    books.settle(assumed, input_tokens=500)
    assert figures(books, new.policy_id) == {"{}": (4500 * MILLI, 5500 * MILLI, 0)}
    # At the envelope's end its own remainder returns, and its open call is assumed.
    books.release(run)
    assert figures(books, new.policy_id) == {"{}": (4500 * MILLI, 0, 3 * USD)}
    books.settle(last.allocation_id, input_tokens=0, requests=0)
    assert figures(books, new.policy_id) == {"{}": (4500 * MILLI, 0, 0)}


@pytest.mark.parametrize("period", ["rolling:1h", "minute"])
def test_where_envelopes_hold_nothing_their_calls_do(
    books: Books, clock: Clock, period: str
) -> None:
    old = a_budget(books).policies[0]
    _, opened, assumed = an_agent_run(books, clock)
    new = successor(books, old, period=period)
    assert figures(books, new.policy_id) == {"{}": (1 * USD, 2 * USD, 3 * USD)}
    books.settle(opened, input_tokens=3000)
    books.settle(assumed, input_tokens=500)
    assert figures(books, new.policy_id) == {"{}": (4500 * MILLI, 0, 0)}


def test_a_call_of_another_partition_than_its_envelope_is_held_on_both(books: Books) -> None:
    old = a_budget(books, per=["user"]).policies[0]
    run = allocated(books, attributes={**ACME, "user": "u"}, envelope=True, usd="10")
    call = allocated(books, parent_id=run.allocation_id, attributes={"user": "v"}, model="m",
                     usd="2")  # fmt: skip
    as_before = {'{"user":"u"}': (0, 10 * USD, 0), '{"user":"v"}': (0, 2 * USD, 0)}
    assert figures(books, old.policy_id) == as_before
    new = successor(books, old, period="yearly")
    assert figures(books, new.policy_id) == as_before
    books.settle(call.allocation_id, input_tokens=1000)
    assert figures(books, new.policy_id) == {
        '{"user":"u"}': (1 * USD, 9 * USD, 0),
        '{"user":"v"}': (1 * USD, 0, 0),
    }


def test_a_call_that_matches_alone_is_held_on_alone(books: Books) -> None:
    budget = a_budget(books)
    run = allocated(books, attributes={**ACME, "user": "u"}, envelope=True, usd="10")
    call = allocated(books, parent_id=run.allocation_id, attributes={"user": "v"}, model="m",
                     usd="2")  # fmt: skip
    changed = books.change_budget(
        budget.budget_id, scope={"org": "acme", "user": "v"}, backfill=True
    )
    (new,) = changed.live_policies
    assert figures(books, new.policy_id) == {"{}": (0, 2 * USD, 0)}
    books.settle(call.allocation_id, input_tokens=5000)
    assert figures(books, new.policy_id) == {"{}": (5 * USD, 0, 0)}


def test_a_call_whose_envelope_matches_alone_is_held_within_it(books: Books) -> None:
    budget = a_budget(books)
    run = allocated(books, attributes={**ACME, "user": "u"}, envelope=True, usd="10")
    call = allocated(books, parent_id=run.allocation_id, attributes={"user": "v"}, model="m",
                     usd="2")  # fmt: skip
    changed = books.change_budget(
        budget.budget_id, scope={"org": "acme", "user": "u"}, backfill=True
    )
    (new,) = changed.live_policies
    assert figures(books, new.policy_id) == {"{}": (0, 10 * USD, 0)}
    books.settle(call.allocation_id, input_tokens=1000)
    assert figures(books, new.policy_id) == {"{}": (1 * USD, 9 * USD, 0)}


def test_an_envelope_of_tokens_is_held_on_in_tokens_and_its_calls_in_money(books: Books) -> None:
    soft: PolicyAsk = {"unit": "usd", "period": "monthly", "limit": "100", "enforcement": "warn"}
    budget = a_budget(books, soft, {"unit": "input_tokens", "period": "monthly", "limit": 5000})
    run = allocated(books, attributes=ACME, envelope=True, tokens=1000)
    call = allocated(books, parent_id=run.allocation_id, model="m", input_tokens=100,
                     max_output_tokens=200)  # fmt: skip
    assert by_unit(books, budget) == {"usd": (0, 500, 0), "input_tokens": (0, 1000, 0)}
    books.change_budget(budget.budget_id, per=["org"], backfill=True)
    # 700 tokens are left to the envelope, for input as for output, and 100 of input to the call.
    assert by_unit(books, budget) == {"usd": (0, 500, 0), "input_tokens": (0, 800, 0)}
    books.settle(call.allocation_id, input_tokens=100, output_tokens=150)
    assert by_unit(books, budget) == {"usd": (400, 0, 0), "input_tokens": (100, 700, 0)}
    allocated(books, parent_id=run.allocation_id, model="m", input_tokens=700,
              max_output_tokens=0)  # fmt: skip
    books.release(run.allocation_id)
