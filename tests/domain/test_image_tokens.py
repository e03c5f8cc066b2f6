"""Images in tokens: the providers' own examples, their most, and sizes read from the data."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.image_tokens import Size, image_tokens_bound, size_of_base64, size_of_bytes


@pytest.mark.parametrize(
    ("model", "detail", "size", "tokens"),
    [
        # OpenAI's examples of its tiles: 4 of them, 6 of them, and the base alone.
        ("gpt-4o", "high", Size(1024, 1024), 765),
        ("gpt-4o", "high", Size(2048, 4096), 1105),
        ("gpt-4o", "low", Size(4096, 8192), 85),
        ("gpt-4o", None, Size(128, 64), 255),  # one tile: 85 + 170
        ("gpt-4o", None, None, 1445),  # 85 + 8 x 170
        ("gpt-4o-mini", "high", None, 48169),  # 2833 + 8 x 5667
        ("gpt-5", "high", Size(1024, 1024), 630),  # 70 + 4 x 140
        ("o1", None, Size(512, 512), 225),  # 75 + 150
        # Patches: 32 x 32 of them times 1.62; at most 1536 of them.
        ("gpt-4.1-mini", "high", Size(1024, 1024), 1659),
        ("gpt-4.1-mini", None, Size(1800, 2400), 2489),
        ("gpt-4.1-mini", "low", None, 415),  # 16 x 16 times 1.62
        ("gpt-4.1-nano", None, None, 3779),  # 1536 x 2.46
        ("gpt-5.4", "high", None, 3000),  # 2500 x 1.2
        ("gpt-5.4", "original", None, 12000),  # 10,000 x 1.2
        ("gpt-5.6", "original", Size(6400, 6400), 48000),  # 200 x 200 times 1.2, with no most
        ("gpt-5.6", "high", Size(6400, 6400), 3000),
    ],
)
def test_openai_counts_tiles_or_patches(
    model: str, detail: str | None, size: Size | None, tokens: int
) -> None:
    assert image_tokens_bound("openai", model, detail=detail, size=size) == tokens


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("claude-sonnet-4-5", Size(1000, 1000), 1334),  # 1,000,000 / 750; 36 x 36 are 1296
        ("claude-sonnet-4-5", Size(200, 200), 64),  # 8 x 8; 40,000 / 750 are 54
        ("claude-sonnet-4-5", Size(1920, 1080), 1568),
        ("claude-sonnet-4-5", None, 1568),
        ("claude-opus-4-7", Size(1920, 1080), 2765),  # 2,073,600 / 750; 69 x 39 are 2691
        ("claude-opus-4-7", Size(3840, 2160), 4784),
        ("claude-opus-4-7", None, 4784),
    ],
)
def test_anthropic_counts_an_area_up_to_a_most(model: str, size: Size | None, tokens: int) -> None:
    assert image_tokens_bound("anthropic", model, size=size) == tokens


@pytest.mark.parametrize(
    ("model", "detail", "size", "tokens"),
    [
        ("gemini-2.5-flash", None, Size(384, 300), 258),
        ("gemini-2.5-flash", None, Size(960, 540), 1548),  # Google's example: 6 tiles
        ("gemini-2.5-flash", None, None, 4128),  # 16 tiles
        ("gemini-2.5-flash", "MEDIA_RESOLUTION_LOW", None, 258),
        ("gemini-3-pro-preview", None, Size(960, 540), 1120),
        ("gemini-3-pro-preview", "MEDIA_RESOLUTION_UNSPECIFIED", None, 1120),
        ("gemini-3-pro-preview", "media_resolution_low", None, 280),
        ("gemini-3-pro-preview", "MEDIA_RESOLUTION_ULTRA_HIGH", None, 2240),
        ("gemini-3-pro-preview", "some new level", None, 2240),
    ],
)
def test_gemini_counts_tiles_or_by_resolution(
    model: str, detail: str | None, size: Size | None, tokens: int
) -> None:
    assert image_tokens_bound("google", model, detail=detail, size=size) == tokens


def test_of_unknown_models_an_image_counts_its_area_up_to_a_high_most() -> None:
    assert image_tokens_bound("ollama", "llava", size=Size(280, 280)) == 105  # 78,400 / 750
    assert image_tokens_bound("ollama", "llava") == 16384
    assert image_tokens_bound("openai", "gpt-9") == 24600  # 10,000 x 2.46


PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 320, 200)
JPEG = (
    b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + bytes(14)  # a block of metadata
    + b"\xff\xc0" + struct.pack(">HBHH", 17, 8, 600, 800) + bytes(12)
)  # fmt: skip
WEBP = {
    b"VP8X": bytes(4) + (799).to_bytes(3, "little") + (599).to_bytes(3, "little"),
    b"VP8L": b"\x2f" + (799 | 599 << 14).to_bytes(4, "little") + bytes(5),
    b"VP8 ": bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 800, 600),
}


@pytest.mark.parametrize(
    ("data", "size"), [(PNG, Size(640, 480)), (GIF, Size(320, 200)), (JPEG, Size(800, 600))]
)
def test_the_size_is_read_from_the_beginning_of_the_file(data: bytes, size: Size) -> None:
    text = base64.b64encode(data).decode()
    assert size_of_bytes(data) == size
    assert size_of_base64(text) == size
    assert size_of_base64(f"data:image/png;base64,{text}") == size


@pytest.mark.parametrize("kind", WEBP)
def test_the_three_kinds_of_webp_tell_their_size(kind: bytes) -> None:
    data = b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + WEBP[kind]
    assert size_of_bytes(data) == Size(800, 600)


@pytest.mark.parametrize(
    "text", ["", "https://example.org/cat.png", "data:image/png;base64,", "é" * 40, "AAAA" * 9]
)
def test_what_tells_no_size_has_none(text: str) -> None:
    assert size_of_base64(text) is None


@given(st.binary(max_size=60), st.sampled_from([PNG[:8], GIF[:4], JPEG[:4], b"RIFF1234WEBPVP8 "]))
def test_broken_images_have_a_size_or_none(tail: bytes, head: bytes) -> None:
    size = size_of_bytes(head + tail)
    assert size is None or min(size) > 0


def test_a_jpeg_without_an_end_of_blocks_ends() -> None:
    assert size_of_bytes(b"\xff\xd8" + b"\xff" * 100_000) is None
