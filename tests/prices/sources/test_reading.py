"""A reading: what comes twice, who gives way to whom, and its bounds."""

import hashlib

import pytest

from budget.domain.pricing import Rates
from budget.prices.listings import Capabilities, Listed, Skipped
from budget.prices.schedules import Piece
from budget.prices.sources.adapter import BadFeed
from budget.prices.sources.parsing import Odd
from budget.prices.sources.reading import MAX_MODELS, MAX_SKIPPED, Reading

ONE, OTHER = Rates(1, 2), Rates(3, 4)
BATCH = (("processing", "batch"),)


def reading() -> Reading:
    return Reading("source", "2026-11-25", b"data")


def test_a_feed_is_named_by_its_source_version_and_bytes() -> None:
    found = reading()
    found.price("lab", "m", ONE, BATCH)
    feed = found.feed()
    sha256 = hashlib.sha256(b"data").hexdigest()
    assert (feed.sha256, feed.basis) == (sha256, f"source/2026-11-25/{sha256[:12]}")
    rates = Rates(1, 2, provider="lab", model="m", basis=feed.basis, context="processing=batch")
    assert feed.prices == (Listed("lab", "m", (Piece(rates),), BATCH),)


def test_equal_listings_of_a_model_count_once_whatever_their_case() -> None:
    found = reading()
    found.price("lab", "Model", ONE)
    found.price("Lab", "model", ONE._replace())
    feed = found.feed()
    assert [listed.model for listed in feed.prices] == ["Model"]
    assert feed.skipped == ()


def test_different_listings_of_a_model_are_both_left_out() -> None:
    found = reading()
    found.price("lab", "m", ONE)
    found.price("lab", "other", ONE)
    found.price("lab", "M", OTHER)
    found.price("lab", "m", ONE)  # the first one again does not mend it
    feed = found.feed()
    assert [listed.model for listed in feed.prices] == ["other"]
    why = "listed more than once, at different prices"
    assert feed.skipped == (Skipped("lab/M", why), Skipped("lab/m", why))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_listing_of_lower_rank_counts_whichever_comes_first(order: tuple[int, int]) -> None:
    found = reading()
    for rank in order:
        found.price("lab", "m", (ONE, OTHER)[rank], rank=rank)
    (listed,) = found.feed().prices
    assert listed.pieces[0].rates is not None
    assert listed.pieces[0].rates.input == 1


def test_contexts_of_a_model_are_listings_of_their_own() -> None:
    found = reading()
    found.price("lab", "m", ONE)
    found.price("lab", "m", OTHER, BATCH)
    assert len(found.feed().prices) == 2


def test_rates_that_cannot_be_are_odd() -> None:
    with pytest.raises(Odd, match=r"rates\.input cannot be"):
        reading().price("lab", "m", Rates(-1, 2))


def test_a_feed_without_a_price_is_a_bad_one() -> None:
    found = reading()
    found.describe("lab", "m", Capabilities(tools=True))
    with pytest.raises(BadFeed, match="no price that can be read"):
        found.feed()


def test_more_models_than_anybody_sells_make_a_bad_feed() -> None:
    reading().check_size(MAX_MODELS)
    with pytest.raises(BadFeed, match="more than 100000 models"):
        reading().check_size(MAX_MODELS + 1)


def test_what_was_left_out_is_counted_beyond_a_thousand_and_can_be_shown() -> None:
    found = reading()
    found.price("lab", "m", ONE)
    for number in range(MAX_SKIPPED + 5):
        found.skip(f"\ud800{number}\n" + "a" * 500, "odd")
    skipped = found.feed().skipped
    assert len(skipped) == MAX_SKIPPED + 1
    assert skipped[0].place.startswith("?0?aaa")
    assert len(skipped[0].place) == 120
    assert skipped[-1] == Skipped("", "and 5 more")


def test_of_two_descriptions_of_a_model_the_first_that_says_something_counts() -> None:
    found = reading()
    found.price("lab", "m", ONE)
    found.describe("Lab", "M", Capabilities())
    found.describe("lab", "m", Capabilities(tools=True))
    found.describe("lab", "m", Capabilities(tools=False))
    assert found.feed().capabilities == {("lab", "m"): Capabilities(tools=True)}
