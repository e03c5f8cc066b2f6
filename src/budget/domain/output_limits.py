"""The most output tokens that a request allows its answer, as providers' bodies say it.

Not here: input (`estimating`), and what is held where a request says nothing (`allocations`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from budget.domain.money import parse_count

Place = tuple[str, str | None]
"""A field, or one within it."""

_PLACES: Final[tuple[Place, ...]] = (
    ("max_completion_tokens", None),
    ("max_output_tokens", None),
    ("max_tokens", None),
    ("max_tokens_to_sample", None),
    ("generationConfig", "maxOutputTokens"),
    ("generation_config", "max_output_tokens"),
    ("inferenceConfig", "maxTokens"),
    ("options", "num_predict"),
)
"""OpenAI, Anthropic, Gemini, Bedrock, Ollama."""
_UNLIMITED: Final = (-1, -2)
"""What Ollama's `num_predict` says for no limit."""

_ANSWERS: Final[tuple[Place, ...]] = (
    ("n", None),
    ("best_of", None),
    ("generationConfig", "candidateCount"),
    ("generation_config", "candidate_count"),
)
"""How many answers a request asks for: each may be as long as is allowed."""

_MOST_ANSWERS: Final = 1000


def output_tokens_limit(request: object) -> int | None:
    """The most output tokens of all the answers to a request; None where it sets no limit.

    Where several fields set one, the largest counts. Raises InvalidInput, naming the field, for
    what is no count; a negative `num_predict` is Ollama's word for no limit.
    """
    if not isinstance(request, (dict, Mapping)):
        return None
    limits = [
        parse_count(value, name)
        for name, value in _found(request, _PLACES)
        if not (value in _UNLIMITED and name.endswith("num_predict"))
    ]
    if not limits:
        return None
    return max(limits) * answers_of(request)


def answers_of(request: object) -> int:
    """How many answers a request asks for, 1 at least: for each prompt of a list as many as it
    says. InvalidInput for what is no count.
    """
    if not isinstance(request, (dict, Mapping)):
        return 1
    most = 1
    for name, value in _found(request, _ANSWERS):
        most = max(most, parse_count(value, name, maximum=_MOST_ANSWERS))
    return most * _prompts_of(request)


def _prompts_of(request: Mapping[Any, Any]) -> int:
    """How many prompts OpenAI's older completions are given: texts, or lists of tokens."""
    prompt = request.get("prompt")
    if not prompt or not isinstance(prompt, (list, tuple)) or isinstance(prompt[0], int):
        return 1
    return len(prompt)


def _found(request: Mapping[Any, Any], places: tuple[Place, ...]) -> Iterator[tuple[str, Any]]:
    """What a request says at these places, with the name of each."""
    for field, within in places:
        held = request.get(field)
        if held is None:
            continue
        if within is None:
            yield f"request.{field}", held
        elif isinstance(held, (dict, Mapping)) and (inner := held.get(within)) is not None:
            yield f"request.{field}.{within}", inner
