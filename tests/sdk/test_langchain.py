"""Calls of LangChain hold and settle, through its own callback machinery."""
# ruff: noqa: ARG002 - the signatures are those of LangChain

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain_core")

from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage

from budget import Budget, BudgetRefused
from budget.sdk.langchain import AsyncBudgetCallback, BudgetCallback

USAGE: Any = {"input_tokens": 90, "output_tokens": 5, "total_tokens": 95}
TOLD = AIMessage("Yes.", usage_metadata=USAGE)


class Model(FakeMessagesListChatModel):
    """LangChain's fake model, by a name that has a price; it tells how often it was called."""

    calls: int = 0
    error: Exception | None = None

    def _get_ls_params(self, stop: list[str] | None = None, **rest: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": "gpt-4o", "ls_max_tokens": 50}

    def _generate(self, *args: Any, **rest: Any) -> Any:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return super()._generate(*args, **rest)


def _no_money(books: Budget) -> None:
    books.create_budget(name="none", policies=[{"unit": "usd", "period": "daily", "limit": "0"}])


def test_a_call_is_settled_with_what_its_message_tells(books: Budget) -> None:
    Model(responses=[TOLD]).invoke("Is it?", config={"callbacks": [BudgetCallback()]})
    record = books.usage_records().items[0]
    assert record.usage[:2] == (90, 5)
    assert [one.status for one in books.allocations().items] == ["settled"]


def test_a_refusal_stops_the_call_before_it_is_sent(books: Budget) -> None:
    _no_money(books)
    model = Model(responses=[TOLD])
    with pytest.raises(BudgetRefused):
        model.invoke("Is it?", config={"callbacks": [BudgetCallback()]})
    assert model.calls == 0


def test_a_call_that_never_left_gives_its_hold_back(books: Budget) -> None:
    model = Model(responses=[TOLD], error=ConnectionRefusedError("nobody there"))
    with pytest.raises(ConnectionRefusedError):
        model.invoke("Is it?", config={"callbacks": [BudgetCallback()]})
    assert [one.status for one in books.allocations().items] == ["released"]


def test_an_answer_without_usage_is_estimated_and_says_so(books: Budget) -> None:
    model = Model(responses=[AIMessage("Yes.")])
    model.invoke("Is it?", config={"callbacks": [BudgetCallback()]})
    record = books.usage_records().items[0]
    assert record.usage.input_tokens > 0
    assert "estimated" in str(record.metadata)


def test_the_same_holds_in_an_event_loop(books: Budget) -> None:
    callbacks: Any = {"callbacks": [AsyncBudgetCallback()]}
    asyncio.run(Model(responses=[TOLD]).ainvoke("Is it?", config=callbacks))
    assert books.usage_records().items[0].usage[:2] == (90, 5)
    _no_money(books)
    model = Model(responses=[TOLD])
    with pytest.raises(BudgetRefused):
        asyncio.run(model.ainvoke("Is it?", config=callbacks))
    assert model.calls == 0
