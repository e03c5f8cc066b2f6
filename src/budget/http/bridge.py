"""The bridge: the tools of MCP as plain routes, as Tekton's components call them.

Who may use a tool depends on the tool. Not here: what is called and answered (`mcp.messages`), and
the protocol (`mcp`).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from budget import __version__
from budget.http.calls import Answered, Call
from budget.http.health import health as health_of
from budget.http.health import root
from budget.mcp import messages
from budget.mcp.asking import Guest


class _Own(NamedTuple):
    """A tool that tells of the component itself; Tekton's registry has these of every component."""

    name: str
    answer: Callable[[Call], Awaitable[Answered]]
    text: str


_OWN: Final = {
    "healthcheck": _Own("budget_health_check", health_of, "Budget is {status}."),
    "componentinfo": _Own(
        "budget_component_info", root, "{component} {version}, {status}: {description}"
    ),
}


def guest_of(call: Call) -> Guest:
    """Who calls, as tools know them."""
    visitor, caller = call.carried.visitor, call.caller
    rights = frozenset[str]() if visitor is None else visitor.key.scopes
    books = call.service.budget.acting_as(caller)
    return Guest(books, rights, caller.actor, tuple(sorted(caller.bound.items())))


async def health(call: Call) -> Answered:
    """Say that tools may be called, and how many there are."""
    await call.service.pulse.feel()
    told: dict[str, Any] = {
        "status": "healthy",
        "component": "budget",
        "version": __version__,
        "tool_count": messages.tools()["count"],
    }
    return Answered(told)


async def capabilities(call: Call) -> Answered:
    """List what Budget can do for other components."""
    del call
    return Answered(messages.capabilities())


async def tools(call: Call) -> Answered:
    """List the tools, with the schemas of what they take and answer."""
    del call
    return Answered(messages.tools())


async def process(call: Call) -> Answered:
    """Call the tool that the body names; a refusal is an answer with `allowed` false."""
    return await _called(call, messages.tool_named(call.ask))


async def message(call: Call) -> Answered:
    """Answer a message of another component, by its type and its sender."""
    return Answered(await messages.reply(guest_of(call), call.ask, _now_us(call)))


async def execute(call: Call) -> Answered:
    """Call a tool by its name in the path; a refusal is an answer with `allowed` false."""
    (name,) = call.ids
    return await _called(call, name)


async def _called(call: Call, name: str) -> Answered:
    own = _OWN.get(name.replace("_", "").lower().removeprefix("budget"))
    if own is None:
        return Answered(await messages.execute(guest_of(call), name, call.ask, _now_us(call)))
    told = (await own.answer(call)).body
    text = own.text.format_map(told)
    return Answered(messages.answered_by_itself(own.name, call.ask, told, text))


def _now_us(call: Call) -> int:
    return call.service.budget.books.database.now_us()
