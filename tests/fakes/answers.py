"""Answers: what a fake provider will say to one request, before it is spelled in a wire format.

How it behaves is written in the header `x-fake`, or behind a `+` in the model's name, as words
apart by spaces or commas: `words=20 cut=3 delay_ms=5`. Not here: the formats, and the connection.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

WORD: Final = "word"


class Behaviour(NamedTuple):
    """How one request is answered. Every word of the header is one of these names."""

    words: int = 5
    """How many output tokens it would make; a limit in the request cuts it."""
    reasoning: int = 0
    """How many of them are thoughts."""
    cached: int = 0
    """How many input tokens are read from the cache; at most all of them."""
    status: int = 0
    """Answer with this HTTP error ..."""
    times: int = 1_000_000
    """... as often as this, for requests with the same `x-fake-id`; then answer as usual."""
    cut: int = -1
    """Close the connection after so many pieces of a stream."""
    delay_ms: int = 0
    """Wait before every piece."""
    hang: bool = False
    """Never answer."""
    reset: bool = False
    """Reset the connection instead of answering; counts `times` too."""
    no_usage: bool = False
    """Leave out the usage."""
    filtered: bool = False
    """Refuse to answer, as content filters do."""
    unlimited: bool = False
    """Keep to no limit that the request sets."""
    cost_nanos: int = 0
    """Tell this cost beside the usage, as OpenRouter does."""


class Answer(NamedTuple):
    """What is said: `words` of text after `thoughts`, and the figures that would be billed."""

    response_id: str
    model: str
    input_tokens: int
    thoughts: tuple[str, ...]
    words: tuple[str, ...]
    finish: str
    """stop, length or filtered."""
    cached_tokens: int
    tells_usage: bool
    cost_nanos: int = 0

    @property
    def output_tokens(self) -> int:
        """All of them, thoughts too."""
        return len(self.thoughts) + len(self.words)


class Piece(NamedTuple):
    """One event of a stream, and how many output tokens have been made when it is sent."""

    event: str | None
    body: Mapping[str, Any] | str
    output_tokens: int


def behaviour_of(text: str) -> Behaviour:
    """The behaviour that this text tells; ValueError for a word that means nothing."""
    said: dict[str, Any] = {}
    for word in text.replace(",", " ").split():
        name, _, value = word.partition("=")
        if name not in Behaviour._fields:
            raise ValueError(f"no behaviour is called {name!r}")
        said[name] = int(value) if value else True
    return Behaviour(**said)


def answer_to(
    model: str, request: Mapping[str, Any], limit: int | None, how: Behaviour, response_id: str
) -> Answer:
    """The answer, at most `limit` output tokens long. An input token is a word of the request."""
    input_tokens = max(1, sum(len(text.split()) for text in _texts(request)))
    made = how.words + how.reasoning
    most = made if limit is None or how.unlimited else min(made, limit)
    thoughts = min(how.reasoning, most)
    words = 0 if how.filtered else most - thoughts
    return Answer(
        response_id,
        model,
        input_tokens,
        (WORD,) * thoughts,
        (WORD,) * words,
        "filtered" if how.filtered else "stop" if most == made else "length",
        min(how.cached, input_tokens),
        not how.no_usage,
        how.cost_nanos,
    )


def counted(words: tuple[str, ...], before: int) -> Iterator[tuple[str, int]]:
    """Each word as it is streamed, and how many tokens have been made with it."""
    for number, word in enumerate(words, start=1):
        yield word + " ", before + number


def _texts(value: object) -> Iterator[str]:
    """The prompts of a request: the strings below the names that hold text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name in (
            "messages",
            "contents",
            "content",
            "parts",
            "input",
            "text",
            "system",
            "prompt",
        ):
            yield from _texts(value.get(name))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
