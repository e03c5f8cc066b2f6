"""OpenAI's images, audio and free routes, as a fake provider answers them.

What it would bill is written below, for tests to work with. Not here: text, and batches.
"""

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
        return Reply(SPOKEN, "audio/mpeg")
    if path.startswith("/audio/"):
        return _written(raw)
    return None


def _images(body: Mapping[str, Any]) -> Reply:
    count = body.get("n", 1)
    told: dict[str, Any] = {"created": 1, "data": [{"b64_json": "aW1hZ2U="}] * count}
    if not str(body.get("model", "gpt-image-1")).startswith("dall-e"):
        told["usage"] = {
            **IMAGE_USAGE, "output_tokens": 272 * count, "total_tokens": 12 + 272 * count
        }  # fmt: skip
    return Reply(json.dumps(told).encode())


def _written(form: bytes) -> Reply:
    if b"\r\n\r\ntext\r\n" in form:
        return Reply(b"word word word word", "text/plain")
    by_time = b"whisper" in form
    usage = {"type": "duration", "seconds": 2} if by_time else HEARD
    return Reply(json.dumps({"text": "word word word word", "usage": usage}).encode())
