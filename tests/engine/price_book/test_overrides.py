"""Prices that operators set: dated, one after the other, over what every source says."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from budget.domain.errors import Conflict, InvalidInput, KeyReused, NotFound
from budget.domain.windows import to_rfc3339
from budget.engine.books import Books
from budget.engine.budget import Budget
from budget.engine.price_book.settings import PriceSettings
from budget.storage import schema
from tests.engine.opened import DAY, HOUR, Clock, refused, told
from tests.support.priced import Source, nanos, updated

USD = 10**9
GROQ_A: dict[str, Any] = {"provider": "groq", "model": "a", "output": "2", "reason": "contract"}


@pytest.fixture
def books(priced_url: str, clock: Clock, source: Source) -> Iterator[Budget]:
    """Books on each engine whose price book has that source."""
    with source.open(priced_url, clock) as opened:
        updated(opened)
        yield opened


@pytest.fixture
def sqlite_books(light_priced_url: str, clock: Clock, source: Source) -> Iterator[Budget]:
    """Books on SQLite whose price book is the bundled one."""
    with source.open(light_priced_url, clock) as opened:
        yield opened


def test_a_price_that_is_set_holds_from_its_start_and_is_what_a_call_pays(
    books: Budget, clock: Clock
) -> None:
    start = clock.now_us + HOUR
    made = books.set_price(**GROQ_A, input="0.8", starts_at=to_rfc3339(start))
    assert (made.from_us, made.until_us, made.actor) == (start, None, "local")
    before = books.record_usage(provider="groq", model="a", input_tokens=1_000_000)
    clock.move(HOUR)
    after = books.record_usage(provider="groq", model="a", input_tokens=1_000_000)
    late = books.record_usage(
        provider="groq", model="a", input_tokens=1_000_000,
        occurred_at=to_rfc3339(start - 1_000_000),
    )  # fmt: skip
    assert [one.cost_nanos for one in (before, after, late)] == [1 * USD, 800_000_000, 1 * USD]
    assert after.basis == f"override/{made.override_id}"
    view = books.current_price("a", provider="groq")
    assert (view.source, view.status, view.from_us) == ("override", "own", start)
    (change,) = books.price_updates(source="override").items
    # from 1.00 to 0.80 USD: 2,000 basis points less
    assert (change.kind, change.change_bps, change.status) == ("input", -2_000, "applied")
    assert (change.decided_by, change.reason) == ("local", "contract")
    assert told(books, "price_update")[-1]["basis"] == after.basis


def test_a_new_price_ends_the_one_before_and_ends_where_a_later_one_starts(
    books: Budget, clock: Clock
) -> None:
    noon = clock.now_us
    books.set_price(**GROQ_A, input="0.1", starts_at=to_rfc3339(noon + 2 * DAY))
    books.set_price(**GROQ_A, input="0.2")
    clock.move(HOUR)
    books.set_price(**GROQ_A, input="0.3")
    periods = [one for one in books.price_history("groq", "a") if one.kind == "override"]
    assert [(one.from_us, one.until_us, one.rates and one.rates.input) for one in periods] == [
        (noon + 2 * DAY, None, 100_000),
        (noon + HOUR, noon + 2 * DAY, 300_000),
        (noon, noon + HOUR, 200_000),
    ]
    at = [noon - 1, noon, noon + HOUR, noon + 2 * DAY]
    assert [nanos(books, "a", to_rfc3339(us)) for us in at] == [
        1 * USD, 200_000_000, 300_000_000, 100_000_000,
    ]  # fmt: skip


def test_when_it_ends_the_sources_price_holds_again(books: Budget, clock: Clock) -> None:
    end = clock.now_us + HOUR
    made = books.set_price(**GROQ_A, input="0.5", ends_at=to_rfc3339(end))
    assert nanos(books, "a") == 500_000_000
    assert nanos(books, "a", to_rfc3339(end)) == 1 * USD
    clock.move(HOUR // 2)
    ended = books.end_price(made.override_id, reason="the contract was cancelled")
    assert ended.until_us == clock.now_us
    assert nanos(books, "a") == 1 * USD
    with pytest.raises(Conflict, match="ended on"):
        books.end_price(made.override_id, reason="again")


def test_a_price_that_has_ended_keeps_its_end(books: Budget, clock: Clock) -> None:
    start = clock.now_us
    first = books.set_price(**GROQ_A, input="0.5", ends_at=to_rfc3339(start + HOUR))
    clock.move(2 * HOUR)
    books.set_price(**GROQ_A, input="0.4", starts_at=to_rfc3339(start + HOUR))
    assert nanos(books, "a", to_rfc3339(start)) == 500_000_000
    table = schema.price_overrides
    unit = books.books.database.unit()
    for values in ({"until_us": None}, {"until_us": start + 2 * HOUR}, {"rates": "{}"}):
        unit.begin_catalogue()
        with pytest.raises(Exception, match="never"):
            unit.execute(update(table).where(table.c.id == first.override_id).values(**values))
        unit.rollback()
    unit.close()


def test_a_mistake_is_put_right_for_its_own_time_and_for_what_was_booked(
    books: Budget, clock: Clock
) -> None:
    start = clock.now_us
    books.set_price(**{**GROQ_A, "reason": "a typo"}, input="100")
    clock.move(HOUR)
    usage = books.record_usage(provider="groq", model="a", input_tokens=10_000)
    assert usage.cost_nanos == 1 * USD
    clock.move(HOUR)
    books.set_price(**GROQ_A, input="1", starts_at=to_rfc3339(start))
    assert nanos(books, "a") == nanos(books, "a", to_rfc3339(start + HOUR)) == 1 * USD
    told = books.rerate(since=to_rfc3339(start), apply=True, reason="the typo")
    assert (told.changed, told.new_nanos) == (1, 10_000_000)
    mended, typo, listed = books.price_history("groq", "a")
    assert (mended.from_us, mended.until_us, mended.replaced) == (start, None, False)
    # What was wrong is told with its time, though it counts no more.
    assert (typo.from_us, typo.until_us, typo.replaced) == (start, start + 2 * HOUR, True)
    assert typo.reason == "a typo"
    assert (listed.kind, listed.until_us) == ("listed", start)
    # A price for a while leaves the one that goes on, which holds again after it.
    until = clock.now_us + HOUR
    books.set_price(**GROQ_A, input="0.5", ends_at=to_rfc3339(until))
    assert nanos(books, "a") == 500_000_000
    assert nanos(books, "a", to_rfc3339(until)) == 1 * USD


def test_a_planned_price_stays_when_another_is_set(books: Budget, clock: Clock) -> None:
    later = clock.now_us + DAY
    books.set_price(**GROQ_A, input="3", starts_at=to_rfc3339(later))
    clock.move(HOUR)
    made = books.set_price(**GROQ_A, input="2", starts_at=to_rfc3339(clock.now_us - HOUR // 2))
    assert made.until_us == later
    assert nanos(books, "a", to_rfc3339(later)) == 3 * USD


def test_an_end_that_is_asked_for_is_not_cut_where_a_planned_price_starts(
    books: Budget, clock: Clock
) -> None:
    now = clock.now_us
    books.set_price(**GROQ_A, input="3", starts_at=to_rfc3339(now + DAY))
    made = books.set_price(**GROQ_A, input="2", ends_at=to_rfc3339(now + 2 * DAY))
    assert made.until_us == now + 2 * DAY
    at = [now, now + DAY, now + 2 * DAY]
    assert [nanos(books, "a", to_rfc3339(us)) for us in at] == [2 * USD, 2 * USD, 3 * USD]
    told = [one for one in books.price_history("groq", "a") if one.kind == "override"]
    assert [(one.from_us, one.until_us) for one in told] == [
        (now + 2 * DAY, None), (now, now + 2 * DAY),
    ]  # fmt: skip


def test_a_price_for_a_while_parts_what_holds_before_and_after_it(
    books: Budget, clock: Clock
) -> None:
    now = clock.now_us
    books.set_price(**GROQ_A, input="3")
    books.set_price(
        **GROQ_A, input="2", starts_at=to_rfc3339(now + HOUR), ends_at=to_rfc3339(now + DAY)
    )
    told = [one for one in books.price_history("groq", "a") if one.kind == "override"]
    assert [(one.from_us, one.until_us, one.rates and one.rates.input) for one in told] == [
        (now + DAY, None, 3_000_000), (now + HOUR, now + DAY, 2_000_000),
        (now, now + HOUR, 3_000_000),
    ]  # fmt: skip


def test_where_a_price_that_is_set_holds_in_contexts_theirs_end(
    sqlite_books: Budget, clock: Clock
) -> None:
    made = sqlite_books.set_price(
        provider="openai", model="gpt-4o", input="2", output="8", reason="contract"
    )
    batch = [
        one for one in sqlite_books.price_history("openai", "gpt-4o")
        if one.context == "processing=batch"
    ]  # fmt: skip
    assert batch
    assert all((one.until_us or 0) <= (made.from_us or 0) or one.replaced for one in batch)


@pytest.mark.parametrize("price", [".00", ".5", " .5"])
def test_a_price_begins_with_a_digit(books: Budget, price: str) -> None:
    with pytest.raises(InvalidInput, match="must begin with a digit"):
        books.set_price(**GROQ_A, input=price)


def test_a_key_makes_it_once(books: Budget) -> None:
    ask = {**GROQ_A, "input": "0.5", "idempotency_key": "k1"}
    first = books.set_price(**ask)
    again = books.set_price(**ask)
    assert (again.override_id, again.replayed, first.replayed) == (first.override_id, True, False)
    with pytest.raises(KeyReused):
        books.set_price(**{**ask, "input": "0.6"})
    assert len(books.price_updates(source="override").items) == 1


def test_a_price_may_have_a_context_and_tiers_and_hold_for_any_provider(
    sqlite_books: Budget,
) -> None:
    books = sqlite_books
    books.set_price(
        model="House-1", input=[[0, "1"], [200001, Decimal("2.5")]], output=3, request="0.001",
        units={"searches": "0.01"}, reason="self-hosted",
    )  # fmt: skip
    books.set_price(
        model="house-1", input="0.5", output="1.5", price_context={"processing": "batch"},
        reason="nights",
    )  # fmt: skip

    def cost(tokens: int, **more: Any) -> int:
        return books.calculate(model="house-1", input_tokens=tokens, **more).cost.cost_nanos

    # 200,000 at 1 USD a million and 0.001 USD for the request; above that all at 2.50
    assert cost(200_000) == 201_000_000
    assert cost(400_000) == 1_001_000_000
    assert cost(400_000, price_context={"processing": "batch"}) == 200_000_000
    assert cost(0, units={"searches": 2}) == 21_000_000
    listed = books.prices(search="house", status="own").items
    assert [one.model for one in listed] == ["house-1"]


def test_who_names_no_provider_pays_what_was_set_for_the_models_own(sqlite_books: Budget) -> None:
    sqlite_books.set_price(provider="openai", model="gpt-4o", input="1", output="2", reason="r")
    assert sqlite_books.current_price("gpt-4o").source == "override"
    asked = sqlite_books.calculate(model="gpt-4o", input_tokens=1_000_000)
    assert asked.cost.cost_nanos == 1 * USD
    spent = sqlite_books.record_usage(model="gpt-4o", input_tokens=1_000_000)
    assert spent.cost_nanos == 1 * USD


def test_a_provider_before_the_name_is_the_provider(sqlite_books: Budget) -> None:
    ask: dict[str, Any] = {"input": "1", "output": "2", "reason": "r"}
    made = sqlite_books.set_price(model="OpenAI/gpt-4o", **ask)
    assert (made.provider, made.model) == ("openai", "gpt-4o")
    assert sqlite_books.calculate(model="gpt-4o", input_tokens=10**6).basis == made.rates.basis
    ours = sqlite_books.set_price(model="our-lab/house", **ask)
    assert (ours.provider, ours.model) == (None, "our-lab/house")


def test_what_others_say_of_it_stands_beside_it(sqlite_books: Budget) -> None:
    books = sqlite_books
    books.set_price(provider="openai", model="gpt-4o", input="1.25", output="10", reason="r")
    compared = books.compare_prices("gpt-4o")
    # 2.50 USD is twice 1.25
    assert [(one.source, one.agrees, one.input_bps) for one in compared.figures] == [
        ("genai-prices", False, 10_000)
    ]
    assert compared.in_force is not None
    assert compared.in_force.status == "own"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": "x" * 257}, "model"),
    ({"input": None}, "input"),
    ({"output": None}, "output"),
    ({"input": "-1"}, "input"),
    ({"input": "NaN"}, "input"),
    ({"input": "Infinity"}, "input"),
    ({"input": "1e999999"}, "input"),
    ({"input": "1e-999999"}, "input"),
    ({"input": "0.0000001"}, "input"),
    ({"input": "1.0000000000000000000000000000001"}, "input"),
    ({"input": "free"}, "input"),
    ({"input": True}, "input"),
    ({"input": 0.1}, "input"),
    ({"input": "1000000001"}, "input"),
    ({"input": []}, "input"),
    ({"input": [["0", "1"]]}, "input"),
    ({"input": [[5, "1"]]}, "input"),
    ({"input": [[0, "1"], [0, "2"]]}, "input"),
    ({"units": {"moons": "1"}}, "units.moons"),
    ({"units": ["searches"]}, "units"),
    ({"price_context": {"weather": "rain"}}, "price_context.weather"),
    ({"price_context": {"region": "a,b"}}, "price_context.region"),
    ({"price_context": 5}, "price_context"),
    ({"starts_at": "soon"}, "starts_at"),
    ({"ends_at": "2026-05-15T11:00:00Z"}, "ends_at"),
    ({"reason": None}, "reason"),
    ({"color": "red"}, "color"),
    ({"idempotency_key": "\n"}, "idempotency_key"),
]


def test_bad_input_names_its_field_and_sets_nothing(sqlite_books: Budget) -> None:
    good = {"provider": "groq", "model": "z", "input": "1", "output": "1", "reason": "r"}
    for change, field in BAD:
        assert refused(sqlite_books.set_price, **{**good, **change}).field == field, change
    with pytest.raises(NotFound):
        nanos(sqlite_books, "z")
    assert sqlite_books.price_updates().items == []


def test_ending_takes_an_instant_to_come_and_a_price_that_there_is(
    sqlite_books: Budget, clock: Clock
) -> None:
    made = sqlite_books.set_price(**{**GROQ_A, "input": "1"})
    past, later = to_rfc3339(clock.now_us - 1_000_000), to_rfc3339(clock.now_us + HOUR)
    assert refused(
        sqlite_books.end_price, made.override_id, reason="r", ends_at=past
    ).field == "ends_at"  # fmt: skip
    sqlite_books.end_price(made.override_id, reason="r", ends_at=later)
    assert refused(
        sqlite_books.end_price, made.override_id, reason="r",
        ends_at=to_rfc3339(clock.now_us + 2 * HOUR),
    ).field == "ends_at"  # fmt: skip
    for unknown in ("price_0", "\x00"):
        with pytest.raises(NotFound):
            sqlite_books.end_price(unknown, reason="r")


# --- Beside the operator's file ------------------------------------------------------------------


def own_file(path: Path, text: str) -> PriceSettings:
    """Settings with a price file of these lines."""
    path.write_text(text)
    return PriceSettings(own=path)


def test_what_is_set_wins_over_the_file_which_wins_over_the_source(
    sqlite_url: str, clock: Clock, tmp_path: Path
) -> None:
    settings = own_file(
        tmp_path / "own.yaml",
        "prices:\n- {provider: openai, model: gpt-4o, input: '2', output: '8'}\n"
        "discounts:\n- {provider: openai, percent: '10%'}\n",
    )
    opened = Books.open(sqlite_url, clock=clock, price_settings=settings, sweep=False)
    with Budget(opened) as books:

        def cost(model: str) -> int:
            return books.calculate(
                provider="openai", model=model, input_tokens=10**6
            ).cost.cost_nanos

        assert cost("gpt-4o") == 2 * USD
        assert books.current_price("gpt-4o", provider="openai").source == "own"
        assert cost("gpt-4o-mini") == 135_000_000  # 0.15 USD less a tenth
        made = books.set_price(
            provider="OpenAI", model="gpt-4o", input="1", output="1", reason="a trial"
        )
        assert made.provider == "openai"
        assert cost("gpt-4o") == 1 * USD  # no discount on what was set
        kinds = [one.kind for one in books.price_history("openai", "gpt-4o") if not one.context]
        assert kinds == ["override", "own", "listed"]
        books.end_price(made.override_id, reason="over")
        assert cost("gpt-4o") == 2 * USD


def test_a_mistake_in_the_file_is_told_and_nothing_stays_open(
    sqlite_url: str, clock: Clock, tmp_path: Path
) -> None:
    settings = own_file(tmp_path / "own.yaml", "prices:\n- {model: m, input: free, output: '1'}\n")
    error = refused(Books.open, sqlite_url, clock=clock, price_settings=settings)
    assert "input" in error.field
