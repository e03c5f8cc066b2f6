"""`budget import litellm` of a proxy: its keys, budgets and spend become ours, after a look.

Not here: what is made of what (`engine.importing.proxy`), and files of usage (`importing`).
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.tables import Column, Row, counted, show
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd

if TYPE_CHECKING:
    from budget.engine.importing.lines import Bad, Line
    from budget.engine.importing.proxy.moving import Moved
    from budget.engine.importing.proxy.planning import Plan, PlannedBudget
    from budget.engine.importing.proxy.tables import Tables

_DATABASES: Final = ("postgresql://", "postgres://")
_ADDRESSES: Final = ("http://", "https://")
_COLUMNS: Final = (
    Column("Budget", folds=True),
    Column("Whose", folds=True, rank=1),
    Column("Limits", folds=True),
    Column("Spent", "amount"),
)

Logs = Callable[[], "Iterator[Line | Bad]"]


def is_proxy(source: str) -> bool:
    """Whether a source is a proxy itself: its address, its database, or an export of its tables."""
    if source.startswith(_DATABASES + _ADDRESSES):
        return True
    from budget.engine.importing.proxy.tables import of_export

    return of_export(Path(source)) is not None


def move_proxy(face: Face, source: str, *, apply: bool, keep_keys: bool) -> int:
    """Show what a proxy becomes here; with `apply`, make it so."""
    from budget.engine.importing.proxy.planning import plan_of

    tables, notes, logs = _read(source)
    try:
        plan = plan_of(tables, keep_keys=keep_keys, now_us=time.time_ns() // 1000)
    except ValueError as error:
        raise InvalidInput("FILE", f"is not what LiteLLM keeps: {error}.") from None
    plan = plan._replace(notes=(*notes, *plan.notes))
    if not apply:
        return _show_plan(face, plan)
    from budget.engine.importing.proxy.moving import move

    with open_budget(face, create=True, priced=True) as books, face.counting("Moving") as tell:
        moved = move(plan, books, logs, tell)
    return _show_moved(face, plan, moved)


def _read(source: str) -> "tuple[Tables, list[str], Logs | None]":
    """The tables of a proxy, what could not be read of them, and its logs of spend."""
    from budget.engine.importing.proxy import api, tables

    if source.startswith(_DATABASES):
        return tables.of_database(source), [], lambda: tables.logs_of_database(source)
    if source.startswith(_ADDRESSES):
        asked = api.proxy_at(source, os.environ)
        found, notes = api.of_api(asked)
        return found, notes, lambda: api.logs_of_api(asked, time.time_ns() // 1000)
    exported = tables.of_export(Path(source))
    assert exported is not None
    return exported, [], None


def _show_plan(face: Face, plan: "Plan") -> int:
    if face.json:
        face.print_json({"applied": False, **_plan_shape(plan)})
        return exits.OK
    show(face, _COLUMNS, [_row(one) for one in plan.budgets])
    if plan.keep_keys:
        face.print(f"{counted(len(plan.keys), 'key')} of the proxy stay as they are.")
    else:
        face.print(f"{counted(len(plan.keys), 'key')} to be made anew:")
        for key in plan.keys:
            bound = ", ".join(f"{name}={value}" for name, value in key.bound.items())
            face.print(f"  {key.alias}{f' ({bound})' if bound else ''}")
    for note in plan.notes:
        face.print(f"Note: {note}.")
    face.print("Nothing has been made. --apply makes it so.")
    return exits.OK


def _show_moved(face: Face, plan: "Plan", moved: "Moved") -> int:
    failed = moved.logs is not None and moved.logs.failed > 0
    if face.json:
        face.print_json(_moved_shape(plan, moved))
        return exits.FAILED if failed else exits.OK
    face.print(f"Made {counted(len(moved.made), 'budget')}; {len(moved.before):,} were there.")
    if moved.logs is not None:
        face.print(f"Booked {counted(moved.logs.booked, 'log')} of spend, "
                   f"{moved.logs.before:,} had been booked before.")  # fmt: skip
        for bad in moved.logs.bad:
            face.print(f"Not booked: {bad.place}: {bad.why}")
    face.print(f"Brought over {format_usd(moved.carried_nanos)} USD that no log told of.")
    made = [key for key in moved.keys if key.text is not None]
    if made:
        face.print("New keys, shown this once:")
    for key in made:
        face.print(f"  {key.alias}  {key.text}")
    for note in plan.notes:
        face.print(f"Note: {note}.")
    return exits.FAILED if failed else exits.OK


def _row(budget: "PlannedBudget") -> Row:
    scope = ", ".join(f"{name}={value}" for name, value in budget.scope.items())
    limits = "; ".join(map(_limit_words, budget.policies))
    spent = next((one for one in budget.spent_nanos if one is not None), None)
    return Row((budget.name, scope, limits, "" if spent is None else format_usd(spent)))


def _limit_words(terms: Mapping[str, Any]) -> str:
    """A limit in words: 100.00 USD monthly (hard_limit)."""
    unit = "USD" if terms["unit"] == "usd" else terms["unit"].replace("_", " ")
    return f"{terms['limit']} {unit} {terms['period']} ({terms['enforcement']})"


def _plan_shape(plan: "Plan") -> dict[str, Any]:
    return {
        "budgets": [
            {"name": one.name, "scope": dict(one.scope),
             "policies": [dict(policy) for policy in one.policies],
             "spent": [None if spent is None else format_usd(spent) for spent in one.spent_nanos]}
            for one in plan.budgets
        ],
        "keep_keys": plan.keep_keys,
        "keys": [{"alias": key.alias, "bound": dict(key.bound), "expires_at": key.expires_at}
                 for key in plan.keys],
        "notes": list(plan.notes),
    }  # fmt: skip


def _moved_shape(plan: "Plan", moved: "Moved") -> dict[str, Any]:
    logs = moved.logs
    return {
        "applied": True, "made": list(moved.made), "there_before": list(moved.before),
        "carried": format_usd(moved.carried_nanos),
        "logs_booked": None if logs is None else logs.booked,
        "problems": [] if logs is None else
        [{"place": bad.place, "why": bad.why} for bad in logs.bad],
        "keys": [{"alias": key.alias, "key_id": key.key_id, "key": key.text}
                 for key in moved.keys],
        "notes": list(plan.notes),
    }  # fmt: skip
