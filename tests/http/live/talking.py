"""Talking over WebSockets: clients that say frames and hear them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.http.running import Json, Running

HEAR_SECONDS = 20.0


class Talker:
    """A client; what it hears is taken in turn."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, kind: str, topic: str | None = None, **payload: Any) -> None:
        """Send a frame."""
        self.connection.send(json.dumps({"type": kind, "topic": topic, "payload": payload}))

    def hear(self) -> Json:
        """The next frame."""
        told: Json = json.loads(self.connection.recv(timeout=HEAR_SECONDS))
        return told

    def ask(self, kind: str, topic: str | None = None, **payload: Any) -> Json:
        """Send a frame and hear what is answered."""
        self.say(kind, topic, **payload)
        return self.hear()

    def events(self, count: int) -> list[Json]:
        """The next frames, which are all of events."""
        heard = [self.hear() for _ in range(count)]
        assert all("cursor" in told for told in heard), heard
        return heard

    def nothing_before_a_heartbeat(self) -> None:
        """Nothing came, up to now."""
        assert self.ask("heartbeat")["type"] == "heartbeat"

    def closed(self) -> tuple[int, list[Json]]:
        """The code that it is closed with, and what was heard before."""
        heard: list[Json] = []
        try:
            while True:
                heard.append(self.hear())
        except ConnectionClosed as end:
            return (0 if end.rcvd is None else end.rcvd.code), heard


@contextmanager
def talking(
    service: Running, path: str = "/ws", key: str | None = None, **headers: str
) -> Iterator[Talker]:
    """A client with the service's key, another, or (empty) none; headers with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = service.key if key is None else key
    if text:
        named["X-API-Key"] = text
    url = service.url.replace("http://", "ws://") + path
    with connect(
        url, additional_headers=named, open_timeout=20, proxy=None, max_queue=None
    ) as connection:
        yield Talker(connection)


def kinds(frames: list[Json]) -> list[str]:
    """The kinds of events in frames."""
    return [told["payload"]["kind"] for told in frames]


def spend(service: Running, times: int = 1, **attributes: str) -> list[str]:
    """Usage that makes an event each; the ids of the records."""
    return [
        service.post(
            "/usage", {"attributes": attributes, "requests": 1, "input_tokens": 1}
        )["usage_id"]
        for _ in range(times)
    ]  # fmt: skip
