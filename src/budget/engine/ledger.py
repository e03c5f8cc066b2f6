"""The ledger: commands wait in one queue, and one thread at a time decides and commits them.

Callers `submit` and get a `Ticket`; the ledger's own thread takes what is waiting, has it carried
out as one batch in one transaction, and only then it is answered. A thread that blocks for its
answer anyway carries its command out itself when nobody else calls. Not here: how a batch is
carried out (`writer`), and who waits for tickets (`tickets`).
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from budget.domain.errors import OutcomeUnknown, Unavailable
from budget.engine.catalogue import Catalogue
from budget.engine.commands import Command
from budget.engine.housekeeping import ClockGuard
from budget.engine.meter import Meter
from budget.engine.tickets import CatalogueChange, ManyWaiter, ThreadWaiter, Ticket, Waiter
from budget.engine.writer import Writer, wake
from budget.storage.durability import Durability
from budget.storage.unit import Unit

MAX_QUEUED: Final = 10_000
MAX_BATCH: Final = 256
MAX_WAIT_SECONDS: Final = 2.0
TICK_SECONDS: Final = 1.0
ALONE: Final = 8
"""After so many batches of one command, its caller may carry out the next itself."""


class Ledger:
    """Open for as long as the process answers; `close` answers what is queued, then stops.

    The catalogue is there before the first caller, whom a large one would keep waiting too long.
    """

    def __init__(
        self,
        open_unit: Callable[[], Unit],
        load_catalogue: Callable[[Unit, int], Catalogue],
        *,
        clock: Callable[[], int] | None = None,
        sweep: bool = True,
        noticed: Callable[[Catalogue], None] | None = None,
    ) -> None:
        """`noticed` is told, by whoever is at work, of each catalogue that is loaded."""
        self._process = os.getpid()
        self._writer = Writer(open_unit(), load_catalogue, clock, noticed)
        self._turn = threading.Lock()
        """Held by the thread that is at work with the writer."""
        self._at_work: set[int] = set()
        """Who is at work or about to be: the writer's thread, and those that call."""
        self._alone = 0
        """How many batches in a row were of one command, and nobody came meanwhile."""
        self._queue: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._stopped = threading.Event()
        self._sweep_every = TICK_SECONDS if sweep else None
        self._next_sweep = 0.0
        self._writer.load_first()
        self._thread = threading.Thread(target=self._run, name="budget-writer", daemon=True)
        self._watch = threading.Thread(target=self._expire_queue, name="budget-watch", daemon=True)
        self._thread.start()
        self._watch.start()

    # --- For callers -----------------------------------------------------------------------------

    def submit(self, ticket: Ticket) -> None:
        """Queue a ticket; Unavailable when the queue is full or the ledger closed."""
        self.submit_all((ticket,))

    def submit_all(self, tickets: Sequence[Ticket]) -> None:
        """Queue tickets one behind the other; Unavailable, and none of them is, without room."""
        now = time.monotonic()
        for ticket in tickets:
            ticket.queued_at = now
        with self._changed:
            self._require_open()
            waiting = len(self._queue)
            if waiting + len(tickets) > MAX_QUEUED:
                raise Unavailable("Too many commands are waiting; ask again.", code="queue_full")
            self._queue.extend(tickets)
            if not waiting:
                self._changed.notify()

    def _require_open(self) -> None:
        if self._closing:
            raise Unavailable("Budget is shutting down; ask again.")

    def do(self, ticket_of: Callable[[Waiter], Ticket]) -> Any:
        """Have a ticket answered, and block until it is."""
        waiter = ThreadWaiter()
        ticket = ticket_of(waiter)
        if not self._begun_here(ticket):
            self._submit_to_wait([ticket])
        waiter.wait()
        return ticket.result()

    def do_change(self, change: CatalogueChange) -> Any:
        """Run a change alone in its transaction, and block until it is committed; its answer."""
        return self.do(lambda waiter: Ticket(waiter, change=change))

    def do_all(self, commands: Sequence[Command]) -> list[Any]:
        """Submit commands together and block until all are answered: each its answer or error."""
        waiter = ManyWaiter(len(commands))
        tickets = [Ticket(waiter, command) for command in commands]
        if tickets:
            self._submit_to_wait(tickets)
            waiter.wait()
        return [ticket.answer if ticket.error is None else ticket.error for ticket in tickets]

    def _submit_to_wait(self, tickets: Sequence[Ticket]) -> None:
        self.submit_all(tickets)
        if threading.get_ident() in self._at_work:
            # What the garbage collector or a signal has called amid this thread's own batch
            # cannot wait for the next one, which comes after it.
            raise OutcomeUnknown(
                "This is carried out after the call that it has interrupted. To learn what came of "
                "it, send it again later with the same idempotency key."
            )

    def _begun_here(self, ticket: Ticket) -> bool:
        """Carry a command out in this thread, if nobody is at work; whether it was.

        That saves waking the writer's thread, and being woken by it; where many call, it would make
        batches smaller. What has to wait for a sweep is left to that thread after all. Where a
        batch may not be interrupted, as a caller's thread may be at any time, this is not done.
        """
        me = threading.get_ident()
        if (
            ticket.command is None
            or self._queue
            or self._alone < ALONE
            or self._turn.locked()
            or me in self._at_work
            or not self._writer.unit.interruptible
            or os.getpid() != self._process  # forked: the connection is the parent's
        ):
            return False
        ticket.queued_at = time.monotonic()
        try:
            self._at_work.add(me)
            with self._turn:
                if self._closing or self._writer.sweep_due:
                    return False
                aside = self._writer.answer_batch([ticket])
                self._leave_to_the_writer(aside)
                self._count_alone(1)
        finally:
            self._at_work.discard(me)
        return True

    def _count_alone(self, size: int) -> None:
        """A batch of so many commands is over."""
        self._alone = 0 if size > 1 or self._queue else self._alone + 1

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call this after each commit, in the thread that made it; it must return at once."""
        with self._changed:
            self._writer.listeners = (*self._writer.listeners, listener)

    def drop_listener(self, listener: Callable[[], None]) -> None:
        """Call it no more."""
        with self._changed:
            self._writer.listeners = tuple(one for one in self._writer.listeners if one != listener)

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue as of the last batch."""
        return self._writer.catalogue

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def alive(self) -> bool:
        """Whether the writer's thread runs."""
        return self._thread.is_alive()

    @property
    def meter(self) -> Meter:
        """What it has done."""
        return self._writer.meter

    @property
    def clock_guard(self) -> ClockGuard:
        """Whether its clock is trusted."""
        return self._writer.clock_guard

    @property
    def durability(self) -> Durability | None:
        """What the writer's connection has been told about disks, once it was asked."""
        return self._writer.durability

    def close(self) -> None:
        """Answer what is queued, write what is pending, stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._stopped.set()
        self._thread.join()
        self._watch.join()

    # --- The writer's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        self._at_work.add(threading.get_ident())
        try:
            while self._wait():
                with self._turn:
                    tickets = self._take()
                    self._work(tickets)
                    self._count_alone(len(tickets))
            with self._turn:
                self._writer.flush_refusals(all_of_them=True)
        finally:
            with self._changed:  # whoever still waits is told; nobody hangs
                self._closing = True
                left = list(self._queue)
                self._queue.clear()
            with self._turn:
                self._writer.fail(left, Unavailable("Budget is shutting down; ask again."))
                self._writer.unit.close()

    def _wait(self) -> bool:
        """Until something waits, or a sweep is due; False when closing, and nothing waits."""
        with self._changed:
            while not self._queue and not self._writer.sweep_due:
                if self._closing:
                    return False
                if self._sweep_every is None:
                    self._changed.wait()
                    continue
                left = self._next_sweep - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return True

    def _take(self) -> list[Ticket]:
        """What is next: a change alone, or the commands before it."""
        with self._changed:
            if self._queue and self._queue[0].change is not None:
                return [self._queue.popleft()]
            return self._commands(MAX_BATCH)

    def _commands(self, most: int) -> list[Ticket]:
        """Take waiting commands, up to a change of the catalogue. The queue is locked."""
        taken: list[Ticket] = []
        while self._queue and len(taken) < most and self._queue[0].change is None:
            taken.append(self._queue.popleft())
        return taken

    def _work(self, tickets: list[Ticket]) -> None:
        writer = self._writer
        if self._sweep_every is not None and time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + self._sweep_every
            writer.sweep_due = True
            writer.flush_refusals()
        if not tickets and not writer.sweep_due:
            return  # what waited was answered meanwhile
        if tickets and tickets[0].change is not None:
            writer.answer_change(tickets[0])
            return
        aside = writer.answer_batch(tickets)
        while aside or writer.sweep_due:
            with self._changed:  # a long sweep keeps nobody waiting
                more = self._commands(MAX_BATCH - len(aside))
            aside = writer.answer_batch(aside + more)

    def _leave_to_the_writer(self, aside: Sequence[Ticket]) -> None:
        """Have the writer's thread sweep if more is due, and decide again what was set aside."""
        if not self._writer.sweep_due:
            return
        with self._changed:
            self._require_open()
            self._queue.extendleft(aside)
            self._changed.notify()

    def _expire_queue(self) -> None:
        """Answer 503 to commands that have waited too long; nothing of them was written."""
        while not self._stopped.wait(0.1):
            late: list[Ticket] = []
            latest = time.monotonic() - MAX_WAIT_SECONDS
            with self._changed:
                while self._queue and self._queue[0].queued_at < latest:
                    late.append(self._queue.popleft())
            for ticket in late:
                ticket.error = Unavailable("The database is slow; nothing was booked. Ask again.")
            self.meter.late += len(late)
            wake(late)
