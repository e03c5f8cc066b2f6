"""Sizes: what settled calls have taught of how many tokens to hold for a call that states nothing.

Calls are alike that are of one component, type of task and family of models: the model's name
without vendor, version and date. Holds take what was learnt where the setting `adaptive_sizes` is
on. Not here: what follows from what was used (`analytics.sizes`).
"""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

from budget.analytics.sizes import FEWEST_CALLS, Size, size_of
from budget.domain.answers_contexts import LearntSize
from budget.domain.attributes import Attributes
from budget.domain.rights import UNBOUND, Bound
from budget.engine.contexts.efficiency import attribute_of, settled_holds, used_of
from budget.engine.reports.filters import Calls
from budget.engine.rows import DAY_US
from budget.engine.snapshots import snapshot
from budget.prices.capabilities import plain_model
from budget.storage import schema
from budget.storage.database import Database

SETTING: Final = "adaptive_sizes"
FRESH_SECONDS: Final = 60.0
"""So old may be what this process knows."""
LEARNT_FROM: Final = 20_000
"""So many of the newest settled calls teach."""
DAYS: Final = 30
DEFAULT: Final = "default"
_KEYS: Final = ("component", "task_type", "model")
_a = schema.allocations.c


class Kind(NamedTuple):
    """Calls that are alike; "" where they have no such attribute."""

    component: str
    task_type: str
    family: str


def kind_of(attributes: Attributes) -> Kind:
    """What kind of call has these attributes."""
    return _kind(attributes.get("component"), attributes.get("task_type"), attributes.get("model"))


def _kind(component: str | None, task_type: str | None, model: str | None) -> Kind:
    return Kind(component or "", task_type or DEFAULT, plain_model(model) if model else "")


class Sizes:
    """The sizes in force, read from the database when they are asked for; any thread may ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Mapping[Kind, int] = {}
        self._read_at: float | None = None
        self._reading = threading.Lock()

    def of(self, attributes: Attributes) -> int | None:
        """How many tokens a call with these attributes is held by; None: nothing was learnt."""
        return self._fresh().get(kind_of(attributes))

    def forget(self) -> None:
        """Read them anew before the next answer."""
        self._read_at = None

    def _fresh(self) -> Mapping[Kind, int]:
        read_at = self._read_at
        if read_at is not None and time.monotonic() - read_at < FRESH_SECONDS:
            return self._known
        if not self._reading.acquire(blocking=read_at is None):
            return self._known  # another thread is reading; what was known is good meanwhile
        try:
            if self._read_at is None or time.monotonic() - self._read_at >= FRESH_SECONDS:
                now = time.monotonic()
                self._known = {
                    kind: size_of(used, kind.task_type).tokens
                    for kind, used in _read(self._database, UNBOUND).items()
                    if len(used) >= FEWEST_CALLS
                }
                self._read_at = now
            return self._known
        finally:
            self._reading.release()


def sizes(database: Database, bound: Bound, *, applied: bool) -> list[LearntSize]:
    """What was learnt of each kind of calls that were seen, those that teach most first."""
    found = _read(database, bound)
    ranked = sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))
    return [_learnt(kind, used, applied=applied) for kind, used in ranked]


def _learnt(kind: Kind, used: list[int], *, applied: bool) -> LearntSize:
    size: Size = size_of(used, kind.task_type)
    return LearntSize(
        kind.component, kind.task_type, kind.family, len(used), size.quantile_tokens, size.tokens,
        size.table_tokens, size.least_tokens, size.most_tokens,
        applied and len(used) >= FEWEST_CALLS, size.why,
    )  # fmt: skip


def _read(database: Database, bound: Bound) -> dict[Kind, list[int]]:
    """What the newest settled calls used, by kind."""
    since_us = database.now_us() - DAYS * DAY_US
    found: defaultdict[Kind, list[int]] = defaultdict(list)
    with snapshot(database) as connection:
        dialect = connection.dialect.name
        named = [attribute_of(key, dialect).label(key) for key in _KEYS]
        newest = (
            settled_holds(Calls((), bound), since_us, dialect, *named)
            .order_by(_a.placed_us.desc(), _a.id.desc())
            .limit(LEARNT_FROM)
            .subquery()
        )
        for row in connection.execute(used_of(newest, *_KEYS)):
            found[_kind(row.component, row.task_type, row.model)].append(
                max(0, int(row.used_tokens))
            )
    return found
