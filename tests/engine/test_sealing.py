"""Sealing: the journal in a chain of blocks, in which whatever is tampered with shows."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from budget.domain.answers_audit import Sealed, Verification
from budget.domain.errors import InvalidInput
from budget.engine import sealing
from budget.engine.budget import Budget as Books
from budget.engine.sealing import next_block, seal
from budget.engine.verify import verify
from budget.storage.database import open_database
from tests.engine.busy import Sql, fill, tampered
from tests.engine.opened import Clock, open_books, us
from tests.support.databases import Databases, SqliteDatabases

LATER = "2026-05-16 12:00"


def fill_and_seal(url: str) -> None:
    """The busy books, in sealed blocks of ten entries."""
    fill(url)
    before = sealing.MAX_ENTRIES
    sealing.MAX_ENTRIES = 10  # type: ignore[misc]
    try:
        with open_books(url, Clock(us(LATER))) as books:
            assert books.seal() > 3
    finally:
        sealing.MAX_ENTRIES = before  # type: ignore[misc]


def new(books: Books, name: str) -> None:
    books.create_budget(name=name, policies=[{"unit": "requests", "period": "daily", "limit": 1}])


def verified(url: str, anchor: str | None = None) -> Verification:
    database = open_database(url)
    try:
        return verify(database, anchor=anchor)
    finally:
        database.close()


def chain_of(url: str, anchor: str | None = None) -> list[str]:
    """What verify says of the chain alone."""
    return [
        f"{subject}: {detail}"
        for invariant, subject, detail in verified(url, anchor).violations
        if invariant == "I14"
    ]


@pytest.fixture
def sealed_url(databases: Databases) -> str:
    """A database of busy books, all sealed; the test runs once per engine."""
    return databases.new(fill_and_seal)


@pytest.fixture
def file_url(sqlite_databases: SqliteDatabases) -> str:
    """The same on SQLite alone."""
    return sqlite_databases.new(fill_and_seal)


# --- Making blocks -------------------------------------------------------------------------------


def test_sealed_books_are_clean_and_say_how_far_they_are_sealed(sealed_url: str) -> None:
    answer = verified(sealed_url)
    assert answer.clean
    assert answer.sealed.entries == answer.entries
    assert answer.sealed.blocks == -(-answer.entries // 10)
    assert answer.sealed.anchor == f"{answer.sealed.blocks}:{answer.sealed.head}"


def test_what_comes_after_the_last_block_waits_for_the_next(sealed_url: str) -> None:
    clock = Clock(us(LATER))
    with open_books(sealed_url, clock) as books:
        sealed = books.verify().sealed.entries
        new(books, "New")
        assert books.verify().sealed.entries == sealed
        assert seal(books.books) == 0, "one entry that has just come is not sealed at once"
        clock.move(sealing.WAIT_US)
        assert seal(books.books) == 1
        assert books.verify().sealed.entries == sealed + 1
        assert seal(books.books) == 0


def test_a_thousand_entries_are_sealed_at_once(
    sealed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "FULL", 3)
    with open_books(sealed_url, Clock(us(LATER))) as books:
        for name in ("a", "b"):
            new(books, name)
        assert next_block(books.books.database) is None
        new(books, "c")
        assert seal(books.books) == 1


def test_two_that_seal_at_once_make_one_chain(sealed_url: str) -> None:
    with open_books(sealed_url, Clock(us(LATER))) as books:
        new(books, "New")
        one = next_block(books.books.database, now=True)
        assert books.seal() == 1
        assert one is not None
        unit = books.books.database.unit()
        assert not sealing._write(unit, books.books.database, one)
        unit.close()
        assert books.verify().sealed.blocks == one.number


def test_books_that_were_never_sealed_are_clean(databases: Databases) -> None:
    answer = verified(databases.new(fill))
    assert answer.clean
    assert answer.sealed == Sealed()
    assert answer.sealed.anchor is None


# --- Tampering -----------------------------------------------------------------------------------

ENTRY = "SELECT id FROM entries ORDER BY id LIMIT 1 OFFSET :at"


def entry_at(sql: Sql, at: int) -> int:
    ((entry_id,),) = sql(ENTRY, at=at)
    return int(entry_id)


def test_a_changed_entry_is_named(sealed_url: str) -> None:
    with tampered(sealed_url) as sql:
        changed = entry_at(sql, 23)
        sql("UPDATE entries SET actor = 'nobody' WHERE id = :id", id=changed)
    assert chain_of(sealed_url) == [f"block 3: entry {changed} is not as it was sealed"]


def test_of_several_broken_rows_the_first_of_each_block_is_named(file_url: str) -> None:
    with tampered(file_url) as sql:
        changed = [entry_at(sql, at) for at in (13, 15, 31)]
        for id in changed:
            sql("UPDATE entries SET at_us = at_us + 1 WHERE id = :id", id=id)
    assert chain_of(file_url) == [
        f"block 2: entry {changed[0]} is not as it was sealed",
        f"block 4: entry {changed[2]} is not as it was sealed",
    ]


def test_an_entry_taken_out_or_put_in_is_named(file_url: str) -> None:
    with tampered(file_url) as sql:
        gone, twin = entry_at(sql, 5), entry_at(sql, 25)
        sql("DELETE FROM entries WHERE id = :id", id=gone)
        sql(
            "INSERT INTO entries SELECT id + 4096, at_us, kind, actor, allocation_id, usage_id,"
            " budget_id, policy_id, '[]', detail FROM entries WHERE id = :id", id=twin,
        )  # fmt: skip
    assert chain_of(file_url) == [
        f"block 1: entry {gone} was sealed, and is not there",
        f"block 3: entry {twin + 4096} was added after it was sealed",
    ]


def test_a_changed_block_is_named(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE blocks SET sealed_us = sealed_us - 1 WHERE number = 2")
    assert chain_of(file_url) == ["block 2: its hash is not that of what it holds"]


def test_a_block_taken_out_is_named(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("DELETE FROM blocks WHERE number = 3")
    told = chain_of(file_url)
    assert told[0] == "block 4: block 3 should stand here"
    assert told[1] == "block 4: it does not follow the block before it"


def test_a_head_that_was_noted_shows_what_was_cut_off(sealed_url: str) -> None:
    sealed = verified(sealed_url).sealed
    noted, last = sealed.anchor, sealed.blocks
    assert chain_of(sealed_url, noted) == []
    with tampered(sealed_url) as sql:
        sql("DELETE FROM blocks WHERE number = :last", last=last)
        sql("DELETE FROM entries WHERE id > (SELECT max(last_entry_id) FROM blocks)")
    assert chain_of(sealed_url) == [], "without it a chain that ends early looks whole"
    assert chain_of(sealed_url, noted) == [f"block {last}: it was sealed once, and is not there"]


def test_a_head_that_was_noted_shows_a_chain_that_was_forged(file_url: str) -> None:
    noted = verified(file_url).sealed.anchor
    with tampered(file_url) as sql:
        sql("DELETE FROM blocks")
        sql("UPDATE entries SET actor = 'nobody' WHERE id = :id", id=entry_at(sql, 40))
    with open_books(file_url, Clock(us(LATER))) as books:
        books.seal()
    assert chain_of(file_url) == []
    (told,) = chain_of(file_url, noted)
    assert "it was sealed once, and is not there" in told


@pytest.mark.parametrize("anchor", ["", "5", "0:" + "a" * 64, "5:xyz", "5:" + "A" * 64, 5, "-1:"])
def test_an_anchor_that_cannot_be_one_is_refused(file_url: str, anchor: Any) -> None:
    with pytest.raises(InvalidInput, match="anchor: must be a block's number and hash"):
        verified(file_url, anchor)


# --- At random -----------------------------------------------------------------------------------


def edit(sql: Sql, pick: random.Random, at: int) -> None:
    columns = {
        "at_us": pick.randrange(2**50), "kind": "x", "actor": "x", "allocation_id": "x",
        "usage_id": "x", "budget_id": "x", "policy_id": "x", "legs": "[[]]", "detail": '{"x":1}',
    }  # fmt: skip
    column = pick.choice(sorted(columns))
    sql(
        f"UPDATE entries SET {column} = :value WHERE id = :id",
        value=columns[column], id=entry_at(sql, at),
    )  # fmt: skip


def delete(sql: Sql, pick: random.Random, at: int) -> None:
    sql("DELETE FROM entries WHERE id = :id", id=entry_at(sql, at))


def swap(sql: Sql, pick: random.Random, at: int) -> None:
    other = (at + pick.randrange(1, 40)) % 40
    first, second = entry_at(sql, at), entry_at(sql, other)
    for old, new in ((first, -1), (second, first), (-1, second)):
        sql("UPDATE entries SET id = :new WHERE id = :old", old=old, new=new)


def truncate(sql: Sql, pick: random.Random, at: int) -> None:
    sql("DELETE FROM entries WHERE id >= :id", id=entry_at(sql, at))


def spoil_block(sql: Sql, pick: random.Random, at: int) -> None:
    column = pick.choice(["last_entry_id", "entries", "sealed_us"])
    sql(f"UPDATE blocks SET {column} = {column} + 1 WHERE number = :n", n=1 + at % 4)


HARMS: list[Callable[[Sql, random.Random, int], None]] = [
    edit, edit, delete, swap, truncate, spoil_block,
]  # fmt: skip


def tamper_and_look(url: str, times: int, seed: int) -> int:
    """Do one harm after another, each to books that are whole again; how many were found."""
    from sqlalchemy import create_engine, text

    from budget.engine.audit.chain import check_chain
    from budget.engine.audit.findings import Findings

    pick = random.Random(seed)
    found = 0
    engine = create_engine(url)
    with engine.connect() as connection:

        def sql(statement: str, **parameters: Any) -> list[Any]:
            result = connection.execute(text(statement), parameters)
            return list(result) if result.returns_rows else []

        for (name,) in sql("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            sql(f"DROP TRIGGER {name}")
        connection.commit()
        ((count,),) = sql("SELECT count(*) FROM entries")
        for _ in range(times):
            pick.choice(HARMS)(sql, pick, pick.randrange(count))
            findings = Findings()
            check_chain(connection, findings)
            found += bool(findings.count)
            connection.rollback()
    engine.dispose()
    return found


def test_two_hundred_random_harms_are_all_found(file_url: str) -> None:
    assert tamper_and_look(file_url, 200, 1) == 200


@pytest.mark.faults
def test_five_thousand_random_harms_are_all_found(file_url: str) -> None:
    assert tamper_and_look(file_url, 5000, 2) == 5000
