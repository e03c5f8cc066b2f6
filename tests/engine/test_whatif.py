"""What if: history priced on other models, at the prices of its time; nothing is booked."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from budget.domain import wire
from budget.domain.answers_rating import WhatIf
from budget.domain.errors import NotFound
from budget.domain.pricing import Rates
from budget.engine.budget import Budget as Books
from budget.prices.book import PriceBook
from budget.prices.layers import OwnEntry
from budget.prices.listings import Capabilities
from budget.prices.schedules import Piece, Schedule
from tests.engine.opened import DAY, MILLI, Clock, allocated, refused, told, us
from tests.engine.test_rerating import Own

START: Final = "2026-05-01T00:00:00Z"
END: Final = "2026-06-01T00:00:00Z"

_TURN: Final = us("2026-05-16 00:00")
CHEAP: Final = Schedule(
    (
        Piece(Rates(500_000_000, 500_000_000, provider="acme", model="cheap", basis="own/1")),
        Piece(
            Rates(100_000_000, 100_000_000, provider="acme", model="cheap", basis="own/1"), _TURN
        ),
    )
)
"""0.0005 USD a token until 16 May, 0.0001 USD from then on."""


class Known(PriceBook):
    """A book that knows what one model can do."""

    def capabilities(self, provider: str | None, model: str) -> Capabilities:
        if (provider, model) != ("acme", "cheap"):
            return Capabilities()
        return Capabilities(context_window=100, max_output_tokens=20, retired_us=_TURN)


@pytest.fixture
def known(light_url: str, clock: Clock) -> Iterator[Books]:
    """Books whose prices have `m`, as ever, and `cheap`, which changes."""
    m = Rates(1_000_000_000, 2_000_000_000, model="m", basis="own/1")
    entries: dict[tuple[str | None, str], tuple[OwnEntry, ...]] = {
        (None, "m"): (OwnEntry((), Schedule((Piece(m),))),),
        ("acme", "cheap"): (OwnEntry((), CHEAP),),
        (None, "cheap"): (OwnEntry((), CHEAP),),
    }
    prices = Known(None, own=Own("own/1", entries))
    with Books.open(light_url, clock=clock, prices=prices, sweep=False) as books:
        yield books
        assert books.verify().violations == ()


def what_if(books: Books, **ask: Any) -> WhatIf:
    return books.what_if(**{"since": START, "until": END, **ask})


def test_history_is_priced_on_the_other_model_at_the_prices_of_its_time(
    known: Books, clock: Clock
) -> None:
    known.record_usage(model="m", input_tokens=10, output_tokens=5)
    call = allocated(known, model="m", input_tokens=10, max_output_tokens=5).allocation_id
    known.settle(call, input_tokens=10, output_tokens=0)
    clock.move(DAY)
    known.record_usage(model="m", input_tokens=100, output_tokens=0)
    known.record_usage(model="cheap", input_tokens=10, output_tokens=0)
    found = what_if(known, models={"m": "acme/cheap"})
    # 20 + 10 + 100 as booked; 15 x 0.5 + 10 x 0.5 + 100 x 0.1 on the other.
    assert (found.records, found.unpriced) == (3, 0)
    assert (found.old_nanos, found.new_nanos) == (130 * MILLI, 22_500_000)
    assert [(day.records, day.old_nanos, day.new_nanos) for day in found.days] == [
        (2, 30 * MILLI, 12_500_000),
        (1, 100 * MILLI, 10 * MILLI),
    ]
    assert (found.others, found.others_nanos) == (1, 1 * MILLI)
    (one,) = found.exchanges
    assert (one.model, one.instead, one.provider, one.priced_model) == (
        "m", "acme/cheap", "acme", "cheap",
    )  # fmt: skip
    assert wire.what_if(found)["percent"] == "-82.7"
    assert told(known, "corrected") == []


def test_at_now_both_are_priced_at_the_prices_of_now(known: Books, clock: Clock) -> None:
    known.record_usage(model="m", input_tokens=10, output_tokens=5)
    clock.move(DAY)
    found = what_if(known, models={"M": "cheap"}, at_now=True)
    assert (found.old_nanos, found.new_nanos) == (20 * MILLI, 1_500_000)


def test_what_does_not_fit_is_told(known: Books, clock: Clock) -> None:
    known.record_usage(model="m", input_tokens=81, output_tokens=20)
    clock.move(DAY)
    known.record_usage(model="m", input_tokens=1, output_tokens=21, units={"searches": 2})
    found = what_if(known, models={"m": "cheap"})
    (one,) = found.exchanges
    assert (one.over_context_window, one.over_max_output, one.retired) == (1, 1, 1)
    assert one.unpriced_units == ("searches",)
    notes = " ".join(wire.what_if(found)["notes"])
    assert "tokenizer" in notes
    assert "1 of 2 records are longer than the 100 tokens that 'cheap' takes." in notes
    assert "1 of 2 records have more output than the 20 tokens that 'cheap' gives." in notes
    assert "1 of 2 records are of a time when 'cheap' had ended." in notes
    assert "'cheap' has no price for searches" in notes


def test_usage_without_a_cost_is_in_no_total(known: Books) -> None:
    known.record_usage(model="n", input_tokens=1, output_tokens=0)
    found = what_if(known, models={"n": "cheap"})
    assert (found.records, found.unpriced, found.old_nanos, found.new_nanos) == (1, 1, 0, 0)
    assert wire.what_if(found)["percent"] is None


def test_an_empty_history_and_a_model_nobody_used_come_to_nothing(known: Books) -> None:
    found = what_if(known, models={"gpt-4o": "m"})
    assert (found.records, found.days) == (0, ())
    assert "No usage of 'gpt-4o' was found in this time." in wire.what_if(found)["notes"]


def test_a_model_without_a_price_is_named(known: Books) -> None:
    with pytest.raises(NotFound, match="'nowhere/nothing' is not known"):
        what_if(known, models={"m": "nowhere/nothing"})


WRONG: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({}, "models"),
    ({"models": {}}, "models"),
    ({"models": ["m", "cheap"]}, "models"),
    ({"models": {"m": ""}}, "models.m"),
    ({"models": {"m": 4}}, "models.m"),
    ({"models": {"m": "cheap", "M": "cheap"}}, "models"),
    ({"models": {f"m{n}": "cheap" for n in range(51)}}, "models"),
    ({"models": {"m": "cheap"}, "until": START}, "since"),
    ({"models": {"m": "cheap"}, "at_now": "yes"}, "at_now"),
    ({"models": {"m": "cheap"}, "apply": True}, "apply"),
)


def test_bad_input_is_refused_by_name(known: Books) -> None:
    for ask, field in WRONG:
        assert refused(what_if, known, **ask).field == field, ask


@pytest.mark.parametrize(
    ("old", "new", "told_as"),
    [
        (100, 150, "50.0"), (3, 2, "-33.3"), (3, 1, "-66.7"), (100_000, 99_999, "0.0"),
        (1, 1, "0.0"), (0, 5, None), (8, 1_000, "12400.0"),
    ],
)  # fmt: skip
def test_percents_are_rounded_to_one_place(old: int, new: int, told_as: str | None) -> None:
    from budget.domain.wire.rating import percent

    assert percent(old, new) == told_as
