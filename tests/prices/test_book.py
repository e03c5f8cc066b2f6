"""Price books: own prices first, then the source; instants, spellings and a bounded memory."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.pricing import Rates
from budget.prices import book as book_module
from budget.prices.book import PriceBook, bundled_book
from budget.prices.layers import OwnEntries, OwnEntry
from budget.prices.schedules import DAY_US, Context, Piece, Schedule, Scheduled

HOUR_US = 3_600_000_000
NIGHT, DAY, LATER = Rates(1, 1), Rates(2, 2), Rates(3, 3)


def us(*date: int) -> int:
    """Microseconds of a UTC date, from the epoch."""
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc]


class CountingSource:
    """A source that sells `m` by `maker` from 2026 on, and counts how often it is asked."""

    basis = "test/1/abc"

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str]] = []

    def provider_id(self, provider: str) -> str | None:
        return "maker" if provider in ("maker", "maker-ai") else None

    def models(self) -> Iterator[tuple[str, str]]:
        yield "maker", "m"

    def schedule(self, provider: str | None, model: str, context: Context = ()) -> Schedule | None:
        del context
        self.asked.append((provider, model))
        if model != "m" or provider not in (None, "maker"):
            return None
        return Schedule((Piece(DAY), Piece(LATER, start_us=us(2026, 1, 1))))


@pytest.fixture
def source() -> CountingSource:
    return CountingSource()


def test_the_last_piece_in_force_counts_and_the_interval_says_how_long() -> None:
    schedule = Schedule((Piece(DAY), Piece(LATER, start_us=1_000)))
    assert schedule.at(999) == (DAY, -(2**63), 1_000)
    assert schedule.at(1_000) == (LATER, 1_000, 2**63 - 1)


def test_a_price_that_has_ended_is_that_of_its_own_time_only() -> None:
    schedule = Schedule((Piece(DAY, end_us=1_000), Piece(LATER, start_us=2_000, end_us=3_000)))
    assert schedule.at(999) == (DAY, -(2**63), 1_000)
    assert schedule.at(1_000) == (None, 1_000, 2_000)
    assert schedule.at(2_999) == (LATER, 2_000, 3_000)
    assert schedule.at(3_000) == (None, 3_000, 2**63 - 1)


def test_when_no_piece_is_in_force_the_first_counts() -> None:
    schedule = Schedule((Piece(DAY, start_us=2_000), Piece(LATER, start_us=3_000)))
    assert schedule.at(0) == (DAY, -(2**63), 2_000)


def test_a_daily_price_holds_between_its_times() -> None:
    schedule = Schedule((Piece(NIGHT), Piece(DAY, daily_us=(6 * HOUR_US, 10 * HOUR_US))))
    day = 20_000 * DAY_US
    assert schedule.at(day + 6 * HOUR_US) == (DAY, day + 6 * HOUR_US, day + 10 * HOUR_US)
    assert schedule.at(day + 10 * HOUR_US - 1)[0] == DAY
    night = (NIGHT, day + 10 * HOUR_US, day + 30 * HOUR_US)
    assert schedule.at(day + 10 * HOUR_US) == schedule.at(day + 30 * HOUR_US - 1) == night


def test_a_daily_price_may_go_past_midnight() -> None:
    schedule = Schedule((Piece(DAY), Piece(NIGHT, daily_us=(22 * HOUR_US, 4 * HOUR_US))))
    day = 20_000 * DAY_US
    night = (NIGHT, day + 22 * HOUR_US, day + 28 * HOUR_US)
    assert schedule.at(day + 23 * HOUR_US)[0] == NIGHT
    assert schedule.at(day + 22 * HOUR_US)[:2] == night[:2]
    assert schedule.at(day + 27 * HOUR_US)[0] == NIGHT
    assert schedule.at(day + 28 * HOUR_US)[0] == DAY
    assert schedule.at(day + 22 * HOUR_US - 1)[0] == DAY


def test_a_name_is_looked_up_once_and_each_instant_gets_its_price(source: CountingSource) -> None:
    book = PriceBook(source)
    before, after = us(2025, 12, 31), us(2026, 1, 1)
    for _ in range(3):
        assert book.lookup("maker", "m", before) == DAY
        assert book.lookup("maker", "m", after - 1) == DAY
        assert book.lookup("maker", "m", after) == LATER
        assert book.lookup("maker", "unknown", after) is None
    assert source.asked == [("maker", "m"), ("maker", "unknown")]


def test_an_unknown_model_or_provider_has_no_price_rather_than_none_to_pay(
    source: CountingSource,
) -> None:
    book = PriceBook(source)
    assert book.lookup("maker", "n", 0) is None
    assert book.lookup("stranger", "m", 0) is None
    assert book.lookup(None, "n", 0) is None
    assert book.lookup(None, "", 0) is None
    assert book.lookup("maker", "m" * 257, 0) is None
    assert book.lookup("m" * 257, "m", 0) is None


def test_a_known_provider_before_a_slash_is_taken_at_its_word(source: CountingSource) -> None:
    book = PriceBook(source)
    assert book.lookup(None, "maker/m", 0) == DAY
    assert book.lookup("", "Maker-AI/M", 0) == DAY
    assert book.lookup("maker", "maker/m", 0) == DAY
    assert book.lookup("litellm", "maker/m", 0) == DAY
    assert book.lookup("litellm", "m", 0) == DAY
    assert book.lookup(None, "stranger/m", 0) is None
    assert book.lookup("stranger", "maker/m", 0) is None


def test_own_prices_win_by_provider_and_model_then_by_model_alone(source: CountingSource) -> None:
    theirs, anyones = Rates(7, 7, basis="own"), Rates(8, 8, basis="own")
    book = PriceBook(source, {("maker", "m"): theirs, (None, "m"): anyones})
    assert book.lookup("maker", "m", us(2026, 1, 1)) == theirs._replace(provider="maker", model="m")
    assert book.lookup("stranger", "m", 0) == anyones._replace(model="m")
    assert book.lookup(None, "m", 0) == anyones._replace(model="m")
    # Own prices go by whole names only; a dated id of `m` has the price that the source lists.
    assert book.lookup("maker", "m-2026-01-01", us(2026, 1, 1)) == LATER
    assert source.asked == [("maker", "m-2026-01-01"), ("maker", "m")]


def test_no_other_spelling_escapes_an_own_price(source: CountingSource) -> None:
    own = Rates(7, 7, provider="maker", model="m", basis="own")
    for provider in ("maker", "maker-ai"):
        book = PriceBook(source, {(provider, "m"): own})
        for spelled in [
            ("maker", "m"), ("maker-ai", "m"), ("MAKER", "M"), ("maker", "maker/m"),
            (None, "maker/m"), (None, "maker-ai/m"), ("litellm", "maker/m"), (" maker ", " m "),
        ]:  # fmt: skip
            assert book.lookup(*spelled, 0) == own, spelled
    everyones: dict[tuple[str | None, str], Rates] = {(None, "m"): own}
    anyones = PriceBook(source, everyones)
    assert anyones.lookup(None, "maker/m", 0) == own


def test_a_book_of_own_prices_alone_knows_nothing_else() -> None:
    book = PriceBook(None, {("ollama", "llama3"): Rates(0, 0)})
    free = book.lookup("ollama", "llama3", 0)
    assert free == Rates(0, 0, provider="ollama", model="llama3", basis=book.basis)
    assert book.lookup(None, "ollama/llama3", 0) == free
    assert book.lookup("ollama", "llama4", 0) is None
    assert book.lookup(None, "llama3", 0) is None
    assert PriceBook(None).lookup("openai", "gpt-4o", 0) is None


def test_the_basis_names_the_source_and_the_own_prices(source: CountingSource) -> None:
    own = {("maker", "m"): Rates(7, 7)}
    assert PriceBook(source).basis == "test/1/abc"
    basis = PriceBook(source, own).basis
    before, _, own_basis = basis.partition("+")
    assert before == "test/1/abc"
    assert own_basis == PriceBook(None, own).basis
    assert own_basis.startswith("overrides/")
    assert len(own_basis) == len("overrides/") + 12
    assert PriceBook(source, {("maker", "m"): Rates(7, 8)}).basis != basis
    assert PriceBook(source, {("maker", "n"): Rates(7, 7)}).basis != basis
    rates = PriceBook(source, own).lookup("maker", "m", 0)
    assert rates is not None
    assert rates.basis == own_basis


def test_own_prices_that_are_none_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        PriceBook(None, {("maker", "m"): Rates(1, -1)})
    assert caught.value.field == "overrides.maker/m.output"


def test_a_book_does_not_change_with_the_mapping_it_was_made_from() -> None:
    own: dict[tuple[str | None, str], Rates] = {("maker", "m"): Rates(7, 7)}
    book = PriceBook(None, own)
    own["maker", "m"] = Rates(0, 0)
    rates = book.lookup("maker", "m", 0)
    assert rates is not None
    assert rates.input == 7


def test_made_up_names_neither_grow_the_memory_nor_push_out_names_in_use(
    source: CountingSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_module, "MAX_CACHED_NAMES", 100)
    book = PriceBook(source)
    for number in range(1_000):
        assert book.lookup("maker", f"made-up-{number}", 0) is None
        assert book.lookup("maker", "m", 0) == DAY
        assert len(book._recent) + len(book._older) <= 101
    assert source.asked.count(("maker", "m")) == 1


def test_the_bundled_book_takes_own_prices_too() -> None:
    book = bundled_book({("openai", "gpt-4o"): Rates(1, 2)})
    at = us(2026, 1, 1)
    own, other = book.lookup(None, "openai/gpt-4o", at), book.lookup("openai", "gpt-4o-mini", at)
    assert own is not None
    assert other is not None
    assert (own.input, own.output) == (1, 2)
    assert other.basis == bundled_book().basis
    assert book.basis == f"{other.basis}+{own.basis}"


def test_importing_the_book_leaves_the_price_list_for_later() -> None:
    probe = "import sys, budget.prices.book, budget.prices.bundled, budget.prices.tiers; "
    probe += "sys.exit('genai_prices' in sys.modules or 'pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=60)


def test_a_provider_offers_what_it_has_a_price_for(source: CountingSource) -> None:
    book = PriceBook(source, overrides={("maker", "own"): DAY, ("other", "m"): DAY})
    at_us = us(2026, 3, 1)
    assert book.offers("maker", at_us) == (
        book.lookup("maker", "m", at_us),
        book.lookup("maker", "own", at_us),
    )
    asked = len(source.asked)
    assert book.offers("maker", at_us + 1) == book.offers("maker", at_us)
    assert len(source.asked) == asked  # remembered for the day


class Said(NamedTuple):
    """Own prices of one layer."""

    basis: str
    entries: OwnEntries

    def discounted(self, found: Scheduled, names: tuple[str, ...], context: Context) -> Scheduled:
        del names, context
        return found


def test_of_several_own_prices_the_first_win_while_they_hold() -> None:
    above, below, rest = Rates(1, 1, basis="a"), Rates(2, 2, basis="b"), Rates(3, 3, basis="c")
    named: tuple[str | None, str] = ("openai", "house")
    first = Said("a", {(None, "house"): (OwnEntry((), schedule_for(above), 10, 20),)})
    second = Said("b", {named: (OwnEntry((), schedule_for(below), 15),)})
    third = Said("c", {named: (OwnEntry((), schedule_for(rest)),)})
    book = PriceBook(None, own=[first, second, third])
    assert book.basis == "a+b+c"
    at = {at_us: book.lookup("openai", "house", at_us) for at_us in (9, 10, 19, 20)}
    assert at == {9: rest, 10: above, 19: above, 20: below}
    fresh = {at_us: PriceBook(None, own=[first, second, third]).lookup("openai", "house", at_us)
             for at_us in (9, 10, 19, 20)}  # fmt: skip
    assert fresh == at
    assert PriceBook(None, own=first).lookup("openai", "house", 20) is None


def schedule_for(rates: Rates) -> Schedule:
    return Schedule((Piece(rates),))
