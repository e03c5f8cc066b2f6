"""A load generator for gateways: chat after chat over kept connections, in a process of its own.

    python -m benchmarks.load_chat ADDRESS KEY CONNECTIONS SECONDS [stream]

Plain sockets. Prints one JSON line: answers per second, p50 and p99 in ms, how many were no 200.
"""

import asyncio
import json
import sys
import time
from typing import Any, Final
from urllib.parse import urlsplit

import uvloop

WARM_SECONDS: Final = 1.0
MESSAGES: Final = [{"role": "user", "content": "Say twenty words, please, and say them slowly."}]


class Asking(asyncio.Protocol):
    """One connection that asks again when it was answered."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.buffer = b""
        self.sent_at = 0.0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if time.perf_counter() >= self.run.ends_at:
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(self.run.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        if at >= 0:
            if len(body) < int(lowered[at + 15 :].split(b"\r\n", 1)[0]):
                return
        elif not body.endswith(b"0\r\n\r\n"):
            return
        self.buffer = b""
        self.run.answered(head, time.perf_counter() - self.sent_at)
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.run.gone()


class Run:
    """One run."""

    def __init__(self, address: str, key: str, connections: int, seconds: float, stream: bool):
        place = urlsplit(address)
        asked: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES, "max_tokens": 100}
        if stream:
            asked["stream"] = True
        body = json.dumps(asked).encode()
        self.place = place
        self.request = (
            f"POST {place.path}/chat/completions HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.connections = self.left = connections
        self.seconds = seconds
        self.times: list[float] = []
        self.others = 0
        self.ends_at = self.begins_at = 0.0
        self.done: asyncio.Event

    def answered(self, head: bytes, seconds: float) -> None:
        if time.perf_counter() < self.begins_at:
            return
        self.times.append(seconds)
        self.others += head[9:12] != b"200"

    def gone(self) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()

    async def go(self) -> dict[str, float]:
        self.done = asyncio.Event()
        self.begins_at = time.perf_counter() + WARM_SECONDS
        self.ends_at = self.begins_at + self.seconds
        loop = asyncio.get_running_loop()
        for _ in range(self.connections):
            await loop.create_connection(lambda: Asking(self), self.place.hostname, self.place.port)
        await self.done.wait()
        ordered = sorted(self.times)
        return {
            "per_second": len(ordered) / self.seconds,
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
            "others": self.others,
        }


if __name__ == "__main__":
    address, key, connections, seconds, *how = sys.argv[1:]
    run = Run(address, key, int(connections), float(seconds), "stream" in how)
    print(json.dumps(uvloop.run(run.go())))
