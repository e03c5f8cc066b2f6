"""OpenAI's images and audio: the most that a call may use, told by what it asks for.

Such answers are not cut: all that they may use is held before. Source: OpenAI's guides to images
(output tokens by size and quality), to speech and to transcription; the bounds for audio tokens are
ours, above what is published. Not here: which routes these are (`openai_routes`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from budget.domain.money import parse_count
from budget.domain.output_limits import output_tokens_limit
from budget.gateway.formats.format import Body, Most
from budget.gateway.formats.multipart import File
from budget.gateway.formats.sound import most_milliseconds

_SQUARE_PIXELS: Final = 1024 * 1024
_SQUARE_TOKENS: Final[Mapping[str, int]] = {"low": 272, "medium": 1056, "high": 4160}
"""Output tokens of a square image; of others in proportion to their pixels."""
_LARGEST: Final = (1024, 1536)
_LARGEST_OF_OTHERS: Final = (2160, 3840)
_PARTIAL_TOKENS: Final = 100
_INPUT_IMAGE_TOKENS: Final = 8192
"""More than any one image counts for, also where its details are kept."""
_MOST_IMAGES: Final = 100

_HEARD_TOKENS: Final = 25
"""Tokens of a second of audio that is heard ..."""
_WRITTEN_TOKENS: Final = 12
"""... and of the text that it becomes."""
_LONGEST_MILLISECONDS: Final = 4 * 3_600_000
"""How long a recording is taken to be that is only referred to."""
_SPOKEN_TOKENS: Final = 5
"""Tokens of audio for a character that is spoken."""
_ROOM_TOKENS: Final = 256
ENDS: Final = frozenset({
    "image_edit.completed", "image_generation.completed", "speech.audio.done",
    "transcript.text.done",
})  # fmt: skip
"""The events that end answers in such a stream."""
MOST_WRITTEN_TOKENS: Final = 16_384
"""The most that models write which answer in audio, or make a long talk shorter."""


def images(body: Body) -> Most:
    """Images that are made or changed: each one's tokens, and how many."""
    count = _count(body, "n", 1)
    each = _image_tokens(body) + _PARTIAL_TOKENS * _count(body, "partial_images", 0)
    given = sum(1 for name in ("image", "images", "mask") for _ in _files(body.get(name)))
    seen_tokens = given * _INPUT_IMAGE_TOKENS
    made_tokens = count * each
    return Most(
        made_tokens,
        {
            "images": count, "output_image_tokens": made_tokens,
            "input_image_tokens": seen_tokens,
        },
        _text_tokens(body) + seen_tokens,
    )  # fmt: skip


def _image_tokens(body: Body) -> int:
    quality = _SQUARE_TOKENS.get(str(body.get("quality")), _SQUARE_TOKENS["high"])
    width, height = _size(body)
    return -(-width * height * quality // _SQUARE_PIXELS)


def _size(body: Body) -> tuple[int, int]:
    """The size that is asked for; the largest that the model has, where that is left to it."""
    width, _, height = str(body.get("size")).partition("x")
    if all(side.isascii() and side.isdigit() and len(side) < 6 for side in (width, height)):
        return int(width), int(height)
    model = str(body.get("model"))
    return _LARGEST if model.startswith("gpt-image-1") else _LARGEST_OF_OTHERS


def speech(body: Body) -> Most:
    """Text that is spoken: its characters, and the audio that it may become."""
    text = body.get("input")
    characters = len(text) if isinstance(text, str) else 0
    made_tokens = characters * _SPOKEN_TOKENS + _ROOM_TOKENS
    units = {"characters": characters, "output_audio_tokens": made_tokens}
    return Most(made_tokens, units, None)


def transcription(body: Body) -> Most:
    """Audio that is written down: how long it is, and the text that it may become."""
    content = b"".join(_files(body.get("file")))
    most = most_milliseconds(content) if content else _LONGEST_MILLISECONDS
    seconds = -(-most // 1000)
    heard_tokens = seconds * _HEARD_TOKENS + _ROOM_TOKENS
    return Most(
        seconds * _WRITTEN_TOKENS + _ROOM_TOKENS,
        {"milliseconds": most, "input_audio_tokens": heard_tokens},
        _text_tokens(body) + heard_tokens,
    )


def chat_in_audio(body: Body) -> Most | None:
    """A chat whose answer is spoken: all that it may write is held as audio. None: it is not."""
    asked = body.get("modalities")
    if not isinstance(asked, list) or "audio" not in asked:
        return None
    limit = output_tokens_limit(body)
    most = MOST_WRITTEN_TOKENS if limit is None else limit
    return Most(most, {"output_audio_tokens": most}, None)


def _count(body: Body, name: str, usual: int) -> int:
    """A count, which forms spell as text. InvalidInput, naming the field, for what is none."""
    value: Any = body.get(name)
    if value is None:
        return usual
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        value = int(value)
    return parse_count(value, name, maximum=_MOST_IMAGES)


def _text_tokens(body: Body) -> int:
    """At least as many tokens as the texts of a form: one for each byte."""
    texts = (text for text in body.values() if isinstance(text, str))
    return sum(len(text.encode("utf-8", "replace")) for text in texts) + _ROOM_TOKENS


def _files(value: object) -> Iterator[bytes]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, File):
            yield one.content
        elif one is not None:
            yield one.encode("utf-8", "replace") if isinstance(one, str) else b""
