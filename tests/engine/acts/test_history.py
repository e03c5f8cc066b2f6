"""History: usage of windows long over is in the reports, and in no limit of now."""

from typing import Any, cast

import pytest

from budget.domain import facts
from budget.domain.answers import Refusal
from budget.domain.answers_usage import UsageSummary
from budget.domain.errors import Forbidden, InvalidInput
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import MILLI, Clock, figures, open_books, told

LONG_AGO = "2026-04-02T10:00:00Z"
"""Six weeks before the clock, which stands at noon of 15 May."""
USED: Any = {"model": "m", "input_tokens": 10, "output_tokens": 0}
COST = 10 * MILLI


def limits(books: Books, *periods: str) -> list[str]:
    """Hard limits of 1 USD, one for each period; the ids of the policies."""
    made = books.create_budget(
        name="Team",
        policies=[
            {"unit": "usd", "period": period, "limit": "1", "enforcement": "hard_limit"}
            for period in periods
        ],
    )
    return [policy.policy_id for policy in made.policies]


def spent_in_april(books: Books) -> int:
    """What reports tell of that month."""
    told: UsageSummary = books.usage_summary(
        since="2026-04-01T00:00:00Z", until="2026-05-01T00:00:00Z"
    )
    return told.total.cost_nanos


def test_history_counts_in_what_has_not_ended_and_in_no_window_that_has(books: Books) -> None:
    month, total, rolling = limits(books, "monthly", "total", "rolling:1h")
    receipt = books.record_usage(**USED, occurred_at=LONG_AGO, history=True)
    assert (receipt.cost_nanos, receipt.flags) == (COST, ("unreserved", "history"))
    assert figures(books, month) == {"{}": (0, 0, 0)}
    assert figures(books, rolling) == {"{}": (0, 0, 0)}
    assert figures(books, total) == {"{}": (COST, 0, 0)}
    assert spent_in_april(books) == COST
    assert [one.usage_id for one in books.usage_records(flag="history").items] == [receipt.usage_id]
    assert told(books, "reported") == [{"flags": ["unreserved", "history"]}]


def test_history_of_a_window_that_counts_is_like_other_usage(books: Books) -> None:
    (day,) = limits(books, "daily")
    now = books.record_usage(**USED, occurred_at="2026-05-15T03:00:00Z", history=True)
    yesterday = books.record_usage(**USED, occurred_at="2026-05-14T03:00:00Z", history=True)
    assert {now.flags, yesterday.flags} == {("unreserved",)}
    assert figures(books, day) == {"{}": (COST, 0, 0)}


def test_a_year_of_history_raises_no_alert_and_refuses_nobody(books: Books) -> None:
    limits(books, "daily")
    books.record_usage(**{**USED, "input_tokens": 5000}, occurred_at=LONG_AGO, history=True)
    assert not books.alerts().items
    assert not isinstance(books.allocate(usd="1"), Refusal)


def test_usage_is_booked_once_whether_it_is_told_as_history_or_not(books: Books) -> None:
    (day,) = limits(books, "daily")
    first = books.record_usage(**USED, usage_id="u1", occurred_at=LONG_AGO, history=True)
    again = books.record_usage(**USED, usage_id="u1", occurred_at=LONG_AGO)
    assert (again.usage_id, again.flags, again.replayed) == ("u1", first.flags, True)
    assert figures(books, day) == {"{}": (0, 0, 0)}


def test_correcting_history_moves_no_limit(books: Books) -> None:
    day, total = limits(books, "daily", "total")
    receipt = books.record_usage(**USED, occurred_at=LONG_AGO, history=True)
    made = books.correct(receipt.usage_id, reason="twice as many", replacement={"input_tokens": 20})
    assert figures(books, day) == {"{}": (0, 0, 0)}
    assert figures(books, total) == {"{}": (2 * COST, 0, 0)}
    assert made.replacement_id is not None
    books.correct(made.replacement_id, reason="never happened")
    assert figures(books, total) == {"{}": (0, 0, 0)}
    assert spent_in_april(books) == 0


def test_a_window_takes_history_until_72_hours_after_its_end(light: Books) -> None:
    limits(light, "daily")
    over = light.record_usage(**USED, occurred_at="2026-05-11T23:59:59Z", history=True)
    assert over.flags == ("unreserved", "history")  # its day ended 84 hours ago
    counted = light.record_usage(**USED, occurred_at="2026-05-12T23:59:59Z", history=True)
    assert counted.flags == ("unreserved",)  # 60 hours


def test_history_that_is_in_no_window_though_its_own_is_not_over_is_found(
    light_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_books(light_url, clock) as books:
        limits(books, "daily")
        monkeypatch.setattr(facts, "cell_of", lambda *_, **__: facts.Place(None, True))
        books.record_usage(**USED, occurred_at="2026-05-15T03:00:00Z", history=True)
        (found,) = books.verify().violations
    assert found.invariant == "I9"


def test_only_a_key_that_may_manage_books_history(light: Books) -> None:
    ann = light.acting_as(Caller("ann", manage=False))
    with pytest.raises(Forbidden, match="manage"):
        ann.record_usage(**USED, occurred_at=LONG_AGO, history=True)
    record: Any = {**USED, "usage_id": "u", "history": True}
    (failed,) = ann.record_bulk(records=[record]).results
    assert isinstance(failed, Forbidden)
    assert ann.record_usage(**USED, history=False).flags == ("unreserved",)


def test_history_is_true_or_false_and_of_no_allocation(light: Books) -> None:
    with pytest.raises(InvalidInput, match="history: must be true or false"):
        light.record_usage(**USED, history=cast(Any, "yes"))
    held = light.allocate(usd="1")
    assert not isinstance(held, Refusal)
    ask: Any = {"usage_id": "u", "history": True, "allocation_id": held.allocation_id}
    (failed,) = light.record_bulk(records=[ask | USED]).results
    assert isinstance(failed, InvalidInput)
    assert "goes without an allocation_id" in failed.detail
