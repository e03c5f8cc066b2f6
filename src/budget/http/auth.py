"""Authentication: the API key that a request carries, and whose it is.

Not here: what makes a key valid (`engine.keys`), and which route needs which right (`routes`).
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from budget.engine.keys import (
    REMEMBERED_SECONDS,
    Key,
    Keyring,
    Recalled,
    believe,
    read_key,
    unauthorized,
)

BEARER: Final = b"bearer"
MAX_PASSED: Final = 1_000


class Gate:
    """Lets requests with a valid key pass; asks the books for a key once, however many wait.

    `used` is told of each key that passes, about once a second.
    """

    def __init__(self, keyring: Keyring, used: Callable[[str], None] | None = None) -> None:
        self._keyring = keyring
        self._used = used
        self._asking: dict[str, asyncio.Task[Recalled]] = {}
        # Who passed within the last second passes again: hashing once more would prove nothing.
        self._passed: dict[str, tuple[Key, float]] = {}

    async def key_of(self, headers: Mapping[bytes, bytes]) -> Key:
        """The key of a request; Unauthorized, always in the same words, without a valid one."""
        text = carried_key(headers)
        passed = self._passed.get(text)
        if passed is not None and time.monotonic() < passed[1]:
            return passed[0]
        presented = read_key(text)
        if presented is None:
            raise unauthorized()
        recalled = self._keyring.recall(presented.key_id) or await self._ask(presented.key_id)
        now_us = self._keyring.now_us()
        key = believe(presented, recalled.row, now_us)
        if len(self._passed) >= MAX_PASSED:
            self._passed.clear()
        until = recalled.asked_at + REMEMBERED_SECONDS
        expires_us = None if recalled.row is None else recalled.row.expires_us
        if expires_us is not None:
            until = min(until, time.monotonic() + (expires_us - now_us) / 1_000_000)
        self._passed[text] = (key, until)
        if self._used is not None:
            self._used(presented.key_id)
        return key

    async def still_good(self, key: Key) -> bool:
        """Whether a key that passed before would pass now, and may do what it could then."""
        key_id = key.caller.actor
        recalled = self._keyring.recall(key_id) or await self._ask(key_id)
        row = recalled.row
        return (
            row is not None
            and row.is_live(self._keyring.now_us())
            and frozenset(row.scopes.split()) == key.scopes
            and row.bound == key.caller.bound
        )

    async def _ask(self, key_id: str) -> Recalled:
        asking = self._asking.get(key_id)
        if asking is None:
            asking = asyncio.create_task(asyncio.to_thread(self._keyring.ask, key_id))
            self._asking[key_id] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key_id, None))
        return await asyncio.shield(asking)


def carried_key(headers: Mapping[bytes, bytes]) -> str:
    """The key in `Authorization: Bearer` or `X-API-Key`; empty without one, or with two."""
    found = headers.get(b"x-api-key", b"").strip()
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, credentials = authorization.strip().partition(b" ")
        if scheme.lower() == BEARER:
            bearer = credentials.strip()
            found = bearer if found in (b"", bearer) else b""
    return found.decode("latin-1")
