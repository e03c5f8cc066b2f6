"""Runaways: who spends many times the usual is told of, and whoever spends as always is not."""

from typing import Any

import pytest

from budget.engine.alerts import runaway
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import MINUTE, Clock, told


def spends(books: Books, milli: int, *, key: str = "key_a", **attributes: str) -> None:
    """Book so many thousandths of a dollar, as a key."""
    as_key = books.acting_as(Caller(key))
    as_key.record_usage(attributes=attributes, model="m", input_tokens=milli)


def usually(books: Books, clock: Clock, milli: int, times: int = 7, **given: Any) -> None:
    """Spend that much in each of so many five minutes."""
    for _ in range(times):
        spends(books, milli, **given)
        clock.move(5 * MINUTE)


def subjects(books: Books) -> list[str]:
    return [alert.partition for alert in books.alerts(kind="runaway", status="all").items]


def test_a_key_that_spends_ten_times_its_usual_is_told_of_once(books: Books, clock: Clock) -> None:
    usually(books, clock, 200)
    spends(books, 1999)
    assert books.check_alerts().raised == []
    spends(books, 1)
    (alert,) = books.check_alerts().raised
    assert (alert.kind, alert.severity, alert.partition) == ("runaway", "error", "key:key_a")
    assert told(books, "alert_raised")[-1]["message"] == (
        "The key key_a has spent 2.00 USD in five minutes; its usual is 0.20 USD."
    )
    spends(books, 5000)
    assert books.check_alerts().raised == []


def test_a_session_is_compared_with_itself(light: Books, clock: Clock) -> None:
    usually(light, clock, 100, session="s1")
    usually(light, clock, 4000, session="s2")
    spends(light, 1500, session="s1", key="key_b")
    light.check_alerts()
    assert subjects(light) == ["session:s1"]


def test_what_is_below_the_floor_or_has_no_usual_yet_is_nothing(light: Books, clock: Clock) -> None:
    usually(light, clock, 10)
    spends(light, 999)
    usually(light, clock, 1, times=5, key="key_b")
    spends(light, 5000, key="key_b")
    light.check_alerts()
    assert subjects(light) == []
    clock.move(-20 * MINUTE)
    light.change_alert_settings(runaway_floor="0.5", runaway_factor=50)
    clock.move(20 * MINUTE)
    light.check_alerts()
    assert subjects(light) == [], "what was spent is long ago"


def test_the_median_counts_not_one_great_burst(light: Books, clock: Clock) -> None:
    usually(light, clock, 100, times=6)
    usually(light, clock, 90_000, times=1)
    usually(light, clock, 100, times=1)
    spends(light, 1100)
    light.check_alerts()
    assert subjects(light) == ["key:key_a"]


def test_a_runaway_is_over_when_the_rate_is_usual_again(books: Books, clock: Clock) -> None:
    usually(books, clock, 200)
    spends(books, 3000)
    books.check_alerts()
    assert books.check_alerts().resolved == 0
    clock.move(6 * MINUTE)
    spends(books, 200)
    assert books.check_alerts().resolved == 1
    assert [entry["why"] for entry in told(books, "alert_resolved")] == ["the rate is usual again"]


def test_a_factor_and_a_floor_are_settings_and_the_kind_can_be_off(
    light: Books, clock: Clock
) -> None:
    usually(light, clock, 200)
    spends(light, 800)
    light.check_alerts()
    assert subjects(light) == []
    light.change_alert_settings(runaway_factor=4, runaway_floor="0.5", off=["runaway"])
    light.check_alerts()
    assert subjects(light) == []
    light.change_alert_settings(off=None)
    light.check_alerts()
    assert subjects(light) == ["key:key_a"]


def test_where_too_much_lies_in_a_day_to_be_read_hours_count(
    books: Books, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runaway, "MAX_RECORDS", 5)
    for _ in range(12):  # an hour from noon on: 2.4, a twelfth of which is 0.2
        spends(books, 200, key="key_a")
        clock.move(5 * MINUTE)
    attributes = {"key": "key_a"}
    for _ in range(12):
        books.acting_as(Caller("key_a")).record_usage(
            attributes=attributes, model="m", input_tokens=200
        )
        clock.move(5 * MINUTE)
    spends(books, 2000, key="key_a")
    books.check_alerts()
    assert subjects(books) == ["key:key_a"]
    assert told(books, "alert_raised")[-1]["usual"] == "0.20"


def test_corrections_take_away_what_they_reverse(books: Books, clock: Clock) -> None:
    usually(books, clock, 200)
    record = books.acting_as(Caller("key_a")).record_usage(model="m", input_tokens=5000)
    books.acting_as(Caller("key_a")).correct(record.usage_id, reason="counted twice")
    books.check_alerts()
    assert subjects(books) == []
