"""OpenAI's responses API, as a fake provider spells it.

Not here: chat completions (`openai_chat`, whose errors these are too).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.answers import Answer, Piece, counted


def limit_of(request: Mapping[str, Any]) -> int | None:
    """The most output tokens that the request allows."""
    return request.get("max_output_tokens")


def whole(answer: Answer, _request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer in one piece."""
    status = "completed" if answer.finish == "stop" else "incomplete"
    return _response(answer, status, [_message(answer, "completed", " ".join(answer.words))])


def stream(answer: Answer, request: Mapping[str, Any]) -> Iterator[Piece]:
    """The answer as events; the last has the whole response, with its usage."""
    thought, number = len(answer.thoughts), 0

    def event(kind: str, made: int, **rest: Any) -> Piece:
        nonlocal number
        number += 1
        return Piece(kind, {"type": kind, "sequence_number": number, **rest}, made)

    place = {"item_id": "msg_" + answer.response_id, "output_index": 0, "content_index": 0}
    text = " ".join(answer.words)
    yield event("response.created", 0, response=_response(answer, "in_progress", []))
    yield event("response.in_progress", 0, response=_response(answer, "in_progress", []))
    item = _message(answer, "in_progress", None)
    yield event("response.output_item.added", thought, output_index=0, item=item)
    yield event("response.content_part.added", thought, **place, part=_part(""))
    for word, made in counted(answer.words, thought):
        yield event("response.output_text.delta", made, **place, delta=word, logprobs=[])
    made = answer.output_tokens
    yield event("response.output_text.done", made, **place, text=text, logprobs=[])
    yield event("response.content_part.done", made, **place, part=_part(text))
    item = _message(answer, "completed", text)
    yield event("response.output_item.done", made, output_index=0, item=item)
    end = whole(answer, request)
    yield event("response." + end["status"], made, response=end)


def _response(answer: Answer, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    reason = "content_filter" if answer.finish == "filtered" else "max_output_tokens"
    body: dict[str, Any] = {
        "id": answer.response_id,
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": True,
        "service_tier": "default",
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }
    if status != "in_progress" and answer.tells_usage:
        body["usage"] = {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.cached_tokens},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": len(answer.thoughts)},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        }
    return body


def _message(answer: Answer, status: str, text: str | None) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "msg_" + answer.response_id,
        "status": status,
        "role": "assistant",
        "content": [] if text is None else [_part(text)],
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
