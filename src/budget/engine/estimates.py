"""Estimates: how many input tokens a request has at most, for who holds money by it or only asks.

A request is read and forgotten: nothing of its text is kept, nor told in an error. Not here: the
bound (`domain.estimating`), exact counts (`prices.exact_tokens`), what was learnt (`factors`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from budget.domain import decide
from budget.domain.answers_estimates import Estimate, How
from budget.domain.asks import EstimateAsk
from budget.domain.calibration import calibrated
from budget.domain.errors import InvalidInput
from budget.domain.estimating import bound_of
from budget.domain.output_limits import output_tokens_limit
from budget.domain.pricing import Rates, cost_nanos
from budget.domain.text_tokens import family_of
from budget.domain.usage import Usage
from budget.engine.callers import Caller
from budget.engine.factors import UNTAUGHT, Factors
from budget.engine.fields import count, only_fields, price_context, who
from budget.prices import exact_tokens
from budget.prices.book import PriceBook

BRIEF_CHARS: Final = 1_024
_PER_VALUE_CHARS: Final = 16

_FIELDS: Final = frozenset(EstimateAsk.__annotations__)


class InputEstimate(NamedTuple):
    """The input of a request: `bound_tokens` and `factor_bps` are None where it was counted.

    `teaches`: what the provider will count can be held against the bound, because all of it is
    text.
    """

    tokens: int
    how: How
    family: str
    bound_tokens: int | None
    factor_bps: int | None
    teaches: bool


def estimate(
    ask: Mapping[str, Any], caller: Caller, prices: PriceBook, factors: Factors | None, now_us: int
) -> Estimate:
    """What a request would come to. InvalidInput, naming the field, for one that cannot be read.

    Without `factors` nothing that was learnt plays a part.
    """
    only_fields(ask, _FIELDS)
    if ask.get("request") is None:
        raise InvalidInput("request", "is required: the body of the call, its messages or a text.")
    ask = with_model(ask)
    _, provider, model = who(ask, prices, now_us)
    assert model is not None
    context = price_context(ask)
    stated = count(ask, "max_output_tokens")
    output_tokens = output_tokens_limit(ask["request"]) if stated is None else stated
    found = input_of(ask, caller, prices, factors, now_us)
    rates = prices.lookup(provider, model, now_us, context)
    hold_nanos = None
    if rates is not None and output_tokens is not None:
        hold_nanos = decide.estimate(rates, found.tokens, output_tokens, 1)[1].usd
    return Estimate(
        provider,
        model,
        found.family,
        found.tokens,
        found.how,
        found.bound_tokens,
        found.factor_bps,
        output_tokens,
        now_us,
        None if rates is None else rates.basis,
        None if rates is None else cost_nanos(rates, Usage(found.tokens, 0, requests=0)),
        hold_nanos,
    )


def is_brief(ask: Mapping[str, Any]) -> bool:
    """Whether an event loop may estimate the request of an ask: that takes well under a
    millisecond, because it is short and what counts it is loaded. A name that says nothing of the
    model behind it may be that of any.
    """
    provider, model = ask.get("provider") or "", ask.get("model")
    return (
        isinstance(provider, str)
        and isinstance(model, str)
        and family_of(provider, model) != "unknown"
        and exact_tokens.is_ready(provider, model)
        and _chars_left(ask["request"], BRIEF_CHARS) >= 0
    )


def _chars_left(value: object, left: int) -> int:
    """How many of so many characters a value leaves; it is not looked at beyond them."""
    if isinstance(value, str):
        return left - len(value)
    left -= _PER_VALUE_CHARS
    inside: Iterable[object] = ()
    if isinstance(value, Mapping):
        inside = chain.from_iterable(value.items())
    elif isinstance(value, Sequence):
        inside = value
    for one in inside:
        if left < 0:
            break
        left = _chars_left(one, left)
    return left


def with_model(ask: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ask, with the model that the request names where the ask names none."""
    if ask.get("model") is not None:
        return ask
    request = ask["request"]
    model = request.get("model") if isinstance(request, Mapping) else None
    if not isinstance(model, str):
        raise InvalidInput("model", "is required, here or in the request.")
    return {**ask, "model": model}


def check_call(ask: Mapping[str, Any]) -> None:
    """InvalidInput for an ask of `allocate` that says more than its request allows."""
    if ask.get("input_tokens") is not None:
        raise InvalidInput("input_tokens", "is stated beside request; give one of them.")
    if ask.get("envelope"):
        raise InvalidInput(
            "request",
            "is one call, and an envelope is for several; give it to the calls inside.",
        )


def input_of(
    ask: Mapping[str, Any], caller: Caller, prices: PriceBook, factors: Factors | None, now_us: int
) -> InputEstimate:
    """The input of the request of an ask that names a model."""
    _, provider, model = who(ask, prices, now_us)
    assert model is not None
    rates = prices.lookup(provider, model, now_us)
    return input_at(ask["request"], provider, model, rates, caller.actor, factors)


def input_at(
    request: object,
    provider: str | None,
    model: str,
    rates: Rates | None,
    actor: str,
    factors: Factors | None,
) -> InputEstimate:
    """The input of a request to a model that has these rates."""
    # A deployment's name says nothing of the model behind it; its price does.
    name = model if rates is None or not rates.model else rates.model
    seller = provider or ""
    family = family_of(seller, name)
    try:
        if exact_tokens.is_exact(seller, name):
            counted = exact_tokens.input_tokens(request, provider=seller, model=name)
            return InputEstimate(counted, "counted", family, None, None, teaches=False)
        bound = bound_of(request, provider=seller, model=name)
    except InvalidInput as error:
        raise _within_request(error) from None
    factor = UNTAUGHT if factors is None else factors.of(family, actor)
    teaches = not bound.fixed_tokens
    if factor.taught_by == "nobody":
        return InputEstimate(bound.tokens, "bound", family, bound.tokens, None, teaches)
    tokens = calibrated(bound, factor.bps)
    return InputEstimate(tokens, "learnt", family, bound.tokens, factor.bps, teaches)


def _within_request(error: InvalidInput) -> InvalidInput:
    """The error with its field named from the ask on."""
    if error.field == "request":
        return error
    field = f"request.{error.field[:80]}"
    return InvalidInput(field, error.detail.removeprefix(f"{error.field}: "))
