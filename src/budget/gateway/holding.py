"""Holding: the hold of one attempt to call a model, from placing it to what is booked, once.

What must reach the books and cannot just now is tried again until it does. Not here: what is asked
for (`asking`), and what was used (`passing`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from budget.domain.answers import Allocation, Receipt, Refusal
from budget.domain.errors import BudgetError, Conflict, OutcomeUnknown, Unavailable
from budget.engine.budget import AsyncBudget
from budget.engine.ids import new_id
from budget.engine.job import Job
from budget.engine.jobs import Jobs
from budget.engine.tickets import Ticket
from budget.gateway.ceilings import past_ceiling

T = TypeVar("T")

FIRST_WAIT_SECONDS: Final = 0.2
MOST_WAIT_SECONDS: Final = 10.0

log = logging.getLogger("budget.gateway")


class Tasks:
    """What goes on after its call has been answered."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, doing: Awaitable[Any]) -> "asyncio.Task[Any]":
        """Do it, also if whoever began it goes away."""
        task: asyncio.Task[Any] = asyncio.ensure_future(doing)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def finish(self, timeout_seconds: float) -> int:
        """Wait for all of it, so long at most; how much is left."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)
        return len(self._running)


class Holding:
    """One hold. `granted_tokens` grows as it is extended, up to `ceiling_tokens` if there is one;
    settling or releasing it ends it.
    """

    __slots__ = (
        "_budget", "_ended", "_jobs", "_tasks", "allocation", "ceiling_tokens", "granted_tokens",
    )  # fmt: skip

    def __init__(
        self, budget: AsyncBudget, jobs: Jobs, tasks: Tasks, allocation: Allocation
    ) -> None:
        self._budget = budget
        self._jobs = jobs
        self._tasks = tasks
        self._ended = False
        self.allocation = allocation
        self.granted_tokens = allocation.granted_output_tokens or 0
        self.ceiling_tokens: int | None = None

    async def extend(self, tokens: int) -> Refusal | None:
        """Hold for more output; the refusal if there is no room for it."""
        most = self.ceiling_tokens
        if most is not None and self.granted_tokens + tokens > most:
            return past_ceiling(most, self._budget.books.database.now_us())
        try:
            answer = await self._budget.run(
                self._jobs.extend(self.allocation.allocation_id, max_output_tokens=tokens)
            )
        except Conflict as error:
            return self._ended_meanwhile(error)
        if isinstance(answer, Refusal):
            return answer
        self.granted_tokens += tokens
        return None

    def _ended_meanwhile(self, error: Conflict) -> Refusal:
        """It has expired, or the run that it is of was ended: nothing more is held on it."""
        now_us, parent_id = self._budget.books.database.now_us(), self.allocation.parent_id
        code = "over_limit" if parent_id is None else "envelope_exhausted"
        return Refusal(code, error.detail, now_us, parent_id=parent_id)

    async def settle(self, usage: Mapping[str, Any]) -> Receipt | None:
        """Book what was used, and give back the rest; None if that must wait, or was done."""
        if self._ended:
            return None
        self._ended = True
        allocation_id = self.allocation.allocation_id
        ask = {"usage_id": new_id("use"), **usage}
        return await self._surely(
            lambda: self._jobs.settle(allocation_id, **ask), ("usage", allocation_id, ask)
        )

    async def release(self, reason: str) -> None:
        """Give all of it back: nothing was used."""
        if self._ended:
            return
        self._ended = True
        allocation_id = self.allocation.allocation_id
        await self._surely(
            lambda: self._jobs.release(allocation_id, reason=reason),
            ("release", allocation_id, reason),
        )

    async def _surely(self, make: Callable[[], Job[T]], what: tuple[object, ...]) -> T | None:
        """Do a job; if the books are unavailable go on trying, without keeping the caller waiting.

        Cancelling ends the waiting only.
        """
        try:
            job = make()
        except BudgetError as error:
            _refused(error, what)
            return None
        try:
            ticket = self._budget.queue(job)
        except Unavailable as error:
            self._later(job, error, what)
            return None
        try:
            return await self._budget.answer(job, ticket)
        except asyncio.CancelledError:
            self._tasks.start(self._answered(job, ticket, what))
            raise
        except BudgetError as error:
            return await asyncio.shield(self._tasks.start(self._otherwise(job, error, what)))

    async def _answered(self, job: Job[T], ticket: Ticket, what: tuple[object, ...]) -> T | None:
        """The answer to what is on its way."""
        try:
            return await self._budget.answer(job, ticket)
        except BudgetError as error:
            return await self._otherwise(job, error, what)

    async def _otherwise(
        self, job: Job[T], error: BudgetError, what: tuple[object, ...]
    ) -> T | None:
        """The answer to another try, if one may help at once; None if it must wait, or cannot."""
        if isinstance(error, OutcomeUnknown):
            try:
                return await self._budget.run(job)  # the same ids: the same effect
            except BudgetError as other:
                error = other
        if isinstance(error, Unavailable):
            self._later(job, error, what)
        else:
            _refused(error, what)
        return None

    def _later(self, job: Job[Any], error: Unavailable, what: tuple[object, ...]) -> None:
        log.warning("booked later: %s of %s (%s): %s", *what, error)
        self._tasks.start(self._until_done(job, what))

    async def _until_done(self, job: Job[Any], what: tuple[object, ...]) -> None:
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            await asyncio.sleep(wait_seconds)
            try:
                await self._budget.run(job)
            except Unavailable as error:
                log.warning("booked later: %s of %s (%s): %s", *what, error)
                wait_seconds = min(2 * wait_seconds, MOST_WAIT_SECONDS)
                continue
            except BudgetError as error:
                _refused(error, what)
            return


def _refused(error: BudgetError, what: tuple[object, ...]) -> None:
    """The books will not have it: say so to who runs this."""
    log.error("not booked: %s of %s (%s): %s", *what, error)
