"""Streams: events as server-sent events, for whoever would rather read than speak.

    id: ent_…
    event: alert
    data: {"type": "alert", "topic": "budget_alerts", "cursor": "ent_…", "payload": {…}}

Not here: which events are told (`hub`), and WebSockets (`conversation`).
"""

import asyncio
from typing import Final

from starlette.types import Receive, Send

from budget.domain import cursors
from budget.domain.errors import BudgetError
from budget.domain.events import Filter
from budget.engine.events.asks import parse_filter
from budget.http import bodies
from budget.http.calls import Call
from budget.http.door.door import Visitor
from budget.http.live.frames import event_of_stream
from budget.http.live.guests import Live
from budget.http.live.hub import UNREADABLE, Cut, Member
from budget.http.problems import Reply

MEDIA_TYPE: Final = b"text/event-stream"
BEAT: Final = b": heartbeat\n\n"
AUDIT: Final = "audit"
RETRY: Final = b"retry: 1000\n\n"
DRAINED_BYTES: Final = 64 * 1024
HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))


async def stream(call: Call) -> Reply:
    """Follow events as they happen, as server-sent events; `Last-Event-ID` resumes after one."""
    visitor, live = call.carried.visitor, call.service.live
    assert visitor is not None
    query = dict(call.query)
    resume = query.pop("resume_from", None)
    last = call.carried.headers.get(b"last-event-id")
    if last:
        resume = last.decode("latin-1")
    resume_from = None if resume is None else cursors.decode(resume, "resume_from")
    for name in ("topics", "kinds"):
        if name in query:
            query[name] = [one.strip() for one in query[name].split(",")]
    wanted = parse_filter(query, audited=visitor.key.allows(AUDIT))
    out = _Stream(live, visitor)

    async def run(send: Send, receive: Receive) -> None:
        await out.run(send, receive, wanted, resume_from)

    live.admit(out)
    return Reply(200, b"", MEDIA_TYPE, HEADERS, run)


class _Stream:
    """One reader; open until it is gone or cut off."""

    heard_at = None

    def __init__(self, live: Live, visitor: Visitor) -> None:
        self._live = live
        self.visitor: Visitor | None = visitor
        self.member = Member(self, event_of_stream, visitor.key.caller.bound)
        self.beaten_at = live.clock()
        self._parts: list[bytes] = [RETRY]
        self._written = asyncio.Event()
        self._sent = asyncio.Event()
        self._ended = False
        self.waiting_bytes = 0

    def write(self, frames: bytes) -> None:
        """Send these, soon."""
        if not self._ended:
            self._parts.append(frames)
            self.waiting_bytes += len(frames)
            self._written.set()

    async def drained(self) -> None:
        """Return once most of what was written is sent."""
        while self.waiting_bytes > DRAINED_BYTES and not self._ended:
            self._sent.clear()
            await self._sent.wait()

    def beat(self, now: float) -> None:
        """Send a comment, which readers skip."""
        self.beaten_at = now
        self.write(BEAT)

    def cut(self, why: Cut, cursor: int | None = None) -> None:
        """Say why, and end."""
        del cursor  # a reader knows its last, and resumes from that by itself
        told = bodies.encode({"error": why.detail, "code": why.code})
        self.write(b"event: error\ndata: %b\n\n" % told)
        self._end()

    async def run(
        self, send: Send, receive: Receive, wanted: Filter, resume_from: int | None
    ) -> None:
        """Send what is written, until the reader is gone or cut off."""
        watching = asyncio.create_task(self._watch(receive))
        # Readers connect anew by themselves, and then to whichever node there is.
        most = asyncio.get_running_loop().call_later(self._live.limits.stream_seconds, self._end)
        try:
            await self._follow(wanted, resume_from)
            while not self._ended or self._parts:
                await self._written.wait()
                self._written.clear()
                await self._send_on(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watching.cancel()
            most.cancel()
            self._end()
            self._live.hub.leave(self.member)
            self._live.part(self)

    async def _follow(self, wanted: Filter, resume_from: int | None) -> None:
        try:
            await self._live.hub.follow(self.member, wanted, resume_from, self._joined)
        except BudgetError:  # the books cannot be read now
            self.cut(UNREADABLE)

    async def _send_on(self, send: Send) -> None:
        while self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self.waiting_bytes = sum(map(len, self._parts))
            self._sent.set()

    def _joined(self, since: int) -> None:
        """A reader that hears nothing yet knows from where to go on."""
        self.write(b"id: %b\n\n" % cursors.encode(max(since, 0)).encode())

    def _end(self) -> None:
        self._ended = True
        self._written.set()
        self._sent.set()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._parts.clear()
        self._end()
