"""Booking: what was used reaches the books, also when they cannot be reached just now.

An act is tried at once; if the books are unavailable it waits in this process's queue, and is tried
again with the same ids until it stands or the process ends. What does not stand then is written to
the log `budget.sdk`, so that it is not lost without a word. Not here: what is booked (`holds`).
"""

import asyncio
import functools
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, NamedTuple, TypeVar

from budget.domain.errors import BudgetError, Unavailable

T = TypeVar("T")

LOG: Final = logging.getLogger("budget.sdk")
FIRST_WAIT_SECONDS: Final = 0.2
MOST_WAIT_SECONDS: Final = 10.0
EXIT_SECONDS: Final = 5.0
"""How long the end of a process waits for books that cannot be reached."""

_WORKERS: Final = 32


class Act(NamedTuple):
    """Something that must reach the books: how, and what it is in words and figures."""

    do: Callable[[], object]
    what: str


class _Desk:
    """The threads and the queue of this process."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(_WORKERS, "budget-sdk")
        self.waiting: deque[Act] = deque()
        self.changed = threading.Condition()
        self.clerk: threading.Thread | None = None
        self.closing = False
        self.left: SimpleQueue[Act | None] = SimpleQueue()
        self.sweeper: threading.Thread | None = None
        self.ended = False

    def keep(self, act: Act) -> None:
        """Try it later."""
        with self.changed:
            self.waiting.append(act)
            if self.clerk is None and not self.closing:
                self.clerk = threading.Thread(target=self.work, name="budget-booking", daemon=True)
                self.clerk.start()
            self.changed.notify_all()

    def work(self) -> None:
        """Try what waits, oldest first, ever less often while the books are unavailable."""
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            with self.changed:
                self.changed.wait(wait_seconds if self.waiting else None)
                if self.closing:
                    return
            wait_seconds = (
                FIRST_WAIT_SECONDS if self.drain() else min(2 * wait_seconds, MOST_WAIT_SECONDS)
            )

    def sweep(self) -> None:
        """Book what finalizers left, until None is left."""
        while (act := self.left.get()) is not None:
            submit(functools.partial(book, act))

    def drain(self) -> bool:
        """Try all that waits, once; whether nothing waits any more."""
        while self.waiting:
            act = self.waiting[0]
            if not _tried(act):
                return False
            with self.changed:
                if self.waiting and self.waiting[0] is act:
                    self.waiting.popleft()
                self.changed.notify_all()
        return True


def _tried(act: Act) -> bool:
    """Whether it needs no further try: it stands, or the books will not have it."""
    try:
        act.do()
    except Unavailable:
        return False
    except BudgetError as error:
        LOG.error("not booked: %s: %s", act.what, error)
    except Exception:
        LOG.exception("not booked: %s", act.what)
    return True


_desk = _Desk()


def book(act: Act) -> bool:
    """Do it now; whether it stands. If the books are unavailable, it is done later.

    An error that a further try won't cure is logged: what was called has been answered, and its
    caller must have the answer.
    """
    try:
        act.do()
    except Unavailable as error:
        LOG.warning("booked later: %s: %s", act.what, error)
        keep(act)
        return False
    except BudgetError as error:
        LOG.error("not booked: %s: %s", act.what, error)
        return False
    return True


def attend() -> None:
    """Be ready for what is left by `leave`; to be called before anything may be left."""
    with _desk.changed:
        if _desk.sweeper is None and not _desk.ended:
            _desk.sweeper = threading.Thread(
                target=_desk.sweep, name="budget-sweeping", daemon=True
            )
            _desk.sweeper.start()


def leave(act: Act) -> None:
    """Have it booked by another thread, without any lock: a finalizer may run where its own thread
    holds those of a pool or of a queue, and would wait for itself.
    """
    if _desk.ended:
        book(act)
    else:
        _desk.left.put(act)


def keep(act: Act) -> None:
    """Do it later: the books are unavailable now."""
    _desk.keep(act)


def submit(do: Callable[[], T]) -> "Future[T]":
    """Run it in a thread of the SDK; here and now where the process is ending."""
    try:
        return _desk.pool.submit(do)
    except RuntimeError:  # the pool is closed: the process ends
        done: Future[T] = Future()
        try:
            done.set_result(do())
        except BaseException as error:  # noqa: BLE001 - it is told to who asks the future
            done.set_exception(error)
        return done


async def in_thread(do: Callable[[], T]) -> T:
    """Run it in a thread and wait. Cancelling ends the waiting only: what was begun is done."""
    return await asyncio.shield(asyncio.wrap_future(submit(do)))


def flush(timeout_seconds: float = EXIT_SECONDS) -> bool:
    """Wait until nothing waits to be booked; whether that came about in time."""
    until = time.monotonic() + timeout_seconds
    wait_seconds = FIRST_WAIT_SECONDS / 4
    while not _desk.drain():
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(wait_seconds, left))
        wait_seconds *= 2
    return True


def finish() -> None:
    """Before the books of the process close: try once more, for a while; then tell what is lost."""
    _desk.ended = True
    sweeper, _desk.sweeper = _desk.sweeper, None
    if sweeper is not None:
        _desk.left.put(None)
        sweeper.join()
    _desk.pool.shutdown(wait=True)
    if flush():
        return
    _desk.closing = True
    for act in _desk.waiting:
        LOG.error("not booked, the process ends: %s", act.what)


def _in_child() -> None:
    """A forked child has no threads, and what waits is its parent's."""
    global _desk
    _desk = _Desk()


os.register_at_fork(after_in_child=_in_child)
