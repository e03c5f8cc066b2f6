"""models.dev: a JSON object of providers, each with its models; prices in USD per million tokens.

Its `context_over_200k` says 200,000 tokens whatever the true threshold is, and is read only where
a model has no `tiers`. Not here: what `status` and dates of release say; they are no prices.
"""

from typing import Any, Final

from budget.domain.pricing import Rate, Rates
from budget.prices.listings import Capabilities, Feed
from budget.prices.schedules import Context
from budget.prices.sources.adapter import BadFeed, Format
from budget.prices.sources.parsing import (
    PER_MTOK,
    Odd,
    count_of,
    flag_of,
    is_zero,
    items,
    mapping,
    name_of,
    pico_of,
    read_json,
    stated,
    tiered,
)
from budget.prices.sources.reading import Reading
from budget.prices.sources.sellers import MODELS_DEV, seller

NAME: Final = "models.dev"
URL: Final = "https://models.dev/api.json"

_PARTS: Final = ("cache_read", "cache_write", "reasoning")
_UNITS: Final = {"input_audio": "input_audio_tokens", "output_audio": "output_audio_tokens"}
_KINDS: Final = ("input", "output", *_PARTS, *_UNITS)
_LEGACY_TOKENS: Final = 200_000
_BODY_CONTEXTS: Final = ("service_tier", "speed")
_SECOND_CHOICE: Final = {
    "azure-cognitive-services": 1, "google-vertex": 1, "google-vertex-anthropic": 1,
}  # fmt: skip
"""Other ways to models of a seller that has one of its own: they give way to it."""


def read(data: bytes, version: str) -> Feed:
    """The feed in `api.json`, under the day that it came."""
    found = read_json(NAME, data)
    if not isinstance(found, dict):
        raise BadFeed(NAME, "it is not an object of providers.")
    reading = Reading(NAME, version, data)
    listed = 0
    for provider_id, value in found.items():
        try:
            provider = seller(MODELS_DEV, provider_id)
            models = mapping(mapping(value).get("models"))
        except Odd as odd:
            reading.skip(provider_id, odd)
            continue
        listed += len(models)
        reading.check_size(listed)
        rank = _SECOND_CHOICE.get(provider_id, 0)
        for model, entry in models.items():
            try:
                _read_model(reading, provider, name_of(model), mapping(entry), rank)
            except Odd as odd:
                reading.skip(f"{provider_id}/{model}", odd)
    return reading.feed()


ADAPTER: Final = Format(NAME, URL, read)


def _read_model(
    reading: Reading, provider: str, model: str, entry: dict[str, Any], rank: int
) -> None:
    reading.describe(provider, model, _capabilities(entry))
    if entry.get("cost") is None:
        raise Odd("it has no price")
    usual = mapping(entry["cost"])
    reading.price(provider, model, _rates(usual, {}, free=model.endswith(":free")), (), rank)
    modes = mapping(mapping(entry.get("experimental") or {}).get("modes") or {})
    for name, value in modes.items():
        mode = mapping(value)
        context = _context(mode)
        if context and mode.get("cost") is not None:
            rates = _rates(usual, mapping(mode["cost"]))
            reading.price(provider, model, rates, context, rank)
        else:
            reading.skip(f"{provider}/{model}, mode {name}", "no price in a context of ours")


def _context(mode: dict[str, Any]) -> Context:
    """What a request of that mode says of itself, if that decides its price with us too."""
    body = mapping(mapping(mode.get("provider") or {}).get("body") or {})
    if len(body) == 1:
        ((name, value),) = body.items()
        if name in _BODY_CONTEXTS and isinstance(value, str):
            return ((name, name_of(value)),)
    return ()


def _rates(usual: dict[str, Any], own: dict[str, Any], *, free: bool = False) -> Rates:
    """The usual rates, or those of a mode that has some prices of its own.

    A tier that only the usual price has holds in the mode too, at the dearer of both.
    """
    cost = {**usual, **own}
    tiers = _tiers(cost)
    rates: dict[str, Rate] = {}
    for kind in _KINDS:
        if cost.get(kind) is not None:
            base = pico_of(cost[kind], PER_MTOK)
            least = base if kind in own and "tiers" not in own else 0
            steps = {
                above: max(least, pico_of(tier[kind], PER_MTOK))
                for above, tier in tiers.items()
                if tier.get(kind) is not None
            }
            rates[kind] = tiered(base, steps)
    if not ("input" in rates and "output" in rates):
        raise Odd("it has no price of input and output tokens")
    if is_zero(rates["input"]) and is_zero(rates["output"]) and not free:
        raise Odd("its prices are all zero, which may mean that nobody knows them")
    parts: dict[str, Any] = {kind: stated(rates.get(kind)) for kind in _PARTS}
    units = {unit: stated(rates.get(kind)) for kind, unit in _UNITS.items()}
    return Rates(
        rates["input"],
        rates["output"],
        **parts,
        units=tuple((unit, rate) for unit, rate in sorted(units.items()) if rate is not None),
    )


def _tiers(cost: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The further prices, by the input tokens above which they hold."""
    if cost.get("tiers") is None:
        legacy = cost.get("context_over_200k")
        return {} if legacy is None else {_LEGACY_TOKENS: mapping(legacy)}
    found: dict[int, dict[str, Any]] = {}
    for each in items(cost["tiers"]):
        tier = mapping(each)
        bound = mapping(tier.get("tier"))
        size = count_of(bound.get("size"))
        if bound.get("type", "context") != "context" or size is None or size in found:
            raise Odd("its tiers are not ones of input tokens")
        if tier.get("input") is None or tier.get("output") is None:
            raise Odd("a price is not in all of its tiers")
        found[size] = tier
    return found


def _capabilities(entry: dict[str, Any]) -> Capabilities:
    limit, modalities = _object(entry.get("limit")), _object(entry.get("modalities"))
    heard, made = _list(modalities.get("input")), _list(modalities.get("output"))
    tools = entry.get("tool_call")
    if isinstance(tools, dict):
        tools = tools.get("supported")
    return Capabilities(
        context_window=count_of(limit.get("context")),
        max_output_tokens=count_of(limit.get("output")),
        mode=next((mode for kind, mode in _MODES.items() if kind in made), None),
        tools=flag_of(tools),
        vision="image" in heard if heard else None,
        audio="audio" in [*heard, *made] if heard or made else None,
        json=flag_of(entry.get("structured_output")),
        reasoning=flag_of(entry.get("reasoning")),
        open_weights=flag_of(entry.get("open_weights")),
    )


_MODES: Final = {"text": "chat", "image": "image", "audio": "audio", "video": "other"}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
