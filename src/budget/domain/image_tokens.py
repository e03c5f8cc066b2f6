"""Images, in tokens, by the rules that providers publish; and the size of an image from its data.

Not here: where images are in a request (`estimating`). The rules are those published in November
2026: OpenAI's guide to images and vision, Anthropic's to vision, Google's to media resolution and
to tokens. A size that is not known counts as the most that the provider makes of any image.
"""

import binascii
from dataclasses import dataclass
from typing import Final, NamedTuple

from budget.domain.money import ceil_div
from budget.domain.text_tokens import bare_name, family_of


class Size(NamedTuple):
    """Width and height, in pixels."""

    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class _Tiles:
    """OpenAI's older rule: a base, and so much for each square of 512 pixels."""

    base: int
    tile: int


@dataclass(frozen=True, slots=True)
class _Patches:
    """OpenAI's newer rule: squares of 32 pixels, at most so many, each times a factor."""

    most: int
    milli: int
    original: int = 0
    """The most at the detail `original`, where the model has that; `auto` may mean it."""


_UNLISTED_MILLI: Final = 1200  # gpt-5.2 was seen to charge 1.2 tokens a patch; not in the guide
_TILES_MOST: Final = 8  # a side of at most 2048 pixels, the other of at most 768
_LOW_PATCHES: Final = 256  # 512 x 512

# What a model's name begins with; what comes first counts.
_OPENAI: Final = (
    ("gpt-4o-mini", _Tiles(2833, 5667)),
    ("gpt-4.1-mini", _Patches(1536, 1620)),
    ("gpt-4.1-nano", _Patches(1536, 2460)),
    ("gpt-5-mini", _Patches(1536, 1620)),
    ("gpt-5-nano", _Patches(1536, 2460)),
    ("gpt-5.4-mini", _Patches(1536, 1620)),
    ("gpt-5.4-nano", _Patches(1536, 2460)),
    ("o4-mini", _Patches(1536, 1720)),
    ("gpt-5.1", _Patches(1536, _UNLISTED_MILLI)),
    ("gpt-5.2", _Patches(1536, _UNLISTED_MILLI)),
    ("gpt-5.3", _Patches(1536, _UNLISTED_MILLI)),
    ("gpt-5-codex", _Patches(1536, _UNLISTED_MILLI)),
    ("gpt-5.", _Patches(2500, _UNLISTED_MILLI, original=10_000)),
    ("gpt-5", _Tiles(70, 140)),
    ("gpt-4", _Tiles(85, 170)),
    ("chatgpt-4o", _Tiles(85, 170)),
    ("o1", _Tiles(75, 150)),
    ("o3", _Tiles(75, 150)),
    ("computer-use-preview", _Tiles(65, 129)),
)
_OPENAI_UNKNOWN: Final = _Patches(2500, 2460, original=10_000)
_NO_MOST: Final = ("gpt-5.6",)  # `original` and `auto` are not scaled down at all

_CLAUDE_MOST: Final = 1568
_CLAUDE_NEW_MOST: Final = 4784

_GEMINI_TILE: Final = 258
_GEMINI_TILES_MOST: Final = 16
_GEMINI_3: Final = {"low": 280, "medium": 560, "high": 1120, "ultra_high": 2240}
_GEMINI_3_UNSAID: Final = 1120

_UNKNOWN_MOST: Final = 16_384


def image_tokens_bound(
    provider: str, model: str, *, detail: str | None = None, size: Size | None = None
) -> int:
    """The most tokens that one image is charged.

    `detail` is the provider's own word (`low`, `high`, `original`, `MEDIA_RESOLUTION_LOW`); another
    one, or None, counts as the dearest that the provider may choose.
    """
    name, served_by = bare_name(model), provider.strip().lower()
    word = (detail or "").strip().lower()
    if name.startswith("gemini"):
        return _gemini(name, word.removeprefix("media_resolution_"), size)
    if family_of(provider, model) in {"claude", "claude-new"}:
        new = family_of(provider, model) == "claude-new"
        return _by_area(size, _CLAUDE_NEW_MOST if new else _CLAUDE_MOST)
    for beginning, rule in _OPENAI:
        if name.startswith(beginning):
            return _openai(rule, name, word, size)
    if served_by in {"openai", "azure"}:
        return _openai(_OPENAI_UNKNOWN, _NO_MOST[0], word, size)
    return _by_area(size, _UNKNOWN_MOST)


def _openai(rule: _Tiles | _Patches, name: str, detail: str, size: Size | None) -> int:
    if isinstance(rule, _Tiles):
        if detail == "low":
            return rule.base
        return rule.base + rule.tile * (_TILES_MOST if size is None else _tiles(size))
    if detail == "low":
        return ceil_div(_LOW_PATCHES * rule.milli, 1000)
    most = rule.most if detail == "high" else max(rule.most, rule.original)
    if size is None:
        patches = most
    else:
        patches = _squares(size, 32)
        if detail == "high" or not name.startswith(_NO_MOST):
            patches = min(patches, most)
    return ceil_div(patches * rule.milli, 1000)


def _tiles(size: Size) -> int:
    """How many squares of 512 pixels, after fitting into 2048 x 2048 and a short side of 768."""
    short, long = sorted(size)
    if long > 2048:
        short, long = ceil_div(short * 2048, long), 2048
    if short > 768:
        short, long = 768, ceil_div(long * 768, short)
    return min(_TILES_MOST, max(1, ceil_div(short, 512) * ceil_div(long, 512)))


def _by_area(size: Size | None, most: int) -> int:
    """Anthropic's rule, squares of 28 pixels, or the older one, an area by 750: the dearer."""
    if size is None:
        return most
    return min(most, max(_squares(size, 28), ceil_div(size.width_px * size.height_px, 750)))


def _gemini(name: str, level: str, size: Size | None) -> int:
    if not name.startswith(("gemini-1", "gemini-2")):
        unsaid = level in {"", "unspecified"}
        return _GEMINI_3_UNSAID if unsaid else _GEMINI_3.get(level, _GEMINI_3["ultra_high"])
    if level in {"low", "medium"}:
        return _GEMINI_TILE
    if size is None:
        return _GEMINI_TILE * _GEMINI_TILES_MOST
    if max(size) <= 384:
        return _GEMINI_TILE
    # Tiles are of 768 pixels by one page of the guide; by another, of two thirds of the short side.
    unit = min(768, max(256, min(size) * 2 // 3))
    return _GEMINI_TILE * min(_GEMINI_TILES_MOST, _squares(size, unit))


def _squares(size: Size, side_px: int) -> int:
    return max(1, ceil_div(size.width_px, side_px) * ceil_div(size.height_px, side_px))


_HEAD_CHARS: Final = 400_000  # of base64: a JPEG may begin with a long block of metadata
_MOST_BLOCKS: Final = 1000
_DATA: Final = "data:"


def size_of_base64(data: str) -> Size | None:
    """The size of the PNG, JPEG, GIF or WebP in base64 or a data URL; None if it cannot be told."""
    if data[:5].lower() == _DATA:
        data = data[data.find(",", 0, 200) + 1 :]
    head = data[:_HEAD_CHARS]
    try:
        return size_of_bytes(binascii.a2b_base64(head[: len(head) // 4 * 4]))
    except ValueError:
        return None


def size_of_bytes(data: bytes) -> Size | None:
    """The same for the file itself, or its beginning."""
    size = None
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        size = _big(data[16:20]), _big(data[20:24])
    elif data[:4] == b"GIF8":
        size = _little(data[6:8]), _little(data[8:10])
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        size = _webp(data)
    elif data[:2] == b"\xff\xd8":
        size = _jpeg(data)
    return Size(*size) if size and min(size) > 0 else None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8 ":
        return _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF
    if kind == b"VP8L":
        bits = _little(body[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _little(body[4:7]) + 1, _little(body[7:10]) + 1
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Walk the blocks to the one that begins the frame."""
    at = 2
    for _ in range(_MOST_BLOCKS):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        mark = data[at + 1]
        if 0xC0 <= mark <= 0xCF and mark not in {0xC4, 0xC8, 0xCC}:
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        if mark == 0xFF:  # padding
            at += 1
        else:
            at += 2 + max(2, _big(data[at + 2 : at + 4]))
    return None


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
