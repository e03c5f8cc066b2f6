"""Alert settings: what is off is not raised, severities change, and bad input changes nothing."""

from typing import Any

import pytest

from budget.domain.alerts import KINDS
from budget.engine.alerts import settings
from budget.engine.budget import Budget as Books
from tests.engine.opened import USD, Clock, open_books, refused, told


def spent(books: Books, tokens: int) -> None:
    books.record_usage(model="m", input_tokens=tokens)


def a_budget(books: Books) -> None:
    terms: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}
    books.create_budget(name="B", policies=[terms])


def test_unless_set_every_kind_is_on_and_a_runaway_is_ten_times_the_usual(light: Books) -> None:
    found = light.alert_settings()
    assert (found.runaway_factor, found.runaway_floor_nanos) == (10, USD)
    assert (found.off, found.severities) == ((), dict(KINDS))


def test_a_kind_that_is_off_is_not_raised_and_severities_are_as_set_on_every_node(
    books: Books, books_url: str, clock: Clock
) -> None:
    a_budget(books)
    with open_books(books_url, clock) as other:
        spent(other, 1)
        changed = books.change_alert_settings(off=["action"], severities={"warning": "info"})
        assert changed == books.alert_settings() == other.alert_settings()
        spent(other, 1200)
    found = {alert.kind: alert.severity for alert in books.alerts().items}
    assert found == {"warning": "info", "limit": "error"}
    (entry,) = told(books, "settings_changed")
    assert entry["changes"] == {
        "alerts": {"old": None, "new": {"off": ["action"], "severities": {"warning": "info"}}}
    }
    assert books.settings().settings["alerts"].value["off"] == ["action"]


def test_null_sets_back_to_the_default_and_the_rest_stays(light: Books) -> None:
    light.change_alert_settings(runaway_factor=5, off=["limit", "limit"], runaway_floor="2.5")
    light.change_alert_settings(off=None)
    found = light.alert_settings()
    assert (found.off, found.runaway_factor, found.runaway_floor_nanos) == ((), 5, 2_500_000_000)
    light.change_alert_settings(runaway_factor=None, runaway_floor=None)
    assert light.alert_settings() == settings.of({})
    light.change_alert_settings(runaway_factor=None)
    assert len(told(light, "settings_changed")) == 3


def test_the_same_key_changes_once(light: Books) -> None:
    light.change_alert_settings(runaway_factor=5, idempotency_key="k")
    light.change_alert_settings(runaway_factor=6)
    again = light.change_alert_settings(runaway_factor=5, idempotency_key="k")
    assert again.replayed
    assert light.alert_settings().runaway_factor == 6


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"runaway_factor": 1}, "runaway_factor"),
        ({"runaway_factor": 1001}, "runaway_factor"),
        ({"runaway_factor": 2.5}, "runaway_factor"),
        ({"runaway_factor": True}, "runaway_factor"),
        ({"runaway_floor": "-1"}, "runaway_floor"),
        ({"runaway_floor": "NaN"}, "runaway_floor"),
        ({"off": "limit"}, "off"),
        ({"off": ["limit", "thing"]}, "off[1]"),
        ({"off": [5]}, "off[0]"),
        ({"off": [["limit"]]}, "off[0]"),
        ({"severities": ["x"]}, "severities"),
        ({"severities": {"thing": "info"}}, "severities.thing"),
        ({"severities": {"limit": "loud"}}, "severities.limit"),
        ({"severities": {"limit": None}}, "severities.limit"),
        ({"on": []}, "on"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(
    light: Books, ask: dict[str, Any], field: str
) -> None:
    assert refused(light.change_alert_settings, **ask).field == field
    assert light.alert_settings() == settings.of({})
