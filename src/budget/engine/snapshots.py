"""Snapshots: one consistent view of the books for a read that takes several queries.

Not here: how each engine gives one (`storage.database`), and the writer's transactions
(`storage.unit`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from budget.domain.errors import Unavailable
from budget.storage.database import Database


@contextmanager
def snapshot(database: Database, *, sorts: bool = False) -> Iterator[Connection]:
    """A connection on which every query sees the books as of one moment; it cannot write.

    `sorts`: for queries that sort whole tables, which SQLite then does on disk, not in memory.
    Unavailable when the database does not answer.
    """
    try:
        with database.engine.connect() as connection:
            if sorts and connection.dialect.name == "sqlite":
                driver: Any = connection.connection.driver_connection
                connection.detach()
                driver.execute("PRAGMA temp_store = FILE")
            yield connection
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise Unavailable(f"The database does not answer ({type(error).__name__}).") from error
