"""A receiver of webhooks on this machine: notes what comes, answers as it is told."""

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request: its headers by names in lower case, and its body as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


@dataclass
class Receiver:
    """Answers each request with what `status` says; `hold` keeps it from answering until set."""

    origin: str = ""
    status: Callable[[Received], int] = lambda _: 204
    received: list[Received] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"{self.origin}/hook"

    @property
    def cursors(self) -> list[str]:
        """The cursors of the events that came, one by one."""
        return [request.told["data"]["cursor"] for request in self.received]

    @property
    def types(self) -> list[str]:
        return [request.told["type"] for request in self.received]

    def wait_for(self, enough: Callable[[], bool], seconds: float = 30) -> None:
        """Until enough has come; TimeoutError."""
        with self.came:
            if not self.came.wait_for(enough, seconds):
                raise TimeoutError(f"only {len(self.received)} requests came")


@contextlib.contextmanager
def receiving(status: Callable[[Received], int] = lambda _: 204) -> Iterator[Receiver]:
    """A receiver on a free port, until the end of the block."""
    receiver = Receiver(status=status)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(body) < int(self.headers["content-length"]):
                return  # whoever asked was killed before it had said all
            request = Received({k.lower(): v for k, v in self.headers.items()}, body)
            answer = receiver.status(request)
            with receiver.came:
                receiver.received.append(request)
                receiver.came.notify_all()
            with contextlib.suppress(OSError):  # whoever asked may have been killed
                self.send_response(answer)
                if answer in (301, 302, 307, 308):
                    self.send_header("location", f"{receiver.origin}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """Whoever asked may have been killed."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
