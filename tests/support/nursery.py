"""A process that has imported everything and forks children which then need no start-up time.

Starting `budget serve` costs about a second of imports, too much for fifty kills in a test run.
The nursery imports once, has one thread and no open database, and forks: a child runs the same
function in a process of its own, with its own connections, locks and files, and can be killed like
any other. What differs from a cold start: modules are loaded, and exit handlers are not run.

    with Nursery() as nursery:
        child = nursery.fork("budget.cli.app:main", ["serve", "--port", "9000"], log=path)
        child.kill()

It has a door, too: a Unix socket by which `tests/support/warm.py` stands for `budget` or `python`,
so that shells and whoever starts programs get a forked process as well. `shared()` is the nursery
of this test process.

When the parent goes, however it goes, the nursery kills its children and ends. This file is also
the program of that process: `python -m tests.support.nursery`.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import budget
from tests.support import programs

ROOT = Path(__file__).parents[2]
WARM = Path(__file__).with_name("warm.py")

IMPORTS = (
    "alembic.command",
    "alembic.config",
    "asyncio",
    "cyclopts.help",
    "cyclopts.help.formatters.plain",
    "encodings.idna",
    "encodings.utf_8_sig",
    "httpcore2",
    "httptools",
    "importlib.resources.readers",
    "mmap",
    "platformdirs.unix",
    "psycopg",
    "rich.progress",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "starlette.routing",
    "tests.support.workers",
    "tzdata",
    "uvicorn",
    "uvicorn.lifespan.off",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvloop",
)
"""What children would otherwise import by themselves, beside Budget; one that fails is left out."""


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
        self._door = Path(tempfile.mkdtemp(prefix="budget-door-")) / "door"
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(self._door))
            door.listen(100)  # who comes while it imports waits
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.nursery", str(door.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[door.fileno()],
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

    def program(self, name: str) -> list[str]:
        """What starts `budget` or `python` warm: the words that its own arguments follow."""
        return [sys.executable, "-ISE", str(WARM), str(self._door), name]

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


@functools.cache
def shared() -> Nursery:
    """The nursery of this process, which ends with it."""
    nursery = Nursery()
    atexit.register(nursery.close)
    return nursery


# --- The nursery's own process -------------------------------------------------------------------


class _Brood:
    """The children that run, each with the door of the program that stands for it, if one does."""

    def __init__(self) -> None:
        self.doors: dict[int, socket.socket | None] = {}

    def behind(self, door: socket.socket) -> int:
        """The child that a program stands for."""
        return next(pid for pid, other in self.doors.items() if other is door)

    def bury(self) -> None:
        """Tell of those that have ended."""
        for pid in list(self.doors):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            code = os.waitstatus_to_exitcode(status)
            door = self.doors.pop(pid)
            if door is None:
                _tell({"pid": pid, "status": code})
                continue
            with door, contextlib.suppress(OSError):  # who was killed hears nothing any more
                door.send(code.to_bytes(2, "big", signed=True))

    def end(self) -> None:
        """Kill what is left."""
        for pid in self.doors:
            os.kill(pid, signal.SIGKILL)
        for pid in self.doors:
            os.waitpid(pid, 0)


def main() -> None:
    """Import, then fork and signal as told, until nobody tells any more."""
    entrance = socket.socket(fileno=int(sys.argv[1]))
    for name in (*IMPORTS, *_ours()):
        # What cannot be imported will fail in the child that needs it, and be told in its log.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):
        importlib.import_module("budget.prices.book").bundled_book()  # read once, then kept
    gc.freeze()  # what is here stays shared with the children
    woken, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    brood = _Brood()
    orders = b""
    while True:
        doors = [door for door in brood.doors.values() if door is not None]
        watched: list[int | socket.socket] = [0, woken, entrance, *doors]
        ready, _, _ = select.select(watched, [], [])
        if woken in ready:
            os.read(woken, 4096)
            brood.bury()
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:
                break
            orders += got
            while b"\n" in orders:
                order, _, orders = orders.partition(b"\n")
                _obey(brood, json.loads(order))
        if entrance in ready:
            _let_in(brood, entrance.accept()[0])
        for door in doors:
            # One that was buried has been closed.
            if door in ready and door.fileno() >= 0:
                number = door.recv(1)
                os.kill(brood.behind(door), number[0] if number else signal.SIGKILL)
    brood.end()
    shutil.rmtree(Path(entrance.getsockname()).parent, ignore_errors=True)


def _ours() -> list[str]:
    """The modules of Budget, less those that do something when they are imported."""
    found = [module.name for module in pkgutil.walk_packages(budget.__path__, "budget.")]
    return [name for name in found if not name.endswith((".__main__", ".migrations.env"))]


def _obey(brood: _Brood, order: dict[str, Any]) -> None:
    if "signal" in order:
        # Only what has not been waited for: its process id is nobody else's.
        if order["pid"] in brood.doors:
            os.kill(order["pid"], order["signal"])
        return
    pid = os.fork()
    if not pid:
        _grow_up(lambda: _run_function(order))
    brood.doors[pid] = None
    _tell({"pid": pid})


def _let_in(brood: _Brood, door: socket.socket) -> None:
    """Fork what a program orders that stands for another, with its input and outputs."""
    size, files, _, _ = socket.recv_fds(door, 4, 3)
    order = door.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    pid = os.fork()
    if not pid:
        for other in (door, *brood.doors.values()):
            if other is not None:
                other.close()
        _grow_up(lambda: programs.run(order.decode(errors="surrogateescape"), files))
    for file in files:
        os.close(file)
    brood.doors[pid] = door


def _grow_up(run: Callable[[], object]) -> NoReturn:
    """Be the child: run, and never return."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        run()
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
        if isinstance(left.code, str):
            sys.stderr.write(f"{left.code}\n")
    except BaseException:  # noqa: BLE001 - whatever it is, it belongs in the log
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):  # nobody reads any more
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _run_function(order: dict[str, Any]) -> None:
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


def _tell(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
