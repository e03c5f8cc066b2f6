"""Policies: added, changed in place or by a successor, archived, on both engines."""

from dataclasses import replace
from typing import Any

import pytest

from budget.domain.answers import Refusal
from budget.domain.asks_budgets import PolicyAsk
from budget.domain.budgets import Policy
from budget.domain.errors import Conflict, InvalidInput, KeyReused
from budget.engine import policies as acts
from budget.engine.audit import history
from budget.engine.budget import Budget as Books
from budget.engine.callers import LOCAL
from tests.engine.opened import (
    DAY,
    MILLI,
    MINUTE,
    USD,
    Clock,
    allocated,
    balances,
    figures,
    refused,
    told,
    us,
)


def a_policy(books: Books, per: list[str] | None = None, **terms: Any) -> Policy:
    ask: Any = {"unit": "usd", "period": "monthly", "limit": "10", **terms}
    made = books.create_budget(name="Team", per=per or [], policies=[ask])
    return made.policies[0]


# --- adding --------------------------------------------------------------------------------------


def test_a_policy_joins_its_budget(books: Books, clock: Clock) -> None:
    first = a_policy(books, ["user"])
    clock.move(MINUTE)
    ask: PolicyAsk = {"unit": "requests", "period": "per_task", "limit": 3}
    made = books.create_policy(first.budget_id, **ask)
    budget = books.budget(first.budget_id)
    assert budget.policies == (first, made)
    assert budget.updated_us == clock()
    assert made.partition_by == ("task", "user")
    assert made.limits == ((clock(), 3),)
    (detail,) = told(books, "policy_created")
    assert detail["limit"] == 3
    (event,) = books.events(kind="policy_created").items
    assert (event.budget_id, event.policy_id) == (first.budget_id, made.policy_id)
    assert len(allocated(books, usd="1").legs) == 2


def test_a_policy_is_added_once_for_its_key(books: Books) -> None:
    first = a_policy(books)
    ask: PolicyAsk = {"unit": "requests", "period": "daily", "limit": 3, "idempotency_key": "k"}
    made = books.create_policy(first.budget_id, **ask)
    assert books.create_policy(first.budget_id, **ask) == made
    with pytest.raises(KeyReused):
        books.create_policy(first.budget_id, **(ask | {"limit": 4}))
    assert len(books.budget(first.budget_id).policies) == 2


def test_a_budget_has_at_most_fifty_policies_in_force(books: Books) -> None:
    ask: PolicyAsk = {"unit": "requests", "period": "daily", "limit": 3}
    made = books.create_budget(name="Full", policies=[ask] * 50)
    with pytest.raises(Conflict) as caught:
        books.create_policy(made.budget_id, **ask)
    assert caught.value.code == "too_many_policies"
    books.archive_policy(made.policies[7].policy_id)
    books.create_policy(made.budget_id, **ask)


BAD = [
    ({"unit": "euro"}, "unit"),
    ({"period": "fortnightly"}, "period"),
    ({"period": "daily", "reset_day": 3}, "reset_day"),
    ({"period": "total", "rollover": "unused"}, "rollover"),
    ({"unit": "usd", "limit": "-1"}, "limit"),
    ({"unit": "tokens", "limit": "5"}, "limit"),
    ({"enforcement": "hard"}, "enforcement"),
    ({"warning_threshold": "1.5"}, "warning_threshold"),
    ({"action_threshold": 0.5}, "action_threshold"),
    ({"warning_threshold": "0.9", "action_threshold": "0.8"}, "warning_threshold"),
    ({"timezone": "Berlin"}, "timezone"),
    ({"reset_day": 31}, "reset_day"),
    ({"on_expiry": "forget"}, "on_expiry"),
    ({"rollover": "all"}, "rollover"),
    ({"reserved_for_priority": {"8": "200%"}}, "reserved_for_priority.8"),
    ({"backfill": 1}, "backfill"),
    ({"idempotency_key": "\n"}, "idempotency_key"),
    ({"scope": {}}, "scope"),
]


@pytest.mark.parametrize(("given", "field"), BAD)
def test_bad_input_is_refused_before_it_is_queued(given: dict[str, Any], field: str) -> None:
    assert refused(acts.changing, "pol_1", given, LOCAL).field == field
    whole = {"unit": "requests", "period": "monthly", "limit": 5, **given}
    assert refused(acts.creating, "bud_1", whole, LOCAL).field == field


@pytest.mark.parametrize("name", ["unit", "period", "limit"])
def test_a_new_policy_needs_a_unit_a_period_and_a_limit(name: str) -> None:
    whole = {"unit": "requests", "period": "monthly", "limit": 5, name: None}
    assert refused(acts.creating, "bud_1", whole, LOCAL).field == name


def test_what_only_the_policy_can_tell_is_refused_by_it(books: Books) -> None:
    daily = a_policy(books, period="daily", rollover="unused")
    for given, field in [
        ({"limit": "-1"}, "limit"),
        ({"limit": "0.0000000001"}, "limit"),
        ({"reset_day": 3}, "reset_day"),
        ({"period": "total"}, "rollover"),
        ({"unit": "tokens"}, "limit"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            books.change_policy(daily.policy_id, **given)  # type: ignore[arg-type]
        assert caught.value.field == field
    assert books.policy(daily.policy_id) == daily


# --- in place ------------------------------------------------------------------------------------


def test_a_limit_changes_in_place_and_remembers_what_it_was(books: Books, clock: Clock) -> None:
    first = a_policy(books)
    began_us = clock()
    allocated(books, usd="6")
    changed_us = clock.move(MINUTE)
    changed = books.change_policy(first.policy_id, limit="20")
    assert changed.policy_id == first.policy_id
    assert changed.limits == ((began_us, 10 * USD), (changed_us, 20 * USD))
    assert books.policy(first.policy_id) == changed
    assert told(books, "policy_changed") == [
        {"changes": {"limit": {"old": "10.00", "new": "20.00"}}}
    ]
    assert isinstance(books.allocate(usd="14.01"), Refusal)
    allocated(books, usd="14")
    assert figures(books, first.policy_id) == {"{}": (0, 20 * USD, 0)}


def test_a_limit_may_fall_below_what_is_held(books: Books) -> None:
    first = a_policy(books)
    held = allocated(books, usd="6", model="m")
    books.change_policy(first.policy_id, limit="2")
    assert isinstance(books.allocate(usd="0.01"), Refusal)
    # What was held is used as agreed: 5,000 tokens are 5 USD, within the hold, so no overrun.
    receipt = books.settle(held.allocation_id, input_tokens=5000)
    assert receipt.flags == ()
    assert [(view.spent, view.overrun) for view in receipt.balances] == [(5000 * MILLI, 0)]


def test_everything_else_changes_in_place_too(books: Books) -> None:
    first = a_policy(books)
    allocated(books, usd="6")
    changed = books.change_policy(
        first.policy_id, enforcement="soft_limit", warning_threshold="0.5",
        action_threshold="0.75", rollover="unused", reserved_for_priority={"8": "10%"},
    )  # fmt: skip
    assert changed.policy_id == first.policy_id
    assert (changed.enforcement, changed.warning_bps, changed.action_bps) == (
        "soft_limit",
        5000,
        7500,
    )
    assert (changed.rollover, changed.reserved_for_priority) == (True, ((8, 1000),))
    assert changed.limits == first.limits
    assert books.policy(first.policy_id) == changed
    allocated(books, usd="600")
    assert told(books, "policy_changed") == [
        {
            "changes": {
                "enforcement": {"old": "hard_limit", "new": "soft_limit"},
                "warning_threshold": {"old": "0.8", "new": "0.5"},
                "action_threshold": {"old": "0.95", "new": "0.75"},
                "on_expiry": {"old": "assume", "new": "release"},
                "rollover": {"old": "none", "new": "unused"},
                "reserved_for_priority": {"old": {}, "new": {"8": "10%"}},
            }
        }
    ]


def test_the_threshold_that_is_not_given_gives_way(books: Books) -> None:
    first = a_policy(books)
    changed = books.change_policy(first.policy_id, action_threshold="0.4")
    assert (changed.warning_bps, changed.action_bps) == (4000, 4000)
    changed = books.change_policy(first.policy_id, warning_threshold="0.6")
    assert (changed.warning_bps, changed.action_bps) == (6000, 6000)


def test_on_expiry_follows_the_enforcement_unless_it_was_chosen(books: Books) -> None:
    default = a_policy(books, enforcement="warn")
    assert default.on_expiry == "release"
    assert books.change_policy(default.policy_id, enforcement="block").on_expiry == "assume"
    chosen = a_policy(books, enforcement="block", on_expiry="release")
    assert books.change_policy(chosen.policy_id, enforcement="warn").on_expiry == "release"
    kept = a_policy(books, enforcement="warn", on_expiry="assume")
    assert books.change_policy(kept.policy_id, enforcement="log").on_expiry == "assume"
    told_so = books.change_policy(kept.policy_id, enforcement="block", on_expiry="release")
    assert told_so.on_expiry == "release"


def test_the_same_terms_written_otherwise_change_nothing(books: Books) -> None:
    first = a_policy(books, period="rolling:90s", enforcement="hard_limit")
    same = books.change_policy(
        first.policy_id, unit="usd", limit="10.000", period="rolling:0090s", enforcement="block",
        timezone="UTC", backfill=True,
    )  # fmt: skip
    assert same == first
    assert told(books, "policy_changed") == []


def test_a_limit_is_changed_once_for_its_key(books: Books, clock: Clock) -> None:
    first = a_policy(books)
    changed = books.change_policy(first.policy_id, limit="20", idempotency_key="k")
    clock.move(MINUTE)
    again = books.change_policy(first.policy_id, limit="30")
    assert again.limit == 30 * USD
    # The answer to a request that comes again has the limit that it set then.
    replayed = books.change_policy(first.policy_id, limit="20", idempotency_key="k")
    assert replayed == replace(again, limit=20 * USD)
    assert replayed.replayed
    assert changed.limits == again.limits[:2]
    with pytest.raises(KeyReused):
        books.change_policy(first.policy_id, limit="21", idempotency_key="k")


def test_only_the_last_limits_are_remembered(
    monkeypatch: pytest.MonkeyPatch, books: Books, clock: Clock
) -> None:
    assert acts.MAX_LIMITS_KEPT == history.LIMITS_KEPT == 1000
    monkeypatch.setattr(acts, "MAX_LIMITS_KEPT", 3)
    monkeypatch.setattr(history, "LIMITS_KEPT", 3)
    first = a_policy(books, unit="requests", limit=0)
    for limit in range(1, 6):
        clock.move(1)
        books.change_policy(first.policy_id, limit=limit)
    changed = books.policy(first.policy_id)
    assert [limit for _, limit in changed.limits] == [3, 4, 5]
    assert changed.limits[-1] == (clock(), 5)


# --- limits and rollover -------------------------------------------------------------------------


def test_what_rolls_over_is_of_the_limit_that_was_in_force_when_the_window_ended(
    books: Books, clock: Clock
) -> None:
    first = a_policy(books, period="daily", limit="10", rollover="unused")
    allocated(books, usd="4", allocation_id="a")
    books.release("a")
    books.record_usage(model="m", input_tokens=4000)  # 4 USD
    clock.move(MINUTE)
    books.change_policy(first.policy_id, limit="9")
    clock.move(DAY)
    books.change_policy(first.policy_id, limit="7")
    # 9 - 4 = 5 were left when the day ended; today's limit is 7.
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [12 * USD]
    assert isinstance(books.allocate(usd="11.01"), Refusal)


def test_what_rolls_over_is_at_most_one_limit(books: Books, clock: Clock) -> None:
    first = a_policy(books, period="daily", limit="10", rollover="unused")
    allocated(books, usd="1", allocation_id="a")
    books.release("a")
    clock.move(DAY)
    books.change_policy(first.policy_id, limit="3")
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [6 * USD]


def test_rollover_can_be_turned_on_for_the_windows_to_come(books: Books, clock: Clock) -> None:
    first = a_policy(books, period="daily", limit="10")
    allocated(books, usd="1")
    books.change_policy(first.policy_id, rollover="unused")
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [10 * USD]
    clock.move(DAY)
    # 10 - 2 are carried on.
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [18 * USD]
    books.change_policy(first.policy_id, rollover="none")
    # A carry is fixed when its window opens.
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [18 * USD]
    clock.move(DAY)
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [10 * USD]


def test_nothing_rolls_over_from_before_a_successor_existed(books: Books, clock: Clock) -> None:
    first = a_policy(books, period="daily", limit="10", rollover="unused")
    allocated(books, usd="1")
    changed = books.change_policy(first.policy_id, timezone="Europe/Berlin")
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [10 * USD]
    clock.move(DAY)
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [19 * USD]
    assert changed.rollover


# --- by a successor ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"unit": "tokens", "limit": 500},
        {"period": "weekly"},
        {"period": "rolling:30d"},
        {"period": "per_session"},
        {"timezone": "Europe/Berlin"},
        {"reset_day": "last"},
    ],
)
def test_another_unit_period_zone_or_reset_day_makes_a_successor_at_zero(
    books: Books, clock: Clock, given: dict[str, Any]
) -> None:
    first = a_policy(books, enforcement="warn", warning_threshold="0.5")
    allocated(books, usd="6")
    clock.move(MINUTE)
    new = books.change_policy(first.policy_id, **given)
    assert new.policy_id != first.policy_id
    assert new.succeeds == first.policy_id
    assert (new.created_us, new.limits) == (clock(), ((clock(), new.limit),))
    assert (new.enforcement, new.warning_bps) == ("warn", 5000)
    assert books.policy(new.policy_id) == new
    old = books.policy(first.policy_id)
    assert old.archived_us == clock()
    assert books.budget(first.budget_id).policies == (old, new)
    assert all(view.spent == view.reserved == 0 for view in balances(books, new.policy_id))
    (detail,) = told(books, "policy_changed")
    assert (detail["successor"], detail["backfill"]) == (new.policy_id, False)
    assert set(given) - {"limit"} <= set(detail["changes"])
    assert [leg.policy.policy_id for leg in allocated(books, usd="1").legs] == [new.policy_id]


def test_a_successor_is_changed_further_not_the_policy_it_replaced(books: Books) -> None:
    first = a_policy(books)
    new = books.change_policy(first.policy_id, period="daily")
    with pytest.raises(Conflict) as caught:
        books.change_policy(first.policy_id, limit="1")
    assert caught.value.code == "archived"
    assert books.change_policy(new.policy_id, limit="1").limit == USD


def test_a_successor_is_made_once_for_its_key(books: Books) -> None:
    first = a_policy(books)
    new = books.change_policy(first.policy_id, period="daily", idempotency_key="k")
    assert books.change_policy(first.policy_id, period="daily", idempotency_key="k") == new
    assert len(books.budget(first.budget_id).policies) == 2


def test_a_reset_day_goes_when_the_period_is_no_longer_monthly(books: Books) -> None:
    first = a_policy(books, reset_day=15)
    weekly = books.change_policy(first.policy_id, period="weekly")
    assert weekly.calendar.reset_day == 1
    assert books.change_policy(weekly.policy_id, period="monthly").calendar.reset_day == 1


def test_a_unit_changes_with_its_limit(books: Books) -> None:
    first = a_policy(books, limit="10")
    new = books.change_policy(first.policy_id, unit="requests", limit=10)
    assert (new.unit, new.limit) == ("requests", 10)


def test_a_successor_of_a_session_policy_is_split_by_no_session(books: Books) -> None:
    first = a_policy(books, ["user"], period="per_session")
    assert first.partition_by == ("session", "user")
    assert books.change_policy(first.policy_id, period="daily").partition_by == ("user",)


def test_the_windows_of_a_successor_are_those_of_its_own_zone(books: Books, clock: Clock) -> None:
    first = a_policy(books, period="daily")
    clock.now_us = us("2026-05-15 23:00")  # in Berlin it is 01:00 of the 16th
    new = books.change_policy(first.policy_id, timezone="Europe/Berlin")
    (leg,) = allocated(books, usd="1").legs
    assert leg.policy.policy_id == new.policy_id
    assert leg.window == (us("2026-05-15 22:00"), us("2026-05-16 22:00"))


# --- archiving -----------------------------------------------------------------------------------


def test_an_archived_policy_limits_nothing_but_settles_what_it_held(
    books: Books, clock: Clock
) -> None:
    first = a_policy(books, limit="1")
    held = allocated(books, usd="1", model="m")
    clock.move(MINUTE)
    gone = books.archive_policy(first.policy_id)
    assert gone.archived_us == clock()
    assert books.archive_policy(first.policy_id) == gone
    assert books.budget(first.budget_id).policies == (gone,)
    assert allocated(books, usd="1000").legs == ()
    receipt = books.settle(held.allocation_id, input_tokens=400)
    assert [(view.spent, view.reserved) for view in receipt.balances] == [(400 * MILLI, 0)]
    assert len(told(books, "policy_archived")) == 1


def test_limits_stay_in_order_when_the_clock_goes_back(books: Books, clock: Clock) -> None:
    first = a_policy(books)
    clock.move(-DAY)
    changed = books.change_policy(first.policy_id, limit="0")
    assert [since_us for since_us, _ in changed.limits] == [first.created_us] * 2
    assert changed.limit_at(clock()) == first.limit  # of a window that ended before both
