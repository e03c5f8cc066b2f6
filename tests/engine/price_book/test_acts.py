"""The price book of a database: snapshots, changes, what is held, and calls at their own time."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from budget.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from budget.engine.budget import Budget
from budget.engine.callers import Caller
from budget.engine.price_book import acts as price_acts
from budget.engine.price_book import reports as price_reports
from budget.engine.price_book import rows as price_rows
from budget.prices.book import PriceBook
from budget.prices.bundled import bundled_prices
from budget.storage import schema
from tests.engine.opened import HOUR, Clock, told
from tests.support.priced import FOUR, Source, nanos, updated

USD = 10**9


@pytest.fixture
def books(light_priced_url: str, clock: Clock, source: Source) -> Iterator[Budget]:
    """Books on SQLite whose price book has that source."""
    with source.open(light_priced_url, clock) as opened:
        yield opened


@pytest.fixture
def any_books(priced_url: str, clock: Clock, source: Source) -> Iterator[Budget]:
    """The same on each engine."""
    with source.open(priced_url, clock) as opened:
        yield opened


def rows(budget: Budget, table: str) -> list[tuple[object, ...]]:
    """All rows of a table but those of the bundled prices, in the order of its key."""
    found = schema.metadata.tables[table]
    wanted = select(found).order_by(*found.primary_key)
    if "source" in found.c:
        wanted = wanted.where(found.c.source != "genai-prices")
    with budget.books.database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(wanted)]


def alerts(budget: Budget, kind: str) -> list[str]:
    """The subjects of the alerts of a kind."""
    table = schema.alerts.c
    with budget.books.database.engine.connect() as connection:
        wanted = select(table.partition).where(table.kind == kind).order_by(table.partition)
        return list(connection.execute(wanted).scalars())


# --- Snapshots -----------------------------------------------------------------------------------


def test_the_bundled_prices_are_stored_once_and_price_the_first_call(
    books_url: str, clock: Clock, source: Source
) -> None:
    basis = bundled_prices().basis
    for _ in range(2):
        with source.open(books_url, clock) as budget:
            # gpt-4o: 2.50 USD for a million tokens of input
            spent = budget.calculate(model="gpt-4o", input_tokens=10**6)
            assert (spent.cost.cost_nanos, spent.basis) == (2_500_000_000, basis)
            at = budget.books
            price_acts.keep_bundled(at.database, at.ledger, at.shelf)  # as its thread does
    with source.open(books_url, clock) as budget:
        with budget.books.database.engine.connect() as connection:
            table = schema.price_snapshots.c
            stored = connection.execute(select(table.basis, table.origin, table.status)).all()
        assert [tuple(row) for row in stored] == [(basis, "bundled", "applied")]
        told_of = {one.source: one.basis for one in budget.price_sources()}
        assert told_of["genai-prices"] == basis
        assert told(budget, "price_update") == []  # it changed nothing


def test_a_source_that_is_read_prices_models_that_nobody_else_knows(books: Budget) -> None:
    with pytest.raises(NotFound):
        nanos(books, "a")
    report = updated(books)
    assert (report.status, report.models, report.added) == ("applied", 4, 4)
    assert nanos(books, "a") == 1 * USD
    assert nanos(books, "d") == 7 * USD
    view = books.current_price("a", provider="groq")
    assert (view.source, view.status, view.flags) == ("litellm", "unverified", ())
    assert books.price_updates().items == []  # the first of a source changes no price
    assert [entry["models"] for entry in told(books, "price_update")] == [4]


def test_a_source_that_says_the_same_changes_nothing(books: Budget) -> None:
    updated(books)
    before = rows(books, "price_state")
    assert updated(books).status == "unchanged"
    assert rows(books, "price_state") == before


def test_a_snapshot_is_not_edited_but_for_its_status(any_books: Budget) -> None:
    books = any_books
    updated(books)
    table = schema.price_snapshots
    unit = books.books.database.unit()
    for statement in (update(table).values(version="9"), table.delete()):
        unit.begin_catalogue()
        with pytest.raises(Exception, match="never"):
            unit.execute(statement)
        unit.rollback()
    unit.close()


# --- Changes -------------------------------------------------------------------------------------


def test_a_call_is_priced_at_its_own_time_before_and_after_a_change(
    any_books: Budget, clock: Clock, source: Source
) -> None:
    books = any_books
    updated(books)
    first = books.record_usage(provider="groq", model="a", input_tokens=1_000_000)
    clock.move(HOUR)  # 13:00
    source.says({**FOUR, "a": ("1.5", "2")})
    report = updated(books)
    assert (report.status, report.changed, report.quarantined) == ("applied", 1, 0)
    late = books.record_usage(
        provider="groq", model="a", input_tokens=1_000_000, occurred_at="2026-05-15T12:59:59Z"
    )
    after = books.record_usage(provider="groq", model="a", input_tokens=1_000_000)
    assert [one.cost_nanos for one in (first, late, after)] == [1 * USD, 1 * USD, 1.5 * USD]
    assert first.basis == late.basis != after.basis
    (change,) = books.price_updates().items
    assert (change.model, change.kind, change.status) == ("a", "input", "applied")
    # 1 USD for a million tokens is 10**6 pico-USD for one; half as much again
    assert (change.old_pico, change.new_pico, change.change_bps) == (10**6, 1_500_000, 5_000)
    (_, entry) = told(books, "price_update")
    assert (entry["changed"], entry["updates"][0]["model"]) == (1, "a")


def test_a_price_that_changes_again_keeps_each_former_time(
    books: Budget, clock: Clock, source: Source
) -> None:
    for usd in ("1", "2", "4"):
        source.says({**FOUR, "a": (usd, "2")})
        updated(books)
        clock.move(HOUR)
    at = "2026-05-15T{}:30:00Z".format
    assert [nanos(books, "a", at(hour)) for hour in (11, 12, 13, 14)] == [
        1 * USD, 1 * USD, 2 * USD, 4 * USD,
    ]  # fmt: skip
    usual = [one for one in books.price_history("groq", "a") if not one.context]
    assert [(one.kind, one.rates.input) for one in usual if one.rates] == [
        ("listed", 4_000_000), ("closed", 2_000_000), ("closed", 1_000_000),
    ]  # fmt: skip
    assert usual[0].until_us is None
    assert usual[0].from_us == usual[1].until_us
    assert usual[1].from_us == usual[2].until_us
    assert usual[2].from_us is None


def test_a_model_that_is_new_is_an_addition(books: Budget, source: Source) -> None:
    updated(books)
    source.says({**FOUR, "e": ("9", "9")})
    assert updated(books).added == 1
    added = books.price_updates(model="e").items
    assert {(one.kind, one.old_pico, one.new_pico) for one in added} == {
        ("input", None, 9_000_000), ("output", None, 9_000_000),
    }  # fmt: skip
    assert nanos(books, "e") == 9 * USD


def test_a_model_that_vanishes_keeps_its_last_price_and_is_flagged(
    any_books: Budget, clock: Clock, source: Source
) -> None:
    books = any_books
    updated(books)
    source.says({name: FOUR[name] for name in "abc"})
    assert updated(books).dropped == 1
    clock.move(HOUR)
    assert nanos(books, "d") == 7 * USD
    assert books.current_price("d", provider="groq").flags == ("dropped",)
    (listed,) = books.prices(model="d", provider="groq").items
    assert listed.flags == ("dropped",)
    source.says({**FOUR, "d": ("8", "14")})  # it returns, a little dearer
    assert updated(books).changed == 1
    assert nanos(books, "d") == 8 * USD
    assert nanos(books, "d", "2026-05-15T12:30:00Z") == 7 * USD
    assert books.current_price("d", provider="groq").flags == ()


# --- Quarantine ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usd", "held"),
    [("10", False), ("10.01", True), ("0.1", False), ("0.09", True), ("0", True)],
    ids=["ten times", "more", "a tenth", "less", "nothing"],
)
def test_a_change_of_more_than_ten_times_or_to_zero_is_held(
    books: Budget, source: Source, usd: str, held: bool
) -> None:
    updated(books)
    source.says({**FOUR, "a": (usd, "2")})
    report = updated(books)
    assert (report.quarantined, report.changed) == ((1, 0) if held else (0, 1))
    assert (nanos(books, "a") == 1 * USD) is held
    assert alerts(books, "price_quarantined") == (["groq/a"] if held else [])


def test_the_other_models_of_the_feed_are_applied(books: Budget, source: Source) -> None:
    updated(books)
    source.says({**FOUR, "a": ("100", "2"), "b": ("4", "6")})
    report = updated(books)
    assert (report.changed, report.quarantined) == (1, 1)
    assert (nanos(books, "a"), nanos(books, "b")) == (1 * USD, 4 * USD)


def test_what_is_held_comes_into_force_when_it_is_accepted(
    any_books: Budget, clock: Clock, source: Source
) -> None:
    books = any_books
    updated(books)
    source.says({**FOUR, "a": ("100", "2")})
    updated(books)
    clock.move(HOUR)
    (waiting,) = books.price_updates(status="quarantined").items
    assert books.current_price("a", provider="groq").flags == ("quarantined",)
    decision = books.accept_price(waiting.update_id, reason="the page says so")
    assert [(one.status, one.decided_by) for one in decision.updates] == [("accepted", "local")]
    assert nanos(books, "a") == 100 * USD
    assert nanos(books, "a", "2026-05-15T12:59:59Z") == 1 * USD
    assert books.current_price("a", provider="groq").flags == ()
    with pytest.raises(Conflict, match="accepted already"):
        books.accept_price(waiting.update_id, reason="again")
    assert updated(books).status == "unchanged"


def test_all_that_a_snapshot_holds_may_be_accepted_at_once(books: Budget, source: Source) -> None:
    updated(books)
    source.says({**FOUR, "a": ("100", "200"), "b": ("300", "6")})
    basis = updated(books).basis
    assert basis is not None
    waiting = [(one.model, one.kind) for one in books.price_updates(status="quarantined").items]
    # Of one moment, and so by name; their ids alone would put them in any order.
    assert waiting == [("a", "input"), ("a", "output"), ("b", "input")]
    decision = books.accept_price(basis, reason="a new price list")
    assert len(decision.updates) == 3
    assert (nanos(books, "a"), nanos(books, "b")) == (100 * USD, 300 * USD)


def test_what_is_rejected_stays_away_until_the_source_says_something_else(
    books: Budget, source: Source
) -> None:
    updated(books)
    source.says({**FOUR, "a": ("100", "2")})
    updated(books)
    (waiting,) = books.price_updates(status="quarantined").items
    assert books.reject_price(waiting.update_id, reason="a typing error").status == "rejected"
    source.says({**FOUR, "a": ("100", "2"), "b": ("3.3", "6")})
    report = updated(books)
    assert (report.changed, report.quarantined) == (1, 0)
    assert nanos(books, "a") == 1 * USD
    source.says({**FOUR, "a": ("1.1", "2"), "b": ("3.3", "6")})
    assert updated(books).changed == 1
    assert nanos(books, "a") == 1.1 * USD


def test_a_mistake_that_the_source_mends_by_itself_is_withdrawn(
    books: Budget, source: Source
) -> None:
    updated(books)
    source.says({**FOUR, "a": ("100", "2")})
    updated(books)
    source.says({**FOUR, "b": ("3.1", "6")})
    updated(books)
    assert nanos(books, "a") == 1 * USD
    assert books.current_price("a", provider="groq").flags == ()
    assert [one.status for one in books.price_updates(model="a").items] == ["withdrawn"]


def test_a_second_mistake_takes_the_place_of_the_first(any_books: Budget, source: Source) -> None:
    books = any_books
    updated(books)
    for usd in ("100", "200"):
        source.says({**FOUR, "a": (usd, "2")})
        assert updated(books).quarantined == 1
    told_now = books.price_updates(model="a").items
    assert [(one.status, one.new_pico) for one in told_now] == [
        ("quarantined", 200_000_000), ("withdrawn", 100_000_000),
    ]  # fmt: skip
    assert told_now[0].old_pico == 1_000_000  # against what is in force
    books.accept_price(told_now[0].update_id, reason="so be it")
    assert nanos(books, "a") == 200 * USD


def test_a_feed_that_lost_half_its_models_is_held_as_a_whole(
    any_books: Budget, clock: Clock, source: Source
) -> None:
    books = any_books
    updated(books)
    source.says({"a": ("1.2", "2"), "b": FOUR["b"]})
    report = updated(books)
    assert report.status == "quarantined"
    assert alerts(books, "price_quarantined") == ["litellm"]
    assert [nanos(books, name) for name in "abcd"] == [1 * USD, 3 * USD, 5 * USD, 7 * USD]
    held = {one.source: one.held for one in books.price_sources()}
    assert held["litellm"] == report.basis
    assert updated(books).status == "unchanged"
    assert report.basis is not None
    clock.move(HOUR)
    books.accept_price(report.basis, reason="they have really gone")
    assert [nanos(books, name) for name in "abcd"] == [1.2 * USD, 3 * USD, 5 * USD, 7 * USD]
    assert books.current_price("c", provider="groq").flags == ("dropped",)
    with pytest.raises(Conflict, match="nothing waits"):
        books.accept_price(report.basis, reason="again")


def test_of_several_feeds_held_as_a_whole_the_newest_is_named(
    books: Budget, clock: Clock, source: Source
) -> None:
    updated(books)
    for price in ("1.1", "1.2", "1.3", "1.4"):
        clock.move(HOUR)
        source.says({"a": (price, "2")})
        newest = updated(books).basis
        held = {one.source: one.held for one in books.price_sources()}
        assert held["litellm"] == newest


def test_a_feed_held_as_a_whole_may_be_rejected(books: Budget, source: Source) -> None:
    updated(books)
    source.says({"a": ("1.2", "2")})
    basis = updated(books).basis
    assert basis is not None
    assert books.reject_price(basis, reason="truncated").basis == basis
    assert nanos(books, "a") == 1 * USD
    with pytest.raises(Conflict, match="turned down"):
        books.accept_price(basis, reason="after all")


# --- Conflicts -----------------------------------------------------------------------------------


def test_sources_that_disagree_raise_one_alert_and_are_told_wherever_the_price_is(
    books: Budget, source: Source
) -> None:
    gpt_4o = {"litellm_provider": "openai", "mode": "chat", "output_cost_per_token": 0.00001}
    source.says(FOUR, **{
        "gpt-4o": {**gpt_4o, "input_cost_per_token": 0.000003},
        "gpt-4o-mini": {**gpt_4o, "input_cost_per_token": 0.00000015,
                        "output_cost_per_token": 0.0000006},
    })  # fmt: skip
    updated(books)
    assert alerts(books, "price_conflict") == ["litellm"]
    view = books.current_price("gpt-4o")
    # genai-prices says 2.50 USD and is believed; LiteLLM's 3.00 is a fifth more
    assert (view.status, view.source, view.rates.input) == ("conflict", "genai-prices", 2_500_000)
    assert [(one.source, one.agrees, one.input_bps) for one in view.figures] == [
        ("genai-prices", None, 0), ("litellm", False, 2_000),
    ]  # fmt: skip
    assert [one.model for one in books.prices(status="conflict").items] == ["gpt-4o"]
    assert [one.model for one in books.prices(status="verified").items] == ["gpt-4o-mini"]
    compared = books.compare_prices("openai/gpt-4o")
    assert [one.rates.input for one in compared.figures] == [2_500_000, 3_000_000]


# --- Bad feeds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"null", b'{"a": ', b"\xff\xfe", b"[" * 100_000],
    ids=["nothing", "a list", "no model", "null", "cut off", "no text", "too deep"],
)  # fmt: skip
def test_a_bad_feed_changes_nothing_and_is_recorded(
    books: Budget, source: Source, data: bytes
) -> None:
    updated(books)
    before = rows(books, "price_snapshots"), rows(books, "price_state")
    source.path.write_bytes(data)
    report = updated(books)
    assert report.status == "failed"
    assert report.error is not None
    assert (rows(books, "price_snapshots"), rows(books, "price_state")) == before
    assert nanos(books, "a") == 1 * USD
    (listed,) = [one for one in books.price_sources() if one.source == "litellm"]
    assert listed.error == report.error
    source.says({**FOUR, "a": ("1.1", "2")})
    assert updated(books).status == "applied"
    (listed,) = [one for one in books.price_sources() if one.source == "litellm"]
    assert listed.error is None


def test_a_file_that_is_gone_is_reported(books: Budget, source: Source) -> None:
    source.path.unlink()
    assert "cannot be read" in str(updated(books).error)


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"sources": ["nobody"]}, "sources"),
        ({"sources": "litellm"}, "sources"),
        ({"sources": ["openrouter"]}, "sources"),  # not configured
        ({"sources": []}, "sources"),
        ({"sources": ["litellm", "models.dev"], "file": "x"}, "sources"),
    ],
)
def test_bad_input_to_an_update_is_refused(
    books: Budget, ask: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        books.update_prices(**ask)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_a_decision_about_nothing_is_refused(books: Budget) -> None:
    for what in ("pu_1", "litellm/2026-01-01/000000000000", "x" * 500):
        with pytest.raises(NotFound):
            books.accept_price(what, reason="why not")
    with pytest.raises(InvalidInput):
        books.accept_price("\x00", reason="why not")
    with pytest.raises(InvalidInput):
        books.accept_price("pu_1", reason=" ")


def test_only_managers_change_prices(books: Budget) -> None:
    other = books.acting_as(Caller("key_1", manage=False))
    for act in (
        lambda: other.update_prices(),
        lambda: other.accept_price("x", reason="y"),
        lambda: other.reject_price("x", reason="y"),
        lambda: other.set_price(model="m", input="1", output="1", reason="r"),
        lambda: other.end_price("x", reason="y"),
    ):
        with pytest.raises(Forbidden):
            act()
    assert other.prices(limit=1).items  # anybody may look


def test_books_with_prices_of_their_own_have_no_price_book(sqlite_url: str, clock: Clock) -> None:
    with Budget.open(sqlite_url, clock=clock, prices=PriceBook(None), sweep=False) as budget:
        for act in (budget.prices, budget.price_sources, budget.update_prices):
            with pytest.raises(Conflict) as caught:
                act()
            assert caught.value.code == "prices_given"


# --- Several processes, and crashes --------------------------------------------------------------


def test_another_process_prices_by_the_new_book_with_its_next_calls(
    books_url: str, clock: Clock, source: Source
) -> None:
    with source.open(books_url, clock) as one, source.open(books_url, clock) as other:
        updated(one)
        # The first call tells the other process that the book has changed; reading it takes a bit.
        for _ in range(100):
            other.record_usage(model="gpt-4o", input_tokens=1)
            if other.books.prices.lookup("groq", "a", clock()) is not None:
                break
            threading.Event().wait(0.02)
        assert nanos(other, "a") == 1 * USD
        one.set_price(provider="groq", model="a", input="2", output="2", reason="a contract")
        assert other.current_price("a", provider="groq").rates.input == 2_000_000


def test_two_processes_that_read_a_source_at_once_apply_it_once(
    books_url: str, clock: Clock, source: Source
) -> None:
    with source.open(books_url, clock) as one, source.open(books_url, clock) as other:
        updated(one)
        source.says({**FOUR, "a": ("1.5", "2"), "b": ("100", "6")})
        reports = []
        ready = threading.Barrier(2)

        def refresh(budget: Budget) -> None:
            ready.wait()
            reports.append(updated(budget))

        threads = [threading.Thread(target=refresh, args=(budget,)) for budget in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(report.status for report in reports) == ["applied", "unchanged"]
        assert len(one.price_updates().items) == 2
        assert len(told(one, "price_update")) == 2
        assert nanos(other, "a") == 1.5 * USD


@pytest.mark.parametrize("step", ["put_source", "add_updates", "count_up"])
def test_a_crash_in_the_middle_leaves_the_old_book(
    books_url: str, clock: Clock, source: Source, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with source.open(books_url, clock) as budget:
        updated(budget)
        source.says({**FOUR, "a": ("1.5", "2")})
        tables = ("price_snapshots", "price_sources", "closed_prices", "price_updates",
                  "price_state")  # fmt: skip
        before = [rows(budget, table) for table in tables]
        with monkeypatch.context() as patched:

            def crash(*_: object) -> None:
                raise MemoryError

            patched.setattr(price_rows, step, crash)
            assert updated(budget).status == "failed"
        after = [rows(budget, table) for table in tables]
        assert after[0] == before[0]
        assert after[2:] == before[2:]
        assert nanos(budget, "a") == 1 * USD
    with source.open(books_url, clock) as budget:  # as after a restart
        assert nanos(budget, "a") == 1 * USD
        assert updated(budget).status == "applied"
        assert nanos(budget, "a") == 1.5 * USD


def test_a_snapshot_that_cannot_be_read_leaves_the_other_sources(
    sqlite_url: str, clock: Clock, source: Source
) -> None:
    with source.open(sqlite_url, clock) as budget:
        updated(budget)
        unit = budget.books.database.unit()
        unit.begin_catalogue()
        unit.execute(update(schema.price_sources).where(schema.price_sources.c.source == "litellm")
                     .values(basis="litellm/lost/000000000000"))  # fmt: skip
        unit.commit()
        unit.close()
    with source.open(sqlite_url, clock) as budget:
        assert budget.calculate(model="gpt-4o", input_tokens=10**6).cost.cost_nanos == 2.5 * USD
        with pytest.raises(NotFound):
            nanos(budget, "a")


def test_coverage_tells_how_sure_the_prices_of_what_was_seen_are(
    books: Budget, source: Source
) -> None:
    gpt_4o = {
        "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.0000025,
        "output_cost_per_token": 0.00001,
    }  # fmt: skip
    source.says(FOUR, **{"gpt-4o": gpt_4o})
    updated(books)
    for model in ("gpt-4o", "a", "unheard-of"):
        provider = "openai" if model == "gpt-4o" else "groq"
        books.record_usage(provider=provider, model=model, input_tokens=1)
    books.set_price(provider="groq", model="d", input="1", output="1", reason="contract")
    books.record_usage(provider="groq", model="d", input_tokens=1)
    found = books.coverage(until="2026-05-15T13:00:00Z")
    assert {status: seen.models for status, seen in found.by_status.items()} == {
        "verified": 1, "unverified": 1, "conflict": 0, "own": 1, "unpriced": 1,
    }  # fmt: skip


def test_usage_is_rerated_under_any_snapshot(books: Budget, clock: Clock, source: Source) -> None:
    first = updated(books).basis
    assert first is not None
    books.record_usage(provider="groq", model="a", input_tokens=1_000_000)
    clock.move(1)
    source.says({**FOUR, "a": ("1.5", "2")})
    second = updated(books).basis
    assert second is not None
    # In force is what the call cost at its time; the newer snapshot alone says 1.50 of any time.
    for basis, difference in ((None, 0), (first, 0), (second, 500_000_000)):
        book = None if basis is None else price_reports.book_of(books.books, basis)
        told_now = books.rerate(
            book=book, since="2026-05-15T11:00:00Z", until="2026-05-15T13:00:00Z"
        )
        assert told_now.new_nanos - told_now.old_nanos == difference
    with pytest.raises(NotFound):
        price_reports.book_of(books.books, "litellm/2026-01-01/000000000000")
