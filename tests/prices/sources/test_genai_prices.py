"""genai-prices: its feed, and the bundled prices as a snapshot in the feed's own format."""

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from genai_prices.data import providers

from budget.domain.pricing import cost_nanos
from budget.domain.usage import Usage
from budget.prices.book import PriceBook
from budget.prices.bundled import (
    bundled_prices,
    bundled_snapshot,
    bundled_version,
    schedule_in_context,
    schedule_of,
)
from budget.prices.listings import Capabilities, Feed, Listed
from budget.prices.schedules import Context, Schedule
from budget.prices.sources.adapter import BadFeed
from budget.prices.sources.genai_prices import ADAPTER, bundled_feed, price_source
from tests.support.feeds import GENAI_PRICES, dumped

BATCH: Context = (("processing", "batch"),)
MARCH_1_US = 1_772_323_200_000_000
JUNE_1_US = 1_780_272_000_000_000
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def feed() -> Feed:
    return ADAPTER.read(dumped(GENAI_PRICES), "2026-11-25")


@pytest.fixture(scope="module")
def bundled() -> Feed:
    return bundled_feed()


def listed(feed: Feed, model: str, context: Context = ()) -> Listed:
    return next(each for each in feed.prices if (each.model, each.context) == (model, context))


def input_of(found: Listed, at_us: int) -> object:
    rates = Schedule(found.pieces).at(at_us)[0]
    return rates and rates.input


def read_with(change: Callable[[dict[str, Any]], None]) -> Feed:
    """The feed whose model `long-1` was changed."""
    raw = copy.deepcopy(GENAI_PRICES)
    change(raw[0]["models"][1])
    return ADAPTER.read(dumped(raw), "v")


def test_a_feed_says_prices_over_time_and_by_the_hour(feed: Feed) -> None:
    long = listed(feed, "long-1")
    assert input_of(long, JUNE_1_US - 1) == 4_000_000
    assert input_of(long, JUNE_1_US) == ((0, 2_000_000), (200_001, 4_000_000))
    night = listed(feed, "night-1")
    # Half the price from 16:30 to 00:30 UTC
    seen = [input_of(night, JUNE_1_US + hours * HOUR_US) for hours in (0, 1, 16, 17)]
    assert seen == [500_000, 1_000_000, 1_000_000, 500_000]


def test_a_variant_is_a_context_from_its_day_on(feed: Feed) -> None:
    batch = listed(feed, "small-1", BATCH)
    assert input_of(batch, MARCH_1_US - 1) == 2_500_000
    assert input_of(batch, MARCH_1_US) == 1_250_000
    rates = batch.pieces[-1].rates
    assert rates is not None
    assert (rates.cache_read, rates.context) == (1_250_000, "processing=batch")


def test_what_is_not_sold_by_the_token_or_in_no_context_of_ours_is_left_out(feed: Feed) -> None:
    assert [each.place for each in feed.skipped] == ["openai/small-1", "openai/speech-1"]
    assert feed.capabilities == {("openai", "small-1"): Capabilities(context_window=128_000)}


def test_a_context_by_the_hour_costs_what_the_book_says_at_every_hour() -> None:
    raw = copy.deepcopy(GENAI_PRICES)
    raw[0]["models"][2]["price_variants"] = [
        {"when": {"processing": "batch"}, "prices": {"output_mtok": 0.75}},
        {
            "when": {"processing": "batch"},
            "constraint": {"start_date": "2026-06-02"},
            "prices": {"input_mtok": 0.25},
        },
    ]
    data = dumped(raw)
    book = PriceBook(price_source(data, "v"))
    found = Schedule(listed(ADAPTER.read(data, "v"), "night-1", BATCH).pieces)
    for half_hours in range(96):
        at_us = JUNE_1_US + half_hours * HOUR_US // 2
        rates = found.at(at_us)[0]
        assert rates is not None
        assert rates == book.lookup("openai", "night-1", at_us, BATCH)
        by_night = half_hours % 48 in (0, *range(33, 48))
        before = 500_000 if by_night else 1_000_000
        assert (rates.input, rates.output) == (before if half_hours < 48 else 250_000, 750_000)


def test_a_feed_is_a_source_that_matches_names_as_the_package_does(feed: Feed) -> None:
    source = price_source(dumped(GENAI_PRICES), "2026-11-25")
    assert source.basis == feed.basis
    assert source.provider_id("azure-openai") is None
    assert source.provider_id("my-openai") == "openai"
    book = PriceBook(source)
    dated = book.lookup(None, "small-1-20260102", MARCH_1_US)
    assert dated is not None
    assert (dated.model, dated.basis) == ("small-1", feed.basis)
    # 1000 x 2.5e-6 + 100 x 10e-6 = 0.0035 USD
    assert cost_nanos(dated, Usage(1_000, 100)) == 3_500_000


def set_match(match: Any) -> Callable[[dict[str, Any]], None]:
    return lambda model: model.update(match=match)


def nested_clause(depth: int) -> Any:
    clause: Any = {"equals": "long-1"}
    for _ in range(depth):
        clause = {"or": [clause]}
    return clause


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda model: model.pop("match"), "cannot read this model"),
        (lambda model: model.pop("id"), "cannot read this model"),
        (lambda model: model.update(prices=[]), "no price"),
        (lambda model: model.update(prices={}), "no sound price"),
        (lambda model: model.update(prices="free"), "cannot read this model"),
        (lambda model: model.update(prices={"input_mtok": -1}), "no sound price"),
        (lambda model: model.update(prices={"input_mtok": 1, "__class__": 1}), "cannot read"),
        (lambda model: model["prices"][1].update(constraint={"start_date": "0001-01-01"}),
         "no day on which prices begin"),
        (set_match({}), "cannot read this model"),
        (set_match("long-1"), "cannot read this model"),
        (set_match({"regex": "("}), "a pattern that is none"),
        (set_match({"regex": "(a+)+$"}), "may take long"),
        (set_match({"regex": ".*.*.*x"}), "may take long"),
        (set_match({"regex": "a" * 201}), "may take long"),
        (set_match(nested_clause(12)), "nest too deep"),
    ],
)  # fmt: skip
def test_an_odd_model_is_left_out_and_said_so(
    change: Callable[[dict[str, Any]], None], why: str
) -> None:
    found = read_with(change)
    assert {each.model for each in found.prices} == {"small-1", "night-1"}
    known = {"openai/small-1", "openai/speech-1"}
    (skipped,) = (each for each in found.skipped if each.place not in known)
    assert why in skipped.why
    assert skipped.place in ("openai/long-1", "openai/None")


@pytest.mark.parametrize(
    "odd",
    [
        5,
        {},
        {"id": 5},
        {"id": "x", "name": "X", "api_pattern": "", "models": 5},
        {"id": "x", "name": "X", "api_pattern": "", "model_match": {"regex": "("}},
    ],
)
def test_an_odd_provider_is_left_out_alone(odd: Any) -> None:
    found = ADAPTER.read(dumped([odd, *GENAI_PRICES]), "v")
    assert len(found.prices) == 4
    assert len(found.skipped) == 3


@pytest.mark.parametrize("data", [{}, [], [{}], "x", [{"id": "x", "name": "X", "models": []}]])
def test_what_is_no_list_of_providers_is_a_bad_feed(data: Any) -> None:
    with pytest.raises(BadFeed):
        ADAPTER.read(json.dumps(data).encode(), "v")


def test_the_bundled_prices_are_the_same_bytes_every_time_and_named_by_them(bundled: Feed) -> None:
    data = bundled_snapshot()
    assert data == bundled_snapshot()
    sha256 = hashlib.sha256(data).hexdigest()
    assert bundled.sha256 == sha256
    assert bundled.basis == bundled_prices().basis
    assert bundled.basis == f"genai-prices/{bundled_version()}/{sha256[:12]}"


def test_the_bundled_prices_come_back_from_their_snapshot_unchanged(bundled: Feed) -> None:
    """Every model's schedule, usual and in each of its contexts."""
    read_back = {(each.provider, each.model, each.context): each.pieces for each in bundled.prices}
    for provider in providers:
        for model in provider.models:
            usual = schedule_of(model, provider.id, bundled.basis)
            pieces = read_back.pop((provider.id, model.id, ()), None)
            assert pieces == (usual and usual.pieces)
            whens = {tuple(sorted(each.when.items())) for each in model.price_variants or ()}
            for when in whens if usual else ():
                special = schedule_in_context(model, dict(when), provider.id, bundled.basis)
                assert special is not None
                assert read_back.pop((provider.id, model.id, when)) == special.pieces
    assert read_back == {}


def test_the_bundled_snapshot_is_a_source_equal_to_the_installed_one() -> None:
    read_back, installed = price_source(bundled_snapshot(), bundled_version()), bundled_prices()
    listed = list(installed.models())
    assert list(read_back.models()) == listed
    for provider, model in listed[::5]:
        for context in ((), BATCH):
            theirs = installed.schedule(provider, model, context)
            ours = read_back.schedule(provider, model, context)
            for at_us in (0, JUNE_1_US, JUNE_1_US + 17 * HOUR_US):
                assert (theirs and theirs.at(at_us)) == (ours and ours.at(at_us))


def test_all_of_the_bundled_models_are_in_the_feed_but_those_without_a_token_price(
    bundled: Feed,
) -> None:
    models = {(each.provider, each.model) for each in bundled.prices}
    left_out = {skipped.place for skipped in bundled.skipped}
    for provider, model in bundled_prices().models():
        assert (provider, model) in models or f"{provider}/{model}" in left_out
    assert len(models) > 2_200
    assert {each.why for each in bundled.skipped} == {"it has no sound price by the token"}
