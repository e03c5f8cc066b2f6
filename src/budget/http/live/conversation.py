"""Conversations: what is said over one WebSocket, from the handshake to the end.

    client: {"type": "subscription", "topic": "budget_alerts", "payload": {"resume_from": "ent_…"}}
    server: {"type": "alert", "topic": "budget_alerts", "cursor": "ent_…", "payload": {…}}

Not here: which events are told (`hub`), and the words of frames (`frames`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from budget.domain import cursors
from budget.domain.errors import BudgetError, Forbidden, InvalidInput, Unauthorized
from budget.domain.events import TOPICS, kinds_of
from budget.domain.windows import to_rfc3339
from budget.engine.events.asks import parse_filter
from budget.http import problems
from budget.http.door.door import Door, Visitor
from budget.http.live.frames import Frame, error_frame, event_frame, frame, read_frame
from budget.http.live.guests import Live
from budget.http.live.hub import UNREADABLE, Cut, Member
from budget.http.live.origins import may_open
from budget.http.live.protocol import EXTENSION, PING, LiveProtocol
from budget.http.live.sockets import Socket
from budget.http.problems import Reply, TooMany

DEFAULT_TOPIC: Final = "budget_events"
AUDIT: Final = "audit"
WELCOME: Final = "Connected to Budget; events follow as you subscribe."
UNKNOWN: Final = Cut(4401, "unauthorized", "No valid key came within a few seconds.")
TOO_MUCH: Final = Cut(4429, "too_many_messages", "Too many messages, or bad ones, in a second.")

Headers = Mapping[bytes, bytes]


async def converse(
    live: Live, door: Door, socket: Socket, scope: Scope, receive: Receive, send: Send
) -> None:
    """Speak with one client until either ends it."""
    headers = dict(scope["headers"])
    await receive()  # that somebody connects
    try:
        if not may_open(headers, door.settings):
            raise Forbidden("Pages of this origin may not follow events.", code="cross_site")
        visitor = await _visitor_of(door, socket, headers, scope)
        connection: LiveProtocol = scope["extensions"][EXTENSION]
        talk = Conversation(live, door, socket, connection, visitor, headers)
        live.admit(talk)
    except BudgetError as error:
        await refuse(send, problems.reply_to(error))
        return
    try:
        await send({"type": "websocket.accept"})
        await talk.speak(receive)
    finally:
        live.hub.leave(talk.member)
        live.part(talk)


async def refuse(send: Send, reply: Reply) -> None:
    """Answer a handshake as any other request is answered."""
    headers = [*reply.headers, (b"content-type", reply.media_type)]
    await send(
        {"type": "websocket.http.response.start", "status": reply.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": reply.body})


async def _visitor_of(door: Door, socket: Socket, headers: Headers, scope: Scope) -> Visitor | None:
    """Who connects, by key or cookie; None if they say neither: they may still say it."""
    if not {b"authorization", b"x-api-key", b"cookie"} & headers.keys():
        return None
    visitor = await door.admit("GET", headers, scope.get("client"))
    _check_right(visitor, socket)
    return visitor


def _check_right(visitor: Visitor, socket: Socket) -> None:
    if not visitor.key.allows(socket.scope):
        raise Forbidden(f"This key lacks the right `{socket.scope}`.")


class Conversation:
    """One client; open from its handshake to its end."""

    __slots__ = (
        "_bad", "_client", "_connection", "_door", "_host", "_live", "_second", "_socket", "_told",
        "beaten_at", "member", "visitor",
    )  # fmt: skip

    def __init__(
        self,
        live: Live,
        door: Door,
        socket: Socket,
        connection: LiveProtocol,
        visitor: Visitor | None,
        headers: Headers,
    ) -> None:
        self._live = live
        self._door = door
        self._socket = socket
        self._connection = connection
        self._client = connection.client
        # What says who is at the other end, behind a proxy too.
        self._host = {k: v for k, v in headers.items() if k in (b"x-forwarded-for", b"forwarded")}
        self.visitor = visitor
        self.member = Member(self, event_frame, visitor.key.caller.bound if visitor else {})
        self.beaten_at = live.clock()
        connection.heard_at = self.beaten_at
        self._second = 0
        self._told = 0
        self._bad = 0

    # --- As a guest, and as what the hub writes to -----------------------------------------------

    @property
    def heard_at(self) -> float:
        """When anything came from the client."""
        return self._connection.heard_at

    @property
    def waiting_bytes(self) -> int:
        """What was written and is not sent yet."""
        return self._connection.waiting_bytes

    def write(self, frames: bytes) -> None:
        """Send these."""
        self._connection.write(frames)

    async def drained(self) -> None:
        """Return once most of what was written is sent."""
        await self._connection.drained()

    def beat(self, now: float) -> None:
        """Send a heartbeat, and a ping, which clients answer by themselves."""
        self.beaten_at = now
        self.write(PING + self._heartbeat())

    def cut(self, why: Cut, cursor: int | None = None) -> None:
        """Say why and up to where, and close."""
        error = BudgetError(why.detail, code=why.code)
        reached = self._live.hub.reached(self.member) if cursor is None else cursor
        self.write(error_frame(error, self._live.now_us(), reached))
        self._connection.end(why.close_code, why.detail)

    # --- Speaking --------------------------------------------------------------------------------

    async def speak(self, receive: Receive) -> None:
        """Greet, and answer what the client says, until it is gone."""
        if self.visitor is None:
            try:
                async with asyncio.timeout(self._live.limits.authenticate_seconds):
                    if not await self._authenticated(receive):
                        return
            except TimeoutError:
                self.cut(UNKNOWN)
                return
        try:
            await self._greet()
        except BudgetError:  # the books cannot be read now
            self.cut(UNREADABLE)
            return
        while (text := await self._message(receive)) is not None:
            try:
                await self._answer(read_frame(text))
            except BudgetError as error:
                self._complain(error)

    async def _message(self, receive: Receive) -> str | bytes | None:
        """What the client sends next; None once it is gone, or has sent too much in a second."""
        message = await receive()
        if message["type"] != "websocket.receive":
            return None
        second = int(self._live.clock())
        if second != self._second:
            self._second, self._told, self._bad = second, 0, 0
        self._told += 1
        if self._told > self._live.limits.messages_a_second:
            self.cut(TOO_MUCH)
            return None
        text: str | bytes | None = message.get("text")
        return message["bytes"] if text is None else text

    async def _authenticated(self, receive: Receive) -> bool:
        while (text := await self._message(receive)) is not None:
            try:
                told = read_frame(text)
                if told.type != "authentication":
                    raise Unauthorized("First tell your key: a frame of the type authentication.")
            except BudgetError as error:
                self._complain(error)
                continue
            return await self._introduced(told)
        return False

    async def _introduced(self, told: Frame) -> bool:
        """Whether the key that a stranger tells is good and may follow events."""
        headers = {**self._host, b"x-api-key": _key_in(told.payload)}
        try:
            visitor = await self._door.admit("GET", headers, self._client)
            _check_right(visitor, self._socket)
            self._live.recognise(visitor)
        except BudgetError as error:
            self._say("authentication", "authentication", {"success": False, "error": str(error)})
            code = {Forbidden: 4403, TooMany: 4429}.get(type(error), 4401)
            self.cut(Cut(code, error.code, "This key may not follow events here."))
            return False
        self.visitor = visitor
        self.member.bound = visitor.key.caller.bound
        self._say("authentication", "authentication", {"success": True})
        return True

    async def _greet(self) -> None:
        """Say hello, and from which cursor on the events of the path's topic follow."""
        topic = self._socket.topic
        if topic is None:
            self._say("budget_update", DEFAULT_TOPIC, {"message": WELCOME})
            return

        def joined(since: int) -> None:
            cursor = cursors.encode(max(since, 0))
            self._say("budget_update", topic, {"message": WELCOME, "cursor": cursor})

        wanted = parse_filter({"topic": topic}, audited=False)
        await self._live.hub.follow(self.member, wanted, joined=joined)

    async def _answer(self, told: Frame) -> None:
        if told.type == "heartbeat":
            self.write(self._heartbeat())
        elif told.type == "subscription":
            await self._subscribe(told)
        elif told.type == "unsubscription":
            topics = self._topics(told)
            parse_filter({"topics": topics}, audited=True)
            self._live.hub.unfollow(self.member, kinds_of(topics))
            self._say(told.type, topics[0], {"success": True, "topic": topics[0], "topics": topics})
        else:
            await self._authenticate_again(told)

    async def _subscribe(self, told: Frame) -> None:
        ask = dict(told.payload)
        resume = ask.pop("resume_from", None)
        resume_from = None if resume is None else cursors.decode(resume, "payload.resume_from")
        of_kinds = bool({"kind", "kinds"} & ask.keys()) and not {"topic", "topics"} & ask.keys()
        topics = [] if of_kinds else self._topics(told)
        ask = {**ask, "topic": None, "topics": None if of_kinds else topics}
        assert self.visitor is not None
        wanted = parse_filter(ask, audited=self.visitor.key.allows(AUDIT))
        if len(self.member.wishes) >= self._live.limits.subscriptions:
            raise InvalidInput("topic", "is followed too often on this connection.")
        topic = topics[0] if topics else DEFAULT_TOPIC

        def joined(since: int) -> None:
            cursor = cursors.encode(max(since, 0))
            payload = {"success": True, "topic": topic, "topics": topics, "cursor": cursor}
            self._say(told.type, topic, payload)

        await self._live.hub.follow(self.member, wanted, resume_from, joined)

    def _topics(self, told: Frame) -> list[str]:
        """The topics that a frame names: in its payload, else beside it, else that of the path."""
        named = told.payload.get("topics")
        if named is not None:
            if not isinstance(named, list):
                raise InvalidInput("payload.topics", "must be a list.", TOPICS)
            return named
        one = told.payload.get("topic")
        if one is None:
            one = told.topic or self._socket.topic or DEFAULT_TOPIC
        if not isinstance(one, str) or one not in TOPICS:
            raise InvalidInput("topic", f"{str(one)[:80]!r} is not one of those there are.", TOPICS)
        return [one]

    async def _authenticate_again(self, told: Frame) -> None:
        """Who a client is stays as it is; the same key may be told again."""
        headers = {**self._host, b"x-api-key": _key_in(told.payload)}
        visitor = await self._door.admit("GET", headers, self._client)
        assert self.visitor is not None
        if visitor.key.caller.actor != self.visitor.key.caller.actor:
            raise Forbidden("This connection is another key's; open one of its own.")
        self._say("authentication", "authentication", {"success": True})

    # --- What is said ----------------------------------------------------------------------------

    def _say(self, kind: str, topic: str, payload: Mapping[str, Any]) -> None:
        self.write(frame(kind, topic, payload, self._live.now_us()))

    def _heartbeat(self) -> bytes:
        now_us = self._live.now_us()
        payload = {"timestamp": to_rfc3339(now_us)}
        reached = self._live.hub.reached(self.member)
        if reached is not None:
            payload["cursor"] = cursors.encode(max(reached, 0))
        return frame("heartbeat", "heartbeat", payload, now_us)

    def _complain(self, error: BudgetError) -> None:
        """Tell what was wrong; the connection stays, unless that happens too often."""
        self.write(error_frame(error, self._live.now_us()))
        self._bad += 1
        if self._bad > self._live.limits.bad_a_second:
            self.cut(TOO_MUCH)


def _key_in(payload: Mapping[str, Any]) -> bytes:
    key = payload.get("api_key")
    if not isinstance(key, str):
        raise InvalidInput("payload.api_key", "is required: your key, as a string.")
    return key.encode("latin-1", "replace")
