"""Images, audio and embeddings through the gateway: held at the most that they may use."""

import io
import wave
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from budget.gateway.formats.format import Target
from budget.gateway.upstreams import FORMATS
from tests.fakes import openai_media
from tests.gateway.through import Through

PRICED = {"input": "1.00", "output": "1.00"}
"""USD per million tokens where a model has no price of its own."""


@pytest.fixture
def client(gateway: Through) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, with nothing changed but its address and its key."""
    with openai.OpenAI(
        base_url=f"{gateway.url}/openai/v1", api_key=gateway.key, max_retries=0
    ) as made:
        yield made


def sound(seconds: int) -> tuple[str, bytes]:
    """A WAV file of silence: 8,000 samples a second of 16 bits."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16_000 * seconds))
    return "silence.wav", held.getvalue()


def test_embeddings_are_booked_by_their_input(gateway: Through, client: openai.OpenAI) -> None:
    gateway.limit("1")
    client.embeddings.create(
        model="text-embedding-3-small", input="two words", encoding_format="float"
    )
    (record,) = gateway.records()
    assert (record.usage.input_tokens, record.usage.output_tokens) == (2, 0)
    assert record.cost_nanos == 2 * 20


def test_images_are_booked_by_the_tokens_that_are_told(
    gateway: Through, client: openai.OpenAI
) -> None:
    """gpt-image-1: 5 USD per million tokens of text, 40 of images."""
    gateway.limit("1")
    made = client.images.generate(
        model="gpt-image-1", prompt="A cat", n=2, size="1024x1024", quality="low"
    )
    assert len(made.data or ()) == 2
    (record,) = gateway.records()
    assert record.cost_nanos == 12 * 5_000 + 2 * 272 * 40_000
    assert gateway.open_holds() == 0


def test_an_image_that_is_seen_while_it_is_made_is_booked_with_what_was_seen(
    gateway: Through, client: openai.OpenAI
) -> None:
    """Two images on the way are 100 tokens each. It is booked before its end is passed on."""
    gateway.limit("1")
    events: list[Any] = []
    for event in client.images.generate(
        model="gpt-image-1", prompt="A cat", size="1024x1024", quality="low", stream=True,
        partial_images=2,
    ):  # fmt: skip
        events.append(event)
        if event.type == "image_generation.completed":
            assert gateway.open_holds() == 0
    assert [event.type for event in events] == [
        "image_generation.partial_image", "image_generation.partial_image",
        "image_generation.completed",
    ]  # fmt: skip
    assert events[-1].b64_json == "aW1hZ2U=" * 500
    (record,) = gateway.records()
    assert record.cost_nanos == 12 * 5_000 + (272 + 200) * 40_000
    assert '"usage_source":"provider"' in record.metadata
    assert gateway.open_holds() == 0


def test_images_on_the_way_are_held_for_too(gateway: Through, client: openai.OpenAI) -> None:
    """272 tokens and three times 100 at 40 USD a million are 0.02288 USD, and the prompt."""
    gateway.limit("0.0228")
    asked: Any = {"model": "gpt-image-1", "prompt": "A cat", "size": "1024x1024", "quality": "low"}
    with pytest.raises(openai.APIStatusError, match="Everything"):
        client.images.generate(**asked, stream=True, partial_images=3)
    assert not gateway.providers.requests()
    client.images.generate(**asked, stream=True, partial_images=2).close()


def test_images_that_could_cost_more_than_is_left_are_refused(
    gateway: Through, client: openai.OpenAI
) -> None:
    """Two of 4,160 tokens at 40 USD a million are 0.3328 USD, and the prompt."""
    gateway.limit("0.3328")
    with pytest.raises(openai.APIStatusError, match="Everything"):
        client.images.generate(
            model="gpt-image-1", prompt="A cat", n=2, size="1024x1024", quality="high"
        )
    assert not gateway.providers.requests()
    client.images.generate(model="gpt-image-1", prompt="A cat", size="1024x1024", quality="high")
    assert len(gateway.records()) == 1


def test_a_changed_image_comes_as_a_form_and_goes_as_it_came(
    gateway: Through, client: openai.OpenAI
) -> None:
    gateway.limit("1")
    client.images.edit(
        model="gpt-image-1", image=[("a.png", b"\x89PNG one"), ("b.png", b"\x89PNG two")],
        prompt="Both together", size="1024x1024", quality="low",
    )  # fmt: skip
    (record,) = gateway.records()
    assert record.model == "gpt-image-1"
    assert record.cost_nanos == 12 * 5_000 + 272 * 40_000


def test_speech_is_asked_for_in_events_which_tell_what_it_used_and_passed_on_as_sound(
    gateway: Through, client: openai.OpenAI
) -> None:
    """gpt-4o-mini-tts: 0.60 USD per million tokens of text, 12 of audio."""
    gateway.limit("1")
    asked: Any = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "x" * 100}
    spoken = client.audio.speech.create(**asked)
    assert spoken.content == openai_media.SPOKEN
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    spoken = client.audio.speech.create(**asked, response_format="wav")
    assert spoken.content == openai_media.SPOKEN
    assert spoken.response.headers["content-type"] == "audio/wav"
    assert [body["stream_format"] for _, body in gateway.providers.requests()] == ["sse"] * 2
    assert [record.cost_nanos for record in gateway.records()] == [14 * 600 + 101 * 12_000] * 2


@pytest.mark.parametrize("instructions", ["Break off.", "No sound."])
def test_speech_that_breaks_off_ends_without_its_end_and_is_booked_at_what_was_held(
    gateway: Through, client: openai.OpenAI, instructions: str
) -> None:
    gateway.limit("1")
    with pytest.raises(openai.APIConnectionError):
        client.audio.speech.create(
            model="gpt-4o-mini-tts", voice="alloy", input="x" * 100, instructions=instructions
        )
    (record,) = gateway.records()
    assert record.usage.output_tokens == 100 * 5 + 256
    assert '"end":"broken"' in record.metadata


@pytest.mark.parametrize(
    ("name", "path", "model", "framing"),
    [
        ("openai", "/v1", "gpt-4o-mini-tts-2025-12-15", "spoken"),
        ("openai", "/v1", "tts-1", "bytes"),
        ("azure", "/openai/deployments/gpt-4o-mini-tts", "gpt-4o-mini-tts", "bytes"),
    ],
)
def test_speech_is_asked_for_in_events_where_it_is_known_to_come_so(
    name: str, path: str, model: str, framing: str
) -> None:
    body = {"model": model, "voice": "alloy", "input": "Hi"}
    asked = FORMATS[name].asked(Target("POST", f"{path}/audio/speech", "", body))
    assert asked is not None
    assert asked.framing == framing


def test_speech_that_comes_as_sound_is_booked_at_what_was_held_because_nobody_tells(
    gateway: Through, client: openai.OpenAI
) -> None:
    gateway.limit("1")
    spoken = client.audio.speech.create(
        model="gpt-4o-mini-tts", voice="alloy", input="x" * 100, instructions="No events."
    )
    assert spoken.content == openai_media.SPOKEN
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    (record,) = gateway.records()
    assert record.usage.output_tokens == 100 * 5 + 256
    assert '"usage_source":"estimated"' in record.metadata
    assert gateway.open_holds() == 0


def test_speech_that_comes_in_events_is_booked_by_what_they_tell(
    gateway: Through, client: openai.OpenAI
) -> None:
    """gpt-4o-mini-tts: 0.60 USD per million tokens of text, 12 of audio."""
    gateway.limit("1")
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="x" * 100, stream_format="sse"
    ) as answer:
        text = "".join(answer.iter_text())
    assert text.count("speech.audio.delta") == 2 * 2
    (record,) = gateway.records()
    assert record.cost_nanos == 14 * 600 + 101 * 12_000


def test_a_transcription_is_booked_by_what_is_told(gateway: Through, client: openai.OpenAI) -> None:
    """gpt-4o-transcribe: 6 USD per million tokens of audio, 10 of output."""
    gateway.limit("1")
    text = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound(2)).text
    assert text == "word word word word"
    (record,) = gateway.records()
    assert record.cost_nanos == 20 * 6_000 + 4 * 10_000


def test_a_transcription_that_is_read_while_it_is_written_is_booked_the_same(
    gateway: Through, client: openai.OpenAI
) -> None:
    gateway.limit("1")
    events = list(
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound(2), stream=True)
    )
    assert [event.type for event in events] == [
        *["transcript.text.delta"] * 4, "transcript.text.done"
    ]  # fmt: skip
    (record,) = gateway.records()
    assert record.cost_nanos == 20 * 6_000 + 4 * 10_000
    assert '"usage_source":"provider"' in record.metadata


def test_a_transcription_is_held_by_how_long_it_is(gateway: Through, client: openai.OpenAI) -> None:
    """600 seconds: 15,256 tokens of audio at 6 USD a million alone are 0.0915 USD."""
    gateway.limit("0.09")
    with pytest.raises(openai.APIStatusError, match="Everything"):
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound(600))
    assert not gateway.providers.requests()
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound(60))


def test_a_transcription_that_comes_as_plain_text_is_booked_at_what_was_held(
    gateway: Through, client: openai.OpenAI
) -> None:
    gateway.limit("1")
    text = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=sound(2), response_format="text"
    )
    assert "word" in text
    (record,) = gateway.records()
    assert record.usage.output_tokens == 3 * 12 + 256
    assert '"usage_source":"estimated"' in record.metadata


def test_whisper_is_booked_by_time_where_it_has_such_a_price(
    gateway: Through, client: openai.OpenAI
) -> None:
    """0.006 USD a minute are 100 nano-USD for a millisecond."""
    gateway.books.set_price(
        provider="openai", model="whisper-1", input="0", output="0",
        units={"milliseconds": "0.0000001"}, reason="The list says so.",
    )  # fmt: skip
    gateway.limit("0.001")
    client.audio.transcriptions.create(model="whisper-1", file=sound(2))
    (record,) = gateway.records()
    assert dict(record.usage.units) == {"milliseconds": 2000}
    assert record.cost_nanos == 200_000
    with pytest.raises(openai.APIStatusError, match="Everything"):
        client.audio.transcriptions.create(model="whisper-1", file=sound(9))


def test_what_is_free_is_not_booked(gateway: Through, client: openai.OpenAI) -> None:
    gateway.limit("0.000000001")
    assert [model.id for model in client.models.list()] == ["gpt-4o", "groq/gpt"]
    assert client.moderations.create(input="Hello").id == "modr-1"
    assert not gateway.records()


def test_no_ladder_makes_the_hold_of_an_image_smaller(
    gateway: Through, client: openai.OpenAI
) -> None:
    gateway.limit("0.1", degrade=["smaller"])
    with pytest.raises(openai.APIStatusError, match="Everything"):
        client.images.generate(
            model="gpt-image-1", prompt="A cat", size="1024x1024", quality="high"
        )
    assert not gateway.providers.requests()
