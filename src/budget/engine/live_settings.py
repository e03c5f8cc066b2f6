"""Live settings: what may be changed while Budget runs, kept in the books, each as JSON.

The ledger has them in its catalogue (`catalogue.settings`): of the same version as the budgets, and
at no cost to calls. Whoever reads beside the ledger calls `read`, which believes the books for a
second. A name that is not there was never set: its default counts. Not here: what a process is told
at its start (`settings`), and which settings there are and what they may be (`setting_jobs`).
"""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import delete, insert, select, update

from budget.engine.batch import Batch
from budget.engine.changes import differences
from budget.engine.rows import to_json
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import settings as table

BELIEVED_SECONDS: Final = 1.0

_ALL: Final = select(table.c.name, table.c.value)

_remembered: WeakKeyDictionary[Database, tuple[float, Mapping[str, Any]]] = WeakKeyDictionary()
_remembering: Final = threading.Lock()


def read(database: Database, name: str, default: Any) -> Any:
    """A setting as it was at most a second ago; `default` where it was never set.

    Unavailable when the books cannot be read. It may wait for the database: call it from threads.
    """
    asked_at = time.monotonic()
    with _remembering:
        remembered = _remembered.get(database)
    if remembered is None or asked_at - remembered[0] >= BELIEVED_SECONDS:
        remembered = asked_at, read_all(database)
        with _remembering:
            _remembered[database] = remembered
    return remembered[1].get(name, default)


def read_all(database: Database) -> dict[str, Any]:
    """Every setting that was set, as it is now."""
    with snapshot(database) as connection:
        return {name: json.loads(value) for name, value in connection.execute(_ALL)}


def forget(database: Database) -> None:
    """Let this process's next `read` look anew, after it has changed something."""
    with _remembering:
        _remembered.pop(database, None)


def put(batch: Batch, values: Mapping[str, Any], actor: str) -> None:
    """Set some within a change, with one entry that tells what was and what is; None unsets.

    The change must be one of the catalogue (`changes.once` with `catalogue`). What is so already
    changes nothing and enters nothing.
    """
    before = batch.catalogue.settings
    changed = differences({name: before.get(name) for name in values}, values)
    if not changed:
        return
    for name in changed:
        value = values[name]
        of = table.c.name == name
        row = {"value": to_json(value), "updated_us": batch.now_us, "updated_by": actor}
        if value is None:
            batch.unit.execute(delete(table).where(of))
        elif name in before:
            batch.unit.execute(update(table).where(of).values(row))
        else:
            batch.unit.execute(insert(table).values(name=name, **row))
    left = {name: value for name, value in {**before, **values}.items() if value is not None}
    batch.catalogue = batch.catalogue.with_settings(left)
    batch.enter("settings_changed", actor, [], {"changes": changed})
