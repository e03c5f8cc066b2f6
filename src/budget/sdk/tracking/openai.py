"""OpenAI: its SDK, sync and async: chat, completions, responses, embeddings and images.

Others with the same API are called by their address, for the same model has another price there.
Audio, batches, files, fine-tuning and realtime pass without a hold. Not here: what it has in common
with Anthropic's (`stainless`), and what one call goes through (`core`).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from budget.sdk.tracking.core import Call, Passage, Tracker
from budget.sdk.tracking.stainless import Body, Wire, answer_json, take_hold

APIS: Final[Mapping[str, str]] = {
    "/chat/completions": "chat",
    "/completions": "chat",
    "/embeddings": "embeddings",
    "/responses": "responses",
    "/images/generations": "images",
}
"""What is tracked, and how `domain.responses` calls its shape."""

SELLERS: Final[Mapping[str, str]] = {
    "openrouter.ai": "openrouter",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x-ai",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.perplexity.ai": "perplexity",
    "api.cerebras.ai": "cerebras",
}
"""Who answers at an address; everybody else counts as OpenAI, but Azure."""

_UNDER_WAY: Final = ("queued", "in_progress")


def patch(client: Any, tracker: Tracker) -> None:
    """Have every call of this client pass through the tracker."""
    waiting: dict[str, Passage] = {}
    provider = tracker.provider or _provider_of(client)
    take_hold(
        client,
        tracker,
        Wire(partial(_call_of, provider), _written, _hiding, partial(_kept, waiting)),
    )


def _provider_of(client: Any) -> str:
    if any("Azure" in kind.__name__ for kind in type(client).__mro__):
        return "azure"
    host = getattr(getattr(client, "base_url", None), "host", None) or ""
    if host.endswith((".azure.com", ".microsoft.com")):
        return "azure"
    return next((name for end, name in SELLERS.items() if host.endswith(end)), "openai")


def _call_of(provider: str, path: str, body: Body) -> Call | None:
    api = APIS.get(path)
    model = body.get("model")
    if api is None or not body:
        return None
    return Call(provider, api, model if isinstance(model, str) else None, body)


def _written(body: Body, passage: Passage) -> Body:
    """The body with the grant in it, and with the wish to be told the usage of a stream."""
    api, granted = passage.call.api, passage.max_output_tokens
    sent = dict(body)
    if granted is not None and api in ("chat", "responses"):
        for name in _limits_of(body, passage):
            given = sent.get(name)
            sent[name] = min(given, granted) if isinstance(given, int) else granted
    if _adds_usage(body, api):
        sent["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return sent


def _limits_of(body: Body, passage: Passage) -> tuple[str, ...]:
    """The fields that limit the output: those that the caller wrote, else the one of the API."""
    names = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    written = tuple(name for name in names if body.get(name) is not None)
    if written:
        return written
    if passage.call.api == "responses":
        return ("max_output_tokens",)
    if "messages" in body and passage.call.provider in ("openai", "azure"):
        return ("max_completion_tokens",)
    return ("max_tokens",)


def _adds_usage(body: Body, api: str | None) -> bool:
    """Whether a stream must be asked for its usage: unless the caller asked, or forbade it."""
    if api != "chat" or not body.get("stream"):
        return False
    return (body.get("stream_options") or {}).get("include_usage") is None


def _hiding(body: Body, stream: Any) -> None:
    """Leave out the chunk with the usage, which the caller did not ask for."""
    inner = getattr(stream, "_iterator", None)
    if not _adds_usage(body, "chat") or ("messages" not in body and "prompt" not in body):
        return
    if hasattr(inner, "__anext__"):
        stream._iterator = _without_usage_async(inner)
    elif hasattr(inner, "__next__"):
        stream._iterator = _without_usage(inner)


def _is_usage_only(chunk: Any) -> bool:
    return not getattr(chunk, "choices", True) and getattr(chunk, "usage", None) is not None


def _without_usage(inner: Any) -> Any:
    try:
        for chunk in inner:
            if not _is_usage_only(chunk):
                yield chunk
    finally:
        inner.close()


async def _without_usage_async(inner: Any) -> Any:
    try:
        async for chunk in inner:
            if not _is_usage_only(chunk):
                yield chunk
    finally:
        await inner.aclose()


def _kept(
    waiting: dict[str, Passage],
    method: str,
    path: str,
    answer: Any,
    passage: Passage | None,
) -> bool:
    """Whether a response goes on in the background: its hold waits until somebody asks for it."""
    if not path.startswith("/responses"):
        return False
    if passage is not None:
        named = answer.get("id")
        if isinstance(named, str) and answer.get("status") in _UNDER_WAY:
            waiting[named] = passage
            return True
        return False
    waits = waiting.get(path.split("/")[2]) if path.count("/") >= 2 else None
    if waits is not None and method in ("get", "post"):
        whole = answer_json(answer)
        if whole.get("status") not in (*_UNDER_WAY, None):
            waits.hear(whole)
            waits.close()
            waiting.pop(path.split("/")[2], None)
    return False
