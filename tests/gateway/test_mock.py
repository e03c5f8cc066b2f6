"""The mock model: an upstream within the service, which needs no provider."""

from collections.abc import Iterator
from contextlib import closing

import openai
import pytest

from budget.domain.errors import InvalidInput
from budget.gateway.mock import Mock, with_mock
from budget.gateway.upstreams import read_upstreams


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    """OpenAI's client, straight at the model."""
    with (
        closing(Mock(word_seconds=0)) as mock,
        openai.OpenAI(
            base_url=mock.upstream.base_url, api_key="none", max_retries=0
        ) as made,
    ):  # fmt: skip
        yield made


def asked(words: str) -> openai.types.chat.ChatCompletionUserMessageParam:
    return {"role": "user", "content": words}


def test_it_writes_as_many_words_as_are_asked_for_and_tells_its_usage(
    client: openai.OpenAI,
) -> None:
    answer = client.chat.completions.create(model="any", messages=[asked("Write 7 words.")])
    assert answer.choices[0].finish_reason == "stop"
    text = answer.choices[0].message.content or ""
    assert len(text.split()) == 7
    assert answer.usage is not None
    # Write, 7, words and a full stop, and three for the message.
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 7)


def test_it_keeps_to_the_limit_unless_it_is_told_not_to(client: openai.OpenAI) -> None:
    for headers, words, finish in (({}, 5, "length"), ({"X-Mock-Limit": "off"}, 90, "stop")):
        answer = client.chat.completions.create(
            model="any", messages=[asked("Write 90 words.")], max_tokens=5, extra_headers=headers
        )
        assert answer.usage is not None
        told = (answer.usage.completion_tokens, answer.choices[0].finish_reason)
        assert told == (words, finish)


def test_it_streams_and_tells_its_usage_to_who_asks(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="any", messages=[asked("Hello")], stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    words = [one.choices[0].delta.content for one in chunks if one.choices]
    assert len(list(filter(None, words))) == 20
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 20


def test_what_it_does_not_speak_is_an_error_in_openais_shape(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="chat/completions alone"):
        client.embeddings.create(model="any", input="x")
    with pytest.raises(openai.BadRequestError, match="no JSON object"):
        client.post("/chat/completions", body=[1], cast_to=object)


def test_it_is_among_the_upstreams_while_it_is_switched_on() -> None:
    known = read_upstreams({})
    with with_mock(known, {"BUDGET_GATEWAY_MOCK": "on"}) as found:
        assert found["mock"].provider == "openai"
        assert found.keys() - known.keys() == {"mock"}
    with with_mock(known, {}) as found:
        assert found == known


def test_a_switch_that_is_neither_on_nor_off_is_named() -> None:
    with (
        pytest.raises(InvalidInput, match="BUDGET_GATEWAY_MOCK"),
        with_mock({}, {"BUDGET_GATEWAY_MOCK": "yes"}),
    ):
        pass
