"""llm-prices: its three shapes, prices over time, and two models that are one with a tier."""

import json
from typing import Any

import pytest

from budget.prices.listings import Feed
from budget.prices.schedules import Schedule
from budget.prices.sources.adapter import BadFeed
from budget.prices.sources.llm_prices import ADAPTER
from tests.support.feeds import LLM_PRICES, LLM_PRICES_VENDOR, dumped

DAY_US = 86_400_000_000
FEBRUARY_8_US = 1_770_508_800_000_000
MAY_1_US = 1_777_593_600_000_000
OTHER: dict[str, Any] = {"id": "other", "vendor": "lab", "name": "O", "input": 1, "output": 2}


@pytest.fixture(scope="module")
def feed() -> Feed:
    return ADAPTER.read(dumped(LLM_PRICES), "2026-11-25")


def input_pico(feed: Feed, provider: str, model: str, at_us: int) -> object:
    for listed in feed.prices:
        if (listed.provider, listed.model) == (provider, model):
            rates = Schedule(listed.pieces).at(at_us)[0]
            return rates and rates.input
    raise AssertionError((provider, model))


def read_prices(*prices: Any) -> Feed:
    return ADAPTER.read(json.dumps({"prices": [OTHER, *prices]}).encode(), "v")


def test_a_call_has_the_price_of_its_day(feed: Feed) -> None:
    # 0.14 USD a million until 8 February, 0.27 from then on
    assert input_pico(feed, "deepseek", "chat-9", FEBRUARY_8_US - 1) == 140_000
    assert input_pico(feed, "deepseek", "chat-9", FEBRUARY_8_US) == 270_000


def test_a_price_that_ended_holds_no_more(feed: Feed) -> None:
    assert input_pico(feed, "x-ai", "gone-9", MAY_1_US - 1) == 3_000_000
    assert input_pico(feed, "x-ai", "gone-9", MAY_1_US) is None


def test_when_the_last_price_ended_no_former_one_comes_back() -> None:
    first = {**OTHER, "id": "m", "from_date": None, "to_date": "2026-02-08"}
    last = {**OTHER, "id": "m", "input": 5, "from_date": "2026-02-08", "to_date": "2026-05-01"}
    found = read_prices(last, first)
    seen = [
        input_pico(found, "lab", "m", at_us)
        for at_us in (0, FEBRUARY_8_US - 1, FEBRUARY_8_US, MAY_1_US - 1, MAY_1_US)
    ]
    assert seen == [1_000_000, 1_000_000, 5_000_000, 5_000_000, None]


def test_a_day_between_two_prices_still_has_the_former() -> None:
    first = {**OTHER, "id": "m", "from_date": None, "to_date": "2026-02-07"}
    last = {**OTHER, "id": "m", "input": 5, "from_date": "2026-02-08"}
    found = read_prices(first, last)
    assert input_pico(found, "lab", "m", FEBRUARY_8_US - DAY_US // 2) == 1_000_000


def test_a_model_up_to_some_length_and_one_beyond_it_are_one(feed: Feed) -> None:
    assert [listed.model for listed in feed.prices] == ["chat-9", "gone-9", "long-9"]
    (piece,) = feed.prices[2].pieces
    assert piece.rates is not None
    assert piece.rates.input == ((0, 1_250_000), (200_001, 2_500_000))
    assert piece.rates.output == ((0, 10_000_000), (200_001, 15_000_000))
    assert piece.rates.cache_read == ((0, 125_000), (200_001, 250_000))


def test_a_vendor_s_own_file_and_the_current_prices_say_the_same(feed: Feed) -> None:
    vendor = ADAPTER.read(dumped(LLM_PRICES_VENDOR), "v")
    assert input_pico(vendor, "deepseek", "chat-9", FEBRUARY_8_US - 1) == 140_000
    assert input_pico(vendor, "deepseek", "chat-9", FEBRUARY_8_US) == 270_000
    current = read_prices({**OTHER, "id": "m", "vendor": "moonshot-ai", "input_cached": 0.5})
    assert input_pico(current, "moonshotai", "m", 0) == 1_000_000


@pytest.mark.parametrize(
    ("price", "why"),
    [
        (5, "not an object"),
        ({**OTHER, "id": None}, "its name is not text"),
        ({**OTHER, "id": "m", "vendor": ""}, "its name"),
        ({**OTHER, "id": "m", "input": None}, "not a number"),
        ({**OTHER, "id": "m", "input": -1}, "negative"),
        ({**OTHER, "id": "m", "output": "2"}, "not a number"),
        ({**OTHER, "id": "m", "input": 0, "output": 0}, "all zero"),
        ({**OTHER, "id": "m", "from_date": "soon"}, "no day"),
        ({**OTHER, "id": "m", "from_date": "2026-02-02", "to_date": "2026-02-01"}, "before it"),
        ({**OTHER, "id": "m", "name": "M ≤200k"}, "none beyond it"),
        ({**OTHER, "id": "m-200k", "name": "M >200k"}, "not listed"),
        ({**OTHER, "id": "m", "name": "M (image gen)"}, "text and of images"),
    ],
)
def test_odd_prices_leave_their_model_out_and_are_said_so(price: Any, why: str) -> None:
    found = read_prices(price)
    assert [listed.model for listed in found.prices] == ["other"]
    assert why in found.skipped[0].why


def test_two_prices_from_the_same_day_leave_their_model_out_unless_equal() -> None:
    one = {**OTHER, "id": "m"}
    assert len(read_prices(one, one).prices) == 2
    found = read_prices(one, {**one, "input": 5}, {**one, "to_date": "2026-01-01"})
    assert [listed.model for listed in found.prices] == ["other"]
    assert "more than once" in found.skipped[0].why


def test_one_odd_price_of_a_history_leaves_the_model_out_as_a_whole() -> None:
    good = {**OTHER, "id": "m", "from_date": "2026-01-01"}
    found = read_prices(good, {**good, "input": -5, "from_date": "2026-02-01"})
    assert [listed.model for listed in found.prices] == ["other"]


@pytest.mark.parametrize("data", [{"prices": 5}, {"vendor": "x"}, {"models": [5]}, {"prices": []}])
def test_what_lists_no_prices_is_a_bad_feed(data: Any) -> None:
    with pytest.raises(BadFeed):
        ADAPTER.read(json.dumps(data).encode(), "v")
