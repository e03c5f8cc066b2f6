"""A proxy before PostgreSQL's socket that cuts a connection after so many bytes, either way."""

import contextlib
import shutil
import socket
import tempfile
import threading
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import Self

SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Open for as long as the test: `url` leads through it to the database of the given one.

    `passed` counts the bytes "to" and "from" the server. `cut` is armed once: the connection on
    which the last of so many bytes passes is closed on both sides, and later ones are left alone.
    """

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        (folder,) = urllib.parse.parse_qs(parts.query)["host"]
        self._upstream = f"{folder}/{SOCKET}"
        self._folder = Path(tempfile.mkdtemp(prefix="budget-proxy-"))
        self.url = parts._replace(query=f"host={urllib.parse.quote(str(self._folder))}").geturl()
        self.passed = {"to": 0, "from": 0}
        self.cuts = 0
        self._left: dict[str, int | None] = {"to": None, "from": None}
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            _close(pair)
        for thread in self._threads:
            thread.join()
        shutil.rmtree(self._folder)

    def cut(self, way: str, after_bytes: int) -> None:
        """Cut the connection on which these bytes will have passed."""
        with self._lock:
            self._left[way] = after_bytes

    def heal(self) -> None:
        """Cut nothing any more."""
        with self._lock:
            self._left = {"to": None, "from": None}

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._upstream)
            pair = (client, server)
            self._pairs.append(pair)
            for way, source, target in (("to", client, server), ("from", server, client)):
                thread = threading.Thread(
                    target=self._pump, args=(way, source, target, pair), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _pump(
        self,
        way: str,
        source: socket.socket,
        target: socket.socket,
        pair: tuple[socket.socket, socket.socket],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                cut = False
                with self._lock:
                    self.passed[way] += len(data)
                    left = self._left[way]
                    if left is not None:
                        cut = left <= len(data)
                        data = data[:left]
                        self._left[way] = None if cut else left - len(data)
                        self.cuts += cut
                target.sendall(data)
                if cut:
                    break
        _close(pair)


def _close(pair: tuple[socket.socket, socket.socket]) -> None:
    """End both sides; whoever still reads wakes up."""
    for end in pair:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
