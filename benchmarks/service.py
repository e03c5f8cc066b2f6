"""The service as its users meet it: allocations over HTTP, memory, and how fast things start."""

import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.books import three_levels
from benchmarks.figures import Figure

SECONDS = 5.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def service(told: Mapping[str, str] | None = None) -> Iterator[tuple[str, str, int]]:
    """A service on a fresh SQLite file: its address, its admin key, its process id.

    `told` adds to its environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = {
            **os.environ,
            "BUDGET_CONFIG_DIR": f"{folder}/config",
            "HOME": folder,
            **(told or {}),
        }
        target = f"sqlite:///{folder}/bench.db"
        process = subprocess.Popen(
            [sys.executable, "-m", "budget", "--target", target, "serve",
             "--port", str(port)],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(address)
            key = subprocess.run(
                [sys.executable, "-m", "budget", "--target", target, "key"],
                env=environment, capture_output=True, text=True, check=True,
            ).stdout.strip()  # fmt: skip
            yield address, key, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def wait_until_ready(address: str) -> None:
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/ready"):
            return
        time.sleep(0.05)
    raise TimeoutError(f"the service at {address} did not get ready")


def post(address: str, key: str, path: str, body: Any, method: str = "POST") -> Any:
    request = urllib.request.Request(
        address + path,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"process {pid} is gone")


def over_http() -> Iterator[Figure]:
    """Durable allocations per second, latency and memory of one service process."""
    with service() as (address, key, pid):
        time.sleep(1)
        yield Figure("RSS of the idle service", rss_mb(pid), "MB", 150, at_least=False)
        three_levels(lambda **ask: post(address, key, "/api/v1/budgets", ask))
        runs = []
        for _ in range(3):
            out = subprocess.run(
                [sys.executable, "-m", "benchmarks.load", address, key, str(SECONDS)],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            runs.append(json.loads(out))
        rate = statistics.median(run["answers"] / run["seconds"] for run in runs)
        yield Figure("HTTP: admitted, durable allocations/s, 64 connections", rate, "/s", 3_000)
        p99 = statistics.median(run["p99_ms"] for run in runs)
        yield Figure("HTTP: p99", p99, "ms", 60, at_least=False)
        yield Figure("RSS of the service after the load", rss_mb(pid), "MB")


def _milliseconds(*command: str, rounds: int = 7) -> float:
    took = []
    for _ in range(rounds):
        since = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - since) * 1000)
    return statistics.median(took)


def starting() -> Iterator[Figure]:
    """What imports and the command line cost, beyond starting Python."""
    bare = _milliseconds(sys.executable, "-c", "pass")
    imported = _milliseconds(sys.executable, "-c", "import budget")
    yield Figure("import budget", imported - bare, "ms", 150, at_least=False)
    facade = _milliseconds(sys.executable, "-c", "from budget.engine.budget import Budget")
    yield Figure("from budget.engine.budget import Budget", facade - bare, "ms")
    helped = _milliseconds(sys.executable, "-m", "budget", "--help")
    yield Figure("budget --help", helped, "ms", 400, at_least=False)
