"""Google: its SDK, sync and async: generateContent, whole and as streams, chats, and embeddings.

All of these send through four methods of the API client that the resources share; they are
replaced. Images, videos, batches, the live API and interactions pass without a hold. Not here: what
one call goes through (`core`).
"""

import json
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, closing
from typing import Any, Final

from budget.sdk.tracking.core import Call, Passage, Tracker

_MARK: Final = "_budget_tracking"

Body = dict[str, Any]


class _Tracking:
    """How a client is tracked now; its methods look here at each call."""

    __slots__ = ("provider", "tracker")

    def __init__(self, tracker: Tracker, provider: str) -> None:
        self.tracker = tracker
        self.provider = provider


def patch(client: Any, tracker: Tracker) -> None:
    """Have every request of this client, sync and async, pass through the tracker."""
    api = client._api_client
    provider = tracker.provider or ("vertex" if api.vertexai else "google")
    before = api.__dict__.get(_MARK)
    if before is not None:
        before.tracker, before.provider = tracker, provider
        return
    tracking = _Tracking(tracker, provider)
    api.__dict__[_MARK] = tracking
    api.request = _request(api.request, tracking)
    api.request_streamed = _request_streamed(api.request_streamed, tracking)
    api.async_request = _async_request(api.async_request, tracking)
    api.async_request_streamed = _async_request_streamed(api.async_request_streamed, tracking)


def _call_of(provider: str, path: str, body: Mapping[str, Any]) -> Call | None:
    """The call that a request makes; None for one that is not tracked."""
    model, _, act = path.partition("?")[0].rpartition("/")[2].partition(":")
    request = {name: value for name, value in body.items() if not name.startswith("_")}
    if act in ("generateContent", "streamGenerateContent"):
        return Call(provider, "generate_content", model, request)
    if act == "embedContent":
        return Call(provider, "generate_content", model, {"contents": [request.get("content")]})
    if act == "batchEmbedContents":
        contents = [one.get("content") for one in request.get("requests", ())]
        return Call(provider, "generate_content", model, {"contents": contents})
    return None


def _written(body: Body, passage: Passage) -> Body:
    """The body with the grant in it."""
    granted = passage.max_output_tokens
    if granted is None or "contents" not in body:  # an embedding has no output to limit
        return body
    config = body.get("generationConfig") or {}
    given = config.get("maxOutputTokens")
    most = min(given, granted) if isinstance(given, int) else granted
    return {**body, "generationConfig": {**config, "maxOutputTokens": most}}


def _hear(passage: Passage, answer: Any) -> None:
    try:
        chunk = json.loads(answer.body or "{}")
    except ValueError:  # no JSON: its SDK will say so
        return
    passage.hear(chunk)


def _request(request: Callable[..., Any], tracking: _Tracking) -> Callable[..., Any]:
    def tracked(method: str, path: str, body: Body, *how: Any, **more: Any) -> Any:
        call = _call_of(tracking.provider, path, body)
        if call is None:
            return request(method, path, body, *how, **more)
        passage = tracking.tracker.place(call)
        try:
            answer = request(method, path, _written(body, passage), *how, **more)
        except BaseException as error:
            passage.close(error)
            raise
        _hear(passage, answer)
        passage.close()
        return answer

    return tracked


def _async_request(request: Callable[..., Any], tracking: _Tracking) -> Callable[..., Any]:
    async def tracked(method: str, path: str, body: Body, *how: Any, **more: Any) -> Any:
        call = _call_of(tracking.provider, path, body)
        if call is None:
            return await request(method, path, body, *how, **more)
        passage = await tracking.tracker.place_async(call)
        try:
            answer = await request(method, path, _written(body, passage), *how, **more)
        except Exception as error:
            await passage.close_async(error)
            raise
        except BaseException as error:  # cancelled: nothing may wait here
            passage.close_later(error)
            raise
        _hear(passage, answer)
        await passage.close_async()
        return answer

    return tracked


def _request_streamed(request: Callable[..., Any], tracking: _Tracking) -> Callable[..., Any]:
    """Nothing is sent, nor held, before the first chunk is asked for."""

    def tracked(method: str, path: str, body: Body, *how: Any, **more: Any) -> Iterator[Any]:
        call = _call_of(tracking.provider, path, body)
        if call is None:
            yield from request(method, path, body, *how, **more)
            return
        passage = tracking.tracker.place(call)
        try:
            with closing(request(method, path, _written(body, passage), *how, **more)) as chunks:
                for chunk in chunks:
                    _hear(passage, chunk)
                    yield chunk
        except GeneratorExit:  # the caller left; this may be a finalizer, where nothing may wait
            passage.close_later(cut=True)
            raise
        except BaseException as error:
            passage.close(error, cut=True)
            raise
        passage.close()

    return tracked


def _async_request_streamed(request: Callable[..., Any], tracking: _Tracking) -> Callable[..., Any]:
    async def tracked(method: str, path: str, body: Body, *how: Any, **more: Any) -> Any:
        call = _call_of(tracking.provider, path, body)
        if call is None:
            return await request(method, path, body, *how, **more)
        passage = await tracking.tracker.place_async(call)
        try:
            chunks = await request(method, path, _written(body, passage), *how, **more)
        except Exception as error:
            await passage.close_async(error)
            raise
        except BaseException as error:  # cancelled: nothing may wait here
            passage.close_later(error)
            raise
        heard = _heard(chunks, passage)
        # Nobody read it: then it is what was granted that counts.
        weakref.finalize(heard, passage.close_later, None, cut=True)
        return heard

    return tracked


async def _heard(chunks: Any, passage: Passage) -> AsyncIterator[Any]:
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                _hear(passage, chunk)
                yield chunk
    except Exception as error:
        await passage.close_async(error, cut=True)
        raise
    except GeneratorExit:
        passage.close_later(cut=True)
        raise
    except BaseException as error:  # cancelled: nothing may wait here
        passage.close_later(error, cut=True)
        raise
    await passage.close_async()
