"""Counting an answer while it comes: the same however it is cut, and never too low."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.domain.responses.words import texts_of
from budget.gateway.metering import Meter
from budget.prices import exact_tokens

TEXTS = st.lists(
    st.one_of(
        st.sampled_from([
            "The balance of the account is told to nobody but the customer. ",
            "def total(rows: list[int]) -> int:\n    return sum(rows)\n",
            '{"city": "Zürich", "days": 3, "units": ["metric", "celsius"]}',
            "Die Straße führt über die Brücke zum Bahnhof. ",
            "これは東京の天気についての短い文章です。",
            "Сегодня хорошая погода, и мы идём гулять. ",
            "3.14159265358979 2026-11-26T10:15:00Z 1,234,567 ",
        ]),
        st.text(max_size=40),
    ),
    max_size=30,
).map("".join)  # fmt: skip
OPENAI = ("openai", "gpt-4o")
OTHERS = [("anthropic", "claude-haiku-4-5"), ("google", "gemini-2.5-flash"), ("ollama", "llama3.2")]


def pieces_of(text: str, dice: random.Random, longest: int) -> list[str]:
    """The text in pieces of a random length."""
    found, at = [], 0
    while at < len(text):
        end = at + dice.randint(1, longest)
        found.append(text[at:end])
        at = end
    return found


def metered(model: tuple[str, str], pieces: list[str], every: int) -> Meter:
    """What has heard the pieces, and counted after each of so many."""
    meter = Meter(*model)
    for number, piece in enumerate(pieces):
        meter.hear([piece])
        if number % every == 0:
            meter.surely()
    return meter


@given(TEXTS, st.integers(0, 1_000_000), st.integers(1, 80), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_openais_tokens_are_counted_exactly_however_they_come(
    text: str, seed: int, longest: int, every: int
) -> None:
    """Within 1% and 2 tokens of the whole text's count, which is exact."""
    true = exact_tokens.text_tokens(text, provider=OPENAI[0], model=OPENAI[1])
    meter = metered(OPENAI, pieces_of(text, random.Random(seed), longest), every)
    assert meter.is_exact
    assert abs(meter.surely() - true) <= 2 + true / 100
    assert meter.likely() == meter.surely()


@pytest.mark.parametrize("model", OTHERS, ids=lambda model: model[1])
@given(text=TEXTS, seed=st.integers(0, 1_000_000), longest=st.integers(1, 80))
@settings(max_examples=40, deadline=None)
def test_where_the_encoding_is_not_known_the_bound_hardly_depends_on_the_pieces(
    model: tuple[str, str], text: str, seed: int, longest: int
) -> None:
    """Within 10% and 4 tokens: of whole lots more is known than of the whole."""
    whole = metered(model, [text], 1).surely()
    cut = metered(model, pieces_of(text, random.Random(seed), longest), 1).surely()
    assert abs(cut - whole) <= 4 + whole / 10


@given(TEXTS, st.integers(0, 1_000_000))
@settings(max_examples=40, deadline=None)
def test_a_quick_count_is_never_below_a_close_one(text: str, seed: int) -> None:
    meter = Meter(*OPENAI)
    for piece in pieces_of(text, random.Random(seed), 60):
        meter.hear([piece])
        assert meter.at_most(1_000_000) >= meter.surely()


def test_a_count_that_may_be_a_little_too_high_is_no_proof_that_a_limit_is_broken() -> None:
    meter = metered(OPENAI, ["word "] * 105, 1)
    assert meter.likely() in (105, 106)
    assert not meter.is_over(100)
    assert meter.within(100) == 100
    meter.hear(["word "] * 10)
    assert meter.is_over(100)
    assert meter.within(100) == meter.likely()


@pytest.mark.parametrize(
    ("events", "heard"),
    [
        (  # a call of a tool, in pieces, by OpenAI's chat
            [
                {"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [
                    {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]}}]},
                {"choices": [{"index": 0, "delta": {"tool_calls": [
                    {"index": 0, "function": {"arguments": '{"a":'}}]}}]},
                {"choices": [{"index": 0, "delta": {"tool_calls": [
                    {"index": 0, "function": {"arguments": "1}"}}]}}]},
            ],
            '{"a":1}',
        ),
        ([{"choices": [{"index": 0, "delta": {"refusal": "I cannot."}}]}], "I cannot."),
        ([{"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]}], "Hm."),
        (  # OpenAI's responses tell every text again when it is done, and once more at the end
            [
                {"type": "response.output_text.delta", "output_index": 0, "delta": "Good "},
                {"type": "response.output_text.delta", "output_index": 0, "delta": "day."},
                {"type": "response.output_text.done", "output_index": 0, "text": "Good day."},
                {"type": "response.content_part.done", "output_index": 0,
                 "part": {"type": "output_text", "text": "Good day."}},
                {"type": "response.output_item.done", "output_index": 0, "item": {
                    "type": "message", "content": [{"type": "output_text", "text": "Good day."}]}},
                {"type": "response.function_call_arguments.delta", "delta": '{"a":1}'},
                {"type": "response.function_call_arguments.done", "arguments": '{"a":1}'},
                {"type": "response.completed", "response": {"output": [{
                    "type": "message",
                    "content": [{"type": "output_text", "text": "Good day."}]}]}},
            ],
            'Good day.{"a":1}',
        ),
        (  # Anthropic's messages: a thought, a text, the input of a tool
            [
                {"type": "message_start", "message": {"content": []}},
                {"type": "content_block_delta", "delta": {"type": "thinking_delta",
                                                          "thinking": "Hm. "}},
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Yes. "}},
                {"type": "content_block_delta", "delta": {"type": "input_json_delta",
                                                          "partial_json": '{"a":1}'}},
                {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            ],
            'Hm. Yes. {"a":1}',
        ),
        (  # Google's: a thought, a text, a call of a function
            [
                {"candidates": [{"content": {"parts": [{"text": "Hm. ", "thought": True}]}}]},
                {"candidates": [{"content": {"parts": [{"text": "Yes. "}]}}]},
                {"candidates": [{"content": {"parts": [
                    {"functionCall": {"name": "f", "args": {"a": 1}}}]}}]},
            ],
            'Hm. Yes. {"name": "f", "args": {"a": 1}}',
        ),
        (  # Ollama's
            [
                {"message": {"role": "assistant", "thinking": "Hm. "}, "done": False},
                {"message": {"role": "assistant", "content": "Yes."}, "done": True},
            ],
            "Hm. Yes.",
        ),
    ],
    ids=["tool", "refusal", "reasoning", "responses", "messages", "gemini", "ollama"],
)  # fmt: skip
def test_every_kind_of_text_is_heard_once(events: list[dict[str, object]], heard: str) -> None:
    assert "".join(text for event in events for text in texts_of(event)) == heard
