"""`budget neighbours` says when a LiteLLM proxy last had something booked."""

import pytest

from budget import Budget
from budget.engine.budget import AsyncBudget
from budget.neighbours.litellm.watching import LiteLLM

pytestmark = pytest.mark.anyio


async def test_a_proxy_is_seen_by_what_it_books(books: Budget) -> None:
    watching = LiteLLM(AsyncBudget(books.books))
    await watching.look()
    assert _state(watching) == "waiting"
    books.record_usage(input_tokens=1, attributes={"user": "ann"})
    await watching.look()
    assert _state(watching) == "waiting"
    receipt = books.record_usage(input_tokens=1, attributes={"tag.litellm_key": "bot"})
    await watching.look()
    assert _state(watching) == "working"
    assert watching.contact.facts == {"key": "bot"}
    seen_us = watching.contact.last_contact_us
    (record,) = [one for one in books.usage_records().items if one.usage_id == receipt.usage_id]
    assert seen_us == record.recorded_us
    await watching.look()
    assert watching.contact.last_contact_us == seen_us


def _state(watching: LiteLLM) -> str:
    return watching.contact.state
