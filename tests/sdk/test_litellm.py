"""Calls by LiteLLM hold and settle; where it is not installed there is nothing to try."""

import asyncio
from typing import Any

import pytest

from budget import Budget, BudgetRefused

pytest.importorskip("litellm")

from budget.sdk.litellm import acompletion, completion

ASKED: Any = {
    "model": "gpt-4o", "messages": [{"role": "user", "content": "Is it?"}],
    "max_tokens": 50, "mock_response": "Yes.",
}  # fmt: skip


def _statuses(books: Budget) -> list[str]:
    return [one.status for one in books.allocations().items]


def test_a_call_is_settled_with_what_its_answer_tells(books: Budget) -> None:
    answer = completion(**ASKED)
    told = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert books.usage_records().items[0].usage[:2] == told
    assert _statuses(books) == ["settled"]


def test_a_stream_is_settled_at_its_end(books: Budget) -> None:
    assert list(completion(**ASKED, stream=True))
    assert _statuses(books) == ["settled"]


def test_a_refusal_stops_the_call(books: Budget) -> None:
    books.create_budget(name="none", policies=[{"unit": "usd", "period": "daily", "limit": "0"}])
    with pytest.raises(BudgetRefused):
        completion(**ASKED)


def test_an_error_of_the_provider_gives_the_hold_back(books: Budget) -> None:
    with pytest.raises(Exception, match="RateLimit"):
        completion(**{**ASKED, "mock_response": "litellm.RateLimitError"})
    assert _statuses(books) == ["released"]


def test_the_same_holds_in_an_event_loop(books: Budget) -> None:
    async def calls() -> None:
        await acompletion(**ASKED)
        async for _ in await acompletion(**ASKED, stream=True):
            pass

    asyncio.run(calls())
    assert _statuses(books) == ["settled", "settled"]
