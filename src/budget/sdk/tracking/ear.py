"""Ear: an HTTP response that is read by somebody else, heard as it comes and when it ends.

It wraps `iter_bytes` and `close` of one response (httpx and its like, sync and async), which every
other way to read a response comes through but the raw one. Not here: what chunks mean.
"""

import json
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from typing import Any, Final

from budget.sdk.tracking.core import Passage

_DONE: Final = b"[DONE]"


class Ear:
    """What was heard of one response: lines of server-sent events, or one JSON text."""

    __slots__ = ("_buffer", "_events", "ended", "error", "passage", "pulling")

    def __init__(self, passage: Passage, *, events: bool) -> None:
        self.passage = passage
        self.pulling = False
        self.ended = False
        self.error: BaseException | None = None
        self._events = events
        self._buffer = bytearray()

    def take(self, piece: bytes) -> None:
        """Hear a piece of the body; pieces end anywhere."""
        self._buffer += piece
        if not self._events or b"\n" not in piece:
            return
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """The body has come to its end."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        if self._events:
            self._line(rest)
        else:
            self._chunk(rest)
        self.ended = True

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            text = line[5:].strip()
            if text.startswith(_DONE):
                self.ended = True
            else:
                self._chunk(text)

    def _chunk(self, text: bytes) -> None:
        try:
            chunk = json.loads(text)
        except ValueError:  # not JSON, or cut in the middle
            return
        self.passage.hear(chunk)


def tap(response: Any, passage: Passage) -> None:
    """Hear this response, and close the passage when it is closed, read to its end, or dropped."""
    kind = str(response.headers.get("content-type", ""))
    ear = Ear(passage, events="json" not in kind.lower())
    if hasattr(response, "stream") and hasattr(response.stream, "__aiter__"):
        _tap_async(response, ear)
    else:
        _tap(response, ear)
    # Nobody read it, or closed it: then it is what was granted that counts.
    weakref.finalize(response, passage.close_later, None, cut=True)


def _tap(response: Any, ear: Ear) -> None:
    iter_bytes, close = response.iter_bytes, response.close

    def heard(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        with closing(iter_bytes(*args, **kwargs)) as pieces:
            while True:
                ear.pulling = True
                try:
                    piece = next(pieces, None)
                except BaseException as error:
                    ear.error = error
                    ear.passage.close(error, cut=True)
                    raise
                finally:
                    ear.pulling = False
                if piece is None:
                    break
                ear.take(piece)
                yield piece
        ear.end()
        ear.passage.close()

    def closed() -> None:
        try:
            close()
        finally:
            if not ear.pulling:  # else it was read to its end, or failed: see above
                ear.passage.close(ear.error, cut=not ear.ended)

    response.iter_bytes, response.close = heard, closed


def _tap_async(response: Any, ear: Ear) -> None:
    aiter_bytes, aclose = response.aiter_bytes, response.aclose

    async def heard(*args: Any, **kwargs: Any) -> AsyncIterator[bytes]:
        async with aclosing(aiter_bytes(*args, **kwargs)) as pieces:
            while True:
                ear.pulling = True
                try:
                    piece = await anext(pieces, None)
                except Exception as error:
                    ear.error = error
                    await ear.passage.close_async(error, cut=True)
                    raise
                except BaseException as error:  # cancelled: nothing may wait here
                    ear.error = error
                    ear.passage.close_later(error, cut=True)
                    raise
                finally:
                    ear.pulling = False
                if piece is None:
                    break
                ear.take(piece)
                yield piece
        ear.end()
        await ear.passage.close_async()

    async def closed() -> None:
        try:
            await aclose()
        finally:
            if not ear.pulling:
                await ear.passage.close_async(ear.error, cut=not ear.ended)

    response.aiter_bytes, response.aclose = heard, closed
