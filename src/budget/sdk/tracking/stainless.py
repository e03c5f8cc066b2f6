"""Stainless: what OpenAI's and Anthropic's SDKs have in common, and where they are taken hold of.

Both send everything through `client.request(cast_to, options, stream=..., stream_cls=...)`, with
the body as JSON in the options, and repeat failed requests inside it. So one method of the client
is replaced, and all of its resources, helpers and raw responses pass through. Answers that come as
streams are heard byte by byte (`ear`). Not here: what each provider's bodies mean (`Wire`).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from budget.sdk.tracking.core import Call, Passage, Tracker
from budget.sdk.tracking.ear import tap

_MARK: Final = "_budget_tracking"

Body = dict[str, Any]


class Wire(NamedTuple):
    """What a provider's file tells of its requests.

    `call_of(path, body)` is the call that a request makes, or None for one that is not tracked.
    `written(body, passage)` is the body to send. `hiding(body, stream)` changes the stream of a
    body that came without something that was added. `kept(method, path, answer, passage)` tells
    whether the call goes on after its answer, so that its hold stays; it hears answers of calls
    that are not tracked as well, without a passage.
    """

    call_of: Callable[[str, Body], Call | None]
    written: Callable[[Body, Passage], Body]
    hiding: Callable[[Body, Any], None] | None = None
    kept: Callable[[str, str, Any, Passage | None], bool] | None = None


class _Tracking:
    """How a client is tracked now; its methods look here at each call."""

    __slots__ = ("tracker", "wire")

    def __init__(self, tracker: Tracker, wire: Wire) -> None:
        self.tracker = tracker
        self.wire = wire


def take_hold(client: Any, tracker: Tracker, wire: Wire) -> None:
    """Have every request of this client, and of copies made of it, pass through the tracker."""
    before = client.__dict__.get(_MARK)
    if before is not None:
        before.tracker, before.wire = tracker, wire
        return
    tracking = _Tracking(tracker, wire)
    client.__dict__[_MARK] = tracking
    made = _async_request if inspect.iscoroutinefunction(client.request) else _request
    client.request = made(client.request, tracking)
    copy = client.copy

    def copied(*args: Any, **kwargs: Any) -> Any:
        other = copy(*args, **kwargs)
        take_hold(other, tracking.tracker, tracking.wire)
        return other

    client.copy = client.with_options = copied


def _request(request: Callable[..., Any], tracking: _Tracking) -> Callable[..., Any]:
    def tracked(cast_to: Any, options: Any, **how: Any) -> Any:
        wire, body = tracking.wire, _body_of(options)
        call = wire.call_of(options.url, body) if options.method.lower() == "post" else None
        if call is None:
            answer = request(cast_to, options, **how)
            if wire.kept is not None and not how.get("stream"):
                wire.kept(options.method.lower(), options.url, answer, None)
            return answer
        passage = tracking.tracker.place(call)
        try:
            _write(options, wire.written(body, passage))
            answer = request(cast_to, options, **how)
        except BaseException as error:
            passage.close(error)
            raise
        if _heard(answer, passage, wire, options, body):
            passage.close()
        return answer

    return tracked


def _async_request(request: Callable[..., Any], tracking: _Tracking) -> Callable[..., Any]:
    async def tracked(cast_to: Any, options: Any, **how: Any) -> Any:
        wire, body = tracking.wire, _body_of(options)
        call = wire.call_of(options.url, body) if options.method.lower() == "post" else None
        if call is None:
            answer = await request(cast_to, options, **how)
            if wire.kept is not None and not how.get("stream"):
                wire.kept(options.method.lower(), options.url, answer, None)
            return answer
        passage = await tracking.tracker.place_async(call)
        try:
            _write(options, wire.written(body, passage))
            answer = await request(cast_to, options, **how)
        except Exception as error:
            await passage.close_async(error)
            raise
        except BaseException as error:  # cancelled: nothing may wait here
            passage.close_later(error)
            raise
        if _heard(answer, passage, wire, options, body):
            await passage.close_async()
        return answer

    return tracked


def _heard(answer: Any, passage: Passage, wire: Wire, options: Any, body: Body) -> bool:
    """Hear an answer that is whole; whether its call is over. One that is still to come is tapped,
    and closes the passage itself.
    """
    try:
        http = getattr(answer, "http_response", None) or getattr(answer, "response", None)
        if http is not None and not getattr(http, "is_closed", True):
            tap(http, passage)
            if wire.hiding is not None:
                wire.hiding(body, answer)
            return False
        whole = http.json() if http is not None else answer_json(answer)
        passage.hear(whole)
        return wire.kept is None or not wire.kept("post", options.url, whole, passage)
    except Exception as error:  # noqa: BLE001 - the answer is the caller's, whatever we make of it
        passage.close(error)
        return False


def answer_json(answer: Any) -> Any:
    """A parsed answer as JSON; an empty object for one that is none."""
    dump = getattr(answer, "model_dump", None)
    if callable(dump):
        return dump(warnings=False)
    return answer if isinstance(answer, Mapping) else {}


def _body_of(options: Any) -> Body:
    """The body of a request, with what the caller adds to it."""
    body, more = options.json_data, options.extra_json
    found = dict(body) if isinstance(body, Mapping) else {}
    return {**found, **more} if isinstance(more, Mapping) else found


def _write(options: Any, body: Body) -> None:
    if isinstance(options.json_data, Mapping):
        options.json_data, options.extra_json = body, None
