"""Alike: events that are byte for byte like one before them, but for the text that they bring.

Nearly all events of a streamed answer are. Those that follow one another are read all at once, in
a tenth of the time that it takes to read each one's JSON. Not here: all other events (`frames`).
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from budget.domain.responses.words import texts_of
from budget.gateway.formats.format import Body

_PADDING: Final = "obfuscation"
"""A text that means nothing, of another length in every event: OpenAI hides so how long words are.
"""
_MOST_AT_ONCE: Final = 256
_read: Final = msgspec.json.Decoder(list[str]).decode


class Run(NamedTuple):
    """Events that follow one another: their bytes, and their texts joined."""

    raw: bytes
    text: str


class Alike(NamedTuple):
    """What such events have before their text, between that and the padding, and at the end.

    Quotes around the texts are part of it. `inner` is empty where there is no padding.
    """

    head: bytes
    inner: bytes
    tail: bytes

    def run(self, buffer: bytes, at: int) -> Run | None:
        """The events like these that are whole in the buffer, from here on; None without any."""
        head, inner, tail = self
        first = at + len(head)
        end = buffer.find(tail, first)
        if end < 0:
            return None
        parts = [buffer[first:end]]
        if buffer.startswith(head, end + len(tail)):
            parts = _parts(buffer[first:].split(tail + head, _MOST_AT_ONCE), tail)
        while parts:
            text = _read_at_once(parts, inner)
            if text is not None:
                size = len(parts) * (len(head) + len(tail)) + sum(map(len, parts))
                return Run(buffer[at : at + size], text)
            parts = parts[: len(parts) // 2]  # one of them only looks like the others
        return None


def _parts(found: list[bytes], tail: bytes) -> list[bytes]:
    """What varies in each of the events, of what was found between one head and the next."""
    for number, part in enumerate(found):
        if b"\n" in part:  # something else stands between, or behind the last one
            end = part.find(tail)
            return found[:number] if end < 0 else [*found[:number], part[:end]]
    return found[:-1]


def _read_at_once(parts: list[bytes], inner: bytes) -> str | None:
    """The texts of events, by what varies in each; None if one is not what it seems.

    They are read as a list. If that has as many texts as there should be, none of them has a quote
    of its own in it.
    """
    varying = b'","'.join(parts)
    if inner:
        varying = varying.replace(inner, b'","')
    try:
        texts = _read(b'["' + varying + b'"]')
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if len(texts) != len(parts) * (2 if inner else 1):
        return None
    return "".join(texts[::2] if inner else texts)


def alike(raw: bytes, event: Body, text: str, read: Callable[[bytes], Body | None]) -> Alike | None:
    """Events like this one, but for its text; None where the place of that cannot be told.

    `read` reads the bytes of an event: it is asked whether another text in that place is the text
    of the event.
    """
    padding = event.get(_PADDING, "")
    head, rest = _around(raw, text)
    inner, tail = _around(rest, padding) if padding else (b"", rest)
    if not head or not tail:
        return None
    probe = read(head + b"?" + text.encode() + inner + b"?" * bool(padding) + tail)
    if probe is None or texts_of(probe) != ["?" + text]:
        return None
    same = probe.get(_PADDING, "") == ("?" if padding else "")
    return Alike(head, inner, tail) if same else None


def _around(raw: bytes, text: object) -> tuple[bytes, bytes]:
    """What stands before and behind a text, with its quotes; nothing if it is not there once."""
    quoted = f'"{text}"'.encode("utf-8", "replace")
    before, found, behind = raw.partition(quoted)
    return (before + b'"', b'"' + behind) if found and quoted not in behind else (b"", b"")
