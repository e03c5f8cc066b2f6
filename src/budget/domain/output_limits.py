"""The most output tokens that a request allows its answer, as providers' bodies say it.

Not here: input (`estimating`), and what is held where a request says nothing (`allocations`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from budget.domain.money import parse_count

_PLACES: Final = (
    ("max_completion_tokens",),
    ("max_output_tokens",),
    ("max_tokens",),
    ("max_tokens_to_sample",),
    ("generationConfig", "maxOutputTokens"),
    ("generation_config", "max_output_tokens"),
    ("inferenceConfig", "maxTokens"),
    ("options", "num_predict"),
)
"""OpenAI, Anthropic, Gemini, Bedrock, Ollama."""

_ANSWERS: Final = (
    ("n",),
    ("best_of",),
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
        if not (name.endswith("num_predict") and value in (-1, -2))
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


def _found(
    request: Mapping[Any, Any], places: tuple[tuple[str, ...], ...]
) -> Iterator[tuple[str, Any]]:
    """What a request says at these places, with the name of each."""
    for place in places:
        if place[0] not in request:
            continue
        held: Any = request
        for key in place:
            held = held.get(key) if isinstance(held, (dict, Mapping)) else None
        if held is not None:
            yield ".".join(("request", *place)), held
