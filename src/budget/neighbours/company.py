"""The company: all neighbours of a service, each kept running beside it.

One that fails is left alone for a while, longer each time, and tried again; the service neither
waits for any at its start nor stops because of one. Not here: what is said to each.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from typing import Final

from budget.domain.shapes_neighbours import NeighbourShape
from budget.domain.windows import to_rfc3339
from budget.neighbours.known import KNOWN
from budget.neighbours.neighbour import Contact, Neighbour

FIRST_PAUSE_SECONDS: Final = 0.5
STEADY_SECONDS: Final = 60.0
"""After having run so long, a failure counts as the first one again."""
LEAVE_SECONDS: Final = 3.0

_chance: Final = random.Random()  # noqa: S311 - no secret; programs may seed the common one
_log = logging.getLogger("budget.neighbours")


class Company:
    """The neighbours of one service, on one event loop from `start` to `close`."""

    def __init__(self, neighbours: Sequence[Neighbour]) -> None:
        self._neighbours = {neighbour.name: neighbour for neighbour in neighbours}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begin to be in touch, in the background."""
        for name, neighbour in self._neighbours.items():
            self._tasks[name] = asyncio.create_task(_keep(neighbour), name=f"neighbour {name}")

    async def close(self) -> None:
        """Say good-bye to each, at most a few seconds long, all at once."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
            await asyncio.gather(*(_leave(one) for one in self._neighbours.values()))
        self._tasks.clear()

    def get(self, name: str) -> Neighbour | None:
        """The neighbour of this name, if it is on."""
        return self._neighbours.get(name)

    def states(self) -> dict[str, str]:
        """How each that is on is doing."""
        return {name: one.contact.state for name, one in sorted(self._neighbours.items())}

    def told(self) -> list[NeighbourShape]:
        """All that Budget knows how to speak with, and how that goes."""
        return [_told(known.name, self._neighbours.get(known.name)) for known in KNOWN]


def listed(company: Company | None) -> list[NeighbourShape]:
    """All known neighbours; those of no company are off."""
    return (company or Company(())).told()


def _told(name: str, neighbour: Neighbour | None) -> NeighbourShape:
    known = next(one for one in KNOWN if one.name == name)
    contact = Contact("off") if neighbour is None else neighbour.contact
    return {
        "name": name,
        "about": known.about,
        "state": contact.state,
        "address": None if neighbour is None else neighbour.address,
        "last_contact_at": _at(contact.last_contact_us),
        "last_error": contact.last_error,
        "last_error_at": _at(contact.last_error_us),
        "facts": _sorted(contact.facts),
        "setting": known.setting,
    }


def _at(at_us: int | None) -> str | None:
    return None if at_us is None else to_rfc3339(at_us)


def _sorted(facts: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(facts.items()))


async def _keep(neighbour: Neighbour) -> None:
    """Run a neighbour, again and again."""
    pause_seconds = FIRST_PAUSE_SECONDS
    is_logged = False
    while True:
        began = time.monotonic()
        try:
            await neighbour.run()
        except Exception as error:  # noqa: BLE001 - one neighbour's trouble is nobody else's
            if not is_logged or neighbour.contact.state != "failing":
                _log.warning("%s fails: %s", neighbour.name, str(error)[:300])
            is_logged = True
            neighbour.contact.failed(error)
        if time.monotonic() - began > STEADY_SECONDS:
            pause_seconds = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause_seconds * (0.75 + 0.5 * _chance.random()))
        pause_seconds = min(2 * pause_seconds, neighbour.most_pause_seconds)


async def _leave(neighbour: Neighbour) -> None:
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await neighbour.leave()
    except Exception as error:  # noqa: BLE001 - it may be gone; so are we
        _log.info("%s heard no good-bye: %s", neighbour.name, error)
