"""Coverage: how much of what was seen has a price, from the rollups."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from budget.domain import wire
from budget.domain.answers_rating import Seen
from budget.domain.pricing import Rates
from budget.engine.budget import Budget as Books
from budget.engine.coverage import coverage, shares
from budget.prices.book import PriceBook
from tests.engine.opened import MILLI, Clock, refused, us

_RATES: Final[dict[tuple[str | None, str], Rates]] = {
    (None, "m"): Rates(1_000_000_000, 0, basis="feed/1"),
    (None, "own"): Rates(1_000_000_000, 0),
}
PRICES: Final = PriceBook(None, _RATES)


@pytest.fixture
def seen(books_url: str, clock: Clock) -> Iterator[Books]:
    """Books that have seen two calls of `m`, one of `own` and two of `n`, which has no price."""
    with Books.open(books_url, clock=clock, prices=PRICES, sweep=False) as books:
        _fill(books, clock)
        yield books
        assert books.verify().violations == ()


def _fill(books: Books, clock: Clock) -> None:
    ask: dict[str, Any] = {"output_tokens": 0}
    clock.now_us = us("2026-04-01 12:00")
    books.record_usage(model="n", input_tokens=7, **ask)
    clock.now_us = us("2026-05-01 12:30")
    books.record_usage(model="m", provider="acme", input_tokens=10, **ask)
    clock.now_us = us("2026-05-15 11:30")
    books.record_usage(model="m", provider="acme", input_tokens=20, **ask)
    books.record_usage(model="own", input_tokens=5, **ask)
    books.record_usage(model="n", input_tokens=15, **ask)
    gone = books.record_usage(model="gone", input_tokens=99, **ask).usage_id
    books.correct(gone, reason="never happened")
    clock.now_us = us("2026-05-15 12:00")


def test_what_was_seen_is_told_by_how_sure_its_price_is(seen: Books) -> None:
    found = seen.coverage()
    assert (found.since_us, found.until_us) == (us("2026-04-15 12:00"), us("2026-05-15 12:00"))
    assert found.total == Seen(3, 4, 50, 35 * MILLI)
    assert found.by_status["unverified"] == Seen(1, 2, 30, 30 * MILLI)
    assert found.by_status["own"] == Seen(1, 1, 5, 5 * MILLI)
    assert found.by_status["unpriced"] == Seen(1, 1, 15, 0)
    assert found.by_status["verified"] == found.by_status["conflict"] == Seen()
    assert found.without_cost == 1
    assert [(one.model, one.status, one.calls, one.last_us) for one in found.uncovered] == [
        ("n", "unpriced", 1, us("2026-05-15 11:00")),
        ("m", "unverified", 2, us("2026-05-15 11:00")),
    ]


def test_its_shares_are_fractions_of_all(seen: Books) -> None:
    found = seen.coverage()
    told = wire.coverage(found)
    assert told["unpriced"]["calls_share"] == "0.25"
    assert told["unpriced"]["models_share"] == "0.3333"
    assert told["unpriced"]["tokens_share"] == "0.3"
    assert told["priced"] == {
        "models": 2, "calls": 3, "tokens": 35, "cost": "0.035", "models_share": "0.6666",
        "calls_share": "0.75", "tokens_share": "0.7", "cost_share": "1",
    }  # fmt: skip
    gauge = {(share.of, share.status): share.bps for share in shares(found)}
    assert gauge["calls", "unpriced"] == 2_500
    assert gauge["cost", "unverified"] == 8_571
    assert gauge["calls", "verified"] == 0
    assert len(gauge) == 4 * 5


def test_any_period_is_counted_to_the_hour(seen: Books) -> None:
    def calls(since: str, until: str) -> int:
        return seen.coverage(since=since, until=until).total.calls

    assert calls("2026-05-01T13:00:00Z", "2026-05-15T11:00:00Z") == 0
    assert calls("2026-05-01T12:59:00Z", "2026-05-15T11:00:00Z") == 1
    assert calls("2026-05-01T13:00:00Z", "2026-05-15T11:01:00Z") == 3
    assert calls("2026-05-15T11:00:00Z", "2026-05-15T12:00:00Z") == 3
    assert calls("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z") == 1
    assert calls("2026-04-01T00:00:00Z", "2026-06-01T00:00:00Z") == 5


def test_how_sure_a_price_is_may_be_told_by_who_knows(seen: Books) -> None:
    found = coverage(seen.books, {}, lambda _, model: "verified" if model == "m" else "conflict")
    assert found.by_status["verified"].calls == 2
    assert [(one.model, one.status) for one in found.uncovered] == [
        ("n", "unpriced"),
        ("own", "conflict"),
    ]


def test_what_is_re_rated_is_no_more_without_a_cost(seen: Books) -> None:
    now = PriceBook(None, {**_RATES, (None, "n"): Rates(1_000_000_000, 0)})
    seen.rerate(since="2026-05-01T00:00:00Z", apply=True, reason="n has a price now", book=now)
    assert seen.coverage().without_cost == 0


def test_of_nothing_every_share_is_nothing(light: Books) -> None:
    told = wire.coverage(light.coverage())
    assert told["total"]["calls"] == 0
    assert told["unpriced"]["calls_share"] == told["priced"]["calls_share"] == "0"
    assert told["uncovered"] == []


def test_bad_input_is_refused_by_name(light: Books) -> None:
    assert refused(light.coverage, since="May").field == "since"
    assert refused(light.coverage, until="1969-01-01T00:00:00Z").field == "until"
    assert refused(light.coverage, since="2027-01-01T00:00:00Z").field == "since"
