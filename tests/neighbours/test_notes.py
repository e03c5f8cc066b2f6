"""Notes: kept in the books, by neighbour and name."""

import pytest

from budget.engine.budget import AsyncBudget
from budget.engine.jobs import Books
from budget.neighbours.notes import Notes
from tests.support.databases import Databases

pytestmark = pytest.mark.anyio


async def test_notes_are_kept_replaced_and_taken_away(databases: Databases) -> None:
    books = Books.open(databases.new(), sweep=False)
    try:
        athena, telos = (Notes(AsyncBudget(books), name) for name in ("athena", "telos"))
        assert await athena.get("cursor") is None
        await athena.put("cursor", "abc")
        await telos.put_all({"of_a%": {"policy": "p1"}, "of_ab": [1, 2]})
        await athena.put("cursor", "abd")
        assert await athena.get("cursor") == "abd"
        assert await telos.all("of_a%") == {"of_a%": {"policy": "p1"}}
        assert await telos.get("cursor", "none") == "none"
        await telos.put("of_ab", None)
        assert await telos.all() == {"of_a%": {"policy": "p1"}}
    finally:
        books.close()
