"""A program that is run in a process group of its own, so that all it started ends with it."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Self

from budget.domain.errors import InvalidInput, NotFound

FORWARDED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
                    signal.SIGUSR2)  # fmt: skip
_LOOK_SECONDS: Final = 0.02


def check_program(name: str) -> None:
    """NotFound or InvalidInput unless a program of this name, or at this path, can be started."""
    if shutil.which(name) is not None:
        return
    if os.sep in name and os.path.exists(name):
        raise InvalidInput("COMMAND", f"{name[:80]!r} is there, but cannot be executed.")
    raise _no_program(name)


def _no_program(name: str) -> NotFound:
    return NotFound("program", name, f"There is no program {name[:80]!r}.")


class Process:
    """A running program; signals that come to us go to its group while it runs."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], grace: float) -> None:
        self._words = words
        self._environ = environ
        self._grace_seconds = grace
        self._before: dict[int, Any] = {}
        self._child: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        try:
            self._child = subprocess.Popen(
                self._words, env=dict(self._environ), start_new_session=True
            )
        except FileNotFoundError:
            raise _no_program(self._words[0]) from None
        except (OSError, ValueError) as error:
            raise InvalidInput("COMMAND", f"cannot be started: {error}.") from None
        for number in FORWARDED:
            # Of a signal that is ignored already, as under nohup, nothing is to be forwarded.
            if signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(ValueError):  # not in the main thread
                    self._before[number] = signal.signal(number, self._forward)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """How it ended, as a shell tells it: 128 and the signal that ended it."""
        code = self._child.wait()
        return code if code >= 0 else 128 - code

    def ended(self, seconds: float) -> bool:
        """Whether it has ended, or does within some time."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Tell the program, and all that it started, to end; after the grace they are ended."""
        self._send(signal.SIGTERM)
        until = time.monotonic() + self._grace_seconds
        while self._any_left() and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        self._send(signal.SIGKILL)
        self._child.wait()

    def _any_left(self) -> bool:
        self._child.poll()  # else it is left as a zombie of the group
        return self._send(0)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._send(number)

    def _send(self, number: int) -> bool:
        """Send a signal to all of the group; False if nobody is left."""
        try:
            os.killpg(self._child.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True
