"""Corrections of the bundled prices: they hold at their time, by the names and contexts they say,
and only while genai-prices says what they correct."""

import re
from datetime import UTC, datetime

import pytest

from budget.domain.pricing import Rates, validated_rates
from budget.prices.book import PriceBook, bundled_book
from budget.prices.bundled import bundled_prices
from budget.prices.corrections import CORRECTIONS, LEFT_OUT, Correction, corrected
from budget.prices.schedules import DAY_US, Piece, Schedule, Scheduled


def us(*when: int) -> int:
    """Microseconds of a UTC date and time, from the epoch."""
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc]


NOW = us(2026, 11, 25, 12)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return bundled_book()


def rates_of(book: PriceBook, provider: str, model: str, at_us: int) -> Rates:
    rates = book.lookup(provider, model, at_us)
    assert rates is not None, (provider, model)
    return rates


def test_a_correction_holds_from_its_start_to_its_end(book: PriceBook) -> None:
    change = us(2025, 6, 10)
    assert rates_of(book, "openai", "o3", change - 1).cache_read == 2_500_000
    assert rates_of(book, "openai", "o3", change).cache_read == 500_000
    start, end = us(2025, 9, 29), us(2026, 4, 26)
    stated = [
        rates_of(book, "deepseek", "deepseek-chat", at_us)[:3]
        for at_us in (start - 1, start, end - 1, end)
    ]
    # The evening before 29 September 2025 is within the old night price of half.
    assert stated == [
        (135_000, 550_000, 35_000), (280_000, 420_000, 28_000), (280_000, 420_000, 28_000),
        (140_000, 280_000, 2_800),
    ]  # fmt: skip


def test_a_name_that_means_another_model_has_its_prices_in_every_context(book: PriceBook) -> None:
    rates = rates_of(book, "mistral", "magistral-small-latest", NOW)
    assert (rates.model, rates.input, rates.output) == ("mistral-small-2603", 150_000, 600_000)
    batch = book.lookup("mistral", "magistral-small-latest", NOW, (("processing", "batch"),))
    assert batch is not None
    assert (batch.input, batch.output, batch.context) == (75_000, 300_000, "processing=batch")
    before = rates_of(book, "mistral", "magistral-small-latest", us(2026, 6, 30))
    assert (before.input, before.output) == (500_000, 1_500_000)


def test_a_correction_of_a_context_leaves_the_others(book: PriceBook) -> None:
    flat = book.lookup("openai", "gpt-5.5-pro", NOW, (("service_tier", "flex"),))
    assert flat is not None
    assert flat.input == ((0, 15_000_000), (272_001, 30_000_000))
    assert flat.context == "service_tier=flex"
    usual = rates_of(book, "openai", "gpt-5.5-pro", NOW)
    assert usual.input == ((0, 30_000_000), (272_001, 60_000_000))


def test_corrected_rates_say_so_in_their_basis(book: PriceBook) -> None:
    rates = rates_of(book, "deepseek", "deepseek-reasoner", NOW)
    assert rates.basis == f"{bundled_prices().basis}+corrections"
    assert rates_of(book, "mistral", "mistral-medium", NOW).basis == bundled_prices().basis


def other(name: str) -> Scheduled | None:
    """No other model is asked for."""
    raise AssertionError(name)


def test_where_the_source_says_something_else_its_word_counts() -> None:
    found = Schedule((Piece(Rates(1, 2, provider="deepseek", model="deepseek-chat", basis="b")),))

    put_right = corrected(found, "deepseek", "deepseek-chat", (), other)
    assert put_right.at(NOW)[0] == Rates(
        1, 2, provider="deepseek", model="deepseek-chat", basis="b"
    )
    assert corrected(found, "deepseek", "another", (), other) is found


def test_the_interval_of_corrected_rates_ends_where_they_change() -> None:
    stated = Rates(270_000, 1_100_000, 70_000, provider="deepseek", model="deepseek-chat")
    found = Schedule((Piece(stated),))
    put_right = corrected(found, "deepseek", "deepseek-chat", (), other)
    start, end = us(2025, 9, 29), us(2026, 4, 26)
    assert put_right.at(start - 1)[1:] == (-(2**63), start)
    assert put_right.at(start)[1:] == (start, end)
    assert put_right.at(end)[1:] == (end, 2**63 - 1)


def test_names_that_genai_prices_does_not_know_are_priced(book: PriceBook) -> None:
    assert rates_of(book, "x-ai", "grok-build-latest", NOW).model == "grok-4.5"
    before = rates_of(book, "mistral", "ministral-3b-latest", us(2025, 12, 1))
    assert (before.model, before.input) == ("ministral-3b", 40_000)
    after = rates_of(book, "mistral", "ministral-3b-latest", us(2025, 12, 2))
    assert (after.model, after.input) == ("ministral-3b-2512", 100_000)
    for provider, name in LEFT_OUT:
        assert bundled_prices()._listed(provider, name, ()) is None


NAMED = [(step, name) for step in CORRECTIONS for name in step.names]


@pytest.mark.parametrize(("step", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_correction_is_sound_and_still_needed(step: Correction, name: str) -> None:
    assert re.match(r"https://|[\w.-]+/[\w.-]+, ", step.source)
    meant = LEFT_OUT.get((step.provider, name), name)
    listed = bundled_prices()._listed(step.provider, meant, step.context)
    assert listed is not None
    day_us = step.start_us or (NOW if step.end_us is None else step.end_us - 7 * DAY_US)
    moments = [day_us + hour * DAY_US // 24 for hour in range(7 * 24)]
    put_right = bundled_prices().schedule(step.provider, name, step.context)
    assert put_right is not None
    wrong = 0
    for moment in moments:
        stated, right = listed.prices.at(moment)[0], put_right.at(moment)[0]
        assert stated is not None
        assert right is not None
        if (stated.input, stated.output, stated.cache_read) in step.stated:
            wrong += validated_rates(right) != stated
    assert wrong > 0, "no longer stated"


def test_peak_hours_of_deepseek_are_on_weekdays_since_august_2026(book: PriceBook) -> None:
    def flash(*when: int) -> tuple[object, ...]:
        return rates_of(book, "deepseek", "deepseek-v4-flash", us(*when))[:3]

    assert flash(2026, 5, 6, 2) == (140_000, 280_000, 2_800)
    assert flash(2026, 8, 19, 2) == (440_000, 1_320_000, 14_000)  # a Wednesday
    assert flash(2026, 8, 22, 2) == (220_000, 660_000, 7_000)  # a Saturday
    assert flash(2026, 11, 20, 9, 59) == (300_000, 1_200_000, 6_000)  # a Friday
    assert flash(2026, 11, 20, 10) == (150_000, 600_000, 3_000)
    assert flash(2026, 11, 21, 9, 59) == (150_000, 600_000, 3_000)  # a Saturday
    assert flash(2026, 11, 22, 1) == (150_000, 600_000, 3_000)  # a Sunday
    assert flash(2026, 11, 23, 1) == (300_000, 1_200_000, 6_000)  # a Monday
    pro = [
        rates_of(book, "deepseek", "deepseek-v4-pro", us(2026, 11, day, 7)).input
        for day in (20, 21, 22, 23)
    ]
    assert pro == [1_320_000, 660_000, 660_000, 1_320_000]
