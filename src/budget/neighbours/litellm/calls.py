"""Calls of LiteLLM, as its hooks tell of them: what is asked, who asks, and what was answered.

Pure functions over its dicts and answers. Not here: when each hook is called (`hooks`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain.attributes import MAX_VALUE_CHARS, parse_value
from budget.domain.errors import InvalidInput
from budget.sdk.responses import json_of
from budget.sdk.tracking.core import Call

Words = Mapping[str, Any]


class Kind(NamedTuple):
    """One kind of call: the shape of its answer, the fields that are estimated, its limit.

    `inside`: the field that the limit is in; it is `generationConfig` to who estimates.
    """

    api: str
    body: tuple[str, ...]
    limit: str | None = None
    inside: str | None = None


_CHAT: Final = Kind(
    "chat",
    ("messages", "max_tokens", "max_completion_tokens", "n", "tools", "functions",
     "response_format", "service_tier"),
    "max_tokens",
)  # fmt: skip
_TEXT: Final = Kind("completions", ("prompt", "max_tokens", "n", "best_of"), "max_tokens")
_EMBEDDING: Final = Kind("embeddings", ("input",))
_RESPONSE: Final = Kind(
    "responses",
    ("input", "instructions", "tools", "text", "max_output_tokens", "service_tier"),
    "max_output_tokens",
)
_MESSAGE: Final = Kind("messages", ("messages", "system", "tools", "max_tokens"), "max_tokens")
_CONTENT: Final = Kind(
    "generate_content", ("contents", "config", "tools", "systemInstruction"),
    "maxOutputTokens", "config",
)  # fmt: skip

KINDS: Final[Mapping[str, Kind]] = {
    "acompletion": _CHAT, "completion": _CHAT, "text_completion": _TEXT,
    "atext_completion": _TEXT, "embedding": _EMBEDDING, "aembedding": _EMBEDDING,
    "responses": _RESPONSE, "aresponses": _RESPONSE, "anthropic_messages": _MESSAGE,
    "agenerate_content": _CONTENT, "agenerate_content_stream": _CONTENT,
}  # fmt: skip
"""The calls that are held for, by LiteLLM's `call_type`."""

CONTENT: Final = frozenset(("agenerate_content", "agenerate_content_stream"))
"""Google's API, which other models are asked by too."""

_FREE: Final = (
    "health_check", "pre_call", "moderation", "amoderation", "mcp", "call_mcp", "get_", "aget_",
    "list_", "alist_", "delete_", "adelete_", "retrieve_", "aretrieve_", "cancel_", "acancel_",
    "file_", "afile_", "create_file", "acreate_file",
)  # fmt: skip
"""How the words of calls begin that no provider bills."""
_NOT_BY_CALLERS: Final = ("org", "team", "key", "tag.litellm_key")
"""What a caller of the proxy cannot say of itself."""

_IDENTITIES: Final = (
    ("org", "user_api_key_org_id"), ("team", "user_api_key_team_id"),
    ("project", "user_api_key_project_id"), ("user", "user_api_key_user_id"),
    ("user", "user_api_key_end_user_id"), ("tag.litellm_key", "user_api_key_hash"),
    ("tag.litellm_key", "user_api_key_alias"),
)  # fmt: skip
"""What the proxy knows of who calls, as attributes; of two for one the later counts."""
_SETTLED_BY: Final = ("user_api_key_team_metadata", "user_api_key_metadata")
"""Where the operator of the proxy may write attributes, under `budget`."""
_NOBODY: Final = "default_user_id"
"""Whom the proxy names where no user is known."""


def word_of(call_type: Any) -> str:
    """LiteLLM's word for a kind of call, from its enum or from a string."""
    return str(getattr(call_type, "value", call_type) or "")


def is_free(word: str) -> bool:
    """Whether no provider bills calls of this kind."""
    return not word or word.startswith(_FREE)


def call_of(kwargs: Words, kind: Kind, model: str, provider: str) -> Call:
    """A call that is about to be sent."""
    body = {name: _plain(kwargs[name]) for name in kind.body if kwargs.get(name) is not None}
    if kind.inside in body:
        body["generationConfig"] = body.pop(kind.inside)
    return Call(provider, kind.api, model, {"model": model, **body})


def priced_as(kwargs: Words, model: str) -> str:
    """The model whose price holds: what `base_model` says of a deployment, or the model itself."""
    known = [kwargs, kwargs.get("model_info"), *(_told(kwargs, "model_info"),)]
    for one in known:
        named = one.get("base_model") if isinstance(one, Mapping) else None
        if isinstance(named, str) and named:
            return named.rpartition("/")[2]
    return model


def attributes_of(kwargs: Words) -> dict[str, Any]:
    """Who calls: what the caller says, then what the proxy knows, then what its operator wrote."""
    metadata = _metadata(kwargs)
    found: dict[str, Any] = {}
    for asked in (metadata.get("requester_metadata"), metadata, kwargs.get("metadata")):
        found |= _written(asked)
    if any(key.startswith("user_api_key") for key in metadata):
        found = {name: value for name, value in found.items() if name not in _NOT_BY_CALLERS}
    session = kwargs.get("litellm_session_id") or metadata.get("session_id")
    found = {**_told_as(user=kwargs.get("user"), session=session), **found}
    for name, where in _IDENTITIES:
        found |= _told_as(**{name: metadata.get(where)})
    for where in _SETTLED_BY:
        found |= _written(metadata.get(where))
    return found


def granted(kwargs: Words, kind: Kind, max_output_tokens: int | None) -> dict[str, Any]:
    """What is changed of a call: its limit where less is granted; a stream tells its usage."""
    changed: dict[str, Any] = {}
    if max_output_tokens is not None and kind.limit is not None and kind.inside is not None:
        within = {**(kwargs.get(kind.inside) or {}), kind.limit: max_output_tokens}
        within.pop("max_output_tokens", None)
        changed[kind.inside] = within
    elif max_output_tokens is not None and kind.limit is not None:
        longer = kind is _CHAT and kwargs.get("max_completion_tokens") is not None
        changed["max_completion_tokens" if longer else kind.limit] = max_output_tokens
    if kwargs.get("stream") and kind in (_CHAT, _TEXT):
        changed["stream_options"] = {**(kwargs.get("stream_options") or {}), "include_usage": True}
    return changed


def hears_usage(kwargs: Words) -> bool:
    """Whether the caller of a stream asked to be told its usage."""
    options = kwargs.get("stream_options")
    return isinstance(options, Mapping) and bool(options.get("include_usage"))


def is_usage_alone(chunk: Any) -> bool:
    """Whether a chunk of a chat tells usage and nothing else."""
    choices = getattr(chunk, "choices", None)
    if getattr(chunk, "usage", None) is None or choices is None:
        return False
    return not any(
        getattr(one, "finish_reason", None) or _says(getattr(one, "delta", None)) for one in choices
    )


def heard_of(answer: Any, api: str | None) -> Any:
    """An answer or a chunk as JSON, in the shape of the API that was called: LiteLLM tells of a
    stream of messages in that of chat.
    """
    found = json_of(answer)
    usage = found.get("usage") if isinstance(found, Mapping) else None
    if api != "messages" or not isinstance(usage, Mapping) or "prompt_tokens" not in usage:
        return found
    return {**found, "type": "message", "usage": _messages_usage(usage)}


def _messages_usage(usage: Words) -> dict[str, Any]:
    """Usage in the words of Anthropic's messages, whose input is without what is cached."""
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, Mapping) else {}
    read = details.get("cached_tokens") or 0
    written = details.get("cache_creation_tokens") or usage.get("cache_creation_input_tokens") or 0
    return {
        "input_tokens": max(0, (usage.get("prompt_tokens") or 0) - read - written),
        "output_tokens": usage.get("completion_tokens") or 0,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": details.get("cache_creation_token_details"),
    }


def _told_as(**values: Any) -> dict[str, str]:
    """The values that can be attributes, cut where they are too long: nobody wrote them for us."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str) and value != _NOBODY:
            try:
                found[name] = parse_value(value[:MAX_VALUE_CHARS], name)
            except InvalidInput:
                continue
    return found


def _says(delta: Any) -> bool:
    return any(
        getattr(delta, name, None)
        for name in ("content", "tool_calls", "function_call", "audio", "reasoning_content")
    )


def _metadata(kwargs: Words) -> Words:
    """The metadata that the proxy fills: which of the two it is depends on the kind of call."""
    for name in ("litellm_metadata", "metadata"):
        found = kwargs.get(name)
        if isinstance(found, Mapping) and any(key.startswith("user_api_key") for key in found):
            return found
    found = kwargs.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _told(kwargs: Words, name: str) -> Any:
    return _metadata(kwargs).get(name)


def _written(metadata: Any) -> dict[str, Any]:
    """Attributes that somebody wrote under `budget` in metadata."""
    told = metadata.get("budget") if isinstance(metadata, Mapping) else None
    return dict(told) if isinstance(told, Mapping) else {}


def _plain(value: Any) -> Any:
    """A value as JSON: messages and tools may be objects of LiteLLM."""
    return json.loads(json.dumps(value, default=_dumped))


def _dumped(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else str(value)
