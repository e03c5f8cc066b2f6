"""`budget plan`: which tasks to do, and with which model, so that most is gained within the limits.

Not here: how that is found (`engine.planning`).
"""

import json
from typing import Annotated, Any, Final, cast

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import open_budget
from budget.cli.contents import content_of
from budget.cli.face import Face
from budget.cli.tables import Column, Row, show
from budget.domain.answers_plans import OneMore, Plan, PlannedTask
from budget.domain.asks_plans import PlanAsk
from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.wire.plans import plan as written

MOST_BYTES: Final = 4 * 1024 * 1024

_TASKS: Final = (
    Column("Task", folds=True),
    Column("Priority", "amount", rank=2),
    Column("Value", "amount"),
    Column("Model", folds=True),
    Column("Holds USD", "amount"),
    Column("Why", folds=True, rank=1),
)


def plan(file: str, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Say which tasks to do, and with which model, within the limits. Nothing is held.

    Parameters
    ----------
    file:
        JSON with tasks, and models or providers, as POST /api/v1/tasks/plan takes it; - reads
        standard input.
    """
    asked = cast(PlanAsk, _read(file))
    with open_budget(face, priced=True) as books:
        told = books.plan_tasks(**asked)
    if face.json:
        face.print_json(written(told))
    else:
        _show(face, told)
    return exits.OK


def _read(file: str) -> dict[str, Any]:
    content = content_of(file, MOST_BYTES)
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidInput("FILE", f"{file[:200]} is not JSON.") from None
    if not isinstance(asked, dict):
        raise InvalidInput("FILE", "must be an object with tasks, and models or providers.")
    for name in asked:
        if name not in PlanAsk.__annotations__:
            raise InvalidInput(name[:80], "is not a field here.", sorted(PlanAsk.__annotations__))
    return asked


def _show(face: Face, told: Plan) -> None:
    done = [task for task in told.tasks if task.model is not None]
    worth = sum(task.value for task in done)
    face.print(
        f"{len(done)} of {len(told.tasks)} tasks are done, worth {worth}; "
        f"they hold {format_usd(told.hold_nanos)} USD."
    )
    if not told.is_best:
        most = ", ".join(f"{one.at_most} at priority {one.priority}" for one in told.values)
        face.note(f"There was too much to search: a better plan may be worth up to {most}.")
    face.print()
    show(face, _TASKS, [_row(task) for task in told.tasks])
    if told.one_more is not None and told.one_more.tasks:
        face.print()
        face.print(f"One more USD in every limit: {_moved(told.one_more)}.")


def _row(task: PlannedTask) -> Row:
    if task.model is None:
        return Row((task.task_id, str(task.priority), "0", "(not done)", "", task.why), "warn")
    model = task.model if task.provider is None else f"{task.provider}/{task.model}"
    holds = format_usd(task.hold_nanos)
    return Row((task.task_id, str(task.priority), str(task.value), model, holds, task.why))


def _moved(more: OneMore) -> str:
    return ", ".join(
        f"{task.task_id} {'would not be done' if task.model is None else f'by {task.model}'}"
        for task in more.tasks
    )
