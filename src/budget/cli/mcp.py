"""`budget mcp`: tools for a model, over standard input and output.

Not here: the same over HTTP, at /mcp of a service (`serve`), and the tools (`budget.mcp`).
"""

import asyncio
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import check_key, not_accepted
from budget.cli.face import Face
from budget.domain.errors import Unauthorized

if TYPE_CHECKING:
    from budget.engine.settings import Settings


def mcp(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Give a model tools for its budget, over standard input and output (MCP).

    A client such as an editor starts this. Of a service its key decides what may be done; of a
    database everything may be. Ends when the client closes standard input.
    """
    from budget.engine.places import find_place
    from budget.engine.settings import Settings

    settings = Settings.read(target=face.target)
    place = find_place(settings)
    if place.url is None:
        asyncio.run(_open_here(settings))
        return exits.OK
    if place.key is not None:
        check_key(place.key)
    asyncio.run(_ask_service(place.url, place.key))
    return exits.OK


async def _open_here(settings: "Settings") -> None:
    from budget.engine.budget import AsyncBudget
    from budget.engine.jobs import Books
    from budget.mcp.stdio import serve

    # Holds that nobody settles end by themselves here, as in a service.
    opened = Books.open(settings.target, price_settings=settings.price_settings)
    books = AsyncBudget(opened)
    try:
        await serve(books)
    finally:
        await books.close()


async def _ask_service(url: str, key: str | None) -> None:
    from budget.client import AsyncClient
    from budget.mcp.stdio import serve

    books = AsyncClient(url, key=key)
    try:
        await serve(books)
    except Unauthorized:
        raise Unauthorized(not_accepted(url, key)) from None
    finally:
        await books.close()
