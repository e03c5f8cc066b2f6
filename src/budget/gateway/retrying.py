"""Retrying: which failures of an upstream another try may follow, where, and after how long.

Not here: the tries themselves (`passing`), and upstreams that fail for long (`breaking`).
"""

from typing import Final, NamedTuple

from budget.gateway.sending import Answer, Failed

AGAIN: Final = frozenset({502, 503, 504, 529})
"""Errors after which the same upstream is tried once more."""
FAILING: Final = frozenset({500, *AGAIN})
"""Errors that are the upstream's own."""
ELSEWHERE: Final = frozenset({408, 409, 425, 429, *FAILING})
"""Errors after which another upstream is tried."""
WAIT_SECONDS: Final = 0.25
MOST_WAIT_SECONDS: Final = 2.0
"""How long a caller is kept waiting for another try; an upstream that wants longer gets none."""


class May(NamedTuple):
    """What may follow a try that fails: another one at the same upstream, or at another."""

    again: bool
    elsewhere: bool


class Failure(NamedTuple):
    """A try that failed with nothing sent to the caller, and that another should follow.

    `again`: the same upstream may be tried once more, after so long.
    """

    again: bool
    wait_seconds: float = WAIT_SECONDS


def after_error(answer: Answer, may: May) -> Failure | None:
    """The failure that an upstream's error is; None if it is the caller's to know."""
    wait_seconds = _wait_seconds(answer)
    again = answer.status in AGAIN and wait_seconds is not None
    if (may.again and again) or (may.elsewhere and answer.status in ELSEWHERE):
        return Failure(again, wait_seconds or 0.0)
    return None


def after_nothing(error: Failed, may: May) -> Failure | None:
    """The failure that no answer is; None if it is the caller's to know.

    What was too slow is perhaps being written, and billed: another try would cost it again.
    """
    if not error.timed_out and (may.again or may.elsewhere):
        return Failure(again=True)
    return None


def _wait_seconds(answer: Answer) -> float | None:
    """How long the upstream wants to be left alone before another try; None if that is too long."""
    if answer.header("x-should-retry").lower() == "false":
        return None
    for name, parts in (("retry-after-ms", 1000), ("retry-after", 1)):
        text = answer.header(name).strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            seconds = int(text) / parts
            return seconds if seconds <= MOST_WAIT_SECONDS else None
        if text:
            return None  # a date, or nothing that can be read
    return WAIT_SECONDS
