"""A connection that does not say what it wants is cut, in parts or in silence; others wait well."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from budget.http.door.patience import MAX_HEAD_BYTES, protocol
from tests.http.running import Running, running
from tests.support.databases import SqliteTemplates, sqlite_url

HEAD_SECONDS = 0.6
BODY_SECONDS = 0.6
DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def hurried(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """A service with little patience."""
    folder: Path = tmp_path_factory.mktemp("hurried")
    impatient = protocol(HEAD_SECONDS, BODY_SECONDS)
    with running(sqlite_url(folder / "budget.db"), http=impatient) as started:
        yield started


class Line:
    """A connection of bytes."""

    def __init__(self, service: Running) -> None:
        host, port = service.url.removeprefix("http://").split(":")
        self.opened_at = time.monotonic()
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def drip(self, content: bytes, byte_seconds: float = 0.03) -> None:
        """Send byte by byte until the service has had enough."""
        for at in range(len(content)):
            try:
                self.socket.sendall(content[at : at + 1])
            except OSError:
                return
            time.sleep(byte_seconds)

    def rest(self) -> bytes:
        """All that comes until the service closes."""
        parts = []
        while True:
            try:
                part = self.socket.recv(65536)
            except ConnectionError:
                break
            if not part:
                break
            parts.append(part)
        return b"".join(parts)

    def answer(self) -> bytes:
        """One answer, whose head tells its length."""
        got = b""
        while b"\r\n\r\n" not in got:
            part = self.socket.recv(65536)
            assert part, got
            got += part
        head, _, body = got.partition(b"\r\n\r\n")
        (length,) = [line for line in head.split(b"\r\n") if line.startswith(b"content-length")]
        while len(body) < int(length.split(b":")[1]):
            body += self.socket.recv(65536)
        return head


def problem(answer: bytes, status: int) -> str:
    """The code of a problem that closes its connection, with the headers of every answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"connection: close" in head
    assert b"x-content-type-options: nosniff" in head
    code: str = json.loads(body)["code"]
    return code


def test_a_head_that_drips_is_cut_however_steadily_it_does(hurried: Running) -> None:
    with Line(hurried) as line:
        line.drip(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 2_000)
        assert problem(line.rest(), 408) == "headers_too_slow"
        assert time.monotonic() - line.opened_at >= HEAD_SECONDS


def test_a_head_that_stops_is_cut(hurried: Running) -> None:
    with Line(hurried) as line:
        line.send(b"GET /health HTTP/1.1\r\nHost: loc")
        assert problem(line.rest(), 408) == "headers_too_slow"


@pytest.mark.parametrize("said", [b"", b"\r\n"])
def test_a_connection_that_asks_nothing_is_closed_without_a_word(
    hurried: Running, said: bytes
) -> None:
    with Line(hurried) as line:
        line.send(said)
        assert line.rest() == b""
        assert time.monotonic() - line.opened_at >= HEAD_SECONDS * 0.9


def test_blank_lines_after_an_answer_keep_no_connection_open(hurried: Running) -> None:
    with Line(hurried) as line:
        line.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.answer().startswith(b"HTTP/1.1 200")
        line.send(b"\r\n")
        assert line.rest() == b""


@pytest.mark.parametrize("some", [b"", b'{"tok'])
def test_a_body_that_does_not_come_is_cut(hurried: Running, some: bytes) -> None:
    before = hurried.written()
    with Line(hurried) as line:
        line.send(
            b"POST /api/v1/allocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n"
            b"X-API-Key: " + hurried.key.encode() + b"\r\n\r\n" + some
        )
        assert problem(line.rest(), 408) == "body_too_slow"
    assert hurried.written() == before


def test_a_body_that_drips_after_its_answer_keeps_nothing_open(hurried: Running) -> None:
    with Line(hurried) as line:
        line.send(
            b"POST /api/v1/allocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n"
        )
        assert line.answer().startswith(b"HTTP/1.1 401")
        line.drip(b"x" * 999)
        line.rest()


def test_a_connection_between_requests_is_left_alone(hurried: Running) -> None:
    with Line(hurried) as line:
        for wait_seconds in (HEAD_SECONDS * 1.2, 0):
            line.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert line.answer().startswith(b"HTTP/1.1 200")
            time.sleep(wait_seconds)


def test_pipelined_requests_are_all_answered(hurried: Running) -> None:
    with Line(hurried) as line:
        line.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4 + b"GET /he")
        got = line.rest()
        assert got.count(b"HTTP/1.1 200") == 4
        assert got.count(b"HTTP/1.1 408") == 1


def test_a_head_without_end_is_cut_by_its_length(hurried: Running) -> None:
    with Line(hurried) as line:
        line.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * MAX_HEAD_BYTES)
        assert problem(line.rest(), 431) == "headers_too_large"


def test_a_head_of_more_than_16_kb_is_refused_with_its_address(hurried: Running) -> None:
    with Line(hurried) as line:
        line.send(b"GET /health?" + b"x" * 17_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.answer().startswith(b"HTTP/1.1 431")


def test_what_is_no_http_is_a_problem(hurried: Running) -> None:
    with Line(hurried) as line:
        line.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert problem(line.rest(), 400) == "malformed_request"


def test_slow_connections_keep_nobody_else_waiting(hurried: Running) -> None:
    lines = []
    for _ in range(200):
        lines.append(Line(hurried))
        lines[-1].send(b"GET /health HTTP/1.1\r\nX-")
    assert hurried.client.get("/health").status_code == 200
    for line in lines:
        assert problem(line.rest(), 408) == "headers_too_slow"
        line.socket.close()
