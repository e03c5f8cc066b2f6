"""Tools: those that Budget offers to models, in Hermes' registry of tools.

Each has an id of its own, so that it is there once however often it is offered. Hermes never calls
one: whoever finds it there does, at its endpoint. Not here: what tools do (`budget.mcp.tools`).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from budget import __version__
from budget.domain.component import COMPONENT
from budget.neighbours.calling import Line, Unanswered

T = TypeVar("T")

PATH: Final = "/api/mcp/v2/tools"
PREFIX: Final = "budget_"
MOST_AT_ONCE: Final = 8
_ALIKE: Final = ("name", "description", "endpoint", "version")
"""What says whether a tool that is there is the one that is offered."""
_NOTHING: Final = {"type": "object", "properties": {}, "additionalProperties": False}


def offered(endpoint: str, port: int) -> list[dict[str, Any]]:
    """All tools as Hermes takes them; those that Tekton knew are there under both names."""
    return [
        {
            "id": name,
            "name": name,
            "description": description,
            "schema": schema,
            "tags": [COMPONENT],
            "version": __version__,
            "endpoint": f"{endpoint}/api/tools/{name}/execute",
            "metadata": {"component": COMPONENT, "component_version": __version__, "port": port},
        }
        for name, description, schema in _lines()
    ]


def _lines() -> Iterator[tuple[str, str, Any]]:
    from budget.mcp.tools import TOOLS

    for tool in TOOLS:
        former = () if tool.former is None else (f"{PREFIX}{tool.former}",)
        for name in (tool.name, *former):
            yield name, tool.doc, tool.asks
    yield f"{PREFIX}health_check", "How Budget is.", _NOTHING
    yield f"{PREFIX}component_info", "What Budget is.", _NOTHING


class Stall:
    """The tools of one service at one Hermes."""

    def __init__(self, line: Line, tools: Sequence[Mapping[str, Any]]) -> None:
        self._line = line
        self._tools = tools
        self._ids: dict[str, str] = {}
        self._begun: dict[str, str] = {}
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)

    @property
    def there(self) -> int:
        """How many are there, as far as is known."""
        return len(self._ids)

    async def offer(self) -> None:
        """See to it that every tool is there as it is; Unanswered when one is not taken."""
        listed = await self._line.ask("GET", PATH)
        if not isinstance(listed, list):
            raise Unanswered("hermes does not say which tools there are.")
        there = {_id(one): one for one in listed if isinstance(one, dict)}
        self._ids = {name: id for name, id in self._ids.items() if id in there}
        wanted = [one for one in self._tools if not self._is_there(one, there)]
        await self._each(lambda one: self._put(one, there), wanted)

    async def take_back(self) -> None:
        """Take all away that are there, or may be; Unanswered if one could not be."""
        await self._each(self._take_away, (self._begun | self._ids).values())
        self._ids.clear()
        self._begun.clear()

    def _is_there(self, tool: Mapping[str, Any], there: Mapping[Any, Mapping[str, Any]]) -> bool:
        id = self._ids.get(tool["name"], tool["id"])
        one = there.get(id)
        if one is None or any(name in one and one[name] != tool[name] for name in _ALIKE):
            return False
        self._ids[tool["name"]] = id
        return True

    async def _put(self, tool: Mapping[str, Any], there: Mapping[Any, Any]) -> None:
        id = self._ids.get(tool["name"], tool["id"])
        if id in there:
            await self._take_away(id)
        self._begun[tool["name"]] = tool["id"]
        answer = await self._line.ask("POST", PATH, tool)
        given = _id(answer) if isinstance(answer, dict) else None
        self._ids[tool["name"]] = given or tool["id"]

    async def _take_away(self, id: str) -> None:
        try:
            await self._line.ask("DELETE", f"{PATH}/{id}")
        except Unanswered as error:
            if error.status != 404:
                raise

    async def _each(self, act: Callable[[T], Awaitable[None]], some: Iterable[T]) -> None:
        """Do it to each, a few at once, whatever becomes of the others; raises the first failure.

        Nothing more is begun after one without an answer at all.
        """
        silent = False

        async def one(it: T) -> None:
            nonlocal silent
            async with self._at_once:
                if not silent:
                    try:
                        await act(it)
                    except Unanswered as error:
                        if error.status is None:
                            silent = True
                        raise

        results = await asyncio.gather(*map(one, some), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


def _id(tool: Mapping[str, Any]) -> str | None:
    """The id of a tool, as it is listed or as it is given; None if it cannot be part of a path."""
    found = next((tool[key] for key in ("toolId", "tool_id", "id") if tool.get(key)), None)
    return (
        found if isinstance(found, str) and re.fullmatch("[A-Za-z0-9_.-]{1,200}", found) else None
    )
