"""Visits: the sessions that cookies name, read once a second each, however many requests wait.

Not here: cookies (`cookies`), and what a session is (`engine.sessions`).
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Self

from budget.domain.answers_sessions import Session
from budget.engine.keys import REMEMBERED_SECONDS
from budget.engine.sessions import read_session, token_hash
from budget.storage.database import Database

MAX_REMEMBERED: Final = 10_000


class Recalled(NamedTuple):
    """What the books said of a token, and when they were asked."""

    asked_at: float
    session: Session | None


class Visits:
    """What the books say about sessions, remembered for a second; ended ones last no longer."""

    def __init__(
        self, read: Callable[[str], Session | None], now_us: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._read = read
        self._now_us = now_us
        self._clock = clock
        self._recalled: dict[str, Recalled] = {}
        self._asking: dict[str, asyncio.Task[Recalled]] = {}

    @classmethod
    def of(cls, database: Database) -> Self:
        """The visits of open books."""
        return cls(lambda hashed: read_session(database, hashed), database.now_us)

    def was_good(self, token: str) -> bool:
        """Whether a token had an open session when it was last asked about, however long ago."""
        recalled = self._recalled.get(token_hash(token))
        return recalled is not None and recalled.session is not None

    def recalls(self, token: str) -> bool:
        """Whether to find the session of a token needs no question to the books."""
        return self._recall(token_hash(token)) is not None

    async def find(self, token: str) -> Session | None:
        """The session of a token, if it is open."""
        hashed = token_hash(token)
        recalled = self._recall(hashed) or await self._ask(hashed)
        session = recalled.session
        return session if session is not None and self._now_us() < session.expires_us else None

    def forget(self, token: str) -> None:
        """Ask anew about a token."""
        self._recalled.pop(token_hash(token), None)

    def _recall(self, hashed: str) -> Recalled | None:
        recalled = self._recalled.get(hashed)
        if recalled is None or self._clock() - recalled.asked_at >= REMEMBERED_SECONDS:
            return None
        return recalled

    async def _ask(self, hashed: str) -> Recalled:
        asking = self._asking.get(hashed)
        if asking is None:
            asking = asyncio.create_task(asyncio.to_thread(self._asked, hashed))
            self._asking[hashed] = asking
            asking.add_done_callback(lambda _: self._asking.pop(hashed, None))
        return await asyncio.shield(asking)

    def _asked(self, hashed: str) -> Recalled:
        asked_at = self._clock()
        recalled = Recalled(asked_at, self._read(hashed))
        if len(self._recalled) >= MAX_REMEMBERED:
            self._recalled.clear()
        self._recalled[hashed] = recalled
        return recalled


def csrf_token(token: str) -> str:
    """What a page of ours sends along to show that it can read our answers."""
    return hmac.new(token.encode(), b"budget csrf", hashlib.sha256).hexdigest()
