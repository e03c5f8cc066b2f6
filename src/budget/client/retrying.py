"""Retrying: how long a call may take, when it is sent again, and what is said when it is not.

A request is sent again if nobody saw it, or if sending it twice does what sending it once does: it
only reads, or it carries an idempotency key.
"""

import os
import random
import time
from dataclasses import dataclass
from typing import Any, Final

from budget.client.judging import Answer
from budget.client.mistakes import unanswered, unknown, unreached
from budget.client.request import Request
from budget.client.sending import DEFAULT_URL, Address, Sent, address
from budget.domain.errors import InvalidInput, OutcomeUnknown, Unavailable

TIMEOUT_SECONDS: Final = 10.0
PATIENT_SECONDS: Final = 3600.0
RETRIES: Final = 3
FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 2.0

_chance: Final = random.Random()  # noqa: S311 - no secret; programs may seed the common one
_BUSY: Final = (429, 502, 503, 504)
_FOREIGN_BUSY: Final = (502, 504)
"""What only a machine before the service says: whether the service saw the request it knows not."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Which service, how long a call may take with its retries, and how many those may be."""

    address: Address
    timeout_seconds: float = TIMEOUT_SECONDS
    retries: int = RETRIES


def terms(url: str | None, key: str | None, timeout_seconds: float, retries: int) -> Terms:
    """The terms of a client; the environment says what is not given. InvalidInput."""
    if not 0 < timeout_seconds <= PATIENT_SECONDS:
        raise InvalidInput("timeout_seconds", f"must be more than 0, at most {PATIENT_SECONDS:g}.")
    if not 0 <= retries <= 100:
        raise InvalidInput("retries", "must be 0 to 100.")
    at = url or os.environ.get("BUDGET_TARGET") or DEFAULT_URL
    known = key or os.environ.get("BUDGET_KEY") or None
    fields = ("url" if url else "BUDGET_TARGET", "key" if key else "BUDGET_KEY")
    return Terms(address(at, known, fields), timeout_seconds, retries)


class Unreached(Exception):
    """No connection: the service has seen nothing."""


class Lost(Exception):
    """The connection broke, or time ran out: the service may have seen the request, or not."""


class Tries:
    """One call: the attempts that it has made, and the time that it has left."""

    def __init__(self, request: Request[Any], sent: Sent, terms: Terms) -> None:
        self.url = terms.address.url
        self._safe = request.safe
        self._key = sent.key
        self._left = terms.retries
        self._made = 0
        self._unsure = False
        seconds = terms.timeout_seconds
        self._seconds = max(seconds, PATIENT_SECONDS) if request.patient else seconds
        self._until = time.monotonic() + self._seconds
        self._attempt_until = 0.0

    @property
    def seconds(self) -> float:
        """How long the next attempt may take: all that is left; half of it for an act that can be
        sent again, since most answers to those that take so long were lost.
        """
        now = time.monotonic()
        left = max(0.001, self._until - now)
        seconds = left / 2 if self._key is not None and self._left else left
        self._attempt_until = now + seconds
        return seconds

    @property
    def over(self) -> bool:
        """Whether the time of this attempt is over."""
        return time.monotonic() >= self._attempt_until

    def after(self, failure: Unreached | Lost) -> float:
        """Seconds until the next attempt; what is raised when there is none."""
        self._unsure = self._unsure or (isinstance(failure, Lost) and not self._safe)
        wait = self._wait(None) if isinstance(failure, Unreached) or self._twice else None
        if wait is not None:
            return wait
        if self._unsure:
            raise self._unknown(str(failure)) from None
        if isinstance(failure, Unreached):
            raise Unavailable(unreached(self.url, str(failure)), code="unreachable") from None
        detail = unanswered(self.url, str(failure), self._seconds)
        raise Unavailable(detail, code="no_answer") from None

    def again(self, answer: Answer) -> float | None:
        """Seconds until the next attempt; None: this is the answer. OutcomeUnknown."""
        if answer.status not in _BUSY or answer.refuses:
            return None
        if not self._safe and (answer.status in _FOREIGN_BUSY or answer.unsure):
            self._unsure = True
        wait = self._wait(answer.retry_after_seconds) if self._twice else None
        if wait is None and self._unsure:
            raise self._unknown(f"it answered {answer.status}")
        return wait

    @property
    def _twice(self) -> bool:
        """Whether it may be sent again though it was seen."""
        return self._safe or self._key is not None

    def _wait(self, least_seconds: float | None) -> float | None:
        """Seconds to wait, so that many who fail at once do not come again at once."""
        if not self._left:
            return None
        longest: float = min(FIRST_WAIT_SECONDS * 2**self._made, LONGEST_WAIT_SECONDS)
        by_chance = _chance.uniform(longest / 2, longest)
        wait = max(by_chance, least_seconds or 0.0)
        if time.monotonic() + wait >= self._until:
            return None
        self._left -= 1
        self._made += 1
        return wait

    def _unknown(self, why: str) -> OutcomeUnknown:
        if self._key is None:
            how = "Look whether it was done before you send it again."
        else:
            how = f"Send it again with idempotency_key={self._key!r} to learn it."
        return OutcomeUnknown(unknown(self.url, why, how))
