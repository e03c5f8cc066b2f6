"""The unit of work on PostgreSQL: locks, loads and writes of a batch in about five round trips.

The rows that `write` is given leave together with COMMIT, so what the database has against them is
raised by `commit`. Not here: the statements (`postgres_sql`), the connection (`postgres_wire`).
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import psycopg

from budget.storage import postgres_sql as sql
from budget.storage.durability import Durability
from budget.storage.errors import Broken, CommitUnknown, StorageError, Transient, Unreachable
from budget.storage.postgres_wire import Call, Failed, Statement, Wire, driver_error
from budget.storage.unit import Begun, Changes, Row

_SYNCED: Final = frozenset({"on", "remote_apply", "remote_write", "local"})
"""Values of synchronous_commit with which a commit waits for this server's disk."""
_SQLALCHEMY_SCHEME: Final = "postgresql+psycopg://"


class PostgresUnit:
    """The connection of one writer, and the transaction it is in. Used by one thread at a time."""

    interruptible: ClassVar[bool] = False

    def __init__(self, conninfo: str, clock: Callable[[], int] | None = None) -> None:
        """`conninfo` is a URL or a libpq string; a `clock` (us) stands in for the database's."""
        self._conninfo = conninfo.replace(_SQLALCHEMY_SCHEME, "postgresql://", 1)
        self._clock = clock
        self._wire: Wire | None = None
        self._queued: list[Call] = []
        self._clearing: list[Call] = []
        self._claimed: dict[Row, Row] = {}
        self._created: set[int] = set()
        self._wrote = False

    # --- The transaction -------------------------------------------------------------------------

    def begin(self) -> Begun:
        """Start the transaction, locked against catalogue changes."""
        return self._begin(sql.SHARE_CATALOGUE)

    def begin_catalogue(self) -> Begun:
        """Start a transaction that may change the catalogue: nobody else is in one."""
        return self._begin(sql.OWN_CATALOGUE)

    def _begin(self, lock: Statement) -> Begun:
        self.rollback()
        kept = self._wire is not None
        try:
            try:
                return self._begin_once(lock)
            except Unreachable:
                if not kept or (self._wire is not None and self._wire.is_open):
                    raise
                # Lost since the last batch, and this one has not done anything yet.
                return self._begin_once(lock)
        except StorageError:
            self.rollback()
            raise

    def _begin_once(self, lock: Statement) -> Begun:
        if self._wire is None or not self._wire.is_open:
            self._wire = Wire(self._conninfo, sql.ALL)
        calls = [Call(sql.BEGIN), Call(lock), Call(sql.STATE)]
        try:
            _, _, rows = self._wire.round_trip(calls)
        except Failed as failed:
            raise failed.error from failed
        if not rows:
            raise Unreachable("the table `state` is empty: the database was not migrated")
        begun = Begun(*rows[0])
        return begun if self._clock is None else begun._replace(now_us=self._clock())

    def commit(self) -> None:
        """Send what was written and make it durable.

        Broken, Transient or Unreachable: a statement failed, and COMMIT was not carried out.
        CommitUnknown: nobody knows, or the standby that was to have it too does not.
        """
        wire = self._wire_in_use()
        if not (self._wrote or self._claimed or self._created):
            self.rollback()  # nothing to keep, and so nothing to wait for the disk for
            return
        calls = [*self._take_queued(), Call(sql.COMMIT)]
        wire.waited_in_vain = False
        try:
            tag = wire.run(calls)
        except Failed as failed:
            self.rollback()
            if failed.in_doubt:
                raise CommitUnknown(str(failed.error)) from failed
            raise failed.error from failed
        if tag != "COMMIT":  # as after a statement that failed
            raise Broken(f"COMMIT was answered with {tag}: nothing was written")
        if wire.waited_in_vain:
            raise CommitUnknown("committed here, but the standby was not waited for")

    def rollback(self) -> None:
        """Give the transaction up; never raises."""
        self._take_queued()
        self._claimed = {}
        self._created = set()
        self._wrote = False
        wire = self._wire
        if wire is None:
            return
        if wire.is_open and wire.in_transaction:
            try:
                wire.run([Call(sql.ROLLBACK)])
            except Failed:
                wire.close()
        if not wire.is_open:
            self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _wire_in_use(self) -> Wire:
        if self._wire is None or not self._wire.is_open:
            raise Unreachable("the connection was lost")
        if not self._wire.in_transaction:
            raise Broken("no transaction was begun")
        return self._wire

    def _ask(self, *calls: Call) -> list[list[Row]]:
        """The rows of each call, after whatever was to be written before.

        What fails ends the transaction: nothing of it can be committed any more.
        """
        wire = self._wire_in_use()
        queued = self._take_queued()
        try:
            return wire.round_trip([*queued, *calls])[len(queued) :]
        except Failed as failed:
            self.rollback()
            raise failed.error from failed

    def _take_queued(self) -> list[Call]:
        calls = self._queued + self._clearing
        self._queued = []
        self._clearing = []
        return calls

    # --- Loading ---------------------------------------------------------------------------------

    def claim(self, rows: Sequence[Row]) -> list[Row]:
        """Lock idempotency keys; those that exist already, as stored.

        Waits for a transaction that holds the same key. Of rows with the same key the first counts.
        """
        wanted: dict[Row, Row] = {}
        for row in rows:
            wanted.setdefault(row[:3], row)
        stored: list[Row] = []
        while wanted:
            (made,) = self._ask(_rows(sql.CLAIM_KEYS, list(wanted.values())))
            for key in made:
                self._claimed[key] = wanted.pop(key)
            if wanted:
                (found,) = self._ask(_rows(sql.KEYS, list(wanted)))
                for row in found:
                    del wanted[row[:3]]
                stored += found
            # What was neither made nor found has been cleaned up in between.
        return stored

    def allocations(self, ids: Sequence[str], ending: Sequence[str]) -> list[Row]:
        """Lock and load allocations, their parents, and open children of `ending`.

        Envelopes first. Transient: one of them was placed, under its parent, at this very moment.
        """
        if not ids and not ending:
            return []
        named = list({**dict.fromkeys(ids), **dict.fromkeys(ending)})
        envelopes, calls = self._ask(
            Call(sql.LOCK_ENVELOPES, (named,)), Call(sql.LOCK_CALLS, (named, ending))
        )
        parents = {row[0] for row in envelopes}
        if any(row[3] is not None and row[3] not in parents for row in calls):
            raise Transient("a child was placed between the two locks")
        return envelopes + calls

    def due(self, now_us: int, most: int) -> list[str]:
        """Ids of open allocations whose expiry has come, oldest first (not locked)."""
        (rows,) = self._ask(Call(sql.DUE, (now_us, most)))
        return [id_ for (id_,) in rows]

    def usage(self, ids: Sequence[str]) -> list[Row]:
        """Usage records by id."""
        return self._ask(Call(sql.USAGE, (ids,)))[0] if ids else []

    def settling_usage(self, allocation_ids: Sequence[str]) -> list[Row]:
        """The final usage records of settled allocations."""
        if not allocation_ids:
            return []
        return self._ask(Call(sql.SETTLING_USAGE, (allocation_ids,)))[0]

    def reversals(self, usage_ids: Sequence[str]) -> list[Row]:
        """(reversed usage id, reversing usage id) of those records that were reversed."""
        return self._ask(Call(sql.REVERSALS, (usage_ids,)))[0] if usage_ids else []

    def entry_legs(self, entry_ids: Sequence[int]) -> list[tuple[int, str]]:
        """(id, legs) of entries."""
        if not entry_ids:
            return []
        (rows,) = self._ask(Call(sql.ENTRY_LEGS, (entry_ids,)))
        return [(id_, legs) for id_, legs in rows]

    def heads(
        self, pairs: Sequence[tuple[str, str]], ids: Sequence[int]
    ) -> tuple[list[Row], list[int]]:
        """Create missing heads; lock and load all by id.

        Waits for a transaction that is creating the same head. Called once in a transaction it
        keeps the lock order.
        """
        if not pairs:
            if not ids:
                return [], []
            (rows,) = self._ask(Call(sql.LOCK_HEADS, ((), (), ids)))
            return rows, []
        policies, partitions = zip(*dict.fromkeys(pairs), strict=True)
        created, rows = self._ask(
            Call(sql.CREATE_HEADS, (policies, partitions)),
            Call(sql.LOCK_HEADS, (policies, partitions, ids)),
        )
        ids_created = [id_ for (id_,) in created]
        self._created.update(ids_created)
        return rows, ids_created

    def windows(self, keys: Sequence[tuple[int, int]]) -> list[Row]:
        """Closed windows by (head_id, start_us); missing ones are left out."""
        return self._ask(_rows(sql.WINDOWS, list(dict.fromkeys(keys))))[0] if keys else []

    # --- Writing ---------------------------------------------------------------------------------

    def write(self, changes: Changes) -> None:
        """Take a batch's rows; they leave with the next question or COMMIT, which raises for them.

        What other processes may be waiting for comes last: series, rollups and alerts. What was
        claimed or created in vain is removed, or never committed if there is nothing else.
        """
        self._wire_in_use()
        new_keys = [row for row in changes.keys if row[:3] not in self._claimed]
        changed_keys = [row for row in changes.keys if self._claimed.get(row[:3], row) != row]
        self._queue(sql.INSERT_ENTRIES, changes.entries)
        self._queue(sql.INSERT_ALLOCATIONS, changes.placed)
        self._queue_checked(sql.UPDATE_ALLOCATIONS, changes.moved)
        self._queue(sql.INSERT_USAGE, changes.usage)
        self._queue(sql.INSERT_USAGE_TAGS, changes.usage_tags)
        self._queue(sql.INSERT_KEYS, new_keys)
        self._queue_checked(sql.UPDATE_KEYS, [row[3:] + row[:3] for row in changed_keys])
        self._queue_checked(sql.UPDATE_HEADS, changes.heads)
        self._queue(sql.UPSERT_WINDOWS, changes.windows)
        self._queue(sql.ADD_SERIES, changes.series)
        self._queue(sql.ADD_ROLLUPS, _summed(changes.rollups))
        self._queue(sql.ADD_ALERTS, changes.alerts)
        self._queue(sql.TELL_ALERTS, changes.alert_entries)
        self._clear(changes)

    def _clear(self, changes: Changes) -> None:
        """Take back the keys claimed and the heads created for commands that were refused."""
        keys = [row[:3] for row in changes.keys_unused if self._claimed.pop(row[:3], None)]
        if keys:
            self._clearing.append(_rows(sql.DELETE_KEYS, keys, len(keys)))
        ids = changes.heads_unused
        if ids:
            self._wrote = self._wrote or not self._created.issuperset(ids)
            self._created.difference_update(ids)
            self._clearing.append(Call(sql.DELETE_HEADS, (ids, len(ids))))

    def _queue(self, statement: Statement, rows: Sequence[Row]) -> None:
        if rows:
            self._wrote = True
            self._queued.append(_rows(statement, rows))

    def _queue_checked(self, statement: Statement, rows: Sequence[Row]) -> None:
        """The same with a statement that fails unless it meets as many rows as are given."""
        if rows:
            self._wrote = True
            self._queued.append(_rows(statement, rows, len(rows)))

    def durability(self) -> Durability:
        """What this connection and its server have been told about disks."""
        from sqlalchemy import func, select

        names = ("synchronous_commit", "fsync", "full_page_writes")
        ((commit, fsync, pages),) = self.execute(select(*map(func.current_setting, names)))
        told = {"synchronous_commit": commit, "fsync": fsync, "full_page_writes": pages}
        return Durability(told, commit in _SYNCED and fsync == "on" and pages == "on")

    def execute(self, statement: Any, parameters: Any = None) -> list[Row]:
        """Run one SQLAlchemy Core statement inside the transaction."""
        wire = self._wire_in_use()
        if self._queued or self._clearing:
            self._ask()
        self._wrote = True
        text, arguments = _compiled(statement, parameters)
        try:
            with wire.connection.cursor() as cursor:
                if isinstance(arguments, list):
                    cursor.executemany(text, arguments)
                else:
                    cursor.execute(text, arguments)
                return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            self.rollback()
            raise driver_error(error) from error
        except UnicodeEncodeError as error:
            self.rollback()
            raise Broken(str(error)) from error


def _rows(statement: Statement, rows: Sequence[Row], *more: Any) -> Call:
    """A call of a statement with an array for each column of `rows`."""
    try:
        columns = list(zip(*rows, strict=True))
    except ValueError as error:
        raise Broken(f"{statement.name.decode()}: {error}") from error
    return Call(statement, (*columns, *more))


def _summed(rollups: Sequence[Row]) -> Sequence[Row]:
    """Rollups with the figures of equal keys added up: one statement may meet a row only once."""
    if len({row[:3] for row in rollups}) == len(rollups):
        return rollups
    sums: dict[Row, Row] = {}
    for row in rollups:
        before = sums.get(row[:3])
        if before is not None:
            row = row[:3] + tuple(a + b for a, b in zip(before[3:], row[3:], strict=True))
        sums[row[:3]] = row
    return list(sums.values())


def _compiled(statement: Any, parameters: Any) -> tuple[Any, Any]:
    """A statement's text and parameters, as psycopg takes them."""
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

    many = isinstance(parameters, (list, tuple))
    first = parameters[0] if many and parameters else None if many else parameters
    compiled = statement.compile(
        dialect=PGDialect_psycopg(),  # type: ignore[no-untyped-call]
        column_keys=list(first) if first else None,
        for_executemany=many,
        compile_kwargs={"render_postcompile": True},
    )
    if many:
        return str(compiled), [compiled.construct_params(one) for one in parameters]
    return str(compiled), compiled.construct_params(parameters)
