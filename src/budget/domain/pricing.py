"""Pricing: what usage costs, what an estimate must hold, in integers only.

Not here: where rates come from (`budget.prices`).
"""

import json
from functools import lru_cache
from typing import Any, Final, NamedTuple

from budget.domain.errors import InvalidInput
from budget.domain.usage import (
    CACHE_UNITS,
    INPUT_UNITS,
    OTHER_UNITS,
    OUTPUT_UNITS,
    UNITS,
    Units,
    Usage,
)

Rate = int | tuple[tuple[int, int], ...]
"""Pico-USD per unit, or tiers ((from_input_tokens, pico), ...), ascending, the first from 0.

The tier is chosen by the call's total input tokens, `from_input_tokens` being the first count that
it holds for, and prices all the call's tokens of that kind: crossing into it is a cliff.
"""

PICO_PER_NANO: Final = 1_000
MAX_RATE_PICO: Final = 10**15
"""1,000 USD for one token or one request: beyond that it is a mistake."""
UNLIMITED_TOKENS: Final = 10**12
"""How many output tokens are affordable when they cost nothing: the most that a hold may state."""
MAX_TIERS: Final = 20


class Rates(NamedTuple):
    """What a model's units cost at one time, and on whose word. Free is an explicit 0.

    None falls back: cache reads and writes to `input` (an hour's write to `cache_write` first),
    `reasoning` to `output`. So do units that are parts of tokens and have no rate in `units`
    (of cached ones to `cache_read`); other units without a rate have no known price.
    """

    input: Rate
    output: Rate
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    reasoning: Rate | None = None
    request: int = 0
    provider: str = ""
    model: str = ""
    basis: str = ""
    units: tuple[tuple[str, Rate], ...] = ()
    """(unit, rate), by name: those of `usage.UNITS` that have a rate of their own."""
    context: str = ""
    """The price context that these rates are of, such as `processing=batch`; empty: the usual."""


_CODES: Final = {
    "input": "i",
    "output": "o",
    "cache_read": "r",
    "cache_write": "w",
    "cache_write_1h": "h",
    "reasoning": "t",
    "request": "q",
    "provider": "p",
    "model": "m",
    "basis": "b",
    "units": "u",
    "context": "c",
}
_FIELDS: Final = {code: name for name, code in _CODES.items()}


def rate_at(rate: Rate, input_tokens: int) -> int:
    """Pico-USD per unit for a call of so many input tokens in total."""
    if isinstance(rate, int):
        return rate
    chosen = rate[0][1]
    for from_tokens, pico in rate:
        if input_tokens < from_tokens:
            break
        chosen = pico
    return chosen


def cost_nanos(rates: Rates, usage: Usage) -> int:
    """The cost of one usage record, rounded up to a nano-USD. The usage must be `validated`."""
    total, output, read, write, write_1h, reasoning, requests, units = usage
    input_pico = rate_at(rates.input, total)
    output_pico = rate_at(rates.output, total)
    pico = total * input_pico + output * output_pico + requests * rates.request
    # Kinds are parts of the totals just priced, so each adds only what it costs more (or less).
    if read and rates.cache_read is not None:
        pico += read * (rate_at(rates.cache_read, total) - input_pico)
    if write and rates.cache_write is not None:
        pico += write * (rate_at(rates.cache_write, total) - input_pico)
    if write_1h:
        rate = rates.cache_write if rates.cache_write_1h is None else rates.cache_write_1h
        if rate is not None:
            pico += write_1h * (rate_at(rate, total) - input_pico)
    if reasoning and rates.reasoning is not None:
        pico += reasoning * (rate_at(rates.reasoning, total) - output_pico)
    if units and rates.units:
        pico += _units_pico(rates, usage, input_pico, output_pico)
    return -(-pico // PICO_PER_NANO)


def _units_pico(rates: Rates, usage: Usage, input_pico: int, output_pico: int) -> int:
    """What units cost more (or less) than the tokens they are parts of, or by themselves."""
    own = dict(rates.units)
    total = usage.input_tokens
    pico = 0
    for name, count in usage.units:
        rate = own.get(name)
        if rate is None:
            continue
        part_of = 0
        if name in CACHE_UNITS:
            part_of = input_pico if rates.cache_read is None else rate_at(rates.cache_read, total)
        elif name in INPUT_UNITS:
            part_of = input_pico
        elif name in OUTPUT_UNITS:
            part_of = output_pico
        pico += count * (rate_at(rate, total) - part_of)
    return pico


def unpriced_units(rates: Rates, units: Units) -> tuple[str, ...]:
    """Those of the units whose price is not known; their cost is in no figure."""
    if not units:
        return ()
    own = dict(rates.units)
    return tuple(name for name, _ in units if name in OTHER_UNITS and own.get(name) is None)


def lacks_measure(rates: Rates, units: Units) -> tuple[str, ...]:
    """The units that a model is sold by alone, as by the image or the second, if none is stated.

    Its tokens cost nothing, so that nothing of them tells what a call of it costs.
    """
    if rates.input or rates.output or rates.request or not rates.units:
        return ()
    own = tuple(name for name, rate in rates.units if name in OTHER_UNITS and rate)
    own = tuple(name for name in own if name != "searches")  # beside what a free model writes
    return () if any(name in own for name, _ in units) else own


def _dearest(kinds: tuple[Rate | None, ...], input_tokens: int) -> int:
    """The highest pico rate among the kinds, over the tiers that so much input can reach."""
    most = 0
    for rate in kinds:
        if rate is None:
            continue
        if isinstance(rate, int):
            if rate > most:
                most = rate
            continue
        for from_tokens, pico in rate:
            if from_tokens <= input_tokens and pico > most:
                most = pico
    return most


def input_rate_dearest(rates: Rates, input_tokens: int) -> int:
    """Pico-USD of the dearest kind of input token in a call of at most so many of them."""
    return _dearest(
        (rates.input, rates.cache_read, rates.cache_write, rates.cache_write_1h), input_tokens
    )


def output_rate_dearest(rates: Rates, input_tokens: int) -> int:
    """Pico-USD of the dearest kind of output token in a call of at most so many input tokens."""
    return _dearest((rates.output, rates.reasoning), input_tokens)


def hold_nanos(
    rates: Rates, input_tokens: int, output_tokens: int, requests: int = 1, units: Units = ()
) -> int:
    """What an estimate holds: no less than the cost of any usage within these counts and units.

    Units that are not stated are taken not to be used: text is not held at the price of audio.
    """
    pico = output_tokens * output_rate_dearest(rates, input_tokens)
    pico += _fixed_hold_pico(rates, input_tokens, requests, units)
    return -(-pico // PICO_PER_NANO)


def _fixed_hold_pico(rates: Rates, input_tokens: int, requests: int, units: Units) -> int:
    """What an estimate holds beside its output tokens at the dearest rate of text."""
    dearest_input = input_rate_dearest(rates, input_tokens)
    pico = input_tokens * dearest_input + requests * rates.request
    own = dict(rates.units) if units else {}
    for name, count in units:
        rate = own.get(name)
        if rate is None:
            continue
        part_of = 0
        if name in INPUT_UNITS or name in CACHE_UNITS:
            part_of = dearest_input
        elif name in OUTPUT_UNITS:
            part_of = output_rate_dearest(rates, input_tokens)
        pico += count * max(0, _dearest((rate,), input_tokens) - part_of)
    return pico


def output_hold_nanos(
    rates: Rates, input_tokens: int, output_tokens: int, requests: int = 0
) -> int:
    """What more output of a call with so many input tokens holds."""
    pico = output_tokens * output_rate_dearest(rates, input_tokens) + requests * rates.request
    return -(-pico // PICO_PER_NANO)


def token_hold_nanos(
    rates: Rates, tokens: int, requests: int = 1, *, beside_tokens: int = 0
) -> int:
    """What a hold of tokens of unknown kind holds: each at the dearest rate of any kind.

    `beside_tokens` are held already, and count for the tier.
    """
    total = tokens + beside_tokens
    dearest = max(input_rate_dearest(rates, total), output_rate_dearest(rates, total))
    return -(-(tokens * dearest + requests * rates.request) // PICO_PER_NANO)


def output_tokens_affordable(
    rates: Rates, input_tokens: int, room_nanos: int, requests: int = 1, units: Units = ()
) -> int:
    """The most output tokens whose `hold_nanos` fits in the room; -1 when not even 0 fits.

    Never above `UNLIMITED_TOKENS`, which is also the answer when output is free.
    """
    fixed_pico = _fixed_hold_pico(rates, input_tokens, requests, units)
    left_pico = room_nanos * PICO_PER_NANO - fixed_pico
    if left_pico < 0:
        return -1
    output_pico = output_rate_dearest(rates, input_tokens)
    if output_pico == 0:
        return UNLIMITED_TOKENS
    return min(left_pico // output_pico, UNLIMITED_TOKENS)


def flat_rates(
    input_nanos_per_mtok: int, output_nanos_per_mtok: int, field: str = "unpriced"
) -> Rates:
    """The rates that a budget sets for models of unknown price, from nano-USD per million tokens.

    A rate finer than a whole pico-USD per token (six decimals of USD per million) is InvalidInput.
    """
    return Rates(
        _pico_of_mtok(input_nanos_per_mtok, f"{field}.input"),
        _pico_of_mtok(output_nanos_per_mtok, f"{field}.output"),
        basis="budget/unpriced",
    )


def _pico_of_mtok(nanos_per_mtok: int, field: str) -> int:
    pico, rest = divmod(nanos_per_mtok, 1_000)
    if rest:
        raise InvalidInput(
            field, "must have at most six decimals of USD per million tokens (0.000001 USD)."
        )
    _check_pico(pico, field)
    return pico


def validated_rates(rates: Rates, prefix: str = "rates.") -> Rates:
    """The same rates if they are well formed, else InvalidInput naming the field."""
    for name, value in zip(Rates._fields, rates, strict=True):
        field = prefix + name
        if name in ("provider", "model", "basis", "context"):
            if not isinstance(value, str):
                raise InvalidInput(field, "must be a string.")
        elif name == "request":
            _check_pico(value, field)
        elif name == "units":
            _check_units(value, field)
        elif value is not None or name in ("input", "output"):
            _check_rate(value, field)
    return rates


def _check_units(value: object, field: str) -> None:
    if not isinstance(value, tuple):
        raise InvalidInput(field, "must be (unit, rate) pairs.")
    names = [pair[0] for pair in value if isinstance(pair, tuple) and len(pair) == 2]
    if len(names) != len(value) or names != sorted(set(names)):
        raise InvalidInput(field, "must be (unit, rate) pairs, by name, each unit once.")
    for name, rate in value:
        if name not in UNITS:
            raise InvalidInput(f"{field}.{str(name)[:80]}", "is not a unit.", UNITS)
        _check_rate(rate, f"{field}.{name}")


def _check_pico(value: object, field: str) -> None:
    if type(value) is not int or not 0 <= value <= MAX_RATE_PICO:
        raise InvalidInput(field, f"must be a whole number of pico-USD, 0 to {MAX_RATE_PICO}.")


def _check_rate(value: object, field: str) -> None:
    if not isinstance(value, tuple):
        _check_pico(value, field)
        return
    if not 0 < len(value) <= MAX_TIERS:
        raise InvalidInput(field, f"must have 1 to {MAX_TIERS} tiers.")
    previous = -1
    for tier in value:
        if not isinstance(tier, tuple) or len(tier) != 2 or type(tier[0]) is not int:
            raise InvalidInput(field, "each tier must be (from_input_tokens, pico).")
        if tier[0] <= previous or (previous < 0 and tier[0] != 0):
            raise InvalidInput(field, "tiers must ascend, the first from 0.")
        _check_pico(tier[1], field)
        previous = tier[0]


@lru_cache(maxsize=4096)
def encode_rates(rates: Rates) -> str:
    """The rates as compact JSON, kept with each record; what is left at its default is left out."""
    defaults = Rates._field_defaults
    return json.dumps(
        {
            _CODES[name]: value
            for name, value in zip(Rates._fields, rates, strict=True)
            if name not in defaults or value != defaults[name]
        },
        separators=(",", ":"),
    )


@lru_cache(maxsize=4096)
def decode_rates(text: str) -> Rates:
    """The rates that `encode_rates` wrote; InvalidInput when the text is no such thing.

    A kind of rate that this version does not know is refused: ignoring it would undercharge.
    """
    try:
        found = json.loads(text)
        fields: dict[str, Any] = {_FIELDS[code]: _frozen(value) for code, value in found.items()}
        rates = Rates(**fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput("rates", "the text is not rates as Budget writes them.") from error
    return validated_rates(rates)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
