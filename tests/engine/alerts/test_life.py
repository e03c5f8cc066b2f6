"""The life of alerts: acknowledged and dismissed by people, listed by what became of them."""

from typing import Any

import pytest

from budget.domain.answers_alerts import Alert
from budget.domain.errors import Forbidden, KeyReused, NotFound
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import Clock, refused, told

ANN = Caller("key_ann")
READER = Caller("key_reader", manage=False)


def overspent(books: Books, **given: Any) -> str:
    """A budget of 1 USD a day of which 1.2 are spent: a warning, an action, a limit, no more."""
    terms: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}
    made = books.create_budget(**{"name": "Search", "policies": [terms], **given})
    books.record_usage(attributes={"team": "a"}, model="m", input_tokens=1200)
    return made.budget_id


def one(books: Books, kind: str) -> Alert:
    (found,) = books.alerts(kind=kind, status="all").items
    return found


def kinds(books: Books, **asked: Any) -> list[str]:
    return sorted(alert.kind for alert in books.alerts(**asked).items)


def test_an_alert_is_acknowledged_once_by_one_person_with_a_note(
    books: Books, clock: Clock
) -> None:
    overspent(books)
    alert = one(books, "limit")
    assert alert.status == "open"
    seen = books.acting_as(ANN).acknowledge_alert(alert.alert_id, note="I am on it")
    assert (seen.status, seen.acknowledged_by, seen.note) == (
        "acknowledged", "key_ann", "I am on it",
    )  # fmt: skip
    assert seen.acknowledged_us == clock.now_us
    again = books.acknowledge_alert(alert.alert_id, note="me too")
    assert again.replayed
    assert (again.acknowledged_by, again.note) == ("key_ann", "I am on it")
    assert one(books, "limit") == seen == books.alert(alert.alert_id)
    (entry,) = told(books, "alert_acknowledged")
    assert entry["alert_id"] == alert.alert_id
    assert (entry["alert"], entry["severity"], entry["note"]) == ("limit", "error", "I am on it")
    assert entry["message"].startswith("Search: the daily limit of 1.00 USD is reached")


def test_a_dismissed_alert_is_listed_only_when_asked_for_and_not_raised_again(
    books: Books,
) -> None:
    overspent(books)
    alert = one(books, "warning")
    gone = books.acting_as(ANN).dismiss_alert(alert.alert_id)
    assert (gone.status, gone.dismissed_by) == ("dismissed", "key_ann")
    assert books.dismiss_alert(alert.alert_id).replayed
    assert "warning" not in kinds(books)
    assert "warning" not in kinds(books, acknowledged=False)
    assert kinds(books, status="dismissed") == ["warning"]
    books.record_usage(model="m", input_tokens=5000)
    assert books.check_alerts().raised == []
    assert kinds(books, status="all").count("warning") == 1
    assert len(told(books, "alert_dismissed")) == 1


def test_lists_show_what_nobody_has_seen_to_unless_asked_for_more(books: Books) -> None:
    budget_id = overspent(books)
    books.acknowledge_alert(one(books, "action").alert_id)
    assert kinds(books) == ["limit", "warning"]
    assert kinds(books, acknowledged=True) == ["action"]
    assert kinds(books, acknowledged=False) == ["limit", "warning"]
    assert kinds(books, status="acknowledged") == ["action"]
    assert kinds(books, status="all") == ["action", "limit", "warning"]
    assert kinds(books, type="cost_limit_approaching", status="all") == ["action", "warning"]
    assert kinds(books, type="token_limit_exceeded", status="all") == []
    assert kinds(books, type="limit", status="all") == []
    assert kinds(books, severity="error") == ["limit"]
    assert kinds(books, budget_id=budget_id, kind="warning") == ["warning"]
    assert kinds(books, budget_id="another") == []
    assert kinds(books, since="2026-05-15T12:00:00Z", until="2026-05-15T12:00:01Z") != []
    assert kinds(books, since="2026-05-15T12:00:01Z") == []
    page = books.alerts(status="all", limit=2)
    rest = books.alerts(status="all", limit=2, cursor=page.next_cursor)
    assert len({alert.alert_id for alert in (*page.items, *rest.items)}) == 3


@pytest.mark.parametrize(
    "asked",
    [{"status": "shut"}, {"kind": "thing"}, {"type": "thing"}, {"severity": "loud"},
     {"since": "yesterday"}, {"until": 5}, {"limit": 0}, {"cursor": "x"}, {"budget_id": "\x00"}],
)  # fmt: skip
def test_a_list_names_the_filter_it_cannot_read(light: Books, asked: dict[str, Any]) -> None:
    assert refused(light.alerts, **asked).field == next(iter(asked))


def test_whoever_may_not_manage_may_see_but_not_say(light: Books) -> None:
    overspent(light)
    alert = one(light, "limit")
    reader = light.acting_as(READER)
    assert reader.alert(alert.alert_id) == alert
    for act in (reader.acknowledge_alert, reader.dismiss_alert):
        with pytest.raises(Forbidden):
            act(alert.alert_id)
    with pytest.raises(Forbidden):
        reader.check_alerts()
    with pytest.raises(Forbidden):
        reader.change_alert_settings(off=["limit"])
    assert one(light, "limit") == alert


def test_the_same_key_says_it_once_and_no_other_thing(light: Books) -> None:
    overspent(light)
    alert_id = one(light, "limit").alert_id
    first = light.acknowledge_alert(alert_id, note="a", idempotency_key="k")
    again = light.acknowledge_alert(alert_id, note="a", idempotency_key="k")
    assert (first.replayed, again.replayed) == (False, True)
    with pytest.raises(KeyReused):
        light.acknowledge_alert(alert_id, note="b", idempotency_key="k")


@pytest.mark.parametrize("alert_id", ["", "alert_none", "\x00", "x" * 5000])
def test_an_alert_that_is_not_there_is_not_found(light: Books, alert_id: str) -> None:
    for act in (light.alert, light.acknowledge_alert, light.dismiss_alert):
        with pytest.raises(NotFound):
            act(alert_id)


@pytest.mark.parametrize(
    ("ask", "field"),
    [({"note": 5}, "note"), ({"note": "x" * 1001}, "note"), ({"why": "x"}, "why"),
     ({"idempotency_key": ""}, "idempotency_key")],
)  # fmt: skip
def test_bad_input_names_its_field_and_does_nothing(
    light: Books, ask: dict[str, Any], field: str
) -> None:
    overspent(light)
    alert = one(light, "limit")
    assert refused(light.acknowledge_alert, alert.alert_id, **ask).field == field
    assert one(light, "limit") == alert


# --- Who is bound to attributes ------------------------------------------------------------------


def test_a_bound_caller_sees_the_alerts_of_its_own_partitions_and_says_of_no_others(
    books: Books,
) -> None:
    terms: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}
    shared = books.create_budget(name="Split", per=["team"], policies=[terms]).budget_id
    own = books.create_budget(name="Own", scope={"team": "a"}, policies=[terms]).budget_id
    books.create_budget(name="All", policies=[terms])
    for team in ("a", "b"):
        books.record_usage(attributes={"team": team}, model="m", input_tokens=1200)
    books.record_usage(attributes={"team": "a"}, model="unheard-of", input_tokens=1)
    bound = books.acting_as(Caller("key_a", bound={"team": "a"}))
    seen = bound.alerts(status="all", limit=1000).items
    assert {(alert.budget_id, alert.partition) for alert in seen} == {
        (shared, '{"team":"a"}'), (own, "{}"),
    }  # fmt: skip
    assert len(seen) == 6
    every = books.alerts(status="all", limit=1000).items
    others = [alert for alert in every if alert not in seen]
    assert {alert.kind for alert in others} >= {"warning", "limit", "unpriced"}
    for alert in others:
        for act in (bound.alert, bound.acknowledge_alert, bound.dismiss_alert):
            with pytest.raises(NotFound) as caught:
                act(alert.alert_id)
            missing = NotFound("alert", alert.alert_id)
            assert str(caught.value) == str(missing)
    bound.acknowledge_alert(seen[0].alert_id)
    with pytest.raises(Forbidden):
        bound.change_alert_settings(off=[])
    assert books.alerts(status="acknowledged").items[0].acknowledged_by == "key_a"


def test_a_bound_caller_that_looks_finds_what_is_its_own(books: Books) -> None:
    terms: Any = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "ignore"}
    made = books.create_budget(name="Split", per=["team"], policies=[terms])
    for team in ("a", "b"):
        books.record_usage(attributes={"team": team}, model="m", input_tokens=850)
    other = books.create_budget(name="Theirs", scope={"team": "b"}, policies=[terms])
    books.change_alert_settings(off=["warning"])
    books.change_policy(made.policies[0].policy_id, enforcement="warn")
    books.change_alert_settings(off=None)
    bound = books.acting_as(Caller("key_a", bound={"team": "a"}))
    found = bound.check_alerts()
    assert {alert.partition for alert in found.raised} == {'{"team":"a"}'}
    with pytest.raises(NotFound):
        bound.check_alerts(budget_id=other.budget_id)


@pytest.mark.parametrize(
    "bound", [{"team": "a"}, {"team": "A"}, {"team": "b", "user": "ann"}, {"user": "ann"},
              {"tier": "x"}, {"model": "m"}],
)  # fmt: skip
def test_a_list_has_exactly_the_alerts_that_a_bound_caller_may_ask_for_one_by_one(
    books: Books, bound: dict[str, str]
) -> None:
    terms: Any = {"unit": "requests", "period": "daily", "limit": 1, "enforcement": "warn"}
    session: Any = {**terms, "period": "per_session"}
    shapes: list[dict[str, Any]] = [
        {}, {"per": ["team"]}, {"per": ["user", "team"]}, {"scope": {"team": "a"}},
        {"scope": {"team": ["a", "b"]}}, {"scope": {"team": "a*"}, "per": ["team"]},
        {"scope": {"user": "ann"}, "per": ["team"]}, {"scope": {"model": "m"}},
    ]  # fmt: skip
    for shape in shapes:
        books.create_budget(name="B", policies=[terms, session], **shape)
    for attributes in ({"team": "a"}, {"team": "b", "user": "ann"}, {"user": "ann"}, {}):
        books.record_usage(attributes=attributes, model="m", input_tokens=1)
    every = books.alerts(status="all", limit=1000).items
    caller = books.acting_as(Caller("key_x", bound=bound))

    def is_seen(alert_id: str) -> bool:
        try:
            return caller.alert(alert_id).alert_id == alert_id
        except NotFound:
            return False

    listed = caller.alerts(status="all", limit=1000).items
    assert listed == [alert for alert in every if is_seen(alert.alert_id)]
    assert len(listed) < len(every)
