"""Several sources as one: whose price holds, what was kept, and how far they agree."""

from collections.abc import Mapping, Sequence

import pytest

from budget.domain.pricing import Rates
from budget.prices.book import PriceBook
from budget.prices.combined import Closed, Combined, Key, Trusted, context_of, context_text
from budget.prices.listings import Feed, Listed
from budget.prices.schedules import Context, Piece, Schedule
from budget.prices.sources.listed_source import ListedPrices
from budget.prices.verification import agree, change_bps, figures_of, status_of

BATCH: Context = (("processing", "batch"),)


def rates(source: str, input: int, output: int = 2_000_000) -> Rates:
    return Rates(input, output, provider="openai", model="m", basis=f"{source}/1/abc")


def source(
    name: str, trust: int, usd: int | None, closed: Mapping[Key, Sequence[Closed]] | None = None
) -> Trusted:
    """A source that sells `m` at so many pico-USD, or does not know it; and `of-<name>` always."""
    listed = [Listed("openai", f"of-{name}", (Piece(rates(name, 1)._replace(model=f"of-{name}")),))]
    if usd is not None:
        listed.append(Listed("openai", "m", (Piece(rates(name, usd)),)))
    feed = Feed(name, "1", "abc" * 20, tuple(listed), {})
    return Trusted(name, trust, ListedPrices(feed), closed or {})


def verified(*sources: Trusted) -> tuple[str, list[bool | None]]:
    """The status of `m`, and who agrees."""
    combined = Combined(sources)
    found = PriceBook(combined).lookup("openai", "m", 0)
    assert found is not None
    figures = figures_of(combined, found, [("openai", "m")], 0)
    return status_of(figures), [figure.agrees for figure in figures]


def test_the_most_trusted_source_that_knows_a_model_prices_it() -> None:
    combined = Combined([source("b", 2, 500), source("a", 5, None), source("c", 4, 700)])
    book = PriceBook(combined)
    found = book.lookup("openai", "m", 0)
    assert found is not None
    assert (found.input, found.basis) == (700, "c/1/abc")
    assert book.lookup("openai", "of-b", 0) is not None
    assert sorted(model for _, model in combined.models()) == ["m", "of-a", "of-b", "of-c"]
    assert book.basis.startswith("a/1/")


def test_one_source_alone_verifies_nothing() -> None:
    assert verified(source("a", 5, 100)) == ("unverified", [None])
    assert verified(source("a", 5, 100), source("b", 2, None)) == ("unverified", [None])


@pytest.mark.parametrize(("usd", "status"), [(110, "verified"), (111, "conflict"), (90, "verified"),
                                             (89, "conflict"), (0, "conflict")])  # fmt: skip
def test_two_sources_agree_within_ten_percent(usd: int, status: str) -> None:
    assert verified(source("a", 5, 100), source("b", 2, usd))[0] == status


def test_one_that_disagrees_makes_a_conflict_whoever_agrees() -> None:
    told = verified(source("a", 5, 100), source("b", 2, 100), source("c", 1, 200))
    assert told == ("conflict", [None, True, False])


def test_output_that_one_does_not_price_is_no_disagreement() -> None:
    assert agree(rates("a", 100, 0), rates("b", 100, 500))
    assert not agree(rates("a", 100, 400), rates("b", 100, 500))
    assert not agree(rates("a", 0, 0), rates("b", 100, 0))


def test_figures_tell_how_far_they_are_apart() -> None:
    combined = Combined([source("a", 5, 200), source("b", 2, 100)])
    figures = figures_of(combined, rates("a", 200), [("openai", "m")], 0)
    assert [(one.source, one.input_bps, one.output_bps) for one in figures] == [
        ("a", 0, 0), ("b", -5_000, 0),
    ]  # fmt: skip


def test_changes_in_basis_points_are_bounded_and_none_from_nothing() -> None:
    assert change_bps(3, 4) == 3_333
    assert change_bps(3, 2) == -3_333
    assert change_bps(0, 5) is change_bps(None, 5) is change_bps(5, None) is None
    assert change_bps(1, 10**15) == 10**15


# --- What was kept -------------------------------------------------------------------------------


def closed(usd: int, from_us: int | None, until_us: int | None, reason: str = "changed") -> Closed:
    return Closed(Schedule((Piece(rates("old", usd)),)), from_us, until_us, reason)


def at(trusted: Trusted, at_us: int, context: Context = ()) -> tuple[int | None, int, int]:
    found = trusted.schedule("openai", "m", context)
    assert found is not None
    told, from_us, until_us = found.at(at_us)
    return told and told.input, from_us, until_us  # type: ignore[return-value]


def test_closed_prices_hold_at_their_time_and_say_how_long() -> None:
    rows = [closed(20, 100, 200), closed(10, None, 100)]
    trusted = source("a", 5, 30, {("openai", "m", ""): rows})
    assert at(trusted, 99)[::2] == (10, 100)
    assert at(trusted, 100) == (20, 100, 200)
    assert at(trusted, 199) == (20, 100, 200)
    assert at(trusted, 200)[:2] == (30, 200)


def test_a_price_that_is_kept_holds_on() -> None:
    rows = [closed(10, None, 100), closed(20, 100, None, "quarantined")]
    trusted = source("a", 5, 900, {("openai", "m", ""): rows})
    assert at(trusted, 10**15)[0] == 20
    assert trusted.kept(rates("a", 20)) == "quarantined"


def test_a_model_that_is_listed_no_more_is_found_by_its_name() -> None:
    rows = {
        ("openai", "m", ""): [closed(20, None, None, "dropped")],
        ("openai", "m", "processing=batch"): [closed(10, None, None, "dropped")],
    }
    trusted = source("a", 5, None, rows)
    assert at(trusted, 5)[0] == 20
    assert at(trusted, 5, BATCH)[0] == 10
    assert trusted.schedule(None, "M") is not None
    assert trusted.schedule("groq", "m") is None
    assert ("openai", "m") in set(trusted.models())


def test_a_context_as_text_and_back() -> None:
    both = (("processing", "batch"), ("region", "eu"))
    assert context_text(both) == "processing=batch,region=eu"
    assert context_of(context_text(both)) == both
    assert context_of("") == ()
