"""Speaking: speech that a caller wants as sound, and that is asked for in events, because these
alone tell what it used.

    {"type": "speech.audio.delta", "audio": "SUQz..."}  {"type": "speech.audio.done", "usage": ...}

An upstream that sends sound all the same is passed on as it is. Source: OpenAI's API reference, by
which `tts-1` cannot do so. Not here: what is held for speech (`openai_media`).
"""

import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from budget.gateway.formats.format import Asked, Body
from budget.gateway.formats.frames import Frame, ServerSentEvents
from budget.gateway.sending import Failed

Header = tuple[bytes, bytes]

_TELLING: Final = "gpt-4o-mini-tts"
"""How the names of models begin that speak in events."""
_KINDS: Final[Mapping[str, bytes]] = {
    "aac": b"audio/aac", "flac": b"audio/flac", "opus": b"audio/opus", "pcm": b"audio/pcm",
    "wav": b"audio/wav",
}  # fmt: skip
_USUAL: Final = b"audio/mpeg"


def spoken(asked: Asked, body: Body) -> Asked:
    """Speech, as what it is asked for: in events for who wants these, or where only they tell."""
    if body.get("stream_format") == "sse":
        return asked._replace(streams=True)
    tells = (asked.model or "").startswith(_TELLING)
    return asked._replace(streams=True, framing="spoken" if tells else "bytes")


def as_it_comes(
    asked: Asked, body: Body | None, headers: tuple[Header, ...]
) -> tuple[Asked, tuple[Header, ...]]:
    """What is to be read, and the headers for the caller, now that the answer's are here."""
    if asked.framing != "spoken":
        return asked, headers
    kinds = [value for name, value in headers if name.lower() == b"content-type"]
    if not any(b"text/event-stream" in kind.lower() for kind in kinds):
        return asked._replace(framing="bytes"), headers
    wanted = _KINDS.get(str((body or {}).get("response_format")), _USUAL)
    others = (pair for pair in headers if pair[0].lower() != b"content-type")
    return asked, (*others, (b"content-type", wanted))


class Speech:
    """Events whose bytes are the sound in them."""

    __slots__ = ("_events",)

    def __init__(self) -> None:
        self._events = ServerSentEvents()

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """The events that are whole now. Failed for one that tells of an error, or has no sound."""
        return map(_sound_of, self._events.feed(piece))

    def rest(self) -> Iterable[Frame]:
        """What was not whole: its end, perhaps, but no sound."""
        return [frame._replace(raw=b"") for frame in self._events.rest()]

    def expect(self, frame: Frame, text: str) -> None:
        """Each one is read by itself."""


def _sound_of(frame: Frame) -> Frame:
    event = frame.event
    if event is None:
        return frame._replace(raw=b"")
    if event.get("error") is not None or event.get("type") == "error":
        raise Failed("reading", "the upstream broke off (it tells of an error)")
    sound = event.get("audio")
    if not isinstance(sound, str):
        return frame._replace(raw=b"")
    try:
        return Frame(binascii.a2b_base64(sound, strict_mode=True))
    except ValueError as error:
        raise Failed("reading", "the upstream broke off (what it says is no sound)") from error
