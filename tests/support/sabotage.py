"""Safeties taken out by name, in a child process, for the negative controls of fault tests.

A test that passes says little before it has been seen to fail: each control runs the same test on a
ledger without the safety, and must find the harm.
"""

import threading
import time
from collections.abc import Callable
from typing import Any


def apply(name: str) -> None:
    """Take a safety out of this process."""
    SABOTAGES[name]()


def admit_everything() -> None:
    """Every hard limit has room."""
    from budget.domain.balances import Balance

    Balance.room = lambda *_: 1 << 62  # type: ignore[method-assign]


def forget_locks() -> None:
    """PostgreSQL: balances are read without a lock; the guard on their version stays."""
    _replace_sql("LOCK_HEADS", " FOR UPDATE OF h", "")


def forget_locks_and_versions() -> None:
    """PostgreSQL: balances are read without a lock, and written whatever has happened since."""
    forget_locks()
    _replace_sql("UPDATE_HEADS", ' AND old."version" = new.expected', "")


def lock_in_any_order() -> None:
    """PostgreSQL: balances are locked in an order that differs from batch to batch."""
    _replace_sql("LOCK_HEADS", "ORDER BY h.id", "ORDER BY random()")


def answer_before_commit() -> None:
    """Answers leave 30 ms before the transaction is committed."""
    from budget.engine.writer import Writer

    here = threading.local()
    run_batch: Callable[..., Any] = Writer._run_batch

    def hasty(self: Writer, tickets: list[Any]) -> Any:
        unit: Any = self.unit
        commit = unit.commit

        def late_commit() -> None:
            self._deliver([ticket for ticket in tickets if ticket.answer is not None])
            time.sleep(0.03)
            commit()

        here.unit = unit
        unit.commit = late_commit
        try:
            return run_batch(self, tickets)
        finally:
            unit.commit = commit

    Writer._run_batch = hasty  # type: ignore[method-assign]


def forget_keys() -> None:
    """Idempotency keys of accepted commands are not kept."""
    from budget.engine.batch import Batch

    Batch.take_key = lambda *_: None  # type: ignore[method-assign]


def call_the_unknown_a_failure() -> None:
    """A COMMIT that nobody has answered is said not to have been carried out."""
    from budget.engine.writer import Writer
    from budget.storage.errors import CommitUnknown, Unreachable

    run_batch: Callable[..., Any] = Writer._run_batch

    def sure(self: Writer, tickets: list[Any]) -> Any:
        try:
            return run_batch(self, tickets)
        except CommitUnknown as unknown:
            raise Unreachable(str(unknown)) from unknown

    Writer._run_batch = sure  # type: ignore[method-assign]


def do_not_wait_for_the_disk() -> None:
    """PostgreSQL: COMMIT is answered before the log is on the disk."""
    from budget.storage import postgres_wire

    settings = postgres_wire.SETTINGS.replace(
        b"synchronous_commit = on", b"synchronous_commit = off"
    )
    assert settings != postgres_wire.SETTINGS
    postgres_wire.SETTINGS = settings  # type: ignore[misc]


def fold_often() -> None:
    """SQLite: the log is folded into the file after a few batches. No safety is lost."""
    from budget.storage.sqlite_unit import SqliteUnit

    keywords = SqliteUnit.__init__.__kwdefaults__
    assert keywords is not None
    assert "fold_pages" in keywords
    keywords["fold_pages"] = 40


def go_on_with_an_old_catalogue() -> None:
    """The catalogue is looked at again only after a while, whatever its version."""
    from budget.engine.writer import Writer

    plain: Callable[..., Any] = Writer._catalogue_of
    read_at: dict[int, float] = {}

    def stale(self: Writer, version: int) -> Any:
        if self.catalogue.version and time.monotonic() < read_at.get(id(self), 0.0) + 0.3:
            return self.catalogue
        read_at[id(self)] = time.monotonic()
        return plain(self, version)

    Writer._catalogue_of = stale  # type: ignore[method-assign]


def commit_slowly() -> None:
    """Each batch holds its locks for 30 ms before it commits. No safety is lost."""
    from budget.engine.batch import Batch

    write: Callable[..., Any] = Batch.write

    def slow(self: Batch, claimed: Any) -> Any:
        time.sleep(0.03)
        return write(self, claimed)

    Batch.write = slow  # type: ignore[method-assign]


def forget_what_to_send() -> None:
    """The place of a channel moves on 30 ms before what it is to be told is written down."""
    from sqlalchemy import update

    from budget.engine.beside import transaction
    from budget.engine.channels import outbox
    from budget.storage.schema import channels

    write: Callable[..., None] = outbox._write

    def hasty(database: Any, unit: Any, places: Any, due: Any, *more: Any) -> None:
        upto = more[-1]
        with transaction(unit, database):
            for channel_id in due:
                of = channels.c.channel_id == channel_id
                unit.execute(update(channels).where(of).values(after=upto))
                places[channel_id] = places[channel_id]._replace(stored=upto)
        time.sleep(0.03)
        write(database, unit, places, due, *more)

    outbox._write = hasty  # type: ignore[assignment]


def _replace_sql(name: str, old: str, new: str) -> None:
    from budget.storage import postgres_sql as sql

    statement = getattr(sql, name)
    changed = statement._replace(sql=statement.sql.replace(old, new))
    assert changed != statement, f"{name} no longer says {old!r}"
    sql.ALL = tuple(changed if one is statement else one for one in sql.ALL)  # type: ignore[misc]
    setattr(sql, name, changed)


SABOTAGES: dict[str, Callable[[], None]] = {
    "admit everything": admit_everything,
    "answer before commit": answer_before_commit,
    "call the unknown a failure": call_the_unknown_a_failure,
    "commit slowly": commit_slowly,
    "do not wait for the disk": do_not_wait_for_the_disk,
    "fold often": fold_often,
    "forget keys": forget_keys,
    "forget what to send": forget_what_to_send,
    "go on with an old catalogue": go_on_with_an_old_catalogue,
    "forget locks": forget_locks,
    "forget locks and versions": forget_locks_and_versions,
    "lock in any order": lock_in_any_order,
}
