"""A process that has imported everything and forks children which then need no start-up time.

Starting `budget serve` costs about a second of imports, too much for fifty kills in a test run.
The nursery imports once, has one thread and no open database, and forks: a child runs the same
function in a process of its own, with its own connections, locks and files, and can be killed like
any other. What differs from a cold start: modules are loaded, and exit handlers are not run.

    with Nursery() as nursery:
        child = nursery.fork("budget.cli.app:main", ["serve", "--port", "9000"], log=path)
        child.kill()

When the parent goes, however it goes, the nursery kills its children and ends. This file is also
the program of that process: `python -m tests.support.nursery`.
"""

import contextlib
import dataclasses
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]

IMPORTS = (
    "alembic.command",
    "alembic.config",
    "asyncio",
    "budget.cli.app",
    "budget.cli.exits",
    "budget.cli.serve",
    "budget.engine.budget",
    "budget.engine.key_file",
    "budget.http.app",
    "budget.http.logs",
    "budget.http.serve",
    "budget.prices.bundled",
    "budget.storage.migrations",
    "budget.storage.postgres_database",
    "budget.storage.postgres_unit",
    "budget.storage.sqlite_database",
    "budget.storage.sqlite_unit",
    "cyclopts.help",
    "cyclopts.help.formatters.plain",
    "encodings.idna",
    "httptools",
    "platformdirs.unix",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "starlette.routing",
    "tests.support.workers",
    "uvicorn",
    "uvicorn.lifespan.off",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
"""What children would otherwise import by themselves; one that fails is left out."""


class Child:
    """A child of the nursery, known by its process id."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self._nursery = nursery

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the child has ended."""
        self._nursery.send({"signal": number, "pid": self.pid})

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = 30) -> int:
        """The exit status; -N if signal N ended it. Raises TimeoutError."""
        with self._nursery.ended:
            if not self._nursery.ended.wait_for(lambda: self.status is not None, seconds):
                raise TimeoutError(f"process {self.pid} has not ended")
        assert self.status is not None
        return self.status


class Nursery:
    """The parent's end: forks children and hears when they end. For any thread."""

    def __init__(self) -> None:
        self.ended = threading.Condition()
        self._children: dict[int, Child] = {}
        self._forking = threading.Lock()
        self._forked = threading.Semaphore(0)
        self._newest = 0
        path = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the tests; they end it
        )
        self._ears = threading.Thread(target=self._listen, daemon=True)
        self._ears.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def fork(
        self,
        function: str,
        arguments: list[Any],
        *,
        log: Path,
        environment: dict[str, str] | None = None,
        sabotage: str | None = None,
    ) -> Child:
        """Run `module:function` on a list of plain arguments in a new process.

        Its output goes to `log`. `sabotage` names a safety that is taken out of the child first.
        """
        with self._forking:
            self.send(
                {
                    "fork": function,
                    "arguments": arguments,
                    "log": str(log),
                    "environment": environment or {},
                    "sabotage": sabotage,
                }
            )
            if not self._forked.acquire(timeout=60):
                raise TimeoutError("the nursery does not answer")
            if not self._newest:
                raise RuntimeError("the nursery has ended")
            return self._children[self._newest]

    def send(self, message: dict[str, Any]) -> None:
        """Tell the nursery something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End what is left of the children, and the nursery."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._ears.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            pid = message["pid"]
            with self.ended:
                if "status" in message:
                    self._children[pid].status = message["status"]
                    self.ended.notify_all()
                else:
                    self._children[pid] = Child(self, pid)
                    self._newest = pid
                    self._forked.release()
        with self.ended:
            for child in self._children.values():
                if child.status is None:
                    child.status = -signal.SIGKILL
            self.ended.notify_all()
        self._newest = 0
        self._forked.release()


# --- The nursery's own process -------------------------------------------------------------------


@dataclasses.dataclass
class _Brood:
    """The children that run, and the pipe that tells when one has ended."""

    pids: set[int]
    woken: int


def main() -> None:
    """Import, then fork and signal as told, until nobody tells any more."""
    for name in IMPORTS:
        # What cannot be imported will fail in the child that needs it, and be told in its log.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        importlib.import_module("budget.prices.book").bundled_book()  # read once, then kept
    gc.freeze()  # what is here stays shared with the children
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    brood = _Brood(set(), reads)
    orders = b""
    while True:
        ready, _, _ = select.select([0, reads], [], [])
        if reads in ready:
            os.read(reads, 4096)
            _bury(brood)
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:
                break
            orders += got
            while b"\n" in orders:
                order, _, orders = orders.partition(b"\n")
                _obey(brood, json.loads(order))
    for pid in brood.pids:
        os.kill(pid, signal.SIGKILL)
    for pid in brood.pids:
        os.waitpid(pid, 0)


def _bury(brood: _Brood) -> None:
    for pid in list(brood.pids):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            brood.pids.remove(pid)
            _tell({"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _obey(brood: _Brood, order: dict[str, Any]) -> None:
    if "signal" in order:
        # Only what has not been waited for: its process id is nobody else's.
        if order["pid"] in brood.pids:
            os.kill(order["pid"], order["signal"])
        return
    pid = os.fork()
    if not pid:
        _grow_up(order)
    brood.pids.add(pid)
    _tell({"pid": pid})


def _grow_up(order: dict[str, Any]) -> None:
    """Be the child: run the function, and never return."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.update(order["environment"])
        if order["sabotage"]:
            from tests.support import sabotage

            sabotage.apply(order["sabotage"])
        module, _, function = order["fork"].partition(":")
        getattr(importlib.import_module(module), function)(*order["arguments"])
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, it belongs in the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
