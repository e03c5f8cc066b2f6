"""MCP as a neighbour: who comes is noted where it is on, and nobody is answered where it is off."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from budget.engine import keys
from budget.engine.jobs import Books
from budget.http.app import App
from budget.http.serve import make_app
from budget.neighbours.neighbour import Neighbour
from budget.prices.book import PriceBook
from tests.http.tenants import Answer
from tests.support.databases import sqlite_url

LIST: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/list",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    opened = Books.open(sqlite_url(tmp_path / "budget.db"), prices=PriceBook(None), sweep=False)
    yield opened
    opened.close()


async def speak(app: App, key: str) -> Answer:
    """Ask for the list of tools."""
    parts: list[Any] = []
    asked: list[Any] = [
        {"type": "http.request", "body": json.dumps(LIST).encode(), "more_body": False}
    ]

    async def receive() -> Any:
        if asked:
            return asked.pop()
        return await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        parts.append(message)

    headers = {
        "host": "127.0.0.1", "content-type": "application/json", "x-api-key": key,
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list",
    }  # fmt: skip
    scope = {
        "type": "http", "method": "POST", "path": "/mcp", "raw_path": b"/mcp", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "extensions": {},
    }  # fmt: skip
    await app(scope, receive, send)
    body = b"".join(part.get("body", b"") for part in parts)
    return Answer(parts[0]["status"], body.decode())


def asked_once(books: Books, env: dict[str, str]) -> tuple[Answer, Neighbour | None]:
    """What is answered, and the neighbour afterwards, if there is one."""
    key = keys.make_key()
    keys.add_key(books, key, name="test", scopes="admin")

    async def run() -> tuple[Answer, Neighbour | None]:
        app = make_app(books, env=env)
        try:
            answer = await speak(app, key.text)
        finally:
            await app.hang_up()
        company = app._service.neighbours
        assert company is not None
        return answer, company.get("mcp")

    return asyncio.run(run())


@pytest.mark.parametrize("env", [{}, {"BUDGET_MCP": "on"}])
def test_who_comes_is_answered_and_noted(books: Books, env: dict[str, str]) -> None:
    answer, found = asked_once(books, env)
    assert answer.status == 200
    assert len(json.loads(answer.body)["result"]["tools"]) > 20
    assert found is not None
    assert found.contact.state == "working"
    assert found.contact.facts["key"].startswith("key_")


def test_nobody_is_answered_where_it_is_off(books: Books) -> None:
    answer, found = asked_once(books, {"BUDGET_MCP": "off"})
    assert (answer.status, found) == (404, None)
