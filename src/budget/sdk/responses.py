"""Responses: answers of providers' SDKs as JSON, and their usage as the books take it.

Not here: what the JSON of each provider means (`domain.responses`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from budget.domain.errors import InvalidInput
from budget.domain.money import format_usd
from budget.domain.responses import Told
from budget.domain.usage import Usage

TIERS: Final = frozenset({"flex", "priority"})
"""The service tiers that have prices of their own."""


def json_of(response: Any) -> Any:
    """An answer as its JSON was parsed: objects of SDKs, dicts, HTTP responses, lists of those."""
    if isinstance(response, Mapping):
        return response
    if isinstance(response, Sequence) and not isinstance(response, str | bytes | bytearray):
        return [json_of(one) for one in response]
    dump = getattr(response, "model_dump", None)
    if callable(dump):
        return dump(mode="json", by_alias=True, warnings=False)
    for name in ("json", "to_dict", "model_dump_json"):
        made = getattr(response, name, None)
        if callable(made):
            found = made()
            if isinstance(found, Mapping | list):
                return found
    raise InvalidInput(
        "response",
        f"is a {type(response).__name__[:80]}, no answer of a provider; give its JSON, or counts.",
    )


def usage_ask(usage: Usage, told: Told, provider: str | None, model: str | None) -> dict[str, Any]:
    """Usage as `settle` and `record_usage` take it, with what the response told beside it."""
    ask: dict[str, Any] = {
        name: count for name, count in usage._asdict().items() if count and name != "units"
    }
    ask.setdefault("input_tokens", 0)
    if usage.units:
        ask["units"] = dict(usage.units)
    named = told.model or model
    if named is not None:
        ask["model"] = named
        if provider is not None:
            ask["provider"] = provider
        context = _price_context(told)
        if context:
            ask["price_context"] = context
    if told.reported_cost_nanos is not None:
        ask["cost"] = format_usd(told.reported_cost_nanos)
    if told.response_id is not None:
        ask["metadata"] = {"response_id": told.response_id}
    return ask


def _price_context(told: Told) -> dict[str, str]:
    """What the answer tells of how it was served, where that has a price of its own."""
    found = {}
    if told.service_tier in TIERS:
        found["service_tier"] = told.service_tier
    if told.speed == "fast":
        found["speed"] = told.speed
    return found
