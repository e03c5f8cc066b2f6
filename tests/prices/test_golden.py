"""What calls cost by the providers' price pages is what they cost here, to the nano-dollar."""

import re
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final

import pytest

from budget.domain.costs import cost
from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import UNITS, validated
from budget.prices.book import PriceBook, bundled_book
from budget.prices.bundled import bundled_prices
from tests.prices.golden import anthropic, google, openai, others
from tests.prices.golden.case import NOW, Case
from tests.support.command import ROOT

CASES: Final = (*openai.CASES, *anthropic.CASES, *google.CASES, *others.CASES)
PER: Final = {"M": 1_000_000, "K": 1_000}


def name(case: Case) -> str:
    """A case in the list of tests."""
    return f"{case.provider}/{case.model}: {case.what}"


def at_us(case: Case) -> int:
    """When the call was, in microseconds."""
    moment = datetime.fromisoformat(case.at).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


def sum_of(worked: str) -> Decimal:
    """The dollars that a written sum comes to."""
    total = Decimal(0)
    for term in worked.split(" + "):
        found = re.fullmatch(r"([0-9,]+) x ([0-9.]+)/([MK])", term)
        assert found is not None, term
        count, price = Decimal(found[1].replace(",", "")), Decimal(found[2])
        total += count * price / PER[found[3]]
    return total


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return bundled_book()


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_call_costs_what_the_price_page_says(book: PriceBook, case: Case) -> None:
    nanos = int(Decimal(case.usd) * 10**9)
    assert sum_of(case.worked).quantize(Decimal("1e-9"), ROUND_CEILING) == Decimal(case.usd)
    rates = book.lookup(case.provider, case.model, at_us(case), case.context)
    assert rates is not None
    told = cost(rates, validated(case.usage))
    assert cost_nanos(rates, case.usage) == told.cost_nanos == nanos, rates
    assert told.unpriced == ()
    assert -(-sum(line.amount_pico for line in told.lines) // 1_000) == nanos
    assert len(told.lines) <= len(case.worked.split(" + "))


def as_genai_prices_says(case: Case) -> Rates | None:
    """The rates without our corrections."""
    seller = bundled_prices().provider_id(case.provider)
    listed = bundled_prices()._listed(seller, case.model, case.context)
    return None if listed is None else listed.prices.at(at_us(case))[0]


@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_case_says_truly_whether_genai_prices_is_corrected(case: Case) -> None:
    rates = as_genai_prices_says(case)
    assert rates is not None
    nanos = int(Decimal(case.usd) * 10**9)
    assert (cost_nanos(rates, case.usage) != nanos) is case.corrected


def test_the_cases_are_many_and_of_many_providers() -> None:
    assert len(CASES) >= 70
    assert len({case.provider for case in CASES}) >= 12
    assert max(Counter(map(name, CASES)).values()) == 1


def test_the_cases_cover_each_way_to_be_priced() -> None:
    counted = Counter(
        unit
        for case in CASES
        for unit, count in (*case.usage._asdict().items(), *case.usage.units)
        if unit != "units" and count
    )
    expected = {
        "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens",
        "input_audio_tokens", "output_audio_tokens", "cache_read_audio_tokens",
        "input_image_tokens", "output_image_tokens", "searches",
    }  # fmt: skip
    assert expected <= counted.keys()
    assert counted.keys() - {*expected, "input_tokens", "output_tokens", "requests"} <= {*UNITS}
    contexts = {pair for case in CASES for pair in case.context}
    assert contexts >= {
        ("processing", "batch"), ("service_tier", "flex"), ("service_tier", "priority"),
        ("service_tier", "fast"), ("speed", "fast"),
    }  # fmt: skip
    assert sum(case.at != NOW for case in CASES) >= 15


def test_every_source_is_named_with_its_page_and_day() -> None:
    for case in CASES:
        title, url, seen, told_by = case.source
        assert title
        assert url.startswith("https://")
        assert re.fullmatch(r"202[56](-[01][0-9](-[0-3][0-9])?)?", seen), case.source
        assert not told_by or re.match(r"https://|[\w.-]+/[\w.-]+(, | \()", told_by), told_by


def test_the_document_lists_every_source() -> None:
    told = (ROOT / "docs/technical/golden-costs.md").read_text()
    for case in CASES:
        assert case.source.url in told, case.source.title
