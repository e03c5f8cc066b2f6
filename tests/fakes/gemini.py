"""Google's generateContent, as a fake provider spells it.

Not here: what is answered (`answers`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.fakes.answers import Answer, Piece, counted

_STATUS: Final = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def limit_of(request: Mapping[str, Any]) -> int | None:
    """The most output tokens that the request allows."""
    limit = (request.get("generationConfig") or {}).get("maxOutputTokens")
    return None if limit is None else int(limit)


def whole(answer: Answer, _request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer in one piece; a prompt that is blocked has no candidates."""
    usage = _usage(answer, answer.output_tokens)
    if answer.finish == "filtered":
        return {**_head(answer), "promptFeedback": {"blockReason": "SAFETY"}, **usage}
    return {**_head(answer), "candidates": [_candidate(" ".join(answer.words), answer)], **usage}


def stream(answer: Answer, request: Mapping[str, Any]) -> Iterator[Piece]:
    """The answer as chunks, each with the usage so far."""
    if answer.finish == "filtered" or not answer.words:
        yield Piece(None, whole(answer, request), answer.output_tokens)
        return
    for text, made in counted(answer.words, len(answer.thoughts)):
        last = made == answer.output_tokens
        body = {
            **_head(answer),
            "candidates": [_candidate(text, answer if last else None)],
            **_usage(answer, made),
        }
        yield Piece(None, body, made)


def problem(status: int) -> dict[str, Any]:
    """The body of an error."""
    word = _STATUS.get(status, "INTERNAL")
    return {"error": {"code": status, "message": "as asked", "status": word}}


def _head(answer: Answer) -> dict[str, Any]:
    return {"responseId": answer.response_id, "modelVersion": answer.model}


def _candidate(text: str, ended: Answer | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "content": {"role": "model", "parts": [{"text": text}]},
        "index": 0,
    }
    if ended is not None:
        candidate["finishReason"] = "STOP" if ended.finish == "stop" else "MAX_TOKENS"
    return candidate


def _usage(answer: Answer, made: int) -> dict[str, Any]:
    if not answer.tells_usage:
        return {}
    thoughts = len(answer.thoughts)
    usage = {
        "promptTokenCount": answer.input_tokens,
        "candidatesTokenCount": made - thoughts,
        "totalTokenCount": answer.input_tokens + made,
    }
    if answer.cached_tokens:
        usage["cachedContentTokenCount"] = answer.cached_tokens
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return {"usageMetadata": usage}
