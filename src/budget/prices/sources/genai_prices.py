"""genai-prices' feed: a JSON list of providers, each with its models and how names match them.

Its own loader reads it, so that names resolve as in the package (`price_source`); a model that
the loader refuses is left out. Not here: its prices as rates (`prices.bundled`), and how it reads
usage, which a feed cannot change.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from budget.domain.errors import InvalidInput
from budget.prices.bundled import (
    SOURCE,
    BundledPrices,
    bundled_snapshot,
    bundled_version,
    schedule_in_context,
    schedule_of,
)
from budget.prices.listings import Capabilities, Feed
from budget.prices.schedules import CONTEXT_NAMES
from budget.prices.sources.adapter import BadFeed, Format
from budget.prices.sources.parsing import Odd, count_of, items, mapping, name_of, read_json
from budget.prices.sources.reading import Reading

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

NAME: Final = SOURCE
URL: Final = (
    "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json"
)

_MAX_CLAUSES_DEEP: Final = 10
_MAX_REGEX_CHARS: Final = 200
_MAX_REPEATS: Final = 2
_YEARS: Final = range(1970, 2200)
_REPEATS: Final = re.compile(r"[*+]|\{[0-9]*,")
_REPEATED_GROUP: Final = re.compile(r"\)\s*[*+{]")
_REFUSALS: Final = (
    ValueError, TypeError, AssertionError, AttributeError, LookupError, ArithmeticError,
    RuntimeError, StopIteration, Warning,
)  # fmt: skip
"""What the package's loader raises for a feed that is not what it should be."""


def read(data: bytes, version: str) -> Feed:
    """The feed in the bytes, under the day that they came."""
    reading = Reading(NAME, version, data)
    for provider in _load(data, reading):
        for model in provider.models:
            try:
                _read_model(reading, provider.id, model)
            except (Odd, InvalidInput, OverflowError) as odd:
                reading.skip(f"{provider.id}/{model.id}", odd)
    return reading.feed()


ADAPTER: Final = Format(NAME, URL, read)


def price_source(data: bytes, version: str) -> BundledPrices:
    """The same bytes as a source for a book, which matches names as the package does."""
    reading = Reading(NAME, version, data)
    return BundledPrices(_load(data, reading), reading.basis)


def bundled_feed() -> Feed:
    """The installed prices as a feed, whose basis is that of `bundled_prices`."""
    return read(bundled_snapshot(), bundled_version())


def _read_model(reading: Reading, provider_id: str, model: "ModelInfo") -> None:
    window = None if model.context_window is None else count_of(model.context_window)
    told = Capabilities(context_window=window, deprecated=model.deprecated is True or None)
    reading.describe(provider_id, model.id, told)
    usual = schedule_of(model, provider_id, reading.basis)
    if usual is None:
        raise Odd("it has no sound price by the token")
    reading.price_over_time(provider_id, model.id, usual.pieces)
    for when in _contexts(model):
        context = tuple(sorted(when.items()))
        if not all(name in CONTEXT_NAMES for name in when):
            reading.skip(f"{provider_id}/{model.id}", "a price in a context that is none of ours")
            continue
        schedule = schedule_in_context(model, when, provider_id, reading.basis)
        if schedule is not None and any(piece.rates for piece in schedule.pieces):
            reading.price_over_time(provider_id, model.id, schedule.pieces, context)


def _contexts(model: "ModelInfo") -> Iterator[Mapping[str, str]]:
    """Each context once in which a model has some price of its own."""
    yield from {
        tuple(sorted(variant.when.items())): variant.when for variant in model.price_variants or ()
    }.values()


# --- Loading -------------------------------------------------------------------------------------


def _load(data: bytes, reading: Reading) -> list["Provider"]:
    """The providers of a feed, with the models that are sound. BadFeed if it is no list of them."""
    raw = read_json(NAME, data)
    if not isinstance(raw, list):
        raise BadFeed(NAME, "it is not a list of providers.")
    listed: list[dict[str, Any]] = []
    for place, value in enumerate(raw):
        try:
            provider = mapping(value)
            models = items(provider.get("models"))
        except Odd as odd:
            reading.skip(f"provider {place + 1}", odd)
            continue
        # How usage is read is the code's business, and other versions know other units.
        listed.append({**provider, "extractors": None, "models": models})
    reading.check_size(sum(len(provider["models"]) for provider in listed))
    loaded = _loaded(listed)
    if loaded is None:
        loaded = [found for each in listed if (found := _load_in_parts(each, reading))]
    return [provider for provider in loaded if _keep_sound(provider, reading)]


def _loaded(raw: list[dict[str, Any]]) -> list["Provider"] | None:
    """What genai-prices makes of providers, or None if it refuses any."""
    from genai_prices.types import _providers_from_raw

    try:
        return _providers_from_raw(raw)
    except _REFUSALS:
        return None


def _load_in_parts(raw: dict[str, Any], reading: Reading) -> "Provider | None":
    """A provider with those of its models that load; None if not even it does by itself."""
    whole = _loaded([raw])
    if whole is not None:
        return whole[0]
    alone = _loaded([{**raw, "models": []}])
    if alone is None:
        reading.skip(str(raw.get("id")), "genai-prices cannot read this provider")
        return None
    for model in raw["models"]:
        found = _loaded([{"id": "-", "name": "-", "api_pattern": "-", "models": [model]}])
        if found is None:
            named = model.get("id") if isinstance(model, dict) else None
            reading.skip(f"{alone[0].id}/{named}", "genai-prices cannot read this model")
        else:
            alone[0].models += found[0].models
    return alone[0]


def _keep_sound(provider: "Provider", reading: Reading) -> bool:
    """Whether a provider may be asked for names; its models that may not are left out."""
    try:
        provider.id = name_of(provider.id)
        _check_match(provider.model_match)
        _check_match(provider.provider_match)
    except Odd as odd:
        reading.skip(provider.id, odd)
        return False
    sound = []
    for model in provider.models:
        try:
            model.id = name_of(model.id)
            _check_match(model.match)
            _check_prices(model)
            sound.append(model)
        except Odd as odd:
            reading.skip(f"{provider.id}/{model.id}", odd)
    provider.models = sound
    return True


def _check_prices(model: "ModelInfo") -> None:
    """Odd for what genai-prices reads, but cannot use."""
    usual = model.prices
    if usual == []:
        raise Odd("it has no price")
    constraints = [v.constraint for v in model.price_variants or ()]
    constraints += [each.constraint for each in usual] if isinstance(usual, list) else []
    for constraint in constraints:
        start = getattr(constraint, "start_date", None)
        if start is not None and start.year not in _YEARS:
            raise Odd("a date is no day on which prices begin")
    for variant in model.price_variants or ():
        for value in variant.when.values():
            name_of(value)


def _check_match(clause: object, depth: int = 0) -> None:
    """Odd where matching a name could fail, or take long."""
    if depth > _MAX_CLAUSES_DEEP:
        raise Odd("its names are matched by clauses that nest too deep")
    for name in ("or_", "and_"):
        for part in getattr(clause, name, ()):
            _check_match(part, depth + 1)
    pattern = getattr(clause, "regex", None)
    if pattern is not None:
        _check_regex(pattern)


def _check_regex(pattern: str) -> None:
    if len(pattern) > _MAX_REGEX_CHARS or _REPEATED_GROUP.search(pattern):
        raise Odd("its names are matched by a pattern that may take long")
    if len(_REPEATS.findall(pattern)) > _MAX_REPEATS:
        raise Odd("its names are matched by a pattern that may take long")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning):
        raise Odd("its names are matched by a pattern that is none") from None
