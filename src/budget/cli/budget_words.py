"""Budget words: scopes, limits and balances as rows and sentences, which many commands show.

Not here: which are shown.
"""

from typing import Final

from budget.cli.face import Face
from budget.cli.lists import moment
from budget.cli.tables import Column, Row, bar
from budget.domain.answers import BalanceView
from budget.domain.answers_usage import Standing
from budget.domain.attributes import scope_to_json
from budget.domain.budgets import BPS, Budget, Policy
from budget.domain.wire.parts import amount, amount_text, partition_of

FIGURES: Final = (
    Column("Period"),
    Column("Unit"),
    Column("Limit", "amount"),
    Column("Spent", "amount"),
    Column("Held", "amount", optional=True, rank=4),
    Column("Left", "amount", rank=3),
    Column("Used %", "amount"),
    Column("", rank=6, pretty=True),
    Column("Enforcement", rank=2),
    Column("Resets", rank=5),
)
"""How a limit stands; of one that is split, its fullest balance."""


def name_of(budget: Budget) -> str:
    """A budget's name and id."""
    return f"{budget.name!r} ({budget.budget_id})"


def scope_words(budget: Budget) -> str:
    """Whose calls count: team=search, model=gpt-*; several values stand between bars."""
    told = scope_to_json(budget.scope)
    return ", ".join(
        f"{key}={value if isinstance(value, str) else '|'.join(value)}"
        for key, value in told.items()
    )


def limit_words(policy: Policy) -> str:
    """A limit in words: 5.00 USD daily (hard_limit, Europe/Berlin)."""
    calendar = policy.calendar
    more: list[str] = [policy.enforcement]
    if calendar.zone != "UTC":
        more.append(calendar.zone)
    if calendar.reset_day != 1:
        day = calendar.reset_day
        more.append("from the last day" if day == "last" else f"from day {day}")
    return f"{amount_text(policy.limit, policy.unit)} {calendar.period.text} ({', '.join(more)})"


def partition_words(partition: str) -> str:
    """A partition in words; empty for the only one of a budget that is not split."""
    return " ".join(
        f"{key}={'(none)' if value is None else value}"
        for key, value in partition_of(partition).items()
    )


def standing_row(one: Standing, face: Face, *first: str) -> Row:
    """How a limit stands: the cells given, then those of `FIGURES`."""
    policy, fullest = one.policy, one.fullest
    cells = (
        policy.calendar.period.text,
        policy.unit,
        *figures(fullest, policy, one.limit),
        policy.enforcement,
        moment(face, None if policy.rolling else one.window.end_us, "never"),
    )
    return Row((*first, *cells), "" if fullest is None else mood(fullest))


def figures(view: BalanceView | None, policy: Policy, limit: int) -> tuple[str, ...]:
    """Limit, spent, held, left, used % and a bar; a balance that no call has met is empty."""
    unit = policy.unit
    of = limit if view is None else view.limit
    spent = 0 if view is None else view.spent + view.assumed
    held = 0 if view is None else view.reserved
    left = of if view is None else view.remaining
    tenths = spent * 1000 // of if of else None
    return (
        str(amount(of, unit)),
        str(amount(spent, unit)),
        str(amount(held, unit)),
        str(amount(left, unit)),
        "-" if tenths is None else f"{tenths // 10}.{tenths % 10}",
        "" if tenths is None else bar(min(tenths, 1000) / 1000),
    )


def mood(view: BalanceView) -> str:
    """`over` when the limit is reached or was exceeded, `warn` from its warning threshold on."""
    used = view.spent + view.assumed
    if view.overrun or (view.limit and used >= view.limit):
        return "over"
    return "warn" if view.limit and used * BPS >= view.limit * view.policy.warning_bps else ""
