"""Answers about the audit log and the proof of the books, as values."""

from dataclasses import dataclass
from typing import Final, NamedTuple

FIRST_SEAL: Final = "0" * 64
"""What the first block is chained to."""


class AuditRecord(NamedTuple):
    """One change: who made it (`actor_name`: the name of the key), and of what.

    `detail` is JSON: what was new, or each field that changed with its old and its new value.
    """

    cursor: int
    at_us: int
    kind: str
    actor: str
    actor_name: str | None
    usage_id: str | None
    budget_id: str | None
    policy_id: str | None
    detail: str


class Violation(NamedTuple):
    """One thing that is not as it must be: which invariant, of what, in one line."""

    invariant: str
    subject: str
    detail: str


class ClockConfirmed(NamedTuple):
    """That somebody confirmed the clock of a process: when, and whether expiry had paused."""

    at_us: int
    was_paused: bool


@dataclass(slots=True)
class Sealed:
    """What was found sealed: blocks, entries in them, and the hash of the last block."""

    blocks: int = 0
    entries: int = 0
    head: str = FIRST_SEAL

    @property
    def anchor(self) -> str | None:
        """The last block, as it may be noted elsewhere."""
        return f"{self.blocks}:{self.head}" if self.blocks else None


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and what is wrong. `count` is all violations, of which some are told."""

    entries: int
    usage_records: int
    allocations: int
    balances: int
    sealed: Sealed
    violations: tuple[Violation, ...]
    count: int

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.count
