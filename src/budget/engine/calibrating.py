"""Calibrating: settled calls teach how far the bound of their input was from the true count.

An allocation that was placed with its `request` keeps the plain bound. Once it is settled, and has
been for a while, it is looked at: once, by whichever process comes first, in the order in which
such allocations were settled, from a cursor that the database keeps. Nothing of this is in the way
of calls. Not here: what follows from it (`domain.calibration`), who reads it (`factors`).
"""

import json
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import insert, select, text, tuple_, update

from budget.domain.answers_estimates import Learning
from budget.domain.calibration import Calibration, all_learnt, factor_bps
from budget.engine.background import Again
from budget.engine.batch import Batch
from budget.engine.rows import units_from_json
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import allocations, calibration_state, calibrations, usage

if TYPE_CHECKING:
    from budget.engine.books import Books

ROUND: Final = 1000
"""Settled allocations looked at in one transaction."""
MOST_ROUNDS: Final = 60
"""Rounds in one act of learning; what is left waits for the next."""
SETTLED_US: Final = 10_000_000
"""Only what was settled so long ago is looked at: no batch of before is still on its way then."""
LEARN_EVERY_SECONDS: Final = 60.0

Place = tuple[int, str]
"""A place among settled allocations: when, and which."""
Teacher = tuple[str, str]
"""A family of models, and the API key whose calls taught about it."""
Pair = tuple[int, int]
"""The plain bound of a call's input tokens, and how many it had."""


class Round(NamedTuple):
    """Settled allocations after one place, up to another, and what those teach that can."""

    after: Place
    last: Place
    looked_at: int
    taught: dict[Teacher, list[Pair]]


def learn(books: "Books", stopped: threading.Event | None = None) -> Learning:
    """Learn from all that was settled since the last time, some rounds of it at most.

    Where another process learns at the same time, each call still teaches once.
    """
    looked_at = learnt = 0
    for _ in range(MOST_ROUNDS):
        found = next_round(books.database)
        if found is None or (stopped is not None and stopped.is_set()):
            break
        if _keep(books, found):
            looked_at += found.looked_at
            learnt += sum(map(len, found.taught.values()))
    if learnt:
        books.factors.forget()
    return Learning(looked_at, learnt)


# --- Looking -------------------------------------------------------------------------------------

_TEACHES: Final = text("allocations.bound_tokens IS NOT NULL AND allocations.status = 'settled'")
"""In the words of the index, so that it is used."""


def next_round(database: Database) -> Round | None:
    """The next settled allocations that nobody has looked at; None when there are none."""
    of, record, reversing = allocations.c, usage.c, usage.alias("reversing").c
    settled_until = database.now_us() - SETTLED_US
    with snapshot(database) as connection:
        state = select(calibration_state.c.settled_us, calibration_state.c.allocation_id)
        settled_us, allocation_id = connection.execute(state).one()
        found = connection.execute(
            select(
                of.updated_us, of.id, of.actor, of.bound_tokens, of.bound_family, of.records,
                record.input_tokens, record.requests, record.units,
                (record.model == of.model).label("same"), reversing.id.label("reversal"),
            )
            .select_from(
                allocations.join(usage, record.id == of.settled_by)
                .outerjoin(reversing.id.table, reversing.reverses == record.id)
            )
            .where(_TEACHES, tuple_(of.updated_us, of.id) > (settled_us, allocation_id),
                   of.updated_us <= settled_until)
            .order_by(of.updated_us, of.id)
            .limit(ROUND)
        ).all()  # fmt: skip
    if not found:
        return None
    taught: defaultdict[Teacher, list[Pair]] = defaultdict(list)
    for row in found:
        # One call of the model that was estimated, with what it read itself and nothing else.
        alone = row.records == 1 and row.requests == 1 and row.same and row.reversal is None
        if alone and row.input_tokens > 0 and "searches" not in dict(units_from_json(row.units)):
            taught[row.bound_family, row.actor].append((row.bound_tokens, row.input_tokens))
    last = found[-1]
    return Round((settled_us, allocation_id), (last.updated_us, last.id), len(found), dict(taught))


# --- Keeping -------------------------------------------------------------------------------------


def _keep(books: "Books", found: Round) -> bool:
    """Write what a round teaches; False where another process has looked at it meanwhile."""
    kept: bool = books.ledger.do_change(lambda batch: keep(batch, found))
    return kept


def keep(batch: Batch, found: Round) -> bool:
    """The same, in a transaction in which nobody else changes anything."""
    execute = batch.unit.execute
    state = calibration_state
    (place,) = execute(select(state.c.settled_us, state.c.allocation_id))
    if tuple(place) != found.after:
        return False
    settled_us, allocation_id = found.last
    execute(update(state).values(settled_us=settled_us, allocation_id=allocation_id))
    table = calibrations
    key = tuple_(table.c.family, table.c.actor)
    seen = {
        (family, actor): _decode(kept)
        for family, actor, kept in execute(
            select(table.c.family, table.c.actor, table.c.seen).where(key.in_(list(found.taught)))
        )
    }
    for teacher, pairs in found.taught.items():
        after = all_learnt(seen.get(teacher, Calibration()), pairs)
        values = {
            "samples": after.samples,
            "factor_bps": factor_bps(after),
            "seen": _encode(after),
            "updated_us": batch.now_us,
        }
        if teacher in seen:
            execute(update(table).where(key == teacher).values(**values))
        else:
            family, actor = teacher
            execute(insert(table).values(family=family, actor=actor, **values))
    return True


def _encode(calibration: Calibration) -> str:
    return json.dumps({str(step): times for step, times in sorted(calibration.seen.items())})


def _decode(seen: str) -> Calibration:
    return Calibration({int(step): times for step, times in json.loads(seen).items()})


# --- In the background ---------------------------------------------------------------------------


def learner(books: "Books", every_seconds: float = LEARN_EVERY_SECONDS) -> Again:
    """Learns every minute until it is closed; what cannot be learnt now is learnt later."""
    return Again("learner", every_seconds, lambda stopped: learn(books, stopped))
