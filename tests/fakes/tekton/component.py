"""A component: a server on this machine that answers in JSON, and fails as it is told.

Not here: what each component answers (a file for each).
"""

import contextlib
import http.server
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request: its path without the query, headers by names in lower case, JSON of the body."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    raw: bytes


Told = tuple[int, Any]
"""The status and the JSON of an answer; bytes go out as they are."""

Answer = Callable[[Asked], Told]

GARBAGE: Final[Answer] = lambda _: (200, b"<html>not JSON")  # noqa: E731
BROKEN: Final[Answer] = lambda _: (500, {"detail": "Internal Server Error"})  # noqa: E731


@dataclass
class Component:
    """One that runs. `fault` answers in its place while it is set; `hold` keeps every answer back
    until it is set; `cut` breaks the connection amid each answer.
    """

    answer: Answer
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    fault: Answer | None = None
    cut: bool = False
    hold: threading.Event | None = None
    came: threading.Condition = field(default_factory=threading.Condition)
    _server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self, method: str) -> list[str]:
        """The paths that were asked with a method, in order."""
        with self.came:
            return [one.path for one in self.asked if one.method == method]

    def wait_for(self, enough: Callable[[], bool], seconds: float = 30) -> None:
        """Until enough was asked; TimeoutError."""
        with self.came:
            if not self.came.wait_for(enough, seconds):
                raise TimeoutError(f"only {[(one.method, one.path) for one in self.asked]}")

    def start(self) -> None:
        """Listen, on the port that it had before if there is one."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening, as when it is killed; connections that are open are cut."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextlib.contextmanager
def running(component: Component) -> Iterator[Component]:
    """A component that runs until the end of the block."""
    component.start()
    try:
        yield component
    finally:
        if component.hold is not None:
            component.hold.set()
        component.stop()


def _handler(component: Component) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 30

        def _take(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            at = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(
                self.command, at.path, dict(parse_qsl(at.query)), headers, _json(raw), raw
            )
            with component.came:
                component.asked.append(asked)
                component.came.notify_all()
            if component.hold is not None:
                component.hold.wait(30)
            if component._server is None:
                self.close_connection = True
                return
            status, told = (component.fault or component.answer)(asked)
            with contextlib.suppress(ConnectionError):  # who asked may be gone by now
                self._tell(status, told if isinstance(told, bytes) else json.dumps(told).encode())

        def _tell(self, status: int, body: bytes) -> None:
            self.send_response(status)
            streams = body.startswith(b"data: ")
            kind = "text/event-stream" if streams else "application/json"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body) + component.cut))
            self.end_headers()
            self.wfile.write(body)
            if component.cut:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _take

        def log_message(self, *_: Any) -> None:
            return

    return Handler


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
