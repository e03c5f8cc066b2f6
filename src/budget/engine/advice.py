"""Advice: what a refusal for want of money adds, the cheaper models that would have fitted.

It is given in the caller's hands, so that the writer need not look at prices. Not here: whether a
call is refused (`domain.decide`), and which models are cheaper (`prices.cheaper`).
"""

from dataclasses import replace
from typing import TypeVar

from budget.domain.allocations import default_size_tokens
from budget.domain.answers import Refusal
from budget.engine.commands import Place
from budget.prices.book import PriceBook
from budget.prices.cheaper import cheaper_for_tokens, cheaper_models

T = TypeVar("T")


def advised(answer: T, command: Place, prices: PriceBook) -> T:
    """The answer; a refusal with what else would have fitted, if all it lacked was money."""
    if not isinstance(answer, Refusal) or command.rates is None:
        return answer
    if {line.unit for line in answer.lines} != {"usd"}:
        return answer
    room_nanos = min(line.requested - line.shortfall for line in answer.lines)
    requests = command.requests
    if requests is None:
        requests = 0 if command.envelope and command.input_tokens is None else 1
    if command.input_tokens is not None:
        cheaper = cheaper_models(
            prices,
            command.rates,
            command.input_tokens,
            answer.output_tokens or 0,
            room_nanos,
            answer.at_us,
            requests=requests,
        )
        return replace(answer, cheaper=cheaper)
    tokens = _tokens_priced(command)
    if tokens is None:
        return answer
    cheaper = cheaper_for_tokens(
        prices, command.rates, tokens, room_nanos, answer.at_us, requests=requests
    )
    return replace(answer, cheaper=cheaper)


def _tokens_priced(command: Place) -> int | None:
    """The tokens that the money of a hold without an estimate was worked out from, if it was."""
    if command.usd_nanos is not None:
        return None  # it was stated, and is the same with any model
    if command.tokens is not None or command.requests is not None:
        return command.tokens
    if command.parent_id is not None:
        return None  # the type of its task, hence its size, may be that of its envelope
    return default_size_tokens(command.attributes.get("task_type"), command.priority)
