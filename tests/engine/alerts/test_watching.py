"""Looking: what was passed and not told is found, once; what is over is said to be, and why."""

from pathlib import Path
from typing import Any

import pytest

from budget.domain.errors import NotFound
from budget.engine.alerts import watching
from budget.engine.alerts.watching import Places, round_on, watcher
from budget.engine.budget import Budget as Books
from tests.engine.opened import DAY, HOUR, MINUTE, Clock, allocated, open_books, refused, told
from tests.support.priced import FOUR, Source, updated


def a_policy(books: Books, **given: Any) -> str:
    terms: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn", **given}
    made = books.create_budget(name="Search", per=["team"], policies=[terms])
    return made.policies[0].policy_id


def spent(books: Books, tokens: int, team: str = "a") -> None:
    """Book so many thousandths of a dollar."""
    books.record_usage(attributes={"team": team}, model="m", input_tokens=tokens)


def status(books: Books, kind: str) -> str:
    (alert,) = books.alerts(kind=kind, status="all").items
    return alert.status


def why(books: Books) -> dict[str, str]:
    """Why alerts were resolved, by kind."""
    return {entry["alert"]: entry["why"] for entry in told(books, "alert_resolved")}


# --- What was not told ---------------------------------------------------------------------------


def test_what_was_passed_while_a_kind_was_off_is_found_by_looking_once(books: Books) -> None:
    policy_id = a_policy(books)
    books.change_alert_settings(off=["warning", "action", "limit", "exhausted_soon"])
    spent(books, 960)
    spent(books, 10, "b")
    assert books.alerts(status="all").items == []
    assert books.check_alerts().raised == []
    books.change_alert_settings(off=["exhausted_soon"])
    raised = books.check_alerts().raised
    assert {(alert.kind, alert.policy_id, alert.partition) for alert in raised} == {
        ("warning", policy_id, '{"team":"a"}'), ("action", policy_id, '{"team":"a"}'),
    }  # fmt: skip
    assert books.check_alerts().raised == []
    assert {entry["alert_id"] for entry in told(books, "alert_raised")} == {
        alert.alert_id for alert in raised
    }


def test_looking_at_one_budget_or_period_leaves_the_others(light: Books) -> None:
    light.change_alert_settings(off=["warning", "exhausted_soon"])
    daily, monthly = a_policy(light), a_policy(light, period="monthly")
    spent(light, 850)
    light.change_alert_settings(off=["exhausted_soon"])
    assert [a.policy_id for a in light.check_alerts(period="monthly").raised] == [monthly]
    budget_id = light.policy(daily).budget_id
    assert [a.policy_id for a in light.check_alerts(budget_id=budget_id).raised] == [daily]
    assert refused(light.check_alerts, period="fortnightly").field == "period"
    with pytest.raises(NotFound):
        light.check_alerts(budget_id="none")


def test_a_window_that_goes_too_fast_is_told_of_before_it_is_spent(
    light: Books, clock: Clock
) -> None:
    a_policy(light)  # it is noon: half of the day has gone
    spent(light, 600)
    (soon,) = light.check_alerts().raised
    assert soon.kind == "exhausted_soon"
    assert "is reached about 2026-05-15T20:00:00Z" in soon.detail
    assert light.check_alerts().raised == []
    clock.move(6 * HOUR)  # 0.6 in 18 hours: it lasts the day
    light.check_alerts()
    assert why(light) == {"exhausted_soon": "at this pace the limit lasts"}
    assert status(light, "exhausted_soon") == "resolved"


def test_rounds_look_at_some_balances_after_the_others_and_begin_anew(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_HEADS", 2)
    monkeypatch.setattr(watching, "MAX_ALERTS", 2)
    books.change_alert_settings(off=["warning", "exhausted_soon"])
    a_policy(books)
    for team in "abcde":
        spent(books, 850, team)
    books.change_alert_settings(off=["exhausted_soon"])
    places, found = Places(), []
    for _ in range(4):
        places = round_on(books.books, places)
        found.append(len(books.alerts(status="all").items))
    assert found == [2, 4, 5, 5]
    assert places.head_id == -1
    books.acknowledge_alert(books.alerts().items[0].alert_id)
    books.archive_policy(books.alerts().items[0].policy_id)
    left = []
    for _ in range(4):
        places = round_on(books.books, places)
        left.append(len(told(books, "alert_resolved")))
    assert left[-1] == 5
    assert max(b - a for a, b in zip([0, *left], left, strict=False)) == 2


def test_two_that_look_at_once_raise_once(books: Books, books_url: str, clock: Clock) -> None:
    books.change_alert_settings(off=["warning", "exhausted_soon"])
    a_policy(books)
    spent(books, 850)
    books.change_alert_settings(off=["exhausted_soon"])
    found = watching.look(books.books)
    with open_books(books_url, clock) as other:
        theirs = watching.look(other.books)
        assert list(theirs.head_ids) == list(found.head_ids)
        first = len(books.check_alerts().raised)
        assert first == 1
        assert other.check_alerts().raised == []
    assert len(told(books, "alert_raised")) == 1


def test_a_watcher_looks_by_itself(light: Books) -> None:
    light.change_alert_settings(off=["warning", "exhausted_soon"])
    a_policy(light)
    spent(light, 850)
    light.change_alert_settings(off=["exhausted_soon"])
    looking = watcher(light.books, every_seconds=0.01)
    try:
        while not light.alerts().items:
            pass
    finally:
        looking.close()
    assert [alert.kind for alert in light.alerts().items] == ["warning"]


# --- What is over --------------------------------------------------------------------------------


def test_an_alert_is_over_when_its_window_has_ended(books: Books, clock: Clock) -> None:
    a_policy(books)
    spent(books, 1200)
    books.acknowledge_alert(books.alerts(kind="limit").items[0].alert_id)
    assert books.check_alerts().resolved == 0
    clock.move(12 * HOUR)
    assert books.check_alerts().resolved == 3
    assert set(why(books).values()) == {"the window has ended"}
    assert books.alerts().items == []
    assert books.check_alerts().resolved == 0
    spent(books, 1200)
    assert len(books.alerts().items) == 3, "a new window raises them again"


def test_an_alert_is_over_when_the_limit_was_raised(books: Books) -> None:
    books.change_alert_settings(off=["exhausted_soon"])
    policy_id = a_policy(books)
    spent(books, 960)
    books.top_up(policy_id, amount="0.1", reason="release")  # 87%: past 80, not past 95
    books.check_alerts()
    assert why(books) == {"action": "the limit was raised"}
    books.change_policy(policy_id, limit="2")
    books.check_alerts()
    assert why(books) == {"action": "the limit was raised", "warning": "the limit was raised"}
    books.change_policy(policy_id, limit="1")
    books.check_alerts()
    assert books.alerts().items == [], "once a window"


def test_an_alert_is_over_when_less_is_spent_after_a_correction(light: Books) -> None:
    a_policy(light)
    record = light.record_usage(attributes={"team": "a"}, model="m", input_tokens=900)
    light.correct(record.usage_id, reason="counted twice", replacement={"input_tokens": 450})
    light.check_alerts()
    assert why(light) == {"warning": "less is spent than the threshold"}


def test_a_refusal_is_over_when_the_limit_was_raised_not_when_holds_return(
    light: Books,
) -> None:
    policy_id = a_policy(light, enforcement="hard_limit")
    held = allocated(light, attributes={"team": "a"}, usd="0.9", model="m").allocation_id
    light.allocate(attributes={"team": "a"}, usd="0.2", model="m")
    assert [alert.kind for alert in light.alerts().items] == ["limit"]
    light.release(held)
    assert light.check_alerts().resolved == 0
    light.top_up(policy_id, amount="1", reason="release")
    assert light.check_alerts().resolved == 1


def test_an_overrun_is_over_when_the_limit_has_room_for_it(light: Books) -> None:
    policy_id = a_policy(light, enforcement="hard_limit")
    held = allocated(light, attributes={"team": "a"}, usd="1", model="m").allocation_id
    light.settle(held, input_tokens=1500, output_tokens=0)
    light.top_up(policy_id, amount="0.2", reason="release")
    light.check_alerts()
    assert "overrun" not in why(light)
    light.top_up(policy_id, amount="0.3", reason="release")
    light.check_alerts()
    assert why(light)["overrun"] == "the limit was raised"


def test_alerts_of_a_policy_that_is_archived_are_over(light: Books) -> None:
    policy_id = a_policy(light)
    spent(light, 1200)
    light.archive_budget(light.policy(policy_id).budget_id)
    light.check_alerts()
    assert set(why(light).values()) == {"the policy is no longer in force"}


def test_assumed_holds_are_over_when_the_truth_comes_though_the_window_has_closed(
    books: Books, clock: Clock
) -> None:
    a_policy(books, enforcement="hard_limit")
    ids = [
        allocated(books, attributes={"team": "a"}, usd="0.3", model="m", ttl_seconds=60)
        .allocation_id
        for _ in range(2)
    ]  # fmt: skip
    clock.move(2 * MINUTE)
    assert books.sweep() == 2
    books.settle(ids[0], input_tokens=100, output_tokens=0)
    assert books.check_alerts().resolved == 0, "0.3 are still assumed"
    clock.move(DAY)
    assert books.check_alerts().resolved == 0
    allocated(books, attributes={"team": "a"}, usd="0.1", model="m")  # closes the window
    assert books.check_alerts().resolved == 0
    books.settle(ids[1], input_tokens=100, output_tokens=0)
    books.check_alerts()
    assert why(books) == {"assumed": "nothing is assumed any more"}


def test_rolling_alerts_are_over_when_enough_has_left(light: Books, clock: Clock) -> None:
    a_policy(light, period="rolling:60m")
    spent(light, 850)
    clock.move(30 * MINUTE)
    assert light.check_alerts().resolved == 0
    clock.move(32 * MINUTE)
    assert light.check_alerts().resolved == 1


def test_an_unpriced_model_is_over_when_it_has_a_price(light_url: str, clock: Clock) -> None:
    with Books.open(light_url, clock=clock, sweep=False) as books:
        a_policy(books)
        books.record_usage(
            attributes={"team": "a"}, provider="acme", model="unheard-of", input_tokens=5
        )
        assert books.check_alerts().resolved == 0
        books.set_price(provider="acme", model="unheard-of", input="1", output="1", reason="ours")
        clock.move(1)
        books.check_alerts()
        assert why(books) == {"unpriced": "the model has a price now"}


def test_a_price_in_quarantine_is_over_when_somebody_has_decided(
    books_url: str, clock: Clock, tmp_path: Path
) -> None:
    source = Source(tmp_path / "litellm.json")
    source.says(FOUR)
    with source.open(books_url, clock) as books:
        updated(books)
        clock.move(HOUR)
        source.says({**FOUR, "a": ("100", "2"), "b": ("300", "6")})
        updated(books)
        found = {alert.partition for alert in books.alerts(kind="price_quarantined").items}
        assert found == {"groq/a", "groq/b"}
        clock.move(DAY)
        assert books.check_alerts().resolved == 0
        for price in books.price_updates(status="quarantined").items:
            if price.model == "a":
                books.reject_price(price.update_id, reason="a misplaced point")
        assert books.check_alerts().resolved == 1
        assert [a.partition for a in books.alerts(kind="price_quarantined").items] == ["groq/b"]
        assert why(books) == {"price_quarantined": "it was decided"}


def test_a_cost_that_differs_is_over_after_a_day(light: Books, clock: Clock) -> None:
    a_policy(light, limit="100")
    light.record_usage(attributes={"team": "a"}, model="m", input_tokens=100, cost="0.2")
    (alert,) = light.alerts().items
    assert alert.kind == "cost_differs"
    assert "0.20 USD in place of 0.10 USD" in alert.detail
    clock.move(DAY - 1)
    assert light.check_alerts().resolved == 0
    clock.move(1)
    assert light.check_alerts().resolved == 1
