"""Bulk: many usage records at once are booked as they would be one by one, each by itself."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.domain.answers import Bulk, Receipt
from budget.domain.errors import BudgetError, Conflict, InvalidInput, KeyReused, NotFound
from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.engine.bulk import MAX_BULK_KEY_CHARS, MAX_RECORDS
from tests.engine.opened import MILLI, Clock, allocated, figures, open_books, refused
from tests.support.databases import SqliteDatabases

Record = Any
"""A record as callers send it, right or wrong."""


def budget_of(books: Books, limit: str = "100") -> str:
    """A budget of all calls with a hard limit a day; its policy."""
    policy: Any = {"unit": "usd", "period": "daily", "limit": limit, "enforcement": "hard_limit"}
    made = books.create_budget(name="Acme", policies=[policy])
    return made.policies[0].policy_id


def used(name: str, tokens: int = 1, **more: Any) -> Record:
    """A record of some input tokens of `m`, each a thousandth of a dollar."""
    return {"usage_id": name, "model": "m", "input_tokens": tokens, "output_tokens": 0, **more}


def outcome(result: Receipt | BudgetError) -> Any:
    """What is said of one record."""
    if isinstance(result, Receipt):
        return result.usage_id, result.cost_nanos, result.flags, result.replayed
    return type(result), result.code


def test_every_record_is_booked_and_counted(books: Books) -> None:
    policy_id = budget_of(books)
    booked = books.record_bulk(records=[used(f"u{n}", n) for n in range(1, 301)])
    assert booked.accepted == 300
    assert not booked.replayed
    # 1 + 2 + ... + 300 = 45,150 tokens
    assert figures(books, policy_id) == {"{}": (45_150 * MILLI, 0, 0)}


def test_records_that_fail_keep_no_other_from_being_booked(light: Books) -> None:
    policy_id = budget_of(light)
    records: Record = [
        used("u0", 1),
        used("u1", -1),
        "no record",
        used("u3", 2, occurred_at="2027-01-01T00:00:00Z"),
        used("u4", 4, allocation_id="alloc_none"),
        used("u5", 8, colour="red"),
        used("u6", 16, final=True),
        used("u0", 32),
        {"model": "m", "input_tokens": 64},
        used("u9", 128, self=1),
        used("u10", 256),
    ]
    booked = light.record_bulk(records=records)
    told = [
        result.field if isinstance(result, InvalidInput) else outcome(result)
        for result in booked.results
    ]
    assert told == [
        ("u0", MILLI, ("unreserved",), False),
        "records[1].input_tokens",
        "records[2]",
        "records[3].occurred_at",
        (NotFound, "not_found"),
        "records[5].colour",
        "records[6].final",
        (KeyReused, "idempotency_key_reused"),
        "records[8].usage_id",
        "records[9].self",
        ("u10", 256 * MILLI, ("unreserved",), False),
    ]
    assert booked.accepted == 2
    assert figures(light, policy_id) == {"{}": (257 * MILLI, 0, 0)}


def test_an_error_of_a_record_says_what_would_do(light: Books) -> None:
    (error,) = light.record_bulk(records=[used("u", colour="red")]).results
    assert isinstance(error, InvalidInput)
    assert error.detail.startswith("records[0].colour: is not a field here. Allowed: allocation_id")
    assert "input_tokens" in error.allowed


def test_what_is_sent_again_is_booked_once(books: Books) -> None:
    policy_id = budget_of(books)
    records: Record = [
        used("u0", 1),
        {"model": "m", "input_tokens": 2, "idempotency_key": "own"},
        {"model": "m", "input_tokens": 4},
        {"model": "m", "input_tokens": 4},
    ]
    first = books.record_bulk(records=records, idempotency_key="batch-7")
    again = books.record_bulk(records=records, idempotency_key="batch-7")
    assert [r.replayed for r in again.results if isinstance(r, Receipt)] == [True] * 4
    assert again.replayed
    assert [r.usage_id for r in again.results if isinstance(r, Receipt)] == [
        r.usage_id for r in first.results if isinstance(r, Receipt)
    ]
    assert figures(books, policy_id) == {"{}": (11 * MILLI, 0, 0)}


def test_another_payload_at_the_same_place_of_the_same_request_is_refused(light: Books) -> None:
    budget_of(light)
    light.record_bulk(records=[{"model": "m", "input_tokens": 1}], idempotency_key="k")
    (result,) = light.record_bulk(
        records=[{"model": "m", "input_tokens": 2}], idempotency_key="k"
    ).results
    assert isinstance(result, KeyReused)


def test_records_of_an_allocation_keep_their_order_and_only_one_that_says_so_is_final(
    books: Books,
) -> None:
    policy_id = budget_of(books)
    held = allocated(books, model="m", input_tokens=100, max_output_tokens=0).allocation_id
    records: Record = [
        {"usage_id": "a", "allocation_id": held, "input_tokens": 10},
        {"usage_id": "b", "allocation_id": held, "input_tokens": 20, "final": None},
        {"usage_id": "c", "allocation_id": held, "input_tokens": 30, "final": True},
        {"usage_id": "d", "allocation_id": held, "input_tokens": 40},
    ]
    booked = books.record_bulk(records=records)
    assert [outcome(result) for result in booked.results[:3]] == [
        ("a", 10 * MILLI, (), False),
        ("b", 20 * MILLI, (), False),
        ("c", 30 * MILLI, (), False),
    ]
    assert isinstance(booked.results[3], Conflict)
    assert figures(books, policy_id) == {"{}": (60 * MILLI, 0, 0)}


def test_a_request_without_records_or_with_too_many_books_nothing(light: Books) -> None:
    assert refused(light.record_bulk, records=[]).field == "records"
    assert refused(light.record_bulk, records=None).field == "records"
    assert refused(light.record_bulk, records="abc").field == "records"
    many = [used(f"u{n}") for n in range(MAX_RECORDS + 1)]
    assert refused(light.record_bulk, records=many).field == "records"
    long = "k" * (MAX_BULK_KEY_CHARS + 1)
    assert refused(light.record_bulk, records=many[:1], idempotency_key=long).field == (
        "idempotency_key"
    )
    assert light.usage_records().items == []


def test_the_longest_key_leaves_room_for_the_number_of_the_last_record(light: Books) -> None:
    records: Record = [{"model": "m", "input_tokens": 1}] * MAX_RECORDS
    booked = light.record_bulk(records=records, idempotency_key="k" * MAX_BULK_KEY_CHARS)
    assert booked.accepted == MAX_RECORDS


def test_a_full_queue_takes_all_records_or_none(light: Books, monkeypatch: Any) -> None:
    monkeypatch.setattr("budget.engine.ledger.MAX_QUEUED", 2)
    with pytest.raises(BudgetError, match="Too many commands"):
        light.record_bulk(records=[used(f"u{n}") for n in range(3)])
    assert light.usage_records().items == []
    assert light.record_bulk(records=[used("u0"), used("u1")]).accepted == 2


@pytest.mark.anyio
async def test_an_event_loop_gets_the_same_answer(light_url: str, clock: Clock) -> None:
    books = open_books(light_url, clock)
    try:
        told = await AsyncBudget(books.books).record_bulk(
            records=[used("u0", 1), used("u1", -1), used("u2", 2)]
        )
        assert [type(result) for result in told.results] == [Receipt, InvalidInput, Receipt]
    finally:
        books.close()


# --- A batch equals the same records one by one --------------------------------------------------

ids = st.sampled_from(["a", "b", "c", "d", "e"])
records_of_calls = st.fixed_dictionaries(
    {"usage_id": ids, "input_tokens": st.integers(-1, 40), "model": st.sampled_from(["m", "n"])},
    optional={
        "occurred_at": st.sampled_from(
            ["2026-05-15T11:00:00Z", "2026-05-14T12:00:00Z", "2026-05-10T12:00:00Z", "never"]
        ),
        "component": st.sampled_from(["x", "y"]),
    },
)
records_of_holds = st.fixed_dictionaries(
    {
        "usage_id": ids,
        "input_tokens": st.integers(-1, 40),
        "allocation_id": st.sampled_from(["h0", "h1", "nobody"]),
    },
    optional={"final": st.sampled_from([True, False, None, "yes"])},
)


def one_by_one(books: Books, records: list[Record]) -> Bulk:
    """The same records, each by the method that is for it alone."""

    def booked(record: Record) -> Receipt | BudgetError:
        fields = dict(record)
        allocation_id = fields.pop("allocation_id", None)
        try:
            if allocation_id is None:
                return books.record_usage(**fields)
            final = fields.pop("final", None)
            return books.record(allocation_id, final=False if final is None else final, **fields)
        except BudgetError as error:
            return error

    return Bulk(tuple(map(booked, records)))


def at_once(books: Books, records: list[Record]) -> Bulk:
    """All of them in one request."""
    return books.record_bulk(records=records)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(records_of_calls | records_of_holds, min_size=1, max_size=10),
    seed=st.integers(0, 2**16),
)
def test_a_batch_is_booked_as_its_records_would_be_one_by_one(
    records: list[Record], seed: int, sqlite_databases: SqliteDatabases
) -> None:
    from tests.engine.conftest import migrate

    def play(book: Callable[[Books, list[Record]], Bulk]) -> Any:
        clock = Clock(1_778_846_400_000_000)  # noon of 15 May 2026
        with open_books(sqlite_databases.new(migrate), clock) as books:
            policy_id = budget_of(books, "0.06")
            for name in ("h0", "h1"):
                allocated(books, allocation_id=name, model="m", input_tokens=20,
                          max_output_tokens=0)  # fmt: skip
            cut = random.Random(seed).randint(0, len(records))
            told = [*book(books, records[:cut]).results] if cut else []
            told += [*book(books, records).results]
            kept = [
                (u.usage_id, u.allocation_id, u.usage, u.cost_nanos, u.flags, u.final)
                for u in sorted(books.usage_records(limit=1000).items)
            ]
            assert books.verify().violations == ()
            return (
                [outcome(result) for result in told], kept, figures(books, policy_id),
                [books.allocation(name).status for name in ("h0", "h1")],
            )  # fmt: skip

    assert play(at_once) == play(one_by_one)
