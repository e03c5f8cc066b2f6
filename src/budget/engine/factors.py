"""Factors: what settled calls have taught about bounds, as estimates use it.

A key's calls teach about that key's calls: languages and prompts differ. A key that has taught too
little takes the highest factor of those that have, if there are enough. Not here: how calls teach
(`calibrating`), and what follows from what was seen (`domain.calibration`).
"""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select

from budget.domain.answers_estimates import FamilyFactor, TaughtBy
from budget.domain.calibration import FEWEST_SAMPLES, WHOLE_BPS, common_factor_bps
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import calibrations

FRESH_SECONDS: Final = 60.0
"""So old may be what this process knows; what it learnt itself it knows at once."""


class Factor(NamedTuple):
    """By what to multiply a bound, in basis points, and whose calls taught it."""

    bps: int
    taught_by: TaughtBy


UNTAUGHT: Final = Factor(WHOLE_BPS, "nobody")


class _Known(NamedTuple):
    """The factors in force: of each (family, key), and by family for all other keys."""

    own: dict[tuple[str, str], int]
    common: dict[str, int]
    read_at: float


class Factors:
    """The factors in force, read from the database when they are asked for; any thread may ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: _Known | None = None
        self._reading = threading.Lock()

    def of(self, family: str, actor: str) -> Factor:
        """The factor for a key's calls to a family; Unavailable if it cannot be read."""
        known = self._fresh()
        own = known.own.get((family, actor))
        if own is not None:
            return Factor(own, "own")
        common = known.common.get(family)
        return UNTAUGHT if common is None else Factor(common, "others")

    def forget(self) -> None:
        """Read them anew before the next answer: something was learnt."""
        self._known = None

    def _fresh(self) -> _Known:
        known = self._known
        if known is not None and time.monotonic() - known.read_at < FRESH_SECONDS:
            return known
        if not self._reading.acquire(blocking=known is None):
            assert known is not None
            return known  # another thread is reading; what was known is good meanwhile
        try:
            known = self._known
            if known is None or time.monotonic() - known.read_at >= FRESH_SECONDS:
                known = self._known = self._read()
            return known
        finally:
            self._reading.release()

    def _read(self) -> _Known:
        read_at = time.monotonic()
        table = calibrations
        with snapshot(self._database) as connection:
            found = connection.execute(
                select(table.c.family, table.c.actor, table.c.factor_bps).where(
                    table.c.samples >= FEWEST_SAMPLES
                )
            ).all()
        by_family: defaultdict[str, list[int]] = defaultdict(list)
        for family, _, bps in found:
            by_family[family].append(bps)
        common = {family: common_factor_bps(all_bps) for family, all_bps in by_family.items()}
        return _Known(
            {(family, actor): bps for family, actor, bps in found},
            {family: bps for family, bps in common.items() if bps is not None},
            read_at,
        )


def family_factors(
    factors: Factors, database: Database, actor: str, *, own_only: bool = False
) -> list[FamilyFactor]:
    """What was learnt of each family that anybody's calls have taught about, for one key.

    `own_only`: of those that its own calls have taught about, and nothing of how many others did.
    """
    table = calibrations
    with snapshot(database) as connection:
        totals: Sequence[Any] = connection.execute(
            select(
                table.c.family,
                func.sum(table.c.samples),
                func.count().filter(table.c.samples >= FEWEST_SAMPLES),
            )
            .group_by(table.c.family)
            .order_by(table.c.family)
        ).all()
        of_actor = select(table.c.family, table.c.samples).where(table.c.actor == actor)
        own = {row[0]: row[1] for row in connection.execute(of_actor)}
    if own_only:
        totals = [
            (family, count, int(count >= FEWEST_SAMPLES)) for family, count in sorted(own.items())
        ]
    return [
        FamilyFactor(family, *factors.of(family, actor), own.get(family, 0), int(samples), keys)
        for family, samples, keys in totals
    ]
