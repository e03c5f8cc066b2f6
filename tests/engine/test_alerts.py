"""Alerts: each tells of the window it is about, once, and of a limit that came down to meet it."""

import json
from typing import Any

import pytest

from budget.engine import housekeeping, raising
from budget.engine.batch import Batch
from budget.engine.budget import Budget as Books
from budget.storage.errors import Transient
from tests.engine.opened import DAY, MILLI, USD, Clock, allocated, open_books, us


def a_policy(books: Books, **given: Any) -> str:
    policy: Any = {"unit": "usd", "period": "daily", "limit": "1", **given}
    made = books.create_budget(name="B", policies=[policy])
    return made.policies[0].policy_id


def raised(books: Books) -> dict[str, list[tuple[int, str]]]:
    """The alerts by kind: the windows they are about, and their detail."""
    found: dict[str, list[tuple[int, str]]] = {}
    for alert in books.alerts(status="all", limit=1000).items:
        found.setdefault(alert.kind, []).append((alert.window_us, alert.detail))
    return found


def test_an_overrun_in_a_window_that_has_closed_is_told_of_that_one(
    books: Books, clock: Clock
) -> None:
    a_policy(books)
    yesterday = allocated(books, usd="1", model="m", ttl_seconds=86_400).allocation_id
    clock.move(DAY // 2)
    books.settle(yesterday, input_tokens=1500, output_tokens=0)  # 1.5 of 1
    (told,) = raised(books)["overrun"]
    assert told[0] == us("2026-05-15 00:00")
    assert f'"spent":{1500 * MILLI}' in told[1]
    assert f'"overrun":{500 * MILLI}' in told[1]
    assert {"warning", "action", "limit"} <= raised(books).keys()
    today = allocated(books, usd="1", model="m").allocation_id
    books.settle(today, input_tokens=1500, output_tokens=0)
    windows = [window_us for window_us, _ in raised(books)["overrun"]]
    assert windows == [us("2026-05-16 00:00"), us("2026-05-15 00:00")]


def test_a_limit_of_nothing_is_passed_by_the_first_spend(books: Books) -> None:
    a_policy(books, limit="0", enforcement="warn")
    books.record_usage(model="m", input_tokens=1, output_tokens=0)
    assert {"warning", "action", "limit"} <= raised(books).keys()


def test_a_limit_that_is_lowered_below_what_is_spent_alerts(books: Books) -> None:
    policy_id = a_policy(books, limit="10")
    books.settle(allocated(books, usd="5", model="m").allocation_id, input_tokens=5000,
                 output_tokens=0)  # fmt: skip
    assert raised(books) == {}
    books.change_policy(policy_id, limit="6")  # 5 of 6 is 83%
    assert raised(books).keys() == {"warning"}
    books.change_policy(policy_id, limit="5")
    assert raised(books).keys() == {"warning", "action", "limit"}
    assert f'"limit":{5 * USD}' in raised(books)["limit"][0][1]


def test_a_limit_that_begins_to_warn_alerts_of_what_is_spent_already(books: Books) -> None:
    policy_id = a_policy(books, enforcement="ignore")
    books.record_usage(model="m", input_tokens=900, output_tokens=0)
    assert raised(books) == {}
    books.change_policy(policy_id, enforcement="warn")
    assert raised(books).keys() == {"warning"}


# --- An alert is an event ------------------------------------------------------------------------


def told(books: Books) -> list[tuple[str, str | None, str | None]]:
    """The alerts that the journal tells: their kind, policy and budget, in order."""
    events = books.events(kind="alert_raised", limit=1000).items
    return [(json.loads(e.detail)["alert"], e.policy_id, e.budget_id) for e in events]


def test_each_alert_that_is_raised_is_an_entry_of_its_transaction_and_no_other(
    books: Books,
) -> None:
    policy_id = a_policy(books)
    held = allocated(books, usd="1", model="m").allocation_id
    for tokens in (900, 50, 100):  # 90%, 95%, 105% of the limit
        books.record(held, input_tokens=tokens)
    books.record(held, input_tokens=1)  # nothing new is passed
    budget_id = books.budgets().items[0].budget_id
    kinds = ("warning", "action", "limit", "overrun")
    assert told(books) == [(kind, policy_id, budget_id) for kind in kinds]
    rows = {alert.alert_id for alert in books.alerts(status="all", limit=1000).items}
    events = books.events(kind="alert_raised").items
    assert {json.loads(event.detail)["alert_id"] for event in events} == rows
    causes = {e.cursor >> 13: e for e in books.events(limit=1000).items if e.kind == "recorded"}
    assert all(event.cursor >> 13 in causes for event in events), "the transaction is the same"


def test_of_two_processes_that_raise_the_same_alert_one_tells(
    books: Books, books_url: str, clock: Clock
) -> None:
    a_policy(books, unit="requests", limit=1, enforcement="warn")
    with open_books(books_url, clock) as other:
        for one in (books, other, books, other):
            one.record_usage(attributes={"team": "x"}, model="m", input_tokens=1)
    assert sorted(kind for kind, _, _ in told(books)) == ["action", "limit", "warning"]


def test_an_alert_about_no_policy_is_an_entry_too(books: Books) -> None:
    books.create_budget(
        name="B", unpriced="allow", policies=[{"unit": "usd", "period": "daily", "limit": "1"}]
    )
    books.record_usage(model="unheard-of", input_tokens=5)
    books.record_usage(model="unheard-of", input_tokens=5)
    assert told(books).count(("unpriced", None, None)) == 1


def test_what_a_process_forgot_that_it_has_told_is_not_told_again(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "MAX_ALERTED", 0)
    a_policy(books, enforcement="hard_limit")
    for _ in range(3):
        books.record_usage(model="m", input_tokens=1)
    assert [kind for kind, _, _ in told(books)] == ["unreserved"]


def test_an_alert_of_a_transaction_that_failed_is_told_by_the_next(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_policy(books, enforcement="hard_limit")
    write = Batch.write

    def fail_once(batch: Batch, claimed: Any) -> bool:
        monkeypatch.setattr(Batch, "write", write)
        raise Transient("another transaction was in the way")

    monkeypatch.setattr(Batch, "write", fail_once)
    books.record_usage(model="m", input_tokens=1)
    assert [kind for kind, _, _ in told(books)] == ["unreserved"]


def test_what_one_transaction_has_no_numbers_left_for_is_found_by_the_next_look(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = books.create_budget(
        name="B",
        per=["team"],
        policies=[{"unit": "usd", "period": "daily", "limit": "10", "enforcement": "warn"}],
    )
    for team in "abcde":
        books.record_usage(attributes={"team": team}, model="m", input_tokens=850)
    monkeypatch.setattr(raising, "MAX_ENTRIES_PER_BATCH", 3)
    books.change_alert_settings(off=["exhausted_soon"])
    books.change_policy(made.policies[0].policy_id, limit="1")
    assert [kind for kind, _, _ in told(books)] == ["warning"] * 2
    monkeypatch.undo()
    assert len(books.check_alerts().raised) == 3
    assert books.check_alerts().raised == []
