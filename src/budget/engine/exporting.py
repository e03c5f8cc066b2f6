"""Exports: usage records as rows for other programs: CSV, FOCUS, Parquet.

Records come one by one and leave as rows, so that a million need no more memory than a thousand.
Corrections are exported as they lie: a reversal is a row of its own with negated figures. Not here:
which records (`usage_records` of the facade), and where the rows go (`cli.export`).
"""

import calendar
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from budget.domain.answers import UsageRecord
from budget.domain.money import NANOS_PER_USD
from budget.domain.windows import to_rfc3339

Cell = str | int | None

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "|", "%")
"""What a spreadsheet may take for a formula, or for a command, at the beginning of a text."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_COUNTS: Final = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "requests",
)  # fmt: skip
CSV_COLUMNS: Final = (
    "usage_id", "allocation_id", "actor", "recorded_at", "occurred_at", "provider", "model",
    *_COUNTS, "cost_usd", "reported_cost_usd", "basis", "flags", "final", "reverses", "replaces",
    "reason", "price_context", "units", "attributes", "metadata",
)  # fmt: skip
FOCUS_COLUMNS: Final = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingCategory", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
    "ServiceSubcategory", "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
    "x_UsageId", "x_ReversesUsageId", "x_OccurredAt", "x_Provider", "x_Model", "x_InputTokens",
    "x_OutputTokens", "x_CacheReadTokens", "x_CacheWriteTokens", "x_RequestCount", "x_Unpriced",
)  # fmt: skip


def usd_text(nanos: int | None) -> str | None:
    """Money as an exact decimal with nine places; None stays None."""
    if nanos is None:
        return None
    usd, rest = divmod(abs(nanos), NANOS_PER_USD)
    return f"{'-' if nanos < 0 else ''}{usd}.{rest:09d}"


def safe_text(text: str | None) -> str | None:
    """A text that no spreadsheet runs: an apostrophe stands before what begins like a formula."""
    if text is not None and text.startswith(FORMULA_STARTS):
        return f"'{text}"
    return text


def csv_row(record: UsageRecord) -> list[Cell]:
    """A record in the order of CSV_COLUMNS."""
    return [
        record.usage_id, record.allocation_id, safe_text(record.actor),
        to_rfc3339(record.recorded_us), to_rfc3339(record.occurred_us),
        safe_text(record.provider), safe_text(record.model), *_counts(record),
        usd_text(record.cost_nanos), usd_text(record.reported_cost_nanos),
        safe_text(record.basis), " ".join(record.flags), str(record.final).lower(),
        record.reverses, record.replaces, safe_text(record.reason),
        safe_text(record.price_context), _json(dict(record.usage.units)),
        _json(dict(record.attributes)), record.metadata,
    ]  # fmt: skip


def focus_row(record: UsageRecord) -> list[Cell]:
    """A record as one charge, in the order of FOCUS_COLUMNS: version 1.2 of FOCUS.

    The charge period is the UTC hour, the billing period the UTC month of the call. A record
    without a cost is charged 0 and marked `x_Unpriced`.
    """
    usage, attributes = record.usage, record.attributes
    cost = usd_text(record.cost_nanos or 0)
    hour_us = record.occurred_us - record.occurred_us % _HOUR_US
    first, after = _month(record.occurred_us - record.occurred_us % _DAY_US)
    seller = safe_text(record.provider) or "unknown"
    model = safe_text(record.model)
    account = safe_text(attributes.get("org")) or "default"
    team = safe_text(attributes.get("team"))
    corrects = record.reverses is not None or record.replaces is not None
    sku = safe_text(f"{record.provider or 'unknown'}/{record.model}") if record.model else None
    priced = sku is not None and bool(record.basis)
    tokens = usage.input_tokens + usage.output_tokens if priced else None
    unit = "Tokens" if priced else None
    what = "Correction of usage" if corrects else "Usage"
    return [
        cost, account, account, "USD", after, first, "Usage", "Correction" if corrects else None,
        f"{what} of {model or 'an unnamed model'}", "Usage-Based",
        _time(hour_us + _HOUR_US), _time(hour_us), tokens, unit, cost, cost, seller, cost,
        "Standard" if priced else None, tokens, unit, seller, seller,
        "AI and Machine Learning", seller, "Generative AI", sku,
        safe_text(record.basis) if priced else None, team, team, _json(dict(attributes)),
        record.usage_id, record.reverses, to_rfc3339(record.occurred_us),
        safe_text(record.provider), model, usage.input_tokens, usage.output_tokens,
        usage.cache_read_tokens, usage.cache_write_tokens + usage.cache_write_1h_tokens,
        usage.requests, str(record.cost_nanos is None).lower(),
    ]  # fmt: skip


def _counts(record: UsageRecord) -> list[int]:
    return [getattr(record.usage, name) for name in _COUNTS]


def _json(value: Any) -> str:
    return _ENCODER.encode(value) if value else "{}"


@lru_cache(1024)
def _time(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(1024)
def _month(at_us: int) -> tuple[str, str]:
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    first = at.replace(day=1, hour=0, minute=0, second=0)
    after = first + timedelta(days=calendar.monthrange(at.year, at.month)[1])
    return f"{first:%Y-%m-%dT%H:%M:%SZ}", f"{after:%Y-%m-%dT%H:%M:%SZ}"


def parquet_writer(sink: Any) -> tuple[Callable[[list[UsageRecord]], None], Callable[[], None]]:
    """(write some records, finish) of a Parquet file; ImportError without pyarrow.

    The columns are CSV_COLUMNS; money is decimal128(38, 9), times are UTC microseconds.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    kinds: dict[str, Any] = dict.fromkeys(_COUNTS, pa.int64())
    kinds |= dict.fromkeys(("cost_usd", "reported_cost_usd"), pa.decimal128(38, 9))
    kinds |= dict.fromkeys(("recorded_at", "occurred_at"), pa.timestamp("us", tz="UTC"))
    kinds["final"] = pa.bool_()
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in CSV_COLUMNS])
    writer = pq.ParquetWriter(sink, schema, compression="zstd")

    def write(records: list[UsageRecord]) -> None:
        columns = list(zip(*map(_parquet_row, records), strict=True))
        arrays = [
            pa.array(cells, type=field.type) for cells, field in zip(columns, schema, strict=True)
        ]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    return write, writer.close


def _parquet_row(record: UsageRecord) -> list[Any]:
    return [
        record.usage_id, record.allocation_id, record.actor, record.recorded_us,
        record.occurred_us, record.provider, record.model, *_counts(record),
        _decimal(record.cost_nanos), _decimal(record.reported_cost_nanos), record.basis,
        " ".join(record.flags), record.final, record.reverses, record.replaces, record.reason,
        record.price_context, _json(dict(record.usage.units)), _json(dict(record.attributes)),
        record.metadata,
    ]  # fmt: skip


def _decimal(nanos: int | None) -> Any:
    from decimal import Decimal

    return None if nanos is None else Decimal(nanos).scaleb(-9)


def all_records(
    read: Callable[..., Any], ask: dict[str, Any], page: int = 1000
) -> Iterator[list[UsageRecord]]:
    """Every usage record that is asked for, oldest first, a page at a time.

    `read` is `usage_records` of the facade.
    """
    cursor: str | None = None
    while True:
        some = read(**ask, sort="occurred_at", limit=page, cursor=cursor)
        if some.items:
            yield some.items
        cursor = some.next_cursor
        if cursor is None:
            return


def total_nanos(records: Iterable[UsageRecord]) -> int:
    """What records cost together; those without a price cost nothing."""
    return sum(record.cost_nanos or 0 for record in records)
