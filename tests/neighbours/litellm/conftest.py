"""Books and a callback that asks them, for the tests of the LiteLLM callback."""

from collections.abc import Iterator
from typing import Any

import pytest

from budget import Budget
from budget.neighbours.litellm.hooks import Hooks
from budget.sdk.tracking.core import Tracker
from tests.support.databases import SqliteDatabases
from tests.support.priced import empty_books


def naming(model: str, provider: str | None) -> tuple[str, str]:
    """As LiteLLM does: the provider stands before the model, or beside it."""
    before, slash, rest = model.partition("/")
    return (rest, before) if slash else (model, provider or "openai")


@pytest.fixture
def books(sqlite_databases: SqliteDatabases) -> Iterator[Budget]:
    with Budget.open(sqlite_databases.new(empty_books)) as opened:
        yield opened


@pytest.fixture
def hooks(books: Budget) -> Hooks:
    return Hooks(Tracker(books), naming)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def statuses(books: Budget) -> list[str]:
    """How the allocations stand, sorted."""
    return sorted(one.status for one in books.allocations(limit=200).items)


def used(books: Budget) -> list[tuple[int, int]]:
    """Input and output tokens of every usage record."""
    return [(one.usage.input_tokens, one.usage.output_tokens)
            for one in books.usage_records(limit=200).items]  # fmt: skip


def asked(log: Any, **more: Any) -> dict[str, Any]:
    """What LiteLLM is asked, as its hooks see it."""
    return {
        "model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Is it?"}],
        "max_tokens": 50, "litellm_logging_obj": log, "litellm_call_id": log.litellm_call_id,
        **more,
    }  # fmt: skip
