"""The official clients, with nothing changed but their address and their key; asked alike."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import anthropic
import ollama
import openai
from google import genai
from google.genai import errors as google_errors

MESSAGES: Final[Any] = [{"role": "user", "content": "Say a few words."}]
"""Four words: as many input tokens for the fake providers."""


class Heard(NamedTuple):
    """What a client made of an answer: its text, and why it ended."""

    text: str
    finish: str


class Sdk(NamedTuple):
    """One API of one client. `ask` takes the service's address, the key, what is for the fake
    provider, whether to stream, and the most output tokens: None for no limit where none is needed.
    """

    ask: Callable[[str, str, str, bool, int | None], Heard]
    error: type[Exception]
    cut: str
    """The reason to finish of what was cut."""
    model: str


def _limited(name: str, limit: int | None) -> dict[str, Any]:
    return {} if limit is None else {name: limit}


# --- OpenAI --------------------------------------------------------------------------------------


def _chat(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key=key, max_retries=0) as client:
        answer: Any = client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, stream=streamed,
            extra_headers={"x-fake": how}, **_limited("max_tokens", limit),
        )  # fmt: skip
        if not streamed:
            return Heard(answer.choices[0].message.content, answer.choices[0].finish_reason)
        return _chunks(list(answer))


def _chunks(chunks: list[Any]) -> Heard:
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    return Heard(text, next(end for end in ends if end))


def _chat_async(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    async def ask() -> Heard:
        async with openai.AsyncOpenAI(
            base_url=f"{url}/openai/v1", api_key=key, max_retries=0
        ) as client:
            answer: Any = await client.chat.completions.create(
                model="gpt-4o", messages=MESSAGES, stream=streamed,
                extra_headers={"x-fake": how}, **_limited("max_tokens", limit),
            )  # fmt: skip
            if not streamed:
                return Heard(answer.choices[0].message.content, answer.choices[0].finish_reason)
            return _chunks([chunk async for chunk in answer])

    return asyncio.run(ask())


def _responses(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key=key, max_retries=0) as client:
        answer: Any = client.responses.create(
            model="gpt-4o", input=MESSAGES, stream=streamed,
            extra_headers={"x-fake": how}, **_limited("max_output_tokens", limit),
        )  # fmt: skip
        if streamed:
            *_, last = answer
            answer = last.response
        why = answer.incomplete_details
        return Heard(answer.output_text, "completed" if why is None else why.reason)


# --- Anthropic -----------------------------------------------------------------------------------


def _messages(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key=key, max_retries=0) as client:
        asked: Any = {
            "model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": limit or 1000,
            "extra_headers": {"x-fake": how},
        }  # fmt: skip
        if streamed:
            with client.messages.stream(**asked) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(**asked)
        return _message(message)


def _messages_async(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    async def ask() -> Heard:
        async with anthropic.AsyncAnthropic(
            base_url=f"{url}/anthropic", api_key=key, max_retries=0
        ) as client:
            asked: Any = {
                "model": "claude-haiku-4-5", "messages": MESSAGES, "max_tokens": limit or 1000,
                "extra_headers": {"x-fake": how},
            }  # fmt: skip
            if not streamed:
                return _message(await client.messages.create(**asked))
            async with client.messages.stream(**asked) as stream:
                return _message(await stream.get_final_message())

    return asyncio.run(ask())


def _message(message: Any) -> Heard:
    text = "".join(block.text for block in message.content if block.type == "text")
    return Heard(text, message.stop_reason)


# --- Google --------------------------------------------------------------------------------------


def _google(url: str, key: str) -> genai.Client:
    return genai.Client(api_key=key, http_options={"base_url": f"{url}/gemini"})


def _config(how: str, limit: int | None) -> Any:
    asked = {"http_options": {"headers": {"x-fake": how}}}
    return {**asked, **_limited("max_output_tokens", limit)}


def _gemini(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    client = _google(url, key)
    try:
        asked: Mapping[str, Any] = {
            "model": "gemini-2.5-flash", "contents": "Say a few words.",
            "config": _config(how, limit),
        }  # fmt: skip
        if streamed:
            return _candidates(list(client.models.generate_content_stream(**asked)))
        return _candidates([client.models.generate_content(**asked)])
    finally:
        client.close()


def _gemini_async(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    async def ask() -> Heard:
        client = _google(url, key).aio
        async with client:
            asked: Mapping[str, Any] = {
                "model": "gemini-2.5-flash", "contents": "Say a few words.",
                "config": _config(how, limit),
            }  # fmt: skip
            if not streamed:
                return _candidates([await client.models.generate_content(**asked)])
            stream = await client.models.generate_content_stream(**asked)
            return _candidates([chunk async for chunk in stream])

    return asyncio.run(ask())


def _candidates(chunks: list[Any]) -> Heard:
    text = "".join(chunk.text or "" for chunk in chunks)
    return Heard(text, chunks[-1].candidates[0].finish_reason.value)


# --- Ollama --------------------------------------------------------------------------------------


def _ollama(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    headers = {"authorization": f"Bearer {key}", "x-fake": how}
    client: Any = ollama.Client(host=f"{url}/ollama", headers=headers)
    with client._client:
        answer: Any = client.chat(
            model="llama3.2", messages=MESSAGES, stream=streamed,
            options=_limited("num_predict", limit),
        )  # fmt: skip
        parts = list(answer) if streamed else [answer]
    return Heard("".join(part.message.content for part in parts), parts[-1].done_reason)


def _ollama_async(url: str, key: str, how: str, streamed: bool, limit: int | None) -> Heard:
    async def ask() -> Heard:
        headers = {"authorization": f"Bearer {key}", "x-fake": how}
        client: Any = ollama.AsyncClient(host=f"{url}/ollama", headers=headers)
        async with client._client:
            answer: Any = await client.chat(
                model="llama3.2", messages=MESSAGES, stream=streamed,
                options=_limited("num_predict", limit),
            )  # fmt: skip
            parts = [part async for part in answer] if streamed else [answer]
        return Heard("".join(part.message.content for part in parts), parts[-1].done_reason)

    return asyncio.run(ask())


SDKS: Final[Mapping[str, Sdk]] = {
    "openai chat": Sdk(_chat, openai.APIStatusError, "length", "gpt-4o"),
    "openai chat async": Sdk(_chat_async, openai.APIStatusError, "length", "gpt-4o"),
    "openai responses": Sdk(_responses, openai.APIStatusError, "max_output_tokens", "gpt-4o"),
    "anthropic": Sdk(_messages, anthropic.APIStatusError, "max_tokens", "claude-haiku-4-5"),
    "anthropic async": Sdk(
        _messages_async, anthropic.APIStatusError, "max_tokens", "claude-haiku-4-5"
    ),
    "google": Sdk(_gemini, google_errors.APIError, "MAX_TOKENS", "gemini-2.5-flash"),
    "google async": Sdk(_gemini_async, google_errors.APIError, "MAX_TOKENS", "gemini-2.5-flash"),
    "ollama": Sdk(_ollama, ollama.ResponseError, "length", "llama3.2"),
    "ollama async": Sdk(_ollama_async, ollama.ResponseError, "length", "llama3.2"),
}
