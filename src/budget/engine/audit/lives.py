"""Lives: every allocation against the entries that tell its life.

I5: it was placed once, ended as its status says, and nothing came after its end. I9: it holds what
its entries held, on every policy or on none. What open and expired ones still hold is added up for
`figures` (I6).
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from budget.engine.audit.findings import Findings, stream
from budget.engine.audit.matching import Matching
from budget.engine.audit.replay import decode_legs
from budget.storage import schema

_FOLLOWS: Final[Mapping[tuple[str, str], str]] = {
    ("", "placed"): "open",
    ("open", "degraded"): "open",
    ("open", "extended"): "open",
    ("open", "recorded"): "open",
    ("open", "settled"): "settled",
    ("open", "released"): "released",
    ("open", "expired"): "expired",
    ("expired", "recorded"): "expired",
    ("expired", "settled"): "settled",
    ("expired", "released"): "released",
    ("released", "recorded"): "released",
    ("released", "settled"): "settled",
    ("settled", "corrected"): "settled",
    ("open", "corrected"): "open",
    ("expired", "corrected"): "expired",
    ("released", "corrected"): "released",
}
"""The status that an entry leaves an allocation in, by the one it finds it in."""

_decode_holds = msgspec.json.Decoder(list[tuple[int, int, int, int, int]]).decode
_e, _a = schema.entries.c, schema.allocations.c
_ENTRIES: Final = (
    select(_e.allocation_id, _e.id, _e.kind, _e.usage_id, _e.legs)
    .where(_e.allocation_id.is_not(None))
    .order_by(_e.allocation_id, _e.id)
)
_ALLOCATIONS: Final = select(
    _a.id, _a.status, _a.envelope, _a.attributes, _a.legs, _a.records, _a.settled_by
).order_by(_a.id)

_RANKS: Final[Mapping[str, int]] = {
    "placed": 0, "degraded": 1, "extended": 1, "recorded": 1, "expired": 2, "released": 3,
    "settled": 4, "corrected": 5,
}  # fmt: skip
"""The order in which every life can be told, where the ids of its entries do not say."""

Event = tuple[str, int, str, str | None, str]
"""(allocation_id, entry_id, kind, usage_id, legs)."""


class Lives:
    """Goes through all allocations with their entries, both in order of their ids."""

    def __init__(
        self,
        connection: Connection,
        matching: Matching,
        backfilled: AbstractSet[int],
        findings: Findings,
    ) -> None:
        self._connection = connection
        self._matching = matching
        self._backfilled = backfilled
        self._findings = findings
        # On PostgreSQL ids follow the beginning of transactions: of two processes, the one that
        # began later may have had the allocation first.
        self._in_order = connection.dialect.name == "sqlite"
        self.allocations = 0
        self.holds: dict[tuple[int, int], tuple[int, int]] = {}

    def check(self) -> Iterator[int]:
        """Check them all; how many are done, now and then."""
        told = groupby(stream(self._connection, _ENTRIES), key=itemgetter(0))
        waiting = next(told, None)
        for row in stream(self._connection, _ALLOCATIONS):
            while waiting is not None and waiting[0] < row.id:
                self._findings.add("I5", waiting[0], "has entries, but is not there")
                waiting = next(told, None)
            events: list[Any] = []
            if waiting is not None and waiting[0] == row.id:
                events = list(waiting[1])
                waiting = next(told, None)
            self._check_life(row, events)
            self._check_legs(row, events)
            self.allocations += 1
            if not self.allocations % 4000:
                yield self.allocations
        while waiting is not None:
            self._findings.add("I5", waiting[0], "has entries, but is not there")
            waiting = next(told, None)
        yield self.allocations

    # --- I5 --------------------------------------------------------------------------------------

    def _check_life(self, row: Any, events: Sequence[Event]) -> None:
        status, odd = _lived(events)
        if odd is not None and not self._in_order and not _contradicted(events):
            status, odd = _lived(sorted(events, key=_rank))
        if odd is not None:
            self._findings.add(
                "I5", row.id, f"entry {odd[1]} ({odd[2]}) came when it was {status or 'not placed'}"
            )
        elif status != row.status:
            self._findings.add(
                "I5", row.id, f"is {row.status}, by its entries {status or 'never placed'}"
            )
        records = 0
        settled_by = None
        for event in events:
            if event[2] == "settled":
                settled_by = event[3]
                records += 1
            elif event[2] == "recorded":
                records += 1
        if records != row.records or settled_by != row.settled_by:
            self._findings.add(
                "I5",
                row.id,
                f"says {row.records} records and settled by {row.settled_by}, "
                f"its entries {records} and {settled_by}",
            )

    # --- I9, and what I6 needs -------------------------------------------------------------------

    def _check_legs(self, row: Any, events: Sequence[Event]) -> None:
        held: dict[int, int] = {}
        heads: set[int] = set()
        for head_id, cell_us, amount, left, from_parent in _decode_holds(row.legs):
            heads.add(head_id)
            if not from_parent:
                held[head_id] = held.get(head_id, 0) + amount
            if left:
                self._hold(row, head_id, cell_us, left)
        given: dict[int, int] = {}
        for _, entry_id, kind, _, text in events:
            if kind in ("placed", "extended"):
                legs = decode_legs(text)
                for leg in legs:
                    given[leg[0]] = given.get(leg[0], 0) + leg[3]
                if kind == "placed":
                    self._check_matched(row, entry_id, {leg[0] for leg in legs}, heads)
            elif kind in ("recorded", "settled"):
                missed = heads - {leg[0] for leg in decode_legs(text)}
                for head_id in missed - self._backfilled:
                    self._findings.add("I9", row.id, f"entry {entry_id} left head {head_id} out")
        if held != given:
            self._tell_legs(row.id, held, given)

    def _hold(self, row: Any, head_id: int, cell_us: int, left: int) -> None:
        """Add up what is still held: reserved while open, assumed once expired, else a mistake."""
        reserved, assumed = self.holds.get((head_id, cell_us), (0, 0))
        if row.status == "open":
            self.holds[head_id, cell_us] = (reserved + left, assumed)
        elif row.status == "expired":
            self.holds[head_id, cell_us] = (reserved, assumed + left)
        else:
            self._findings.add(
                "I6", row.id, f"is {row.status}, but still holds {left} on head {head_id}"
            )

    def _check_matched(self, row: Any, entry_id: int, placed: set[int], heads: set[int]) -> None:
        """A call holds on every policy it met: by a leg of its own, or by one of its envelope's.

        An envelope holds on none whose windows are short, and need not on those that only watch.
        """
        met = self._matching.met(row.attributes, entry_id)
        if placed == met.head_ids:
            return
        for policy, head_id in met.policies:
            if row.envelope and not (policy.holds_envelopes and policy.hard.as_of(entry_id)):
                continue
            if head_id is None or head_id not in heads:
                self._findings.add("I9", row.id, f"was placed without policy {policy.policy_id}")
        for head_id in placed - met.head_ids:
            self._findings.add("I9", row.id, f"was placed on head {head_id}, which it did not meet")

    def _tell_legs(self, id: str, held: dict[int, int], given: dict[int, int]) -> None:
        for head_id in {*held, *given}:
            if head_id in self._backfilled and held.get(head_id, 0) >= given.get(head_id, 0):
                continue  # a leg, or a part of it, came with a policy that counted the past in
            if held.get(head_id) != given.get(head_id):
                self._findings.add(
                    "I9",
                    id,
                    f"on head {head_id} it holds {held.get(head_id, 'nothing')}, "
                    f"its entries held {given.get(head_id, 'nothing')}",
                )


def _lived(events: Sequence[Event]) -> tuple[str, Event | None]:
    """The status after these entries, or the one before the first entry that does not follow."""
    status = ""
    for event in events:
        following = _FOLLOWS.get((status, event[2]))
        if following is None:
            return status, event
        status = following
    return status, None


def _rank(event: Event) -> int:
    return _RANKS.get(event[2], 0)


def _contradicted(events: Sequence[Event]) -> bool:
    """Whether the versions of a balance say that entries came in an order that no life has."""
    moves: dict[int, list[tuple[int, str]]] = {}
    for event in events:
        for leg in decode_legs(event[4]):
            moves.setdefault(leg[0], []).append((leg[6], event[2]))
    for of_head in moves.values():
        latest = 0
        for _, kind in sorted(of_head):
            rank = _RANKS.get(kind, 0)
            late_usage = kind == "recorded" and latest < _RANKS["settled"]
            if rank < latest and not late_usage:
                return True
            if kind != "corrected":
                latest = max(latest, rank)
    return False
