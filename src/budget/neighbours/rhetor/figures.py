"""Figures: what Rhetor says that it has spent today, and what of that is in the books.

It is a sum, so it is compared and never booked. Not here: its records (`engine.importing.rhetor`).
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from budget.domain.money import format_usd
from budget.engine.budget import AsyncBudget
from budget.engine.importing.lines import money, whole
from budget.engine.importing.rhetor import SOURCE
from budget.neighbours.calling import Line, Unanswered

PATH: Final = "/api/v1/budget/usage"


class Spent(NamedTuple):
    """Money and tokens of a day."""

    cost_nanos: int
    tokens: int

    @property
    def text(self) -> str:
        """In words."""
        return f"{format_usd(self.cost_nanos)} USD, {self.tokens:,} tokens"


async def told_by(line: Line) -> Spent:
    """What Rhetor says of today; Unanswered where it says nothing that can be true."""
    told = await line.ask("GET", PATH)
    if not isinstance(told, Mapping):
        raise Unanswered("rhetor answered, but told no usage.")
    try:
        return Spent(money(_exact(told.get("total_cost")), "total_cost") or 0,
                     whole(_exact(told.get("total_tokens")), "total_tokens"))  # fmt: skip
    except ValueError as error:
        raise Unanswered(f"rhetor tells a usage that cannot be: {error}.") from None


async def imported(budget: AsyncBudget) -> Spent:
    """What of Rhetor's records is in the books, of the day of this machine."""
    now = datetime.now().astimezone()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    summary = await budget.usage_summary(
        since=midnight.isoformat(), until=now.isoformat(), scope={"tag.source": SOURCE}
    )
    total = summary.total
    return Spent(total.cost_nanos, total.input_tokens + total.output_tokens)


def drift(rhetor: Spent, books: Spent) -> str:
    """By how much both differ, in words."""
    nanos, tokens = rhetor.cost_nanos - books.cost_nanos, rhetor.tokens - books.tokens
    if not nanos and not tokens:
        return "none"
    sign = "-" if nanos < 0 else ""
    return f"{sign}{format_usd(abs(nanos))} USD, {tokens:,} tokens"


def _exact(value: Any) -> Any:
    """A number as it was written: JSON's floats by their shortest text."""
    return Decimal(repr(value)) if isinstance(value, float) else value
