"""Fixtures of the tests of channels: a receiver, and books whose channels may reach it."""

import time
from collections.abc import Iterator

import pytest

from budget.engine.books import Books as Opened
from budget.engine.budget import Budget as Books
from budget.engine.channels.settings import ChannelSettings, MailServer
from tests.engine.channels.post import Post
from tests.engine.opened import PRICES, Clock
from tests.support.receivers import Receiver, receiving

MAIL = MailServer("smtp", "127.0.0.1", 9, "budget@example.com")
"""Nobody listens there; tests of mail have a server of their own."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with receiving() as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    """Now, until it is moved: receivers do not believe other times."""
    return Clock(time.time_ns() // 1_000)


def opened(url: str, clock: Clock, receiver: Receiver) -> Books:
    """Books whose channels may reach the receiver."""
    settings = ChannelSettings(frozenset({receiver.origin}), MAIL)
    return Books(
        Opened.open(url, clock=clock, prices=PRICES, channel_settings=settings, sweep=False)
    )


@pytest.fixture
def books(books_url: str, clock: Clock, receiver: Receiver) -> Iterator[Books]:
    """On both engines; what the test has done must leave them clean."""
    with opened(books_url, clock, receiver) as found:
        yield found
        assert found.verify().violations == ()


@pytest.fixture
def light(light_url: str, clock: Clock, receiver: Receiver) -> Iterator[Books]:
    """On SQLite alone."""
    with opened(light_url, clock, receiver) as found:
        yield found
        assert found.verify().violations == ()


@pytest.fixture
def post(books: Books) -> Iterator[Post]:
    """Whoever gathers and sends, when it is told to."""
    with Post(books) as found:
        yield found


@pytest.fixture
def light_post(light: Books) -> Iterator[Post]:
    """The same on SQLite alone."""
    with Post(light) as found:
        yield found
