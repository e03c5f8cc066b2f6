"""A call through the gateway: held before, metered, settled before its answer ends."""

from collections.abc import Iterator
from typing import Any, Final

import openai
import pytest

from tests.gateway.through import REAL_KEY, Through

ASKED: Final[Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say five words."}],
}
# gpt-4o: 2.50 USD per million input tokens, 10 of output: 3 in and 5 out.
COST_NANOS = 3 * 2_500 + 5 * 10_000


@pytest.fixture
def client(gateway: Through) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, with nothing changed but its address and its key."""
    with openai.OpenAI(
        base_url=f"{gateway.url}/openai/v1", api_key=gateway.key, max_retries=0
    ) as made:
        yield made


def test_a_call_is_booked_with_what_the_provider_bills(
    gateway: Through, client: openai.OpenAI
) -> None:
    gateway.limit("1")
    answer = client.chat.completions.create(**ASKED)
    assert answer.choices[0].message.content == "word word word word word "
    (record,) = gateway.records()
    assert (record.usage.input_tokens, record.usage.output_tokens) == (3, 5)
    assert record.cost_nanos == COST_NANOS
    assert gateway.open_holds() == 0


def test_a_stream_is_booked_before_its_end_comes(gateway: Through, client: openai.OpenAI) -> None:
    gateway.limit("1")
    with client.chat.completions.create(**ASKED, stream=True) as stream:
        words = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
        (record,) = gateway.records()
    assert "".join(filter(None, words)) == "word word word word word "
    assert record.cost_nanos == COST_NANOS


def test_a_refusal_is_an_error_of_the_callers_own_sdk(
    gateway: Through, client: openai.OpenAI
) -> None:
    gateway.limit("0.000001")
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(**ASKED)
    assert raised.value.status_code == 402
    assert raised.value.code == "over_limit"
    assert "Everything" in raised.value.message
    assert gateway.providers.requests() == []


def test_the_provider_sees_its_own_key_and_none_of_ours(gateway: Through) -> None:
    gateway.limit("1")
    gateway.post("/openai/v1/chat/completions", ASKED, X_Budget_Team="research")
    (headers,) = gateway.providers.headers()
    assert headers["authorization"] == f"Bearer {REAL_KEY}"
    assert not [name for name in headers if name.startswith("x-budget")]
    assert "bud_" not in str(headers)
