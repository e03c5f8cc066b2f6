"""`budget limits list`: every limit in force, and how it stands.

Not here: setting one (`limits`), every balance by itself (`status`).
"""

from typing import Annotated

from cyclopts import Parameter

from budget.cli.balance_words import partition_words
from budget.cli.books import open_budget
from budget.cli.budget_words import FIGURES, standing_row
from budget.cli.face import Face
from budget.cli.lists import gather, note_rest, print_page
from budget.cli.naming import find_budget
from budget.cli.tables import Column, Row, show
from budget.domain.answers_usage import Standing
from budget.domain.policy_terms import parse_enforcement, parse_unit
from budget.domain.windows import parse_period
from budget.domain.wire.usage import standing


def list_limits(
    *,
    budget: str | None = None,
    period: str | None = None,
    unit: str | None = None,
    enforcement: str | None = None,
    limit: int | None = None,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """List every limit in force, and how it stands: of one that is split, its fullest balance.

    Parameters
    ----------
    budget:
        Only those of this budget: its id or its name.
    period:
        Only those of this period, such as daily.
    unit:
        Only those of usd, tokens, input_tokens, output_tokens or requests.
    enforcement:
        Only those that ignore, warn, soft_limit or hard_limit.
    limit:
        How many to show at most; all unless given.
    """
    wanted = None if period is None else parse_period(period, "--period").text
    of_unit = None if unit is None else parse_unit(unit, "--unit")
    strict = None if enforcement is None else parse_enforcement(enforcement, "--enforcement")

    def is_wanted(one: Standing) -> bool:
        return of_unit in (None, one.policy.unit) and strict in (None, one.policy.enforcement)

    with open_budget(face) as books:
        if budget is None:
            page = gather(
                lambda most, at: books.standings(period=wanted, limit=most, cursor=at), limit
            )
        else:
            of = find_budget(books, budget, "--budget").budget_id
            page = gather(
                lambda most, at: books.budget_summary(of, period=wanted, limit=most, cursor=at),
                limit,
            )
    page.items[:] = filter(is_wanted, page.items)
    if face.json:
        print_page(face, page, standing)
    elif page.items:
        columns = (
            Column("Budget", folds=True),
            Column("Fullest", optional=True, folds=True, rank=1),
            *FIGURES,
        )
        show(face, columns, [_row(one, face) for one in page.items])
        note_rest(face, page)
    else:
        face.note("No limit to show. `budget set-limit daily 5.00` sets one.")
    return 0


def _row(one: Standing, face: Face) -> Row:
    fullest = partition_words(one.fullest.partition) if one.fullest else ""
    return standing_row(one, face, one.budget, fullest)
