"""The writer: carries out tickets in batches, one transaction each, and answers whoever waits.

Nothing is cached between batches but the compiled catalogue, whose version is checked in the same
transaction. Not here: who may be at work, and what waits (`ledger`); what commands do (`acts`).
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from budget.domain.errors import BudgetError, OutcomeUnknown, Unavailable
from budget.engine import acts
from budget.engine.batch import Batch, SetAside
from budget.engine.catalogue import Catalogue
from budget.engine.commands import Command, Sweep
from budget.engine.housekeeping import Alerted, ClockGuard, Refusals, prune_keys
from budget.engine.meter import Meter
from budget.engine.tickets import Ticket
from budget.storage.durability import Durability
from budget.storage.errors import Broken, CommitUnknown, StorageError, Transient, Unreachable
from budget.storage.unit import Begun, Row, Unit

SWEEP_BATCH: Final = 256
RETRIES: Final = 8

log = logging.getLogger("budget.ledger")


class Writer:
    """One unit of work, and what a process knows of its last batches. One thread at a time.

    `sweep_due` asks the next batch to expire holds first; it is set again while more are due.
    """

    def __init__(
        self,
        unit: Unit,
        load_catalogue: Callable[[Unit, int], Catalogue],
        clock: Callable[[], int] | None,
        noticed: Callable[[Catalogue], None] | None,
    ) -> None:
        """`noticed` is told of each catalogue that is loaded."""
        self.unit = unit
        self.catalogue = Catalogue(0, ())
        self.clock_guard = ClockGuard()
        self.refusals = Refusals()
        self.meter = Meter()
        self.durability: Durability | None = None
        self.listeners: tuple[Callable[[], None], ...] = ()
        self.sweep_due = False
        self._load_catalogue = load_catalogue
        self._clock = clock or (lambda: time.time_ns() // 1000)
        self._noticed = noticed
        self._alerted = Alerted()

    def load_first(self) -> None:
        """Load the catalogue before anybody waits; failing that, the first batch will."""
        try:
            self._catalogue_of(self.unit.begin().catalogue_version)
        except StorageError as error:
            log.warning("the catalogue could not be loaded yet: %s", error)
        finally:
            self.unit.rollback()

    # --- Batches ---------------------------------------------------------------------------------

    def answer_batch(self, tickets: list[Ticket]) -> list[Ticket]:
        """Run a batch, retrying and splitting as its errors ask; the tickets set aside."""
        sweeping = self.sweep_due
        for attempt in range(RETRIES):
            self.sweep_due = sweeping  # a batch that is run again sweeps again
            try:
                aside = self._run_batch(tickets)
            except Transient:
                time.sleep(0.002 * 2**attempt)
                continue
            except Unreachable as error:
                self.meter.writing = False
                self.fail(tickets, Unavailable(f"The database is not available: {error}"))
                return []
            except CommitUnknown:
                self.meter.writing = False
                self.fail(
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
                return self._answer_singly(tickets, error)
            except Exception as error:
                log.exception("a batch of %d commands failed", len(tickets))
                return self._answer_singly(tickets, error)
            done = tickets
            if aside:
                done = [ticket for ticket in tickets if all(ticket is not a for a in aside)]
            self._deliver(done)
            return aside
        self.fail(tickets, Unavailable("The database is too contended; ask again."))
        return []

    def _answer_singly(self, tickets: list[Ticket], error: BaseException) -> list[Ticket]:
        """One bad command must hurt nobody else: run each alone."""
        self.sweep_due = False
        if len(tickets) <= 1:
            if not isinstance(error, BudgetError):
                error = Unavailable("Budget could not book this; nothing was written.")
            self.fail(tickets, error)
            return []
        aside: list[Ticket] = []
        for ticket in tickets:
            aside.extend(self.answer_batch([ticket]))
        return aside

    def _run_batch(self, tickets: list[Ticket]) -> list[Ticket]:
        sweeping, self.sweep_due = self.sweep_due, False
        began = time.monotonic()
        try:
            batch = self._begun(self.unit.begin())
            expiring = self.clock_guard.expiry_runs(batch.now_us)
            batch.raising.before = self._alerted.subjects
            commands: list[Command] = [t.command for t in tickets if t.command is not None]
            due: list[str] = []
            if sweeping and expiring:
                due = self.unit.due(batch.now_us, SWEEP_BATCH)
                if due:
                    sweep = Sweep("budget", None, "", manage=True, allocation_ids=due)
                    commands.insert(0, sweep)
            claimed = load(batch, commands)
            if due:
                acts.RUN[Sweep](batch, commands[0])
            more_due = batch.swept_in_part or len(due) == SWEEP_BATCH
            aside = run(batch, tickets, may_set_aside=expiring, again=more_due)
            if sweeping and expiring:  # nothing is forgotten by a clock that has jumped
                prune_keys(batch)
            untold = self.refusals.enter(batch)
            batch.write(claimed)
            self.unit.commit()
        except BaseException:
            self.unit.rollback()
            raise
        for ticket in aside:  # only now: what was rolled back may be set aside again
            ticket.retried = True
        self.refusals.settle(batch, untold)
        self._alerted.remember(batch)
        self.meter.committed(len(commands), time.monotonic() - began)
        self._tell_committed()
        self.sweep_due = bool(aside) or more_due
        return aside

    def _begun(self, begun: Begun) -> Batch:
        """The batch of a transaction that was just begun."""
        now_us = self._clock() if begun.now_us is None else begun.now_us
        return Batch(self.unit, begun, self._catalogue_of(begun.catalogue_version), now_us)

    def _catalogue_of(self, version: int) -> Catalogue:
        if self.durability is None:
            self.durability = self.unit.durability()
        if self.catalogue.version != version:
            self.catalogue = self._load_catalogue(self.unit, version)
            if self._noticed is not None:
                self._noticed(self.catalogue)
        return self.catalogue

    # --- Alone in their transaction --------------------------------------------------------------

    def answer_change(self, ticket: Ticket) -> None:
        """Run a change of the catalogue, alone in its transaction."""
        assert ticket.change is not None
        for attempt in range(RETRIES):
            try:
                batch = self._begun(self.unit.begin_catalogue())
                ticket.answer = ticket.change(batch)
                self.unit.commit()
                self.catalogue = batch.catalogue
                self._tell_committed()
            except Transient:
                self.unit.rollback()
                time.sleep(0.002 * 2**attempt)
                continue
            except Unreachable as error:
                self.unit.rollback()
                ticket.error = Unavailable(f"The database is not available: {error}")
            except CommitUnknown:
                self.unit.rollback()
                ticket.error = OutcomeUnknown(
                    "The commit failed: whether this was done is not known. Look before you retry."
                )
            except BudgetError as error:
                self.unit.rollback()
                ticket.error = error
            except Exception as error:
                self.unit.rollback()
                log.exception("a change of the catalogue failed")
                ticket.error = Unavailable(f"Budget could not do this: {type(error).__name__}.")
            break
        else:
            ticket.error = Unavailable("The database is too contended; ask again.")
        self._deliver([ticket])

    def flush_refusals(self, *, all_of_them: bool = False) -> None:
        """Write the counts of refusals that their sampled events have not told yet."""
        now_s = self._clock() // 1_000_000
        if not self.refusals.due(None if all_of_them else now_s):
            return
        try:
            batch = self._begun(self.unit.begin())
            untold = self.refusals.enter_untold(batch, None if all_of_them else now_s)
            batch.write([])
            self.unit.commit()
        except (StorageError, BudgetError):
            self.unit.rollback()
        else:
            self.refusals.settle(batch, untold)
            self._tell_committed()

    # --- Answering -------------------------------------------------------------------------------

    def _tell_committed(self) -> None:
        for listener in self.listeners:
            listener()

    def fail(self, tickets: list[Ticket], error: BaseException) -> None:
        """Answer all of them with an error."""
        for ticket in tickets:
            ticket.error = error
        self._deliver(tickets)

    def _deliver(self, tickets: list[Ticket]) -> None:
        """Count what is answered, and wake whoever waits."""
        self.meter.answered(tickets, time.monotonic())
        wake(tickets)


def wake(tickets: Sequence[Ticket]) -> None:
    """Wake each event loop once, each thread by itself."""
    if len(tickets) == 1:
        tickets[0].waiter.wake(tickets)
        return
    by_waiter: dict[int, list[Ticket]] = {}
    for ticket in tickets:
        by_waiter.setdefault(id(ticket.waiter), []).append(ticket)
    for group in by_waiter.values():
        group[0].waiter.wake(group)


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
