"""Housekeeping: what the ledger does beside deciding: clock, refusals, old keys."""

import time
from typing import Final, NamedTuple

from sqlalchemy import delete, select, tuple_

from budget.domain.balances import Balance
from budget.engine.batch import Batch
from budget.engine.raising import AlertSubject
from budget.storage.schema import keys

JUMP_US: Final = 5 * 60_000_000
KEPT_US: Final = 30 * 86_400_000_000
MAX_PRUNED: Final = 20_000
STEADY_SECONDS: Final = 300.0
MAX_REFUSERS: Final = 10_000
MAX_ALERTED: Final = 50_000


def prune_keys(batch: Batch) -> None:
    """Forget idempotency keys of more than 30 days ago, so many at a time as a batch can bear."""
    oldest = batch.unit.execute(select(keys.c.at_us).order_by(keys.c.at_us).limit(1))
    kept_from_us = batch.now_us - KEPT_US
    if not oldest or oldest[0][0] >= kept_from_us:
        return
    name = tuple_(keys.c.actor, keys.c.act, keys.c.key)
    old = (
        select(keys.c.actor, keys.c.act, keys.c.key)
        .where(keys.c.at_us < kept_from_us)
        .order_by(keys.c.at_us)
        .limit(MAX_PRUNED)
    )
    batch.unit.execute(delete(keys).where(name.in_(old)))


class ClockGuard:
    """Pauses expiry when the decision clock jumps ahead of the process's monotonic one.

    A jump is more than five minutes since the last batch; expiry resumes after five steady minutes,
    or when someone confirms the clock. A restart forgets: downtime is not a jump.
    """

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._last_monotonic = 0.0
        self._paused_at: float | None = None

    def expiry_runs(self, now_us: int) -> bool:
        """Note the time of a batch; whether holds may expire in it."""
        monotonic = time.monotonic()
        if self._last_us is not None:
            ahead_us = now_us - self._last_us - int((monotonic - self._last_monotonic) * 1_000_000)
            if ahead_us > JUMP_US:
                self._paused_at = monotonic
        self._last_us = now_us
        self._last_monotonic = monotonic
        paused_at = self._paused_at  # read once: who confirms is another thread
        if paused_at is not None and monotonic - paused_at >= STEADY_SECONDS:
            self._paused_at = paused_at = None
        return paused_at is None

    @property
    def paused(self) -> bool:
        """Whether expiry waits for the clock to be trusted again."""
        return self._paused_at is not None

    def confirm(self) -> None:
        """Trust the clock as it is now."""
        self._paused_at = None


class Alerted:
    """What this process has alerted of: the next batches need not try to again, to find it there.

    It holds what is committed alone, and alerts are never deleted, so it can't be wrong; what is
    forgotten is tried once more.
    """

    def __init__(self) -> None:
        self.subjects: set[AlertSubject] = set()

    def remember(self, batch: Batch) -> None:
        """The batch is committed: remember what it has raised, or found there."""
        if len(self.subjects) > MAX_ALERTED:
            self.subjects = set()
        self.subjects.update(batch.raising.subjects)


Refuser = tuple[str, str]
"""(policy_id, partition), or ("", id of the envelope)."""


class Untold(NamedTuple):
    """Refusals that no entry has told yet: how many, and who met the last one with what figures."""

    refusals: int
    actor: str
    detail: dict[str, object]


class Refusals:
    """Counts refusals, and samples them as entries: at most one a policy, partition and second.

    An entry tells how many refusals there were since the last one, and the figures of the latest.
    `enter` and `enter_untold` only write; what they wrote counts once `settle` is called after the
    commit.
    """

    def __init__(self) -> None:
        self._told_at: dict[Refuser, int] = {}
        self._untold: dict[Refuser, Untold] = {}

    def enter(self, batch: Batch) -> dict[Refuser, Untold]:
        """Enter those of a batch's refusals that are due; what is still untold after it."""
        untold: dict[Refuser, Untold] = {}
        second = batch.now_us // 1_000_000
        balances: dict[Refuser, Balance | None] = {}
        for policy_id, subject, actor, detail, balance in batch.refused:
            name = (policy_id, subject)
            before = untold.get(name) or self._untold.get(name)
            untold[name] = Untold(1 if before is None else before.refusals + 1, actor, detail)
            balances[name] = balances.get(name) or balance
        for name, full in balances.items():
            if self._told_at.get(name) != second:
                if full is not None:
                    batch.alert("limit", full)
                self._write(batch, name, untold[name])
                untold[name] = untold[name]._replace(refusals=0)
        return untold

    def due(self, second: int | None) -> list[Refuser]:
        """Those with untold refusals from before this second (None: all)."""
        return [
            name
            for name, untold in self._untold.items()
            if untold.refusals and (second is None or self._told_at.get(name, -1) < second)
        ]

    def enter_untold(self, batch: Batch, second: int | None) -> dict[Refuser, Untold]:
        """Enter the untold counts that are due."""
        told = {}
        for name in self.due(second)[:1000]:
            self._write(batch, name, self._untold[name])
            told[name] = self._untold[name]._replace(refusals=0)
        return told

    def settle(self, batch: Batch, after: dict[Refuser, Untold]) -> None:
        """The batch is committed: take over its counts, and forget who has been quiet."""
        second = batch.now_us // 1_000_000
        for name, untold in after.items():
            self._untold[name] = untold
            if not untold.refusals:
                self._told_at[name] = second
        if len(self._untold) > MAX_REFUSERS:
            kept = {n: u for n, u in self._untold.items() if u.refusals}
            self._untold = dict(list(kept.items())[-MAX_REFUSERS:])
            self._told_at = {n: at for n, at in self._told_at.items() if at >= second - 1}

    def _write(self, batch: Batch, name: Refuser, untold: Untold) -> None:
        detail = {**untold.detail, "count": untold.refusals}
        batch.enter("refused", untold.actor, [], detail, policy_id=name[0] or None)
