"""Books for tests of the commands that read: limits, spend and refusals, made without commands."""

import time
from typing import Any

from budget.domain.windows import to_rfc3339
from budget.engine.budget import Budget
from budget.engine.settings import Settings
from budget.prices.book import PriceBook

DAY_US = 86_400_000_000


def opened() -> Budget:
    """The books that commands of this test speak to."""
    return Budget.open(Settings.read().target, prices=PriceBook(None), sweep=False)


def limit(usd: str, period: str = "daily", *, hard: bool = False, **budget: Any) -> str:
    """Make a budget of one limit; its id."""
    enforcement = "hard_limit" if hard else "warn"
    with opened() as books:
        made = books.create_budget(
            name=budget.pop("name", "Default Budget"),
            policies=[{"unit": "usd", "period": period, "limit": usd, "enforcement": enforcement}],
            **budget,
        )
        return made.budget_id


def spend(days_ago: int, model: str, usd: str, **attributes: str) -> str:
    """Book 100 tokens in and 10 out of some days ago, at a cost that was stated; its id."""
    at_us = time.time_ns() // 1000 - days_ago * DAY_US
    with opened() as books:
        return books.record_usage(
            attributes=attributes, provider="acme", model=model, input_tokens=100,
            output_tokens=10, cost=usd, occurred_at=to_rfc3339(at_us),
        ).usage_id  # fmt: skip


def today(days_ago: int = 0) -> str:
    """A day in UTC."""
    return to_rfc3339(time.time_ns() // 1000 - days_ago * DAY_US)[:10]


def table(out: str) -> list[list[str]]:
    """The cells of a plain table, which stand two blanks apart."""
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()
    ]
