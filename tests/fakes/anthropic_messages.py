"""Anthropic's messages, as a fake provider spells them.

`input_tokens` excludes what is read from the cache. Not here: what is answered (`answers`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.fakes.answers import Answer, Piece, counted

_STOP: Final = {"stop": "end_turn", "length": "max_tokens", "filtered": "refusal"}
_TYPES: Final = {400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error"}


def limit_of(request: Mapping[str, Any]) -> int | None:
    """The most output tokens that the request allows."""
    return request.get("max_tokens")


def whole(answer: Answer, _request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer in one piece."""
    content: list[dict[str, Any]] = []
    if answer.thoughts:
        content.append(_thinking(" ".join(answer.thoughts)))
    if answer.words:
        content.append({"type": "text", "text": " ".join(answer.words), "citations": None})
    return _message(answer, content, _STOP[answer.finish], answer.output_tokens)


def stream(answer: Answer, _request: Mapping[str, Any]) -> Iterator[Piece]:
    """The answer as events: input at the start, output at the end."""

    def event(kind: str, made: int, **rest: Any) -> Piece:
        return Piece(kind, {"type": kind, **rest}, made)

    begun = min(1, answer.output_tokens)
    yield event("message_start", begun, message=_message(answer, [], None, begun))
    yield event("ping", begun)
    index, made = 0, begun
    for words, block, delta in (
        (answer.thoughts, _thinking(""), "thinking"),
        (answer.words, {"type": "text", "text": ""}, "text"),
    ):
        if not words:
            continue
        yield event("content_block_start", made, index=index, content_block=block)
        before = len(answer.thoughts) if delta == "text" else 0
        for text, made in counted(words, before):
            piece = {"type": f"{delta}_delta", delta: text}
            yield event("content_block_delta", made, index=index, delta=piece)
        yield event("content_block_stop", made, index=index)
        index += 1
    end: dict[str, Any] = {"delta": {"stop_reason": _STOP[answer.finish], "stop_sequence": None}}
    if answer.tells_usage:
        end["usage"] = {"output_tokens": answer.output_tokens}
    yield event("message_delta", answer.output_tokens, **end)
    yield event("message_stop", answer.output_tokens)


def problem(status: int) -> dict[str, Any]:
    """The body of an error."""
    kind = _TYPES.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": "as asked"}}


def _message(
    answer: Answer, content: list[dict[str, Any]], stop: str | None, output_tokens: int
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": answer.response_id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    if answer.tells_usage:
        body["usage"] = {
            "input_tokens": answer.input_tokens - answer.cached_tokens,
            "cache_read_input_tokens": answer.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        }
    return body


def _thinking(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": ""}
