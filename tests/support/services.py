"""The real service, `budget serve`, started cold or warm, to be killed and started again."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from tests.support.nursery import ROOT, Child, Nursery

READY_SECONDS = 30.0


def serve(port: int, target: str) -> None:
    """What a forked child runs: the command itself, with its arguments."""
    from budget.cli.app import main

    sys.argv = ["budget", "serve", "--host", "127.0.0.1", "--port", str(port), "--target", target]
    main()


class _Running:
    """A process that runs the service."""

    @property
    def ended(self) -> bool:
        raise NotImplementedError

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        raise NotImplementedError

    def wait(self) -> int:
        """The exit status, once it has ended."""
        raise NotImplementedError


class _Forked(_Running):
    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def ended(self) -> bool:
        return self._child.status is not None

    def signal(self, number: signal.Signals) -> None:
        self._child.signal(number)

    def wait(self) -> int:
        return self._child.wait(40)


class _Spawned(_Running):
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(40)


class Service:
    """One service: its port and key stay while its processes come and go."""

    def __init__(
        self,
        nursery: Nursery,
        folder: Path,
        target: str,
        *,
        sabotage: str | None = None,
        environment: dict[str, str] | None = None,
        function: str = "tests.support.services:serve",
    ) -> None:
        """`function` is what a warm start runs, on the port and the target."""
        self._more_environment = environment or {}
        self._function = function
        self.target = target
        self.port = free_port()
        self.log = folder / f"service-{self.port}.log"
        self._config = folder / "config"
        self._nursery = nursery
        self._sabotage = sabotage
        self._child: _Running | None = None

    @property
    def key(self) -> str:
        """The admin key, from the file where the service has left it."""
        (entry,) = tomllib.loads((self._config / "keys.toml").read_text()).values()
        key: str = entry["key"]
        return key

    def start(self) -> float:
        """Fork it from the nursery; seconds until it answered."""
        child = self._nursery.fork(
            self._function,
            [self.port, self.target],
            log=self.log,
            environment=self._environment(),
            sabotage=self._sabotage,
        )
        self._child = _Forked(child)
        return self._wait_until_ready()

    def start_cold(self) -> float:
        """Run the command in an interpreter of its own, as people do; seconds until it answered."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", "from budget.cli.app import main; main()", "serve",
                 "--host", "127.0.0.1", "--port", str(self.port), "--target", self.target],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **self._environment()},
                start_new_session=True,
            )  # fmt: skip
        self._child = _Spawned(process)
        return self._wait_until_ready()

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: it holds what it holds, and does nothing, as on a machine that swaps."""
        assert self._child is not None, "the service does not run"
        self._child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self._child is not None, "the service does not run"
        self._child.signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, whatever its state."""
        if self._child is not None:
            self.kill()

    def _end(self, number: signal.Signals) -> int:
        assert self._child is not None, "the service does not run"
        child, self._child = self._child, None
        child.signal(number)
        return child.wait()

    def _environment(self) -> dict[str, str]:
        return {"BUDGET_CONFIG_DIR": str(self._config), **self._more_environment}

    def _wait_until_ready(self) -> float:
        began = time.monotonic()
        while time.monotonic() < began + READY_SECONDS:
            if self.status_of("/ready") == 200:
                return time.monotonic() - began
            assert self._child is not None
            if self._child.ended:
                break
            time.sleep(0.005)
        words = self.log.read_text(errors="replace")[-3000:]
        raise RuntimeError(f"the service does not answer:\n{words}")

    def status_of(self, path: str) -> int:
        """The status of a GET; 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return 0


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
