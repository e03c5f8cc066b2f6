"""Hearing: an answer that comes as a stream: what its events tell, count, and pass on.

Not here: where it comes from and goes to, and when it is cut (`attempt`).
"""

from budget.domain.responses import Stream
from budget.domain.responses.words import texts_of
from budget.gateway.formats.format import Asked, Format, Target
from budget.gateway.formats.frames import FRAMES, Frame
from budget.gateway.formats.speaking import Speech
from budget.gateway.metering import Meter


class Hearing:
    """Takes the pieces of one answer; tells the figures to `told` and the texts to `meter`.

    `ended`: what ends the answer has come. That is kept back, with all behind it: the books come
    first.
    """

    __slots__ = (
        "_asked", "_format", "_frames", "_tail", "_target", "ended", "meter", "told", "transcript",
    )  # fmt: skip

    def __init__(
        self, spoken: Format, target: Target, asked: Asked, told: Stream, meter: Meter
    ) -> None:
        self._format = spoken
        self._target = target
        self._asked = asked
        self._frames = Speech() if asked.framing == "spoken" else FRAMES[asked.framing]()
        self._tail: list[bytes] = []
        self.told = told
        self.meter = meter
        self.transcript = spoken.transcript(asked)
        self.ended = False

    def take(self, piece: bytes) -> bytes:
        """Hear a piece; what of it goes on to a caller who wants the answer as it comes."""
        out: list[bytes] = []
        passes = self._asked.streams
        frames, transcript, plain = self._frames, self.transcript, self._format.plain
        for frame in frames.feed(piece):
            event, text = frame.event, frame.text
            if text is not None:
                transcript.say(text)
            elif event is not None:
                text = plain(transcript, event)
                if text is not None and self._format.plain_tells:
                    self.told.take(event)
                elif text is not None:
                    frames.expect(frame, text)
            if text is not None:
                self.meter.hear_text(text)
            elif self._heard(frame):
                continue
            if passes:
                (self._tail if self.ended else out).append(frame.raw)
        return out[0] if len(out) == 1 else b"".join(out)

    def rest(self) -> bytes:
        """Nothing more comes: the end of the answer."""
        for frame in self._frames.rest():
            self._heard(frame)
            self._tail.append(frame.raw)
        return b"".join(self._tail)

    def _heard(self, frame: Frame) -> bool:
        """Hear an event that is more than text; whether it is hidden from the caller."""
        event = frame.event
        if event is None:
            self.ended = self.ended or frame.is_end
            return False
        self.meter.hear(texts_of(event))
        self.transcript.take(event)
        if not self._format.tells(event):
            return False
        self.told.take(event)
        self.ended = self.ended or self._format.is_last(event)
        return self._format.is_hidden(self._target, event)
