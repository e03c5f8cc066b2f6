"""Watching: whether calls come from a LiteLLM proxy with our callback, by what it books.

Only looked at; the callback is in the proxy's process and needs nothing of this. Not here: the
callback (`hooks`).
"""

import asyncio
import time
from typing import Final

from budget.domain.windows import to_rfc3339
from budget.engine.budget import AsyncBudget
from budget.neighbours.neighbour import Neighbour

EVERY_SECONDS: Final = 15.0
_FIRST_LOOK_US: Final = 3_600_000_000
_ATTRIBUTE: Final = "tag.litellm_key"


class LiteLLM(Neighbour):
    """The proxies whose calls are booked here."""

    name = "litellm"

    def __init__(self, budget: AsyncBudget) -> None:
        super().__init__()
        self._budget = budget

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Note the newest usage that a proxy has told of, at most an hour old at first."""
        seen_us = self.contact.last_contact_us
        since_us = time.time_ns() // 1000 - _FIRST_LOOK_US if seen_us is None else seen_us
        page = await self._budget.usage_records(
            attributes={_ATTRIBUTE: "*"}, since=to_rfc3339(since_us), limit=1
        )
        for newest in page.items:
            if newest.recorded_us != seen_us:
                self.contact.went_well(key=newest.attributes.get(_ATTRIBUTE))
                self.contact.last_contact_us = newest.recorded_us
