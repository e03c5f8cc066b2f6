"""Observed: what Langfuse and Helicone call the parts of usage that they watched.

Their kinds of token may stand beside the input and the output, or be parts of them: which it is,
their own total tells. Not here: files (`files`), and the exports of providers (`sources`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.attributes import parse_key
from budget.domain.errors import InvalidInput
from budget.engine.importing.lines import Line, identified, money, named, text, time_us, whole
from budget.engine.importing.objects import object_of

_CALLS: Final = frozenset({"GENERATION", "EMBEDDING"})
_NOT_CACHED: Final = "00000000-0000-0000-0000-000000000000"
"""What Helicone says of a request that its cache did not answer."""
_MOST_TAGS: Final = 10

Row = Mapping[str, Any]


class _Counts(NamedTuple):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


def langfuse(place: str, row: Row, zone: str) -> Iterator[Line]:
    """An observation, from the API, an export of the table, or the export to a storage; a trace
    with its observations is each of these. What is no call of a model is passed over.
    """
    inside = row.get("observations")
    if isinstance(inside, list):
        trace = {name: row[name] for name in ("userId", "sessionId", "user_id") if row.get(name)}
        for one in inside:
            if isinstance(one, Mapping):
                yield from langfuse(place, {**trace, **one}, zone)
        return
    kind = str(row.get("type") or "GENERATION").upper()
    details = object_of(_first(row, "usageDetails", "usage_details"))
    if kind not in _CALLS:
        return
    number = text(row.get("id"))
    if number is None:
        raise ValueError("id is missing")
    usage = object_of(row.get("usage"))
    counts = _counts(details or usage or _plain_counts(row))
    costs = object_of(_first(row, "costDetails", "cost_details"))
    cost = _first(row, "totalCost", "total_cost", "calculatedTotalCost")
    metadata = object_of(row.get("metadata"))
    yield Line(
        place, identified(number),
        time_us(_first(row, "startTime", "start_time"), "startTime", zone),
        text(metadata.get("ls_provider")),
        text(_first(row, "model", "providedModelName", "provided_model_name")),
        cost_nanos=money(costs.get("total") if cost is None else cost, "totalCost"),
        attributes=named(
            user=_first(row, "userId", "user_id"), session=_first(row, "sessionId", "session_id"),
            **{"tag.environment": row.get("environment")},
        ),
    )._replace(**counts._asdict())  # fmt: skip


def helicone(place: str, row: Row, zone: str) -> Iterator[Line]:
    """A request, from the API or an export. What its cache answered, or failed without any usage,
    is passed over.
    """
    number = text(row.get("request_id"))
    if number is None:
        raise ValueError("request_id is missing")
    if text(row.get("cache_reference_id")) not in (None, _NOT_CACHED):
        return
    counts = _counts({
        "input": row.get("prompt_tokens"), "output": row.get("completion_tokens"),
        "input_cache_read": row.get("prompt_cache_read_tokens"),
        "input_cache_write": row.get("prompt_cache_write_tokens"),
        "output_reasoning": row.get("reasoning_tokens"), "total": row.get("total_tokens"),
    })  # fmt: skip
    if not any(counts) and whole(row.get("response_status"), "response_status") >= 400:
        return
    properties = object_of(_first(row, "request_properties", "properties"))
    yield Line(
        place, identified(number),
        time_us(row.get("request_created_at"), "request_created_at", zone),
        text(str(row.get("provider") or "").lower()),
        text(_first(row, "response_model", "model", "request_model")),
        cost_nanos=money(_first(row, "costUSD", "cost_usd", "cost"), "cost"),
        attributes={
            **_tags(properties),
            **named(user=_first(row, "request_user_id", "user_id"),
                    session=properties.get("Helicone-Session-Id")),
        },
    )._replace(**counts._asdict())  # fmt: skip


def _plain_counts(row: Row) -> Row:
    """The counts of rows that have them beside everything else, as older exports do."""
    return {
        "input": _first(row, "inputTokens", "promptTokens", "inputUsage"),
        "output": _first(row, "outputTokens", "completionTokens", "outputUsage"),
        "total": _first(row, "totalTokens", "totalUsage"),
    }


def _counts(told: Row) -> _Counts:
    """Counts by kind. Where the kinds add up to more than the total, some are parts of others."""
    found = {
        name: whole(value, name)
        for name, value in told.items()
        if value not in (None, "") and _is_count(name)
    }
    total = found.pop("total", found.pop("total_tokens", 0))
    sides = {name: _side(name) for name in found}
    apart = total == 0 or sum(found.values()) <= total
    by_side: dict[str, int] = {}
    for name, count in found.items():
        by_side[sides[name]] = by_side.get(sides[name], 0) + count
    read, write = by_side.get("read", 0), by_side.get("write", 0)
    thought = by_side.get("thought", 0)
    more_input = read + write + by_side.get("input_part", 0)
    more_output = thought + by_side.get("output_part", 0)
    plain_input, plain_output = by_side.get("input", 0), by_side.get("output", 0)
    return _Counts(
        plain_input + (more_input if apart else 0),
        plain_output + (more_output if apart else 0),
        read, write, thought,
    )  # fmt: skip


def _is_count(name: str) -> bool:
    return not name.lower().endswith("cost") and name != "unit"


def _side(name: str) -> str:
    """Which kind of token a word of theirs is."""
    word = name.lower()
    if "cach" in word:
        return "write" if "creation" in word or "write" in word else "read"
    if "reason" in word or "thought" in word:
        return "thought"
    plain = word.removesuffix("tokens").strip("_")
    if plain in ("input", "prompt"):
        return "input"
    if plain in ("output", "completion"):
        return "output"
    return "input_part" if word.startswith(("input", "prompt")) else "output_part"


def _tags(properties: Row) -> dict[str, str]:
    """Properties as tags, those that can be."""
    found: dict[str, str] = {}
    for name, value in properties.items():
        if str(name).startswith("Helicone-") or len(found) >= _MOST_TAGS:
            continue
        try:
            key = parse_key(f"tag.{str(name).lower()}", "properties")
        except InvalidInput:
            continue
        found |= named(**{key: value})
    return found


def _first(row: Row, *names: str) -> Any:
    """What stands under the first of several names that has anything."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)
