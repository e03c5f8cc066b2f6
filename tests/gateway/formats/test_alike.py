"""Events that differ in their text alone: read many at once, they say what each of them says."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.domain.responses import Stream
from budget.gateway.formats import anthropic, gemini, openai
from budget.gateway.formats.format import Asked, Format, Target
from budget.gateway.formats.frames import ServerSentEvents
from budget.gateway.hearing import Hearing
from budget.gateway.metering import Meter

TEXTS = st.lists(
    st.one_of(st.text(max_size=8), st.sampled_from(['"', "\\", '"}', "\n\n", " ", "", '","', "é"])),
    min_size=1, max_size=20,
)  # fmt: skip


def event(body: Any, kind: str = "") -> bytes:
    named = f"event: {kind}\n" if kind else ""
    return f"{named}data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


def chat(delta: Any, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "c1", "model": "gpt-4o", "choices": [choice], **more})


def chats(texts: list[str], *, padded: bool) -> list[bytes]:
    """A chat that brings these texts, each with a padding as OpenAI sends it, or without."""
    pads: list[dict[str, str]] = [
        {"obfuscation": "x" * (1 + len(text))} if padded else {} for text in texts
    ]
    told = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return [
        chat({"role": "assistant", "content": ""}, **({"obfuscation": "b"} if padded else {})),
        *(chat({"content": text}, **pad) for text, pad in zip(texts, pads, strict=True)),
        chat({}, "stop"),
        event({"id": "c1", "model": "gpt-4o", "choices": [], "usage": told}),
        b"data: [DONE]\n\n",
    ]


def messages(texts: list[str]) -> list[bytes]:
    """A message that brings these texts."""
    begun = {"id": "m1", "model": "claude", "content": [], "usage": {"input_tokens": 3}}
    block: Any = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
    bodies: list[Any] = [{"type": "message_start", "message": begun}, block, *deltas, end]
    return [event(body, body["type"]) for body in bodies]


def contents(texts: list[str]) -> list[bytes]:
    """What Gemini sends: figures with every text."""
    return [
        event({
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
                           | ({"finishReason": "STOP"} if made == len(texts) else {})],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": made},
            "modelVersion": "gemini", "responseId": "g1",
        })
        for made, text in enumerate(texts, 1)
    ]  # fmt: skip


def heard(spoken: Format, api: str, pieces: list[bytes]) -> tuple[Hearing, bytes]:
    """What has heard the pieces, and all that it passed on."""
    asked = Asked(api, "gpt-4o", streams=True, can_stream=True)
    target = Target("POST", "/", "", {"stream_options": {"include_usage": True}})
    hearing = Hearing(spoken, target, asked, Stream("", api), Meter("openai", "gpt-4o"))
    passed = b"".join(hearing.take(piece) for piece in pieces)
    return hearing, passed + hearing.rest()


def cut(raw: bytes, dice: random.Random, longest: int) -> list[bytes]:
    found, at = [], 0
    while at < len(raw):
        end = at + dice.randint(1, longest)
        found.append(raw[at:end])
        at = end
    return found


@given(TEXTS, st.integers(0, 1_000_000), st.integers(1, 3000), st.sampled_from("cpmg"))
@settings(max_examples=50, deadline=None)
def test_however_a_stream_is_cut_it_says_the_same(
    texts: list[str], seed: int, longest: int, kind: str
) -> None:
    spoken, api, events = {
        "c": (openai.FORMAT, "chat", chats(texts, padded=False)),
        "p": (openai.FORMAT, "chat", chats(texts, padded=True)),
        "m": (anthropic.FORMAT, "messages", messages(texts)),
        "g": (gemini.FORMAT, "generate_content", contents(texts)),
    }[kind]
    raw = b"".join(events)
    hearing, passed = heard(spoken, api, cut(raw, random.Random(seed), longest))
    assert passed == raw
    assert hearing.ended
    told = hearing.told.told()
    assert told.usage is not None
    assert told.usage.input_tokens == 3
    if kind == "g":
        assert told.usage.output_tokens == len(texts)
    assert "".join(texts) == said(hearing.transcript.whole())
    assert hearing.meter.surely() == heard_alone("".join(texts))


def said(whole: Any) -> str:
    """The text of an answer."""
    if "choices" in whole:
        text: str = whole["choices"][0]["message"]["content"]
        return text
    content = whole["content"] if "content" in whole else whole["candidates"][0]["content"]["parts"]
    return "".join(part["text"] for part in content)


def heard_alone(text: str) -> int:
    meter = Meter("openai", "gpt-4o")
    meter.hear_text(text)
    return meter.surely()


def test_events_of_which_each_is_like_the_first_are_read_at_once() -> None:
    frames = ServerSentEvents()
    words = ["two ", 'th"ree ', "four\n", ""]
    first, *others = [chat({"content": text}, obfuscation="x" * 5) for text in ("one ", *words)]
    for frame in frames.feed(first):
        frames.expect(frame, "one ")
    (run,) = frames.feed(b"".join(others))
    assert (run.raw, run.event, run.text) == (b"".join(others), None, "".join(words))


@pytest.mark.parametrize(
    "odd",
    [
        chat({"content": "x"}, "stop"),
        chat({"content": "x", "refusal": "no"}),
        chat({"content": "x"}, usage={"prompt_tokens": 1}),
        chat({"content": "x"}).replace(b'"id": "c1"', b'"id": "c2"'),
        chat({"content": "x"}).replace(b'"x"', b'"x", "content": "y"'),
        chat({"content": "x"}).replace(b'"x"', b"7"),
        chat({"content": "x"}).replace(b'"x"', b'"\\ud83d"'),
        chat({"content": "x"}).replace(b'"x"', b'"x\x01"'),
        b": keep-alive\n\n",
    ],
)
def test_an_event_that_is_not_is_read_by_itself(odd: bytes) -> None:
    frames = ServerSentEvents()
    plain = chat({"content": "one "})
    for frame in frames.feed(plain):
        frames.expect(frame, "one ")
    found = []
    for frame in frames.feed(plain * 3 + odd + plain * 2):
        found.append((frame.raw, frame.text))
        if frame.raw == plain and frame.text is None:
            frames.expect(frame, "one ")
    assert b"".join(raw for raw, _ in found) == plain * 3 + odd + plain * 2
    assert (odd, None) in found
    assert "".join(text or "one " for raw, text in found if raw != odd) == "one " * 5
    assert found[0][1]


def test_a_text_whose_place_cannot_be_told_is_looked_for_in_the_next_event() -> None:
    """The id is the same word, and stands before the text."""
    frames = ServerSentEvents()
    odd = chat({"content": "c1"})
    for frame in frames.feed(odd):
        frames.expect(frame, "c1")
    assert all(frame.text is None for frame in frames.feed(odd))


def test_events_that_differ_in_more_than_their_text_are_soon_read_one_by_one() -> None:
    frames = ServerSentEvents()
    for number in range(50):
        (frame,) = frames.feed(chat({"content": "one "}, number=number))
        assert frame.event is not None
        frames.expect(frame, "one ")
    assert [frame.text for frame in frames.feed(chat({"content": "two "}, number=49))] == [None]
