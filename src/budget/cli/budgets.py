"""`budget budgets list` and `show`: budgets, their limits, and what is left of them.

Not here: making and changing them (`budget_making`), raising limits (`budget_raising`).
"""

from typing import Annotated, Final

from cyclopts import Parameter

from budget.cli.balance_words import partition_words
from budget.cli.books import open_budget
from budget.cli.budget_words import FIGURES, limit_words, name_of, scope_words, standing_row
from budget.cli.face import Face
from budget.cli.lists import gather, moment, note_rest, print_page
from budget.cli.naming import find_budget
from budget.cli.tables import Column, Row, counted, one_line, show
from budget.domain import wire
from budget.domain.answers_requests import TopUpRequest
from budget.domain.answers_usage import Standing
from budget.domain.budgets import Budget, Policy, TopUp
from budget.domain.wire.parts import amount
from budget.domain.wire.requests import top_up_request
from budget.domain.wire.usage import standing

_BUDGETS: Final = (
    Column("Budget", folds=True),
    Column("For", folds=True, optional=True),
    Column("Per", optional=True),
    Column("Limits", folds=True),
    Column("Owner", optional=True, folds=True, rank=2),
    Column("Id", rank=3),
)
_ARCHIVED: Final = Column("Archived", rank=1)
_TOP_UPS: Final = (
    Column("Top-up", "amount"),
    Column("Unit"),
    Column("Period"),
    Column("Partition", optional=True, folds=True),
    Column("Until"),
    Column("By", rank=1),
    Column("Reason", folds=True),
)
_WAITING: Final = (
    Column("Request"),
    Column("Asked for", "amount"),
    Column("Unit"),
    Column("Partition", optional=True, folds=True),
    Column("Expires", rank=1),
    Column("Reason", folds=True),
)


def list_budgets(
    *,
    name: str | None = None,
    owner: str | None = None,
    archived: bool = False,
    limit: int | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """List budgets and their limits.

    Parameters
    ----------
    name:
        Only those whose name contains this.
    owner:
        Only those of this owner.
    archived:
        Those that are out of force too.
    limit:
        How many to show at most; all unless given.
    """
    with open_budget(face) as books:
        page = gather(
            lambda most, at: books.budgets(
                name=name, owner=owner, archived=archived, limit=most, cursor=at
            ),
            limit,
        )
    if face.json:
        print_page(face, page, wire.budget)
    elif page.items:
        columns = (*_BUDGETS, _ARCHIVED) if archived else _BUDGETS
        show(face, columns, [_budget_row(one, face, archived=archived) for one in page.items])
        note_rest(face, page)
    else:
        face.note("No budget to show. `budget budgets create NAME --limit 100/monthly` makes one.")
    return 0


def _budget_row(budget: Budget, face: Face, *, archived: bool) -> Row:
    limits = "; ".join(map(limit_words, budget.live_policies))
    cells = (
        budget.name,
        scope_words(budget),
        ",".join(budget.per),
        limits,
        budget.owner,
        budget.budget_id,
    )
    return Row((*cells, moment(face, budget.archived_us)) if archived else cells)


def show_budget(budget: str, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show a budget: whose calls count, its limits as they stand, top-ups and requests for more.

    Parameters
    ----------
    budget:
        Its id, or its name where no other budget has it.
    """
    with open_budget(face) as books:
        found = find_budget(books, budget)
        of = found.budget_id
        standings = gather(lambda most, at: books.budget_summary(of, limit=most, cursor=at)).items
        waiting = gather(
            lambda most, at: books.budget_requests(of, status="pending", limit=most, cursor=at)
        ).items
    if face.json:
        face.print_json(
            {
                **wire.budget(found),
                "standings": [standing(one) for one in standings],
                "requests": [top_up_request(one) for one in waiting],
            }
        )
        return 0
    _show_head(face, found)
    _show_limits(face, standings)
    _show_top_ups(face, found)
    if waiting:
        face.print()
        show(face, _WAITING, [_waiting_row(one, face) for one in waiting])
    return 0


def _show_head(face: Face, budget: Budget) -> None:
    face.print(name_of(budget))
    unpriced = budget.unpriced_rule
    lines = {
        "for": scope_words(budget) or "all calls",
        "per": ", ".join(budget.per),
        "owner": budget.owner,
        "about": budget.description,
        "unpriced models": unpriced if isinstance(unpriced, str) else "priced by this budget",
        "before calls are refused": ", then ".join(budget.degrade),
        "archived": moment(face, budget.archived_us),
    }
    for title, text in lines.items():
        if text:
            face.print(f"  {title}: {one_line(text)}")


def _show_limits(face: Face, standings: list[Standing]) -> None:
    if not standings:
        face.note("No limit is in force. `budget budgets edit BUDGET --add 100/monthly` adds one.")
        return
    face.print()
    columns = (
        *FIGURES,
        Column("Fullest", optional=True, folds=True, rank=1),
        Column("Limit id", rank=7),
    )
    rows = []
    for one in standings:
        row = standing_row(one, face)
        split = partition_words(one.fullest.partition) if one.fullest else ""
        many = f"{split}, of {one.balances:,}" if split and one.balances > 1 else split
        rows.append(Row((*row.cells, many, one.policy.policy_id), row.mood))
    show(face, columns, rows)


def _show_top_ups(face: Face, budget: Budget) -> None:
    rows = [
        _top_up_row(top_up, policy, face)
        for policy in budget.live_policies
        for top_up in policy.top_ups
    ]
    if rows:
        face.print()
        show(face, _TOP_UPS, rows[-20:])
        if len(rows) > 20:
            face.note(f"The last 20 of {counted(len(rows), 'top-up')}; --json tells all.")


def _top_up_row(top_up: TopUp, policy: Policy, face: Face) -> Row:
    return Row(
        (
            str(amount(top_up.amount, policy.unit)),
            policy.unit,
            policy.calendar.period.text,
            "" if top_up.partition is None else partition_words(top_up.partition),
            moment(face, top_up.until_us, "ever"),
            top_up.actor,
            top_up.reason,
        )
    )


def _waiting_row(one: TopUpRequest, face: Face) -> Row:
    return Row(
        (
            one.request_id,
            str(amount(one.amount, one.unit)),
            one.unit,
            "" if one.partition is None else partition_words(one.partition),
            moment(face, one.expires_us),
            one.reason,
        )
    )
