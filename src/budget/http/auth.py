"""Authentication: the API key that a request carries, and whose it is.

Not here: what makes a key valid (`engine.keys`), and which route needs which right (`routes`).
"""

import asyncio
from collections.abc import Iterable

from budget.engine.keys import Key, Keyring, Recalled, believe, read_key, unauthorized

BEARER = b"bearer"


class Gate:
    """Lets requests with a valid key pass; asks the books for a key once, however many wait."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._asking: dict[str, asyncio.Task[Recalled]] = {}

    async def key_of(self, headers: Iterable[tuple[bytes, bytes]]) -> Key:
        """The key of a request; Unauthorized, always in the same words, without a valid one."""
        presented = read_key(carried_key(headers))
        if presented is None:
            raise unauthorized()
        recalled = self._keyring.recall(presented.key_id) or await self._ask(presented.key_id)
        return believe(presented, recalled.row)

    async def _ask(self, key_id: str) -> Recalled:
        asking = self._asking.get(key_id)
        if asking is None:
            asking = asyncio.create_task(asyncio.to_thread(self._keyring.ask, key_id))
            self._asking[key_id] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key_id, None))
        return await asyncio.shield(asking)


def carried_key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key in `Authorization: Bearer` or `X-API-Key`; empty without one, or with two."""
    found: set[bytes] = set()
    for name, value in headers:
        if name == b"x-api-key":
            found.add(value.strip())
        elif name == b"authorization":
            scheme, _, credentials = value.strip().partition(b" ")
            if scheme.lower() == BEARER:
                found.add(credentials.strip())
    return found.pop().decode("latin-1") if len(found) == 1 else ""
