"""Clients of the service: each in its thread, on its connection, with its log, until told to stop.

A request whose answer does not come is sent again with the same key until one does, as every client
of the ledger should. Written on the standard library alone: it shares nothing with the service.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.recorder import Log, Recorder

ANSWER_SECONDS = 15.0


class Request(NamedTuple):
    """One request: its tag is its key, or the id it chooses, or both."""

    tag: str
    act: str
    path: str
    body: dict[str, Any]
    keyed: bool = True


class Reply(NamedTuple):
    """An answer: its status and JSON body."""

    status: int
    body: dict[str, Any]


Script = Generator[Request, Reply, None]


@dataclass
class Door:
    """Where the services are and whether clients may send; shared by all of them."""

    ports: Sequence[int]
    key: str
    open: threading.Event = field(default_factory=threading.Event)
    session: str = "s0"


@dataclass
class Answered:
    """When a request was sent, when it was answered or given up, and with what (0: nothing)."""

    sent_at: float
    done_at: float
    status: int


class Client(threading.Thread):
    """One client, playing scripts one after the other."""

    def __init__(self, number: int, door: Door, log: Log, seed: int) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.answers: list[Answered] = []
        self.failure: BaseException | None = None
        self._number = number
        self._door = door
        self._log = log
        self._rng = random.Random(f"{seed}-{number}")
        self._leaving = threading.Event()
        self._given_up = threading.Event()
        self._connections: dict[int, http.client.HTTPConnection] = {}
        self._port = door.ports[number % len(door.ports)]

    def leave(self) -> None:
        """Finish what is begun, then end."""
        self._leaving.set()

    def give_up(self) -> None:
        """End without an answer to what is begun."""
        self._leaving.set()
        self._given_up.set()

    def run(self) -> None:
        """Play scripts until told to leave."""
        n = 0
        try:
            while not self._leaving.is_set():
                self._play(a_call(self._rng, f"c{self._number}-{n}", self._door.session))
                n += 1
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.failure = error
        for connection in self._connections.values():
            connection.close()

    def _play(self, script: Script) -> None:
        request = next(script)
        while True:
            reply = self._insist(request)
            if self._leaving.is_set():
                return
            try:
                request = script.send(reply)
            except StopIteration:
                return

    def _insist(self, request: Request) -> Reply:
        """Send until the service says what has become of it."""
        body = json.dumps(request.body).encode()
        headers = {"Authorization": f"Bearer {self._door.key}", "Content-Type": "application/json"}
        if request.keyed:
            headers["Idempotency-Key"] = request.tag
        self._log.write(request.tag, "sent", request.act, 0, {})
        while True:
            self._door.open.wait()
            if self._given_up.is_set():
                return Reply(0, {})
            reply = self._send(request, body, headers)
            if reply is None:
                continue
            event = _event(reply)
            self._log.write(request.tag, event, request.act, reply.status, _told(request, reply))
            if reply.status != 503:
                return reply
            time.sleep(0.05)

    def _send(self, request: Request, body: bytes, headers: dict[str, str]) -> Reply | None:
        """One attempt; None when no answer came. The next one tries another service."""
        connection = self._connect()
        if connection is None:
            return None
        sent_at = time.monotonic()
        try:
            connection.request("POST", f"/api/v1{request.path}", body, headers)
            response = connection.getresponse()
            reply = Reply(response.status, json.loads(response.read()))
            if reply.status == 503 and not response.getheader("Retry-After"):
                raise AssertionError(f"a 503 without Retry-After: {reply.body}")
        except (OSError, http.client.HTTPException) as error:
            self.answers.append(Answered(sent_at, time.monotonic(), 0))
            self._log.write(request.tag, "unknown", request.act, 0, {"error": repr(error)})
            connection.close()
            self._try_another()
            return None
        self.answers.append(Answered(sent_at, time.monotonic(), reply.status))
        return reply

    def _connect(self) -> http.client.HTTPConnection | None:
        """A connection; None, after a moment, where nobody listens: nothing was sent then."""
        connection = self._connections.get(self._port)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, ANSWER_SECONDS)
            self._connections[self._port] = connection
        if connection.sock is None:
            try:
                connection.connect()
            except OSError:
                connection.close()
                self._try_another()
                time.sleep(0.01)
                return None
        return connection

    def _try_another(self) -> None:
        ports = self._door.ports
        self._port = ports[(ports.index(self._port) + 1) % len(ports)]


class Crowd:
    """Several clients."""

    def __init__(self, size: int, door: Door, recorder: Recorder, *, seed: int) -> None:
        self.clients = [Client(n, door, recorder.new_log(), seed) for n in range(size)]
        self._door = door
        for client in self.clients:
            client.start()

    def leave(self) -> list[Answered]:
        """Let all finish what they have begun; every answer they got."""
        for client in self.clients:
            client.leave()
        self._door.open.set()
        for client in self.clients:
            client.join(60)
        self._look_for_failures()
        return [answer for client in self.clients for answer in client.answers]

    def give_up(self) -> None:
        """Let all end as they are: the test has failed."""
        for client in self.clients:
            client.give_up()
        self._door.open.set()
        for client in self.clients:
            client.join(60)

    def _look_for_failures(self) -> None:
        failures = [client.failure for client in self.clients if client.failure is not None]
        if failures:
            raise failures[0]
        stuck = [client.name for client in self.clients if client.is_alive()]
        if stuck:
            raise TimeoutError(f"{stuck} still wait for an answer")


# --- What clients do -----------------------------------------------------------------------------


def a_call(rng: random.Random, tag: str, session: str) -> Script:
    """One call of a model, or an agent run: hold; then settle, record, release or nothing."""
    if rng.random() < 0.1:
        yield from _agent_run(rng, tag, session)
        return
    placed = yield _place(rng, tag, _attributes(rng, session))
    if placed.status != 201:
        return
    yield from _use(rng, tag, placed)


def _agent_run(rng: random.Random, tag: str, session: str) -> Script:
    attributes = _attributes(rng, session)
    envelope = yield Request(
        tag, "place", "/allocations",
        {"attributes": attributes, "envelope": True, "usd": "0.004", "tokens": 1000, "requests": 4,
         "metadata": {"tag": tag}},
    )  # fmt: skip
    if envelope.status != 201:
        return
    parent_id = envelope.body["allocation_id"]
    for n in range(2):
        child = _place(rng, f"{tag}.{n}", {})
        placed = yield child._replace(body={**child.body, "parent_id": parent_id})
        if placed.status == 201:
            yield from _use(rng, f"{tag}.{n}", placed)
    yield Request(f"{tag}/released", "released", f"/allocations/{parent_id}/release", {})


def _attributes(rng: random.Random, session: str) -> dict[str, str]:
    return {
        "org": "acme", "team": f"t{rng.randrange(2)}", "user": f"u{rng.randrange(3)}",
        "session": session,
    }  # fmt: skip


def _place(rng: random.Random, tag: str, attributes: dict[str, str]) -> Request:
    """A hold for a call of gpt-4o: at most 400 tokens in all."""
    body: dict[str, Any] = {
        "attributes": attributes, "provider": "openai", "model": "gpt-4o",
        "input_tokens": rng.randint(10, 100), "max_output_tokens": rng.randint(10, 100),
        "metadata": {"tag": tag},
    }  # fmt: skip
    how = rng.randrange(3)
    if how:
        body["allocation_id"] = f"a.{tag}"
    return Request(tag, "place", "/allocations", body, keyed=how != 1)


def _use(rng: random.Random, tag: str, placed: Reply) -> Script:
    """Usage within the hold, in one record or two; or a release; or nothing, as after a crash."""
    allocation_id = placed.body["allocation_id"]
    draw = rng.random()
    if draw < 0.10:
        return
    if draw < 0.25:
        yield Request(f"{tag}/released", "released", f"/allocations/{allocation_id}/release", {})
        return
    if draw < 0.40:
        yield _record(rng, f"{tag}-1", allocation_id, 0, placed, final=False)
    yield _record(rng, f"{tag}-2", allocation_id, rng.randint(1, 10), placed, final=True)


def _record(
    rng: random.Random,
    tag: str,
    allocation_id: str,
    input_tokens: int,
    placed: Reply,
    *,
    final: bool,
) -> Request:
    granted = placed.body["granted_output_tokens"]
    body: dict[str, Any] = {
        "input_tokens": input_tokens, "output_tokens": rng.randint(0, granted // 2), "final": final,
        "metadata": {"tag": tag},
    }  # fmt: skip
    how = rng.randrange(3)
    if how:
        body["usage_id"] = f"u.{tag}"
    return Request(tag, "record", f"/allocations/{allocation_id}/usage", body, keyed=how != 1)


# --- What is written down of an answer -----------------------------------------------------------


def _event(reply: Reply) -> str:
    if reply.status in (200, 201):
        return "acked"
    if reply.status in (402, 429):
        return "refused"
    if reply.status == 503:
        return "unknown" if reply.body.get("code") == "outcome_unknown" else "unavailable"
    return "error"


def _told(request: Request, reply: Reply) -> dict[str, Any]:
    """What an answer promises: the id, and the figures that must then lie in the books."""
    body = reply.body
    if reply.status not in (200, 201):
        return {"code": body.get("code"), "detail": body.get("detail")}
    if request.act == "record":
        sent = request.body
        figures = [sent["input_tokens"], sent["output_tokens"], _nanos(body["cost"])]
        return {"id": body["usage_id"], "figures": figures}
    if request.act == "released":
        return {"id": body["allocation_id"]}
    return {"id": body["allocation_id"], "figures": [_nanos(body["reserved"]["usd"])]}


def _nanos(usd: str | None) -> int | None:
    """Nano-USD of a decimal string."""
    if usd is None:
        return None
    whole, _, part = usd.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0"))
