"""The ground the other tests stand on: databases are fresh, the server leaves nothing behind."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import Databases
from tests.support.postgres import (
    URL_VARIABLE,
    Cluster,
    PostgresServer,
    database_name,
)

PREPARED = "CREATE TABLE prepared (word TEXT)"


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(url) as server:
        cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def prepare_in_wal_mode(url: str) -> None:
    if url.startswith("sqlite:///"):
        execute(url, "PRAGMA journal_mode=WAL")
    execute(url, PREPARED)


def test_a_database_answers(database_url: str) -> None:
    assert execute(database_url, "SELECT 1") == [(1,)]


def test_two_fresh_databases_share_no_table(databases: Databases) -> None:
    one, other = databases.new(), databases.new()
    execute(one, "CREATE TABLE mine (number INTEGER)")
    execute(other, "CREATE TABLE mine (number INTEGER)")  # would fail on a shared one
    execute(one, "INSERT INTO mine VALUES (7)")
    assert execute(other, "SELECT count(*) FROM mine") == [(0,)]


def test_a_sqlite_database_is_a_new_file_named_absolutely(sqlite_url: str) -> None:
    assert sqlite_url.startswith("sqlite:////")
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()


def test_a_prepared_database_is_filled_once_and_copied(databases: Databases) -> None:
    filled: list[str] = []

    def prepare(url: str) -> None:
        filled.append(url)
        prepare_in_wal_mode(url)

    one, other = databases.new(prepare), databases.new(prepare)
    execute(one, "INSERT INTO prepared VALUES ('hello')")
    assert execute(one, "SELECT word FROM prepared") == [("hello",)]
    assert execute(other, "SELECT word FROM prepared") == []
    assert len(filled) == 1


def test_a_postgres_that_may_be_crashed_is_durable(postgres_cluster: Cluster) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert execute(postgres_cluster.url, f"SHOW {setting}") == [("on",)]


def test_postgres_hears_no_network(postgres_url: str) -> None:
    if URL_VARIABLE in os.environ:
        pytest.skip(f"{URL_VARIABLE} names a server whose settings are not ours")
    assert execute(postgres_url, "SHOW listen_addresses") == [("",)]


def test_a_dropped_database_is_gone(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    with psycopg.connect(url) as still_connected:
        postgres_server.drop_database(url)
        with pytest.raises(psycopg.OperationalError):
            still_connected.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match=database_name(url)):
        psycopg.connect(url)


def test_a_server_that_crashed_starts_again_with_what_was_committed(
    postgres_cluster: Cluster,
) -> None:
    execute(postgres_cluster.url, "CREATE TABLE kept AS SELECT 42 AS number")
    postgres_cluster.stop(crash=True)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres_cluster.url)
    postgres_cluster.start()
    assert execute(postgres_cluster.url, "SELECT number FROM kept") == [(42,)]


@pytest.mark.postgres
def test_a_server_goes_when_its_parent_is_killed() -> None:
    program = """if True:
        import time
        from tests.support.postgres import PostgresMissing, start_cluster
        try:
            with start_cluster() as cluster:
                print(cluster.folder, flush=True)
                time.sleep(60)
        except PostgresMissing as missing:
            print("missing:", missing, flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as parent:
        assert parent.stdout is not None
        line = parent.stdout.readline().strip()
        parent.send_signal(signal.SIGKILL)
    if line.startswith("missing: "):
        pytest.skip(f"no PostgreSQL: {line.removeprefix('missing: ')}")
    give_up_at = time.monotonic() + 20
    while Path(line).exists():
        assert time.monotonic() < give_up_at, "the server and its folder are still there"
        time.sleep(0.05)
