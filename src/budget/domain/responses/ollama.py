"""Ollama's own API: counts at the top of the last object.

Source: Ollama's API reference (generate, chat, embed). Its OpenAI-compatible endpoints have
OpenAI's shape.
"""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.responses.parts import Heard, Parts, Shape
from budget.domain.responses.reading import Counts, Fields, counts_of, word_at

_FIELDS: Final[Fields] = (
    ("input", ("prompt_eval_count",)),
    ("output", ("eval_count",)),
)


def read(chunk: Mapping[str, Any], _provider: str) -> Heard:
    """What a response or an object of the stream tells; `done` marks the last one."""
    counts = counts_of(chunk, _FIELDS)
    if counts.known and "done" not in chunk:
        counts = Counts({"output": 0, **counts.known}, counts.bad)  # embeddings make no text
    done = chunk.get("done", True) is True
    return Heard(counts, word_at(chunk, "model"), final=done if counts.known else None)


def parts_of(counts: Mapping[str, int], _provider: str) -> Parts:
    """The counts. Without `prompt_eval_count`, which a cached prompt may lack, it is no truth."""
    return Parts(counts.get("input"), counts.get("output"))


SHAPE: Final = Shape("ollama", read, parts_of)
