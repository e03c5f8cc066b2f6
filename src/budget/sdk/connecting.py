"""Connecting: the books that a program means, and those it uses when it names none.

The default books are opened when they are first needed, and closed when the process ends; a forked
child opens its own. Not here: how a target becomes a place (`engine.places`).
"""

import atexit
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from budget.domain.errors import InvalidInput
from budget.sdk import booking
from budget.sdk.books import Books

if TYPE_CHECKING:
    from budget.client import AsyncClient, Client
    from budget.engine.budget import AsyncBudget, Budget
    from budget.engine.places import Place
    from budget.engine.settings import Settings


class _Meant(NamedTuple):
    """What `configure` said, the place that was found, and the books once they are open."""

    target: str | None = None
    key: str | None = None
    books: Books | None = None
    own: bool = True


_lock = threading.RLock()
_meant = _Meant()


def connect(target: str | None = None, *, key: str | None = None) -> "Budget | Client":
    """Open books: `sqlite:///…` and `postgresql://…` in this process, `http(s)://…` of a service.

    Without a target: BUDGET_TARGET, else the config file's, else this user's database. A service
    that has that database open is asked instead. The key is for a service; without one BUDGET_KEY
    counts, else the key that is kept for it. Whoever connects closes: `with budget.connect() as b`.
    """
    settings, place = _found(target, key)
    if place.url is not None:
        from budget.client import Client

        return Client(place.url, key=place.key)
    from budget.engine.budget import Budget
    from budget.engine.jobs import Books as OpenBooks

    _make_room(place.target)
    return Budget(
        OpenBooks.open(
            place.target,
            price_settings=settings.price_settings,
            channel_settings=settings.channels,
        )
    )


async def connect_async(
    target: str | None = None, *, key: str | None = None
) -> "AsyncBudget | AsyncClient":
    """The same for an event loop: `async with await budget.connect_async() as books`."""
    import asyncio

    settings, place = await asyncio.to_thread(_found, target, key)
    if place.url is not None:
        from budget.client import AsyncClient

        return AsyncClient(place.url, key=place.key)
    from budget.engine.budget import AsyncBudget
    from budget.engine.jobs import Books as OpenBooks

    def opened() -> OpenBooks:
        _make_room(place.target)
        return OpenBooks.open(
            place.target,
            price_settings=settings.price_settings,
            channel_settings=settings.channels,
        )

    return AsyncBudget(await asyncio.to_thread(opened))


def configure(
    target: str | None = None, *, key: str | None = None, books: "Budget | Client | None" = None
) -> None:
    """Say which books this program uses where it names none: a target, or books that are open.

    Without anything: those that BUDGET_TARGET, the config file or this user's database mean. What
    was in use is closed, unless it was given open.
    """
    global _meant
    if books is not None and (target is not None or key is not None):
        raise InvalidInput("books", "are given beside a target or key; give one or the other.")
    if target is not None:
        from budget.engine.places import check_target

        check_target(target)
    with _lock:
        booking.flush(1.0)
        _close()
        _meant = _Meant(target, key, cast("Books | None", books), own=books is None)


def default_books() -> Books:
    """The books of this process, opened now if they are not yet."""
    global _meant
    books = _meant.books
    if books is not None:
        return books
    with _lock:
        if _meant.books is None:
            opened = cast(Books, connect(_meant.target, key=_meant.key))
            _meant = _meant._replace(books=opened)
        assert _meant.books is not None
        return _meant.books


def _found(target: str | None, key: str | None) -> "tuple[Settings, Place]":
    from budget.engine.places import find_place
    from budget.engine.settings import Settings

    settings = Settings.read(target=target)
    return settings, find_place(settings, key=key)


def _make_room(target: str) -> None:
    """The folder of this user's own database need not be there yet."""
    from budget.engine.places import database_file
    from budget.engine.settings import default_target

    file = database_file(target)
    if file is not None and target == default_target():
        file.parent.mkdir(parents=True, exist_ok=True)


def _close() -> None:
    global _meant
    books, own = _meant.books, _meant.own
    _meant = _meant._replace(books=None, own=True)
    if books is not None and own:
        books.close()


def _at_exit() -> None:
    booking.finish()
    _close()


def _in_child() -> None:
    """A forked child opens its own: connections and the writer's thread are its parent's."""
    global _lock, _meant
    _lock = threading.RLock()
    if _meant.own:
        _kept_for_the_parent.append(_meant.books)
        _meant = _meant._replace(books=None)


_kept_for_the_parent: list[Any] = []
"""Books of the parent, in a child: never closed there, nor collected."""

os.register_at_fork(after_in_child=_in_child)
atexit.register(_at_exit)
