"""OpenAI's images, audio and free routes, as a fake provider answers them.

What it would bill is written below, for tests to work with. Not here: text, and batches.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

IMAGE_USAGE: Final = {
    "input_tokens": 12,
    "output_tokens": 272,
    "total_tokens": 284,
    "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
}
"""What each image of a model that is billed by tokens uses."""
HEARD: Final = {
    "type": "tokens",
    "input_tokens": 20,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 20},
    "output_tokens": 4,
    "total_tokens": 24,
}
SPOKEN: Final = b"ID3 not really an MP3 " * 100
SPEAKING: Final = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
"""What speech uses, where it is told: in events."""
_FREE: Final[Mapping[str, Any]] = {
    "/moderations": {"id": "modr-1", "model": "omni-moderation-latest", "results": []},
}


class Reply(NamedTuple):
    """An answer as bytes."""

    content: bytes
    content_type: str = "application/json"
    status: int = 200


def answer(path: str, body: Mapping[str, Any], raw: bytes) -> Reply | None:
    """The answer to a request of these routes; None for any other. Forms come as `raw`."""
    path = path.partition("?")[0].removeprefix("/v1")
    if path in _FREE:
        return Reply(json.dumps(_FREE[path]).encode())
    if path.startswith("/images/"):
        return _images(body)
    if path == "/audio/speech":
        in_events = body.get("stream_format") == "sse" and body.get("instructions") != "No events."
        return _spoken(body) if in_events else Reply(SPOKEN, "audio/mpeg")
    if path.startswith("/audio/"):
        return _written(raw)
    return None


def _images(body: Mapping[str, Any]) -> Reply:
    count = body.get("n", 1)
    usage = {**IMAGE_USAGE, "output_tokens": 272 * count, "total_tokens": 12 + 272 * count}
    if body.get("stream") is True:
        return _drawn(body, usage)
    told: dict[str, Any] = {"created": 1, "data": [{"b64_json": "aW1hZ2U="}] * count}
    if not str(body.get("model", "gpt-image-1")).startswith("dall-e"):
        told["usage"] = usage
    return Reply(json.dumps(told).encode())


def _drawn(body: Mapping[str, Any], usage: Mapping[str, Any]) -> Reply:
    """One image, after what is seen of it while it is made: 100 tokens each."""
    partial = body.get("partial_images", 0)
    image = {
        "b64_json": "aW1hZ2U=" * 500, "created_at": 1, "size": "1024x1024", "quality": "low",
        "background": "opaque", "output_format": "png",
    }  # fmt: skip
    events = [
        {"type": "image_generation.partial_image", **image, "partial_image_index": number}
        for number in range(partial)
    ]
    made = usage["output_tokens"] + 100 * partial
    told = {**usage, "output_tokens": made, "total_tokens": 12 + made}
    return _events(*events, {"type": "image_generation.completed", **image, "usage": told})


def _spoken(body: Mapping[str, Any]) -> Reply:
    halves = [SPOKEN[:1001], SPOKEN[1001:]]
    parts = [
        {"type": "speech.audio.delta", "audio": base64.b64encode(half).decode()} for half in halves
    ]
    ends: dict[str, Any] = {
        "Break off.": {"type": "error", "error": {"message": "as asked"}},
        "No sound.": {"type": "speech.audio.delta", "audio": "-"},
    }
    done = {"type": "speech.audio.done", "usage": SPEAKING}
    return _events(*parts, ends.get(body.get("instructions", ""), done))


def _events(*events: Mapping[str, Any]) -> Reply:
    lines = (f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return Reply("".join(lines).encode(), "text/event-stream; charset=utf-8")


def _written(form: bytes) -> Reply:
    if b"\r\n\r\ntext\r\n" in form:
        return Reply(b"word word word word", "text/plain")
    if b'name="stream"\r\n\r\ntrue\r\n' in form:
        parts = [{"type": "transcript.text.delta", "delta": text} for text in ("word",) * 4]
        done = {"type": "transcript.text.done", "text": "word word word word", "usage": HEARD}
        return _events(*parts, done)
    by_time = b"whisper" in form
    usage = {"type": "duration", "seconds": 2} if by_time else HEARD
    return Reply(json.dumps({"text": "word word word word", "usage": usage}).encode())
