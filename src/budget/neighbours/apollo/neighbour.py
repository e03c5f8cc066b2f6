"""Apollo as a neighbour: told of what happens to token budgets, and asked what it sees of contexts.

What it sees is kept in memory and read only: it decides nothing here. Not here: what it is told
(`messages`), and the books' own view of contexts (`engine.contexts`).
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from budget.domain.errors import InvalidInput
from budget.neighbours.apollo.seen import Seen, contexts_in, predictions_in
from budget.neighbours.apollo.telling import Teller
from budget.neighbours.calling import Line, read_address
from budget.neighbours.known import Setup
from budget.neighbours.neighbour import Neighbour

NAME: Final = "apollo"
SETTING: Final = "BUDGET_APOLLO_URL"
FORMER: Final = "APOLLO_API_URL"
POLL: Final = "BUDGET_APOLLO_POLL_SECONDS"
DEFAULT_POLL_SECONDS: Final = 30
MAX_POLL_SECONDS: Final = 3600


class Apollo(Neighbour):
    """Apollo at one address."""

    name = NAME

    def __init__(self, setup: Setup) -> None:
        self.address = read_address(setup.env, SETTING, FORMER, port=8012)
        super().__init__()
        self._poll_seconds = read_poll_seconds(setup.env)
        self._line = Line(NAME, self.address)
        # What an answer of 200 says about one message is told apart from no answer at all.
        self._messages = Line(NAME, self.address, mistake=lambda _: None)
        self._teller = Teller(setup.budget, self._messages, self.contact)
        self.seen = Seen()

    async def run(self) -> None:
        """Tell and ask until cancelled; where one of both fails, both begin anew."""
        both = [asyncio.ensure_future(self._teller.tell()), asyncio.ensure_future(self._watch())]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
            for one in done:
                one.result()
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def leave(self) -> None:
        """Hang up; Apollo is not told, for it does not mind."""
        await self._teller.end()
        await asyncio.gather(self._line.close(), self._messages.close())

    async def _watch(self) -> None:
        while True:
            contexts = contexts_in(await self._line.ask("GET", "/api/contexts"))
            predictions = predictions_in(await self._line.ask("GET", "/api/predictions"))
            self.contact.went_well(contexts=len(contexts), predictions=len(predictions))
            self.seen = Seen(self.contact.last_contact_us, contexts, predictions)
            await asyncio.sleep(self._poll_seconds)


def read_poll_seconds(env: Mapping[str, str]) -> int:
    """How long to wait before Apollo is asked again."""
    text = env.get(POLL) or str(DEFAULT_POLL_SECONDS)
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_POLL_SECONDS:
        raise InvalidInput(POLL, f"must be 1 to {MAX_POLL_SECONDS} seconds.")
    return int(text)
