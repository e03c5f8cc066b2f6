"""Outcomes: what came of sending one message. Not here: what follows from it (`outbox`)."""

from typing import Final, Literal, NamedTuple

MAX_ANSWER_CHARS: Final = 300


class Outcome(NamedTuple):
    """`gone`: the receiver wants nothing more, ever. `skipped`: there was nobody to tell.

    `unreachable`: nobody answered at all, so the next message need not be tried now.
    """

    status: Literal["delivered", "failed", "gone", "skipped"]
    answer: str
    unreachable: bool = False
