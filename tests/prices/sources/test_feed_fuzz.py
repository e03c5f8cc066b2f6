"""Malformed feeds: whatever comes, a source is read or refused, and no price is unsound."""

import copy
import json
import random
from typing import Any, Final

import pytest

from budget.domain.pricing import Rates, validated_rates
from budget.prices.listings import Feed
from budget.prices.sources import ADAPTERS
from budget.prices.sources.adapter import BadFeed
from budget.prices.sources.genai_prices import price_source
from budget.prices.sources.listed_source import ListedPrices
from budget.prices.sources.reading import MAX_SKIPPED
from tests.support.feeds import FEEDS, LLM_PRICES_VENDOR

MALFORMED: Final = 10_000
JUNK: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, -0.0, 1e30, -1e-9, 1e-300, 10**40, 2**63, "", "free", "-1", "0",
    "NaN", "1e999999999", "\ud800", "a" * 300, "x\0y", "2026-02-30", "0001-01-01", "9999-12-31",
    "25:00:00", [], {}, [[]], [{}], {"a": {}}, {"regex": "(a+)+$"}, {"or": []}, {"and": [{}]},
    {"base": -1, "tiers": []}, {"start_date": "0001-01-01"}, float("nan"), float("inf"),
    [{"range": [0, 1]}], {"tier": {"size": 0}}, "\N{BELL}", [None] * 3,
)  # fmt: skip
NESTED: Final = b'[{"a":' * 50_000


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a value: what holds it, and by which key."""
    found = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += nodes(inner)
    return found


def mutated(feed: Any, chance: random.Random) -> bytes:
    """A feed with something wrong in it: in its values, or in its bytes."""
    feed = copy.deepcopy(feed)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        places = nodes(feed)
        if not places:
            break
        holder, key = chance.choice(places)
        action = chance.randrange(6)
        if action == 0:
            del holder[key]
        elif action == 1:
            other, where = chance.choice(places)
            holder[key] = copy.deepcopy(other[where])
        elif action == 2 and isinstance(holder, dict):
            holder[chance.choice(("", "\ud800", "a" * 300, "prices", "cost", "id"))] = holder[key]
        else:
            holder[key] = copy.deepcopy(chance.choice(JUNK))
    data = json.dumps(feed).encode("utf-8", "surrogatepass")
    at = chance.randrange(len(data) + 1)
    wrong = chance.randrange(40)
    if wrong == 0:
        return data[:at]
    if wrong == 1:
        return data[:at] + bytes(chance.randrange(256) for _ in range(3)) + data[at:]
    if wrong == 2:
        return json.dumps(chance.choice(JUNK)).encode()
    if wrong == 3:
        return data.replace(b'": 1', b'": 1e-9, "x": 1', 1).replace(b'"id"', b'"name"', 1)
    return data


def check_rates(rates: Rates | None) -> None:
    if rates is not None:
        assert validated_rates(rates) == rates
        for rate in (*rates[:6], *(rate for _, rate in rates.units)):
            picos = (rate,) if not isinstance(rate, tuple) else tuple(pico for _, pico in rate)
            assert all(pico is None or (type(pico) is int and pico >= 0) for pico in picos)


def check_feed(feed: Feed) -> None:
    assert feed.prices
    assert len(feed.skipped) <= MAX_SKIPPED + 1
    keys = [(each.provider.lower(), each.model.lower(), each.context) for each in feed.prices]
    assert len(set(keys)) == len(keys)
    for listed in feed.prices:
        for text in (listed.provider, listed.model, *sum(listed.context, ())):
            text.encode()
            assert 0 < len(text) <= 256
        for piece in listed.pieces:
            check_rates(piece.rates)
            assert piece.rates is None or piece.rates.basis == feed.basis
    for skipped in feed.skipped:
        f"{skipped.place} {skipped.why}".encode()


def read_malformed(count: int, seed: int) -> tuple[int, int]:
    """Read so many malformed feeds: how many were refused as a whole, how many prices are left."""
    chance = random.Random(seed)
    shapes = [*FEEDS.items(), ("llm-prices", LLM_PRICES_VENDOR)]
    refused = prices = 0
    for number in range(count):
        source, feed = shapes[number % len(shapes)]
        data = mutated(feed, chance)
        try:
            found = ADAPTERS[source].read(data, "v")
        except BadFeed:
            refused += 1
            continue
        check_feed(found)
        prices += len(found.prices)
        if source == "genai-prices":
            # Names are looked up in what was loaded: nothing in it may fail then.
            for model in ("small-1", "long-1-x", "night-1", "nobody"):
                for context in ((), (("processing", "batch"),)):
                    schedule = price_source(data, "v").schedule(None, model, context)
                    if schedule is not None:
                        check_rates(schedule.at(1_790_000_000_000_000)[0])
        else:
            listed = ListedPrices(found)
            assert sum(1 for _ in listed.models()) <= len(found.prices)
    return refused, prices


def test_malformed_feeds_are_read_or_refused_and_no_price_is_unsound() -> None:
    refused, prices = read_malformed(MALFORMED // 10, seed=3)
    assert refused > 10
    assert prices > MALFORMED // 10


@pytest.mark.faults
def test_ten_thousand_malformed_feeds_are_read_or_refused() -> None:
    refused, prices = read_malformed(MALFORMED, seed=8013)
    assert refused > 100
    assert prices > MALFORMED


@pytest.mark.parametrize("source", sorted(ADAPTERS))
@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff\xfe", b"null", b"0", b'"x"', b"[]", b"{}", b"[1]", b'{"a": 1}', b"{", NESTED,
        b"<html>404</html>", b'{"data": []}', b'{"prices": []}', b'{"error": {"message": "no"}}',
    ],
)  # fmt: skip
def test_what_is_no_feed_is_refused_as_a_whole(source: str, data: bytes) -> None:
    with pytest.raises(BadFeed, match=f"feed: is not what {source} publishes"):
        ADAPTERS[source].read(data, "v")


@pytest.mark.parametrize("source", sorted(ADAPTERS))
@pytest.mark.parametrize(
    "price",
    ["-1", "NaN", "-Infinity", "Infinity", "1e30", "1e-300", "1e999999999", "true", '"free"', "{}",
     '"-0.5"', "[]", "9" * 5_000],
)  # fmt: skip
def test_a_price_that_cannot_be_leaves_its_model_out_and_no_other(source: str, price: str) -> None:
    marked = {
        "genai-prices": ('"output_mtok": 10}', '"output_mtok": 10'),
        "litellm": ('"input_cost_per_token": 3e-06', "claude-1"),
        "models.dev": ('"input": 0.2', "lab/open-1"),
        "openrouter": ('"prompt": "0.0000025"', "openai/audio-9"),
        "llm-prices": ('"input": 3,', "gone-9"),
    }
    good = json.dumps(FEEDS[source])
    whole = {each.model for each in ADAPTERS[source].read(good.encode(), "v").prices}
    if source == "genai-prices":
        bad, model = good.replace('"input_mtok": 4,', f'"input_mtok": {price},', 1), "long-1"
    else:
        part, model = marked[source]
        name, _, rest = part.partition(": ")
        bad = good.replace(part, f"{name}: {price}" + ("," if rest.endswith(",") else ""), 1)
    assert bad != good
    left = {each.model for each in ADAPTERS[source].read(bad.encode(), "v").prices}
    if source == "genai-prices" and model in left:
        # Only the piece with that price is left out: its later one is sound.
        feed = ADAPTERS[source].read(bad.encode(), "v")
        pieces = next(each.pieces for each in feed.prices if each.model == model)
        assert pieces[0].rates is None
        left.discard(model)
    assert left == whole - {model}
