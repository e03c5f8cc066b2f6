"""Resources and prompts: what is read under an address, and what a model is asked.

The server is asked in this process, by the official client, without a transport.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import TextContent, TextResourceContents

from budget.engine.budget import AsyncBudget, Budget
from budget.engine.jobs import Books
from budget.engine.price_book.settings import PriceSettings
from budget.mcp.asking import EVERY_RIGHT, Guest
from budget.mcp.changes import Changes
from budget.mcp.server import make_server
from tests.mcp.speaking import MODES, Mode
from tests.support.databases import SqliteDatabases, SqliteTemplates
from tests.support.priced import empty_books


@pytest.fixture(scope="module")
def books(
    tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Books]:
    folder: Path = tmp_path_factory.mktemp("resources")
    url = SqliteDatabases(folder, sqlite_templates).new(empty_books)
    opened = Books.open(url, price_settings=PriceSettings(), sweep=False)
    yield opened
    opened.close()


@asynccontextmanager
async def speaking(books: Books, mode: Mode) -> AsyncIterator[Client]:
    guest = Guest(AsyncBudget(books), EVERY_RIGHT)
    server = make_server(lambda _: guest, books.database.now_us, Changes())
    async with Client(server, mode=mode) as client:
        yield client


def asked(books: Books, mode: Mode, ask: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with speaking(books, mode) as client:
            return await ask(client)

    return asyncio.run(run())


def error_of(books: Books, mode: Mode, ask: Callable[[Client], Awaitable[Any]]) -> MCPError:
    """The error of the protocol that something is answered with."""

    async def caught(client: Client) -> MCPError:
        with pytest.raises(MCPError) as error:
            await ask(client)
        return error.value

    found: MCPError = asked(books, mode, caught)
    return found


def read(books: Books, uri: str) -> Any:
    (content,) = asked(books, "auto", lambda client: client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "application/json")
    return json.loads(content.text)


def test_a_budget_is_read_with_how_its_limits_stand(books: Books) -> None:
    policy: Any = {"unit": "tokens", "period": "daily", "limit": 100}
    made = Budget(books).create_budget(name="read", policies=[policy])
    found = read(books, f"budget://budgets/{made.budget_id}")
    assert (found["name"], found["policies"][0]["limit"]) == ("read", 100)
    assert found["standings"][0]["remaining"] == 100
    assert any(one["budget"] == "read" for one in read(books, "budget://status")["items"])


def test_a_price_is_read_under_a_name_that_has_a_slash(books: Books) -> None:
    found = read(books, "budget://prices/openai/gpt-4o")
    assert found["prices"]["output"] == "10.00"
    spelt = read(books, "budget://prices/groq/openai%2Fgpt-oss-20b")
    assert spelt == read(books, "budget://prices/groq/openai/gpt-oss-20b") | {"at": spelt["at"]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "uri",
    [
        "budget://budgets/none", "budget://budgets/", "budget://prices/openai",
        "budget://prices/openai/no-such-model", "budget://nothing", "http://127.0.0.1/", "",
        "budget://status/", "budget://budgets/%00", "budget://prices/a/" + "x" * 1000,
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_so(books: Books, mode: Mode, uri: str) -> None:
    error = error_of(books, mode, lambda client: client.read_resource(uri))
    assert error.code == (-32602 if mode == "auto" else -32002)
    assert "no" in error.message.lower()


def test_budgets_are_listed_by_pages(books: Books) -> None:
    policy: Any = {"unit": "tokens", "period": "daily", "limit": 100}
    for number in range(101):
        Budget(books).create_budget(name=f"many {number}", policies=[policy])

    async def listed(client: Client) -> list[str]:
        first = await client.list_resources()
        second = await client.list_resources(cursor=first.next_cursor)
        return [one.uri for one in (*first.resources, *second.resources)]

    uris = asked(books, "auto", listed)
    assert len(uris) == len(set(uris)) >= 102
    assert uris.count("budget://status") == 1
    error = error_of(books, "auto", lambda client: client.list_resources(cursor="nonsense"))
    assert error.code == -32602


@pytest.mark.parametrize("mode", MODES)
def test_an_error_that_nobody_foresaw_is_told_by_an_id_alone(
    books: Books, mode: Mode, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr("budget.engine.jobs.Jobs.standings", breaks)

    async def ask(client: Client) -> Any:
        return await client.read_resource("budget://status")

    error = error_of(books, mode, ask)
    assert error.message.startswith("Something went wrong that should not; the log tells of it as")
    told = asked(books, mode, lambda client: client.call_tool("budget_forecast", {}))
    assert told.is_error
    assert "secret" not in f"{error} {told}"
    assert "a secret of ours" in caplog.text


# --- Prompts -------------------------------------------------------------------------------------


def prompt(books: Books, name: str, **given: str) -> str:
    (message,) = asked(books, "auto", lambda client: client.get_prompt(name, given)).messages
    assert isinstance(message.content, TextContent)
    return message.content.text


TASK = {
    "task_description": "Sum up letters", "input_length": "1000", "output_length": "200",
    "usage_frequency": "50", "budget_limit": "10", "priority_areas": "quality",
}  # fmt: skip


def test_a_prompt_carries_the_figures_to_answer_from(books: Books) -> None:
    Budget(books).record_usage(provider="openai", model="gpt-4o", input_tokens=1000)
    text = prompt(books, "budget_analysis", period="monthly", days="7")
    assert all(f"\n\n{part}:\n```json" in text for part in ("Usage", "Limits", "Forecast"))
    assert '"gpt-4o"' in text
    text = prompt(books, "cost_optimization")
    assert "Cheaper models:" in text
    assert '"savings"' in text
    text = prompt(books, "model_selection", **TASK)
    assert "Sum up letters" in text
    assert "1000 input and 200 output tokens, 50 times a day" in text


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("budget_analysis", {"days": "0"}, "days"),
        ("budget_analysis", {"days": "366"}, "days"),
        ("budget_analysis", {"period": "often"}, "period"),
        ("cost_optimization", {"colour": "red"}, "colour"),
        ("model_selection", {**TASK, "input_length": "many"}, "input_length"),
        ("model_selection", {"task_description": "x"}, "input_length"),
        ("budget_poem", {}, "There is no prompt"),
    ],
)
def test_what_is_wrong_with_a_prompt_s_arguments_is_told(
    books: Books, name: str, given: dict[str, str], field: str
) -> None:
    error = error_of(books, "auto", lambda client: client.get_prompt(name, given))
    assert error.code == -32602
    assert error.message.startswith(field)
