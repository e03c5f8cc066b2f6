"""Opening a database by its URL: which forms there are, what is made, what is told of it."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, text

from budget.domain.errors import InvalidInput
from budget.storage import schema
from budget.storage.database import Database, open_database
from budget.storage.sqlite_database import SqliteDatabase
from tests.support.rows import key
from tests.support.units import count, migrate, write


@pytest.mark.parametrize(
    "url",
    [
        "", "budget.db", "/tmp/budget.db", "mysql://host/name", "sqlite://budget.db", "sqlite:",
        "sqlite://", "postgresql+psycopg://host/name", "postgresql:name", "http://localhost:8013",
    ],
)  # fmt: skip
def test_a_url_of_another_form_is_refused_and_the_forms_are_listed(url: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        open_database(url)
    assert raised.value.field == "target"
    assert raised.value.allowed == (
        "sqlite:///file.db",
        "sqlite:////folder/file.db",
        "postgresql://user:password@host/name",
    )


@pytest.mark.parametrize("name", ["", ":memory:", "file:memory?mode=memory", "x.db?mode=ro"])
def test_sqlite_needs_a_file_of_its_own(name: str) -> None:
    with pytest.raises(InvalidInput, match="target"):
        open_database(f"sqlite:///{name}")


def test_a_relative_path_is_meant_from_where_the_process_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///books/budget.db")
    monkeypatch.chdir("/")
    database.migrate()
    assert (tmp_path / "books" / "budget.db").stat().st_size > 0
    assert database.describe()["path"] == str(tmp_path / "books" / "budget.db")
    database.close()


def test_an_absolute_path_has_four_slashes(tmp_path: Path) -> None:
    with closing(open_database(f"sqlite:///{tmp_path}/budget.db")) as database:
        assert database.dialect == "sqlite"
        assert database.describe() == {
            "engine": "sqlite",
            "version": sqlite3.sqlite_version,
            "path": f"{tmp_path}/budget.db",
        }


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/b%20ü ;#&dget.db"
    migrate(url)
    with closing(open_database(url)) as database:
        assert count(database, "state") == 1
    assert (tmp_path / "b%20ü ;#&dget.db").is_file()


def test_home_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with closing(open_database("sqlite:///~/budget.db")) as database:
        assert database.describe()["path"] == str(tmp_path / "budget.db")


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="cannot create"):
        open_database(f"sqlite:///{tmp_path}/file/budget.db")
    with pytest.raises(InvalidInput, match="is not a file"):
        open_database(f"sqlite:///{tmp_path}")


def test_what_is_there_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "budget.db"
    file.touch(mode=0o640)
    os.chmod(file, 0o640)
    migrate(f"sqlite:///{file}")
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_password_is_never_told(scheme: str) -> None:
    with closing(open_database(f"{scheme}://ann:s3cret@db.example:5433/books")) as database:
        told = database.describe()
        assert database.dialect == "postgresql"
        assert (told["engine"], told["host"], told["database"]) == (
            "postgresql",
            "db.example",
            "books",
        )
        assert "s3cret" not in repr(told) + repr(database)


def test_a_url_that_postgres_does_not_understand_is_refused_without_quoting_it() -> None:
    with pytest.raises(InvalidInput, match="not a URL that PostgreSQL understands") as raised:
        open_database("postgresql://ann:s3c:ret@/@db:x/books?nonsense=1")
    assert "s3c" not in str(raised.value)


def test_opening_asks_nothing_of_a_server() -> None:
    open_database("postgresql://nowhere.invalid/books").close()


def test_readers_share_a_pool_and_many_threads_may_read(database: Database) -> None:
    with closing(database.unit()) as unit:
        write(unit, keys=[key("a")])
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(count(database, "keys"))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 12


def test_a_closed_database_can_be_read_again(database: Database) -> None:
    assert count(database, "state") == 1
    database.close()
    assert count(database, "state") == 1


def test_readers_follow_when_another_file_takes_the_place(tmp_path: Path) -> None:
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    for file in (one, two):
        migrate(f"sqlite:///{file}")
    with closing(open_database(f"sqlite:///{two}")) as other, closing(other.unit()) as unit:
        write(unit, keys=[key("a")])
    with closing(open_database(f"sqlite:///{one}")) as database:
        assert count(database, "keys") == 0
        two.replace(one)
        assert count(database, "keys") == 1


def test_what_a_query_needs_to_sort_takes_no_room_on_the_disk(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/budget.db")
    assert isinstance(database, SqliteDatabase)
    in_memory = 2
    with closing(database):
        database.migrate()
        with database.engine.connect() as connection:
            assert connection.execute(text("PRAGMA temp_store")).scalar_one() == in_memory
            assert connection.execute(select(schema.state.c.id)).scalar_one() == 1
