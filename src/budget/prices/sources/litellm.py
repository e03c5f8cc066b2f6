"""LiteLLM's map of models: a JSON object by LiteLLM's own names, prices in USD for one unit.

The map comes from its repository, from a file, or out of an installed LiteLLM (`installed_map`).
Not here: what an entry's prices mean (`litellm_prices`), and whose they are beyond what its name
and `litellm_provider` say: what would have to be guessed is skipped.
"""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from budget.prices.listings import Capabilities, Feed
from budget.prices.schedules import Context
from budget.prices.sources.adapter import BadFeed, Format
from budget.prices.sources.litellm_prices import rates_by_context
from budget.prices.sources.parsing import (
    Odd,
    count_of,
    flag_of,
    mapping,
    name_of,
    read_json,
    retired_us,
)
from budget.prices.sources.reading import Reading
from budget.prices.sources.sellers import LITELLM, seller

NAME: Final = "litellm"
URL: Final = (
    "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
)
_MAP_FILE: Final = "model_prices_and_context_window_backup.json"

_EXAMPLE: Final = "sample_spec"
_IMAGE_SIZE: Final = re.compile(r"(?:^|/)[0-9]+-x-[0-9]+(?:/|$)")
_AWS_REGION: Final = re.compile(r"[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-[0-9]")
_AZURE_REGIONS: Final = {
    "apac": "apac", "eu": "eu", "global": "global", "global-standard": "global",
    "us": "us", "us-gov": "us-gov",
}  # fmt: skip
_SIZE_CLASSES: Final = ("fireworks-ai-", "together-ai-")
_MODES: Final = {
    "audio_speech": "audio", "audio_transcription": "audio", "chat": "chat", "completion": "chat",
    "embedding": "embedding", "image_edit": "image", "image_generation": "image",
    "moderation": "moderation", "realtime": "chat", "rerank": "rerank", "responses": "chat",
}  # fmt: skip
_SECOND_CHOICE: Final = {"azure_ai": 1, "azure_text": 1, "bedrock_mantle": 1}
"""Of two entries for one model of a seller, those of these providers give way to the other."""


class _Sold(NamedTuple):
    """Who sells what an entry is about, and where."""

    provider: str
    model: str
    context: Context
    rank: int


def installed_map() -> bytes | None:
    """The map inside an installed LiteLLM, which is not imported; None where there is none."""
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return None
    for folder in spec.submodule_search_locations:
        file = Path(folder) / _MAP_FILE
        if file.is_file():
            return file.read_bytes()
    return None


def read(data: bytes, version: str) -> Feed:
    """The feed in a map, under the day that it came or the version of LiteLLM."""
    found = read_json(NAME, data)
    if not isinstance(found, dict):
        raise BadFeed(NAME, "it is not an object of models by name.")
    reading = Reading(NAME, version, data)
    reading.check_size(len(found))
    for name, value in found.items():
        if name == _EXAMPLE:
            continue
        try:
            _read_entry(reading, name, _aliased(mapping(value), found))
        except Odd as odd:
            reading.skip(name, odd)
    return reading.feed()


ADAPTER: Final = Format(NAME, URL, read)


def _aliased(entry: dict[str, Any], entries: dict[str, Any]) -> dict[str, Any]:
    """An entry, or the one that it is an alias of, with what it says itself."""
    target = entry.get("alias_of")
    if target is None:
        return entry
    if not isinstance(target, str) or target not in entries:
        raise Odd("an alias of a model that is not listed")
    return {**mapping(entries[target]), **entry}


def _read_entry(reading: Reading, name: str, entry: dict[str, Any]) -> None:
    sold = _sold(name_of(name), entry)
    reading.describe(sold.provider, sold.model, _capabilities(entry))
    free = sold.provider == "ollama" or sold.model.endswith(":free")
    for context, rates in rates_by_context(entry, free=free).items():
        told = tuple(sorted(sold.context + context))
        reading.price(sold.provider, sold.model, rates, told, sold.rank)


def _sold(name: str, entry: dict[str, Any]) -> _Sold:
    """Whose model it is, by which name, in which region. Odd where it has no name of its own."""
    litellm_provider = entry.get("litellm_provider")
    if litellm_provider is None:
        raise Odd("it does not say who sells it")
    provider = seller(LITELLM, litellm_provider)
    if name.startswith(_SIZE_CLASSES):
        raise Odd("a price of all models of some size, not of a model")
    if _IMAGE_SIZE.search(name):
        raise Odd("a price of images of one size, which is no unit of ours")
    before, _, after = name.partition("/")
    model = after if after and seller(LITELLM, before) == provider else name
    region: Context = ()
    if provider in ("aws", "azure") and "/" in model:
        place, _, model = model.partition("/")
        region = (("region", _region(provider, place, model)),)
    rank = _SECOND_CHOICE.get(str(litellm_provider), 0)
    if str(litellm_provider).startswith("vertex_ai"):
        rank = 1  # after `gemini`, Google's interface for everybody
    return _Sold(provider, name_of(model), region, rank)


def _region(provider: str, place: str, model: str) -> str:
    """The region that stands before a model's name at AWS or Azure, or Odd."""
    if "/" not in model:
        if provider == "azure" and place in _AZURE_REGIONS:
            return _AZURE_REGIONS[place]
        if provider == "aws" and _AWS_REGION.fullmatch(place):
            return place
    raise Odd("a way to buy it that is neither a model nor a region")


def _capabilities(entry: dict[str, Any]) -> Capabilities:
    mode = entry.get("mode")
    heard_or_spoken = {
        flag_of(entry.get(f"supports_audio_{direction}")) for direction in ("input", "output")
    }
    endpoints = entry.get("supported_endpoints")
    in_batches = "input_cost_per_token_batches" in entry or (
        isinstance(endpoints, list) and "/v1/batch" in endpoints
    )
    return Capabilities(
        context_window=count_of(entry.get("max_input_tokens")),
        max_output_tokens=count_of(entry.get("max_output_tokens")),
        mode=_MODES.get(mode, "other") if isinstance(mode, str) else None,
        tools=flag_of(entry.get("supports_function_calling")),
        vision=flag_of(entry.get("supports_vision")),
        audio=True if True in heard_or_spoken else False if False in heard_or_spoken else None,
        json=flag_of(entry.get("supports_response_schema")),
        reasoning=flag_of(entry.get("supports_reasoning")),
        batch=True if in_batches else None,
        retired_us=retired_us(entry.get("deprecation_date")),
    )
