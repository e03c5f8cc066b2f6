"""The recorder: what clients sent and what they were told, written down outside the service.

A client writes a line before it sends a request and another when the answer has come, each forced
to the disk. The oracle reads the files, never the memory of those who wrote them, and shares no
code with what is tested.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SYNC = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


class Line(NamedTuple):
    """One line of a client's log.

    `event`: sent, acked (201 or 200), refused (402, 429), unavailable (503, nothing written),
    unknown (no answer, or a 503 that says so) or error (anything else).
    """

    tag: str
    event: str
    act: str
    status: int
    body: dict[str, Any]


class Log:
    """The file of one client, which writes it from one thread."""

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, tag: str, event: str, act: str, status: int, body: dict[str, Any]) -> None:
        """Write a line and wait until it is on the disk."""
        line = json.dumps([tag, event, act, status, body], separators=(",", ":"))
        os.write(self._fd, line.encode() + b"\n")
        SYNC(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class Recorder:
    """The logs in one folder; `read` goes on where it stopped."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._logs: list[Log] = []
        self._read: dict[Path, int] = {}

    def new_log(self) -> Log:
        """A log for one more client."""
        log = Log(self._folder / f"client-{len(self._logs)}.log")
        self._logs.append(log)
        return log

    def read(self) -> Iterator[Line]:
        """The lines that have come since the last time."""
        for file in sorted(self._folder.glob("*.log")):
            with file.open("rb") as lines:
                lines.seek(self._read.get(file, 0))
                for line in lines:
                    yield Line(*json.loads(line))
                self._read[file] = lines.tell()

    def close(self) -> None:
        """Close the logs; their files stay."""
        for log in self._logs:
            log.close()
