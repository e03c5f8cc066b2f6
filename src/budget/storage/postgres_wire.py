"""One connection to PostgreSQL, driven through libpq's pipeline: many statements, one round trip.

psycopg connects, decodes rows and names errors; statements go out through its `pq` layer, with
arrays in the binary format that are made here. All hot statements are prepared as the connection
opens. Not here: what the statements say (`postgres_sql`), transactions (`postgres_unit`).
"""

import select
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from budget.storage.errors import Broken, StorageError, Transient, Unreachable
from budget.storage.unit import Row

SILENCE_SECONDS: Final = 20
"""How long an answer may take: longer than the server's own timeouts, so the peer must be dead."""

CONNECT_DEFAULTS: Final[Mapping[str, Any]] = {
    "application_name": "budget",
    "client_encoding": "UTF8",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_SECONDS * 1000,
    "target_session_attrs": "read-write",
}
"""What a connection string leaves open. The last one finds the primary among several hosts."""

# Every table is reached by an index, from an array of at most a few hundred keys: one plan fits all
# sizes, and it must not depend on statistics, which lie while tables are fresh. A batch of 8 takes
# 20-30 % longer with plans of the server's choice; one of 64 as long.
SETTINGS: Final = b"""
SET synchronous_commit = on;
SET lock_timeout = '5s';
SET statement_timeout = '15s';
SET idle_in_transaction_session_timeout = '10s';
SET timezone = 'UTC';
SET jit = off;
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SET max_parallel_workers_per_gather = 0
"""

_TRANSIENT: Final = frozenset({"40001", "40P01", "55P03"})
_STALE: Final = frozenset({"0A000", "26000"})
"""A prepared statement that a migration has outdated, or that a pooler has lost."""
_GONE: Final = frozenset(
    {
        "25006",  # read-only
        "25P03",  # idle in transaction for too long
        "57014",  # statement timeout: too slow to be of use
        "57P01", "57P02", "57P03", "57P05",  # shut down, crashed, starting, idle for too long
    }
)  # fmt: skip
_GONE_CLASSES: Final = frozenset({"08", "53", "58"})
"""Connection, resources (disk, memory, connections), system."""


class Stale(Transient):
    """The connection's prepared statements are of no more use; the next one has new ones."""


class Statement(NamedTuple):
    """A statement to be prepared. `parameters`: a letter each, t text[], n bigint[], i bigint."""

    name: bytes
    sql: str
    parameters: str


class Call(NamedTuple):
    """A statement with its arguments: an array is any sequence of its elements."""

    statement: Statement
    arguments: Sequence[Any] = ()


class Failed(Exception):
    """The call at `place` failed; what came after it was not run.

    `in_doubt`: the last of the calls was sent, and may have been carried out nevertheless.
    """

    def __init__(self, place: int, error: StorageError, *, in_doubt: bool = False) -> None:
        super().__init__(str(error))
        self.place = place
        self.error = error
        self.in_doubt = in_doubt


def storage_error(sqlstate: str | None, message: str) -> StorageError:
    """The error to raise for what PostgreSQL, or libpq itself (no SQLSTATE), reports."""
    text = message.strip()
    if sqlstate is None:
        return Unreachable(text)
    text = f"{text} [{sqlstate}]"
    if sqlstate in _TRANSIENT:
        return Transient(text)
    if sqlstate in _GONE or sqlstate[:2] in _GONE_CLASSES:
        return Unreachable(text)
    return Broken(text)


def driver_error(error: psycopg.Error) -> StorageError:
    """The same for an exception of psycopg's."""
    if error.sqlstate is None and not isinstance(error, psycopg.OperationalError):
        return Broken(str(error))
    return storage_error(error.sqlstate, str(error))


# --- Arguments -----------------------------------------------------------------------------------

# Measured on two cores shared with PostgreSQL 18, fsync on; medians in ms, all told / CPU of this
# thread. Placing: a key, an entry and an allocation each, 6 heads. Settling: usage and a tag, too.
#   a batch of        1            8            64           256
#   placing       1.8 / 0.4    1.7 / 0.5    5.0 / 1.1    15.9 / 3.7
#   settling      1.6 / 0.5    2.9 / 0.7    8.4 / 1.6    28.6 / 6.2
# Inserting 64 allocations alone: binary arrays 1.5 / 0.4, text arrays 2.5 / 0.5, COPY 2.7 / 0.7 (it
# cannot be pipelined), executemany 6.2 / 1.8, JSON 10.4 / 0.6, psycopg's own arrays 12.9 / 8.0.

_header = struct.Struct(">iiIii").pack
_length = struct.Struct(">i").pack
_int8 = struct.Struct(">q").pack
_sized_int8 = struct.Struct(">iq").pack
_NULL: Final = b"\xff\xff\xff\xff"
_TEXT: Final = 25
_BIGINT: Final = 20


@lru_cache(maxsize=1024)
def _int8_packer(count: int) -> Callable[..., bytes]:
    return struct.Struct(">" + "iq" * count).pack


def _int8_array(values: Sequence[int | None]) -> bytes:
    """bigint[] in PostgreSQL's binary format: a size and a value for each element."""
    count = len(values)
    if None in values:
        parts = [_NULL if value is None else _sized_int8(8, value) for value in values]
        return _header(1, 1, _BIGINT, count, 1) + b"".join(parts)
    flat: list[Any] = [8] * (2 * count)
    flat[1::2] = values
    return _header(1, 0, _BIGINT, count, 1) + _int8_packer(count)(*flat)


def _text_array(values: Sequence[str | None]) -> bytes:
    """text[] in PostgreSQL's binary format."""
    parts = [_header(1, 1, _TEXT, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            encoded = value.encode()
            parts += (_length(len(encoded)), encoded)
    return b"".join(parts)


_ENCODERS: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "t": _text_array,
    "n": _int8_array,
    "i": _int8,
}


def _encoded(statement: Statement, arguments: Sequence[Any]) -> list[bytes]:
    """Arguments as they are sent; Broken if one cannot be, such as half a surrogate pair."""
    try:
        return [
            _ENCODERS[kind](argument)
            for kind, argument in zip(statement.parameters, arguments, strict=True)
        ]
    except (UnicodeEncodeError, struct.error, AttributeError, TypeError, ValueError) as error:
        raise Broken(f"{statement.name.decode()}: {error}") from error


# --- The connection ------------------------------------------------------------------------------


class Wire:
    """An open connection with its statements prepared; Unreachable when there is none to be had."""

    def __init__(self, conninfo: str, statements: Sequence[Statement]) -> None:
        self.waited_in_vain = False
        self.connection = _connect(conninfo)
        self._pgconn = self.connection.pgconn
        self._decoder = Transformer(self.connection)
        self.connection.add_notice_handler(self._notice)
        try:
            self._prepare(statements)
        except BaseException:
            self.close()
            raise

    def _prepare(self, statements: Sequence[Statement]) -> None:
        result = self._pgconn.exec_(SETTINGS)
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise Unreachable(str(_error_of(result)))
        self._pgconn.enter_pipeline_mode()
        for statement in statements:
            self._pgconn.send_prepare(statement.name, statement.sql.encode())
        try:
            self._answers(len(statements))
        except Failed as failed:
            name = statements[failed.place].name.decode()
            raise Unreachable(f"{name} does not fit this database: {failed.error}") from failed

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        # A COMMIT whose wait for a standby is cut short succeeds, with a warning in any language.
        if diagnostic.source_function == "SyncRepWaitForLSN":
            self.waited_in_vain = True

    def round_trip(self, calls: Sequence[Call]) -> list[list[Row]]:
        """Run calls in order, stopping at the first that fails (Failed); the rows of each."""
        decoder = self._decoder
        answers: list[list[Row]] = []
        for result in self._run(calls):
            if result.status == pq.ExecStatus.TUPLES_OK and result.ntuples:
                decoder.set_pgresult(result)
                answers.append(decoder.load_rows(0, result.ntuples, tuple))
            else:
                answers.append([])
        return answers

    def run(self, calls: Sequence[Call]) -> str:
        """The same where no rows matter; the command tag of the last, such as "COMMIT"."""
        return (self._run(calls)[-1].command_status or b"").decode()

    def _run(self, calls: Sequence[Call]) -> list[pq.abc.PGresult]:
        pgconn = self._pgconn
        sent = 0
        unsendable: Failed | None = None
        last = False
        try:
            pgconn.enter_pipeline_mode()
            for statement, arguments in calls:
                try:
                    values = _encoded(statement, arguments)
                except Broken as error:
                    unsendable = Failed(sent, error)
                    break
                last = sent == len(calls) - 1
                pgconn.send_query_prepared(
                    statement.name,
                    values,
                    param_formats=[pq.Format.BINARY] * len(values),
                    result_format=pq.Format.BINARY,
                )
                if not last:
                    pgconn.flush()  # it is carried out while the next one is encoded
                sent += 1
        except psycopg.OperationalError as error:
            self.close()
            raise Failed(sent, driver_error(error), in_doubt=last) from error
        if unsendable is None:
            return self._answers(sent)
        try:
            self._answers(sent)
        except Failed as failed:
            failed.in_doubt = False
            raise
        raise unsendable

    def _answers(self, count: int) -> list[pq.abc.PGresult]:
        """Send what is queued, and read one result for each of `count` statements."""
        pgconn = self._pgconn
        results: list[pq.abc.PGresult] = []
        failed: Failed | None = None
        try:
            pgconn.pipeline_sync()
            self._flush()
            while len(results) < count:
                result = self._expect_result()
                if result.status == pq.ExecStatus.FATAL_ERROR and failed is None:
                    failed = _failed(len(results), count, result)
                if pgconn.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection was lost")
                results.append(result)
                if self._next_result() is not None:
                    raise psycopg.OperationalError("more answers than statements")
            if self._expect_result().status != pq.ExecStatus.PIPELINE_SYNC:
                raise psycopg.OperationalError("more answers than statements")
            pgconn.exit_pipeline_mode()
        except psycopg.OperationalError as error:
            if failed is None:
                failed = self._last_words(len(results), count)
            if failed is None:
                failed = Failed(len(results), driver_error(error), in_doubt=True)
            self.close()
            raise failed from error
        except BaseException:  # out of step with the server, and so of no more use
            self.close()
            raise
        if failed is not None:
            if isinstance(failed.error, Stale):
                self.close()
            raise failed
        return results

    def _last_words(self, place: int, count: int) -> Failed | None:
        """Why the server hung up, if it said so before, and in which statement."""
        for _ in range(2 * count + 2):
            try:
                if self._pgconn.is_busy():  # it is there, and merely silent
                    return None
                result = self._pgconn.get_result()
            except psycopg.OperationalError:
                return None
            if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
                return _failed(place, count, result)
            place += result is not None
        return None

    def _flush(self) -> None:
        pgconn = self._pgconn
        if pgconn.flush() == 0:
            return
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
        while pgconn.flush() == 1:
            events = poll.poll(SILENCE_SECONDS * 1000)
            if not events:
                raise psycopg.OperationalError("the server takes nothing more")
            if events[0][1] & ~select.POLLOUT:  # it may not take more before its answers are read
                pgconn.consume_input()

    def _next_result(self) -> pq.abc.PGresult | None:
        pgconn = self._pgconn
        if pgconn.is_busy():
            poll = select.poll()
            poll.register(pgconn.socket, select.POLLIN)
            while pgconn.is_busy():
                if not poll.poll(SILENCE_SECONDS * 1000):
                    raise psycopg.OperationalError("the server does not answer")
                pgconn.consume_input()
        return pgconn.get_result()

    def _expect_result(self) -> pq.abc.PGresult:
        result = self._next_result()
        if result is None:
            raise psycopg.OperationalError("fewer answers than statements")
        return result

    @property
    def is_open(self) -> bool:
        """Whether the connection is of use, as far as is known."""
        return self._pgconn.status == pq.ConnStatus.OK

    @property
    def in_transaction(self) -> bool:
        """Whether the server has a transaction open, failed or not."""
        return self._pgconn.transaction_status != pq.TransactionStatus.IDLE

    def close(self) -> None:
        """Let go; what is not committed is rolled back by the server."""
        self.connection.close()


def _connect(conninfo: str) -> psycopg.Connection[Row]:
    given = conninfo_to_dict(conninfo)
    complete = make_conninfo(**{**CONNECT_DEFAULTS, **given})
    try:
        return psycopg.connect(complete, autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        raise Unreachable(str(error)) from error


def _failed(place: int, count: int, result: pq.abc.PGresult) -> Failed:
    sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE)
    error = _error_of(result)
    if sqlstate is not None and sqlstate.decode() in _STALE:
        error = Stale(str(error))
    # A server that names an error in an earlier statement has not begun with the last one.
    return Failed(place, error, in_doubt=sqlstate is None or place >= count - 1)


def _error_of(result: pq.abc.PGresult) -> StorageError:
    sqlstate = result.error_field(pq.DiagnosticField.SQLSTATE)
    primary = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY)
    message = result.error_message if primary is None else primary
    return storage_error(
        None if sqlstate is None else sqlstate.decode(), message.decode(errors="replace")
    )
