"""Books on the database's price book: with the bundled prices, and with LiteLLM's map read from a
file that tests rewrite.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from budget.domain.answers_prices import SourceUpdate
from budget.engine.books import Books
from budget.engine.budget import Budget
from budget.engine.price_book.acts import keep_bundled
from budget.engine.price_book.settings import PriceSettings
from tests.engine.opened import Clock

Prices = Mapping[str, tuple[str, str]]
"""By model of the provider `groq`: USD for a million tokens of input and of output."""

FOUR: Final = {"a": ("1", "2"), "b": ("3", "6"), "c": ("5", "10"), "d": ("7", "14")}


def litellm_map(prices: Prices, **more: Any) -> bytes:
    """LiteLLM's map with these models, exact to the last digit."""
    entries = [
        f'"groq/{model}": {{"litellm_provider": "groq", "mode": "chat", '
        f'"input_cost_per_token": {_by_the_token(usd[0])}, '
        f'"output_cost_per_token": {_by_the_token(usd[1])}}}'
        for model, usd in prices.items()
    ]
    entries += [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in more.items()]
    return ("{" + ", ".join(entries) + "}").encode()


def _by_the_token(usd: str) -> str:
    return f"{usd}e-6"


def empty_books(url: str) -> None:
    """Fill an empty database with tables and the bundled prices, which each service would store.

    What fresh books are copied from where it is not the start that is tested.
    """
    with Budget.open(url, sweep=False) as opened:
        at = opened.books
        keep_bundled(at.database, at.ledger, at.shelf)


class Source:
    """The file that the source `litellm` is read from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = PriceSettings.read({"BUDGET_PRICE_SOURCES": f"litellm={path}"})

    def says(self, prices: Prices, **more: Any) -> None:
        """Write what the source says from now on."""
        self.path.write_bytes(litellm_map(prices, **more))

    @contextmanager
    def open(self, url: str, clock: Clock) -> Iterator[Budget]:
        """Books that are clean when the test is done with them."""
        books = Books.open(url, clock=clock, price_settings=self.settings, sweep=False)
        with Budget(books) as budget:
            yield budget
            assert budget.verify().violations == ()


def updated(budget: Budget) -> SourceUpdate:
    """Read the one source anew; how that went.

    What a busy machine could not book within two seconds is asked again, as its error says: else
    the next reading would be the first, which is believed as a whole.
    """
    (told,) = budget.update_prices().sources
    for _ in range(5):
        if told.error is None or not told.error.lower().endswith("ask again."):
            break
        (told,) = budget.update_prices().sources
    return told


def nanos(budget: Budget, model: str, at: str | None = None) -> int:
    """What a million tokens of input of a model cost, in nano-USD."""
    asked = {} if at is None else {"at": at}
    return budget.calculate(
        provider="groq",
        model=model,
        input_tokens=10**6,
        **asked,  # type: ignore[arg-type]
    ).cost.cost_nanos
