"""OpenRouter's list of models: `data`, a list; prices as text, in USD for one unit.

Its ids, such as `anthropic/claude-sonnet-5`, are the models of the provider `openrouter`. A model
whose price varies by where it is sent to has none ("-1"). `:free` in its id makes a zero a price.
Not here: `image`, which is a price of an image for some models and of its tokens for others.
"""

from typing import Any, Final

from budget.domain.pricing import Rate, Rates
from budget.prices.listings import Capabilities, Feed
from budget.prices.sources.adapter import BadFeed, Format
from budget.prices.sources.parsing import (
    Odd,
    count_of,
    is_zero,
    items,
    mapping,
    name_of,
    pico_of,
    read_json,
    retired_us,
    stated,
    tiered,
    usd_of,
)
from budget.prices.sources.reading import Reading

NAME: Final = "openrouter"
URL: Final = "https://openrouter.ai/api/v1/models"

_PARTS: Final = {
    "input_cache_read": "cache_read",
    "input_cache_write": "cache_write",
    "input_cache_write_1h": "cache_write_1h",
    "internal_reasoning": "reasoning",
}
_TOKEN_UNITS: Final = {
    "audio": "input_audio_tokens",
    "audio_output": "output_audio_tokens",
    "image_output": "output_image_tokens",
    "input_audio_cache": "cache_read_audio_tokens",
}
_PRICES: Final = ("prompt", "completion", *_PARTS, *_TOKEN_UNITS, "request", "web_search", "image")
_CONDITION: Final = "min_prompt_tokens"


def read(data: bytes, version: str) -> Feed:
    """The feed in the answer of `/api/v1/models`, under the day that it came."""
    found = read_json(NAME, data)
    if not isinstance(found, dict) or not isinstance(found.get("data"), list):
        raise BadFeed(NAME, "it is not an object with a list `data`.")
    reading = Reading(NAME, version, data)
    reading.check_size(len(found["data"]))
    for place, value in enumerate(found["data"]):
        model = f"data[{place}]"
        try:
            entry = mapping(value)
            model = name_of(entry.get("id"))
            reading.describe(NAME, model, _capabilities(entry))
            rates = _rates(mapping(entry.get("pricing")), free=model.endswith(":free"))
            reading.price(NAME, model, rates)
        except Odd as odd:
            reading.skip(model, odd)
    return reading.feed()


ADAPTER: Final = Format(NAME, URL, read)


def _rates(pricing: dict[str, Any], *, free: bool) -> Rates:
    overrides = _overrides(pricing)
    rates = {
        kind: _rate(pricing, overrides, kind)
        for kind in _PRICES
        if kind != "image" and pricing.get(kind) is not None
    }
    if not ("prompt" in rates and "completion" in rates):
        raise Odd("it has no price of input and output tokens")
    if is_zero(rates["prompt"]) and is_zero(rates["completion"]) and not free:
        raise Odd("its prices are all zero, which may mean that nobody knows them")
    request, search = rates.get("request", 0), rates.get("web_search")
    units = {unit: stated(rates.get(kind)) for kind, unit in _TOKEN_UNITS.items()}
    units["searches"] = stated(search)
    parts: dict[str, Any] = {ours: stated(rates.get(kind)) for kind, ours in _PARTS.items()}
    return Rates(
        rates["prompt"],
        rates["completion"],
        **parts,
        request=request if isinstance(request, int) else max(pico for _, pico in request),
        units=tuple((unit, rate) for unit, rate in sorted(units.items()) if rate is not None),
    )


def _rate(pricing: dict[str, Any], overrides: dict[int, dict[str, Any]], kind: str) -> Rate:
    steps = {
        above: _pico(override[kind])
        for above, override in overrides.items()
        if override.get(kind) is not None
    }
    return tiered(_pico(pricing[kind]), steps)


def _pico(value: object) -> int:
    if value in ("-1", -1):
        raise Odd("its price varies with where it is sent to")
    return pico_of(usd_of(value))


def _overrides(pricing: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The further prices, by the input tokens above which they hold."""
    found: dict[int, dict[str, Any]] = {}
    for each in items(pricing.get("overrides")):
        override = mapping(each)
        above = count_of(override.get(_CONDITION))
        if above is None or above in found or not {*override} <= {_CONDITION, *_PRICES}:
            raise Odd("it has prices under conditions that are no count of input tokens")
        found[above] = override
    return found


def _capabilities(entry: dict[str, Any]) -> Capabilities:
    told = entry.get("supported_parameters")
    parameters = set(filter(_is_text, told)) if isinstance(told, list) else None
    architecture, top = _object(entry.get("architecture")), _object(entry.get("top_provider"))
    heard, made = (
        value if isinstance(value := architecture.get(f"{side}_modalities"), list) else []
        for side in ("input", "output")
    )
    return Capabilities(
        context_window=count_of(entry.get("context_length")),
        max_output_tokens=count_of(top.get("max_completion_tokens")),
        mode="chat" if "text" in made else "image" if "image" in made else None,
        tools=None if parameters is None else "tools" in parameters,
        vision="image" in heard if heard else None,
        audio="audio" in [*heard, *made] if heard or made else None,
        json=None if parameters is None else "structured_outputs" in parameters,
        reasoning=None if parameters is None else "reasoning" in parameters,
        open_weights=True if entry.get("hugging_face_id") else None,
        retired_us=retired_us(entry.get("expiration_date")),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
