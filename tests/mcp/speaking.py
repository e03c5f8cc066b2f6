"""Speaking MCP in tests: the official client, in each revision, to a service or to a child."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from tests.http.running import Running
from tests.support.nursery import shared

Mode = Literal["auto", "legacy"]

MODES: Final[tuple[Mode, ...]] = ("auto", "legacy")
REVISIONS: Final = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@asynccontextmanager
async def speaking(
    service: Running, mode: Mode = "auto", key: str | None = None, **more: Any
) -> AsyncIterator[Client]:
    """A client of a service, with its admin key unless another is given."""
    headers = {"Authorization": f"Bearer {key or service.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120, trust_env=False) as http,
        Client(
            streamable_http_client(f"{service.url}/mcp", http_client=http), mode=mode, **more
        ) as client,
    ):
        yield client


@asynccontextmanager
async def spoken_to(
    target: str, home: str, mode: Mode = "auto", key: str | None = None
) -> AsyncIterator[Client]:
    """A client of `budget mcp`, which it starts."""
    command, *words = shared().program("budget")
    child = StdioServerParameters(
        command=command,
        args=[*words, "mcp", "--target", target],
        env={"HOME": home, "BUDGET_CONFIG_DIR": home, **({"BUDGET_KEY": key} if key else {})},
    )
    async with Client(child, mode=mode) as client:
        yield client


def told(answer: CallToolResult) -> dict[str, Any]:
    """The answer of a tool that did what it was asked."""
    assert not answer.is_error, words(answer)
    body: dict[str, Any] = answer.structured_content
    assert words(answer)
    return body


def wrong(answer: CallToolResult) -> dict[str, Any]:
    """What a tool says is wrong with a call, in words and as JSON alike."""
    assert answer.is_error, answer.structured_content
    error: dict[str, Any] = answer.structured_content["error"]
    assert words(answer) == error["detail"]
    return error


def words(answer: CallToolResult) -> str:
    """What a tool says to a model."""
    (content,) = answer.content
    assert isinstance(content, TextContent)
    return content.text
