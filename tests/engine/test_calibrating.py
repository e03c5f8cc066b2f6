"""Learning: each settled call teaches once, its own key first, and nothing that is odd teaches."""

import threading
from typing import Any

import pytest
from sqlalchemy import event, select, update

from budget.domain.answers_estimates import Learning
from budget.domain.calibration import factor_bps
from budget.domain.pricing import Rates
from budget.engine import calibrating
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.snapshots import snapshot
from budget.prices.book import PriceBook
from budget.storage import schema
from tests.engine.conftest import migrate
from tests.engine.opened import MINUTE, PRICES, SECOND, Clock, allocated
from tests.support.databases import SqliteDatabases

TEXT = "What is the capital of France?"
BOUND = 75
"""Of TEXT for the model `m`, worked out in `test_estimates`."""


def call(books: Books, input_tokens: int, **used: Any) -> str:
    """One call of TEXT, settled at so many tokens; the id of its usage record."""
    held = allocated(books, model="m", request=TEXT, max_output_tokens=1)
    used = {"input_tokens": input_tokens, "output_tokens": 1, **used}
    return books.settle(held.allocation_id, **used).usage_id


def teach(books: Books, actor: str, times: int, input_tokens: int = 30) -> None:
    """So many calls of a key. A few are made, and the rest are put beside them in what was seen."""
    there = books.acting_as(Caller(actor))
    call(there, input_tokens)
    clock = books.books.database._clock
    assert isinstance(clock, Clock)
    clock.move(MINUTE)
    books.learn()
    step = -(-input_tokens * 100 // BOUND)
    seen = f'{{"{step}": {times}}}'
    table = schema.calibrations

    def written(batch: Any) -> None:
        after = calibrating._decode(seen)
        batch.unit.execute(
            update(table)
            .where(table.c.actor == actor)
            .values(seen=seen, samples=times, factor_bps=factor_bps(after))
        )

    books.books.ledger.do_change(written)
    books.books.factors.forget()


def estimated(books: Books, actor: str = "local") -> tuple[int, str, int | None]:
    told = books.acting_as(Caller(actor)).estimate(model="m", request=TEXT)
    return told.input_tokens, told.how, told.factor_bps


def rows(books: Books) -> list[tuple[Any, ...]]:
    table = schema.calibrations.c
    with snapshot(books.books.database) as connection:
        found = connection.execute(
            select(table.family, table.actor, table.samples, table.factor_bps, table.seen).order_by(
                table.family, table.actor
            )
        )
        return [tuple(row) for row in found]


def test_two_hundred_settled_calls_teach_a_factor_which_holds_from_then_on(
    books: Books, clock: Clock
) -> None:
    for _ in range(199):
        call(books, 30)
    clock.move(MINUTE)
    assert books.learn() == Learning(199, 199)
    assert estimated(books) == (75, "bound", None)
    call(books, 30)
    clock.move(MINUTE)
    assert books.learn() == Learning(1, 1)
    # 30 of 75 are 40%, and 5% of that: 31.5 of 75 tokens
    assert rows(books) == [("unknown", "local", 200, 4200, '{"40": 200}')]
    assert estimated(books) == (32, "learnt", 4200)
    held = allocated(books, model="m", request=TEXT, max_output_tokens=1)
    assert held.reserved.tokens == 32 + 1
    books.settle(held.allocation_id, input_tokens=30, output_tokens=1)
    clock.move(MINUTE)
    books.learn()
    # The plain bound was kept, not the lower one: 30 of 75 again
    assert rows(books) == [("unknown", "local", 201, 4200, '{"40": 201}')]


def test_what_was_settled_just_now_waits(books: Books, clock: Clock) -> None:
    call(books, 30)
    clock.move(9 * SECOND)
    assert books.learn() == Learning(0, 0)
    clock.move(SECOND)
    assert books.learn() == Learning(1, 1)
    assert books.learn() == Learning(0, 0)


def test_calls_are_looked_at_in_rounds(
    books: Books, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrating, "ROUND", 3)
    monkeypatch.setattr(calibrating, "MOST_ROUNDS", 2)
    for _ in range(8):  # all settled at the same instant: their ids tell them apart
        call(books, 30)
    clock.move(MINUTE)
    assert [books.learn() for _ in range(3)] == [Learning(6, 6), Learning(2, 2), Learning(0, 0)]


def test_what_can_teach_is_found_by_its_index(sqlite_databases: SqliteDatabases) -> None:
    with Books.open(sqlite_databases.new(migrate), prices=PRICES, sweep=False) as books:
        engine, asked = books.books.database.engine, []
        event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
        calibrating.next_round(books.books.database)
        statement, values = asked[-1]
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert "USING INDEX ix_allocations_taught" in plan[0][3]
    assert not [row for row in plan if "SCAN" in row[3] or "TEMP" in row[3]]


# --- What teaches nothing ------------------------------------------------------------------------


def test_only_one_whole_call_of_the_model_that_was_estimated_teaches(
    books: Books, books_url: str, clock: Clock
) -> None:
    rates: dict[tuple[str | None, str], Rates] = {
        (None, "m"): Rates(10**9, 10**9),
        (None, "n"): Rates(10**9, 10**9, model="n"),
    }
    with Books.open(books_url, clock=clock, prices=PriceBook(None, rates), sweep=False) as other:
        call(other, 30, model="n")
    call(books, 0)
    call(books, 0, requests=0)
    call(books, 30, requests=2)
    call(books, 30, units={"searches": 1})
    books.correct(call(books, 30), reason="wrong")
    in_parts = allocated(books, model="m", request=TEXT, max_output_tokens=1).allocation_id
    books.record(in_parts, input_tokens=10, output_tokens=0)
    books.settle(in_parts, input_tokens=20, output_tokens=1)
    books.release(allocated(books, model="m", request=TEXT).allocation_id)
    allocated(books, model="m", request=TEXT)
    stated = allocated(books, model="m", input_tokens=9, max_output_tokens=1).allocation_id
    books.settle(stated, input_tokens=9, output_tokens=1)
    clock.move(MINUTE)
    assert books.learn() == Learning(7, 0)
    assert rows(books) == []
    call(books, 30)
    clock.move(MINUTE)
    assert books.learn() == Learning(1, 1)


def test_usage_that_comes_late_teaches_when_it_has_come(books: Books, clock: Clock) -> None:
    held = allocated(books, model="m", request=TEXT, max_output_tokens=1)
    clock.move(60 * MINUTE)
    books.sweep()
    assert books.learn() == Learning(0, 0)
    books.settle(held.allocation_id, input_tokens=30, output_tokens=1)
    clock.move(MINUTE)
    assert books.learn() == Learning(1, 1)


# --- Whose calls teach whom ----------------------------------------------------------------------


def test_a_key_learns_from_its_own_calls_and_cannot_lower_what_others_hold(books: Books) -> None:
    teach(books, "low", 100_000)
    assert estimated(books, "low") == (32, "learnt", 4200)
    assert estimated(books, "other") == (75, "bound", None)
    teach(books, "low2", 100_000)
    teach(books, "few", 199)
    assert estimated(books, "other") == (75, "bound", None)
    # The third that taught enough: 60 of 75 are 80%, and 5% of that. The highest counts.
    teach(books, "high", 200, input_tokens=60)
    assert estimated(books, "other") == (63, "learnt", 8400)
    assert estimated(books, "few") == (63, "learnt", 8400)
    assert estimated(books, "low") == (32, "learnt", 4200)
    (told,) = books.acting_as(Caller("few")).factors()
    assert told == ("unknown", 8400, "others", 199, 200_399, 3)
    (told,) = books.acting_as(Caller("high")).factors()
    assert told == ("unknown", 8400, "own", 200, 200_399, 3)


def test_a_key_whose_bounds_are_too_low_holds_more_at_most_twice_as_much(books: Books) -> None:
    teach(books, "above", 200, input_tokens=90)
    assert estimated(books, "above") == (95, "learnt", 12_600)
    teach(books, "odd", 200, input_tokens=9000)
    assert estimated(books, "odd") == (150, "learnt", 20_000)


# --- Several at once -----------------------------------------------------------------------------


def test_two_that_learn_at_once_count_each_call_once(
    books: Books, books_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrating, "ROUND", 5)
    for _ in range(20):
        call(books, 30)
    clock.move(MINUTE)
    with Books.open(books_url, clock=clock, prices=PRICES, sweep=False) as other:
        learnt: list[Learning] = []
        both = [
            threading.Thread(target=lambda who=who: learnt.append(who.learn()))
            for who in (books, other)
        ]
        for one in both:
            one.start()
        for one in both:
            one.join()
    assert sum(one.learnt for one in learnt) == 20
    assert [row[2] for row in rows(books)] == [20]


def test_a_round_that_another_process_has_kept_meanwhile_is_not_kept_again(
    books: Books, clock: Clock
) -> None:
    call(books, 30)
    clock.move(MINUTE)
    found = calibrating.next_round(books.books.database)
    assert found is not None
    assert calibrating._keep(books.books, found)
    assert not calibrating._keep(books.books, found)
    assert [row[2] for row in rows(books)] == [1]


def test_the_background_learns_by_itself_and_survives_what_fails(
    books: Books, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(books, 30)
    clock.move(MINUTE)
    done = threading.Event()
    learn = calibrating.learn
    times = iter(range(100))

    def failing_first(*args: Any) -> Learning:
        if next(times) == 0:
            raise RuntimeError("not now")
        told = learn(*args)
        done.set()
        return told

    monkeypatch.setattr(calibrating, "learn", failing_first)
    learner = calibrating.learner(books.books, every_seconds=0.01)
    assert done.wait(20)
    learner.close()
    assert [row[2] for row in rows(books)] == [1]
