"""Budget words: scopes, limits and balances as rows and sentences, which many commands show.

Not here: which are shown.
"""

from typing import Final

from budget.cli.balance_words import mood, used_bps
from budget.cli.face import Face
from budget.cli.lists import moment
from budget.cli.tables import Column, Row, bar
from budget.domain.answers import BalanceView
from budget.domain.answers_usage import Standing
from budget.domain.attributes import scope_to_json
from budget.domain.budgets import BPS, Budget, Policy, PolicyTerms
from budget.domain.wire.parts import amount, amount_text

FIGURES: Final = (
    Column("Period"),
    Column("Unit"),
    Column("Spent", "amount"),
    Column("Reserved", "amount", optional=True, rank=4),
    Column("Assumed", "amount", optional=True, rank=1),
    Column("Limit", "amount"),
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


def standing_row(one: Standing, face: Face, *first: str) -> Row:
    """How a limit stands: the cells given, then those of `FIGURES`."""
    policy, fullest = one.policy, one.fullest
    cells = (
        policy.period.text,
        policy.unit,
        *figures(fullest, policy, one.limit),
        policy.enforcement,
        moment(face, None if policy.rolling else one.window.end_us, "never"),
    )
    return Row((*first, *cells), "" if fullest is None else mood(fullest))


def figures(view: BalanceView | None, policy: PolicyTerms, limit: int) -> tuple[str, ...]:
    """The amounts of a balance, how much is used, and a bar; of one that no call has met, zeros."""
    amounts = (0, 0, 0, limit, limit)
    if view is not None:
        amounts = (view.spent, view.reserved, view.assumed, view.limit, view.remaining)
    used = (0 if limit else None) if view is None else used_bps(view)
    percent = "-" if used is None else f"{used // 100}.{used % 100 // 10}"
    full = "" if used is None else bar(min(used, BPS) / BPS)
    return (*(str(amount(one, policy.unit)) for one in amounts), percent, full)
