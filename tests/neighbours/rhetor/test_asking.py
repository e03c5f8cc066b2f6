"""Asking Rhetor for words: what is sent, what is read, and what goes wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from budget.domain.errors import InvalidInput
from budget.neighbours.calling import Line, Unanswered
from budget.neighbours.rhetor.asking import (
    Message,
    Said,
    ask_specialist,
    chat,
    generate,
    read_specialist_port,
)
from tests.fakes.tekton import component
from tests.fakes.tekton.rhetor import Rhetor

T = TypeVar("T")


@pytest.fixture
def rhetor() -> Iterator[Rhetor]:
    """One that runs."""
    with component.running(Rhetor()) as started:
        assert isinstance(started, Rhetor)
        yield started


def asked(rhetor: Rhetor, ask: Callable[[Line], Awaitable[T]], seconds: float = 20) -> T:
    """What an ask comes to."""

    async def run() -> T:
        line = Line("rhetor", rhetor.url, timeout_seconds=seconds)
        try:
            return await ask(line)
        finally:
            await line.close()

    return asyncio.run(run())


def test_a_prompt_is_answered_with_the_words_that_rhetor_counts(rhetor: Rhetor) -> None:
    said = asked(rhetor, lambda line: generate(line, "Two words", max_tokens=50, model="gpt-4o"))
    assert said == Said("Hello from the specialist.", "http", 2, 4)
    assert rhetor.asked[0].body == {
        "prompt": "Two words", "capability": "reasoning", "component": "budget",
        "model": "gpt-4o", "max_tokens": 50,
    }  # fmt: skip


def test_what_rhetor_does_not_send_on_is_written_into_what_it_does(rhetor: Rhetor) -> None:
    asked(rhetor, lambda line: generate(line, "Hello", system_prompt="Be brief."))
    assert rhetor.asked[0].body["prompt"] == "Be brief.\n\nHello"
    messages = [Message("system", "Be brief."), Message("user", "Hello"), Message("user", "Well?")]
    said = asked(rhetor, lambda line: chat(line, messages))
    assert said.text == rhetor.says
    (sent,) = rhetor.asked[1].body["messages"]
    assert sent == {"role": "user", "content": "system: Be brief.\n\nuser: Hello\n\nuser: Well?"}
    assert "context_id" not in rhetor.asked[1].body
    with pytest.raises(InvalidInput, match="messages"):
        asked(rhetor, lambda line: chat(line, []))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (None, "answered 500: Failed to get response from numa-ai"),
        (component.BROKEN, "answered 500"),
        (component.GARBAGE, "not in JSON"),
        (lambda _: (200, {"error": "no model"}), "says: no model"),
        (lambda _: (200, {"response": " ", "content": None}), "said nothing"),
        (lambda _: (200, ["words"]), "said nothing"),
        (lambda _: (200, {"response": {"text": "x"}}), "said nothing"),
    ],
)
def test_without_an_answer_it_says_why(rhetor: Rhetor, fault: Any, words: str) -> None:
    rhetor.listens, rhetor.fault = False, fault
    with pytest.raises(Unanswered, match=words):
        asked(rhetor, lambda line: generate(line, "Hello"))


def test_one_that_is_gone_says_so(rhetor: Rhetor) -> None:
    rhetor.stop()
    with pytest.raises(Unanswered, match="could not be reached"):
        asked(rhetor, lambda line: chat(line, [Message("user", "Hello")]))


def specialist(answer: bytes | None, *, seconds: float = 20) -> tuple[list[Any], Said | Unanswered]:
    """What a specialist was asked that answers so, or hangs with None; and what came of it."""
    heard: list[bytes] = []

    async def run() -> Said | Unanswered:
        left = asyncio.Event()

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readline())
            if answer is not None:
                writer.write(answer)
            else:
                await reader.read()
            writer.close()
            await writer.wait_closed()
            left.set()

        async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            try:
                return await ask_specialist("Hello", port, timeout_seconds=seconds)
            except Unanswered as error:
                return error
            finally:
                await left.wait()

    said = asyncio.run(run())
    return [json.loads(line) for line in heard], said


@pytest.mark.parametrize("place", ["response", "content"])
def test_the_specialists_socket_is_asked_in_a_line_of_json(place: str) -> None:
    heard, said = specialist(json.dumps({place: "Hello there"}).encode() + b"\n")
    assert heard == [{"type": "chat", "content": "Hello"}]
    assert said == Said("Hello there", "socket")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "hung up"),
        (b'{"response": "cut', "hung up"),
        (b"garbage\n", "cannot be asked"),
        (b'{"error": "busy"}\n', "busy"),
        (b"[]\n", "said nothing"),
    ],
)
def test_a_socket_that_gives_no_answer_says_why(answer: bytes, words: str) -> None:
    _, said = specialist(answer)
    assert isinstance(said, Unanswered)
    assert words in said.detail


def test_a_socket_that_hangs_is_given_up_and_one_that_is_not_there_too() -> None:
    _, said = specialist(None, seconds=0.05)
    assert isinstance(said, Unanswered)
    assert "in time" in said.detail
    with pytest.raises(Unanswered, match="cannot be asked"):
        asyncio.run(ask_specialist("Hello", 1))


def test_the_port_of_the_socket_comes_from_the_environment() -> None:
    assert read_specialist_port({}) == 45016
    assert read_specialist_port({"NUMA_AI_PORT": "45003"}) == 45003
    for text in ("0", "65536", "x", "-1"):
        with pytest.raises(InvalidInput, match="NUMA_AI_PORT"):
            read_specialist_port({"NUMA_AI_PORT": text})
