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

_SEED: Final = secrets.randbits(61)
_SPENT, _RESERVED, _ASSUMED, _OVERRUN, _CARRY = (secrets.randbits(61) | 1 for _ in range(5))


class Head:
    """One (policy, partition), as far as it has been replayed."""

    __slots__ = (
        "assumed", "buckets", "carry", "closed", "end_us", "id", "last_us", "overrun", "parked",
        "partition", "policy", "reserved", "row", "spent", "start_us", "version",
    )  # fmt: skip

    def __init__(self, row: Any, policy: Policy) -> None:
        self.id: int = row.id
        self.row = row
        self.policy = policy
        self.partition: str = row.partition
        self.version = 0
        self.last_us = 0
        self.start_us = 0
        self.end_us = 0
        self.spent = 0
        self.reserved = 0
        self.assumed = 0
        self.overrun = 0
        self.carry = 0
        self.buckets: dict[int, list[int]] = {}
        self.closed = 0
        self.parked: dict[int, tuple[int, int, bool, Leg]] = {}

    @property
    def name(self) -> str:
        """How a finding names it."""
        return f"{self.policy.policy_id} {self.partition}"


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
        _, cell_us, spent, reserved, assumed, overrun, head.version, _ = leg
        if at_us > head.last_us:
            head.last_us = at_us
        if overrun and not 0 < overrun <= spent:
            self._findings.add(
                "I4", head.name, f"entry {entry_id} has an overrun of {overrun} for {spent} spent"
            )
        bucket = None
        policy = head.policy
        if policy.rolling:
            bucket_us = head.last_us - head.last_us % policy.bucket_us
            if bucket_us > head.start_us:
                _move_buckets(head, bucket_us)
            if cell_us >= head.start_us - BUCKETS * policy.bucket_us:
                bucket = head.buckets.setdefault(cell_us, [0, 0, 0, 0])
                bucket[0] += spent
                bucket[1] += reserved
                bucket[2] += assumed
                bucket[3] += overrun
        else:
            if head.last_us >= head.end_us:
                _open_window(head, entry_id)
            if cell_us != head.start_us:
                head.closed += weighed(cell_us, (spent, reserved, assumed, overrun))
        if bucket is not None or cell_us == head.start_us:
            head.spent += spent
            head.reserved += reserved
            head.assumed += assumed
            head.overrun += overrun
            lowest = min(head.spent, head.reserved, head.assumed, *(bucket or ()))
            if lowest < 0:
                figures = bucket or (head.spent, head.reserved, head.assumed, head.overrun)
                self._findings.add(
                    "I4", f"{head.name} [{cell_us}]", f"{told(figures)} after entry {entry_id}"
                )
        if admission:
            self._check_admission(head, entry_id, leg)

    def _check_admission(self, head: Head, entry_id: int, leg: Leg) -> None:
        limit, amount, policy = leg[7], leg[3], head.policy
        if limit is None:
            if policy.hard.as_of(entry_id):
                self._findings.add(
                    "I2", head.name, f"entry {entry_id} was admitted without looking at the limit"
                )
            return
        total = head.spent + head.reserved + head.assumed
        if amount > 0 and total > limit:
            self._findings.add(
                "I2",
                head.name,
                f"entry {entry_id} admitted {amount} to a total of {total}, over the limit {limit}",
            )
        in_force = policy.limit_in_force(entry_id) + head.carry
        if policy.top_ups:
            window = Window(head.start_us, head.end_us)
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


def _move_buckets(head: Head, bucket_us: int) -> None:
    """Let go of the buckets that leave as the current one begins."""
    head.start_us = bucket_us
    oldest_us = bucket_us - BUCKETS * head.policy.bucket_us
    for start_us in [start_us for start_us in head.buckets if start_us < oldest_us]:
        spent, reserved, assumed, overrun = head.buckets.pop(start_us)
        head.spent -= spent
        head.reserved -= reserved
        head.assumed -= assumed
        head.overrun -= overrun


def _open_window(head: Head, entry_id: int) -> None:
    """Close the open window, and open that of now with what it carries over."""
    policy = head.policy
    window = policy.window(head.partition, head.last_us)
    carry = 0
    if policy.rollover.as_of(entry_id) and window.start_us > policy.created_us:
        before = policy.window(head.partition, window.start_us - 1)
        carry = policy.limit_at(before.end_us - 1, entry_id)
        carry += policy.topped_up(head.partition, before, before.end_us - 1, entry_id)
        if head.end_us and before.start_us == head.start_us:
            carry -= head.spent + head.reserved + head.assumed
        carry = max(0, min(carry, policy.limit_in_force(entry_id)))
    if head.end_us:
        figures = (head.spent, head.reserved, head.assumed, head.overrun)
        head.closed += weighed(head.start_us, figures, head.carry)
    head.start_us, head.end_us = window
    head.spent = head.reserved = head.assumed = head.overrun = 0
    head.carry = carry


def told(figures: Iterable[int]) -> str:
    """Figures as a finding tells them."""
    spent, reserved, assumed, overrun = figures
    return f"spent {spent}, reserved {reserved}, assumed {assumed}, overrun {overrun}"
