"""Books: those that a command was told to use, opened: a database here, or the client of a service.

Both have the methods of the facade and answer the same values. Not here: which books are meant
(`engine.places`), and `replay`, which drives a service in its own way (`remote`).
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from budget.cli.face import Face
from budget.domain.answers import BalanceView
from budget.domain.errors import InvalidInput, NotFound, Unauthorized
from budget.engine.places import ADDRESSES, DATABASES, check_target, database_file, find_place
from budget.engine.settings import Settings

if TYPE_CHECKING:
    from budget.domain.facade import Facade
    from budget.engine.budget import Budget
    from budget.engine.price_book.settings import PriceSettings

Ask = dict[str, Any]


class NoLedger(NotFound):
    """There is no database yet where one was to be read."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            "ledger",
            str(file),
            f"There is no ledger at {file} yet. `budget init` makes one, and so do `budget serve` "
            "and `budget set-limit`.",
        )


@contextmanager
def open_budget(face: Face, *, create: bool = False, priced: bool = False) -> Iterator["Facade"]:
    """The books that were asked for: of a service where one answers, else the database itself.

    Only with `create` is a database made where there is none; else NoLedger says so. Only with
    `priced` are the prices loaded, which takes a while.
    """
    settings = Settings.read(target=face.target)
    place = find_place(settings)
    if place.url is None:
        prices = settings.price_settings if priced else None
        with _opened(settings, create=create, prices=prices) as budget:
            yield budget
        return
    from budget.client import Client

    if place.key is not None:
        check_key(place.key)
    with Client(place.url, key=place.key) as client:
        try:
            yield client
        except Unauthorized:
            raise Unauthorized(not_accepted(place.url, place.key)) from None


def check_key(key: str) -> None:
    """InvalidInput for a key that no header can carry."""
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidInput("BUDGET_KEY", "is no key; one looks like bud_… and is one word.")


def not_accepted(url: str, key: str | None) -> str:
    """Which key a service did not accept, and how to name another. It speaks of headers itself."""
    if key is None:
        return f"{url} asks for a key, and none is kept here for it. Name one with BUDGET_KEY."
    if key == os.environ.get("BUDGET_KEY", "").strip():
        return (
            f"{url} does not accept the key in BUDGET_KEY. Is it of another service? Without it, "
            "the one in the key file is used."
        )
    return (
        f"{url} does not accept the key that the key file has for it. Name another with "
        "BUDGET_KEY, or make one with `budget serve --new-admin-key`."
    )


def read_status(face: Face, attributes: Mapping[str, str]) -> list[BalanceView]:
    """Every balance that calls with these attributes meet, of the books that were asked for.

    A database is read without the acts of the facade, and a file without what other databases
    need: that halves the time of the answer, twice.
    """
    settings = Settings.read(target=face.target)
    if find_place(settings).url is not None:
        with open_budget(face) as books:
            return books.status(**attributes)
    _must_exist(settings)
    file = database_file(settings.target)
    if file is not None:
        from budget.engine.standing_file import standing_of_file

        found = standing_of_file(file, attributes)
        if found is not None:
            return found
    from budget.engine.standing_sources import status
    from budget.storage.database import open_database

    with closing(open_database(settings.target)) as database:
        database.migrate()
        return status(database, attributes)


@contextmanager
def read_budget(face: Face) -> Iterator["Facade"]:
    """The books that were asked for, with their prices; where there are none, new ones that are
    empty, and gone afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="budget-") as folder:
        empty = replace(face, target=f"sqlite:///{folder}/budget.db")
        wanted = empty if _is_missing(face) else face
        with open_budget(wanted, create=wanted is empty, priced=True) as budget:
            yield budget


@contextmanager
def open_here(face: Face, own: Path | None = None) -> Iterator["Budget"]:
    """The database that was asked for, with its prices, opened here even beside a service.

    `own` is another file of own prices than the one that is configured, which wins over what was
    set as well.

    InvalidInput where a service was named, whose database nobody knows here.
    """
    settings = Settings.read(target=face.target)
    check_target(settings.target)
    if settings.target.startswith(ADDRESSES):
        raise InvalidInput(
            "target", "must be a database: this is read and priced here.", DATABASES[:2]
        )
    prices = settings.price_settings
    if own is not None:
        prices = replace(prices, own=own, own_first=True)
    with _opened(settings, create=False, prices=prices) as budget:
        yield budget


def _must_exist(settings: Settings) -> None:
    file = database_file(settings.target)
    if file is not None and not file.exists():
        raise NoLedger(file)


def _is_missing(face: Face) -> bool:
    file = database_file(Settings.read(target=face.target).target)
    return file is not None and not file.exists()


@contextmanager
def _opened(
    settings: Settings, *, create: bool, prices: "PriceSettings | None"
) -> Iterator["Budget"]:
    if not create:
        _must_exist(settings)
    from budget.engine.budget import Budget
    from budget.engine.jobs import Books
    from budget.prices.book import PriceBook

    opened = Books.open(
        settings.target,
        prices=PriceBook(None) if prices is None else None,
        price_settings=prices,
        sweep=False,
    )
    with Budget(opened) as budget:
        yield budget
