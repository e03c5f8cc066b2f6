"""A server on this machine that answers GET with what a function says, for fakes of JSON APIs.

Not here: what each API answers (`litellm_proxy`, `openai_admin` and their like).
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """One request: its path, the values of its query, its headers in lower case."""

    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    def number(self, name: str, otherwise: int) -> int:
        """A number of the query."""
        return int(self.query.get(name, [str(otherwise)])[0])


Answer = Callable[[Asked], tuple[int, Any]]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of a server that answers so: a status and what is sent as JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = answer(Asked(found.path, parse_qs(found.query), headers))
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
