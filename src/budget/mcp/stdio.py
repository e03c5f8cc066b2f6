"""MCP over standard input and output: for a client that starts Budget as its child."""

import time
from contextlib import suppress

from budget.domain.facade import AsyncFacade
from budget.engine.budget import AsyncBudget
from budget.mcp.asking import EVERY_RIGHT, Guest


async def serve(books: AsyncFacade) -> None:
    """Answer whoever is at the other end of standard input, until they close it.

    With a service its key decides what may be done; whoever has the database may do everything.
    Unauthorized where the service does not accept the key.
    """
    from mcp.server.lowlevel.server import NotificationOptions
    from mcp.server.stdio import stdio_server

    from budget.mcp.changes import Changes
    from budget.mcp.server import make_server

    guest = await guest_of(books)
    changes = Changes()
    server = make_server(lambda _: guest, lambda: time.time_ns() // 1000, changes)
    try:
        async with stdio_server() as (reads, writes):
            options = server.create_initialization_options(NotificationOptions())
            with suppress(BrokenPipeError):
                await server.run(reads, writes, options)
    finally:
        changes.close()


async def guest_of(books: AsyncFacade) -> Guest:
    """Who calls."""
    if isinstance(books, AsyncBudget):
        return Guest(books, EVERY_RIGHT)
    key = await books.own_key()
    return Guest(books, frozenset(key.scopes), None, tuple(sorted(key.bound.items())))
