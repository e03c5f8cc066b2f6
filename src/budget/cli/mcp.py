"""`budget mcp`: tools for a model, over standard input and output.

Not here: the same over HTTP, at /mcp of a service (`serve`), and the tools (`budget.mcp`).
"""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import check_key, not_accepted, open_budget
from budget.cli.face import Face
from budget.domain.errors import Unauthorized


def mcp(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Give a model tools for its budget, over standard input and output (MCP).

    A client such as an editor starts this. Of a service its key decides what may be done; of a
    database everything may be. Ends when the client closes standard input.
    """
    from budget.engine.places import find_place
    from budget.engine.settings import Settings

    place = find_place(Settings.read(target=face.target))
    if place.url is not None:
        if place.key is not None:
            check_key(place.key)
        asyncio.run(_ask_service(place.url, place.key))
        return exits.OK
    from budget.engine.budget import AsyncBudget, Budget
    from budget.mcp.stdio import serve

    with open_budget(face, create=True, priced=True) as budget:
        assert isinstance(budget, Budget)
        asyncio.run(serve(AsyncBudget(budget.books)))
    return exits.OK


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
