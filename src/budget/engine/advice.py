"""Advice: what a refusal for want of money adds, the cheaper models that would have fitted.

It is given in the caller's hands, so that the writer need not look at prices. Not here: whether a
call is refused (`domain.decide`), and which models are cheaper (`prices.cheaper`).
"""

from dataclasses import replace
from typing import TypeVar

from budget.domain.answers import Refusal
from budget.engine.commands import Place
from budget.prices.book import PriceBook
from budget.prices.cheaper import cheaper_for_tokens, cheaper_models

T = TypeVar("T")


def advised(answer: T, command: Place, prices: PriceBook) -> T:
    """The answer; a refusal with what else would have fitted, if all it lacked was money."""
    if not isinstance(answer, Refusal) or command.rates is None:
        return answer
    asked = answer.asked
    if asked is None or asked.tokens is None or {line.unit for line in answer.lines} != {"usd"}:
        return answer
    room_nanos = min(line.requested - line.shortfall for line in answer.lines)
    requests = asked.requests or 0
    if command.input_tokens is not None:
        output_tokens = asked.tokens - command.input_tokens
        cheaper = cheaper_models(
            prices,
            command.rates,
            command.input_tokens,
            output_tokens,
            room_nanos,
            answer.at_us,
            requests=requests,
            units=command.units,
        )
    elif command.usd_nanos is None:
        cheaper = cheaper_for_tokens(
            prices, command.rates, asked.tokens, room_nanos, answer.at_us, requests=requests
        )
    else:
        return answer  # its money was stated, and is the same with any model
    return replace(answer, cheaper=cheaper)
