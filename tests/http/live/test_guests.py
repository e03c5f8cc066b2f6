"""Guests: heartbeats, who is silent, and who reads too slowly, on bare sockets."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from budget.http.live.guests import Limits
from budget.http.live.protocol import PING
from tests.http.live.talking import spend, talking
from tests.http.running import Json, Running, running
from tests.support.databases import SqliteDatabases

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@contextmanager
def bare(service: Running, path: str, buffer_bytes: int = 0) -> Iterator[socket.socket]:
    """A connection that answers nothing by itself, and has a small buffer if one is said."""
    port = int(service.url.rpartition(":")[2])
    with socket.socket() as opened:
        if buffer_bytes:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        opened.settimeout(20)
        opened.connect(("127.0.0.1", port))
        opened.sendall(HANDSHAKE.format(path=path, key=service.key).encode())
        yield opened


def frames(data: bytes) -> tuple[list[Json], int, int]:
    """What came over a connection after its handshake: messages, pings, and the closing code."""
    data = data.partition(b"\r\n\r\n")[2]
    told: list[Json] = []
    pings, code, at = 0, 0, 0
    while at + 1 < len(data):
        opcode, size, begin = data[at] & 15, data[at + 1], at + 2
        if size == 126:
            size, begin = int.from_bytes(data[at + 2 : at + 4]), at + 4
        elif size == 127:
            size, begin = int.from_bytes(data[at + 2 : at + 10]), at + 10
        if begin + size > len(data):
            break
        payload = data[begin : begin + size]
        at = begin + size
        if opcode == 1:
            told.append(json.loads(payload))
        elif opcode == 8:
            code = int.from_bytes(payload[:2])
        else:
            assert data[at - 2 : at] == PING
            pings += 1
    return told, pings, code


def all_of(opened: socket.socket, last: bytes) -> bytes:
    """All that comes, to the closing frame, before which `last` is said."""
    data = bytearray()
    while last not in data[-100_000:] or not frames(bytes(data))[2]:
        data += opened.recv(1 << 20)
    return bytes(data)


def test_who_is_silent_hears_heartbeats_and_is_shown_out_in_the_end(
    sqlite_databases: SqliteDatabases,
) -> None:
    limits = Limits(heartbeat_seconds=0.05, silent_seconds=0.5, round_seconds=0.02)
    with (
        running(sqlite_databases.new(), limits=limits) as service,
        talking(service) as alive,
        bare(service, "/ws") as silent,
    ):
        told, pings, code = frames(all_of(silent, b"silent"))
        assert code == 4408
        assert told[-1]["payload"]["code"] == "silent"
        beats = [one for one in told if one["type"] == "heartbeat"]
        assert len(beats) == pings >= 2
        # The other answers pings, as all libraries do, though it says nothing.
        assert alive.hear()["type"] == "budget_update"
        assert alive.hear()["type"] == "heartbeat"


def test_who_reads_too_slowly_is_cut_off_and_resumes_without_a_gap(
    sqlite_databases: SqliteDatabases,
) -> None:
    with (
        running(sqlite_databases.new()) as service,
        talking(service, "/ws/budget/allocations") as quick,
        bare(service, "/ws/budget/allocations", buffer_bytes=4096) as slow,
    ):
        quick.hear()
        while b"Connected" not in (greeting := slow.recv(4096, socket.MSG_PEEK)):
            pass
        written: list[str] = []
        for batch in range(100):
            records = [{"usage_id": f"u-{batch}-{at}", "requests": 1} for at in range(500)]
            answer = service.client.post("/api/v1/usage/batch", json={"records": records}).json()
            written += [result["usage_id"] for result in answer["results"]]
            heard = [one["payload"]["usage_id"] for one in quick.events(500)]
            assert heard == written[-500:], "who is slow keeps nobody else waiting"
            if _guests(service) == 1:
                break
        told, _, code = frames(all_of(slow, b"slow_consumer"))
        assert greeting
        assert code == 4429
        assert told[-1]["payload"]["code"] == "slow_consumer"
        events = [one for one in told if one["type"] == "allocation_update"]
        seen = [one["payload"]["usage_id"] for one in events]
        assert seen == written[: len(seen)]
        assert told[-1]["payload"]["cursor"] == events[-1]["cursor"]
        with talking(service) as again:
            again.hear()
            again.ask("subscription", "allocation_updates", resume_from=events[-1]["cursor"])
            (more,) = spend(service)
            rest = again.events(len(written) - len(seen) + 1)
            assert [one["payload"]["usage_id"] for one in rest] == [*written[len(seen) :], more]


def _guests(service: Running) -> int:
    assert service.app is not None
    return service.app.live.count
