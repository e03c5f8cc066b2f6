"""Books to measure on: three levels of two policies each, and calls that meet all six."""

import itertools
import os
from collections.abc import Callable
from typing import Any, Final

from budget.domain.pricing import Rates
from budget.engine.budget import AsyncBudget, Budget
from budget.prices.book import PriceBook

MODEL: Final = "bench-1"
PRICES: Final = {("bench", MODEL): Rates(input=2_500_000, output=10_000_000, basis="bench")}
LEGS: Final = 6
CALLERS: Final = 64

_numbers = itertools.count()


def new_key() -> str:
    """An idempotency key that no other process makes."""
    return f"{os.getpid()}-{next(_numbers)}"


def prices() -> PriceBook:
    """A book with one model, so that no bundled data is loaded."""
    return PriceBook(None, overrides=PRICES)


def three_levels(
    create: Callable[..., Any], *, limit_usd: str = "100000", others: int = 0
) -> list[Any]:
    """What `create` makes of an org, a team and a user budget, and of `others` that never match."""
    made = []
    for scope, per in (
        ({"org": "acme"}, []),
        ({"org": "acme", "team": "search"}, []),
        ({"org": "acme"}, ["user"]),
    ):
        made.append(
            create(
                name=f"level {len(made)}",
                scope=scope,
                per=per,
                policies=[
                    {
                        "unit": "usd", "period": "monthly", "limit": limit_usd,
                        "enforcement": "hard_limit",
                    },
                    {
                        "unit": "requests", "period": "daily", "limit": 10**12,
                        "enforcement": "hard_limit",
                    },
                ],
            )
        )  # fmt: skip
    made.extend(
        create(
            name=f"other {number}",
            scope={"org": "acme", "team": f"team-{number}"},
            policies=[{"unit": "usd", "period": "daily", "limit": "5"}],
        )
        for number in range(others)
    )
    return made


def ask(user: int) -> dict[str, Any]:
    """One call of one of a few users, with an idempotency key of its own."""
    return {
        "attributes": {"org": "acme", "team": "search", "user": f"user-{user % 8}"},
        "provider": "bench",
        "model": MODEL,
        "input_tokens": 1200,
        "max_output_tokens": 300,
        "idempotency_key": new_key(),
    }


USED: Final = {"input_tokens": 1180, "output_tokens": 211}


async def call(budget: AsyncBudget, user: int) -> None:
    """Allocate and settle: two commands."""
    held = await budget.allocate(**ask(user))  # type: ignore[arg-type]
    await budget.settle(
        held.allocation_id,  # type: ignore[union-attr]
        idempotency_key=new_key(),
        **USED,  # type: ignore[arg-type]
    )


def call_sync(budget: Budget, user: int) -> None:
    """The same from a thread."""
    held = budget.allocate(**ask(user))  # type: ignore[arg-type]
    budget.settle(
        held.allocation_id,  # type: ignore[union-attr]
        idempotency_key=new_key(),
        **USED,  # type: ignore[arg-type]
    )
