"""Live events: how fast they reach many clients, what a client costs, what the ledger pays.

The clients run in a process of their own, on bare sockets: they only count frames and check that
cursors rise.
"""

import http.client
import itertools
import json
import multiprocessing
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from benchmarks.books import three_levels
from benchmarks.figures import Figure
from benchmarks.service import post, rss_mb, service

CLIENTS = 1_000
EVENTS = 1_000
ROUNDS = 3
BATCH = 100
PATIENCE_SECONDS = 60
CURSOR = b'"cursor":"ent_'
HANDSHAKE = (
    "GET /ws/budget/allocations HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {key}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Told(NamedTuple):
    """What clients have heard: how many events in all, when the last, how many out of order."""

    heard: int
    ended_at: float
    disordered: int
    closed: int


class _Client:
    """One connection: what is left of a frame, how many events, the last cursor."""

    __slots__ = ("disordered", "heard", "last", "left", "socket")

    def __init__(self, host: str, key: str) -> None:
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)))
        self.socket.sendall(HANDSHAKE.format(host=host, key=key).encode())
        answer = b""
        while b"\r\n\r\n" not in answer or b"Connected" not in answer:
            answer += self.socket.recv(65_536)
        self.socket.setblocking(False)
        self.left = b""
        self.heard = 0
        self.disordered = 0
        self.last = b""

    def read(self) -> bool:
        """Count what came; whether the connection stands."""
        try:
            came = self.socket.recv(1 << 20)
        except BlockingIOError:
            return True
        data, at = self.left + came, 0
        while len(data) - at >= 4:
            size, begin = data[at + 1], at + 2
            if size == 126:
                size, begin = int.from_bytes(data[at + 2 : at + 4]), at + 4
            if len(data) < begin + size:
                break
            found = data.find(CURSOR, begin, begin + 160)
            if found >= 0:
                cursor = data[found + len(CURSOR) : found + len(CURSOR) + 16]
                self.disordered += cursor <= self.last
                self.last = cursor
                self.heard += 1
            at = begin + size
        self.left = data[at:]
        return bool(came)


def listen(host: str, key: str, clients: int, events: int, pipe: Connection) -> None:
    """Connect, say so, and tell when all has been heard. Runs in a process of its own."""
    with selectors.DefaultSelector() as selector:
        opened = [_Client(host, key) for _ in range(clients)]
        for client in opened:
            selector.register(client.socket, selectors.EVENT_READ, client)
        pipe.send("connected")
        closed, ends_at = 0, time.monotonic() + PATIENCE_SECONDS
        while sum(c.heard for c in opened) < clients * events and time.monotonic() < ends_at:
            for ready, _ in selector.select(1):
                if not ready.data.read():
                    selector.unregister(ready.fileobj)
                    closed += 1
        heard = sum(client.heard for client in opened)
        pipe.send(Told(heard, time.monotonic(), sum(c.disordered for c in opened), closed))
        pipe.recv()


def deliver(host: str, key: str, clients: int, events: int, write: Any, pid: int) -> Iterator[Any]:
    """Let clients hear events: gives MB before, MB with all connected, and what they heard with
    the seconds that took.
    """
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    listening = context.Process(target=listen, args=(host, key, clients, events, there))
    before = rss_mb(pid)
    listening.start()
    try:
        assert here.recv() == "connected"
        connected = rss_mb(pid)
        began = time.monotonic()
        write(events)
        told: Told = here.recv()
        yield before, connected, told, told.ended_at - began
    finally:
        here.send("end")
        listening.join(10)
        listening.kill()


def write_over_http(host: str, key: str) -> Any:
    """Makes events: usage in bulk, each record one."""
    numbers = itertools.count()

    def write(events: int) -> None:
        with closing(http.client.HTTPConnection(host)) as connection:
            for start in range(0, events, BATCH):
                size = min(BATCH, events - start)
                records = [
                    {"attributes": {"team": "a"}, "requests": 1, "usage_id": f"use-{next(numbers)}"}
                    for _ in range(size)
                ]
                headers = {"X-API-Key": key, "Content-Type": "application/json"}
                body = json.dumps({"records": records})
                connection.request("POST", "/api/v1/usage/batch", body, headers)
                answer = connection.getresponse()
                told = json.load(answer)
                assert told["accepted"] == size, told["results"][0]

    return write


def events() -> Iterator[Figure]:
    """The figures of live events."""
    with service() as (address, key, pid):
        host = address.removeprefix("http://")
        write = write_over_http(host, key)
        write(BATCH)
        for _ in deliver(host, key, 50, BATCH, write, pid):
            pass  # what is paid once is paid
        rates, memory = [], 0.0
        for at in range(ROUNDS):
            for before, connected, told, seconds in deliver(host, key, CLIENTS, EVENTS, write, pid):
                assert (told.heard, told.disordered, told.closed) == (CLIENTS * EVENTS, 0, 0), told
                rates.append(told.heard / seconds)
                if not at:
                    memory = (connected - before) * 1024 / CLIENTS
        yield Figure(
            "events: deliveries/s to 1,000 clients", statistics.median(rates), "/s", 60_000
        )
        yield Figure("events: memory of a client", memory, "KB", 60, at_least=False)
    yield from _beside_the_ledger()


def _beside_the_ledger() -> Iterator[Figure]:
    """Commands a second over HTTP, with ten clients that hear of each and without, in turns."""
    with service() as (address, key, _pid):
        three_levels(lambda **ask: post(address, key, "/api/v1/budgets", ask))
        host = address.removeprefix("http://")
        _load(address, key)
        ratios = []
        for _ in range(ROUNDS):
            without = _load(address, key)
            with _listeners(host, key):
                ratios.append(_load(address, key) / without)
        ratio = statistics.median(ratios)
        yield Figure("events: commands/s with 10 listeners to those without", ratio, "", 0.85)


@contextmanager
def _listeners(host: str, key: str) -> Iterator[None]:
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    listening = context.Process(target=listen, args=(host, key, 10, 1_000_000, there))
    listening.start()
    try:
        assert here.recv() == "connected"
        yield
    finally:
        listening.kill()
        listening.join()


def _load(address: str, key: str) -> float:
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", address, key, "4"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    run = json.loads(out)
    return float(run["answers"] / run["seconds"])
