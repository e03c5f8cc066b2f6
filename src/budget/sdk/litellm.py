"""LiteLLM: `completion` and `acompletion`, held before they go and settled after.

    from budget.sdk.litellm import completion

    answer = completion(model="gpt-4o", messages=[...])

They take what LiteLLM's take. They wrap it because LiteLLM sends a call that is not async whatever
its callbacks raise. LiteLLM is loaded at the first call. Not here: what is held and booked of a
call (`tracking.core`), and a callback for async calls and the proxy (`neighbours.litellm`).
"""

from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any, Final, Self

from budget.sdk.responses import json_of
from budget.sdk.tracking.core import Call, Passage, Tracker
from budget.sdk.tracking.fates import NOT_SENT

_PROVIDERS: Final = {"gemini": "google", "vertex_ai": "google"}
_BODY: Final = (
    "messages", "max_tokens", "max_completion_tokens", "n", "tools", "response_format",
    "service_tier",
)  # fmt: skip
_UNSURE: Final = frozenset(("Timeout", "APITimeoutError", "APIConnectionError"))
"""Errors to which LiteLLM gives a status although no provider answered."""


def completion(*, model: str, messages: list[Any], **rest: Any) -> Any:
    """Call `litellm.completion`. BudgetRefused, and nothing is sent, if it may not go."""
    call, asked = _prepared(model, messages, rest)
    passage = Tracker().place(call)
    try:
        answer = import_module("litellm").completion(**_granted(asked, passage))
    except BaseException as error:
        passage.close(what_it_tells(error))
        raise
    if rest.get("stream"):
        return _Stream(answer, passage)
    passage.hear(json_of(answer))
    passage.close()
    return answer


async def acompletion(*, model: str, messages: list[Any], **rest: Any) -> Any:
    """The same from an event loop."""
    call, asked = _prepared(model, messages, rest)
    passage = await Tracker().place_async(call)
    try:
        answer = await import_module("litellm").acompletion(**_granted(asked, passage))
    except BaseException as error:
        await passage.close_async(what_it_tells(error))
        raise
    if rest.get("stream"):
        return _AsyncStream(answer, passage)
    passage.hear(json_of(answer))
    await passage.close_async()
    return answer


class _Heard:
    """A stream of LiteLLM that is listened to; left early, it is booked when it is collected."""

    def __init__(self, stream: Any, passage: Passage) -> None:
        self._stream = stream
        self._passage = passage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __del__(self) -> None:
        self._passage.close_later(cut=True)


class _Stream(_Heard, Iterator[Any]):
    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            chunk = next(self._stream)
        except StopIteration:
            self._passage.close()
            raise
        except BaseException as error:
            self._passage.close(what_it_tells(error))
            raise
        self._passage.hear(json_of(chunk))
        return chunk


class _AsyncStream(_Heard, AsyncIterator[Any]):
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            chunk = await anext(self._stream)
        except StopAsyncIteration:
            await self._passage.close_async()
            raise
        except BaseException as error:
            await self._passage.close_async(what_it_tells(error))
            raise
        self._passage.hear(json_of(chunk))
        return chunk


def _prepared(model: str, messages: list[Any], rest: dict[str, Any]) -> tuple[Call, dict[str, Any]]:
    """The call as it is held for, and as LiteLLM is asked; a stream is asked for its usage."""
    asked = {"model": model, "messages": messages, **rest}
    if rest.get("stream"):
        asked["stream_options"] = {**(rest.get("stream_options") or {}), "include_usage": True}
    named, provider = named_by(model, rest.get("custom_llm_provider"))
    body = {name: asked[name] for name in _BODY if asked.get(name) is not None}
    return Call(provider, "chat", named, {"model": named, **body}), asked


def _granted(asked: dict[str, Any], passage: Passage) -> dict[str, Any]:
    """What is asked of LiteLLM, with the granted limit where one is to be written."""
    granted = passage.max_output_tokens
    if granted is None:
        return asked
    name = "max_completion_tokens" if "max_completion_tokens" in asked else "max_tokens"
    return {**asked, name: granted}


def named_by(model: str, provider: str | None) -> tuple[str, str]:
    """The model and its provider as we call them, of a name of LiteLLM's."""
    named, found, *_ = import_module("litellm").get_llm_provider(
        model=model, custom_llm_provider=provider
    )
    return named, _PROVIDERS.get(found, found)


def what_it_tells(error: BaseException) -> BaseException | None:
    """The error, if it tells what became of the call; None: it may be billed."""
    unsure = False
    one: BaseException | None = error
    for _ in range(10):
        if one is None:
            break
        if type(one).__name__ in NOT_SENT:
            return one
        unsure = unsure or type(one).__name__ in _UNSURE
        one = one.__cause__ or one.__context__
    return None if unsure else error
