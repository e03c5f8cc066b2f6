"""Frames: a streamed body cut into its events, each with the bytes it came in.

Server-sent events, lines of JSON, and arrays. Nothing is lost or changed: the bytes of all frames,
one after the other, are those that came. Not here: what events mean (the formats).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from budget.gateway.formats.alike import Alike, alike

_decode: Final = msgspec.json.Decoder().decode

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""A longer one is passed on in pieces, unread."""
_MOST_TRIES: Final = 2


class Frame(NamedTuple):
    """One event: its bytes, what its JSON says, and whether it is the word for the end.

    `event` is None where there is no JSON object in it: comments, blank lines, what is broken. With
    a `text` it is several events, each like the one that was named to `expect`: their text joined.
    """

    raw: bytes
    event: dict[str, Any] | None = None
    is_end: bool = False
    text: str | None = None


_DONE: Final = Frame(b"data: [DONE]\n\n", None, True)


class Frames(Protocol):
    """Takes pieces that end anywhere."""

    def feed(self, piece: bytes) -> Iterable[Frame]:
        """The frames that are whole now."""

    def rest(self) -> list[Frame]:
        """What is left when nothing more comes."""

    def expect(self, frame: Frame, text: str) -> None:
        """More may come like this frame, which brings nothing but this text."""


class ServerSentEvents:
    """Events that end with a blank line, whichever ends of line they have."""

    __slots__ = ("_alike", "_buffer", "_tries")

    def __init__(self) -> None:
        self._buffer = b""
        self._alike: Alike | None = None
        self._tries = _MOST_TRIES

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """The events that are whole now; to be looked at one by one, for `expect` between them."""
        buffer = self._buffer + piece if self._buffer else piece
        at = 0
        while at < len(buffer):
            same = self._alike
            if same is not None and not buffer.startswith(same.head, at):
                same = None
            run = None if same is None else same.run(buffer, at)
            if run is not None:
                at += len(run.raw)
                self._tries = _MOST_TRIES
                yield Frame(run.raw, None, False, run.text)
                continue
            end = _end_of_event(buffer, at)
            if not end:
                break
            if same is not None:
                self._alike = None  # this one only begins like them
            raw = buffer[at:end]
            at = end
            yield _event(raw)
        self._buffer = buffer[at:]
        if len(self._buffer) > MAX_FRAME_BYTES:
            left, self._buffer = self._buffer, b""
            yield Frame(left)

    def rest(self) -> list[Frame]:
        """What came after the last blank line."""
        left, self._buffer = self._buffer, b""
        return [_event(left)] if left else []

    def expect(self, frame: Frame, text: str) -> None:
        """More may come like this frame; where none does a few times, that is given up."""
        if self._tries and frame.event is not None:
            self._alike = alike(frame.raw, frame.event, text, _object)
            self._tries -= self._alike is not None


def _end_of_event(buffer: bytes, at: int) -> int:
    """Where the event that begins here ends; 0 if its end has not come."""
    end = buffer.find(b"\n\n", at)
    end = end + 2 if end >= 0 else 0
    if buffer.find(b"\r", at, end or len(buffer)) < 0:  # nearly always
        return end
    for mark in (b"\r\n\r\n", b"\r\r"):
        place = buffer.find(mark, at, end or len(buffer))
        if place >= 0:
            end = place + len(mark)
    return end


def _object(raw: bytes) -> dict[str, Any] | None:
    return _event(raw).event


def _event(raw: bytes) -> Frame:
    at = raw.find(b"\n") + 1 if raw.startswith(b"event: ") else 0
    if raw.startswith(b"data: {", at) and raw.find(b"\n", at) == len(raw) - 2:  # nearly always
        return Frame(raw, object_of(raw[at + 6 :]))
    if raw == _DONE.raw:
        return _DONE
    parts = [line[5:].strip() for line in raw.splitlines() if line.startswith(b"data:")]
    if not parts:
        return Frame(raw)
    text = parts[0] if len(parts) == 1 else b"\n".join(parts)
    if text == b"[DONE]":
        return Frame(raw, None, True)
    return Frame(raw, object_of(text))


class Lines:
    """Lines, each a JSON object."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[Frame]:
        """The lines that are whole now."""
        *lines, self._buffer = (self._buffer + piece).split(b"\n")
        frames = [Frame(line + b"\n", object_of(line)) for line in lines]
        if len(self._buffer) > MAX_FRAME_BYTES:
            frames.append(Frame(self._buffer))
            self._buffer = b""
        return frames

    def rest(self) -> list[Frame]:
        """What came after the last end of line."""
        left, self._buffer = self._buffer, b""
        return [Frame(left, object_of(left))] if left else []

    def expect(self, frame: Frame, text: str) -> None:
        """Each one is read by itself."""


class Array:
    """The objects of one JSON array, each with what stands before it: a bracket or a comma."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> list[Frame]:
        """The objects that are whole now."""
        self._buffer += piece
        frames: list[Frame] = []
        while (end := _end_of_object(self._buffer)) > 0:
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            frames.append(Frame(raw, object_of(raw[raw.index(b"{") :])))
        if len(self._buffer) > MAX_FRAME_BYTES:
            frames.append(Frame(self._buffer))
            self._buffer = b""
        return frames

    def rest(self) -> list[Frame]:
        """What came after the last object: the bracket, mostly."""
        left, self._buffer = self._buffer, b""
        return [Frame(left)] if left else []

    def expect(self, frame: Frame, text: str) -> None:
        """Each one is read by itself."""


_MARKS: Final = re.compile(rb'["{}]')
_IN_STRING: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class Pieces:
    """What is no text: passed on as it comes."""

    __slots__ = ()

    def feed(self, piece: bytes) -> list[Frame]:
        """The piece."""
        return [Frame(piece)]

    def rest(self) -> list[Frame]:
        """Nothing is kept."""
        return []

    def expect(self, frame: Frame, text: str) -> None:
        """Each one is read by itself."""


def _end_of_object(buffer: bytes) -> int:
    """Where the first object ends; 0 if its end has not come."""
    depth = at = 0
    while (found := _MARKS.search(buffer, at)) is not None:
        at = found.end()
        mark = found[0]
        if mark == b'"':
            string = _IN_STRING.match(buffer, at)
            if string is None:
                return 0
            at = string.end()
        elif mark == b"{":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return at
    return 0


def object_of(text: bytes) -> dict[str, Any] | None:
    """The JSON object that a text is; None if it is none."""
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


FRAMES: Final[Mapping[str, Callable[[], Frames]]] = {
    "events": ServerSentEvents,
    "lines": Lines,
    "array": Array,
    "bytes": Pieces,
}
