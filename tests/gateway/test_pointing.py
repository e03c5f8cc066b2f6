"""The official clients find the gateway by variables alone, as `budget run` sets them."""

import os

import anthropic
import ollama
import openai
import pytest
from google import genai

import budget
from budget.gateway.pointing import SDKS, addresses, variables
from tests.gateway.sdks import MESSAGES
from tests.gateway.through import Through


@pytest.fixture
def pointed(gateway: Through, monkeypatch: pytest.MonkeyPatch) -> Through:
    """The gateway, to which variables point; the program had keys of its own before."""
    gateway.limit("1", unpriced="allow")
    monkeypatch.setenv("GOOGLE_API_KEY", "of-google")
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    for name, text in variables(gateway.url, gateway.key, SDKS, os.environ).items():
        monkeypatch.setenv(name, text)
    return gateway


def test_openai_finds_the_gateway(pointed: Through) -> None:
    with openai.OpenAI(max_retries=0) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert answer.choices[0].message.content
    assert len(pointed.records()) == 1


def test_anthropic_finds_the_gateway(pointed: Through) -> None:
    with anthropic.Anthropic(max_retries=0) as client:
        answer = client.messages.create(
            model="claude-haiku-4-5", messages=MESSAGES, max_tokens=20
        )  # fmt: skip
    assert answer.content
    assert len(pointed.records()) == 1


def test_a_client_that_is_tracked_as_well_pays_once(pointed: Through) -> None:
    with openai.OpenAI(max_retries=0) as client:
        budget.track(client, books=pointed.books)
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert len(pointed.records()) == 1
    assert len(pointed.books.allocations().items) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_google_finds_the_gateway_though_the_program_has_another_key(pointed: Through) -> None:
    client = genai.Client()
    answer = client.models.generate_content(model="gemini-2.5-flash", contents="Say a few words.")
    client.close()
    assert answer.text
    assert len(pointed.records()) == 1


def test_ollama_finds_the_gateway(pointed: Through) -> None:
    client = ollama.Client()
    answer = client.chat(model="llama3.2", messages=MESSAGES)
    client._client.close()
    assert answer.message.content
    assert len(pointed.records()) == 1


def test_only_the_named_are_pointed_and_what_comes_before_a_key_is_replaced() -> None:
    told = variables("http://b:1", "bud_x", ["anthropic"], {"ANTHROPIC_AUTH_TOKEN": "t"})
    assert told == {
        "ANTHROPIC_BASE_URL": "http://b:1/anthropic",
        "ANTHROPIC_API_KEY": "bud_x",
        "ANTHROPIC_AUTH_TOKEN": "bud_x",
    }
    assert addresses("http://b:1")["openai"] == "http://b:1/openai/v1"
