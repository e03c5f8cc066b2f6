"""The notifier: the same in threads, beside calls, on several nodes, and when it is stopped."""

import threading
from collections.abc import Iterator

import pytest

from budget.engine.budget import Budget as Books
from budget.engine.channels.notifier import Notifier
from tests.engine.channels.conftest import opened
from tests.engine.channels.post import deliveries, hook, made
from tests.engine.opened import Clock
from tests.support.receivers import Received, Receiver


@pytest.fixture
def running(books: Books) -> Iterator[Notifier]:
    """A notifier that looks often."""
    notifier = Notifier(books.books, every_seconds=0.02, waits=(0.01, 0.01, 0.01)).start()
    yield notifier
    notifier.close()


def test_events_arrive_while_calls_are_made(
    books: Books, running: Notifier, receiver: Receiver
) -> None:
    del running
    hook(books, receiver, "placed")
    for at in range(50):
        books.allocate(requests=1, allocation_id=f"a{at}")
    receiver.wait_for(lambda: len(receiver.received) == 50)
    told = [request.told["data"]["allocation_id"] for request in receiver.received]
    assert told == [f"a{at}" for at in range(50)]


def test_a_receiver_that_hangs_keeps_no_other_waiting(
    books: Books, running: Notifier, receiver: Receiver
) -> None:
    del running
    freed = threading.Event()

    def status(request: Received) -> int:
        if b"budget_created" in request.body:
            freed.wait(9)
        return 200

    receiver.status = status
    hook(books, receiver, "budget_created")
    hook(books, receiver, "budget_archived")
    (first,) = made(books, "a")
    books.archive_budget(first)
    receiver.wait_for(lambda: "budget_archived" in receiver.types)
    assert "budget_created" not in receiver.types
    freed.set()
    receiver.wait_for(lambda: len(receiver.received) == 2)


def test_two_nodes_tell_everything_once(
    books: Books, books_url: str, clock: Clock, running: Notifier, receiver: Receiver
) -> None:
    del running
    with opened(books_url, clock, receiver) as second:
        other = Notifier(second.books, every_seconds=0.02).start()
        channel = hook(books, receiver)
        names = [f"b{at}" for at in range(30)]
        for name in names[::2]:
            made(books, name)
        for name in names[1::2]:
            made(second, name)
        receiver.wait_for(lambda: len(receiver.received) >= 30)
        other.close()
    assert sorted(r.told["data"]["detail"]["name"] for r in receiver.received) == sorted(names)
    assert len(deliveries(books, channel)) == 30


def test_a_notifier_that_is_closed_leaves_the_rest_for_the_next(
    light: Books, receiver: Receiver
) -> None:
    hook(light, receiver)
    first = Notifier(light.books, every_seconds=0.02).start()
    made(light, "a")
    receiver.wait_for(lambda: len(receiver.received) == 1)
    first.close()
    made(light, "b")
    second = Notifier(light.books, every_seconds=0.02).start()
    receiver.wait_for(lambda: len(receiver.received) == 2)
    second.close()
    assert [r.told["data"]["detail"]["name"] for r in receiver.received] == ["a", "b"]


def test_it_may_be_closed_though_it_never_began(light: Books) -> None:
    Notifier(light.books).close()
