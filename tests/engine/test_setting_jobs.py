"""Settings that change while Budget runs: who may, which there are, what they do at once."""

from typing import Any

import pytest

from budget.domain.answers import Refusal
from budget.domain.errors import Forbidden
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.setting_jobs import SETTINGS
from tests.engine.opened import DAY, HOUR, Clock, open_books, refused, told

ADMIN = Caller("key_admin", admin=True)


def values(books: Books) -> dict[str, Any]:
    """Every setting and its value."""
    return {name: one.value for name, one in books.settings().settings.items()}


def test_unless_set_every_setting_has_its_default(light: Books) -> None:
    assert {**values(light), "alerts": None} == {
        "alerts": None, "how_to_raise": None, "refusal_status": None,
        "adaptive_sizes": False,
        "request_expires_seconds": 604_800,
    }  # fmt: skip
    assert all(one.set_us is None for one in light.settings().settings.values())


def test_settings_of_alerts_are_shown_as_their_own_route_shows_them(light: Books) -> None:
    before = light.settings().settings["alerts"]
    assert (before.value["runaway_factor"], before.value) == (10, before.default)
    light.change_alert_settings(runaway_factor=20, runaway_floor="2.50")
    after = light.settings().settings["alerts"]
    assert after.value == {**before.default, "runaway_factor": 20, "runaway_floor": "2.50"}
    assert after.set_by == "local"


def test_a_change_says_who_made_it_when_and_from_what_to_what(books: Books, clock: Clock) -> None:
    changed = books.acting_as(ADMIN).change_settings(
        how_to_raise="  Ask Ann in the channel #budget. ", request_expires_seconds=3600
    )
    one = changed.settings["how_to_raise"]
    assert (one.value, one.set_us, one.set_by) == (
        "Ask Ann in the channel #budget.", clock.now_us, "key_admin",
    )  # fmt: skip
    assert books.settings() == changed
    assert told(books, "settings_changed") == [
        {
            "changes": {
                "how_to_raise": {"old": None, "new": "Ask Ann in the channel #budget."},
                "request_expires_seconds": {"old": None, "new": 3600},
            }
        }
    ]


def test_null_sets_back_to_the_default(books: Books) -> None:
    books.change_settings(request_expires_seconds=3600)
    books.change_settings(request_expires_seconds=None)
    assert values(books)["request_expires_seconds"] == 604_800
    books.change_settings(request_expires_seconds=None)
    assert len(told(books, "settings_changed")) == 2


def test_the_same_key_changes_once(light: Books) -> None:
    first = light.change_settings(request_expires_seconds=3600, idempotency_key="k")
    light.change_settings(request_expires_seconds=7200)
    again = light.change_settings(request_expires_seconds=3600, idempotency_key="k")
    assert (first.replayed, again.replayed) == (False, True)
    assert values(light)["request_expires_seconds"] == 7200


def test_a_setting_counts_at_once_also_on_another_node(
    books: Books, books_url: str, clock: Clock
) -> None:
    hard: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "hard_limit"}
    budget = books.create_budget(name="Search", policies=[hard])
    with open_books(books_url, clock) as other:
        books.change_settings(request_expires_seconds=3600, how_to_raise="Ask Ann.")
        made = other.make_request(budget.budget_id, amount="1", reason="release")
        assert made.expires_us == clock.now_us + HOUR
        refusal = other.allocate(usd="2", tokens=0)
        assert isinstance(refusal, Refusal)
        assert refusal.advice == "Ask Ann."
    clock.move(DAY)
    assert books.request(made.request_id).status == "expired"


def test_only_who_has_every_right_and_is_bound_to_nothing_sees_and_changes_them(
    light: Books,
) -> None:
    for caller in (Caller("key_1"), Caller("key_2", admin=True, bound={"team": "a"})):
        there = light.acting_as(caller)
        with pytest.raises(Forbidden):
            there.settings()
        with pytest.raises(Forbidden):
            there.change_settings(how_to_raise="Ask me.")
    assert told(light, "settings_changed") == []


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"alerts": {}}, "alerts"),
        ({"how_to_raise": ""}, "how_to_raise"),
        ({"how_to_raise": 7}, "how_to_raise"),
        ({"how_to_raise": "x" * 501}, "how_to_raise"),
        ({"how_to_raise": "a\x00b"}, "how_to_raise"),
        ({"refusal_status": "500"}, "refusal_status"),
        ({"refusal_status": True}, "refusal_status"),
        ({"refusal_status": []}, "refusal_status"),
        ({"adaptive_sizes": "yes"}, "adaptive_sizes"),
        ({"request_expires_seconds": 59}, "request_expires_seconds"),
        ({"request_expires_seconds": "1d"}, "request_expires_seconds"),
        ({"how_to_raise": "fine", "request_expires_seconds": -1}, "request_expires_seconds"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(
    light: Books, ask: dict[str, Any], field: str
) -> None:
    assert refused(light.change_settings, **ask).field == field
    assert told(light, "settings_changed") == []


def test_every_setting_says_what_it_is_and_where_it_is_changed() -> None:
    for setting in SETTINGS.values():
        assert setting.about.endswith(".")
        assert setting.changed_by.startswith("PUT /api/v1/")
