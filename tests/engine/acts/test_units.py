"""Units beside tokens: audio, images, searches and the like, held, priced, booked and corrected."""

from typing import Any

import pytest

from budget.domain.answers import Allocation, Refusal
from budget.domain.pricing import Rates
from budget.engine.budget import Budget as Books
from budget.prices.book import PriceBook
from tests.engine.opened import MILLI, Clock, allocated, refused

SPEAKS = Rates(
    1_000_000_000, 2_000_000_000, cache_read=500_000_000,
    units=(
        ("cache_read_audio_tokens", 4_000_000_000), ("input_audio_tokens", 10_000_000_000),
        ("output_audio_tokens", 20_000_000_000), ("searches", 50_000_000_000),
    ),
)  # fmt: skip
"""0.001 and 0.002 USD a token of text, ten times that for audio; a search is 0.05 USD."""
HIRED = Rates(0, 0, units=(("milliseconds", 500_000_000),))
"""Hardware by the second, at 0.0005 USD a millisecond."""
FREE = Rates(0, 0, units=(("searches", 50_000_000_000),))
PRICES = PriceBook(None, {("p", "speaks"): SPEAKS, ("p", "hired"): HIRED, ("p", "free"): FREE})
CALL: dict[str, Any] = {"provider": "p", "model": "speaks"}


@pytest.fixture
def spoken(books_url: str, clock: Clock) -> Books:
    """Books with the price of a model that hears, speaks and searches."""
    return Books.open(books_url, clock=clock, prices=PRICES, sweep=False)


def test_each_unit_costs_its_own_price_and_the_rest_that_of_text(spoken: Books) -> None:
    with spoken as books:
        receipt = books.record_usage(
            **CALL, input_tokens=100, output_tokens=50, cache_read_tokens=20,
            units={"input_audio_tokens": 30, "cache_read_audio_tokens": 5, "searches": 2,
                   "output_audio_tokens": 40},
        )  # fmt: skip
        # Input: 50 text x 1 + 30 audio x 10 + cached 15 text x 0.5 + 5 audio x 4; output: 10 x 2 +
        # 40 audio x 20; 2 searches x 50: 50 + 300 + 7.5 + 20 + 20 + 800 + 100 thousandths.
        assert receipt.cost_nanos == 1_297_500_000
        assert receipt.flags == ("unreserved",)
        assert dict(books.usage_record(receipt.usage_id).usage.units)["searches"] == 2
        assert books.verify().violations == ()


def test_a_model_that_is_not_sold_by_tokens_holds_what_it_is_sold_by(spoken: Books) -> None:
    hired: dict[str, Any] = {"provider": "p", "model": "hired"}
    size: dict[str, Any] = {"input_tokens": 100, "max_output_tokens": 50}
    with spoken as books:
        alone = books.allocate(**hired, **size)
        assert isinstance(alone, Allocation)  # no limit in money yet
        policy: Any = {"unit": "usd", "period": "daily", "limit": "1"}
        books.create_budget(name="B", policies=[policy])
        for ask in (size, {"tokens": 150}):
            error = refused(books.allocate, **hired, **ask)
            assert (error.code, error.field) == ("amount_required", "usd")
        call = allocated(books, **hired, **size, units={"milliseconds": 1_000})
        assert call.reserved.usd == 500 * MILLI
        assert allocated(books, **hired, usd="0.25").reserved.usd == 250 * MILLI
        # Free text stays free where a search beside it is not.
        assert allocated(books, provider="p", model="free", **size).reserved.usd == 0
        assert books.verify().violations == ()


def test_a_hold_states_the_units_it_may_use(spoken: Books) -> None:
    with spoken as books:
        text = allocated(books, **CALL, input_tokens=100, max_output_tokens=50)
        assert text.reserved.usd == 200 * MILLI
        call = allocated(
            books, **CALL, input_tokens=100, max_output_tokens=50,
            units={"input_audio_tokens": 30, "searches": 1, "images": 0},
        )  # fmt: skip
        # 30 of the tokens at 10 instead of 1, and a search at 50 thousandths.
        assert call.reserved.usd == (200 + 30 * 9 + 50) * MILLI
        used: dict[str, Any] = {"input_tokens": 100, "output_tokens": 50}
        receipt = books.settle(
            call.allocation_id, **used, units={"input_audio_tokens": 30, "searches": 1}
        )
        assert receipt.cost_nanos == call.reserved.usd
        again = books.settle(
            call.allocation_id, **used, units={"input_audio_tokens": 30, "searches": 1}
        )
        assert again.replayed
        assert books.verify().violations == ()


def test_a_unit_without_a_price_is_flagged_and_the_rest_is_charged(spoken: Books) -> None:
    with spoken as books:
        receipt = books.record_usage(**CALL, input_tokens=1, output_tokens=0, units={"pages": 3})
        assert receipt.cost_nanos == MILLI
        assert receipt.flags == ("unreserved", "unpriced")


def test_a_call_that_may_use_what_has_no_price_is_refused_where_unpriced_calls_are(
    spoken: Books,
) -> None:
    with spoken as books:
        books.create_budget(name="B", policies=[{"unit": "usd", "period": "daily", "limit": "1"}])
        ask = {**CALL, "input_tokens": 1, "max_output_tokens": 1}
        told = books.allocate(**ask, units={"pages": 3})
        assert isinstance(told, Refusal)
        assert (told.code, "pages" in told.detail) == ("model_unpriced", True)
        allocated(books, **ask, units={"searches": 1})


def test_a_correction_may_change_units_and_reverses_them_all(spoken: Books) -> None:
    with spoken as books:
        used = books.record_usage(**CALL, input_tokens=0, output_tokens=0, units={"searches": 3})
        fixed = books.correct(used.usage_id, reason="r", replacement={"units": {"searches": 1}})
        assert fixed.cost_nanos == 50 * MILLI
        reversal = books.usage_record(fixed.reversal_id)
        assert (reversal.usage.units, reversal.cost_nanos) == ((("searches", -3),), -150 * MILLI)
        assert books.verify().violations == ()


@pytest.mark.parametrize(
    ("units", "field"),
    [
        ({"smells": 1}, "units.smells"),
        ({"searches": -1}, "units.searches"),
        ({"searches": "2"}, "units.searches"),
        ([("searches", 2)], "units"),
        ({"input_audio_tokens": 6}, "input_tokens"),
        ({"output_image_tokens": 6}, "output_tokens"),
        ({"cache_read_audio_tokens": 1}, "cache_read_tokens"),
    ],
)
def test_units_that_cannot_be_are_refused_by_name(spoken: Books, units: object, field: str) -> None:
    with spoken as books:
        ask: dict[str, Any] = {**CALL, "input_tokens": 5, "output_tokens": 5, "units": units}
        assert refused(books.record_usage, **ask).field == field


def test_units_of_a_hold_need_its_estimate(spoken: Books) -> None:
    with spoken as books:
        assert refused(books.allocate, **CALL, tokens=1, units={"searches": 1}).field == "units"
