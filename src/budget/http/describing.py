"""Describing handlers: the description of the API, and the page that shows it to people.

The page and all that it needs lie in `docs_ui`; nothing of it comes from elsewhere. Not here: what
is described (`openapi`).
"""

import asyncio
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from budget.domain.errors import NotFound
from budget.http.calls import Call
from budget.http.problems import JSON, NoRoute, Reply

_MEDIA: Final[Mapping[str, bytes]] = {
    "docs.js": b"text/javascript; charset=utf-8",
    "docs.css": b"text/css; charset=utf-8",
    "icon.svg": b"image/svg+xml",
}
"""The files that the page asks for."""


async def openapi(call: Call) -> Reply:
    """Describe the API as OpenAPI 3.1: every route, what it takes and answers, with examples."""
    del call
    return Reply(200, await asyncio.to_thread(description), JSON)


async def openapi_of_page(call: Call) -> Reply:
    """Describe the API to the page, which has no key; 404 where the page is off."""
    _check_on(call)
    return Reply(200, await asyncio.to_thread(description), JSON)


async def page(call: Call) -> Reply:
    """Show the description to people: operations, schemas, examples, and a form to try them."""
    _check_on(call)
    return Reply(200, await asyncio.to_thread(_file, "docs.html"), b"text/html; charset=utf-8")


async def asset(call: Call) -> Reply:
    """A file that the page is made of."""
    _check_on(call)
    (name,) = call.ids
    if name not in _MEDIA:
        raise NotFound("file", name[:80])
    return Reply(200, await asyncio.to_thread(_file, name), _MEDIA[name])


def _check_on(call: Call) -> None:
    if not call.service.docs:
        raise NoRoute("The page is off here; BUDGET_DOCS=on shows it.")


@cache
def description() -> bytes:
    """The description as JSON, made once."""
    from budget.http.openapi import describe
    from budget.http.routes import ROUTES

    return msgspec.json.encode(describe(ROUTES))


@cache
def _file(name: str) -> bytes:
    return (files("budget.http.docs_ui") / name).read_bytes()
