"""OpenAI's chat completions and embeddings, as a fake provider spells them.

Not here: the responses API (`openai_responses`), and what is answered (`answers`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.fakes.answers import Answer, Piece, counted

_FINISH: Final = {"stop": "stop", "length": "length", "filtered": "content_filter"}
_TYPES: Final = {400: "invalid_request_error", 429: "rate_limit_error"}


def limit_of(request: Mapping[str, Any]) -> int | None:
    """The most output tokens that the request allows."""
    limit: int | None = request.get("max_completion_tokens", request.get("max_tokens"))
    return limit


def whole(answer: Answer, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer in one piece; an embedding if that is what was asked."""
    if "messages" not in request:
        return _embedding(answer, request)
    message: dict[str, Any] = {"role": "assistant", "content": " ".join(answer.words)}
    message["refusal"] = "I cannot help with that." if answer.finish == "filtered" else None
    choice = {"index": 0, "message": message, "finish_reason": _FINISH[answer.finish]}
    return {**_head(answer, "chat.completion"), "choices": [choice], **_usage(answer)}


def stream(answer: Answer, request: Mapping[str, Any]) -> Iterator[Piece]:
    """The answer word by word; its usage at the end, if the request asks for it."""
    head = _head(answer, "chat.completion.chunk")
    thought = len(answer.thoughts)
    yield Piece(None, {**head, "choices": [_delta({"role": "assistant", "content": ""})]}, thought)
    for text, made in counted(answer.words, thought):
        yield Piece(None, {**head, "choices": [_delta({"content": text})]}, made)
    end = _delta({}, _FINISH[answer.finish])
    yield Piece(None, {**head, "choices": [end]}, answer.output_tokens)
    if (request.get("stream_options") or {}).get("include_usage") and answer.tells_usage:
        yield Piece(None, {**head, "choices": [], **_usage(answer)}, answer.output_tokens)
    yield Piece(None, "[DONE]", answer.output_tokens)


def problem(status: int) -> dict[str, Any]:
    """The body of an error."""
    kind = _TYPES.get(status, "server_error")
    return {"error": {"message": "as asked", "type": kind, "param": None, "code": kind}}


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {
        "id": answer.response_id,
        "object": kind,
        "created": 1_790_000_000,
        "model": answer.model,
        "service_tier": "default",
    }


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _usage(answer: Answer) -> dict[str, Any]:
    if not answer.tells_usage:
        return {}
    cost = {"cost": answer.cost_nanos / 10**9} if answer.cost_nanos else {}
    return {
        "usage": {
            **cost,
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": len(answer.thoughts)},
        }
    }


def _embedding(answer: Answer, request: Mapping[str, Any]) -> dict[str, Any]:
    asked = request.get("input", "")
    vector: Any = [0.5, -0.5]
    if request.get("encoding_format") == "base64":
        vector = "AAAAPwAAAL8="  # the same two numbers, as little-endian floats
    body: dict[str, Any] = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index in range(len(asked) if isinstance(asked, list) else 1)
        ],
        "model": answer.model,
    }
    if answer.tells_usage:
        tokens = answer.input_tokens
        body["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return body
