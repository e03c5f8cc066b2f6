"""What goes out of an answer, in which pieces, and who is told that the caller has gone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from budget.http.door.cycle import MOST_PENDING_BYTES, WHEN_GONE
from budget.http.door.patience import PatientProtocol

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
SIZED = {
    "type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]
}  # fmt: skip
OPEN = {"type": "http.response.start", "status": 200, "headers": []}
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = asyncio.Event()
        self.written = asyncio.Event()

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))
        self.written.set()

    def close(self) -> None:
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def resume_reading(self) -> None:
        """It reads all the time."""

    def pause_reading(self) -> None:
        """It reads all the time."""


def body(text: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": text, "more_body": more}


def over(app: ASGIApp, act: Callable[[PatientProtocol, Wire], Awaitable[None]]) -> None:
    """Do this to a connection before an application."""

    async def go() -> None:
        config = uvicorn.Config(app, lifespan="off", timeout_keep_alive=1, log_config=None)
        config.load()
        config.loaded_app = app
        line, wire = PatientProtocol(config, ServerState(), {}), Wire()
        line.connection_made(wire)
        async with asyncio.timeout(20):
            await act(line, wire)
            await asyncio.gather(*line.tasks)
        if not wire.is_closing():
            line.connection_lost(None)

    asyncio.run(go())


def answering(*messages: Any) -> ASGIApp:
    """An application that answers with these, in one turn of the loop."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        for message in messages:
            await send(message)

    return app


def written(*messages: Any) -> list[bytes]:
    """The pieces in which the answer of these goes out to one request."""
    found: list[bytes] = []

    async def act(line: PatientProtocol, wire: Wire) -> None:
        line.data_received(GET)
        await asyncio.gather(*line.tasks)
        await asyncio.sleep(0)
        found.extend(wire.pieces)

    over(answering(*messages), act)
    return found


def test_a_whole_answer_goes_out_in_one_piece_with_its_head() -> None:
    assert written(SIZED, body(b"ok")) == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]


def test_what_is_there_of_a_stream_at_once_goes_out_in_one_piece() -> None:
    pieces = (body(b"ab", more=True), body(b"c", more=True), body(b""))
    assert written(OPEN, *pieces) == [HEAD + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"]


def test_more_than_may_wait_does_not() -> None:
    long = b"x" * MOST_PENDING_BYTES
    first, second = written(OPEN, body(long, more=True), body(b""))
    assert first == HEAD + b"10000\r\n" + long + b"\r\n"
    assert second == b"0\r\n\r\n"


def test_the_head_of_a_stream_does_not_wait_for_its_body() -> None:
    read = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(OPEN)
        await read.wait()
        await send(body(b"late"))

    async def act(line: PatientProtocol, wire: Wire) -> None:
        line.data_received(GET)
        await wire.written.wait()
        assert wire.pieces == [HEAD]
        read.set()

    over(app, act)


@pytest.mark.parametrize(
    "header", [(b"x-a", b"1\r\nx-b: 2"), (b"x-a: 1\r\nx-b", b"2"), (b"x-a", b"\0"), (b"x a", b"1")]
)
def test_a_header_that_would_be_another_is_not_sent(header: tuple[bytes, bytes]) -> None:
    (piece,) = written({**OPEN, "headers": [header]})
    assert piece.startswith(b"HTTP/1.1 500 ")
    assert b"x-" not in piece
    assert piece.endswith(b"\r\n\r\nInternal Server Error")


@pytest.mark.parametrize("text", [b"k", b"oke"])
def test_a_body_of_another_length_than_its_head_says_ends_the_connection(text: bytes) -> None:
    async def act(line: PatientProtocol, wire: Wire) -> None:
        line.data_received(GET)
        await wire.closed.wait()
        assert text not in b"".join(wire.pieces).partition(b"\r\n\r\n")[2]

    over(answering(SIZED, body(text)), act)


def test_what_came_of_an_answer_that_is_not_whole_goes_out_before_its_end() -> None:
    async def act(line: PatientProtocol, wire: Wire) -> None:
        line.data_received(GET)
        await wire.closed.wait()
        assert wire.pieces == [HEAD + b"2\r\nab\r\n"]

    over(answering(OPEN, body(b"ab", more=True)), act)


def test_messages_out_of_turn_are_an_error() -> None:
    (piece,) = written(body(b"ok"))
    assert piece.startswith(b"HTTP/1.1 500 ")


class Farewells:
    """An application that is told when its callers go, and answers when it is let."""

    def __init__(self) -> None:
        self.gone: list[bytes] = []
        self.let = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        path = scope["raw_path"]
        scope["extensions"][WHEN_GONE](lambda: self.gone.append(path))
        await self.let.wait()
        await send(SIZED)
        await send(body(b"ok"))


def asking(path: bytes) -> bytes:
    return GET.replace(b"/", path, 1)


async def begun(line: PatientProtocol) -> None:
    """Wait until a request is being answered."""
    assert line.tasks
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_who_wants_to_know_is_called_when_the_caller_goes() -> None:
    app = Farewells()

    async def act(line: PatientProtocol, wire: Wire) -> None:
        line.data_received(asking(b"/a"))
        await begun(line)
        assert app.gone == []
        wire.close()
        line.connection_lost(None)
        assert app.gone == [b"/a"]
        app.let.set()
        await asyncio.gather(*line.tasks)
        assert wire.pieces == []

    over(app, act)


def test_who_asks_for_more_before_the_answer_and_goes_is_missed_too() -> None:
    app = Farewells()

    async def act(line: PatientProtocol, wire: Wire) -> None:
        line.data_received(asking(b"/a") + asking(b"/b"))
        await begun(line)
        wire.close()
        line.connection_lost(None)
        assert app.gone == [b"/a"]
        app.let.set()

    over(app, act)


def test_who_has_all_of_the_answer_is_not_missed() -> None:
    app = Farewells()
    app.let.set()

    async def act(line: PatientProtocol, wire: Wire) -> None:
        line.data_received(asking(b"/a"))
        await asyncio.gather(*line.tasks)
        wire.close()
        line.connection_lost(None)
        assert app.gone == []
        assert len(wire.pieces) == 1

    over(app, act)


def test_a_kept_connection_is_closed_when_nothing_is_asked_for_long() -> None:
    app = answering(SIZED, body(b"ok"))

    async def act(line: PatientProtocol, wire: Wire) -> None:
        loop = asyncio.get_running_loop()
        line.data_received(GET)
        await asyncio.gather(*line.tasks)
        asked_at = loop.time()
        line.data_received(GET)
        await wire.closed.wait()
        assert loop.time() - asked_at >= 1
        assert len(wire.pieces) == 2

    over(app, act)


def test_a_connection_is_not_closed_while_its_answer_takes_long() -> None:
    app = Farewells()

    async def act(line: PatientProtocol, wire: Wire) -> None:
        app.let.set()
        line.data_received(asking(b"/a"))
        await asyncio.gather(*line.tasks)
        app.let.clear()
        line.data_received(asking(b"/b"))
        line.timeout_keep_alive_handler()
        assert not wire.is_closing()
        app.let.set()
        await asyncio.gather(*line.tasks)
        assert line.timeout_keep_alive_task is not None

    over(app, act)
