"""Sources: what LiteLLM, OpenAI, Anthropic and plain tables call the parts of usage.

Each reader makes the lines of one row. Not here: files (`files`), Tekton's databases (`rhetor`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from budget.engine.importing.files import Row, rows_of
from budget.engine.importing.lines import Bad, Line, identified, money, named, text, time_us, whole
from budget.engine.importing.objects import object_of
from budget.engine.importing.observed import helicone, langfuse

Reader = Callable[[str, Mapping[str, Any], str], Iterator[Line]]

FIELDS: Final = (
    "id", "occurred_at", "provider", "model", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens",
    "requests", "cost", "org", "team", "project", "user", "key", "component", "agent", "session",
    "task", "task_type", "tier",
)  # fmt: skip
"""What a column of a plain table may be mapped to, beside `tag.<name>`."""

_COUNTS: Final = FIELDS[4:10]


def litellm(place: str, row: Mapping[str, Any], zone: str) -> Iterator[Line]:
    """A row of LiteLLM_SpendLogs."""
    metadata = object_of(row.get("metadata"))
    used = object_of(metadata.get("usage_object"))
    prompt = object_of(used.get("prompt_tokens_details"))
    if not text(row.get("request_id")):
        raise ValueError("request_id is missing")
    model = text(row.get("model"))
    provider = text(row.get("custom_llm_provider"))
    if model and provider and model.startswith(f"{provider}/"):
        model = model.removeprefix(f"{provider}/")
    read = used.get("cache_read_input_tokens") or prompt.get("cached_tokens")
    yield Line(
        place, identified(row["request_id"]), time_us(row.get("startTime"), "startTime", zone),
        provider, model, whole(row.get("prompt_tokens"), "prompt_tokens"),
        whole(row.get("completion_tokens"), "completion_tokens"), whole(read, "cached_tokens"),
        whole(used.get("cache_creation_input_tokens"), "cache_creation_input_tokens"),
        cost_nanos=money(row.get("spend"), "spend"),
        attributes=named(
            team=row.get("team_id"), user=row.get("end_user") or row.get("user"),
            session=row.get("session_id"),
        ),
        key_source=text(row.get("api_key")),
    )  # fmt: skip


def openai(place: str, row: Mapping[str, Any], zone: str) -> Iterator[Line]:
    """A bucket of the usage or the cost API of OpenAI, or a row of its CSV export."""
    start = row.get("start_time", row.get("start_time_iso"))
    at_us = time_us(start, "start_time", zone)
    for result in _results(row):
        amount = object_of(result.get("amount"))
        value = amount.get("value", result.get("amount_value"))
        model = text(result.get("model"))
        if model is None:
            model = text(str(result.get("line_item") or "").partition(",")[0])
        who = {
            "project": result.get("project_id"), "user": result.get("user_id"),
            "tag.api_key_id": result.get("api_key_id"),
        }  # fmt: skip
        parts = (start, model, result.get("line_item"), *who.values(), result.get("batch"),
                 result.get("service_tier"))  # fmt: skip
        yield Line(
            place, identified(*parts), at_us, "openai", model,
            whole(result.get("input_tokens"), "input_tokens"),
            whole(result.get("output_tokens"), "output_tokens"),
            whole(result.get("input_cached_tokens"), "input_cached_tokens"),
            requests=whole(result.get("num_model_requests"), "num_model_requests"),
            cost_nanos=money(value, "amount.value"), attributes=named(**who),
            counted=result.get("input_tokens") not in (None, ""),
        )  # fmt: skip


def anthropic(place: str, row: Mapping[str, Any], zone: str) -> Iterator[Line]:
    """A bucket of the usage or the cost report of Anthropic, or a row of its CSV export."""
    start = row.get("starting_at", row.get("usage_date_utc"))
    at_us = time_us(start, "starting_at", zone)
    for result in _results(row):
        cache = object_of(result.get("cache_creation"))
        plain = result.get("uncached_input_tokens", result.get("usage_input_tokens_no_cache"))
        read = _count(result, "cache_read_input_tokens", "usage_input_tokens_cache_read")
        short = _count(
            {**result, **cache}, "ephemeral_5m_input_tokens", "usage_input_tokens_cache_write_5m"
        )
        long = _count(
            {**result, **cache}, "ephemeral_1h_input_tokens", "usage_input_tokens_cache_write_1h"
        )
        model = text(result.get("model")) or text(result.get("model_version"))
        who = {
            "project": result.get("workspace_id") or result.get("workspace"),
            "tag.api_key_id": result.get("api_key_id") or result.get("api_key"),
        }  # fmt: skip
        parts = (start, model, *who.values(), result.get("service_tier"),
                 result.get("context_window"), result.get("usage_type"),
                 result.get("description"), result.get("token_type"))  # fmt: skip
        yield Line(
            place, identified(*parts), at_us, "anthropic", model,
            whole(plain, "uncached_input_tokens") + read + short + long,
            _count(result, "output_tokens", "usage_output_tokens"), read, short, long,
            requests=0, cost_nanos=money(result.get("amount"), "amount", cents=True),
            attributes=named(**who), counted=plain not in (None, ""),
        )  # fmt: skip


def focus(place: str, row: Mapping[str, Any], zone: str) -> Iterator[Line]:
    """A charge of a FOCUS export, ours or another's: for reconciling alone."""
    seller = row.get("ProviderName") or row.get("ServiceProviderName")
    model = row.get("x_Model") or str(row.get("SkuId") or "").rpartition("/")[2]
    counted = row.get("x_InputTokens") not in (None, "")
    yield Line(
        place, identified(place), time_us(row.get("ChargePeriodStart"), "ChargePeriodStart", zone),
        text(seller), text(model), whole(row.get("x_InputTokens"), "x_InputTokens", signed=True),
        whole(row.get("x_OutputTokens"), "x_OutputTokens", signed=True),
        cost_nanos=money(row.get("BilledCost"), "BilledCost", signed=True), counted=counted,
    )  # fmt: skip


def table(mapping: Mapping[str, str]) -> Reader:
    """The reader of a plain table; `mapping` is column to field, others have the field's name."""

    def read(place: str, row: Mapping[str, Any], zone: str) -> Iterator[Line]:
        found = {mapping.get(column, column): value for column, value in row.items()}
        counts: dict[str, Any] = {name: whole(found.get(name), name) for name in _COUNTS}
        known = set(FIELDS[:12])
        who = {
            key: value for key, value in found.items()
            if key not in known and (key in FIELDS or key.startswith("tag."))
        }  # fmt: skip
        given = found.get("id")
        parts = (given,) if text(given) else tuple(sorted(map(str, row.items())))
        yield Line(
            place, identified(*parts), time_us(found.get("occurred_at"), "occurred_at", zone),
            text(found.get("provider")), text(found.get("model")),
            requests=whole(found.get("requests", 1), "requests"),
            cost_nanos=money(found.get("cost"), "cost"), attributes=named(**who),
            counted=any(name in found for name in _COUNTS),
        )._replace(**counts)  # fmt: skip

    return read


READERS: Final[Mapping[str, Reader]] = {
    "litellm": litellm,
    "openai": openai,
    "anthropic": anthropic,
    "langfuse": langfuse,
    "helicone": helicone,
}


def read_lines(file: Path, read: Reader, zone: str) -> Iterator[Line | Bad]:
    """The lines of a file, each read or told why not."""
    return lines_of_rows(rows_of(file), read, zone)


def lines_of_rows(rows: Iterable[Row], read: Reader, zone: str) -> Iterator[Line | Bad]:
    """The lines of rows, each read or told why not."""
    for row in rows:
        if isinstance(row, Bad):
            yield row
            continue
        place, value = row
        try:
            if not isinstance(value, Mapping):
                raise ValueError("is not an object")
            yield from list(read(place, value, zone))
        except ValueError as error:
            yield Bad(place, str(error)[:200])


def _results(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = row.get("results", [row])
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ValueError("results must be a list of objects")
    return found


def _count(row: Mapping[str, Any], *names: str) -> int:
    return sum(whole(row.get(name), name) for name in names)
