"""Ollama's own API, counted at the top. genai-prices does not know it."""

from budget.domain.responses import Stream, Told, usage_of
from budget.domain.usage import Usage
from tests.domain.responses.samples import OLLAMA, OLLAMA_STREAM


def test_a_response_has_its_counts_at_the_top() -> None:
    assert usage_of(OLLAMA) == Told(Usage(26, 290), "llama3.2", complete=True)


def test_a_stream_tells_with_the_object_that_is_done() -> None:
    stream = Stream(provider="ollama")
    for line in OLLAMA_STREAM[:-1]:
        stream.take(line)
        assert stream.told() == Told(None, "llama3.2")
    stream.take(OLLAMA_STREAM[-1])
    assert stream.told() == Told(Usage(11, 18), "llama3.2", complete=True)


def test_a_cached_prompt_may_have_no_count_and_then_it_is_incomplete() -> None:
    response = {name: value for name, value in OLLAMA.items() if name != "prompt_eval_count"}
    assert usage_of(response) == Told(Usage(0, 290), "llama3.2")


def test_embeddings_make_no_text() -> None:
    response = {"model": "embed", "embeddings": [[0.1]], "prompt_eval_count": 8}
    assert usage_of(response) == Told(Usage(8, 0), "embed", complete=True)
