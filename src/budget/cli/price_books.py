"""Price books as commands ask for them: those of a service over HTTP, or of a database opened here.

Both answer in the shapes of the API. Not here: what calls cost, and history priced again (`books`).
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote

from budget.cli.books import (
    PAGE,
    Ask,
    Books,
    InProcess,
    NoLedger,
    open_books,
    open_database,
)
from budget.cli.exits import Answered
from budget.cli.face import Face
from budget.cli.remote import Service
from budget.domain.shapes_prices import (
    PriceComparisonShape,
    PriceDecisionShape,
    PriceOverrideShape,
    PricePeriodShape,
    PriceReportShape,
    PriceShape,
    PriceSourceShape,
    PriceUpdateShape,
)

if TYPE_CHECKING:
    from budget.domain.answers_pages import Page
    from budget.engine.budget import Budget

T = TypeVar("T")

UPDATE_SECONDS: Final = 900
SOURCES_VARIABLE: Final = "BUDGET_PRICE_SOURCES"


class PriceBooks(Protocol):
    """What commands ask of a price book. `where` says in words where it lies."""

    where: str

    def prices(self, asked: Mapping[str, str]) -> Iterator[PriceShape]:
        """Every price that fits."""

    def current(self, asked: Ask) -> PriceShape:
        """The price of a model."""

    def history(self, provider: str, model: str) -> list[PricePeriodShape]:
        """Every price of a model, newest first."""

    def compare(self, asked: Mapping[str, str]) -> PriceComparisonShape:
        """What each source says of a model."""

    def sources(self) -> list[PriceSourceShape]:
        """Every source."""

    def updates(self, asked: Mapping[str, str]) -> Iterator[PriceUpdateShape]:
        """Changes of prices, newest first."""

    def set(self, asked: Ask) -> PriceOverrideShape:
        """Set a price."""

    def end(self, override_id: str, asked: Ask) -> PriceOverrideShape:
        """End a price that was set."""

    def update(self, sources: Sequence[str] | None, file: Path | None) -> PriceReportShape:
        """Read sources anew."""

    def decide(self, accept: bool, what: str, asked: Ask) -> PriceDecisionShape:
        """Accept or reject what waits."""


class InProcessPrices:
    """The price book of a database, opened here."""

    def __init__(self, budget: "Budget", where: str) -> None:
        self.where = where
        self._budget = budget

    def prices(self, asked: Mapping[str, str]) -> Iterator[PriceShape]:
        """Every price that fits."""
        from budget.domain import wire

        given: Ask = dict(asked)
        return map(wire.price, _pages(lambda at: self._budget.prices(**given, **at)))

    def current(self, asked: Ask) -> PriceShape:
        """The price of a model."""
        from budget.domain import wire

        return wire.price(self._budget.current_price(**asked))

    def history(self, provider: str, model: str) -> list[PricePeriodShape]:
        """Every price of a model, newest first."""
        from budget.domain import wire

        return [wire.price_period(one) for one in self._budget.price_history(provider, model)]

    def compare(self, asked: Mapping[str, str]) -> PriceComparisonShape:
        """What each source says of a model."""
        from budget.domain import wire

        return wire.price_comparison(self._budget.compare_prices(**asked))

    def sources(self) -> list[PriceSourceShape]:
        """Every source."""
        from budget.domain import wire

        return [wire.price_source(one) for one in self._budget.price_sources()]

    def updates(self, asked: Mapping[str, str]) -> Iterator[PriceUpdateShape]:
        """Changes of prices, newest first."""
        from budget.domain import wire

        given: Ask = dict(asked)
        return map(wire.price_update, _pages(lambda at: self._budget.price_updates(**given, **at)))

    def set(self, asked: Ask) -> PriceOverrideShape:
        """Set a price."""
        from budget.domain import wire

        return wire.price_override(self._budget.set_price(**asked))

    def end(self, override_id: str, asked: Ask) -> PriceOverrideShape:
        """End a price that was set."""
        from budget.domain import wire

        return wire.price_override(self._budget.end_price(override_id, **asked))

    def update(self, sources: Sequence[str] | None, file: Path | None) -> PriceReportShape:
        """Read sources anew, from where they are configured or from a file."""
        from budget.domain import wire

        return wire.price_report(self._budget.update_prices(sources=sources, file=file))

    def decide(self, accept: bool, what: str, asked: Ask) -> PriceDecisionShape:
        """Accept or reject what waits."""
        from budget.domain import wire

        act = self._budget.accept_price if accept else self._budget.reject_price
        return wire.price_decision(act(what, **asked))


def _pages(read: Callable[[Ask], "Page[T]"]) -> Iterator[T]:
    cursor: str | None = None
    while True:
        page = read({"limit": PAGE, "cursor": cursor})
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


class ServicePrices:
    """The price book of a service."""

    def __init__(self, service: Service) -> None:
        self.where = service.where
        self._service = service

    def prices(self, asked: Mapping[str, str]) -> Iterator[PriceShape]:
        """Every price that fits."""
        return self._service.pages("/prices", **asked)

    def current(self, asked: Ask) -> PriceShape:
        """The price of a model."""
        told: PriceShape = self._service.call("POST", "/prices/current", asked)
        return told

    def history(self, provider: str, model: str) -> list[PricePeriodShape]:
        """Every price of a model, newest first."""
        path = f"/prices/history/{quote(provider, safe='')}/{quote(model, safe='')}"
        told: list[PricePeriodShape] = self._service.call("GET", path)["items"]
        return told

    def compare(self, asked: Mapping[str, str]) -> PriceComparisonShape:
        """What each source says of a model."""
        told: PriceComparisonShape = self._service.call("GET", "/prices/compare", None, asked)
        return told

    def sources(self) -> list[PriceSourceShape]:
        """Every source."""
        told: list[PriceSourceShape] = self._service.call("GET", "/prices/sources")["items"]
        return told

    def updates(self, asked: Mapping[str, str]) -> Iterator[PriceUpdateShape]:
        """Changes of prices, newest first."""
        return self._service.pages("/prices/updates", **asked)

    def set(self, asked: Ask) -> PriceOverrideShape:
        """Set a price."""
        told: PriceOverrideShape = self._service.call("PUT", "/prices", asked)
        return told

    def end(self, override_id: str, asked: Ask) -> PriceOverrideShape:
        """End a price that was set."""
        path = f"/prices/overrides/{quote(override_id, safe='')}/end"
        told: PriceOverrideShape = self._service.call("POST", path, asked)
        return told

    def update(self, sources: Sequence[str] | None, file: Path | None) -> PriceReportShape:
        """Have the service read the sources that it is configured to read."""
        assert file is None, "a file is read where the command runs"
        asked = {} if sources is None else {"sources": list(sources)}
        try:
            told: PriceReportShape = self._service.call(
                "POST", "/prices/update", asked, timeout_seconds=UPDATE_SECONDS
            )
        except Answered as error:
            if SOURCES_VARIABLE not in error.detail:
                raise
            more = f"It is read by the service at {self.where}, when that starts."
            raise Answered(error.status, f"{error.detail} {more}", error.code) from None
        return told

    def decide(self, accept: bool, what: str, asked: Ask) -> PriceDecisionShape:
        """Accept or reject what waits."""
        path = f"/prices/updates/{quote(what, safe='')}/{'accept' if accept else 'reject'}"
        told: PriceDecisionShape = self._service.call("POST", path, asked)
        return told


@contextmanager
def open_prices(face: Face, *, create: bool = False) -> Iterator[PriceBooks]:
    """The price book that was asked for; with `create` a database is made where there is none."""
    with open_books(face, create=create, priced=True) as books:
        yield _priced(books)


@contextmanager
def read_prices(face: Face) -> Iterator[PriceBooks]:
    """The price book that was asked for; where there is no ledger, that of a new one."""
    with ExitStack() as stack:
        try:
            books = stack.enter_context(open_books(face, priced=True))
        except NoLedger:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="budget-"))
            empty = replace(face, target=f"sqlite:///{folder}/budget.db")
            books = stack.enter_context(open_books(empty, create=True, priced=True))
        yield _priced(books)


@contextmanager
def open_prices_here(face: Face) -> Iterator[PriceBooks]:
    """The price book of a database, opened here even where a service has it open too."""
    with open_database(face) as books:
        yield InProcessPrices(books.opened, books.where)


def _priced(books: Books) -> PriceBooks:
    if isinstance(books, Service):
        return ServicePrices(books)
    assert isinstance(books, InProcess)
    return InProcessPrices(books.opened, books.where)
