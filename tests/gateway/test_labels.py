"""What answers say of the budget: in headers, and in streams to who asks for that."""

import json
from typing import Any, Final

import anthropic
import openai
import pytest
from google import genai

from tests.gateway.through import Through

CHAT: Final = "/openai/v1/chat/completions"
ASKED: Final[Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say five words."}],
}
COST = "0.0000575"  # 3 tokens in at 2,500 nano-USD, 5 out at 10,000
EVENTS: Final = {"X-Budget-Events": "on"}


def test_a_whole_answer_tells_what_it_cost_and_what_is_left(gateway: Through) -> None:
    gateway.limit("1")
    headers = gateway.post(CHAT, ASKED).headers
    assert headers["x-budget-cost"] == COST
    assert headers["x-budget-remaining"] == "0.9999425"
    assert headers["x-budget-budget"] == "Everything"
    assert headers["x-budget-unit"] == "usd"
    assert headers["x-budget-resets-at"].endswith("T00:00:00Z")
    (record,) = gateway.records()
    assert headers["x-budget-allocation"] == record.allocation_id


def test_a_stream_tells_its_cost_before_its_end_to_who_asks(gateway: Through) -> None:
    gateway.limit("1")
    text = gateway.post(CHAT, {**ASKED, "stream": True}, X_Budget_Events="on").text
    before, _, after = text.partition(": budget ")
    told = json.loads(after.partition("\n")[0])
    assert told["x-budget-cost"] == COST
    assert told["x-budget-remaining"] == "0.9999425"
    assert before.endswith("\n\n")
    assert text.endswith("data: [DONE]\n\n")


def test_a_stream_tells_nothing_of_it_to_others(gateway: Through) -> None:
    gateway.limit("1")
    assert ": budget" not in gateway.post(CHAT, {**ASKED, "stream": True}).text


def test_the_cut_of_a_stream_is_told_its_cost_too(gateway: Through) -> None:
    gateway.limit("0.0015")
    text = gateway.post(
        CHAT,
        {**ASKED, "stream": True},
        X_Budget_Events="on",
        x_fake="words=900 unlimited delay_ms=1",
    ).text
    assert '"length"' in text
    assert text.count(": budget ") == 1
    assert text.endswith("data: [DONE]\n\n")


def test_googles_streams_have_no_comments_for_its_client_does_not_know_them(
    gateway: Through,
) -> None:
    gateway.limit("1")
    path = "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    body = {"contents": [{"parts": [{"text": "Say five words."}]}]}
    assert ": budget" not in gateway.post(path, body, X_Budget_Events="on").text


def test_a_switch_that_is_neither_on_nor_off_is_named(gateway: Through) -> None:
    answer = gateway.post(CHAT, ASKED, status=400, X_Budget_Events="maybe")
    assert "X-Budget-Events" in answer.text


@pytest.mark.parametrize("client", ["openai", "responses", "anthropic", "google"])
def test_the_official_clients_pass_over_it(gateway: Through, client: str) -> None:
    gateway.limit("1")
    assert _heard(gateway, client).split() == ["word"] * 5
    assert gateway.records()


def _heard(gateway: Through, client: str) -> str:
    url, key = gateway.url, gateway.key
    if client == "anthropic":
        with (
            anthropic.Anthropic(base_url=f"{url}/anthropic", api_key=key) as claude,
            claude.messages.stream(
                model="claude-haiku-4-5", messages=ASKED["messages"], max_tokens=100,
                extra_headers=EVENTS,
            ) as stream,
        ):  # fmt: skip
            return "".join(stream.text_stream)
    if client == "google":
        options: Any = {"base_url": f"{url}/gemini", "headers": EVENTS}
        gemini = genai.Client(api_key=key, http_options=options)
        try:
            chunks = gemini.models.generate_content_stream(
                model="gemini-2.5-flash", contents="Say five words."
            )
            return "".join(chunk.text or "" for chunk in chunks)
        finally:
            gemini.close()
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key=key) as gpt:
        if client == "responses":
            events = gpt.responses.create(
                model="gpt-4o", input="Say five words.", stream=True, extra_headers=EVENTS
            )
            return "".join(
                event.delta for event in events if event.type == "response.output_text.delta"
            )
        found = gpt.chat.completions.create(**ASKED, stream=True, extra_headers=EVENTS)
        return "".join(chunk.choices[0].delta.content or "" for chunk in found if chunk.choices)
