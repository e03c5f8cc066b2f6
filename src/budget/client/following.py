"""Following: the events of a service as they come, over server-sent events.

A connection that breaks is made again from the last cursor: nothing is lost, nothing comes twice.
Not here: the same with the books open (`engine.following`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

import msgspec

from budget.client.judging import Answer, judged
from budget.client.mistakes import unreached
from budget.client.reading.journal import event
from budget.client.request import Request, get
from budget.client.sending import Address, prepared
from budget.client.transport import AsyncTransport, Transport
from budget.domain import cursors
from budget.domain.answers import Event
from budget.domain.asks_reading import FollowAsk
from budget.domain.attributes import parse_attributes
from budget.domain.errors import InvalidInput, Unavailable

EVENT_STREAM: Final = "text/event-stream"
CONNECT_SECONDS: Final = 2.0
SILENT_SECONDS: Final = 75.0
"""A service says something every 30 seconds; after so long the connection is taken for broken."""
GIVE_UP_SECONDS: Final = 60.0
"""How long a service may be away before following it ends with Unavailable."""
FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 2.0
_BUSY: Final = (429, 502, 503, 504)
_FIELDS: Final = frozenset(FollowAsk.__annotations__)


class Reader:
    """What was read of the events of one service, over one connection after another."""

    def __init__(self, address: Address, ask: Mapping[str, Any]) -> None:
        for name in ask:
            if name not in _FIELDS:
                raise InvalidInput(name, "is not a field here.", sorted(_FIELDS))
        after = ask.get("after")
        self._at = cursors.encode(after) if isinstance(after, int) else after
        if self._at is not None:
            cursors.decode(self._at)
        self._query = {
            "topics": _words(ask, "topics"), "kinds": _words(ask, "kinds"),
            "budget_id": ask.get("budget_id"),
            "attributes": parse_attributes(ask.get("attributes")),
        }  # fmt: skip
        self._address = address
        self._data = b""
        self._id = ""
        self._waits = 0
        self._heard = time.monotonic()
        self.joined = False

    @property
    def request(self) -> Request[Any]:
        """What to ask for next: the events after the last cursor."""
        query = {**self._query, "resume_from": self._at}
        return get("/events/stream", _unexpected, query)

    def options(self) -> dict[str, Any]:
        """How it is asked for."""
        import httpx2

        sent = prepared(self.request)
        self._data, self._id = b"", ""
        return {
            "method": sent.method,
            "url": sent.target,
            "headers": {**sent.headers, "Accept": EVENT_STREAM},
            "timeout": httpx2.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS),
        }

    @staticmethod
    def streams(status: int, headers: Mapping[str, str]) -> bool:
        """Whether an answer is a stream of events."""
        return status == 200 and headers.get("content-type", "").startswith(EVENT_STREAM)

    def refused(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        """An answer that is no stream: raised, unless asking again may help."""
        if status not in _BUSY:
            judged(self.request, self._address, Answer(status, headers, content))

    def read(self, line: str) -> Event | None:
        """A line of the stream; an event once it is whole and new."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id = value
        elif name == "data":
            self._data = value.encode()
        elif not line:
            return self._dispatched()
        return None

    def _dispatched(self) -> Event | None:
        data, at, self._data = self._data, self._id, b""
        if not at:
            return None  # an error frame, after which the stream ends, or a comment
        self._heard, self._waits, self.joined = time.monotonic(), 0, True
        told = None
        if data:
            frame = msgspec.json.decode(data)
            if "payload" in frame and (self._at is None or at > self._at):
                told = event(frame["payload"])
        if self._at is None or at > self._at:
            self._at = at
        return told

    def wait_seconds(self, failure: Exception | None) -> float:
        """How long until the next connection; Unavailable if there was none for too long."""
        if time.monotonic() - self._heard > (GIVE_UP_SECONDS if self.joined else CONNECT_SECONDS):
            import httpx2

            url, why = self._address.url, str(failure or "it sends none")
            nobody = isinstance(failure, httpx2.ConnectError | httpx2.ConnectTimeout)
            detail = f"No events came from {url} ({why}). Is it a service of Budget?"
            raise Unavailable(unreached(url, why) if nobody else detail, code="unreachable")
        wait: float = min(FIRST_WAIT_SECONDS * 2**self._waits, LONGEST_WAIT_SECONDS)
        self._waits = min(self._waits + 1, 10)
        return wait


def following(transport: Transport, ask: Mapping[str, Any]) -> Iterator[Event]:
    """The events, waiting for those to come; the first connection is made at once."""
    events = _following(transport, Reader(transport.terms.address, ask))
    next(events)
    return events  # type: ignore[return-value]  # None is told once, and was


def _following(transport: Transport, reader: Reader) -> Iterator[Event | None]:
    import httpx2

    waited = False
    while True:
        failure: Exception | None = None
        try:
            with transport.open().stream(**reader.options()) as response:
                if not reader.streams(response.status_code, response.headers):
                    reader.refused(response.status_code, response.headers, response.read())
                    lines: Iterator[str] = iter(())
                else:
                    lines = response.iter_lines()
                for line in lines:
                    told = reader.read(line)
                    if reader.joined and not waited:
                        waited = True
                        yield None
                    if told is not None:
                        yield told
        except httpx2.TransportError as broken:
            failure = broken
        time.sleep(reader.wait_seconds(failure))


async def awaiting(transport: AsyncTransport, ask: Mapping[str, Any]) -> AsyncIterator[Event]:
    """The events, awaiting those to come; the first connection is made with the first step."""
    import httpx2

    reader = Reader(transport.terms.address, ask)
    while True:
        failure: Exception | None = None
        try:
            async with transport.open().stream(**reader.options()) as response:
                if not reader.streams(response.status_code, response.headers):
                    content = await response.aread()
                    reader.refused(response.status_code, response.headers, content)
                else:
                    async for line in response.aiter_lines():
                        told = reader.read(line)
                        if told is not None:
                            yield told
        except httpx2.TransportError as broken:
            failure = broken
        await asyncio.sleep(reader.wait_seconds(failure))


def _words(ask: Mapping[str, Any], name: str) -> str | None:
    """Several words as a query has them."""
    given = ask.get(name)
    if given is None:
        return None
    if isinstance(given, str) or not all(isinstance(one, str) for one in given) or not given:
        raise InvalidInput(name, "must be a list of words.")
    return ",".join(given)


def _unexpected(told: object) -> Any:
    raise ValueError(f"a stream was asked for, not {type(told).__name__}")
