"""Replay: every balance rebuilt from the legs of the journal, leg by leg in the order of its
versions.

Holds I2 (no admission beyond the limit), I4 (nothing negative) and I13 (versions have no gap). Of
each head it keeps the open window, or the live buckets, and one number that stands for all windows
before: a sum of their figures under secret weights, which comes out right only if every figure is
right. Not here: what is stored (`figures`).
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from budget.domain.windows import Window
from budget.engine.audit.findings import Findings, stream
from budget.engine.audit.history import BUCKETS, Policy
from budget.storage import schema

Leg = tuple[int, int, int, int, int, int, int, int | None]
"""(head_id, cell_us, spent, reserved, assumed, overrun, version, limit)."""
Figures = tuple[int, int, int, int]
"""(spent, reserved, assumed, overrun)."""

decode_legs: Final = msgspec.json.Decoder(list[Leg]).decode

ADMISSIONS: Final = frozenset({"placed", "extended"})
BACKFILL: Final = "backfilled"
"""Counts in what was spent and is held already, on a policy that begins: no admission, no usage."""
MAX_PARKED: Final = 10_000
"""Legs of one head that wait for a version before theirs; beyond, that version counts as missing.
"""

_NOTHING: Final = (0, 0, 0, 0)
_SEED: Final = secrets.randbits(61)
_SPENT, _RESERVED, _ASSUMED, _OVERRUN, _CARRY = (secrets.randbits(61) | 1 for _ in range(5))


class Head:
    """One (policy, partition), as far as it has been replayed.

    `cells` has the figures of the open window, or of the live buckets, by their start; `until_us`
    is when the window (the current bucket) ends; `total` is what counts against the limit.
    """

    __slots__ = (
        "carry", "cells", "closed", "id", "last_us", "parked", "partition", "policy", "row",
        "start_us", "total", "until_us", "version",
    )  # fmt: skip

    def __init__(self, row: Any, policy: Policy) -> None:
        self.id: int = row.id
        self.row = row
        self.policy = policy
        self.partition: str = row.partition
        self.version = 0
        self.last_us = 0
        self.start_us = 0
        self.until_us = 0
        self.carry = 0
        self.cells: dict[int, list[int]] = {}
        self.total = 0
        self.closed = 0
        self.parked: dict[int, tuple[int, int, bool, Leg]] = {}

    @property
    def name(self) -> str:
        """How a finding names it."""
        return f"{self.policy.policy_id} {self.partition}"

    @property
    def figures(self) -> Figures:
        """The figures of the open window, or the sums of the live buckets."""
        spent, reserved, assumed, overrun = map(
            sum, zip(*self.cells.values(), _NOTHING, strict=True)
        )
        return spent, reserved, assumed, overrun


def weighed(cell_us: int, figures: Iterable[int], carry: int = 0) -> int:
    """What a closed window adds to its head's sum of closed windows."""
    spent, reserved, assumed, overrun = figures
    weight = hash((_SEED, cell_us)) | 1
    return weight * (
        spent * _SPENT
        + reserved * _RESERVED
        + assumed * _ASSUMED
        + overrun * _OVERRUN
        + carry * _CARRY
    )


class Replay:
    """All heads, replayed as the journal is read; then held against what is stored."""

    def __init__(
        self, connection: Connection, policies: Mapping[str, Policy], findings: Findings
    ) -> None:
        self._connection = connection
        self._findings = findings
        self.heads: dict[int, Head] = {}
        self.backfilled: set[int] = set()
        for row in stream(connection, select(schema.heads)):
            policy = policies.get(row.policy_id)
            if policy is None:
                findings.add("I1", f"head {row.id}", f"its policy {row.policy_id} is not there")
            else:
                self.heads[row.id] = Head(row, policy)

    # --- While the journal is read ---------------------------------------------------------------

    def take(self, entry_id: int, at_us: int, kind: str, legs: Iterable[Leg]) -> None:
        """Replay the legs of one entry; those that come before their turn wait for it."""
        admission = kind in ADMISSIONS
        if kind == BACKFILL:
            self.backfilled.update(leg[0] for leg in legs)
        for leg in legs:
            head = self.heads.get(leg[0])
            if head is None:
                self._findings.add("I1", f"entry {entry_id}", f"has a leg on no head: {leg[0]}")
            elif leg[6] == head.version + 1:
                self._post(head, entry_id, at_us, admission, leg)
                while head.parked and head.version + 1 in head.parked:
                    self._post(head, *head.parked.pop(head.version + 1))
            else:
                self._park(head, entry_id, at_us, admission, leg)

    def _park(self, head: Head, entry_id: int, at_us: int, admission: bool, leg: Leg) -> None:
        """Keep a leg whose turn has not come: entries of other processes may stand in between."""
        version = leg[6]
        if version <= head.version or version in head.parked:
            self._findings.add("I13", head.name, f"version {version} comes again in {entry_id}")
            return
        head.parked[version] = (entry_id, at_us, admission, leg)
        if len(head.parked) > MAX_PARKED:
            self._skip_to_next(head)

    def _skip_to_next(self, head: Head) -> None:
        """Give the missing versions up, and go on with those that wait."""
        following = min(head.parked)
        self._findings.add(
            "I13", head.name, f"versions {head.version + 1} to {following - 1} are in no entry"
        )
        head.version = following - 1
        while head.version + 1 in head.parked:
            self._post(head, *head.parked.pop(head.version + 1))

    def _post(self, head: Head, entry_id: int, at_us: int, admission: bool, leg: Leg) -> None:
        _, cell_us, spent, reserved, assumed, overrun, head.version, limit = leg
        if at_us > head.last_us:
            head.last_us = at_us
        if head.last_us >= head.until_us:
            _turn(head, entry_id)
        cell = head.cells.get(cell_us)
        if cell is None and head.policy.rolling and cell_us >= _oldest_us(head):
            cell = head.cells[cell_us] = [0, 0, 0, 0]
        if cell is not None:
            cell[0] += spent
            cell[1] += reserved
            cell[2] += assumed
            cell[3] += overrun
            head.total += spent + reserved + assumed
            if cell[0] < 0 or cell[1] < 0 or cell[2] < 0:
                subject = f"{head.name} [{cell_us}]"
                self._findings.add("I4", subject, f"{told(cell)} after entry {entry_id}")
        elif not head.policy.rolling:
            head.closed += weighed(cell_us, (spent, reserved, assumed, overrun))
        if overrun and not 0 < overrun <= spent:
            self._findings.add(
                "I4", head.name, f"entry {entry_id} has an overrun of {overrun} for {spent} spent"
            )
        if admission:
            self._check_admission(head, entry_id, reserved, limit)

    def _check_admission(self, head: Head, entry_id: int, amount: int, limit: int | None) -> None:
        policy = head.policy
        if limit is None:
            if policy.hard.as_of(entry_id):
                self._findings.add(
                    "I2", head.name, f"entry {entry_id} was admitted without looking at the limit"
                )
            return
        if amount > 0 and head.total > limit:
            self._findings.add(
                "I2",
                head.name,
                f"entry {entry_id} admitted {amount} to a total of {head.total}, "
                f"over the limit {limit}",
            )
        in_force = policy.limit_in_force(entry_id) + head.carry
        if policy.top_ups:
            window = Window(head.start_us, head.until_us)
            in_force += policy.topped_up(head.partition, window, head.last_us, entry_id)
        if limit != in_force:
            self._findings.add(
                "I2",
                head.name,
                f"entry {entry_id} was admitted under a limit of {limit}, in force was {in_force}",
            )

    # --- Afterwards ------------------------------------------------------------------------------

    def finish(self) -> None:
        """The journal has been read: what still waits for its turn waits for versions not there."""
        for head in self.heads.values():
            while head.parked:
                self._skip_to_next(head)


def _turn(head: Head, entry_id: int) -> None:
    """Go on to the window or the bucket of now."""
    if head.policy.rolling:
        _move_buckets(head)
    else:
        _open_window(head, entry_id)


def _oldest_us(head: Head) -> int:
    """The start of the oldest bucket that counts."""
    return head.start_us - BUCKETS * head.policy.bucket_us


def _move_buckets(head: Head) -> None:
    """Let go of the buckets that leave as the current one begins."""
    head.start_us = head.last_us - head.last_us % head.policy.bucket_us
    head.until_us = head.start_us + head.policy.bucket_us
    for start_us in [start_us for start_us in head.cells if start_us < _oldest_us(head)]:
        spent, reserved, assumed, _ = head.cells.pop(start_us)
        head.total -= spent + reserved + assumed


def _open_window(head: Head, entry_id: int) -> None:
    """Close the open window, and open that of now with what it carries over."""
    policy = head.policy
    window = policy.window(head.partition, head.last_us)
    carry = 0
    if policy.rollover.as_of(entry_id) and window.start_us > policy.created_us:
        before = policy.window(head.partition, window.start_us - 1)
        carry = policy.limit_at(before.end_us - 1, entry_id)
        carry += policy.topped_up(head.partition, before, before.end_us - 1, entry_id)
        if before.start_us in head.cells:
            carry -= head.total
        carry = max(0, min(carry, policy.limit_in_force(entry_id)))
    for start_us, figures in head.cells.items():
        head.closed += weighed(start_us, figures, head.carry)
    head.start_us, head.until_us = window
    head.cells = {head.start_us: [0, 0, 0, 0]}
    head.total = 0
    head.carry = carry


def told(figures: Iterable[int]) -> str:
    """Figures as a finding tells them."""
    spent, reserved, assumed, overrun = figures
    return f"spent {spent}, reserved {reserved}, assumed {assumed}, overrun {overrun}"
