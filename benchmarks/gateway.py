"""The gateway against LiteLLM's proxy, side by side before the same upstream: speed and memory.

LiteLLM is installed into a venv of its own, outside the project, if a network is there; else its
figures are left out. Its budget is the proxy's own (`max_budget`): keys with budgets of their own
need a database whose engine it downloads.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.figures import Figure
from benchmarks.service import free_port, post, rss_mb, service

LITELLM: Final = "litellm[proxy]==1.108.7"
SECONDS: Final = 4.0
ROUNDS: Final = 2
STREAMS: Final = 1000
OPENED_SECONDS: Final = 20
LIMITED: Final[Any] = {
    "name": "Bench",
    "policies": [
        {"unit": "usd", "period": "daily", "limit": "1000000", "enforcement": "hard_limit"},
    ],
}


class Measured(NamedTuple):
    """Calls per second and the median in ms at a number of connections."""

    per_second: float
    p50_ms: float


def gateway() -> Iterator[Figure]:
    """Throughput at 16 and 64 connections, added latency at one, memory; and streams."""
    with upstream() as url, ours(url) as (address, key, pid):
        direct = _asked(f"{url}/v1", "none", 1)
        for streamed in (False, True):
            how = "streamed" if streamed else "whole"
            one = _asked(address, key, 1, streamed=streamed)
            yield Figure(
                f"gateway adds at the median, one connection, {how}", one.p50_ms - direct.p50_ms,
                "ms", 3, at_least=False, note=f"direct {direct.p50_ms:.2f} ms",
            )  # fmt: skip
            for connections in (16, 64):
                found = _asked(address, key, connections, streamed=streamed)
                yield Figure(
                    f"gateway, {connections} connections, {how}", found.per_second, "calls/s", 0,
                    note=f"p50 {found.p50_ms:.1f} ms",
                )  # fmt: skip
        yield Figure("gateway, memory after that", rss_mb(pid), "MB", 0)
        yield from _streams(url, address, key, pid)


def _streams(url: str, address: str, key: str, pid: int) -> Iterator[Figure]:
    """A thousand streams at once, of 5 pieces a second each."""
    direct, _, _ = _opened(f"{url}/v1", "none", None)
    before_mb = rss_mb(pid)
    told, whole, most_mb = _opened(address, key, pid)
    yield Figure(
        f"{STREAMS} streams: added until the first piece, median",
        told["p50_ms"] - direct["p50_ms"], "ms", 5, at_least=False,
        note=f"p99 {told['p99_ms']:.0f} ms, {whole} whole",
    )  # fmt: skip
    yield Figure(
        f"{STREAMS} streams: memory of each", (most_mb - before_mb) * 1024 / STREAMS, "KB", 100,
        at_least=False,
    )  # fmt: skip


def _opened(address: str, key: str, pid: int | None) -> tuple[dict[str, float], int, float]:
    """What was told when all were open, how many ended well, and the memory of a process then."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load_streams", address, key, str(STREAMS),
         str(OPENED_SECONDS)],
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        memory_mb = 0.0 if pid is None else rss_mb(pid)
        return told, json.loads(process.stdout.readline())["whole"], memory_mb


def gateway_and_litellm() -> Iterator[Figure]:
    """The same of both, in turns."""
    with contextlib.ExitStack() as opened:
        url = opened.enter_context(upstream())
        address, key, pid = opened.enter_context(ours(url))
        other, other_pid = opened.enter_context(litellm(url))
        direct = _asked(f"{url}/v1", "none", 1)
        for connections in (16, 64):
            mine, theirs = _in_turns((address, key), (other, "sk-bench"), connections)
            yield Figure(
                f"calls/s against LiteLLM's, {connections} connections",
                mine.per_second / theirs.per_second, "times", 15,
                note=f"{mine.per_second:.0f} and {theirs.per_second:.0f} calls/s",
            )  # fmt: skip
        mine, theirs = _in_turns((address, key), (other, "sk-bench"), 1)
        added, theirs_added = mine.p50_ms - direct.p50_ms, theirs.p50_ms - direct.p50_ms
        yield Figure(
            "added p50 against LiteLLM's, one connection", added / theirs_added, "times", 0.2,
            at_least=False, note=f"{added:.2f} and {theirs_added:.2f} ms",
        )  # fmt: skip
        memory, theirs_memory = rss_mb(pid), rss_mb(other_pid)
        yield Figure(
            "memory against LiteLLM's", memory / theirs_memory, "times", 0.2, at_least=False,
            note=f"{memory:.0f} and {theirs_memory:.0f} MB",
        )  # fmt: skip


@contextlib.contextmanager
def upstream(delay_ms: int = 0) -> Iterator[str]:
    """A provider in a process of its own; its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.upstream", str(delay_ms)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()


@contextlib.contextmanager
def ours(url: str) -> Iterator[tuple[str, str, int]]:
    """A service whose gateway leads there, with a hard limit: OpenAI's address, a key, its pid."""
    told = {"BUDGET_GATEWAY_OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-upstream"}
    with service(told) as (address, admin, pid):
        post(address, admin, "/api/v1/budgets", LIMITED)
        made = post(address, admin, "/api/v1/keys", {"name": "bench", "scopes": ["spend"]})
        yield f"{address}/openai/v1", made["key"], pid


@contextlib.contextmanager
def litellm(url: str) -> Iterator[tuple[str, int]]:
    """LiteLLM's proxy before the same upstream: OpenAI's address, its pid."""
    command = _litellm_command()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(
            "model_list:\n  - model_name: gpt-4o\n    litellm_params:\n"
            f"      model: openai/gpt-4o\n      api_base: {url}/v1\n      api_key: sk-upstream\n"
            "litellm_settings:\n  max_budget: 1000000\n  budget_duration: 30d\n"
            "general_settings:\n  master_key: sk-bench\n"
        )
        port = free_port()
        process = subprocess.Popen(
            [*command, "--config", str(config), "--port", str(port), "--num_workers", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
        )  # fmt: skip
        try:
            _wait_until_alive(f"http://127.0.0.1:{port}/health/liveliness")
            yield f"http://127.0.0.1:{port}/v1", process.pid
        finally:
            process.terminate()
            process.wait(30)


def _litellm_command() -> list[str]:
    """Its command, installed if need be; LITELLM_VENV says where."""
    venv = Path(os.environ.get("LITELLM_VENV", Path(tempfile.gettempdir()) / "budget-litellm"))
    if not (venv / "bin" / "litellm").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", LITELLM], check=True)
    return [str(venv / "bin" / "litellm")]


def _wait_until_alive(url: str) -> None:
    ends_at = time.monotonic() + 120
    while time.monotonic() < ends_at:
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(0.2)
    raise TimeoutError(f"nothing answers at {url}")


def _in_turns(
    mine: tuple[str, str], theirs: tuple[str, str], connections: int
) -> tuple[Measured, Measured]:
    """The best of some rounds of each, in turns: what else the machine does slows both."""
    found = [(_asked(*mine, connections), _asked(*theirs, connections)) for _ in range(ROUNDS)]
    return tuple(  # type: ignore[return-value]
        Measured(max(one.per_second for one in each), min(one.p50_ms for one in each))
        for each in zip(*found, strict=True)
    )


def _asked(address: str, key: str, connections: int, *, streamed: bool = False) -> Measured:
    how = ["stream"] if streamed else []
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.load_chat", address, key, str(connections),
         str(SECONDS), *how],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    told = json.loads(said)
    assert not told["others"], said
    return Measured(told["per_second"], told["p50_ms"])
