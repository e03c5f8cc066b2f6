"""How long a recording is at most."""

import io
import wave

import pytest

from budget.gateway.formats.sound import most_milliseconds


def recorded(rate: int, channels: int, sample_bytes: int, seconds: int) -> bytes:
    """A WAV file of silence."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(sample_bytes)
        file.setframerate(rate)
        file.writeframes(bytes(rate * channels * sample_bytes * seconds))
    return held.getvalue()


@pytest.mark.parametrize(("rate", "channels", "sample_bytes"), [(8000, 1, 2), (44_100, 2, 3)])
def test_wav_is_as_long_as_it_is(rate: int, channels: int, sample_bytes: int) -> None:
    found = most_milliseconds(recorded(rate, channels, sample_bytes, 3))
    assert 3000 <= found <= 3006  # its head counts as sound


def test_anything_else_is_as_long_as_the_worst_sound_of_its_bytes() -> None:
    assert most_milliseconds(b"ID3" + bytes(7497)) == 10_000
    assert most_milliseconds(b"") == 0


@pytest.mark.parametrize("broken_at", [12, 20, 34])
def test_a_wav_whose_head_is_broken_is_as_long_as_the_worst_sound(broken_at: int) -> None:
    head = recorded(8000, 1, 2, 0)[:broken_at]
    assert most_milliseconds(head + bytes(750 - broken_at)) == 1000


def test_a_wav_that_says_it_needs_no_bytes_is_not_believed() -> None:
    file = bytearray(recorded(8000, 1, 2, 1))
    file[34:36] = b"\0\0"  # bits of a sample
    assert most_milliseconds(bytes(file)) == -(-len(file) * 1000 // 750)
