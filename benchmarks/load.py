"""A load generator for the service: as little of the machine as can be, in a process of its own.

Plain sockets and requests made beforehand. Each connection allocates again and again; every answer
must be 201. Prints one JSON line: answers, seconds, and the latencies' p50 and p99 in milliseconds.
"""

import asyncio
import json
import sys
import time
from typing import Any, Final

import uvloop

CONNECTIONS: Final = 64
WARM_SECONDS: Final = 1.0


def request(key: str, host: str, number: int, connection: int) -> bytes:
    """One allocation of three levels, with an idempotency key of its own."""
    body = json.dumps(
        {
            "attributes": {"org": "acme", "team": "search", "user": f"user-{connection % 8}"},
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": 1200,
            "max_output_tokens": 300,
            "ttl_seconds": 86400,
        }
    )
    return (
        f"POST /api/v1/allocations HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Idempotency-Key: load-{connection}-{number}-{time.time_ns()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection that sends its next request when the last was answered."""

    def __init__(self, run: "Run", number: int) -> None:
        self.run = run
        self.number = number
        self.sent = 0
        self.sent_at = 0.0
        self.buffer = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        if time.perf_counter() >= self.run.ends_at:
            self.transport.close()
            return
        self.sent += 1
        self.sent_at = time.perf_counter()
        self.transport.write(request(self.run.key, self.run.host, self.sent, self.number))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        at = lowered.index(b"content-length:") + 15
        length = int(lowered[at : lowered.find(b"\r", at) if b"\r" in lowered[at:] else None])
        if len(body) < length:
            return
        self.buffer = body[length:]
        self.run.answered(head, body, time.perf_counter() - self.sent_at)
        self.send()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.run.gone()


class Run:
    """One run against one service."""

    def __init__(self, host: str, key: str, seconds: float) -> None:
        self.host = host
        self.key = key
        self.counts_from = time.perf_counter() + WARM_SECONDS
        self.ends_at = self.counts_from + seconds
        self.seconds = seconds
        self.took: list[float] = []
        self.open = CONNECTIONS
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, head: bytes, body: bytes, seconds: float) -> None:
        if not head.startswith(b"HTTP/1.1 201"):
            raise SystemExit(f"not admitted: {head.splitlines()[0]!r} {body[:300]!r}")
        if time.perf_counter() >= self.counts_from:
            self.took.append(seconds)

    def gone(self) -> None:
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)


async def drive(address: str, key: str, seconds: float) -> dict[str, float]:
    """Load `http://host:port` for so many seconds with 64 connections."""
    host, port = address.removeprefix("http://").split(":")
    run = Run(f"{host}:{port}", key, seconds)
    loop = asyncio.get_running_loop()
    for number in range(CONNECTIONS):
        await loop.create_connection(lambda number=number: Connection(run, number), host, int(port))
    await run.done
    ranked = sorted(run.took)
    return {
        "answers": len(ranked),
        "seconds": seconds,
        "p50_ms": ranked[len(ranked) // 2] * 1000,
        "p99_ms": ranked[int(len(ranked) * 0.99)] * 1000,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(drive(sys.argv[1], sys.argv[2], float(sys.argv[3])))))
