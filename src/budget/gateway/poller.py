"""The poller: asks upstreams about works that go on there, so that what they used is booked though
nobody else asks.

Of each it asks at growing intervals, an eighth of its age, with the gateway's own key; it asks
nobody while nothing is open. What is open is read from the books at the start and now and then: so
it survives restarts, and takes over what others began. Where several nodes ask about one work it is
booked once all the same. Not here: how a work is noted (`works`), what is booked (`later`).
"""

import asyncio
import heapq
import random
import time
from collections.abc import Mapping
from typing import Final

from budget.domain.errors import BudgetError, InvalidInput, NotFound
from budget.gateway import later
from budget.gateway.formats.format import HELD_SECONDS
from budget.gateway.formats.frames import object_of
from budget.gateway.holding import log
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.gateway.works import OPEN, Kind, Work, open_works

VARIABLE: Final = "BUDGET_GATEWAY_ASK_SECONDS"
FIRST_SECONDS: Final = 5
MOST_SECONDS: Final = 3600
LOOK_SECONDS: Final = 3600.0
"""How often the books are read for what other nodes left behind."""
RETRY_SECONDS: Final = 60.0
"""After which they are read again when they could not be."""
ASKED_US: Final = 8 * 86_400_000_000
"""What has not ended in so long a time is not asked about any more."""
RENEWED_US: Final = 2 * MOST_SECONDS * 1_000_000
"""A hold that ends sooner is held for another day, while its work goes on."""
AT_ONCE: Final = 4
SILENCE_SECONDS: Final = 60.0

_chance: Final = random.Random()  # noqa: S311 - no secret; programs may seed the common one

_PATHS: Final[Mapping[Kind, str]] = {
    "responses": "/responses/",
    "batch": "/batches/",
    "message_batch": "/v1/messages/batches/",
}
"""Where each kind of work is told of, below an upstream's address."""


def read_first_seconds(env: Mapping[str, str]) -> int:
    """After how many seconds a work is first asked about; 0: none ever is."""
    text = env.get(VARIABLE) or str(FIRST_SECONDS)
    if text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= MOST_SECONDS:
        return int(text)
    raise InvalidInput(VARIABLE, f"{text[:80]!r} is no whole number from 0 to {MOST_SECONDS}.")


def wait_seconds(age_seconds: float, first_seconds: float, chance: float) -> float:
    """How long until a work of this age is asked about; `chance`, from 0 to 1, spreads that."""
    return max(first_seconds, min(age_seconds / 8, MOST_SECONDS)) * (0.75 + 0.5 * chance)


class Poller:
    """Runs on one event loop from `start` to `close`. `shaped` are the upstreams where they speak
    as OpenAI does.
    """

    def __init__(
        self,
        shop: Shop,
        upstreams: Mapping[str, Upstream],
        shaped: Mapping[str, Upstream],
        first_seconds: float,
    ) -> None:
        self._shop = shop
        self._upstreams = upstreams
        self._shaped = shaped
        self._first_seconds = first_seconds
        self._known: dict[str, Work] = {}
        self._due: list[tuple[float, str]] = []
        self._looks_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        if self._first_seconds > 0:
            self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """Stop at once: what was not booked yet is found again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
            except Exception:  # noqa: BLE001 - it must go on; what failed is told and tried again
                log.exception("works at upstreams were not looked after this time")
                await asyncio.sleep(RETRY_SECONDS)

    async def _turn(self) -> None:
        """Note what has begun, until something is due; then ask about that."""
        if time.monotonic() >= self._looks_at:
            await self._look()
        first = min(self._looks_at, self._due[0][0]) if self._due else self._looks_at
        try:
            async with asyncio.timeout(max(0.0, first - time.monotonic())):
                self._note(await self._shop.works.get())
        except TimeoutError:
            await asyncio.gather(*map(self._ask, self._taken()))

    def _taken(self) -> list[Work]:
        """The next works that are due."""
        now, due = time.monotonic(), list[Work]()
        while self._due and self._due[0][0] <= now and len(due) < AT_ONCE:
            due.append(self._known.pop(heapq.heappop(self._due)[1]))
        return due

    async def _look(self) -> None:
        """Find in the books what is open and not known here."""
        database = self._shop.budget.books.database
        try:
            found = await asyncio.to_thread(open_works, database, database.now_us() - ASKED_US)
        except BudgetError as error:
            log.warning("works at upstreams are not known just now: %s", error)
            self._looks_at = time.monotonic() + RETRY_SECONDS
            return
        self._looks_at = time.monotonic() + LOOK_SECONDS
        for work in found:
            self._note(work)

    def _note(self, work: Work, age_seconds: float = 0.0) -> None:
        """Have it asked about; one that has just become known soon."""
        if work.allocation_id in self._known:
            return
        self._known[work.allocation_id] = work
        wait = wait_seconds(age_seconds, self._first_seconds, _chance.random())
        heapq.heappush(self._due, (time.monotonic() + wait, work.allocation_id))

    async def _ask(self, work: Work) -> None:
        """Ask about a work if it is not booked yet, and again later."""
        try:
            if not await self._is_open(work):
                return
            await self._hear(work)
        except NotFound:
            return
        except BudgetError as error:
            log.warning("%s is asked about later: %s", work.work_id, error)
        age_us = self._shop.budget.books.database.now_us() - work.begun_us
        if age_us < ASKED_US:
            self._note(work, age_us / 1e6)

    async def _is_open(self, work: Work) -> bool:
        budget = self._shop.budget
        return (await budget.run(budget.jobs.allocation(work.allocation_id))).status in OPEN

    async def _hear(self, work: Work) -> None:
        """Book it if its upstream says that it has ended."""
        shaped = work.kind != "message_batch"
        upstream = (self._shaped if shaped else self._upstreams).get(work.upstream)
        if upstream is None or self._shop.breakers.left_out_seconds(upstream.name):
            return
        fetch = later.asking(self._shop, upstream, SILENCE_SECONDS)
        told = object_of(await fetch(_PATHS[work.kind] + work.work_id) or b"")
        if told is None:
            return
        await later.hear(self._shop, upstream, fetch, told)
        if later.goes_on(told):
            await self._keep(work)

    async def _keep(self, work: Work) -> None:
        """Have the hold of what goes on not end before it does."""
        budget = self._shop.budget
        held = await budget.run(budget.jobs.allocation(work.allocation_id))
        left_us = held.expires_us - budget.books.database.now_us()
        if held.status == "open" and left_us < RENEWED_US:
            extending = budget.jobs.extend(work.allocation_id, ttl_seconds=HELD_SECONDS)
            await budget.run(extending)
