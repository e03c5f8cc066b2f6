"""The prices of one entry of LiteLLM's map, in each price context that it has prices for.

Its keys are a kind of price, then perhaps the input tokens above which it holds, then perhaps a
way of processing: `cache_read_input_token_cost_above_272k_tokens_priority`. Not here: whose entry
it is (`litellm`).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from budget.domain.pricing import Rate, Rates
from budget.domain.usage import CACHE_UNITS, INPUT_UNITS, OTHER_UNITS, OUTPUT_UNITS
from budget.prices.schedules import Context
from budget.prices.sources.parsing import (
    TWICE,
    Odd,
    count_of,
    is_zero,
    items,
    mapping,
    pico_of,
    stated,
    tiered,
)

_KINDS: Final[Mapping[str, str]] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "cache_read_input_audio_token_cost": "cache_read_audio_tokens",
    "cache_read_input_image_token_cost": "cache_read_image_tokens",
    "input_cost_per_audio_token": "input_audio_tokens",
    "input_cost_per_image_token": "input_image_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "output_cost_per_image_token": "output_image_tokens",
    "ocr_cost_per_page": "pages",
}
"""Kinds of price that may have tiers and be of a context, by our name of what they price."""

_CONTEXTS: Final[Mapping[str, Context]] = {
    "": (),
    "batches": (("processing", "batch"),),
    "flex": (("service_tier", "flex"),),
    "priority": (("service_tier", "priority"),),
}
_KEY: Final = re.compile(
    rf"({'|'.join(sorted(_KINDS, key=len, reverse=True))})"
    r"(?:_above_([0-9]{1,6})k_tokens)?(?:_(batches|flex|priority))?"
)
_TOKEN_UNITS: Final = (*CACHE_UNITS, *INPUT_UNITS, *OUTPUT_UNITS)
_SPEAKING: Final = ("chat", "completion", "realtime", "responses", None)
"""Modes of models that write: they have a price of tokens, or none."""
_MILLISECONDS: Final = 1_000

_Tiers = dict[int, int]
"""Pico-USD above so many input tokens, the base price above 0."""


class _Key(NamedTuple):
    kind: str
    above_tokens: int
    suffix: str


def rates_by_context(entry: dict[str, Any], *, free: bool) -> dict[Context, Rates]:
    """The usual rates of an entry, and those of each context it has some price of its own for.

    Odd when there is no sound price of what it sells: zeros alone are none, unless it is `free`.
    """
    found = _prices(entry)
    others = _other_units(entry)
    rates: dict[Context, Rates] = {}
    for suffix, context in _CONTEXTS.items():
        own = found.get(suffix, {})
        if own or not suffix:
            rates[context] = _rates(own, found.get("", {}), others, entry, free=free)
    return rates


@lru_cache(maxsize=4096)
def _parsed(key: str) -> _Key | None:
    matched = _KEY.fullmatch(key)
    if matched is None:
        return None
    return _Key(_KINDS[matched[1]], int(matched[2] or 0) * 1_000, matched[3] or "")


def _prices(entry: dict[str, Any]) -> dict[str, dict[str, _Tiers]]:
    """By suffix and kind what the entry says."""
    found: dict[str, dict[str, _Tiers]] = {}
    for name, value in entry.items():
        key = _parsed(name)
        if key is not None and value is not None:
            tiers = found.setdefault(key.suffix, {}).setdefault(key.kind, {})
            tiers[key.above_tokens] = pico_of(value)
    hit = entry.get("input_cost_per_token_cache_hit")
    if hit is not None:
        found.setdefault("", {}).setdefault("cache_read", {0: pico_of(hit)})
    if entry.get("tiered_pricing") is not None:
        found.setdefault("", {}).update(_tiered_pricing(entry["tiered_pricing"]))
    return found


def _tiered_pricing(value: object) -> dict[str, _Tiers]:
    """A list of ranges of input tokens, each with prices of its own."""
    kinds: dict[str, _Tiers] = {}
    ranges = items(value)
    end = 0
    for each in ranges:
        tier = mapping(each)
        bounds = items(tier.get("range"))
        if len(bounds) != 2:
            raise Odd("its tiers are not ranges of input tokens")
        start = end
        if (0 if bounds[0] == 0 else count_of(bounds[0])) != start:
            raise Odd("its tiers do not follow each other")
        end = count_of(bounds[1]) or -1
        for name, price in tier.items():
            key = _parsed(name)
            if key is not None and price is not None:
                if key.above_tokens or key.suffix:
                    raise Odd("its tiers have tiers or contexts")
                kinds.setdefault(key.kind, {})[start] = pico_of(price)
    if any(len(tiers) != len(ranges) for tiers in kinds.values()):
        raise Odd("a price is not in all of its tiers")
    return kinds


def _rates(
    own: dict[str, _Tiers],
    usual: dict[str, _Tiers],
    others: dict[str, Rate],
    entry: dict[str, Any],
    *,
    free: bool,
) -> Rates:
    rates = {
        kind: rate
        for kind in {**usual, **own}
        if (rate := _rate(own.get(kind), usual.get(kind))) is not None
    }
    mode = entry.get("mode")
    speaks = not isinstance(mode, str | None) or mode in _SPEAKING
    if speaks and not ("input" in rates and "output" in rates):
        raise Odd("it has no price of input and output tokens")
    units = {kind: rate for kind, rate in rates.items() if kind in _TOKEN_UNITS}
    units |= {"pages": rates["pages"]} if "pages" in rates else {}
    units |= others
    units = {unit: rate for unit, rate in units.items() if not is_zero(rate)}
    if not is_zero(units.get("output_image_tokens")):
        units.pop("images", None)  # the same images, counted another way
    request = entry.get("input_cost_per_request")
    found = Rates(
        input=rates.get("input", 0) if speaks else _whole(rates, "input", INPUT_UNITS),
        output=rates.get("output", 0) if speaks else _whole(rates, "output", OUTPUT_UNITS),
        cache_read=stated(rates.get("cache_read")),
        cache_write=stated(rates.get("cache_write")),
        cache_write_1h=stated(rates.get("cache_write_1h")),
        reasoning=stated(rates.get("reasoning")),
        request=0 if request is None else pico_of(request),
        units=tuple(sorted(units.items())),
    )
    _check_priced(found, speaks=speaks, free=free)
    return found


def _whole(rates: dict[str, Rate], kind: str, parts: tuple[str, ...]) -> Rate:
    """The rate of all input or output; where that has none, of the dearest part: of an image model
    that names no price of text, whatever comes out is an image.
    """
    whole = rates.get(kind, 0)
    found = [rates[part] for part in parts if part in rates]
    return max(found, key=_base_pico) if found and is_zero(whole) else whole


def _base_pico(rate: Rate) -> int:
    return rate if isinstance(rate, int) else rate[0][1]


def _check_priced(rates: Rates, *, speaks: bool, free: bool) -> None:
    if free or not (is_zero(rates.input) and is_zero(rates.output)):
        return
    if speaks or not (rates.units or rates.request):
        raise Odd("its prices are all zero or none, which may mean that nobody knows them")


def _rate(own: _Tiers | None, usual: _Tiers | None) -> Rate | None:
    """A rate of a context, from its own prices and the usual ones; None if it has tiers only.

    A tier that only the usual price has holds in the context too, at the dearer of both.
    """
    if own is None or 0 not in own:
        tiers = {**(usual or {}), **(own or {})}
    else:
        tiers = {above: max(pico, own[0]) for above, pico in (usual or {}).items() if above}
        tiers |= own
    base = tiers.pop(0, None)
    return None if base is None else tiered(base, tiers)


# --- Units beside tokens -------------------------------------------------------------------------


def _other_units(entry: dict[str, Any]) -> dict[str, Rate]:
    """The rates of units that are no tokens. What has no single sound meaning is left out."""
    mode = entry.get("mode")
    found: dict[str, Rate] = {}
    by_the_token = "input_cost_per_token" in entry
    if not by_the_token and not _price(entry, "output_cost_per_character"):
        found["characters"] = _price(entry, "input_cost_per_character")
    if mode != "video_generation":
        seconds = {_price(entry, f"{side}_cost_per_second", _MILLISECONDS) for side in _SIDES}
        found["milliseconds"] = _only(seconds)
    if mode in ("image_generation", "image_edit", "chat", "responses"):
        found["images"] = _price(entry, "output_cost_per_image")
    if mode in ("image_generation", "image_edit"):
        found["pixels"] = _only({_price(entry, f"{side}_cost_per_pixel") for side in _SIDES})
    found["searches"] = _price(entry, "input_cost_per_query")
    asked = entry.get("search_context_cost_per_query")
    if asked is not None and not found["searches"]:
        found["searches"] = _only({pico_of(price) for price in mapping(asked).values()})
    assert all(unit in OTHER_UNITS for unit in found)
    return found


_SIDES: Final = ("input", "output")


def _only(prices: set[int]) -> int:
    """The one price above 0, or 0 where there is none or where several disagree."""
    prices.discard(0)
    return prices.pop() if len(prices) == 1 else 0


def _price(entry: dict[str, Any], key: str, units: int = 1) -> int:
    value = entry.get(key)
    if value is TWICE:
        raise Odd("a price is given twice, differently")
    return 0 if value is None else pico_of(value, units)
