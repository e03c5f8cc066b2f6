"""Origins: what an alert came from, in amounts that are worked out by hand."""

from typing import Any

import pytest

from budget.client.reading.origins import origin as read
from budget.domain.answers_alerts import Alert
from budget.domain.answers_origins import Graphed, Origin
from budget.domain.errors import NotFound
from budget.domain.wire.origins import origin as written
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import DAY, HOUR, MILLI, MINUTE, Clock


def alert_of(books: Books, kind: str, partition: str = "{}") -> Alert:
    """The alert of a kind and a partition."""
    items = books.alerts(status="all", kind=kind).items
    return next(one for one in items if one.partition == partition)


def spent_by(told: Origin, key: str) -> list[tuple[str, int, int]]:
    """Value, amount and share of each spender."""
    return [(one.value, one.amount, one.share_bps) for one in told.by[key]]


def use(books: Books, tokens: int, **attributes: str) -> None:
    """A call of `m` that used so many input tokens: 0.001 USD each."""
    provider: Any = attributes.pop("provider", None)
    books.record_usage(
        model=attributes.pop("model", "m"), provider=provider, input_tokens=tokens,
        attributes=attributes,
    )  # fmt: skip


def test_an_alert_is_told_by_who_spent_what_of_its_window_before_it(
    books: Books, clock: Clock
) -> None:
    policies: Any = [{"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}]
    budget = books.create_budget(name="Search", scope={"team": "search"}, policies=policies)
    use(books, 100, team="search", component="crawler", session="one")
    use(books, 700, team="ads", component="crawler")  # another team's
    clock.move(HOUR)
    use(books, 200, team="search", component="crawler", session="two", provider="local")
    use(books, 500, team="search", component="ranker", agent="a1", session="one")  # 0.8: warning
    clock.move(MINUTE)
    use(books, 50, team="search", component="late")  # after the alert
    alert = alert_of(books, "warning")
    told = books.explain_alert(alert.alert_id)
    assert (told.budget, told.unit, told.requests) == ("Search", "usd", 3)
    assert told.amount == told.cost_nanos == 800 * MILLI
    assert spent_by(told, "component") == [
        ("ranker", 500 * MILLI, 6250), ("crawler", 300 * MILLI, 3750),
    ]  # fmt: skip
    assert spent_by(told, "session") == [("one", 600 * MILLI, 7500), ("two", 200 * MILLI, 2500)]
    assert spent_by(told, "agent") == [("a1", 500 * MILLI, 6250), ("", 300 * MILLI, 3750)]
    assert spent_by(told, "model") == [("m", 800 * MILLI, 10_000)]
    assert spent_by(told, "provider") == [("", 600 * MILLI, 7500), ("local", 200 * MILLI, 2500)]
    assert spent_by(told, "key") == []
    (policy,) = budget.policies
    assert [(one.entity_id, one.relation) for one in told.path] == [
        (f"alert:{alert.alert_id}", None), (f"policy:{policy.policy_id}", "raised"),
        (f"budget:{budget.budget_id}", "governed_by"), ("component:ranker", "funds"),
        ("model:m", "spends_on"),
    ]  # fmt: skip
    assert told.window is not None
    assert told.window.end_us == alert.at_us + 1
    told = told._replace(graph=Graphed("athena", agrees=False, path=told.path[:2], note="Why."))
    assert written(read(written(told))) == written(told)


def test_a_partition_is_told_apart_and_so_is_that_of_calls_without_its_attribute(
    books: Books,
) -> None:
    policies: Any = [{"unit": "tokens", "period": "monthly", "limit": 100, "enforcement": "warn"}]
    books.create_budget(name="Each", per=["user"], policies=policies)
    use(books, 60, user="ann", component="a")
    use(books, 30, user="ann", component="b")
    use(books, 90, user="bob", component="c")
    use(books, 85, component="d")
    of_ann = books.explain_alert(alert_of(books, "warning", '{"user":"ann"}').alert_id)
    assert (of_ann.amount, spent_by(of_ann, "component")) == (
        90,
        [("a", 60, 6666), ("b", 30, 3333)],
    )
    of_none = books.explain_alert(alert_of(books, "warning", '{"user":null}').alert_id)
    assert spent_by(of_none, "component") == [("d", 85, 10_000)]
    assert of_none.cost_nanos == 85 * MILLI


def test_of_a_rolling_limit_what_left_its_window_before_is_not_told(
    books: Books, clock: Clock
) -> None:
    policies: Any = [
        {"unit": "tokens", "period": "rolling:2h", "limit": 100, "enforcement": "warn"}
    ]
    books.create_budget(name="All", policies=policies)
    use(books, 50, component="early")
    clock.move(3 * HOUR)
    use(books, 80, component="now")
    told = books.explain_alert(alert_of(books, "warning").alert_id)
    assert spent_by(told, "component") == [("now", 80, 10_000)]


def test_what_was_used_before_there_was_a_policy_is_told_only_if_it_was_posted(
    books: Books, clock: Clock
) -> None:
    use(books, 70, component="before")
    clock.move(HOUR)
    policies: Any = [{"unit": "tokens", "period": "daily", "limit": 100, "enforcement": "warn"}]
    books.create_budget(name="Later", policies=policies)
    use(books, 80, component="after")
    told = books.explain_alert(alert_of(books, "warning").alert_id)
    assert spent_by(told, "component") == [("after", 80, 10_000)]


def test_an_alert_about_a_model_is_told_by_its_calls_of_the_day(books: Books, clock: Clock) -> None:
    use(books, 10, model="unheard-of", component="x")
    clock.move(MINUTE)
    use(books, 10, model="unheard-of", component="y")
    alert = alert_of(books, "unpriced", "unheard-of")
    told = books.explain_alert(alert.alert_id)
    assert (told.budget, told.amount, told.requests) == (None, 0, 1)
    assert spent_by(told, "component") == [("x", 0, 0)]
    assert [(one.entity_id, one.relation) for one in told.path] == [
        (f"alert:{alert.alert_id}", None), ("component:x", "explains"),
        ("model:unheard-of", "spends_on"),
    ]  # fmt: skip


def test_a_runaway_is_told_by_the_calls_of_its_five_minutes(books: Books, clock: Clock) -> None:
    for _ in range(6):
        use(books, 200, session="s", component="slow")
        clock.move(10 * MINUTE)
    use(books, 3000, session="s", component="fast")
    books.check_alerts()
    alert = alert_of(books, "runaway", "session:s")
    told = books.explain_alert(alert.alert_id)
    assert spent_by(told, "component") == [("fast", 3000 * MILLI, 10_000)]
    assert [one.entity_type for one in told.path] == ["alert", "anomaly", "component", "model"]
    assert written(read(written(told))) == written(told)


def test_whoever_is_bound_is_told_of_its_own_alerts_alone(books: Books, clock: Clock) -> None:
    policies: Any = [{"unit": "tokens", "period": "daily", "limit": 100, "enforcement": "warn"}]
    books.create_budget(name="Teams", per=["team"], policies=policies)
    use(books, 90, team="a", component="x")
    use(books, 90, team="b", component="x")
    clock.move(DAY)
    own = books.acting_as(Caller("key_a", bound={"team": "a"}))
    assert own.explain_alert(alert_of(books, "warning", '{"team":"a"}').alert_id).amount == 90
    with pytest.raises(NotFound):
        own.explain_alert(alert_of(books, "warning", '{"team":"b"}').alert_id)
    for alert_id in ("alert_none", "", "\x00"):
        with pytest.raises(NotFound):
            books.explain_alert(alert_id)


def test_of_too_many_records_no_sessions_are_told(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies: Any = [{"unit": "tokens", "period": "daily", "limit": 100, "enforcement": "warn"}]
    books.create_budget(name="All", policies=policies)
    use(books, 40, session="s", component="x")
    use(books, 40, session="s", component="x")
    alert_id = alert_of(books, "warning").alert_id
    assert spent_by(books.explain_alert(alert_id), "session") == [("s", 80, 10_000)]
    monkeypatch.setattr("budget.engine.origins.MAX_RECORDS", 1)
    told = books.explain_alert(alert_id)
    assert (spent_by(told, "session"), told.amount) == ([], 80)
