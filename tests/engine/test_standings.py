"""Standings: how policies stand as a whole, whatever their period and however they are split."""

from typing import Any

from budget.domain.answers_usage import Standing
from budget.domain.windows import ALWAYS
from budget.engine.budget import Budget as Books
from tests.engine.opened import HOUR, MILLI, MINUTE, USD, Clock, allocated, refused, us


def a_budget(books: Books, period: str, **more: Any) -> str:
    """A budget of 10 USD; its id."""
    policy: Any = {"unit": "usd", "period": period, "limit": "10"}
    return books.create_budget(name=period, policies=[policy], **more).budget_id


def spend(books: Books, tokens: int, **attributes: str) -> None:
    """So many input tokens of `m`, a thousandth of a dollar each, held and settled."""
    held = allocated(
        books, model="m", input_tokens=tokens, max_output_tokens=0, attributes=attributes
    )
    books.settle(held.allocation_id, input_tokens=tokens, output_tokens=0)


def the_standing(books: Books, budget_id: str) -> Standing:
    (found,) = books.budget_summary(budget_id).items
    return found


def test_a_policy_that_is_not_split_has_one_balance(books: Books) -> None:
    budget_id = a_budget(books, "daily")
    before = the_standing(books, budget_id)
    assert (before.balances, before.spent, before.limit) == (1, 0, 10 * USD)
    spend(books, 100)
    allocated(books, usd="1")
    policy_id = before.policy.policy_id
    books.top_up(policy_id, amount="5", reason="more")
    after = the_standing(books, budget_id)
    assert (after.spent, after.reserved, after.limit) == (100 * MILLI, USD, 15 * USD)
    assert (after.open_allocations, after.requests) == (1, 1)
    assert after.window == (us("2026-05-15 00:00"), us("2026-05-16 00:00"))
    assert after.fullest is not None
    assert after.fullest.remaining == 13 * USD + 900 * MILLI


def test_the_fullest_balance_is_the_one_nearest_to_its_limit(books: Books) -> None:
    budget_id = a_budget(books, "daily", per=["team"])
    for team, tokens in (("a", 300), ("b", 500), ("c", 400)):
        spend(books, tokens, team=team)
    policy_id = the_standing(books, budget_id).policy.policy_id
    # With 10 USD more b has used 0.5 of 20, and c with 0.4 of 10 is nearer.
    books.top_up(policy_id, amount="10", reason="more", partition={"team": "b"})
    found = the_standing(books, budget_id)
    assert (found.balances, found.spent, found.limit) == (3, 1200 * MILLI, 10 * USD)
    assert found.fullest is not None
    assert found.fullest.partition == '{"team":"c"}'


def test_a_window_that_has_passed_stands_at_zero(books: Books, clock: Clock) -> None:
    budget_id = a_budget(books, "hourly", per=["team"])
    spend(books, 100, team="a")
    clock.move(HOUR)
    found = the_standing(books, budget_id)
    assert (found.spent, found.requests) == (0, 0)
    assert found.window.start_us == us("2026-05-15 13:00")


def test_rolling_and_endless_policies_stand_too(light: Books, clock: Clock) -> None:
    rolling = a_budget(light, "rolling:1h")
    session = a_budget(light, "per_session")
    total = a_budget(light, "total")
    spend(light, 100, session="s")
    clock.move(30 * MINUTE)
    spend(light, 50, session="t")
    clock.move(45 * MINUTE)
    assert the_standing(light, rolling).spent == 50 * MILLI
    by_session = the_standing(light, session)
    assert (by_session.balances, by_session.spent) == (2, 150 * MILLI)
    assert by_session.window == ALWAYS
    assert the_standing(light, total).cost_nanos == 150 * MILLI
    policy_id = the_standing(light, rolling).policy.policy_id
    assert len(light.balances(policy_id).items) == 1
    assert refused(light.balances, policy_id, sort="-spent").field == "sort"


def test_what_is_archived_stands_no_more(light: Books) -> None:
    gone, kept = a_budget(light, "daily"), a_budget(light, "weekly")
    light.archive_budget(gone)
    assert [one.policy.budget_id for one in light.standings().items] == [kept]
    assert light.budget_summary(gone).items == []
    assert [one.budget_id for one in light.policies(enabled=False).items] == [gone]
    assert {one.budget_id for one in light.policies(archived=True).items} == {gone, kept}
    assert refused(light.standings, period="often").field == "period"
    assert light.standings(period="daily").items == []


def test_standings_are_paged_by_policy(light: Books) -> None:
    for period in ("hourly", "daily", "weekly"):
        a_budget(light, period)
    first = light.standings(limit=2)
    second = light.standings(limit=2, cursor=first.next_cursor)
    assert [len(first.items), len(second.items)] == [2, 1]
    assert len({one.policy.policy_id for one in (*first.items, *second.items)}) == 3
