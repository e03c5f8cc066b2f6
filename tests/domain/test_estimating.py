"""An estimate before the call: the bodies of every provider, and whatever else is sent."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.errors import InvalidInput
from budget.domain.estimating import (
    MOST_PARTS,
    WHOLE_CONTEXT_TOKENS,
    Bound,
    Parts,
    bound_of,
    input_tokens_bound,
    parts_of,
)
from budget.domain.text_tokens import text_tokens_bound

GPT = {"provider": "openai", "model": "gpt-4o"}
CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
GEMINI = {"provider": "google", "model": "gemini-2.5-flash"}
LLAMA = {"provider": "ollama", "model": "llama3.3"}
# 128 x 64 pixels, as a PNG begins
PNG = "iVBORw0KGgoAAAANSUhEUgAAAIAAAABACAIAAABdtOgo"


def test_a_chat_is_its_texts_and_a_few_tokens_a_message() -> None:
    body = {
        "model": "gpt-4o",
        "temperature": 0.2,
        "max_tokens": 500,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "How are you?"}]},
        ],
    }
    # 8 a request, 4 a message
    assert parts_of(body, **GPT) == Parts(("Be brief.", "How are you?"), 16)
    # `Be` 1050, ` brief` 1100, `.` 1000; `How` 1050, ` are` 1050, ` you` 1050, `?` 1000: 7300.
    # In the first text one of two words is common, so 2 letters cost 120 each: 7540, which is 8.
    assert input_tokens_bound(body, **GPT) == 8 + 2 + 16


def test_a_text_and_a_list_of_messages_will_do() -> None:
    assert parts_of("Hello", **GPT) == Parts(("Hello",), 12)
    assert parts_of([{"role": "user", "content": "Hello"}], **GPT) == Parts(("Hello",), 12)


def test_a_response_reads_instructions_input_and_what_tools_said() -> None:
    body = {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'},
            {"type": "function_call_output", "call_id": "c1", "output": "Rain."},
        ],
    }
    texts, tokens, _ = parts_of(body, **GPT)
    assert tokens == 8 + 4 + 3 * 4
    assert {"Be brief.", "Weather?", "Rain."} <= set(texts)
    assert '"arguments": "{\\"a\\":1}"' in texts


def test_what_is_only_referred_to_counts_as_a_whole_context() -> None:
    for key in ("previous_response_id", "conversation", "cachedContent"):
        assert parts_of({key: "x", "input": []}, **GPT).other_tokens == 8 + WHOLE_CONTEXT_TOKENS
    assert parts_of({"prompt": {"id": "p"}}, **GPT).other_tokens == 8 + WHOLE_CONTEXT_TOKENS
    assert parts_of({"conversation": None, "input": []}, **GPT).other_tokens == 8


def test_tools_count_by_their_json_and_what_having_tools_adds() -> None:
    tool = {"name": "look", "input_schema": {"type": "object"}}
    texts, tokens, _ = parts_of({"messages": [], "tools": [tool]}, **CLAUDE)
    assert texts == ('[{"name": "look", "input_schema": {"type": "object", }, }, ]',)
    assert tokens == 16 + 804  # the most of Anthropic's table


def test_a_tool_that_the_provider_describes_brings_its_own_text() -> None:
    body = {"tools": [{"type": "computer_20250124", "name": "computer"}]}
    assert parts_of(body, **CLAUDE).other_tokens == 16 + 804 + 1500
    assert parts_of({"tools": [{"googleSearch": {}}]}, **GEMINI).other_tokens == 8 + 64 + 1500
    assert parts_of({"tools": []}, **CLAUDE).other_tokens == 16


def test_anthropic_has_system_blocks_thinking_and_results_of_tools() -> None:
    body = {
        "system": [{"type": "text", "text": "Law.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [
                            {"type": "text", "text": "Rain."},
                            {"type": "image", "source": {"type": "base64", "data": PNG}},
                        ],
                    }
                ],
            },
        ],
    }
    texts, tokens, _ = parts_of(body, **CLAUDE)
    assert texts == ("Law.", "Hm.", '"tool_use_id": "t1"', "Rain.")
    assert tokens == 16 + 3 * 8 + 15  # 128 x 64 pixels are 5 x 3 squares of 28


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, 255),
        ({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}, 85),
        ({"type": "image_url", "image_url": "https://x/y.png"}, 1445),
        ({"type": "image_url", "image_url": 17}, 1445),
        ({"type": "input_image", "file_id": "f", "detail": "high"}, 1445),
        ({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}, 255),
        ({"type": "computer_screenshot", "image_url": "https://x/y.png"}, 1445),
        # 4000 characters are 3000 bytes: 300 and 50 a thousand; 10,000 and one each
        ({"type": "input_audio", "input_audio": {"data": "A" * 4000}}, 450),
        ({"type": "file", "file": {"file_data": "A" * 4000}}, 13_000),
        ({"type": "input_file", "file_url": "https://x/y.pdf"}, 1_000_000),
    ],
)
def test_openais_images_sound_and_files_are_charged_by_rule(
    block: dict[str, object], tokens: int
) -> None:
    body = {"messages": [{"role": "user", "content": [block]}]}
    assert parts_of(body, **GPT) == Parts((), 12 + tokens, tokens)


def test_words_beside_an_image_are_counted_too() -> None:
    block = {"image_url": "https://x/y.png", "text": "What is it?"}
    assert parts_of([{"content": [block]}], **GPT) == Parts(("What is it?",), 12 + 1445, 1445)


@pytest.mark.parametrize(
    ("source", "texts", "tokens"),
    [
        ({"type": "text", "data": "Once."}, ("Once.", "Tale"), 0),
        ({"type": "content", "content": [{"type": "text", "text": "A"}]}, ("A", "Tale"), 0),
        ({"type": "base64", "data": "A" * 4000}, ("Tale",), 13_000),
        ({"type": "url", "url": "https://x/y.pdf"}, ("Tale",), 1_000_000),
    ],
)
def test_anthropics_documents_count_their_text_or_their_bytes(
    source: dict[str, object], texts: tuple[str, ...], tokens: int
) -> None:
    block = {"type": "document", "source": source, "title": "Tale"}
    assert parts_of([{"role": "user", "content": [block]}], **CLAUDE) == Parts(
        texts, 24 + tokens, tokens
    )


def test_gemini_has_contents_parts_and_inline_data() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "What is it?"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                    {"inline_data": {"mime_type": "audio/mp3", "data": "A" * 4000}},
                    {"fileData": {"mimeType": "image/png", "fileUri": "gs://x"}},
                ],
            }
        ],
    }
    # 8 a request, 6 a message; a small image, a sound of 3000 bytes, and 16 tiles at most
    assert parts_of(body, **GEMINI) == Parts(
        ("Be brief.", "What is it?"), 8 + 2 * 6 + 258 + 450 + 4128, 258 + 450 + 4128
    )


def test_geminis_resolution_is_said_for_the_request_or_for_one_image() -> None:
    image = {"fileData": {"mimeType": "image/png", "fileUri": "gs://x"}}
    low = {"mediaResolution": "MEDIA_RESOLUTION_LOW"}
    one = {"mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}
    body = {"generationConfig": low, "contents": [{"parts": [image, image | one]}]}
    model = {"provider": "google", "model": "gemini-3-pro-preview"}
    assert parts_of(body, **model).other_tokens == 8 + 6 + 280 + 1120


def test_ollama_has_a_prompt_a_context_and_images() -> None:
    body = {"prompt": "Hi", "context": [1, 2, 3], "options": {"num_ctx": 4096}, "images": [PNG]}
    # 48 and 12 where nothing is published, 3 tokens of context, 15 squares of 28 pixels
    assert parts_of(body, **LLAMA) == Parts(("Hi",), 48 + 12 + 3 + 15, 3 + 15)
    chat = {"messages": [{"role": "user", "content": "Hi", "images": [PNG]}]}
    assert parts_of(chat, **LLAMA) == Parts(("Hi",), 48 + 12 + 15, 15)


def test_text_that_was_turned_into_tokens_already_counts_them() -> None:
    assert parts_of({"input": [17, 4, 900]}, **GPT) == Parts((), 8 + 3, 3)


def test_what_is_not_known_counts_by_its_json() -> None:
    body = {"newly_invented": {"a": [1, None, True, "\n"]}, "messages": [{"odd": Decimal("1.50")}]}
    texts, _, _ = parts_of(body, **GPT)
    assert texts == ('"newly_invented": {"a": [1, None, True, "\\n", ], }', '"odd": 1.50')


def test_a_long_word_where_a_role_should_be_is_counted() -> None:
    texts, _, _ = parts_of([{"role": "x" * 1000, "content": "Hi"}], **GPT)
    assert f'"role": "{"x" * 1000}"' in texts


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (None, "request"),
        (7, "request"),
        ({"messages": [object()]}, "messages"),
        ({"messages": [{"role": "user", "content": {1, 2}}]}, "messages"),
        ({"tools": [{"parameters": object()}]}, "tools"),
        ({"messages": [{object(): 1}]}, "messages"),
        ({object(): 1}, "request"),
    ],
)
def test_what_is_not_json_is_refused_with_the_field(request_: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        input_tokens_bound(request_, **GPT)
    assert refused.value.field == field


def test_no_depth_is_too_deep() -> None:
    for key in ("messages", "tools", "unknown"):
        nested: object = "deep"
        for depth in range(20_000):
            nested = [nested] if depth % 2 else {"content": nested}
        assert input_tokens_bound({key: nested}, **GPT) > 0


def test_what_holds_itself_or_too_much_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    for key, held in (("messages", loop), ("tools", loop), ("images", [1] * (MOST_PARTS + 1))):
        with pytest.raises(InvalidInput, match="parts") as refused:
            input_tokens_bound({key: held}, **GPT)
        assert refused.value.field == key


def test_a_long_request_takes_little_time() -> None:
    long = "Some words, 17 numbers and 漢字. " * 300_000  # nearly 10 million characters
    started = time.perf_counter()
    assert input_tokens_bound(long, **GPT) > 5_000_000
    assert time.perf_counter() - started < 5


def test_very_long_numbers_do_not_stop_it() -> None:
    assert input_tokens_bound({"messages": [{"n": 10**9000}]}, **GPT) >= 3000


KEYS = [
    *("role", "content", "type", "text", "parts", "image_url", "url", "detail", "source", "data"),
    *("tool_calls", "function", "arguments", "input_audio", "file", "inlineData", "fileData"),
    *("mimeType", "images", "cache_control", "mediaResolution", "level", "title", "name"),
]
WORDS = [
    *("user", "text", "image_url", "image", "document", "input_audio", "file", "base64"),
    *("image/png", f"data:image/png;base64,{PNG}", "low", "content", "input_image"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(WORDS) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6),
    max_leaves=25,
)  # fmt: skip
TOP = st.sampled_from(
    [
        *("messages", "input", "contents", "system", "systemInstruction", "instructions", "tools"),
        *("prompt", "images", "context", "generationConfig", "model", "conversation", "new"),
    ]
)
MODELS = st.sampled_from([GPT, CLAUDE, GEMINI, LLAMA, {"provider": "", "model": "?"}])


@given(st.dictionaries(TOP, JSON, max_size=5), MODELS)
def test_whatever_json_is_sent_has_a_bound(body: dict[str, object], model: dict[str, str]) -> None:
    assert input_tokens_bound(body, **model) > 0


@given(JSON, MODELS)
def test_what_is_no_request_is_refused_and_nothing_else_happens(
    body: object, model: dict[str, str]
) -> None:
    if isinstance(body, str | list | tuple | dict):
        assert input_tokens_bound(body, **model) > 0
    else:
        with pytest.raises(InvalidInput):
            input_tokens_bound(body, **model)


@given(st.lists(st.text(max_size=200), max_size=8), MODELS)
def test_one_message_more_never_counts_less(said: list[str], model: dict[str, str]) -> None:
    messages = [{"role": "user", "content": text} for text in said]
    fewer = parts_of(messages, **model)
    more = parts_of([*messages, {"role": "user", "content": "And?"}], **model)
    assert more.other_tokens > fewer.other_tokens
    assert more.texts == (*fewer.texts, "And?")


def test_the_text_of_a_request_has_the_bound_of_a_text() -> None:
    assert input_tokens_bound("Hello there", **GPT) == 12 + text_tokens_bound(
        "Hello there", "o200k"
    )


def test_the_tokens_that_are_not_those_of_texts_are_told_apart() -> None:
    body = {"previous_response_id": "r", "input": [{"role": "user", "content": "Hello there"}]}
    text = 12 + text_tokens_bound("Hello there", "o200k")
    assert bound_of(body, **GPT) == Bound(text + WHOLE_CONTEXT_TOKENS, WHOLE_CONTEXT_TOKENS)
    assert bound_of("Hello there", **GPT) == Bound(text, 0)
