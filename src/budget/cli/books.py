"""Books: whichever a command speaks to, a service over HTTP or a database in this process.

Both answer in the shapes of the API, so a command reads the same whichever it asked. Not here: the
calls that spend; `replay` makes those through the service.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from budget.cli.face import Face
from budget.cli.remote import Service
from budget.domain.errors import InvalidInput, NotFound, Unavailable
from budget.domain.shapes import (
    BalanceShape,
    BudgetShape,
    CalculationShape,
    PolicyShape,
    VerificationShape,
)
from budget.domain.shapes_estimates import EstimateShape, FactorsShape
from budget.domain.shapes_rating import CoverageShape, ReratingShape, WhatIfShape
from budget.engine.places import (
    ADDRESSES,
    DATABASES,
    check_target,
    database_file,
    find_key,
    find_place,
    service_url,
)

if TYPE_CHECKING:
    from budget.engine.budget import Budget
    from budget.engine.price_book.settings import PriceSettings
    from budget.engine.settings import Settings

PAGE: Final = 1000

Ask = dict[str, Any]
Tell = Callable[[int, int], None]


class Books(Protocol):
    """What commands ask of the books. `where` says in words where they lie."""

    where: str

    def status(self, attributes: Mapping[str, str]) -> list[BalanceShape]:
        """Every balance that calls with these attributes meet."""

    def budgets(self) -> Iterator[BudgetShape]:
        """Every budget in force."""

    def budget(self, budget_id: str) -> BudgetShape:
        """One budget."""

    def create_budget(self, asked: Ask) -> BudgetShape:
        """Create a budget with its policies."""

    def create_policy(self, budget_id: str, asked: Ask) -> PolicyShape:
        """Add a policy to a budget."""

    def change_policy(self, policy_id: str, asked: Ask) -> PolicyShape:
        """Change fields of a policy."""

    def verify(self, anchor: str | None, tell: Tell) -> VerificationShape:
        """Recompute the books; `tell` hears (rows done, rows in all), or nothing."""

    def rerate(self, asked: Ask, tell: Tell) -> ReratingShape:
        """Price usage again; `tell` hears (records done, records in all), or nothing."""

    def what_if(self, asked: Ask, tell: Tell) -> WhatIfShape:
        """Price usage on other models."""

    def coverage(self, asked: Ask) -> CoverageShape:
        """How much of what was seen has a price."""

    def calculate(self, asked: Ask) -> CalculationShape:
        """What usage costs."""

    def estimate(self, asked: Ask) -> EstimateShape:
        """What a request comes to."""

    def factors(self) -> FactorsShape:
        """What settled calls have taught about estimates."""


class NoLedger(NotFound):
    """There is no database yet where one was to be read."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            "ledger",
            str(file),
            f"There is no ledger at {file} yet. `budget serve` makes one, and so does "
            "`budget set-limit`.",
        )


class InProcess:
    """The books of a database, opened here."""

    def __init__(self, budget: "Budget", where: str) -> None:
        self.where = where
        self.opened = budget

    def status(self, attributes: Mapping[str, str]) -> list[BalanceShape]:
        """Every balance that calls with these attributes meet."""
        from budget.domain import wire

        return [wire.balance(view) for view in self.opened.status(**attributes)]

    def budgets(self) -> Iterator[BudgetShape]:
        """Every budget in force."""
        from budget.domain import wire

        cursor: str | None = None
        while True:
            page = self.opened.budgets(limit=PAGE, cursor=cursor)
            yield from map(wire.budget, page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def budget(self, budget_id: str) -> BudgetShape:
        """One budget."""
        from budget.domain import wire

        return wire.budget(self.opened.budget(budget_id))

    def create_budget(self, asked: Ask) -> BudgetShape:
        """Create a budget with its policies."""
        from budget.domain import wire

        return wire.budget(self.opened.create_budget(**asked))

    def create_policy(self, budget_id: str, asked: Ask) -> PolicyShape:
        """Add a policy to a budget."""
        from budget.domain import wire

        return wire.policy(self.opened.create_policy(budget_id, **asked))

    def change_policy(self, policy_id: str, asked: Ask) -> PolicyShape:
        """Change fields of a policy."""
        from budget.domain import wire

        return wire.policy(self.opened.change_policy(policy_id, **asked))

    def verify(self, anchor: str | None, tell: Tell) -> VerificationShape:
        """Recompute the books, telling how far it has come."""
        from budget.domain import wire
        from budget.engine.verify import verify

        return wire.verification(verify(self.opened.books.database, anchor=anchor, progress=tell))

    def rerate(self, asked: Ask, tell: Tell) -> ReratingShape:
        """Price usage again."""
        from budget.domain import wire

        return wire.rerating(self.opened.rerate(**asked, progress=tell))

    def what_if(self, asked: Ask, tell: Tell) -> WhatIfShape:
        """Price usage on other models."""
        from budget.domain import wire

        return wire.what_if(self.opened.what_if(**asked, progress=tell))

    def coverage(self, asked: Ask) -> CoverageShape:
        """How much of what was seen has a price."""
        from budget.domain import wire

        return wire.coverage(self.opened.coverage(**asked))

    def calculate(self, asked: Ask) -> CalculationShape:
        """What usage costs."""
        from budget.domain import wire

        return wire.calculation(self.opened.calculate(**asked))

    def estimate(self, asked: Ask) -> EstimateShape:
        """What a request comes to."""
        from budget.domain import wire

        return wire.estimate(self.opened.estimate(**asked))

    def factors(self) -> FactorsShape:
        """What settled calls have taught about estimates."""
        from budget.domain import wire

        return wire.factors(self.opened.factors())


def estimate(face: Face, ask: Ask) -> EstimateShape:
    """What a request comes to: by the service if one is asked, else by the database; where there is
    none, at the bundled prices and those of BUDGET_PRICES, and by what nobody has taught.
    """
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    try:
        with open_books(face, priced=True) as books:
            return books.estimate(ask)
    except NoLedger:
        pass
    import time

    from budget.domain import wire
    from budget.engine.callers import LOCAL
    from budget.engine.estimates import estimate
    from budget.prices.own import book_with

    prices = book_with(settings.prices)
    return wire.estimate(estimate(ask, LOCAL, prices, None, time.time_ns() // 1000))


def learnt_factors(face: Face) -> FactorsShape:
    """What settled calls have taught about estimates; NoLedger where there are no calls."""
    with open_books(face) as books:
        return books.factors()


def calculate(face: Face, ask: Ask) -> CalculationShape:
    """What usage costs: at the prices of the service if one is asked, else of the database; where
    there is none, at the bundled ones and those of BUDGET_PRICES.
    """
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    try:
        with open_books(face, priced=True) as books:
            return books.calculate(ask)
    except NoLedger:
        pass
    import time

    from budget.domain import wire
    from budget.engine.costing import calculate
    from budget.prices.own import book_with

    prices = book_with(settings.prices)
    return wire.calculation(calculate(ask, prices, time.time_ns() // 1000))


@contextmanager
def open_books(face: Face, *, create: bool = False, priced: bool = False) -> Iterator[Books]:
    """The books that were asked for: a service where one answers, else the database itself.

    Only with `create` is a database made where there is none; else NotFound says so. Only with
    `priced` are the prices loaded, which takes a while.
    """
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    place = find_place(settings)
    if place.url is not None:
        with Service(place.url, place.key) as service:
            yield service
        return
    prices = settings.price_settings if priced else None
    with _open_database(settings, create=create, prices=prices) as opened:
        yield opened


@contextmanager
def open_budget(face: Face, *, create: bool = False, priced: bool = False) -> Iterator["Budget"]:
    """The facade of the books that were asked for: `Budget` on a database, or the client of a
    service, which has the same methods and answers the same values.
    """
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    place = find_place(settings)
    if place.url is None:
        prices = settings.price_settings if priced else None
        with _open_database(settings, create=create, prices=prices) as opened:
            yield opened.opened
        return
    from budget.client import Client

    with Client(place.url, key=place.key) as client:
        yield cast("Budget", client)


@contextmanager
def open_database(face: Face, own: Path | None = None) -> Iterator[InProcess]:
    """The database that was asked for, with its prices, opened here even beside a service.

    `own` is another file of own prices than the one that is configured, which wins over what was
    set as well.

    InvalidInput where a service was named, whose database nobody knows here.
    """
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    check_target(settings.target)
    if settings.target.startswith(ADDRESSES):
        raise InvalidInput(
            "target", "must be a database: this is read and priced here.", DATABASES[:2]
        )
    prices = settings.price_settings
    if own is not None:
        prices = replace(prices, own=own, own_first=True)
    with _open_database(settings, create=False, prices=prices) as opened:
        yield opened


@contextmanager
def _open_database(
    settings: "Settings", *, create: bool, prices: "PriceSettings | None"
) -> Iterator[InProcess]:
    file = database_file(settings.target)
    if file is not None and not create and not file.exists():
        raise NoLedger(file)
    from budget.engine import books
    from budget.engine.budget import Budget
    from budget.prices.book import PriceBook

    opened = books.Books.open(
        settings.target,
        prices=PriceBook(None) if prices is None else None,
        price_settings=prices,
        sweep=False,
    )
    with Budget(opened) as budget:
        yield InProcess(budget, settings.target)


def find_service(face: Face, url: str | None) -> Service:
    """The service at an address, or that of this machine. Unavailable when there is none."""
    from budget.engine.settings import Settings

    if url is not None:
        settings = Settings.read(target=face.target)
        url = service_url(url, "--url")
        return Service(url, find_key(settings.config_dir, url), option="--url")
    settings = Settings.read(target=face.target)
    place = find_place(settings)
    if place.url is None:
        raise Unavailable(
            "No service runs on this machine. Start one with `budget serve`, or name another with "
            "--url.",
            code="unreachable",
        )
    return Service(place.url, place.key, option="--url")
