"""The ledger: one writer thread that decides and commits commands in groups.

Callers `submit` and get a `Ticket`; the writer takes what is waiting, runs it as one batch in one
transaction, commits, and only then answers. Nothing is cached between batches but the compiled
catalogue, whose version is checked in the same transaction. Not here: what commands do (`acts`),
and who waits for them (`tickets`).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from budget.domain.errors import BudgetError, OutcomeUnknown, Unavailable
from budget.engine import acts
from budget.engine.batch import Batch, SetAside
from budget.engine.catalogue import Catalogue
from budget.engine.commands import Command, Sweep
from budget.engine.housekeeping import Alerted, ClockGuard, Refusals, prune_keys
from budget.engine.meter import Meter
from budget.engine.tickets import CatalogueChange, ManyWaiter, ThreadWaiter, Ticket, Waiter
from budget.storage.durability import Durability
from budget.storage.errors import Broken, CommitUnknown, StorageError, Transient, Unreachable
from budget.storage.unit import Row, Unit

MAX_QUEUED: Final = 10_000
MAX_BATCH: Final = 256
MAX_WAIT_SECONDS: Final = 2.0
TICK_SECONDS: Final = 1.0
SWEEP_BATCH: Final = 256
RETRIES: Final = 8

log = logging.getLogger("budget.ledger")


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
        """`noticed` is told, by the writer's thread, of each catalogue that it loads."""
        self._noticed = noticed
        self._open_unit = open_unit
        self._load_catalogue = load_catalogue
        self._clock = clock or (lambda: time.time_ns() // 1000)
        self._queue: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._loaded = threading.Event()
        self._stopped = threading.Event()
        self._catalogue = Catalogue(0, ())
        self._sweep_every = TICK_SECONDS if sweep else None
        self._next_sweep = 0.0
        self._sweep_now = False
        self._listeners: tuple[Callable[[], None], ...] = ()
        self.clock_guard = ClockGuard()
        self.refusals = Refusals()
        self._alerted = Alerted()
        self.meter = Meter()
        self.durability: Durability | None = None
        """What the writer's connection has been told about disks, once it was asked."""
        self._writer = threading.Thread(target=self._run, name="budget-writer", daemon=True)
        self._watch = threading.Thread(target=self._expire_queue, name="budget-watch", daemon=True)
        self._writer.start()
        self._watch.start()
        self._loaded.wait()

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
            if self._closing:
                raise Unavailable("Budget is shutting down; ask again.")
            waiting = len(self._queue)
            if waiting + len(tickets) > MAX_QUEUED:
                raise Unavailable("Too many commands are waiting; ask again.", code="queue_full")
            self._queue.extend(tickets)
            if not waiting:
                self._changed.notify()

    def do(self, ticket_of: Callable[[Waiter], Ticket]) -> Any:
        """Submit and block until it is answered."""
        waiter = ThreadWaiter()
        ticket = ticket_of(waiter)
        self.submit(ticket)
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
            self.submit_all(tickets)
            waiter.wait()
        return [ticket.answer if ticket.error is None else ticket.error for ticket in tickets]

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call this, in the writer's thread, after each commit; it must return at once."""
        with self._changed:
            self._listeners = (*self._listeners, listener)

    def drop_listener(self, listener: Callable[[], None]) -> None:
        """Call it no more."""
        with self._changed:
            self._listeners = tuple(one for one in self._listeners if one != listener)

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue as of the last batch."""
        return self._catalogue

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return len(self._queue)

    @property
    def alive(self) -> bool:
        """Whether the writer runs."""
        return self._writer.is_alive()

    def close(self) -> None:
        """Answer what is queued, write what is pending, stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._stopped.set()
        self._writer.join()
        self._watch.join()

    # --- The writer ------------------------------------------------------------------------------

    def _run(self) -> None:
        unit = self._open_unit()
        try:
            self._load_first(unit)
            while True:
                tickets = self._take()
                if tickets is None:
                    break
                self._work(unit, tickets)
            self._flush_refusals(unit, all_of_them=True)
        finally:
            with self._changed:  # whoever still waits is told; nobody hangs
                self._closing = True
                left = list(self._queue)
                self._queue.clear()
            self._fail(left, Unavailable("Budget is shutting down; ask again."))
            unit.close()

    def _load_first(self, unit: Unit) -> None:
        """Load the catalogue before anybody waits; failing that, the first batch will."""
        try:
            self._catalogue_of(unit, unit.begin().catalogue_version)
        except StorageError as error:
            log.warning("the catalogue could not be loaded yet: %s", error)
        finally:
            unit.rollback()
            self._loaded.set()

    def _take(self) -> list[Ticket] | None:
        """The next batch; empty when a sweep is due and nothing waits; None when closing."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                if self._sweep_every is None:
                    self._changed.wait()
                    continue
                left = self._next_sweep - time.monotonic()
                if left <= 0:
                    return []
                self._changed.wait(left)
            if self._queue[0].change is not None:
                return [self._queue.popleft()]
            return self._commands(MAX_BATCH)

    def _commands(self, most: int) -> list[Ticket]:
        """Take waiting commands, up to a change of the catalogue. The queue is locked."""
        taken: list[Ticket] = []
        while self._queue and len(taken) < most and self._queue[0].change is None:
            taken.append(self._queue.popleft())
        return taken

    def _work(self, unit: Unit, tickets: list[Ticket]) -> None:
        if self._sweep_every is not None and time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + self._sweep_every
            self._sweep_now = True
            self._flush_refusals(unit)
        if tickets and tickets[0].change is not None:
            self._answer_change(unit, tickets[0])
            return
        aside = self._answer_batch(unit, tickets)
        while aside or self._sweep_now:
            with self._changed:  # a long sweep keeps nobody waiting
                more = self._commands(MAX_BATCH - len(aside))
            aside = self._answer_batch(unit, aside + more)

    def _answer_batch(self, unit: Unit, tickets: list[Ticket]) -> list[Ticket]:
        """Run a batch, retrying and splitting as its errors ask; the tickets set aside."""
        sweeping = self._sweep_now
        for attempt in range(RETRIES):
            self._sweep_now = sweeping  # a batch that is run again sweeps again
            try:
                aside = self._run_batch(unit, tickets)
            except Transient:
                time.sleep(0.002 * 2**attempt)
                continue
            except Unreachable as error:
                self.meter.writing = False
                self._fail(tickets, Unavailable(f"The database is not available: {error}"))
                return []
            except CommitUnknown:
                self.meter.writing = False
                self._fail(
                    tickets,
                    OutcomeUnknown(
                        "The commit failed: whether this was booked is not known. "
                        "Send it again with the same idempotency key."
                    ),
                )
                return []
            except (Broken, BudgetError, ArithmeticError) as error:
                if isinstance(error, Broken) and attempt == 0:
                    # Perhaps another process has just used the same chosen id: it is there now.
                    continue
                return self._answer_singly(unit, tickets, error)
            except Exception as error:
                log.exception("a batch of %d commands failed", len(tickets))
                return self._answer_singly(unit, tickets, error)
            done = tickets
            if aside:
                done = [ticket for ticket in tickets if all(ticket is not a for a in aside)]
            self._deliver(done)
            return aside
        self._fail(tickets, Unavailable("The database is too contended; ask again."))
        return []

    def _answer_singly(
        self, unit: Unit, tickets: list[Ticket], error: BaseException
    ) -> list[Ticket]:
        """One bad command must hurt nobody else: run each alone."""
        self._sweep_now = False
        if len(tickets) <= 1:
            if not isinstance(error, BudgetError):
                error = Unavailable("Budget could not book this; nothing was written.")
            self._fail(tickets, error)
            return []
        aside: list[Ticket] = []
        for ticket in tickets:
            aside.extend(self._answer_batch(unit, [ticket]))
        return aside

    def _run_batch(self, unit: Unit, tickets: list[Ticket]) -> list[Ticket]:
        sweeping, self._sweep_now = self._sweep_now, False
        began = time.monotonic()
        try:
            begun = unit.begin()
            now_us = self._clock() if begun.now_us is None else begun.now_us
            expiring = self.clock_guard.expiry_runs(now_us)
            batch = Batch(unit, begun, self._catalogue_of(unit, begun.catalogue_version), now_us)
            batch.raising.before = self._alerted.subjects
            due = unit.due(now_us, SWEEP_BATCH) if sweeping and expiring else []
            commands: list[Command] = [t.command for t in tickets if t.command is not None]
            if due:
                commands.insert(0, Sweep("budget", None, "", manage=True, allocation_ids=due))
            claimed = load(batch, commands)
            if due:
                acts.RUN[Sweep](batch, commands[0])
            more_due = batch.swept_in_part or len(due) == SWEEP_BATCH
            aside = run(batch, tickets, may_set_aside=expiring, again=more_due)
            if sweeping and expiring:  # nothing is forgotten by a clock that has jumped
                prune_keys(batch)
            untold = self.refusals.enter(batch)
            batch.write(claimed)
            unit.commit()
        except BaseException:
            unit.rollback()
            raise
        for ticket in aside:  # only now: what was rolled back may be set aside again
            ticket.retried = True
        self.refusals.settle(batch, untold)
        self._alerted.remember(batch)
        self.meter.committed(len(commands), time.monotonic() - began)
        self._tell_committed()
        self._sweep_now = bool(aside) or more_due
        return aside

    def _catalogue_of(self, unit: Unit, version: int) -> Catalogue:
        if self.durability is None:
            self.durability = unit.durability()
        if self._catalogue.version != version:
            self._catalogue = self._load_catalogue(unit, version)
            if self._noticed is not None:
                self._noticed(self._catalogue)
        return self._catalogue

    def _answer_change(self, unit: Unit, ticket: Ticket) -> None:
        """Run a change of the catalogue, alone in its transaction."""
        assert ticket.change is not None
        for attempt in range(RETRIES):
            try:
                begun = unit.begin_catalogue()
                now_us = self._clock() if begun.now_us is None else begun.now_us
                catalogue = self._catalogue_of(unit, begun.catalogue_version)
                batch = Batch(unit, begun, catalogue, now_us)
                ticket.answer = ticket.change(batch)
                unit.commit()
                self._catalogue = batch.catalogue
                self._tell_committed()
            except Transient:
                unit.rollback()
                time.sleep(0.002 * 2**attempt)
                continue
            except Unreachable as error:
                unit.rollback()
                ticket.error = Unavailable(f"The database is not available: {error}")
            except CommitUnknown:
                unit.rollback()
                ticket.error = OutcomeUnknown(
                    "The commit failed: whether this was done is not known. Look before you retry."
                )
            except BudgetError as error:
                unit.rollback()
                ticket.error = error
            except Exception as error:
                unit.rollback()
                log.exception("a change of the catalogue failed")
                ticket.error = Unavailable(f"Budget could not do this: {type(error).__name__}.")
            break
        else:
            ticket.error = Unavailable("The database is too contended; ask again.")
        self.meter.answered([ticket], time.monotonic())
        ticket.waiter.wake([ticket])

    def _flush_refusals(self, unit: Unit, *, all_of_them: bool = False) -> None:
        """Write the counts of refusals that their sampled events have not told yet."""
        now_s = self._clock() // 1_000_000
        if not self.refusals.due(None if all_of_them else now_s):
            return
        try:
            begun = unit.begin()
            now_us = self._clock() if begun.now_us is None else begun.now_us
            batch = Batch(unit, begun, self._catalogue_of(unit, begun.catalogue_version), now_us)
            untold = self.refusals.enter_untold(batch, None if all_of_them else now_s)
            batch.write([])
            unit.commit()
        except (StorageError, BudgetError):
            unit.rollback()
        else:
            self.refusals.settle(batch, untold)
            self._tell_committed()

    # --- Answering -------------------------------------------------------------------------------

    def _tell_committed(self) -> None:
        for listener in self._listeners:
            listener()

    def _fail(self, tickets: list[Ticket], error: BaseException) -> None:
        for ticket in tickets:
            ticket.error = error
        self._deliver(tickets)

    def _deliver(self, tickets: list[Ticket]) -> None:
        """Count what is answered, and wake whoever waits."""
        self.meter.answered(tickets, time.monotonic())
        self._wake(tickets)

    def _wake(self, tickets: list[Ticket]) -> None:
        """Wake each event loop once, each thread by itself."""
        by_waiter: dict[int, list[Ticket]] = {}
        for ticket in tickets:
            by_waiter.setdefault(id(ticket.waiter), []).append(ticket)
        for group in by_waiter.values():
            group[0].waiter.wake(group)

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
            self._wake(late)


def load(batch: Batch, commands: Sequence[Command]) -> list[Row]:
    """Lock and load what commands need, in the one fixed order; the keys that were claimed."""
    for command in commands:
        acts.PLAN[type(command)](batch, command)
    batch.load_keys()
    batch.load_allocations()
    for command in commands:
        meet = acts.MEET.get(type(command))
        if meet is not None:
            meet(batch, command)
    batch.load_balances()
    for command in commands:
        want = acts.WANT.get(type(command))
        if want is not None:
            want(batch, command)
    batch.load_windows()
    return batch.needs.keys


def run(batch: Batch, tickets: list[Ticket], *, may_set_aside: bool, again: bool) -> list[Ticket]:
    """Decide each command in order; the tickets to be decided again after a sweep.

    Each is set aside once; more often (`again`) only as long as the sweeps have not reached the
    last hold that was due, which may be the one in its way.
    """
    aside: list[Ticket] = []
    for ticket in tickets:
        command = ticket.command
        assert command is not None
        ticket.error = None
        batch.may_set_aside = may_set_aside and (again or not ticket.retried)
        try:
            ticket.answer = acts.RUN[type(command)](batch, command)
        except SetAside:
            aside.append(ticket)
        except BudgetError as error:
            ticket.error = error
    return aside
