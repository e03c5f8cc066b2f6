"""Ollama's chat and generate, as a fake provider spells them: lines of JSON, counts in the last.

Not here: what is answered (`answers`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.answers import Answer, Piece, counted


def limit_of(request: Mapping[str, Any]) -> int | None:
    """The most output tokens that the request allows."""
    limit = (request.get("options") or {}).get("num_predict")
    return None if limit is None or limit < 0 else int(limit)


def whole(answer: Answer, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer in one piece."""
    if "input" in request:
        return {**_head(answer), "embeddings": [[0.25, 0.5]], **_usage(answer)}
    return {**_head(answer), **_said(" ".join(answer.words), request), **_end(answer)}


def stream(answer: Answer, request: Mapping[str, Any]) -> Iterator[Piece]:
    """The answer as lines, of which the last has no text but the counts."""
    made = 0
    for text, made in counted(answer.words, len(answer.thoughts)):
        yield Piece(None, {**_head(answer), **_said(text, request), "done": False}, made)
    yield Piece(None, {**_head(answer), **_said("", request), **_end(answer)}, made)


def problem(status: int) -> dict[str, Any]:
    """The body of an error."""
    return {"error": f"as asked: {status}"}


def _head(answer: Answer) -> dict[str, Any]:
    return {"model": answer.model, "created_at": "2026-11-26T09:00:00.000000Z"}


def _said(text: str, request: Mapping[str, Any]) -> dict[str, Any]:
    if "messages" in request:
        return {"message": {"role": "assistant", "content": text}}
    return {"response": text}


def _end(answer: Answer) -> dict[str, Any]:
    reason = "stop" if answer.finish == "stop" else "length"
    return {"done": True, "done_reason": reason, "total_duration": 1, **_usage(answer)}


def _usage(answer: Answer) -> dict[str, Any]:
    if not answer.tells_usage:
        return {}
    return {"prompt_eval_count": answer.input_tokens, "eval_count": answer.output_tokens}
