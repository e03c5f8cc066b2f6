"""Units of work in tests: batches of one kind of row, and questions outside of any batch."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import func, select

from budget.storage import schema
from budget.storage.database import Database, open_database
from budget.storage.errors import Broken
from budget.storage.unit import Changes, Unit

NewUnit = Callable[[], Unit]


def migrate(url: str) -> None:
    """Bring a fresh database up to date; a template for `databases.new`."""
    with closing(open_database(url)) as database:
        database.migrate()


def write(unit: Unit, **rows: Any) -> None:
    """One batch of nothing but these rows."""
    unit.begin()
    unit.write(Changes(**rows))
    unit.commit()


def refused(unit: Unit, **rows: Any) -> None:
    """One batch that must break, sooner or later, and be rolled back."""
    unit.begin()
    with pytest.raises(Broken):
        write_and_commit(unit, **rows)
    unit.rollback()


def write_and_commit(unit: Unit, **rows: Any) -> None:
    """The rest of a batch; PostgreSQL raises only at the end what SQLite raises at once."""
    unit.write(Changes(**rows))
    unit.commit()


def make_heads(unit: Unit, *partitions: str) -> list[int]:
    """Committed heads of pol_1 at version 0; their ids in the order of the partitions."""
    unit.begin()
    rows, _ = unit.heads([("pol_1", partition) for partition in partitions], [])
    unit.commit()
    ids = {row[2]: row[0] for row in rows}
    return [ids[partition] for partition in partitions]


def in_batch(unit: Unit, ask: Callable[[], Any]) -> Any:
    """The answer to a question asked in a transaction of its own."""
    unit.begin()
    answer = ask()
    unit.rollback()
    return answer


def count(database: Database, table: str) -> int:
    """How many rows a table has."""
    with database.engine.connect() as connection:
        rows = select(func.count()).select_from(schema.metadata.tables[table])
        return connection.execute(rows).scalar_one()
