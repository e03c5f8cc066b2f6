"""`budget progress`: what a project and its requirements have cost, against their limits."""

from typing import Annotated, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.balance_words import mood, named, used_text
from budget.cli.books import open_budget
from budget.cli.face import Face
from budget.cli.tables import Column, Row, counted, show
from budget.domain.answers_progress import LimitProgress, ProjectProgress, RequirementProgress
from budget.domain.money import format_usd
from budget.domain.windows import to_rfc3339
from budget.domain.wire.parts import amount_text
from budget.domain.wire.progress import project_progress

_REQUIREMENTS: Final = (
    Column("Requirement", folds=True),
    Column("Title", folds=True, optional=True),
    Column("Status", optional=True),
    Column("Spent USD", "amount"),
    Column("Tokens", "amount"),
)
_LIMITS: Final = (
    Column("Of", folds=True),
    Column("Budget", folds=True, rank=1),
    Column("Period"),
    Column("Limit"),
    Column("Spent"),
    Column("Used %", "amount"),
    Column("Forecast", optional=True, rank=2),
    Column("Used up", optional=True, rank=3),
)


def progress(project: str, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show what a project and its requirements have cost, against their limits.

    Parameters
    ----------
    project:
        The project, as calls name it in their attribute.
    """
    with open_budget(face) as books:
        told = books.project_progress(project)
    if face.json:
        face.print_json(project_progress(told))
    else:
        _show(face, told)
    return exits.OK


def _show(face: Face, told: ProjectProgress) -> None:
    title = "" if told.title is None else f" ({told.title})"
    spent, rest = told.spent, told.unassigned
    face.print(
        f"{told.project}{title}: {format_usd(spent.cost_nanos)} USD, "
        f"{counted(spent.tokens, 'token')}; {format_usd(rest.cost_nanos)} USD of no requirement."
    )
    if told.requirements:
        face.print()
        show(face, _REQUIREMENTS, [_requirement(one) for one in told.requirements])
    rows = [_limit("the project", one) for one in told.limits]
    rows += [_limit(each.requirement, one) for each in told.requirements for one in each.limits]
    if rows:
        face.print()
        show(face, _LIMITS, rows)


def _requirement(one: RequirementProgress) -> Row:
    spent = one.spent
    return Row(
        (one.requirement, one.title or "", one.status or "", format_usd(spent.cost_nanos),
         f"{spent.tokens:,}")
    )  # fmt: skip


def _limit(of: str, one: LimitProgress) -> Row:
    view, unit = one.balance, one.balance.policy.unit
    return Row(
        (
            of,
            named(view),
            view.policy.period.text,
            amount_text(view.limit, unit),
            amount_text(view.spent + view.assumed, unit),
            used_text(view),
            "" if one.forecast is None else amount_text(one.forecast, unit),
            "" if one.exhausted_us is None else to_rfc3339(one.exhausted_us)[:10],
        ),
        mood(view),
    )
