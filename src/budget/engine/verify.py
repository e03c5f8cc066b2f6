"""Verify: the books recomputed from the journal and held against every invariant, on a live
database.

One snapshot, four passes over what is long (entries with their seals and with their usage,
allocations with their entries, usage with its rollups), each in chunks: memory grows with balances
and with what is held now, not with the past. Not here: the checks themselves (`audit`).
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Connection, func, select

from budget.domain.answers_audit import Verification, Violation
from budget.domain.errors import InvalidInput
from budget.engine.audit.chain import check_chain
from budget.engine.audit.figures import check_figures
from budget.engine.audit.findings import Findings, stream
from budget.engine.audit.history import read_policies
from budget.engine.audit.lives import Lives
from budget.engine.audit.matching import Matching
from budget.engine.audit.replay import Replay, decode_legs
from budget.engine.audit.rolled import check_rollups
from budget.engine.audit.triggers import check_triggers
from budget.engine.audit.used import Used, check_reversals
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.database import Database

__all__ = ["Verification", "Violation", "verify"]

Progress = Callable[[int, int], None]
"""Told (rows done, rows in all) every few thousand rows."""

TELL_EVERY: Final = 4000
_ANCHOR: Final = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


def verify(
    database: Database, *, anchor: str | None = None, progress: Progress | None = None
) -> Verification:
    """Recompute every balance from the entries and hold the books against their invariants.

    `anchor` is what an earlier verification told as `sealed.head`: that block must still be there.
    """
    noted = None if anchor is None else parse_anchor(anchor)
    findings = Findings()
    with snapshot(database, sorts=True) as connection:
        tell = _Teller(connection, progress)
        check_triggers(connection, findings)
        sealed = check_chain(connection, findings, noted)
        policies = read_policies(connection, findings)
        replay = Replay(connection, policies, findings)
        heads = [(head.id, head.policy, head.partition) for head in replay.heads.values()]
        alike_after = connection.execute(select(schema.state.c.alike_after)).scalar_one()
        matching = Matching(policies, heads, alike_after)
        used = Used(connection, replay.heads, matching, findings)
        entries = tell.each(_read_journal(connection, replay, used))
        check_reversals(connection, findings)
        lives = Lives(connection, matching, replay.backfilled, findings)
        tell.each(lives.check())
        check_figures(connection, replay, lives.holds, findings)
        tell.each(check_rollups(connection, findings))
    return Verification(
        entries=entries,
        usage_records=used.records,
        allocations=lives.allocations,
        balances=len(replay.heads),
        sealed=sealed,
        violations=tuple(findings.violations),
        count=findings.count,
    )


def parse_anchor(text: object) -> tuple[int, str]:
    """The number and the hash of a block, written `12:5feb…`; InvalidInput."""
    found = _ANCHOR.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidInput("anchor", "must be a block's number and hash, such as 12:5fec….")
    return int(found[1]), found[2]


class _Teller:
    """Tells how far the three passes have come, all in all."""

    def __init__(self, connection: Connection, progress: Progress | None) -> None:
        self._progress = progress
        self._done = 0
        self._total = 0
        if progress is not None:
            for table in (schema.entries, schema.allocations, schema.usage):
                self._total += connection.scalar(select(func.count()).select_from(table)) or 0
            progress(0, self._total)

    def each(self, counts: Iterator[int]) -> int:
        """Run one pass, which counts its rows as it goes; how many there were."""
        done = 0
        for done in counts:
            if self._progress is not None:
                self._progress(self._done + done, self._total)
        self._done += done
        return done


def _read_journal(connection: Connection, replay: Replay, used: Used) -> Iterator[int]:
    """Replay all entries, each with the records it booked; how many are done, now and then."""
    table = schema.entries.c
    in_order = select(
        table.id, table.at_us, table.kind, table.allocation_id, table.usage_id, table.legs
    ).order_by(table.id)
    done = 0
    for entry_id, at_us, kind, allocation_id, usage_id, text in stream(connection, in_order):
        legs = [] if text == "[]" else decode_legs(text)
        replay.take(entry_id, at_us, kind, legs)
        used.take(entry_id, kind, allocation_id, usage_id, legs)
        done += 1
        if not done % TELL_EVERY:
            yield done
    replay.finish()
    used.finish()
    yield done
