"""Processes that each have a `Budget` of their own on the same database, and do errands with it.

    with Team(nursery, folder, 3) as team:
        team.open(url)
        outcomes = team.each("tests.support.workers:make_calls", [(calls, 8, "threads")] * 3)

An errand is a function `f(budget, *arguments)` named by "module:function", run in every worker at
the same moment. Arguments and answers are pickled, so they are plain values.
"""

import asyncio
import importlib
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.nursery import Child, Nursery

ANSWER_SECONDS = 120.0
RESENT_AT_MOST = 5


class Outcome(NamedTuple):
    """What became of one call.

    `kind` is ok, refused, unavailable, unknown (outcome_unknown) or error; `code` the error's.
    `id` is the allocation or usage id of an answer; `amounts` its (usd, tokens, requests) held.
    """

    kind: str
    code: str = ""
    id: str = ""
    replayed: bool = False
    seconds: float = 0.0
    amounts: tuple[int | None, ...] = ()
    detail: str = ""


Act = tuple[str, dict[str, Any]]
"""The name of a method of the facade, and its arguments."""


# --- The parent's end ----------------------------------------------------------------------------


class Worker:
    """One process with a facade, on a socket."""

    def __init__(self, child: Child, connection: Connection) -> None:
        self.child = child
        self._connection = connection

    def start(self, function: str, *arguments: Any, at: float = 0.0) -> None:
        """Begin an errand, at a time of the monotonic clock, which processes share."""
        self._connection.send((function, arguments, at))

    def finish(self) -> Any:
        """The errand's answer; RuntimeError with the worker's words if it failed."""
        if not self._connection.poll(ANSWER_SECONDS):
            raise TimeoutError(f"worker {self.child.pid} does not answer")
        ok, answer = self._connection.recv()
        if not ok:
            raise RuntimeError(answer)
        return answer

    def do(self, function: str, *arguments: Any) -> Any:
        """Run an errand and wait for its answer."""
        self.start(function, *arguments)
        return self.finish()

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        try:
            self.child.wait(20)
        except TimeoutError:
            self.child.kill()


class Team:
    """Several workers."""

    def __init__(
        self, nursery: Nursery, folder: Path, size: int, *, sabotage: str | None = None
    ) -> None:
        self.workers: list[Worker] = []
        self.resent = 0
        with Listener(family="AF_UNIX") as listener:
            for _ in range(size):
                child = nursery.fork(
                    "tests.support.workers:work",
                    [listener.address],
                    log=folder / "workers.log",
                    sabotage=sabotage,
                )
                self.workers.append(Worker(child, listener.accept()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self.workers:
            worker.close()

    def open(self, url: str, **options: Any) -> Self:
        """Let every worker open the same books, one after the other."""
        for worker in self.workers:
            worker.do("tests.support.workers:open_books", url, options)
        return self

    def each(self, function: str, shares: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run an errand in all workers at one moment, each with its share of arguments."""
        at = time.monotonic() + 0.02
        for worker, share in zip(self.workers, shares, strict=True):
            worker.start(function, *share, at=at)
        return [worker.finish() for worker in self.workers]

    def make_calls(
        self, calls: Sequence[Act], *, threads: int, how: str = "threads", patient: bool = True
    ) -> list[Outcome]:
        """Deal calls out to the workers, who make them at once; the outcomes, in order.

        A patient team sends again what was answered 503 with nothing written, as clients do: on a
        busy machine some may wait their two seconds in vain.
        """
        outcomes = self._make_calls_once(calls, threads, how)
        for _ in range(RESENT_AT_MOST if patient else 0):
            again = [n for n, outcome in enumerate(outcomes) if outcome.kind == "unavailable"]
            if not again:
                break
            self.resent += len(again)
            time.sleep(0.2)
            answers = self._make_calls_once([calls[n] for n in again], threads, how)
            for n, outcome in zip(again, answers, strict=True):
                outcomes[n] = outcome
        return outcomes

    def _make_calls_once(self, calls: Sequence[Act], threads: int, how: str) -> list[Outcome]:
        size = len(self.workers)
        answers = self.each(
            "tests.support.workers:make_calls",
            [(list(calls[n::size]), threads, how) for n in range(size)],
        )
        outcomes: list[Outcome] = [Outcome("")] * len(calls)
        for n, share in enumerate(answers):
            outcomes[n::size] = share
        return outcomes


# --- The worker's end ----------------------------------------------------------------------------


def work(address: str) -> None:
    """Do errands until the parent hangs up."""
    from budget.engine.budget import Budget

    connection = Client(address, family="AF_UNIX")
    budget: Budget | None = None
    while True:
        try:
            name, arguments, at = connection.recv()
        except EOFError:
            break
        module, _, function = name.partition(":")
        errand = getattr(importlib.import_module(module), function)
        try:
            if errand is open_books:
                if budget is not None:
                    budget.close()
                budget = open_books(*arguments)
                answer = None
            else:
                time.sleep(max(0.0, at - time.monotonic()))
                answer = errand(budget, *arguments)
        except Exception as error:  # noqa: BLE001 - the parent shall hear of it, whatever it is
            connection.send((False, f"{type(error).__name__}: {error}"))
        else:
            connection.send((True, answer))
    if budget is not None:
        budget.close()


def migrate(url: str) -> None:
    """Fill an empty database with the tables of the books: what fresh databases are copied from."""
    from budget.storage.database import open_database

    database = open_database(url)
    database.migrate()
    database.close()


def open_books(url: str, options: dict[str, Any]) -> Any:
    """Open the facade."""
    from budget.engine.budget import Budget

    return Budget.open(url, **options)


def verify(budget: Any) -> list[str]:
    """An errand: what `budget verify` finds wrong."""
    return [str(violation) for violation in budget.verify().violations]


def count_troubles(_budget: Any) -> Counter[str]:
    """An errand: how often this process's units of work have failed since the first time it ran.

    By SQLSTATE where there is one, else by the class of `storage.errors`.
    """
    from budget.storage import errors

    if _TROUBLES is not None:
        return _TROUBLES
    plain: Callable[..., None] = Exception.__init__
    counts: Counter[str] = Counter()

    def counted(self: errors.StorageError, *args: object) -> None:
        plain(self, *args)
        state = _SQLSTATE.search(str(self))
        with _counting:
            counts[state[1] if state else type(self).__name__] += 1

    errors.StorageError.__init__ = counted  # type: ignore[method-assign, assignment]
    globals()["_TROUBLES"] = counts
    return counts


_TROUBLES: Counter[str] | None = None
_SQLSTATE = re.compile(r"\[([0-9A-Z]{5})\]$")
_counting = threading.Lock()


def make_calls(budget: Any, calls: list[Act], threads: int, how: str) -> list[Outcome]:
    """Make calls: "threads" share them, or all wait together on an event "loop"."""
    if how == "loop":
        return asyncio.run(_make_on_loop(budget, calls))
    outcomes: list[Outcome] = [Outcome("")] * len(calls)

    def share(first: int) -> None:
        for n in range(first, len(calls), threads):
            outcomes[n] = attempt(budget, calls[n])

    in_threads(share, range(min(threads, len(calls))))
    return outcomes


async def _make_on_loop(budget: Any, calls: list[Act]) -> list[Outcome]:
    from budget.engine.budget import AsyncBudget

    books = AsyncBudget(budget.books)

    async def one(act: Act) -> Outcome:
        name, arguments = act
        began = time.monotonic()
        try:
            answer = await getattr(books, name)(**arguments)
        except Exception as error:  # noqa: BLE001 - outcomes are what is looked for
            return _failed(error, time.monotonic() - began)
        return _outcome(answer, time.monotonic() - began)

    return list(await asyncio.gather(*map(one, calls)))


def attempt(budget: Any, act: Act) -> Outcome:
    """Make one call of the facade."""
    name, arguments = act
    began = time.monotonic()
    try:
        answer = getattr(budget, name)(**arguments)
    except Exception as error:  # noqa: BLE001 - outcomes are what is looked for
        return _failed(error, time.monotonic() - began)
    return _outcome(answer, time.monotonic() - began)


def in_threads(task: Callable[[int], None], numbers: Iterable[int]) -> None:
    """Run `task(n)` for each number, each in a thread of its own, all set off together."""
    numbers = list(numbers)
    gate = threading.Barrier(len(numbers))
    errors: list[BaseException] = []

    def run(n: int) -> None:
        gate.wait()
        try:
            task(n)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _outcome(answer: Any, seconds: float) -> Outcome:
    name = type(answer).__name__
    if name == "Refusal":
        return Outcome("refused", answer.code, seconds=seconds, detail=answer.detail)
    if name == "Allocation":
        return Outcome(
            "ok", answer.status, answer.allocation_id, answer.replayed, seconds,
            tuple(answer.reserved),
        )  # fmt: skip
    if name == "Receipt":
        return Outcome(
            "ok", " ".join(answer.flags), answer.usage_id, answer.replayed, seconds,
            (answer.cost_nanos,),
        )  # fmt: skip
    return Outcome("ok", seconds=seconds, detail=repr(answer)[:200])


def _failed(error: Exception, seconds: float) -> Outcome:
    code = getattr(error, "code", type(error).__name__)
    kinds = {"OutcomeUnknown": "unknown", "Unavailable": "unavailable"}
    kind = kinds.get(type(error).__name__, "error")
    return Outcome(kind, code, seconds=seconds, detail=str(error)[:300])


def shuffled(calls: Iterable[Act], seed: int) -> list[Act]:
    """The calls in an order that the seed decides."""
    dealt = list(calls)
    random.Random(seed).shuffle(dealt)
    return dealt
