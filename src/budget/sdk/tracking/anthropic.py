"""Anthropic: its SDK, sync and async: messages, whole, as streams and by their helper, beta too.

Counting tokens passes without a hold, for it is free; so do batches, files and the old completions.
Bedrock's and Vertex's clients are tracked too, as their own providers. Not here: what it has in
common with OpenAI's (`stainless`), and what one call goes through (`core`).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from budget.sdk.tracking.core import Call, Passage, Tracker
from budget.sdk.tracking.stainless import Body, Wire, take_hold

MESSAGES: Final = "/v1/messages"

_SELLERS: Final = (("Bedrock", "aws"), ("Vertex", "vertex"))
"""Who answers the clients whose classes are named so."""

_NOT_SAID: Final = ("Omit", "NotGiven")
"""The types of what stands in a body for a field that the caller left out."""


def patch(client: Any, tracker: Tracker) -> None:
    """Have every message of this client pass through the tracker."""
    provider = tracker.provider or _provider_of(client)
    take_hold(client, tracker, Wire(partial(_call_of, provider), _written))


def _provider_of(client: Any) -> str:
    names = {kind.__name__ for kind in type(client).__mro__}
    for mark, provider in _SELLERS:
        if any(mark in name for name in names):
            return provider
    return "anthropic"


def _call_of(provider: str, path: str, body: Body) -> Call | None:
    if path.partition("?")[0] != MESSAGES:
        return None
    for name in ("messages", "system", "tools"):  # an iterator can be read once only
        if _is_iterator(body.get(name)):
            body[name] = list(body[name])
    request = _plain(body)
    model = request.get("model")
    return Call(provider, "messages", model if isinstance(model, str) else None, request)


def _written(body: Body, passage: Passage) -> Body:
    """The body with the grant in it."""
    granted, given = passage.max_output_tokens, body.get("max_tokens")
    if granted is None:
        return body
    return {**body, "max_tokens": min(given, granted) if isinstance(given, int) else granted}


def _is_iterator(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, Mapping | str | bytes | list)


def _plain(value: Any) -> Any:
    """A body as JSON: the SDK takes its own objects in it, and turns them into JSON later."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {
            str(name): _plain(one)
            for name, one in value.items()
            if type(one).__name__ not in _NOT_SAID
        }
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)
