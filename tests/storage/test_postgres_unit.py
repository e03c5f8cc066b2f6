"""What is peculiar to the unit of work on PostgreSQL: waiting, lock order, lost connections."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import bindparam, func, insert, select, text

from budget.domain.cursors import unpack
from budget.storage import postgres_sql, postgres_wire, schema
from budget.storage.errors import (
    Broken,
    CommitUnknown,
    StorageError,
    Transient,
    Unreachable,
)
from budget.storage.postgres_unit import PostgresUnit
from budget.storage.postgres_wire import storage_error
from budget.storage.unit import Begun, Changes, Row
from tests.support.databases import PostgresDatabases
from tests.support.postgres import Cluster
from tests.support.rows import NOW_US, alert, allocation, entry, head, key, moved, rollup, series
from tests.support.units import migrate


@pytest.fixture
def url(postgres_databases: PostgresDatabases) -> str:
    return postgres_databases.new(migrate)


NewUnit = Callable[[], PostgresUnit]


@pytest.fixture
def new_unit(url: str) -> Iterator[NewUnit]:
    """Makes units on one database, and closes them."""
    made: list[PostgresUnit] = []

    def new() -> PostgresUnit:
        made.append(PostgresUnit(url))
        return made[-1]

    yield new
    for unit in made:
        unit.close()


@pytest.fixture
def unit(new_unit: NewUnit) -> PostgresUnit:
    return new_unit()


@pytest.fixture
def other(new_unit: NewUnit) -> PostgresUnit:
    return new_unit()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def asked(url: str, query: str, *arguments: object) -> list[Row]:
    """The rows of a query on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), arguments or None)
        return cursor.fetchall() if cursor.description else []


def pid(unit: PostgresUnit) -> int:
    """The process that serves a unit in its transaction."""
    found: int = unit.execute(select(func.pg_backend_pid()))[0][0]
    return found


def wait_until_blocked(url: str, waiting: int, future: Future[Any]) -> None:
    """Return when that process waits for a lock; fail if what it does ends before."""
    for _ in range(500):
        assert not future.done(), f"did not wait: {future.exception() or future.result()}"
        blocked = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        if asked(url, blocked, waiting):
            return
        time.sleep(0.01)
    pytest.fail("nothing waited")


def kill(url: str, victim: int) -> None:
    """End a server process, and return when it is gone."""
    asked(url, "SELECT pg_terminate_backend(%s, 5000)", victim)


def entry_row(id_: int, **named: Any) -> Row:
    """An entry with an id of no transaction in particular."""
    return entry(Begun(1, 1, 1, None), id=id_, **named)


def created_heads(unit: PostgresUnit, *policies: str) -> list[int]:
    """Make heads of these policies, committed; their ids."""
    unit.begin()
    rows, _ = unit.heads([(policy, "{}") for policy in policies], [])
    ids = {row[1]: row[0] for row in rows}
    unit.write(Changes(heads=[head(id_, 0) for id_ in ids.values()]))
    unit.commit()
    return [ids[policy] for policy in policies]


def placed(unit: PostgresUnit, *rows: Row) -> None:
    unit.begin()
    unit.write(Changes(placed=list(rows)))
    unit.commit()


# --- Lock order ----------------------------------------------------------------------------------


def test_two_writers_that_name_the_same_heads_in_opposite_order_never_deadlock(
    new_unit: NewUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    policies = [f"policy_{number}" for number in range(8)]
    created_heads(new_unit(), *policies)

    def count_up(names: list[str]) -> None:
        unit = new_unit()
        for _ in range(40):
            unit.begin()
            rows, created = unit.heads([(name, "{}") for name in names], [])
            assert created == []
            assert [row[0] for row in rows] == sorted(row[0] for row in rows)
            unit.write(Changes(heads=[head(row[0], row[3], spent=row[7] + 1) for row in rows]))
            unit.commit()

    for one in [threads.submit(count_up, policies), threads.submit(count_up, policies[::-1])]:
        one.result(30)
    assert asked(url, "SELECT DISTINCT spent, version FROM heads") == [(80, 81)]


def test_two_writers_that_create_the_same_heads_in_opposite_order_agree_on_them(
    unit: PostgresUnit, other: PostgresUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    unit.begin()
    other.begin()
    waiting = pid(other)
    rows, created = unit.heads([("a", "{}"), ("b", "{}")], [])
    future = threads.submit(other.heads, [("b", "{}"), ("a", "{}")], [])
    wait_until_blocked(url, waiting, future)
    unit.write(Changes(heads=[head(row[0], 0, spent=7) for row in rows]))
    unit.commit()
    seen, created_there = future.result(10)
    assert sorted(created) == [row[0] for row in rows]
    assert created_there == []
    assert [(row[0], row[3], row[7]) for row in seen] == [(id_, 1, 7) for id_ in sorted(created)]


def test_a_head_that_its_creator_gave_up_is_created_by_the_one_who_waited(
    unit: PostgresUnit, other: PostgresUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    unit.begin()
    other.begin()
    waiting = pid(other)
    rows, _ = unit.heads([("a", "{}")], [])
    future = threads.submit(other.heads, [("a", "{}")], [])
    wait_until_blocked(url, waiting, future)
    unit.write(Changes(heads_unused=[rows[0][0]]))
    unit.commit()
    seen, created = future.result(10)
    assert created == [seen[0][0]]
    assert created != [rows[0][0]]


def test_attempts_to_create_a_head_that_is_there_use_up_no_numbers(unit: PostgresUnit) -> None:
    (first,) = created_heads(unit, "a")
    for _ in range(5):
        unit.begin()
        unit.heads([("a", "{}")], [])
        unit.commit()
    assert created_heads(unit, "b") == [first + 1]


def test_rollups_and_alerts_written_in_opposite_order_never_deadlock(
    new_unit: NewUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    names = [f"name_{number}" for number in range(20)]

    def write(names: list[str], prefix: str) -> None:
        unit = new_unit()
        for turn in range(30):
            unit.begin()
            rollups = [rollup(name) for name in names]
            alerts = [alert(f"{prefix}{turn}{name}", policy_id=f"{turn}{name}") for name in names]
            combinations = [series(f"{turn}{name}") for name in names]
            unit.write(Changes(rollups=rollups, alerts=alerts, series=combinations))
            unit.commit()

    for one in [threads.submit(write, names, "a"), threads.submit(write, names[::-1], "b")]:
        one.result(30)
    assert asked(url, "SELECT DISTINCT records FROM rollups") == [(60,)]
    assert asked(url, "SELECT count(*) FROM alerts") == [(600,)]
    assert asked(url, "SELECT count(*) FROM series") == [(600,)]


def test_a_rollup_met_twice_in_one_batch_is_added_up(unit: PostgresUnit, url: str) -> None:
    unit.begin()
    unit.write(
        Changes(rollups=[rollup("a", records=2), rollup("b", records=1), rollup("a", records=3)])
    )
    unit.commit()
    found = asked(url, "SELECT series_id, records FROM rollups ORDER BY 1")
    assert found == [("a", 5), ("b", 1)]


def test_who_waited_for_an_envelope_sees_the_child_placed_meanwhile(
    unit: PostgresUnit, other: PostgresUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    placed(unit, allocation("alloc_p", envelope=1))
    unit.begin()
    other.begin()
    waiting = pid(other)
    unit.allocations(["alloc_p"], [])
    future = threads.submit(other.allocations, ["alloc_p"], ["alloc_p"])
    wait_until_blocked(url, waiting, future)
    unit.write(Changes(placed=[allocation("alloc_a", parent_id="alloc_p")]))
    unit.commit()
    assert [row[0] for row in future.result(10)] == ["alloc_p", "alloc_a"]


def test_a_deadlock_provoked_on_purpose_is_transient_for_one_and_harmless_for_the_other(
    unit: PostgresUnit, other: PostgresUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    placed(unit, allocation("alloc_a"), allocation("alloc_b"))
    unit.begin()
    other.begin()
    unit.allocations(["alloc_a"], [])
    other.allocations(["alloc_b"], [])
    futures = [
        threads.submit(unit.allocations, ["alloc_b"], []),
        threads.submit(other.allocations, ["alloc_a"], []),
    ]
    failures = []
    for one, waiter in zip(futures, (unit, other), strict=True):
        failures.append(type(one.exception(10)))
        waiter.rollback()
    assert sorted(failures, key=str) == sorted([type(None), Transient], key=str)


def test_a_lock_not_had_in_time_is_transient(unit: PostgresUnit, other: PostgresUnit) -> None:
    placed(unit, allocation("alloc_a"))
    unit.begin()
    unit.allocations(["alloc_a"], [])
    other.begin()
    other.execute(text("SET LOCAL lock_timeout = '50ms'"))
    with pytest.raises(Transient):
        other.allocations(["alloc_a"], [])


# --- Idempotency keys ----------------------------------------------------------------------------


def test_a_key_claimed_elsewhere_is_waited_for_and_then_found(
    unit: PostgresUnit, other: PostgresUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    unit.begin()
    other.begin()
    waiting = pid(other)
    assert unit.claim([key("k")]) == []
    future = threads.submit(other.claim, [key("j"), key("k", ref="alloc_2")])
    wait_until_blocked(url, waiting, future)
    unit.commit()
    assert future.result(10) == [key("k")]


def test_a_key_that_its_claimant_gave_up_is_ours(
    unit: PostgresUnit, other: PostgresUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    unit.begin()
    other.begin()
    waiting = pid(other)
    unit.claim([key("k")])
    future = threads.submit(other.claim, [key("k", ref="alloc_2")])
    wait_until_blocked(url, waiting, future)
    unit.rollback()
    assert future.result(10) == []
    other.write(Changes(keys=[key("k", ref="alloc_2")]))
    other.commit()
    assert asked(url, "SELECT ref FROM keys") == [("alloc_2",)]


def test_the_keys_of_refused_commands_are_gone_after_commit(unit: PostgresUnit, url: str) -> None:
    unit.begin()
    assert unit.claim([key("accepted"), key("refused")]) == []
    unit.write(Changes(keys=[key("accepted")], keys_unused=[key("refused")]))
    unit.commit()
    assert asked(url, "SELECT key FROM keys") == [("accepted",)]
    unit.begin()
    assert unit.claim([key("refused"), key("accepted")]) == [key("accepted")]


def test_a_batch_of_refusals_alone_leaves_nothing_and_does_not_wait_for_the_disk(
    unit: PostgresUnit, url: str
) -> None:
    begun = unit.begin()
    unit.claim([key("refused")])
    _, created = unit.heads([("a", "{}")], [])
    unit.write(Changes(keys_unused=[key("refused")], heads_unused=created))
    unit.commit()
    assert asked(url, "SELECT pg_xact_status(%s::text::xid8)", begun.xid) == [("aborted",)]
    assert asked(url, "SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM heads)") == [(0,)]


def test_of_equal_keys_in_one_batch_the_first_counts(unit: PostgresUnit, url: str) -> None:
    unit.begin()
    assert unit.claim([key("k", ref="alloc_1"), key("k", ref="alloc_2")]) == []
    unit.commit()
    assert asked(url, "SELECT ref FROM keys") == [("alloc_1",)]


def test_what_an_accepted_command_made_replaces_what_its_claim_said(
    unit: PostgresUnit, url: str
) -> None:
    unit.begin()
    unit.claim([key("k", ref="")])
    unit.write(Changes(keys=[key("k", ref="alloc_7")]))
    unit.commit()
    assert asked(url, "SELECT ref FROM keys") == [("alloc_7",)]


# --- The catalogue's lock and the order of cursors -----------------------------------------------


def test_batches_run_side_by_side_and_a_catalogue_change_waits_for_them(
    unit: PostgresUnit,
    other: PostgresUnit,
    new_unit: NewUnit,
    url: str,
    threads: ThreadPoolExecutor,
) -> None:
    changer = new_unit()
    changer.begin()
    waiting = pid(changer)
    changer.commit()
    unit.begin()
    other.begin()
    future = threads.submit(changer.begin_catalogue)
    wait_until_blocked(url, waiting, future)
    unit.commit()
    other.rollback()
    assert future.result(10).catalogue_version == 1


def test_a_batch_that_waited_for_a_catalogue_change_sees_its_version(
    unit: PostgresUnit, other: PostgresUnit, url: str, threads: ThreadPoolExecutor
) -> None:
    other.begin()
    waiting = pid(other)
    other.commit()
    assert unit.begin_catalogue().catalogue_version == 1
    future = threads.submit(other.begin)
    wait_until_blocked(url, waiting, future)
    unit.execute(schema.state.update().values(catalogue_version=2))
    unit.commit()
    assert future.result(10).catalogue_version == 2


def test_a_reader_below_the_oldest_open_transaction_misses_nothing(
    unit: PostgresUnit, other: PostgresUnit, url: str
) -> None:
    def readable() -> list[int]:
        settled = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        found = asked(url, f"SELECT id, {settled} FROM entries ORDER BY id")
        return [id_ for id_, below in found if unpack(id_).xid < below]

    first, second = unit.begin(), other.begin()
    assert first.epoch == second.epoch == 1
    assert first.xid < second.xid
    other.write(Changes(entries=[entry(second)]))
    other.commit()
    assert readable() == []
    unit.write(Changes(entries=[entry(first)]))
    unit.commit()
    assert readable() == [entry(first)[0], entry(second)[0]]


def test_the_time_is_the_databases_unless_a_clock_is_passed_in(
    unit: PostgresUnit, url: str
) -> None:
    before_us = time.time_ns() // 1000
    now_us = unit.begin().now_us
    assert now_us is not None
    assert before_us - 1_000_000 <= now_us <= time.time_ns() // 1000 + 1_000_000
    with closing(PostgresUnit(url, clock=lambda: 42)) as with_clock:
        assert with_clock.begin().now_us == 42


# --- Errors --------------------------------------------------------------------------------------


def test_an_error_in_what_was_written_leaves_nothing_behind(unit: PostgresUnit, url: str) -> None:
    begun = unit.begin()
    unit.claim([key("k")])
    rows, _ = unit.heads([("a", "{}")], [])
    changes = Changes(
        entries=[entry(begun)],
        placed=[allocation("alloc_a"), allocation("alloc_a")],
        heads=[head(rows[0][0], 0)],
        rollups=[rollup("a")],
    )
    unit.write(changes)
    with pytest.raises(Broken, match="pk_allocations"):
        unit.commit()
    unit.rollback()
    for table in ("entries", "allocations", "heads", "keys", "rollups"):
        assert asked(url, f"SELECT count(*) FROM {table}") == [(0,)], table
    unit.begin()
    unit.write(Changes(entries=[entry(begun)]))
    unit.commit()
    assert asked(url, "SELECT count(*) FROM entries") == [(1,)]


def test_a_version_that_is_not_the_expected_one_stops_the_commit(
    unit: PostgresUnit, url: str
) -> None:
    first, second = created_heads(unit, "a", "b")
    unit.begin()
    unit.heads([], [first, second])
    unit.write(Changes(heads=[head(first, 1), head(second, 2)]))
    with pytest.raises(Broken, match="heads: 1 rows instead of 2"):
        unit.commit()
    unit.rollback()
    assert asked(url, "SELECT DISTINCT version FROM heads") == [(1,)]


def test_a_status_that_is_not_the_expected_one_stops_the_commit(
    unit: PostgresUnit, url: str
) -> None:
    placed(unit, allocation("alloc_a"))
    unit.begin()
    unit.write(Changes(moved=[moved("alloc_a", "expired")]))
    with pytest.raises(Broken, match="allocations: 0 rows instead of 1"):
        unit.commit()
    unit.rollback()
    unit.begin()
    unit.write(Changes(moved=[moved("alloc_a", "open", settled_by="use_1")]))
    unit.commit()
    assert asked(url, "SELECT status, settled_by FROM allocations") == [("settled", "use_1")]


def test_a_question_asked_after_writing_sees_what_was_written_and_its_errors(
    unit: PostgresUnit,
) -> None:
    unit.begin()
    unit.write(Changes(placed=[allocation("alloc_a")]))
    assert [row[0] for row in unit.allocations(["alloc_a"], [])] == ["alloc_a"]
    unit.write(Changes(placed=[allocation("alloc_a")]))
    with pytest.raises(Broken, match="pk_allocations"):
        unit.allocations(["alloc_a"], [])
    with pytest.raises(Broken, match="no transaction"):
        unit.commit()


@pytest.mark.parametrize("word", ["half a pair \ud800", "a NUL \0"], ids=["surrogate", "nul"])
def test_text_that_postgres_cannot_hold_breaks_the_command_and_nothing_else(
    unit: PostgresUnit, word: str
) -> None:

    def write() -> None:
        unit.write(Changes(placed=[allocation(word)]))
        unit.commit()

    attempts: list[Callable[[], object]] = [
        lambda: unit.usage([word]),
        lambda: unit.claim([key(word)]),
        lambda: unit.execute(select(bindparam("word", word))),
        write,
    ]
    for attempt in attempts:
        unit.begin()
        with pytest.raises(Broken):
            attempt()
        unit.rollback()
    unit.begin()
    assert unit.usage(["use_1"]) == []


def test_rows_that_cannot_be_sent_break_the_batch_and_nothing_of_it_stays(
    unit: PostgresUnit, url: str
) -> None:
    unit.begin()
    unit.write(
        Changes(entries=[entry_row(1)], rollups=[rollup("a", records=2**63)], keys=[key("k")])
    )
    with pytest.raises(Broken):
        unit.commit()
    with pytest.raises(Broken):
        unit.commit()
    assert asked(url, "SELECT count(*) FROM entries") == [(0,)]
    unit.begin()
    with pytest.raises(Broken):
        unit.write(Changes(entries=[entry_row(1), entry_row(2)[:-1]]))


def test_of_an_error_and_a_row_that_cannot_be_sent_the_error_is_told(unit: PostgresUnit) -> None:
    unit.begin()
    twice = [allocation("alloc_a"), allocation("alloc_a")]
    unit.write(Changes(placed=twice, rollups=[rollup("a", records=2**63)]))
    with pytest.raises(Broken, match="pk_allocations"):
        unit.commit()


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("40001", Transient), ("40P01", Transient), ("55P03", Transient),
        (None, Unreachable), ("57P01", Unreachable), ("53100", Unreachable),
        ("53300", Unreachable), ("25006", Unreachable), ("08006", Unreachable),
        ("23505", Broken), ("22021", Broken), ("42P01", Broken), ("XX000", Broken),
    ],
)  # fmt: skip
def test_an_error_is_told_apart_by_what_to_do_next(
    sqlstate: str | None, kind: type[StorageError]
) -> None:
    assert type(storage_error(sqlstate, "what it says")) is kind


# --- Connections that break ----------------------------------------------------------------------


def test_a_connection_lost_between_batches_is_replaced_by_the_next_begin(
    unit: PostgresUnit, url: str
) -> None:
    unit.begin()
    victim = pid(unit)
    unit.commit()
    kill(url, victim)
    unit.begin()
    assert pid(unit) != victim


def test_a_connection_lost_before_a_question_is_unreachable_until_the_next_begin(
    unit: PostgresUnit, url: str
) -> None:
    unit.begin()
    unit.claim([key("k")])
    kill(url, pid(unit))
    with pytest.raises(Unreachable):
        unit.heads([("a", "{}")], [])
    with pytest.raises(Unreachable):
        unit.commit()
    unit.rollback()
    unit.begin()
    assert unit.claim([key("k")]) == []


def test_a_connection_lost_before_what_was_written_is_not_an_unknown_commit(
    unit: PostgresUnit, url: str
) -> None:
    begun = unit.begin()
    kill(url, pid(unit))
    unit.write(Changes(entries=[entry(begun)]))
    with pytest.raises(Unreachable):
        unit.commit()
    unit.rollback()
    unit.begin()
    unit.commit()
    assert asked(url, "SELECT count(*) FROM entries") == [(0,)]


def test_a_connection_lost_at_commit_leaves_the_outcome_unknown(
    unit: PostgresUnit, url: str
) -> None:
    unit.begin()
    unit.write(Changes(entries=[entry_row(1)]))
    kill(url, pid(unit))
    with pytest.raises(CommitUnknown):
        unit.commit()
    unit.rollback()
    unit.begin()
    assert unit.entry_legs([1]) == []


def test_a_statement_that_a_migration_outdated_is_transient_once(
    unit: PostgresUnit, url: str
) -> None:
    unit.begin()
    unit.usage(["use_1"])
    unit.commit()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE usage ALTER COLUMN final TYPE integer")
    unit.begin()
    with pytest.raises(Transient):
        unit.usage(["use_1"])
    unit.rollback()
    unit.begin()
    assert unit.usage(["use_1"]) == []


def test_a_database_that_is_read_only_is_unreachable(unit: PostgresUnit, url: str) -> None:
    unit.begin()
    unit.commit()
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    unit.close()
    with pytest.raises(Unreachable):
        unit.begin()


def test_nothing_is_asked_outside_a_transaction(unit: PostgresUnit) -> None:
    unit.begin()
    unit.commit()
    with pytest.raises(Broken):
        unit.due(NOW_US, 1)
    unit.rollback()
    unit.close()
    unit.rollback()


def test_a_server_that_went_away_is_unreachable_until_it_is_back(
    postgres_cluster: Cluster,
) -> None:
    migrate(postgres_cluster.url)
    with closing(PostgresUnit(postgres_cluster.url)) as unit:
        unit.begin()
        unit.write(Changes(entries=[entry_row(1)]))
        unit.commit()
        unit.begin()
        unit.write(Changes(entries=[entry_row(2)]))
        postgres_cluster.stop(crash=True)
        with pytest.raises((Unreachable, CommitUnknown)):
            unit.commit()
        unit.rollback()
        with pytest.raises(Unreachable):
            unit.begin()
        postgres_cluster.start()
        unit.begin()
        assert unit.entry_legs([1, 2]) == [(1, "[]")]


def test_a_server_that_stays_silent_is_given_up(
    unit: PostgresUnit, other: PostgresUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.begin()
    other.claim([key("k")])
    other.write(Changes(rollups=[rollup("a")]))
    assert other.usage(["use_1"]) == []
    monkeypatch.setattr(postgres_wire, "SILENCE_SECONDS", 0.5)  # less than a lock is waited for
    unit.begin()
    served_by = pid(unit)
    with pytest.raises(Unreachable):
        unit.claim([key("k")])
    unit.begin()
    assert pid(unit) != served_by
    unit.write(Changes(rollups=[rollup("a")]))
    with pytest.raises(CommitUnknown):
        unit.commit()


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_whose_standby_was_not_waited_for_is_unknown(
    postgres_cluster: Cluster, threads: ThreadPoolExecutor, end: str
) -> None:
    url = postgres_cluster.url
    migrate(url)
    asked(url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    postgres_cluster.stop()
    postgres_cluster.start()
    with closing(PostgresUnit(url)) as unit:
        unit.begin()
        committing = pid(unit)
        unit.write(Changes(entries=[entry_row(1)]))
        future = threads.submit(unit.commit)
        waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'"
        while not asked(url, waits, committing):
            assert not future.done(), "did not wait for the standby"
            time.sleep(0.01)
        asked(url, f"SELECT {end}(%s)", committing)
        assert isinstance(future.exception(10), CommitUnknown)
        unit.rollback()
        unit.begin()
        assert unit.entry_legs([1]) == [(1, "[]")]


# --- Statements ----------------------------------------------------------------------------------


def test_no_statement_reads_a_table_from_end_to_end(unit: PostgresUnit) -> None:
    values = {"t": "'{}'::text[]", "n": "'{}'::bigint[]", "i": "1"}
    plain = (postgres_sql.BEGIN, postgres_sql.COMMIT, postgres_sql.ROLLBACK)
    unit.begin()
    for statement in postgres_sql.ALL:
        if statement in plain:
            continue
        arguments = ", ".join(values[kind] for kind in statement.parameters)
        call = f"EXPLAIN EXECUTE {statement.name.decode()}"
        plan = unit.execute(text(f"{call} ({arguments})" if arguments else call))
        whole = "\n".join(line for (line,) in plan)
        assert "Seq Scan" not in whole, whole
        assert "ix_allocations_due" not in whole or statement is postgres_sql.DUE, whole


def test_core_statements_run_inside_the_transaction(unit: PostgresUnit, url: str) -> None:
    keys = schema.api_keys
    unit.begin_catalogue()
    columns = {"name": "n", "secret_hash": "h", "scopes": "[]", "created_us": NOW_US}
    unit.execute(insert(keys), [{"key_id": "key_1", **columns}, {"key_id": "key_2", **columns}])
    unit.execute(insert(keys), {"key_id": "key_3", **columns})
    unit.execute(
        keys.update().where(keys.c.key_id == bindparam("which")).values(name="100 % new"),
        {"which": "key_2"},
    )
    named = select(keys.c.key_id, keys.c.name).where(keys.c.key_id.in_(["key_1", "key_2"]))
    assert unit.execute(named.order_by(keys.c.key_id)) == [("key_1", "n"), ("key_2", "100 % new")]
    assert unit.execute(keys.delete().where(keys.c.key_id == "key_1")) == []
    unit.rollback()
    assert asked(url, "SELECT count(*) FROM api_keys") == [(0,)]
    unit.begin()
    with pytest.raises(Broken, match="missing"):
        unit.execute(text("SELECT missing FROM state"))


def test_a_batch_larger_than_the_sockets_buffers_goes_through(unit: PostgresUnit) -> None:
    big = "x" * 100_000
    rows = [entry_row(number, detail=big) for number in range(1, 201)]
    unit.begin()
    unit.write(Changes(entries=rows))
    found: list[list[Row]] = []
    thread = threading.Thread(
        target=lambda: found.append(
            unit.execute(select(func.sum(func.length(schema.entries.c.detail))))
        )
    )
    thread.start()
    thread.join(20)
    assert found == [[(20_000_000,)]]
    unit.commit()
