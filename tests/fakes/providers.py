"""Providers: a server on this machine that answers as OpenAI, Anthropic, Google and Ollama do.

It keeps what a real provider would have billed for each request, so that books can be compared
with the truth. What it answers: `answers`; how that is spelled: one file per wire format.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from tests.fakes import (
    anthropic_messages,
    gemini,
    models,
    ollama,
    openai_chat,
    openai_media,
    openai_responses,
)
from tests.fakes.answers import Answer, Behaviour, Piece, answer_to, behaviour_of
from tests.fakes.works import Works

Body = Mapping[str, Any]


class Format(NamedTuple):
    """How one API spells answers."""

    provider: str
    limit_of: Callable[[Body], int | None]
    whole: Callable[[Answer, Body], dict[str, Any]]
    stream: Callable[[Answer, Body], Iterator[Piece]]
    problem: Callable[[int], dict[str, Any]]


class Billed(NamedTuple):
    """What a provider would put on its bill for one request."""

    call_id: str
    """The header `x-fake-id`, or the id of the response where it has none."""
    response_id: str
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    told: bool
    """Whether the client was sent the final figures."""


class _Request(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    method: str = "POST"
    raw: bytes = b""


_CHAT: Final = Format(
    "openai", openai_chat.limit_of, openai_chat.whole, openai_chat.stream, openai_chat.problem
)
_RESPONSES: Final = Format(
    "openai", openai_responses.limit_of, openai_responses.whole, openai_responses.stream,
    openai_chat.problem,
)  # fmt: skip
_MESSAGES: Final = Format(
    "anthropic", anthropic_messages.limit_of, anthropic_messages.whole, anthropic_messages.stream,
    anthropic_messages.problem,
)  # fmt: skip
_GEMINI: Final = Format("google", gemini.limit_of, gemini.whole, gemini.stream, gemini.problem)
_OLLAMA: Final = Format("ollama", ollama.limit_of, ollama.whole, ollama.stream, ollama.problem)


class Providers:
    """The server, in a thread of its own, from `start` to `stop`. `with` does both."""

    def __init__(self) -> None:
        self.default = Behaviour()
        """How requests are answered that do not say it."""
        self.url = ""
        self.works = Works()
        """What goes on when calls were answered."""
        self._billed: list[Billed] = []
        self._seen: dict[str, int] = {}
        self._requests: list[_Request] = []
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._ending: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="fake-providers", daemon=True)

    def start(self) -> "Providers":
        """Listen on a free port of loopback."""
        self._thread.start()
        self._ready.wait()
        return self

    def stop(self) -> None:
        """Close every connection and end."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    __enter__ = start

    def __exit__(self, *_of: object) -> None:
        self.stop()

    @property
    def openai_url(self) -> str:
        """What OpenAI's SDK takes as base_url."""
        return self.url + "/v1"

    def billed(self) -> list[Billed]:
        """What would be on the bill, request by request."""
        with self._lock:
            return list(self._billed)

    def requests(self) -> list[tuple[str, Body]]:
        """The path and the body of every request that came."""
        with self._lock:
            return [(request.path, request.body) for request in self._requests]

    def headers(self) -> list[Mapping[str, str]]:
        """The headers of every request that came."""
        with self._lock:
            return [request.headers for request in self._requests]

    def forget(self) -> None:
        """Begin a new bill."""
        with self._lock:
            self._billed.clear()
            self.works = Works()
            self._requests.clear()
            self._seen.clear()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._ending.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(
        self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; whether the connection stays open."""
        beside = (
            self.works.answer(request.method, request.path, request.body, request.raw)
            or openai_media.answer(request.path, request.body, request.raw)
            or models.answer(request.path, request.headers)
        )
        if beside is not None:
            with self._lock:
                self._requests.append(request)
            return await _send_raw(writer, beside)
        found = _format_of(request)
        if found is None:
            return await _send(writer, 404, {"error": {"message": "no such path"}})
        if isinstance(found, dict):
            return await _send(writer, 200, found)
        spelling, model, streamed = found
        how, number = self._behaviour(request, model)
        model = model.partition("+")[0]
        if how.status and number <= how.times:
            await asyncio.sleep(how.delay_ms / 1000)
            return await _send(writer, how.status, spelling.problem(how.status))
        with self._lock:
            response_id = f"fake-{len(self._billed) + 1}"
            answer = answer_to(
                model, request.body, spelling.limit_of(request.body), how, response_id
            )
            if "/embed" in request.path:
                answer = answer._replace(thoughts=(), words=())
            bill = Billed(
                request.headers.get("x-fake-id", response_id), response_id, spelling.provider,
                model, answer.input_tokens, answer.output_tokens, answer.cached_tokens, False,
            )  # fmt: skip
            place = len(self._billed)
            self._billed.append(bill)
        if how.reset and number <= how.times:
            return _reset(writer)
        if how.hang:
            await reader.read()  # until the client goes
            return False
        if streamed:
            pieces = spelling.stream(answer, request.body)
            told = await self._stream(
                place, bill, pieces, _framing_of(request), how, reader, writer
            )
        else:
            await asyncio.sleep(how.delay_ms / 1000)
            told = await _send(writer, 200, spelling.whole(answer, request.body))
        if told:
            self._bill(place, bill._replace(told=answer.tells_usage))
        return told

    async def _stream(
        self,
        place: int,
        bill: Billed,
        pieces: Iterator[Piece],
        framing: str,
        how: Behaviour,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Send the pieces; whether all of them went. What was not made is not billed."""
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: " + _KINDS[framing] + b"\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        made = 0
        try:
            for number, piece in enumerate(pieces):
                made = piece.output_tokens
                if number == how.cut or reader.at_eof():
                    break
                if how.delay_ms:
                    await asyncio.sleep(how.delay_ms / 1000)
                writer.write(_chunk(piece, framing, first=number == 0))
                await writer.drain()
            else:
                writer.write(b"1\r\n]\r\n" if framing == "array" else b"")
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return True
        except (ConnectionError, asyncio.CancelledError):
            pass
        self._bill(place, bill._replace(output_tokens=made))
        return False

    def _bill(self, place: int, bill: Billed) -> None:
        with self._lock:
            if place < len(self._billed) and self._billed[place].response_id == bill.response_id:
                self._billed[place] = bill

    def _behaviour(self, request: _Request, model: str) -> tuple[Behaviour, int]:
        """How to answer, and how many requests with this id have come, this one included."""
        text = request.headers.get("x-fake") or model.partition("+")[2]
        key = request.headers.get("x-fake-id") or f"{request.path} {text}"
        with self._lock:
            self._seen[key] = self._seen.get(key, 0) + 1
            self._requests.append(request)
            return (behaviour_of(text) if text else self.default), self._seen[key]


def _format_of(request: _Request) -> tuple[Format, str, bool] | dict[str, Any] | None:
    """The format, the model and whether it streams; or the answer, where nothing is billed."""
    path, body = request.path.partition("?")[0], request.body
    model, streamed = str(body.get("model", "")), body.get("stream") is True
    if path.endswith(("/chat/completions", "/embeddings")):
        return _CHAT, model, streamed
    if path.endswith(("/api/chat", "/api/generate")):
        return _OLLAMA, model, body.get("stream") is not False
    if path.endswith("/api/embed"):
        return _OLLAMA, model, False
    if path.endswith("/responses"):
        return _RESPONSES, model, streamed
    if path.endswith("/messages"):
        return _MESSAGES, model, streamed
    if path.endswith("/messages/count_tokens"):
        return {"input_tokens": 7}
    if path.endswith(":countTokens"):
        return {"totalTokens": 7}
    name, _, act = path.rpartition("/")[2].partition(":")
    if act in ("generateContent", "streamGenerateContent"):
        return _GEMINI, unquote(name), act.startswith("stream")
    return None


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """The next request of a connection; None at its end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    with contextlib.suppress(ValueError):
        parsed = json.loads(body or b"{}")
        if isinstance(parsed, dict):
            return _Request(path, headers, parsed, method, body)
    return _Request(path, headers, {}, method, body)


async def _send_raw(writer: asyncio.StreamWriter, reply: openai_media.Reply) -> bool:
    writer.write(
        f"HTTP/1.1 {reply.status} Fake\r\ncontent-type: {reply.content_type}\r\n"
        f"content-length: {len(reply.content)}\r\n\r\n".encode()
        + reply.content
    )
    await writer.drain()
    return True


async def _send(writer: asyncio.StreamWriter, status: int, body: Mapping[str, Any]) -> bool:
    content = json.dumps(body).encode()
    writer.write(
        f"HTTP/1.1 {status} Fake\r\ncontent-type: application/json\r\nretry-after-ms: 1\r\n"
        f"content-length: {len(content)}\r\n\r\n".encode()
        + content
    )
    await writer.drain()
    return True


_KINDS: Final = {
    "events": b"text/event-stream", "lines": b"application/x-ndjson", "array": b"application/json",
}  # fmt: skip


def _framing_of(request: _Request) -> str:
    """How a stream is cut: Google sends an array unless it is asked for events."""
    if "/api/" in request.path:
        return "lines"
    in_array = ":streamGenerateContent" in request.path and "alt=sse" not in request.path
    return "array" if in_array else "events"


def _chunk(piece: Piece, framing: str, *, first: bool) -> bytes:
    text = piece.body if isinstance(piece.body, str) else json.dumps(piece.body)
    if framing == "lines":
        content = f"{text}\n".encode()
    elif framing == "array":
        content = f"{'[' if first else ','}{text}\r\n".encode()
    else:
        event = f"event: {piece.event}\n" if piece.event else ""
        content = f"{event}data: {text}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(content), content)


def _reset(writer: asyncio.StreamWriter) -> bool:
    """Have the kernel answer with a reset instead of an orderly end."""
    held = writer.get_extra_info("socket")
    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False
