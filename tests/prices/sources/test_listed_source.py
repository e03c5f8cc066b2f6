"""A feed as a source for a book: whole names, the most exact context, nothing guessed."""

import pytest

from budget.domain.pricing import Rates
from budget.prices.book import PriceBook
from budget.prices.schedules import Context
from budget.prices.sources.listed_source import ListedPrices
from budget.prices.sources.reading import Reading

BATCH: Context = (("processing", "batch"),)
EU: Context = (("region", "eu"),)
EU_BATCH: Context = (("processing", "batch"), ("region", "eu"))


@pytest.fixture(scope="module")
def source() -> ListedPrices:
    reading = Reading("source", "v", b"")
    reading.price("lab", "Model-1", Rates(100, 0))
    reading.price("lab", "model-1", Rates(50, 0), BATCH)
    reading.price("lab", "model-1", Rates(60, 0), EU_BATCH)
    reading.price("lab", "model-1", Rates(120, 0), EU)
    reading.price("lab", "shared", Rates(1, 0))
    reading.price("shop", "shared", Rates(2, 0))
    reading.price("shop", "abroad", Rates(3, 0), EU)
    return ListedPrices(reading.feed())


def input_of(
    source: ListedPrices, provider: str | None, model: str, context: Context = ()
) -> object:
    schedule = source.schedule(provider, model, context)
    rates = schedule and schedule.at(0)[0]
    return rates and rates.input


def test_names_are_matched_whole_whatever_their_case(source: ListedPrices) -> None:
    assert input_of(source, " LAB", "MODEL-1 ") == 100
    for provider, model in (("lab", "model"), ("lab", "model-1-2026"), ("la", "model-1")):
        assert input_of(source, provider, model) is None
    assert source.provider_id(" Shop ") == "shop"
    assert source.provider_id("nobody") is None


@pytest.mark.parametrize(
    ("context", "pico"),
    [
        ((), 100), (BATCH, 50), (EU, 120), (EU_BATCH, 60), ((("speed", "fast"),), 100),
        ((*EU_BATCH, ("speed", "fast")), 60),
    ],
)  # fmt: skip
def test_the_most_exact_context_counts(source: ListedPrices, context: Context, pico: int) -> None:
    assert input_of(source, "lab", "model-1", context) == pico


def test_a_model_sold_in_a_context_only_has_no_price_elsewhere(source: ListedPrices) -> None:
    assert input_of(source, "shop", "abroad", EU) == 3
    assert input_of(source, "shop", "abroad") is None


def test_without_a_provider_a_model_of_several_sellers_is_not_guessed(
    source: ListedPrices,
) -> None:
    assert input_of(source, None, "model-1") == 100
    assert input_of(source, None, "shared") is None


def test_every_model_is_listed_once_as_the_feed_spells_it(source: ListedPrices) -> None:
    assert sorted(source.models()) == [
        ("lab", "Model-1"), ("lab", "shared"), ("shop", "abroad"), ("shop", "shared"),
    ]  # fmt: skip


def test_a_book_draws_on_it(source: ListedPrices) -> None:
    book = PriceBook(source)
    assert book.basis == source.basis
    rates = book.lookup(None, "shop/shared", 0)
    assert rates is not None
    assert (rates.provider, rates.input, rates.basis) == ("shop", 2, source.basis)
