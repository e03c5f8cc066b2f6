"""The unit of work on SQLite: one file, one writer at a time among all processes.

From `begin` to `commit` it holds the file's lock and SQLite's own write lock, so what was read
stays true. A batch that writes nothing costs no fsync. Not here: the statements (`sqlite_sql`), the
file, its lock and its log (`sqlite_file`).
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar

from budget.storage import sqlite_sql as sql
from budget.storage.durability import Durability
from budget.storage.errors import Broken, CommitUnknown, StorageError, Unreachable
from budget.storage.sqlite_errors import REOPEN, code_of, translated
from budget.storage.sqlite_file import (
    FOLD_PAGES,
    LOCK_SECONDS,
    Identity,
    Lock,
    Log,
    connect_writer,
    durability_of,
    identity,
)
from budget.storage.unit import NEW_HEAD, Begun, Changes, Row

P = ParamSpec("P")
T = TypeVar("T")

MAX_SERIES: Final = 10_000
"""Series remembered as stored; the memory is emptied when full."""


def _raising_storage_errors(
    method: Callable[Concatenate["SqliteUnit", P], T],
) -> Callable[Concatenate["SqliteUnit", P], T]:
    """Let what the driver raises leave as one of `storage.errors`."""

    @wraps(method)
    def raising(self: "SqliteUnit", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(self, *args, **kwargs)
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise Broken(str(error)) from error

    return raising


def _envelopes_first(row: Row) -> tuple[int, str]:
    return -row[4], row[0]


class SqliteUnit:
    """The connection of one writer, and the transaction it is in. Used by one thread at a time."""

    interruptible: ClassVar[bool] = True

    def __init__(
        self,
        path: Path,
        clock: Callable[[], int] | None = None,
        *,
        fold_pages: int = FOLD_PAGES,
        wait_seconds: float = LOCK_SECONDS,
    ) -> None:
        """A `clock` (in microseconds) tells `begin` the time; else the process's clock rules.

        `begin` waits so long for other processes that keep the rules, and as long for others.
        """
        self._path = path
        self._name = os.fspath(path)
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._lock = Lock(path)
        self._log = Log(path, fold_pages)
        self._connection: sqlite3.Connection | None = None
        self._identity: Identity | None = None
        self._reopen = False
        self._xid = 0
        self._counted = False
        self._last_head_id: int | None = None
        self._pending_heads: dict[tuple[str, str], int] = {}
        self._series: set[str] = set()
        self._new_series: set[str] = set()

    # --- The transaction -------------------------------------------------------------------------

    def begin(self) -> Begun:
        """Start the transaction. Whoever gets the lock folds the log first if that is due."""
        self.rollback()
        try:
            self._lock.acquire(self._wait_seconds)
            connection = self._connected()
            if self._log.is_due():
                self._log.fold(connection)
            connection.execute(sql.BEGIN)
            row = connection.execute(sql.STATE).fetchone()
            self._log.open()
        except OSError as error:
            self.rollback()
            raise Unreachable(f"the log of {self._path} cannot be read: {error}") from error
        except sqlite3.Error as error:
            reason = str(self._translated(error))
            self.rollback()
            raise Unreachable(reason) from error
        except StorageError:
            self.rollback()
            raise
        if row is None:
            self.rollback()
            raise Unreachable("the table `state` is empty: the database was not migrated")
        epoch, xid, catalogue_version = row
        self._xid = xid + 1
        self._counted = False
        now_us = None if self._clock is None else self._clock()
        return Begun(epoch, self._xid, catalogue_version, now_us)

    def begin_catalogue(self) -> Begun:
        """The same: nobody else is in a transaction anyway."""
        return self.begin()

    def _connected(self) -> sqlite3.Connection:
        """The connection to the file that is there now; a new one if need be. Under the lock."""
        here = identity(self._name)
        if self._reopen or here != self._identity or self._log.was_taken:
            self._disconnect()
        if self._connection is None:
            if here is None:
                raise Unreachable(f"{self._path} is gone")
            if self._identity not in (None, here):
                self._log.set_aside(self._path)
            self._connection = connect_writer(self._path, self._wait_seconds)
            self._identity = here
            self._reopen = False
        return self._connection

    def _disconnect(self) -> None:
        self._log.close()
        self._series.clear()
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _begun(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is None or not connection.in_transaction:
            raise Broken("no transaction was begun, or SQLite has given it up")
        return connection

    @_raising_storage_errors
    def commit(self) -> None:
        """Make it durable, and let others write."""
        connection = self._begun()
        self._store_heads({})
        try:
            connection.execute(sql.COMMIT)
        except sqlite3.Error as error:
            # With SQLITE_FULL the log lacks the end of the transaction: nobody will ever see it.
            nothing_written = connection.in_transaction or code_of(error) == sqlite3.SQLITE_FULL
            unreachable = self._translated(error)
            self._reopen = self._reopen or not nothing_written
            self.rollback()
            if nothing_written:
                raise unreachable from error
            raise CommitUnknown(str(error)) from error
        self._series |= self._new_series
        self._lock.release()

    def rollback(self) -> None:
        """Give the transaction up; never raises."""
        self._pending_heads.clear()
        self._new_series.clear()
        self._last_head_id = None
        connection = self._connection
        if connection is not None and self._lock.held:
            if connection.in_transaction:
                try:
                    connection.execute(sql.ROLLBACK)
                except sqlite3.Error:
                    self._reopen = True
            if self._reopen:
                self._disconnect()
        self._lock.release()

    def close(self) -> None:
        """Let go of the file; the log is folded and emptied if nobody else needs it."""
        self.rollback()
        if self._connection is not None:
            # Without the lock too, the fold at the last close of all harms nobody: nobody is there.
            with contextlib.suppress(Unreachable, sqlite3.Error):
                self._lock.acquire(self._wait_seconds)
                self._log.cut(self._connection)
        self._disconnect()
        self._lock.close()

    def _translated(self, error: sqlite3.Error) -> StorageError:
        if code_of(error) in REOPEN:
            self._reopen = True
        return translated(error)

    # --- Loading ---------------------------------------------------------------------------------

    def claim(self, rows: Sequence[Row]) -> list[Row]:
        """Those of the idempotency keys that exist already, as stored."""
        return self._select(sql.KEYS, list({row[:3] for row in rows}))

    def allocations(self, ids: Sequence[str], ending: Sequence[str]) -> list[Row]:
        """Load allocations, their parents, and open children of `ending`; envelopes first."""
        found = self._by_id(sql.ALLOCATIONS, dict.fromkeys([*ids, *ending]))
        parents = {row[3] for row in found.values() if row[3] is not None} - found.keys()
        if parents:
            found.update(self._by_id(sql.ALLOCATIONS, parents))
        envelopes = [id_ for id_ in dict.fromkeys(ending) if id_ in found and found[id_][4]]
        if envelopes:
            found.update(self._by_id(sql.OPEN_CHILDREN, envelopes))
        return sorted(found.values(), key=_envelopes_first)

    @_raising_storage_errors
    def due(self, now_us: int, most: int) -> list[str]:
        """Ids of open allocations whose expiry has come, oldest first."""
        return [id_ for (id_,) in self._begun().execute(sql.DUE, (now_us, most))]

    def usage(self, ids: Sequence[str]) -> list[Row]:
        """Usage records by id."""
        return list(self._by_id(sql.USAGE, dict.fromkeys(ids)).values())

    def settling_usage(self, allocation_ids: Sequence[str]) -> list[Row]:
        """The final usage records of settled allocations."""
        return list(self._by_id(sql.SETTLING_USAGE, dict.fromkeys(allocation_ids)).values())

    def reversals(self, usage_ids: Sequence[str]) -> list[Row]:
        """(reversed usage id, reversing usage id) of those records that were reversed."""
        return list(self._by_id(sql.REVERSALS, dict.fromkeys(usage_ids)).values())

    def entry_legs(self, entry_ids: Sequence[int]) -> list[tuple[int, str]]:
        """(id, legs) of entries."""
        found = self._by_id(sql.ENTRY_LEGS, dict.fromkeys(entry_ids))
        return [(id_, legs) for id_, legs in found.values()]

    def heads(
        self, pairs: Sequence[tuple[str, str]], ids: Sequence[int]
    ) -> tuple[list[Row], list[int]]:
        """Load heads by id, with ids for the missing ones, which `write` or `commit` will create.

        So a call that is refused in a partition of its own leaves nothing to write.
        """
        wanted = dict.fromkeys(pairs)
        found = {row[0]: row for row in self._select(sql.HEADS_BY_PAIR, list(wanted))}
        for row in found.values():
            del wanted[row[1], row[2]]
        created = []
        for pair in sorted(wanted):
            id_ = self._pending_heads.get(pair)
            if id_ is None:
                id_ = self._pending_heads[pair] = self._next_head_id()
                created.append(id_)
            found[id_] = (id_, *pair, *NEW_HEAD)
        found.update(self._by_id(sql.HEADS_BY_ID, [id_ for id_ in ids if id_ not in found]))
        return [found[id_] for id_ in sorted(found)], created

    @_raising_storage_errors
    def _next_head_id(self) -> int:
        if self._last_head_id is None:
            (self._last_head_id,) = self._begun().execute(sql.LAST_HEAD).fetchone()
        assert self._last_head_id is not None
        self._last_head_id += 1
        return self._last_head_id

    def windows(self, keys: Sequence[tuple[int, int]]) -> list[Row]:
        """Closed windows by (head_id, start_us); missing ones are left out."""
        return self._select(sql.WINDOWS, list(dict.fromkeys(keys)))

    def _by_id(self, statement: sql.Sizes, ids: Iterable[Any]) -> dict[Any, Row]:
        return {row[0]: row for row in self._select(statement, [(id_,) for id_ in ids])}

    @_raising_storage_errors
    def _select(self, statement: sql.Sizes, keys: Sequence[Row]) -> list[Row]:
        """The rows of each wanted key (each given once), in any order."""
        connection = self._begun()
        rows: list[Row] = []
        if len(keys) == 1:
            return connection.execute(statement[1], keys[0]).fetchall()
        most = max(statement)
        for start in range(0, len(keys), most):
            some = list(keys[start : start + most])
            size = min(size for size in statement if size >= len(some))
            some += [(None,) * len(some[0])] * (size - len(some))  # which finds nothing
            rows += connection.execute(statement[size], list(chain.from_iterable(some))).fetchall()
        return rows

    # --- Writing ---------------------------------------------------------------------------------

    @_raising_storage_errors
    def write(self, changes: Changes) -> None:
        """Write a batch's rows. Nothing is done for keys unused: they were not stored."""
        connection = self._begun()
        done = connection.total_changes
        self._insert(sql.INSERT_ENTRIES, changes.entries)
        self._insert(sql.INSERT_ALLOCATIONS, changes.placed)
        self._change("allocations", sql.UPDATE_ALLOCATIONS, changes.moved)
        self._insert(sql.INSERT_USAGE, changes.usage)
        self._insert(sql.INSERT_USAGE_TAGS, changes.usage_tags)
        self._insert(sql.INSERT_KEYS, changes.keys)
        self._write_heads(changes)
        self._insert(sql.UPSERT_WINDOWS, changes.windows)
        self._add_series(changes.series)
        self._insert(sql.ADD_ROLLUPS, changes.rollups)
        self._insert(sql.ADD_ALERTS, changes.alerts)
        self._insert(sql.TELL_ALERTS, changes.alert_entries)
        if connection.total_changes != done and not self._counted:
            self._change("state", {1: sql.COUNT_UP}, [(self._xid, self._xid - 1)])
            self._counted = True

    def _add_series(self, rows: Sequence[Row]) -> None:
        """Add those that this connection has not seen there: series are never removed."""
        new = [row for row in rows if row[0] not in self._series]
        if len(self._series) > MAX_SERIES:
            self._series.clear()
        self._insert(sql.ADD_SERIES, new)
        self._new_series.update(row[0] for row in new)

    def _write_heads(self, changes: Changes) -> None:
        """Update heads, and create those that were promised, unless they turned out unused."""
        pairs = {id_: pair for pair, id_ in self._pending_heads.items()}
        new = {}
        updates = []
        for row in changes.heads:
            if row[-2] not in pairs:
                updates.append(row)
            elif row[-1] == 0:
                new[row[-2]] = row[:-2]
            else:
                raise Broken(f"heads: a new one is expected to have version {row[-1]}")
        for id_ in changes.heads_unused:
            if id_ in pairs:
                del self._pending_heads[pairs[id_]]
        self._store_heads(new)
        self._change("heads", sql.UPDATE_HEADS, updates)
        unused = [(id_,) for id_ in changes.heads_unused if id_ not in pairs]
        self._change("heads", sql.DELETE_HEADS, unused)

    def _store_heads(self, figures: dict[int, Row]) -> None:
        if self._pending_heads:
            rows = [
                (id_, *pair, *figures.get(id_, NEW_HEAD))
                for pair, id_ in self._pending_heads.items()
            ]
            self._insert(sql.INSERT_HEADS, rows)
            self._pending_heads.clear()

    def _insert(self, statement: sql.Sizes, rows: Sequence[Row]) -> None:
        if rows:
            self._run(statement, rows)

    def _change(self, table: str, statement: sql.Sizes, rows: Sequence[Row]) -> None:
        """Run a statement that must meet as many rows as it is given."""
        if rows:
            met = self._run(statement, rows)
            if met != len(rows):
                raise Broken(f"{table}: {met} rows instead of {len(rows)}")

    def _run(self, statement: sql.Sizes, rows: Sequence[Row]) -> int:
        """Run a statement over rows, as many at a time as it has texts for; the rows it met."""
        connection = self._begun()
        met = 0
        at = 0
        for size, text in statement.items():
            if size == 1:
                if at == len(rows) - 1:
                    met += connection.execute(text, rows[at]).rowcount
                elif at < len(rows):
                    met += connection.executemany(text, rows[at:]).rowcount
                break
            while len(rows) - at >= size:
                flat = list(chain.from_iterable(rows[at : at + size]))
                met += connection.execute(text, flat).rowcount
                at += size
        return met

    @_raising_storage_errors
    def durability(self) -> Durability:
        """What this connection has been told about disks: a log that is synced at each commit."""
        return durability_of(self._begun())

    @_raising_storage_errors
    def execute(self, statement: Any, parameters: Any = None) -> list[Row]:
        """Run one SQLAlchemy Core statement inside the transaction."""
        connection = self._begun()
        self._store_heads({})
        text, arguments = _compiled(statement, parameters)
        if isinstance(arguments, list):
            connection.executemany(text, arguments)
            return []
        cursor = connection.execute(text, arguments)
        return cursor.fetchall() if cursor.description else []


def _compiled(statement: Any, parameters: Any) -> tuple[str, Any]:
    """A statement's text with named parameters, and their values: a list if many are given."""
    from sqlalchemy.dialects.sqlite import dialect

    many = isinstance(parameters, list | tuple)
    first = parameters[0] if many and parameters else None if many else parameters
    compiled = statement.compile(
        dialect=dialect(paramstyle="named"),
        column_keys=list(first) if first else None,
        for_executemany=many,
        compile_kwargs={"render_postcompile": True},
    )
    if many:
        return str(compiled), [compiled.construct_params(one) for one in parameters]
    return str(compiled), compiled.construct_params(parameters)
