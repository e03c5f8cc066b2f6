"""Hermes as a neighbour: Budget is registered there, found there, and looks for others there.

Three things go on at once: the entries are kept, with the tools; others are looked for; and news is
told. Only the first says how it goes with Hermes. Not here: each of them (`registry`, `tools`,
`components`, `news`).
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from budget import __version__
from budget.domain.component import CAPABILITIES, COMPONENT, DESCRIPTION, FORMER
from budget.domain.errors import InvalidInput
from budget.neighbours import known
from budget.neighbours.calling import Line, Unanswered, read_address
from budget.neighbours.hermes import components, tools
from budget.neighbours.hermes.components import Component, Found
from budget.neighbours.hermes.news import Teller
from budget.neighbours.hermes.registry import Card, Registry
from budget.neighbours.neighbour import Neighbour
from budget.outbound.guard import read_url

NAME: Final = "hermes"
SETTING: Final = "BUDGET_HERMES_URL"
FORMER_SETTING: Final = "HERMES_URL"
ENDPOINT: Final = "BUDGET_HERMES_ENDPOINT"
IDS: Final = "BUDGET_HERMES_IDS"
TIMEOUT_SECONDS: Final = 2.0


class Hermes(Neighbour):
    """Hermes at one address.

    What it forgot is there again within `beat_seconds`, a time-out and the pause after a failure,
    which together are under ten seconds.
    """

    name = NAME
    most_pause_seconds = 3.0
    beat_seconds = 3.0
    tools_seconds = 30.0
    look_seconds = 30.0

    def __init__(self, setup: known.Setup) -> None:
        self.address = read_address(setup.env, SETTING, FORMER_SETTING, port=8001)
        super().__init__()
        self._env = setup.env
        self._near = components.is_loopback(read_url(self.address))
        self._origins = components.read_origins(setup.env)
        self._endpoint = endpoint = read_endpoint(setup.env, setup.url)
        self._line = Line(NAME, self.address, timeout_seconds=TIMEOUT_SECONDS)
        cards = cards_of(read_ids(setup.env), endpoint, setup.port, setup.instance)
        self._ids = frozenset(cards)
        self.registry = Registry(self._line, cards)
        self._stall = tools.Stall(self._line, tools.offered(endpoint, setup.port))
        self._tools_due = 0.0
        self.news = Teller(setup.budget, self._line, self.contact)
        self._listed: Sequence[Component] = ()
        self._came = asyncio.Event()

    async def run(self) -> None:
        """Be registered until cancelled; Unanswered when Hermes does not do its part."""
        beside = [
            asyncio.create_task(self._steadily("events", self.news.tell)),
            asyncio.create_task(self._steadily("look", self._look)),
        ]
        try:
            while True:
                await self._keep()
                await asyncio.sleep(self.beat_seconds)
        finally:
            for one in beside:
                one.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def leave(self) -> None:
        """Take back the entries and the tools, as far as Hermes lets us, and hang up."""
        try:
            await asyncio.gather(
                _quietly(self.registry.take_back()), _quietly(self._stall.take_back())
            )
        finally:
            await self._line.close()

    async def _keep(self) -> None:
        before = self.registry.registrations
        listed = await self.registry.keep()
        self._listed = [one for one in listed if one.id not in self._ids]
        self._came.set()
        taken = [one for one in listed if one.id in self._ids and one.endpoint != self._endpoint]
        self.contact.went_well(
            registered_as=", ".join(sorted(self._ids)),
            taken_over_by=components.shown(taken[0].endpoint) if taken else None,
        )
        if self.registry.registrations > before:
            self.contact.note(registrations=self.registry.registrations)
            self._tools_due = 0.0
        if time.monotonic() >= self._tools_due:
            await self._offer()

    async def _offer(self) -> None:
        """See to the tools; where that fails, it is tried again with the next heartbeat."""
        try:
            await self._stall.offer()
        except Unanswered as error:
            self.contact.note(tools=f"{self._stall.there}; {error.detail}")
        else:
            self._tools_due = time.monotonic() + self.tools_seconds
            self.contact.note(tools=self._stall.there)

    async def _look(self) -> None:
        while True:
            await self._came.wait()
            found = await components.look(self._listed, self._near, self._origins)
            told = dict.fromkeys(components.WANTED) | {
                name: said(one, suggestion(name, self._env)) for name, one in found.items()
            }
            self.contact.note(**told)
            await asyncio.sleep(self.look_seconds)

    async def _steadily(self, what: str, act: Callable[[], Awaitable[None]]) -> None:
        """Do what goes on beside, again if it fails: being registered does not hang on it."""
        while True:
            try:
                await act()
            except Exception as error:  # noqa: BLE001 - noted, and tried again
                self.contact.note(**{f"{what}_error": f"{type(error).__name__}: {error}"[:200]})
            await asyncio.sleep(self.most_pause_seconds)


async def _quietly(act: Any) -> None:
    with suppress(Unanswered):
        await act


def cards_of(ids: Sequence[str], endpoint: str, port: int, instance: str) -> dict[str, Card]:
    """What is told of Budget under each of its ids."""
    return {
        id: {
            "component_id": id,
            "name": id,
            "version": __version__,
            "type": id,
            "endpoint": endpoint,
            "capabilities": list(CAPABILITIES),
            "metadata": {
                "component": COMPONENT,
                "description": DESCRIPTION,
                "port": port,
                "instance": instance,
                "health": f"{endpoint}/health",
                "mcp": f"{endpoint}/mcp",
            },
        }
        for id in ids
    }


def read_ids(env: Mapping[str, str]) -> list[str]:
    """Under which ids Budget is registered."""
    text = env.get(IDS) or f"{COMPONENT},{FORMER}"
    ids = list(dict.fromkeys(one.strip() for one in text.split(",")))
    if len(ids) > 4 or not all(re.fullmatch("[a-z][a-z0-9_-]{0,62}", one) for one in ids):
        raise InvalidInput(IDS, "must be up to four names such as budget,penia.")
    return ids


def read_endpoint(env: Mapping[str, str], url: str) -> str:
    """Where others are told to find us."""
    return read_address(env, ENDPOINT, port=8013) if env.get(ENDPOINT) else url.rstrip("/")


def suggestion(name: str, env: Mapping[str, str]) -> str | None:
    """The setting that would have us speak with one that was found; None if it is there."""
    one = next((one for one in known.KNOWN if one.name == name), None)
    return None if one is None or one.is_on(env) else one.setting


def said(found: Found, setting: str | None) -> str:
    """How it is with one that was found, for people."""
    if found.health is None:
        return f"{found.endpoint} is not asked ({components.ORIGINS} does not name it)"
    if found.health == "silent":
        return f"{found.endpoint} does not answer"
    advice = "" if setting is None else f" (set {setting}={found.endpoint} to speak with it)"
    return f"{found.health} at {found.endpoint}{advice}"
