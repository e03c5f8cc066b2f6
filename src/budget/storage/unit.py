"""The unit of work of a batch: what the ledger asks of a database, whichever it is.

One transaction of the writer: begin, lock and load in one fixed order, write in bulk, commit. Two
implementations on the plain drivers, `sqlite_unit` and `postgres_unit`. Rows are plain tuples in
the order of the columns named here. Not here: decisions, and cold reads (`queries`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple, Protocol

from budget.storage.durability import Durability

Row = tuple[Any, ...]

ALLOCATION_COLUMNS: Final = (
    "id", "status", "actor", "parent_id", "envelope", "attributes", "provider", "model", "session",
    "priority", "placed_us", "expires_us", "ttl_us", "rates", "legs",
    "usd_held", "tokens_held", "requests_held", "usd_left", "tokens_left", "requests_left",
    "usd_first", "tokens_first", "requests_first", "input_tokens", "granted_first", "granted",
    "records", "settled_by", "request_hash", "metadata", "updated_us",
    "bound_tokens", "bound_family", "price_context",
)  # fmt: skip

ALLOCATION_CHANGES: Final = (
    "status", "expires_us", "ttl_us", "legs",
    "usd_held", "tokens_held", "requests_held", "usd_left", "tokens_left", "requests_left",
    "granted", "records", "settled_by", "updated_us",
)  # fmt: skip
"""What an update of an allocation sets; its row ends with the id and the expected status."""

HEAD_COLUMNS: Final = (
    "id", "policy_id", "partition", "version", "last_us", "start_us", "end_us",
    "spent", "reserved", "assumed", "overrun", "carry", "buckets",
)  # fmt: skip

HEAD_CHANGES: Final = (
    "version", "last_us", "start_us", "end_us", "spent", "reserved", "assumed", "overrun", "carry",
    "buckets",
)  # fmt: skip
"""What an update of a head sets; its row ends with the id and the expected version."""

NEW_HEAD: Final = (0, 0, 0, 0, 0, 0, 0, 0, 0, "{}")
"""What HEAD_CHANGES are in a head that was just created."""

WINDOW_COLUMNS: Final = (
    "head_id", "start_us", "end_us", "spent", "reserved", "assumed", "overrun", "carry",
)  # fmt: skip

ENTRY_COLUMNS: Final = (
    "id", "at_us", "kind", "actor", "allocation_id", "usage_id", "budget_id", "policy_id",
    "legs", "detail",
)  # fmt: skip

USAGE_COLUMNS: Final = (
    "id", "allocation_id", "entry_id", "actor", "recorded_us", "occurred_us", "attributes",
    "provider", "model", "session", "task",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "requests",
    "cost_nanos", "reported_cost_nanos", "rates", "flags", "final", "reverses", "replaces",
    "reason", "request_hash", "metadata", "units", "price_context",
)  # fmt: skip

USAGE_TAG_COLUMNS: Final = ("name", "value", "usage_id")

KEY_COLUMNS: Final = ("actor", "act", "key", "request_hash", "ref", "at_us")

SERIES_COLUMNS: Final = (
    "id", "org", "team", "project", "user", "key", "component", "agent",
    "task_type", "tier", "provider", "model",
)  # fmt: skip

ROLLUP_COLUMNS: Final = (
    "grain", "start_us", "series_id", "records", "requests", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_nanos", "unpriced",
)  # fmt: skip
"""`grain` is "hour" or "day"; the row holds what to add. `records` counts reversals as -1."""

ALERT_COLUMNS: Final = (
    "id", "kind", "severity", "policy_id", "partition", "window_us", "at_us", "detail", "entry_id",
)  # fmt: skip
"""One that was raised before is left as it is."""

ALERT_ENTRY_COLUMNS: Final = (*ENTRY_COLUMNS, "alert_id")
"""The entry of an alert, which is written only if the alert was."""


class Begun(NamedTuple):
    """The ledger as a transaction begins; `now_us` is None where the process's clock rules."""

    epoch: int
    xid: int
    catalogue_version: int
    now_us: int | None


@dataclass(slots=True)
class Changes:
    """All that one batch writes, as rows in the orders above."""

    entries: list[Row] = field(default_factory=list)
    placed: list[Row] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)
    heads: list[Row] = field(default_factory=list)
    windows: list[Row] = field(default_factory=list)
    usage: list[Row] = field(default_factory=list)
    usage_tags: list[Row] = field(default_factory=list)
    keys: list[Row] = field(default_factory=list)
    keys_unused: list[Row] = field(default_factory=list)
    series: list[Row] = field(default_factory=list)
    rollups: list[Row] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)
    alert_entries: list[Row] = field(default_factory=list)
    heads_unused: list[int] = field(default_factory=list)


class Unit(Protocol):
    """The writer's own connection. Used by one thread at a time; one transaction at a time.

    Driver errors leave as `storage.errors` classes: Transient (retry the batch), Unreachable (503
    until the database is back; the next `begin` reconnects), CommitUnknown, Broken (run commands
    one by one). After any of them comes `rollback`, which is always allowed; `begin` calls it too.
    """

    interruptible: ClassVar[bool]
    """Whether `rollback` cures it after any exception, as a signal raises one, at any point."""

    def begin(self) -> Begun:
        """Start the transaction, locked against catalogue changes.

        Its `xid` is above that of every transaction that has written anything before.
        """

    def begin_catalogue(self) -> Begun:
        """Start a transaction that may change the catalogue: nobody else is in one."""

    def claim(self, rows: Sequence[Row]) -> list[Row]:
        """Lock idempotency keys (KEY_COLUMNS rows); those that exist already, as stored."""

    def allocations(self, ids: Sequence[str], ending: Sequence[str]) -> list[Row]:
        """Lock and load allocations: those named, their parents, and `ending` with open children.

        Envelopes by id, then all others by id.
        """

    def due(self, now_us: int, most: int) -> list[str]:
        """Ids of open allocations whose expiry has come, oldest first (not locked)."""

    def usage(self, ids: Sequence[str]) -> list[Row]:
        """Usage records by id."""

    def settling_usage(self, allocation_ids: Sequence[str]) -> list[Row]:
        """The final usage records of settled allocations."""

    def reversals(self, usage_ids: Sequence[str]) -> list[Row]:
        """(reversed usage id, reversing usage id) of those records that were reversed."""

    def entry_legs(self, entry_ids: Sequence[int]) -> list[tuple[int, str]]:
        """(id, legs) of entries."""

    def heads(
        self, pairs: Sequence[tuple[str, str]], ids: Sequence[int]
    ) -> tuple[list[Row], list[int]]:
        """Create missing heads of (policy_id, partition) pairs; lock and load all by id.

        Returns HEAD_COLUMNS rows, and the ids of those created now, which have version 0. Call it
        once in a transaction: that is the order of locks.
        """

    def windows(self, keys: Sequence[tuple[int, int]]) -> list[Row]:
        """Closed windows by (head_id, start_us), WINDOW_COLUMNS rows; missing ones are left out."""

    def write(self, changes: Changes) -> None:
        """Write a batch's rows in bulk.

        Broken, here or from `commit`: a head or allocation was not as expected, or a row breaks
        a rule of the schema.
        """

    def execute(self, statement: Any, parameters: Any = None) -> list[Row]:
        """Run one SQLAlchemy Core statement inside the transaction (changes of the catalogue)."""

    def durability(self) -> Durability:
        """What this connection has been told about disks. Within a transaction."""

    def commit(self) -> None:
        """Make it durable. CommitUnknown: it may be. Any other error: nothing was written."""

    def rollback(self) -> None:
        """Give the transaction up; never raises."""

    def close(self) -> None:
        """Let go of the connection."""
