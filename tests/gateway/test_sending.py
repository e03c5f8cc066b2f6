"""Requests over kept connections, to an upstream that answers letter by letter what it is told."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from budget.gateway.connection import MOST_UNREAD_BYTES, PART_BYTES
from budget.gateway.sending import Answer, Failed, Sender

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Spoken:
    """An upstream that answers each request with the next of these bytes; b"" closes."""

    def __init__(self, *answers: bytes, then_close: bool = False) -> None:
        self.answers = list(answers)
        self.then_close = then_close
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
                self.requests.append(head + await reader.readexactly(length))
                writer.write(self.answers.pop(0))
                await writer.drain()
                if self.then_close:
                    break
            if not self.then_close:
                await reader.read()


@contextlib.asynccontextmanager
async def speaking(spoken: Spoken) -> AsyncIterator[Sender]:
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await spoken.serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    spoken.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sender = Sender()
    try:
        yield sender
    finally:
        await sender.close()
        server.close()
        await asyncio.gather(*serving)


def over(spoken: Spoken, act: Callable[[Sender], Awaitable[None]]) -> None:
    async def go() -> None:
        async with asyncio.timeout(20), speaking(spoken) as sender:
            await act(sender)

    asyncio.run(go())


async def whole(sender: Sender, spoken: Spoken, method: str = "POST") -> tuple[Answer, bytes]:
    answer = await sender.send(method, f"{spoken.url}/v1/chat?a=b", {"x-one": "1"}, b"{}")
    return answer, await answer.whole()


def test_a_request_is_what_it_was_told_to_be() -> None:
    spoken = Spoken(OK)

    async def act(sender: Sender) -> None:
        answer, body = await whole(sender, spoken)
        assert (answer.status, body) == (200, b"ok")

    over(spoken, act)
    host = spoken.url.removeprefix("http://").encode()
    assert spoken.requests == [
        b"POST /v1/chat?a=b HTTP/1.1\r\nx-one: 1\r\ncontent-length: 2\r\nhost: " + host
        + b"\r\n\r\n{}"
    ]  # fmt: skip


def test_a_connection_is_kept_for_the_next_request() -> None:
    spoken = Spoken(OK, OK, OK)

    async def act(sender: Sender) -> None:
        for _ in range(3):
            assert (await whole(sender, spoken))[1] == b"ok"

    over(spoken, act)
    assert spoken.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
    ],
    ids=["close", "old", "unasked"],
)
def test_a_connection_that_cannot_be_kept_is_not(said: bytes) -> None:
    spoken = Spoken(said, OK)

    async def act(sender: Sender) -> None:
        assert (await whole(sender, spoken))[1] == b"ok"
        assert (await whole(sender, spoken))[1] == b"ok"

    over(spoken, act)
    assert spoken.connections == 2


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (
            CHUNKED + b"3\r\none\r\n4;x=y\r\n two\r\n0\r\ntrailer: x\r\n\r\n",
            b"one two",
        ),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
    ],
    ids=["chunks", "hints", "continue", "nothing", "empty"],
)
def test_bodies_of_every_form_are_read_and_their_connection_is_kept(
    said: bytes, body: bytes
) -> None:
    spoken = Spoken(said, said)

    async def act(sender: Sender) -> None:
        for _ in range(2):
            answer, came = await whole(sender, spoken)
            assert came == body
            assert answer.header("link") == answer.header("trailer") == ""

    over(spoken, act)
    assert spoken.connections == 1


def test_an_answer_to_head_has_no_body() -> None:
    spoken = Spoken(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", OK)

    async def act(sender: Sender) -> None:
        answer, body = await whole(sender, spoken, "HEAD")
        assert (answer.header("Content-Length"), body) == ("500", b"")
        assert (await whole(sender, spoken))[1] == b"ok"

    over(spoken, act)
    assert spoken.connections == 1


def test_a_body_may_last_until_its_connection_ends() -> None:
    spoken = Spoken(b"HTTP/1.1 200 OK\r\n\r\nall of it", then_close=True)

    async def act(sender: Sender) -> None:
        assert (await whole(sender, spoken))[1] == b"all of it"

    over(spoken, act)


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        (b"", "waiting"),
        (b"HTTP/1.1 200", "waiting"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "waiting"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "waiting"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000, "waiting"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", "reading"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nok", "reading"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnothing", "reading"),
    ],
    ids=["closed", "half", "other", "upgrade", "head", "short", "chunk", "no chunk"],
)
def test_what_breaks_off_says_how_far_it_had_come(said: bytes, phase: str) -> None:
    spoken = Spoken(said, then_close=True)

    async def act(sender: Sender) -> None:
        with pytest.raises(Failed, match="broke off") as failed:
            await whole(sender, spoken)
        assert (failed.value.phase, failed.value.timed_out) == (phase, False)

    over(spoken, act)


@pytest.mark.parametrize(
    ("said", "phase"),
    [(b"", "waiting"), (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", "reading")],
)
def test_an_upstream_that_falls_silent_is_left(said: bytes, phase: str) -> None:
    spoken = Spoken(said, OK)

    async def act(sender: Sender) -> None:
        with pytest.raises(Failed) as failed:
            await (await sender.send("POST", f"{spoken.url}/", {}, b"{}", 0.05)).whole()
        assert (failed.value.phase, failed.value.timed_out) == (phase, True)

    over(spoken, act)


@pytest.mark.parametrize("before_seconds", [20.0, 0.05])
def test_each_request_has_its_own_patience_on_a_kept_connection(before_seconds: float) -> None:
    spoken = Spoken(OK, b"", OK)

    async def act(sender: Sender) -> None:
        await (await sender.send("POST", f"{spoken.url}/", {}, b"{}", before_seconds)).whole()
        began = time.monotonic()
        with pytest.raises(Failed) as failed:
            await sender.send("POST", f"{spoken.url}/", {}, b"{}", 0.3)
        assert failed.value.timed_out
        assert time.monotonic() - began >= 0.3

    over(spoken, act)
    assert spoken.connections == 1


def test_nobody_listens() -> None:
    async def act(sender: Sender) -> None:
        with pytest.raises(Failed, match="cannot be reached") as failed:
            await sender.send("POST", "http://127.0.0.1:1/v1", {}, b"{}")
        assert failed.value.phase == "connecting"

    over(Spoken(), act)


@pytest.mark.parametrize("value", ["a\r\nhost: other", "a\nb", "a\rb", "a\0b"])
def test_no_header_begins_another_line(value: str) -> None:
    spoken = Spoken(OK)

    async def act(sender: Sender) -> None:
        with pytest.raises(Failed) as failed:
            await sender.send("POST", f"{spoken.url}/", {"x-key": value}, b"{}")
        assert failed.value.phase == "connecting"

    over(spoken, act)
    assert not spoken.requests


def test_a_long_body_arrives_whole() -> None:
    spoken = Spoken(OK)
    body = bytes(range(256)) * (5 * PART_BYTES // 512)

    async def act(sender: Sender) -> None:
        answer = await sender.send("POST", f"{spoken.url}/", {}, body)
        assert await answer.whole() == b"ok"

    async def read_in_full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        spoken.requests.append(await reader.readexactly(len(body)))
        writer.write(OK)

    spoken.serve = read_in_full  # type: ignore[method-assign]
    over(spoken, act)
    assert spoken.requests == [body]


def test_who_reads_slowly_has_the_upstream_wait() -> None:
    body = b"x" * (20 * MOST_UNREAD_BYTES)
    spoken = Spoken(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    async def act(sender: Sender) -> None:
        answer = await sender.send("POST", f"{spoken.url}/", {}, b"{}")
        pieces = [piece async for piece in answer.pieces()]
        assert b"".join(pieces) == body
        assert max(map(len, pieces)) < 3 * MOST_UNREAD_BYTES

    over(spoken, act)


def test_who_stops_reading_closes_the_connection() -> None:
    spoken = Spoken(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf", OK)

    async def act(sender: Sender) -> None:
        answer = await sender.send("POST", f"{spoken.url}/", {}, b"{}")
        async for _ in answer.pieces():
            break
        answer.close()
        answer.close()
        assert (await whole(sender, spoken))[1] == b"ok"

    over(spoken, act)
    assert spoken.connections == 2


# --- TLS -----------------------------------------------------------------------------------------


def asked_by_tls(
    named: str, authority: trustme.CA, trusted: trustme.CA, path: Path, times: int = 1
) -> list[bytes]:
    """What an upstream with a certificate for this name answers, asked as localhost."""
    trusted.cert_pem.write_to_path(str(path / "trusted.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(named).configure_cert(context)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(OK)
                await writer.drain()
        writer.close()

    async def ask() -> list[bytes]:
        server = await asyncio.start_server(answer, "localhost", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        sender = Sender()
        try:
            url = f"https://localhost:{port}/v1"
            return [await (await sender.send("GET", url, {}, None)).whole() for _ in range(times)]
        finally:
            await sender.close()
            server.close()

    return asyncio.run(ask())


def test_upstreams_that_speak_tls_are_asked_over_kept_connections_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    authority = trustme.CA()
    assert asked_by_tls("localhost", authority, authority, tmp_path, times=3) == [b"ok"] * 3


@pytest.mark.parametrize("wrong", ["name", "authority"])
def test_no_request_goes_to_who_cannot_prove_to_be_the_upstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    authority = trustme.CA()
    trusted = trustme.CA() if wrong == "authority" else authority
    named = "elsewhere.example" if wrong == "name" else "localhost"
    with pytest.raises(Failed, match="SSLCertVerificationError") as raised:
        asked_by_tls(named, authority, trusted, tmp_path)
    assert raised.value.phase == "connecting"
