"""Advice: what a refusal adds, the cheaper models that would have fitted, or the names meant, and
what the operator tells; and what a budget's ladder names that nobody knows.

It is given in the caller's hands, so that the writer need not look at prices. Not here: whether a
call is refused (`domain.decide`), which models are cheaper (`prices.cheaper`), and what names mean
(`prices.resolving`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from budget.domain.answers import Refusal
from budget.domain.budgets import Budget
from budget.domain.ladders import STEPS
from budget.engine.commands import Place
from budget.prices.book import PriceBook
from budget.prices.capabilities import UNKNOWN
from budget.prices.cheaper import cheaper_for_tokens, cheaper_models
from budget.prices.resolutions import why_unpriced

T = TypeVar("T")


def advised(answer: T, command: Place, prices: PriceBook) -> T:
    """The answer; a refusal with what else would have fitted, if all it lacked was money.

    Where it lacked a price, with what is known of the name.
    """
    if not isinstance(answer, Refusal):
        return answer
    if command.rates is None:
        why = _why(command, prices, answer.at_us) if answer.code == "model_unpriced" else ""
        return replace(answer, detail=f"{answer.detail} {why}") if why else answer
    asked = answer.asked
    if asked is None or asked.tokens is None or {line.unit for line in answer.lines} != {"usd"}:
        return answer
    if answer.hidden:
        return answer  # what would have fitted would tell how much room there is
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


def worded(answer: T, settings: Mapping[str, Any]) -> T:
    """The answer; a refusal with the words that the operator has set for whoever is refused."""
    words = settings.get("how_to_raise")
    if words is None or not isinstance(answer, Refusal):
        return answer
    return replace(answer, advice=words)


def noted(budget: Budget, prices: PriceBook, at_us: int) -> Budget:
    """The budget, with a note for each step of its ladder that names a model which nobody knows:
    calls would pass it over.
    """
    steps = enumerate(budget.degrade)
    found = (_unknown(f"degrade[{at}]", step, prices, at_us) for at, step in steps)
    return replace(budget, notes=tuple(note for note in found if note is not None))


def _unknown(path: str, step: str, prices: PriceBook, at_us: int) -> str | None:
    if step in STEPS or prices.capabilities(None, step) != UNKNOWN:
        return None
    meant = prices.resolve(None, step, at_us)
    if meant.rates is not None or meant.candidates:
        return None
    note = f"{path}: no provider is known to have a model {step!r}; calls pass that step over"
    nearest = f", unless you meant {' or '.join(meant.nearest)}" if meant.nearest else ""
    return f"{note}{nearest}. If it is yours, give it a price."


def _why(command: Place, prices: PriceBook, at_us: int) -> str:
    """What is known of the name of a model without a price, as sentences."""
    if command.model is None:
        return ""
    return why_unpriced(prices.resolve(command.provider, command.model, at_us))
