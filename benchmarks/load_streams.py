"""Many slow streams at once: when their first piece comes, in a process of its own.

    python -m benchmarks.load_streams ADDRESS KEY STREAMS SECONDS

They are opened over SECONDS, have 5 pieces a second each, and all go on until the last was opened.
Plain sockets. Prints one JSON line when all are open (`p50_ms` and `p99_ms` to the first piece of
the body, `open`: how many have begun), and another when all have ended (`whole`: how many did so as
they should).
"""

import asyncio
import json
import sys
import time
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import uvloop

PACE_MS: Final = 200
ASKED: Final[Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say many words."}],
    "max_tokens": 2000,
    "stream": True,
}


class Run:
    """One run."""

    def __init__(self, address: str, key: str, streams: int, seconds: float) -> None:
        self.place: SplitResult = urlsplit(address)
        body = json.dumps(ASKED).encode()
        words = int((seconds + 5) * 1000 / PACE_MS)
        self.request = (
            f"POST {self.place.path}/chat/completions HTTP/1.1\r\nHost: {self.place.netloc}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"x-pace-ms: {PACE_MS}\r\nx-words: {words}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self.streams = streams
        self.seconds = seconds
        self.first_ms: list[float] = []
        self.whole = 0

    async def go(self) -> None:
        tasks = []
        for _ in range(self.streams):
            tasks.append(asyncio.create_task(self._one()))
            await asyncio.sleep(self.seconds / self.streams)
        await asyncio.sleep(1)
        ordered = sorted(self.first_ms)
        told = {
            "open": len(ordered),
            "p50_ms": ordered[len(ordered) // 2],
            "p99_ms": ordered[len(ordered) * 99 // 100],
        }
        print(json.dumps(told), flush=True)
        await asyncio.gather(*tasks)
        print(json.dumps({"whole": self.whole}), flush=True)

    async def _one(self) -> None:
        reader, writer = await asyncio.open_connection(self.place.hostname, self.place.port)
        since = time.perf_counter()
        writer.write(self.request)
        head = await reader.readuntil(b"\r\n\r\n")
        piece = await reader.read(65536)
        self.first_ms.append((time.perf_counter() - since) * 1000)
        end = piece
        while piece and not end.endswith(b"0\r\n\r\n"):
            piece = await reader.read(65536)
            end = (end + piece)[-64:]
        self.whole += head[9:12] == b"200" and b"[DONE]" in end
        writer.close()


if __name__ == "__main__":
    address, key, streams, seconds = sys.argv[1:]
    uvloop.run(Run(address, key, int(streams), float(seconds)).go())
