"""Balances: what one (policy, partition) has spent, reserved and assumed, window by window.

A `Balance` is a batch's working copy of one head row. A calendar policy's balance is one open
window plus the closed ones that late facts touch; a rolling policy's is the sum of its live
buckets. Not here: which postings to make (`decide`), or how they are stored (`storage`).
"""

from typing import NamedTuple

from budget.domain.budgets import BPS, Policy
from budget.domain.errors import InvalidInput
from budget.domain.windows import (
    BUCKETS,
    MAX_US,
    Window,
    bucket_start_us,
    leaves_at_us,
)

MAX_BALANCE = 4 * 10**18
"""The most one account of a balance may show: keeps every sum of three inside an int64."""


class Posting(NamedTuple):
    """What one command adds to one cell (a window, or a rolling bucket) of one balance."""

    head_id: int
    cell_us: int
    spent: int
    reserved: int
    assumed: int
    overrun: int = 0


class Cell:
    """The figures of one closed window or one rolling bucket."""

    __slots__ = ("assumed", "carry", "changed", "end_us", "overrun", "reserved", "spent")

    def __init__(
        self,
        spent: int = 0,
        reserved: int = 0,
        assumed: int = 0,
        overrun: int = 0,
        end_us: int = 0,
        carry: int = 0,
        *,
        changed: bool = False,
    ) -> None:
        self.spent = spent
        self.reserved = reserved
        self.assumed = assumed
        self.overrun = overrun
        self.end_us = end_us
        self.carry = carry
        self.changed = changed

    def add(self, spent: int, reserved: int, assumed: int, overrun: int) -> None:
        """Add to every account."""
        self.spent += spent
        self.reserved += reserved
        self.assumed += assumed
        self.overrun += overrun
        if self.spent > MAX_BALANCE:
            raise _overflow()


class Balance:
    """The working copy of one head.

    `spent`, `reserved`, `assumed`, `overrun` are those of the open window, or of all live buckets.
    `cells` holds closed windows by their start (those loaded), or the live buckets by theirs.
    `limit` is the limit in force: the policy's, plus top-ups and the carry. All in the policy's
    unit. `window` is the open window, or the span of the live buckets; `watched_from` the lowest
    of `spent + assumed` at which a threshold may be crossed.
    """

    __slots__ = (
        "assumed", "carry", "cells", "changed", "end_us", "id", "last_us", "limit", "overrun",
        "partition", "policy", "reserved", "spent", "start_us", "version", "watched_from", "window",
    )  # fmt: skip

    def __init__(self, id: int, policy: Policy, partition: str) -> None:
        self.id = id
        self.policy = policy
        self.partition = partition
        self.version = 0
        self.last_us = 0
        self.start_us = 0
        self.end_us = 0
        self.spent = 0
        self.reserved = 0
        self.assumed = 0
        self.overrun = 0
        self.carry = 0
        self.limit = policy.limit
        self.cells: dict[int, Cell] = {}
        self.changed = False
        self.watched_from = 0
        self.window = Window(0, 0)

    @property
    def total(self) -> int:
        """What counts against the limit."""
        return self.spent + self.reserved + self.assumed

    def open(self, now_us: int) -> int:
        """Bring the balance to `now_us`, or to its own last time if that is later; that instant.

        Opens the window (moves the buckets) of now. A window that was left never re-opens.
        """
        now_us = max(now_us, self.last_us)
        policy = self.policy
        if policy.rolling:
            self._move_buckets(bucket_start_us(policy.calendar.period, now_us))
        elif now_us >= self.end_us:
            self._open_window(policy.window_of(self.partition, now_us))
        if policy.rolling:
            width = policy.bucket_us
            self.window = Window(self.start_us - BUCKETS * width, self.start_us + width)
        else:
            self.window = Window(self.start_us, self.end_us)
        self.limit = policy.limit + self.carry
        if policy.top_ups:
            self.limit += policy.topped_up(self.partition, self.window, now_us)
        self.watched_from = max(1, self.limit * policy.warning_bps // BPS)
        self.last_us = now_us
        return now_us

    def _move_buckets(self, bucket_us: int) -> None:
        if bucket_us <= self.start_us:
            return
        self.start_us = bucket_us
        oldest_us = bucket_us - BUCKETS * self.policy.bucket_us
        for start_us in [start for start in self.cells if start < oldest_us]:
            cell = self.cells.pop(start_us)
            self.spent -= cell.spent
            self.reserved -= cell.reserved
            self.assumed -= cell.assumed
            self.overrun -= cell.overrun

    def _open_window(self, window: Window) -> None:
        carry = self._unused_before(window) if self.policy.rollover else 0
        if self.end_us:
            self.cells[self.start_us] = Cell(
                self.spent, self.reserved, self.assumed, self.overrun, self.end_us, self.carry,
                changed=True,
            )  # fmt: skip
        self.start_us, self.end_us = window
        self.spent = self.reserved = self.assumed = self.overrun = 0
        self.carry = carry

    def _unused_before(self, window: Window) -> int:
        """What rolls over into `window` from the one just before it, capped at one limit."""
        policy = self.policy
        if window.start_us <= policy.created_us:
            return 0
        before = policy.window_of(self.partition, window.start_us - 1)
        unused = policy.limit_at(before.end_us - 1)
        unused += policy.topped_up(self.partition, before, before.end_us - 1)
        if before.start_us == self.start_us and self.end_us:
            unused -= self.total
        return max(0, min(unused, policy.limit))

    def is_live(self, cell_us: int) -> bool:
        """Whether a cell counts in the balance of now."""
        if self.policy.rolling:
            return cell_us >= self.start_us - BUCKETS * self.policy.bucket_us
        return cell_us == self.start_us

    def overrun_by(self, cell_us: int, increase: int) -> int:
        """How much of a fact's `increase` of a cell's total lies beyond the limit (hard only)."""
        if increase <= 0 or not self.policy.hard:
            return 0
        if self.policy.rolling or cell_us == self.start_us:
            if not self.is_live(cell_us):
                return 0
            return max(0, min(increase, self.total + increase - self.limit))
        cell = self.cells[cell_us]
        total = cell.spent + cell.reserved + cell.assumed
        return max(0, min(increase, total + increase - self.limit_of(cell_us, cell)))

    def limit_of(self, start_us: int, cell: Cell) -> int:
        """The limit that was in force when a closed window ended."""
        policy = self.policy
        window = Window(start_us, cell.end_us)
        topped_up = policy.topped_up(self.partition, window, cell.end_us - 1)
        return policy.limit_at(cell.end_us - 1) + topped_up + cell.carry

    def post(self, posting: Posting) -> int:
        """Apply a posting; the balance's new version. A bucket that has left takes no effect."""
        version = self.version = self.version + 1
        self.changed = True
        _, cell_us, spent, reserved, assumed, overrun = posting
        if self.policy.rolling:
            if not self.is_live(cell_us):
                return version
            cell = self.cells.get(cell_us)
            if cell is None:
                cell = self.cells[cell_us] = Cell()
            cell.add(spent, reserved, assumed, overrun)
        elif cell_us != self.start_us:
            cell = self.cells[cell_us]
            cell.add(spent, reserved, assumed, overrun)
            cell.changed = True
            return version
        self.reserved += reserved
        if spent:
            self.spent += spent
            if self.spent > MAX_BALANCE:
                raise _overflow()
        if assumed or overrun:
            self.assumed += assumed
            self.overrun += overrun
        return version

    def room(self, priority: int) -> int:
        """How much more a call of this priority could hold; negative when over the limit."""
        limit = self.limit
        if self.policy.reserved_for_priority:
            limit -= self.policy.headroom(priority)
        return limit - self.spent - self.reserved - self.assumed

    def fits_at_us(self, amount: int, priority: int) -> int | None:
        """When `amount`, refused now, would fit if nothing else came; None: no reset cures it."""
        policy = self.policy
        kept = policy.headroom(priority)
        if not policy.rolling:
            if self.end_us >= MAX_US or amount > self._next_limit() - kept:
                return None
            return self.end_us
        used = self.total
        for start_us in sorted(self.cells):
            cell = self.cells[start_us]
            used -= cell.spent + cell.reserved + cell.assumed
            at_us = leaves_at_us(policy.calendar.period, start_us)
            limit = policy.limit + policy.topped_up(self.partition, self.window, at_us)
            if amount <= limit - kept - used:
                return at_us
        return None

    def _next_limit(self) -> int:
        """The limit of the window after the open one, if nothing else comes in this one."""
        policy = self.policy
        window = policy.window_of(self.partition, self.end_us)
        carry = self._unused_before(window) if policy.rollover else 0
        return policy.limit + policy.topped_up(self.partition, window, self.end_us) + carry

    def crossed(self, before: int) -> list[str]:
        """The thresholds that `spent + assumed` has passed since it was `before`."""
        return thresholds_crossed(self.policy, self.limit, before, self.spent + self.assumed)

    def crossed_in(self, posting: Posting) -> list[str]:
        """The thresholds that a posting to a closed window has passed in it."""
        cell = self.cells[posting.cell_us]
        after = cell.spent + cell.assumed
        before = after - posting.spent - posting.assumed
        limit = self.limit_of(posting.cell_us, cell)
        return thresholds_crossed(self.policy, limit, before, after)


def thresholds_crossed(policy: Policy, limit: int, before: int, after: int) -> list[str]:
    """The thresholds between two figures of `spent + assumed`; of a limit of 0 the first unit is
    all of them.
    """
    if after <= before or policy.enforcement == "ignore":
        return []
    return [
        kind
        for kind, bps in (
            ("warning", policy.warning_bps),
            ("action", policy.action_bps),
            ("limit", BPS),
        )
        if before < max(1, -(-limit * bps // BPS)) <= after
    ]


def _overflow() -> InvalidInput:
    return InvalidInput(
        "amount", "would take a balance beyond what it can hold.", code="balance_overflow"
    )
