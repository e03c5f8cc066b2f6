"""The ledger: whose thread carries a command out, and what may happen to that thread meanwhile."""

import os
import signal
import threading
import time
from pathlib import Path
from types import FrameType

import pytest

from budget.domain.answers import Receipt
from budget.domain.errors import BudgetError, OutcomeUnknown
from budget.engine.budget import Budget as Books
from budget.engine.ledger import ALONE
from budget.storage.sqlite_file import Lock
from tests.engine.opened import SECOND, Clock, allocated


def working_threads(books: Books) -> list[str]:
    """The names of the threads that commit from here on, when nobody else has called of late."""
    names: list[str] = []
    for _ in range(ALONE):
        books.check(requests=1)
    books.books.ledger.add_listener(lambda: names.append(threading.current_thread().name))
    return names


def test_who_blocks_for_an_answer_carries_the_command_out(light: Books) -> None:
    names = working_threads(light)
    allocated(light, allocation_id="a", requests=1)
    assert isinstance(light.settle("a", input_tokens=0), Receipt)
    assert names == ["MainThread", "MainThread"]


def test_changes_and_many_commands_at_once_are_the_writers(light: Books) -> None:
    names = working_threads(light)
    light.create_budget(name="A", policies=[{"unit": "usd", "period": "daily", "limit": "1"}])
    light.record_bulk(records=[{"usage_id": "u", "model": "m", "input_tokens": 1}])
    assert names == ["budget-writer", "budget-writer"]


def test_what_must_wait_for_a_sweep_is_left_to_the_writer(light: Books, clock: Clock) -> None:
    names = working_threads(light)
    light.create_budget(
        name="A",
        policies=[{"unit": "requests", "period": "daily", "limit": 1, "on_expiry": "release"}],
    )
    allocated(light, allocation_id="due", requests=1, ttl_seconds=1)
    clock.move(SECOND)
    names.clear()
    allocated(light, allocation_id="next", requests=1)
    assert names == ["MainThread", "budget-writer"]
    assert light.allocation("due").status == "expired"


@pytest.mark.parametrize("before", [0, ALONE], ids=["the writer's", "the caller's"])
def test_what_calls_amid_a_batch_of_its_own_thread_is_carried_out_after_it(
    light: Books, before: int
) -> None:
    """As a finalizer may, which the garbage collector calls wherever it happens to run."""
    told: list[BaseException] = []
    done = threading.Event()

    def amid() -> None:
        if told:
            done.set()
            return
        try:
            allocated(light, allocation_id="inner", requests=1)
        except BudgetError as error:
            told.append(error)

    for _ in range(before):
        light.check(requests=1)
    light.books.ledger.add_listener(amid)
    allocated(light, allocation_id="outer", requests=1)
    assert [type(error) for error in told] == [OutcomeUnknown]
    assert done.wait(10)
    assert light.allocation("inner").status == light.allocation("outer").status == "open"


def test_a_call_may_be_interrupted_anywhere(light: Books, light_url: str, long_run: bool) -> None:
    """By Ctrl-C, say: the lock of the file and the turn are let go of, and the books are clean."""
    light.create_budget(name="A", policies=[{"unit": "usd", "period": "daily", "limit": "1000"}])
    for _ in range(ALONE):
        allocated(light, usd="0.001")
    lock = Lock(Path(light_url.removeprefix("sqlite:///")))
    for round_ in range(2_000 if long_run else 60):
        interrupt(light, 200 + 37 * round_ % 1_500)
        lock.acquire(10)  # as another process would
        lock.release()
        thread = threading.Thread(target=allocated, args=(light,), kwargs={"usd": "0.001"})
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "the ledger hangs"
    lock.close()


def interrupt(books: Books, after_us: int) -> None:
    """Hold one amount after another, until a signal comes that raises."""

    def strike(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    try:
        signal.setitimer(signal.ITIMER_REAL, after_us / 1_000_000)
        while True:
            allocated(books, usd="0.001")
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_child_process_leaves_the_connection_of_its_parent_alone(light: Books) -> None:
    """A fork takes no other thread with it: what it asks is queued, and nobody is there for it."""
    names = working_threads(light)
    allocated(light, requests=1)
    assert names == ["MainThread"]
    child = os.fork()
    if not child:
        asking = threading.Thread(target=light.allocate, kwargs={"requests": 1}, daemon=True)
        asking.start()
        while asking.is_alive() and not light.books.ledger.queued:
            time.sleep(0.001)
        os._exit(not light.books.ledger.queued)
    assert os.waitpid(child, 0)[1] == 0
    assert len(light.allocations().items) == 1
