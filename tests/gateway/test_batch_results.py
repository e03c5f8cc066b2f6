"""What the lines of a batch tell, as the books take it; figures worked out by hand."""

import json
from typing import Any

import pytest

from budget.domain.pricing import Rates
from budget.gateway.batch_results import asks_of_results
from budget.prices.book import PriceBook

FLAT = Rates(1_000_000, 2_000_000)
TIERED = Rates(((0, 1_000_000), (200_000, 2_000_000)), 2_000_000)
PRICES = PriceBook(None, {("openai", "flat"): FLAT, ("openai", "tiered"): TIERED})


def line(model: str, read: int, wrote: int) -> str:
    """An answer to one request, as OpenAI writes it into a file."""
    usage = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
    body = {"id": "c", "object": "chat.completion", "model": model, "choices": [], "usage": usage}
    return json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}})


def asks(*lines: str) -> list[Any]:
    """What is booked for these lines."""
    return list(asks_of_results("\n".join(lines).encode(), "openai", PRICES, 0))


def test_lines_of_a_model_are_one_record_of_as_many_requests() -> None:
    (ask,) = asks(line("flat", 10, 5), line("flat", 20, 7))
    assert (ask["input_tokens"], ask["output_tokens"], ask["requests"]) == (30, 12, 2)
    assert (ask["model"], ask["price_context"]) == ("flat", {"processing": "batch"})


def test_each_line_is_a_record_where_long_calls_are_dearer() -> None:
    """Together they would be in the dearer tier, in which none of them is."""
    told = asks(line("tiered", 150_000, 5), line("tiered", 100_000, 7), line("flat", 1, 1))
    assert [(ask["model"], ask["input_tokens"]) for ask in told] == [
        ("tiered", 150_000), ("tiered", 100_000), ("flat", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [
        "", "{", "[]", "7", '{"response": null}', '{"response": {"body": null}}',
        '{"error": {"code": "expired"}, "response": null}',
        '{"response": {"status_code": 400, "body": {"error": {"message": "bad"}}}}',
        '{"result": {"type": "errored", "error": {"type": "error"}}}',
    ],
)  # fmt: skip
def test_a_line_that_tells_nothing_used_nothing(odd: str) -> None:
    assert asks(odd) == []
    assert len(asks(odd, line("flat", 1, 1), odd)) == 1
