"""What goes on at a provider when its call was answered: batches, and answers in the background."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest

from budget.domain.answers import UsageRecord
from tests.fakes.works import BEHIND, IN_BATCH
from tests.gateway.through import Through

# gpt-4o in a batch: 1.25 USD per million input tokens, 5 of output.
OF_EACH = IN_BATCH[0] * 1_250 + IN_BATCH[1] * 5_000


def client_of(gateway: Through) -> openai.OpenAI:
    """OpenAI's own client, with nothing changed but its address and its key."""
    return openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key=gateway.key, max_retries=0)


def booked(gateway: Through) -> list[UsageRecord]:
    """What was booked, without the records of nothing that lead from works to their holds."""
    return [one for one in gateway.records() if not one.usage_id.startswith("use_later_")]


def lines(count: int, **given: Any) -> bytes:
    """A file of so many requests."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **given}
    request = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    return b"\n".join(
        json.dumps({"custom_id": f"n-{number}", **request}).encode() for number in range(count)
    )


def begun(client: openai.OpenAI, content: bytes, **given: Any) -> Any:
    """A batch of these requests."""
    file = client.files.create(file=("requests.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", **given
    )


def test_a_batch_is_held_when_it_begins_and_booked_once_when_its_end_is_told(
    gateway: Through,
) -> None:
    """Two requests of at most 1,000 output tokens: 0.01 USD, and their input."""
    policy_id = gateway.limit("1")
    with client_of(gateway) as client:
        batch = begun(client, lines(2, max_tokens=1000), metadata={"mine": "yes"})
        assert batch.metadata == {"mine": "yes"}
        (balance,) = gateway.books.balances(policy_id=policy_id).items
        assert 10_000_000 < balance.reserved < 10_200_000
        assert client.batches.retrieve(batch.id).status == "validating"
        assert gateway.open_holds() == 1
        gateway.providers.works.end()
        with ThreadPoolExecutor(4) as several:
            for done in several.map(client.batches.retrieve, [batch.id] * 8):
                assert (done.status, done.metadata) == ("completed", {"mine": "yes"})
    (record,) = booked(gateway)
    assert record.cost_nanos == 2 * OF_EACH
    assert (record.usage.requests, record.usage.output_tokens) == (2, 2 * IN_BATCH[1])
    assert gateway.open_holds() == 0


def test_a_batch_is_refused_where_there_is_no_money_for_all_of_it(gateway: Through) -> None:
    gateway.limit("0.05")
    with client_of(gateway) as client:
        with pytest.raises(openai.APIStatusError, match="Everything") as raised:
            begun(client, lines(11, max_tokens=1000))
        assert raised.value.status_code == 402
        assert "/v1/batches" not in [path for path, _ in gateway.providers.requests()]
        with pytest.raises(openai.APIStatusError, match="X-Budget-Max-Usd"):
            begun(client, lines(2, max_tokens=1000), extra_headers={"X-Budget-Max-Usd": "0.01"})
        begun(client, lines(9, max_tokens=1000))


def test_a_batch_whose_end_is_seen_in_a_list_only_is_booked_too(gateway: Through) -> None:
    gateway.limit("1")
    with client_of(gateway) as client:
        begun(client, lines(3, max_tokens=10))
        gateway.providers.works.end()
        assert [batch.metadata for batch in client.batches.list()] == [{}]
    assert [record.cost_nanos for record in booked(gateway)] == [3 * OF_EACH]


def test_a_batch_that_failed_gives_all_of_its_hold_back(gateway: Through) -> None:
    gateway.limit("1")
    with client_of(gateway) as client:
        batch = begun(client, lines(1, max_tokens=10))
        gateway.providers.works.end("failed")
        client.batches.retrieve(batch.id)
    assert (gateway.open_holds(), booked(gateway)) == (0, [])


def test_a_batch_that_cannot_be_read_is_not_begun(gateway: Through) -> None:
    gateway.limit("1")
    with client_of(gateway) as client:
        with pytest.raises(openai.BadRequestError, match="line 1 is not JSON"):
            begun(client, b"{")
        with pytest.raises(openai.BadRequestError, match="cannot be read at the provider"):
            client.batches.create(
                input_file_id="file-none", endpoint="/v1/responses", completion_window="24h"
            )
        with pytest.raises(openai.BadRequestError, match="a name of the budget's"):
            begun(client, lines(1), metadata={"budget_allocation": "alloc_of_another"})
    assert gateway.open_holds() == 0


def test_a_batch_of_messages_is_booked_by_its_results(gateway: Through) -> None:
    """claude-haiku-4-5 in a batch: 0.50 USD per million input tokens, 2.50 of output."""
    gateway.limit("1")
    params: Any = {
        "model": "claude-haiku-4-5", "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip
    with anthropic.Anthropic(
        base_url=f"{gateway.url}/anthropic", api_key=gateway.key, max_retries=0
    ) as client:
        batch = client.messages.batches.create(
            requests=[{"custom_id": name, "params": params} for name in ("a", "b")]
        )
        assert gateway.open_holds() == 1
        gateway.providers.works.end()
        client.messages.batches.retrieve(batch.id)
        client.messages.batches.retrieve(batch.id)
    (record,) = booked(gateway)
    assert record.cost_nanos == 2 * (IN_BATCH[0] * 500 + IN_BATCH[1] * 2_500)
    assert gateway.open_holds() == 0


def test_an_answer_in_the_background_is_booked_when_it_is_fetched(gateway: Through) -> None:
    """gpt-4o: 2.50 USD per million input tokens, 10 of output."""
    gateway.limit("1")
    with client_of(gateway) as client:
        begun = client.responses.create(
            model="gpt-4o", input="Think long", background=True, max_output_tokens=100
        )
        assert (begun.status, begun.metadata) == ("queued", {})
        assert client.responses.retrieve(begun.id).status == "queued"
        assert gateway.open_holds() == 1
        gateway.providers.works.end()
        assert client.responses.retrieve(begun.id).status == "completed"
        client.responses.retrieve(begun.id)
    (record,) = booked(gateway)
    assert record.cost_nanos == BEHIND[0] * 2_500 + BEHIND[1] * 10_000
    assert record.usage.requests == 1
    assert gateway.open_holds() == 0


def test_an_answer_in_the_background_is_told_a_limit_and_its_hold_is_shown_to_nobody_else(
    gateway: Through,
) -> None:
    gateway.limit("1")
    asked = {"model": "gpt-4o", "input": "Think", "background": True, "metadata": {"mine": "yes"}}
    told = gateway.post("/openai/v1/responses", asked).json()
    ((_, came),) = gateway.providers.requests()
    assert told["metadata"] == {"mine": "yes"}
    assert came["max_output_tokens"] == 16_384
    (held,) = gateway.books.allocations(status="open").items
    assert came["metadata"] == {"mine": "yes", "budget_allocation": held.allocation_id}
    gateway.post(
        "/openai/v1/responses", {**asked, "metadata": came["metadata"]}, status=400
    )  # fmt: skip
