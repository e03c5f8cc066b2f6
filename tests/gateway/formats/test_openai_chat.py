"""Chunks of chat, put together: the quick way and the thorough one come to the same."""

from typing import Any

import pytest

from budget.gateway.formats.openai_chat import ChatTranscript, take_plain

HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}


def chunk(*choices: Any, **more: Any) -> dict[str, Any]:
    return {**HEAD, "choices": list(choices), **more}


def choice(delta: Any, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish, **more}


FIRST = chunk(choice({"role": "assistant", "content": ""}))
HALF = chunk(choice({"content": "one "}))
LAST = chunk(choice({}, "stop"))
ODD: list[Any] = [
    chunk(choice({"content": "two "}), choice({"content": "zwei "}, index=1)),
    chunk(choice({"content": "two ", "refusal": "no"})),
    chunk(choice({"content": "two "}, "length")),
    chunk(choice({"content": "two "}, logprobs={"content": [{"token": "two "}]})),
    chunk(choice({"content": "two "}, index=1)),
    chunk(choice({"content": None})),
    chunk(choice({"content": 7})),
    chunk(choice("two")),
    chunk("two"),
    chunk(),
    chunk(choice({"content": "two "}), usage={"prompt_tokens": 1, "completion_tokens": 2}),
    chunk(choice({"content": "two "}), x_groq={"id": "g"}),
    chunk(choice({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]})),
    {**HEAD, "choices": None},
    {**HEAD, "choices": {"0": 1}},
    {"error": {"message": "overloaded"}},
]


def test_a_piece_of_text_is_taken_quickly_once_a_chunk_like_it_has_come() -> None:
    transcript = ChatTranscript()
    assert take_plain(transcript, HALF) is None
    transcript.take(FIRST)
    assert take_plain(transcript, HALF) == "one "
    assert transcript.whole()["choices"][0]["message"]["content"] == "one "


@pytest.mark.parametrize("odd", ODD)
def test_whatever_comes_between_both_ways_put_the_same_together(odd: dict[str, Any]) -> None:
    quick, thorough = ChatTranscript(), ChatTranscript()
    for event in (FIRST, HALF, HALF, odd, HALF, odd, *[HALF] * 100, LAST):
        if take_plain(quick, event) is None:
            quick.take(event)
        thorough.take(event)
    assert quick.whole() == thorough.whole()


@pytest.mark.parametrize("odd", ODD)
def test_nothing_but_a_piece_of_text_is_taken_quickly(odd: dict[str, Any]) -> None:
    transcript = ChatTranscript()
    transcript.take(FIRST)
    transcript.take(odd)
    assert take_plain(transcript, odd) is None


def test_calls_of_tools_at_once_are_put_together_each() -> None:
    transcript = ChatTranscript()
    for index, name in ((0, "weather"), (1, "time")):
        made = {"name": name, "arguments": ""}
        call = {"index": index, "id": f"call_{index}", "type": "function", "function": made}
        transcript.take(chunk(choice({"tool_calls": [call]})))
    for index, text in ((1, '{"in":'), (0, '{"at":1'), (1, "2}"), (0, "}")):
        call = {"index": index, "function": {"arguments": text}}
        transcript.take(chunk(choice({"tool_calls": [call]})))
    transcript.take(chunk(choice({}, "tool_calls")))
    (whole,) = transcript.whole()["choices"]
    assert whole["finish_reason"] == "tool_calls"
    assert whole["message"]["tool_calls"] == [
        {
            "id": f"call_{index}", "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for index, (name, arguments) in enumerate(
            (("weather", '{"at":1}'), ("time", '{"in":2}'))
        )
    ]  # fmt: skip


def test_several_answers_with_their_logprobs_are_put_together_each() -> None:
    transcript = ChatTranscript()
    for text in ("one ", "two "):
        for index in (1, 0):
            told = {"content": [{"token": text, "logprob": -1}], "refusal": None}
            transcript.take(chunk(choice({"content": text}, index=index, logprobs=told)))
    choices = transcript.whole()["choices"]
    assert [one["index"] for one in choices] == [0, 1]
    for one in choices:
        assert one["message"]["content"] == "one two "
        assert [each["token"] for each in one["logprobs"]["content"]] == ["one ", "two "]


def test_audio_is_put_together_from_its_pieces() -> None:
    transcript = ChatTranscript()
    transcript.take(chunk(choice({"audio": {"id": "audio_1", "transcript": "He"}})))
    transcript.take(chunk(choice({"audio": {"data": "AAAA", "transcript": "llo"}})))
    transcript.take(chunk(choice({"audio": {"data": "BBBB", "expires_at": 9}})))
    (whole,) = transcript.whole()["choices"]
    assert whole["message"]["audio"] == {
        "id": "audio_1", "data": "AAAABBBB", "transcript": "Hello", "expires_at": 9,
    }  # fmt: skip
