"""The order in which LiteLLM 1.108 calls a callback, around a provider that is a function.

As `litellm.utils.client` has it (a try), `Router` (several) and the proxy (a stream that it sends).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from budget.neighbours.litellm.hooks import Hooks

Deployment = Callable[[dict[str, Any]], Awaitable[Any]]


class Log:
    """LiteLLM's logging object: one for a request, whatever tries it takes."""

    def __init__(self, call_id: str = "call-1") -> None:
        self.litellm_call_id = call_id
        self.model_call_details: dict[str, Any] = {"litellm_call_id": call_id}


class ProviderError(Exception):
    """An answer with an HTTP status."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code


async def attempt(
    hooks: Hooks, send: Deployment, kwargs: dict[str, Any], word: str = "acompletion"
) -> Any:
    """One try: what LiteLLM does before and after it."""
    log: Log = kwargs["litellm_logging_obj"]
    log.model_call_details |= {"exception": None}
    try:
        kwargs = await hooks.async_pre_call_deployment_hook(kwargs, word) or kwargs
        try:
            answer = await send(kwargs)
        except Exception as error:
            await hooks.async_post_call_failure_deployment_hook(kwargs, error, word)
            raise
    except Exception as error:
        log.model_call_details["exception"] = error
        await hooks.async_log_failure_event(log.model_call_details, None, None, None)
        raise
    if not kwargs.get("stream"):
        await hooks.async_post_call_success_deployment_hook(kwargs, answer, word)
    return answer


async def routed(hooks: Hooks, sends: list[Deployment], kwargs: dict[str, Any]) -> Any:
    """Try after try, as the router does with statuses that may pass."""
    for number, send in enumerate(sends, start=1):
        try:
            return await attempt(hooks, send, dict(kwargs))
        except Exception as error:
            passes = getattr(error, "status_code", 500) in (408, 409, 429) or (
                getattr(error, "status_code", 500) >= 500
            )
            if not passes or number == len(sends):
                raise
    raise AssertionError("no deployment")


async def streamed(
    hooks: Hooks, chunks: AsyncIterator[Any], kwargs: dict[str, Any], most: int | None = None
) -> list[Any]:
    """What the client of the proxy is sent; after `most` chunks it goes away."""
    sent: list[Any] = []

    async def send() -> None:
        data = {"litellm_logging_obj": kwargs["litellm_logging_obj"]}
        async for chunk in hooks.async_post_call_streaming_iterator_hook(None, chunks, data):
            sent.append(chunk)
            if len(sent) == most:
                raise asyncio.CancelledError

    task = asyncio.create_task(send())
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    return sent
