"""Prices in JSON: what holds, since when, on whose word, and what changed."""

from collections.abc import Mapping
from typing import Any, Final

from budget.domain.answers_prices import (
    PriceComparison,
    PriceDecision,
    PriceOverride,
    PricePeriod,
    PriceReport,
    PriceSourceView,
    PriceUpdate,
    PriceView,
    SourceFigure,
)
from budget.domain.money import format_pico_usd
from budget.domain.pricing import Rate, Rates, rate_at
from budget.domain.shapes_prices import (
    CapabilitiesShape,
    PriceComparisonShape,
    PriceDecisionShape,
    PriceOverrideShape,
    PricePeriodShape,
    PriceReportShape,
    PriceShape,
    PriceSourceShape,
    PriceUpdateShape,
    RatesShape,
    SourceFigureShape,
)
from budget.domain.shapes_prices import Rate as RateShape
from budget.domain.windows import to_rfc3339

MTOK: Final = 10**6
TOKEN_KINDS: Final = frozenset(
    {"input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"}
)
_MINUTE_US: Final = 60_000_000


def price(answer: PriceView) -> PriceShape:
    """The price of a model at an instant."""
    return {
        "provider": answer.provider,
        "model": answer.model,
        "price_context": answer.context or None,
        "at": to_rfc3339(answer.at_us),
        "starts_at": _instant(answer.from_us),
        "ends_at": _instant(answer.until_us),
        "prices": rates(answer.rates),
        "price_type": price_type(answer.rates),
        "input_cost_per_token": format_pico_usd(rate_at(answer.rates.input, 0)),
        "output_cost_per_token": format_pico_usd(rate_at(answer.rates.output, 0)),
        "source": answer.source,
        "basis": answer.rates.basis,
        "version": version_of(answer.rates.basis),
        "status": answer.status,
        "verified": answer.status == "verified",
        "effective_date": _instant(answer.from_us),
        "end_date": _instant(answer.until_us),
        "flags": list(answer.flags),
        "sources": [_figure(figure) for figure in answer.figures],
        "resolved": list(answer.resolved),
        "capabilities": None if answer.capabilities is None else capabilities(answer.capabilities),
    }


def capabilities(told: Mapping[str, Any]) -> CapabilitiesShape:
    """What a model can do."""
    get = told.get
    return {
        "context_window": get("context_window"),
        "max_output_tokens": get("max_output_tokens"),
        "mode": get("mode"),
        "tools": get("tools"),
        "vision": get("vision"),
        "audio": get("audio"),
        "json": get("json"),
        "reasoning": get("reasoning"),
        "batch": get("batch"),
        "open_weights": get("open_weights"),
        "deprecated": get("deprecated"),
        "retired_at": _instant(get("retired_us")),
    }


def price_period(answer: PricePeriod) -> PricePeriodShape:
    """A price over a time."""
    return {
        "id": answer.id,
        "provider": answer.provider,
        "model": answer.model,
        "price_context": answer.context or None,
        "starts_at": _instant(answer.from_us),
        "ends_at": _instant(answer.until_us),
        "daily": None if answer.daily_us is None else [_time(us) for us in answer.daily_us],
        "prices": None if answer.rates is None else rates(answer.rates),
        "source": answer.source,
        "basis": None if answer.rates is None else answer.rates.basis,
        "kind": answer.kind,
        "reason": answer.reason,
        "replaced": answer.replaced,
        "effective_date": _instant(answer.from_us),
        "end_date": _instant(answer.until_us),
    }


def price_override(answer: PriceOverride) -> PriceOverrideShape:
    """A price that was set."""
    return {
        "override_id": answer.override_id,
        "provider": answer.provider,
        "model": answer.model,
        "price_context": answer.context or None,
        "starts_at": _instant(answer.from_us),
        "ends_at": _instant(answer.until_us),
        "prices": rates(answer.rates),
        "basis": answer.rates.basis,
        "actor": answer.actor,
        "reason": answer.reason,
        "created_at": to_rfc3339(answer.created_us),
    }


def price_update(answer: PriceUpdate) -> PriceUpdateShape:
    """A change of the price of one kind of unit."""
    per = MTOK if answer.kind in TOKEN_KINDS or answer.kind.endswith("_tokens") else 1
    return {
        "update_id": answer.update_id,
        "at": to_rfc3339(answer.at_us),
        "source": answer.source,
        "provider": answer.provider,
        "model": answer.model,
        "price_context": answer.context or None,
        "kind": answer.kind,
        "tier_from_tokens": answer.from_tokens,
        "old_price": _price(answer.old_pico, per),
        "new_price": _price(answer.new_pico, per),
        "percent": percent(answer.change_bps),
        "starts_at": to_rfc3339(answer.from_us),
        "old_basis": answer.old_basis,
        "new_basis": answer.new_basis,
        "status": answer.status,
        "decided_by": answer.decided_by,
        "decided_at": _instant(answer.decided_us),
        "reason": answer.reason,
    }


def price_report(answer: PriceReport) -> PriceReportShape:
    """What an update of prices came to."""
    return {
        "at": to_rfc3339(answer.at_us),
        "updates_started": len(answer.sources),
        "sources": [one.source for one in answer.sources],
        "results": [
            {
                "source": one.source,
                "status": one.status,
                "basis": one.basis,
                "models": one.models,
                "changed": one.changed,
                "added": one.added,
                "dropped": one.dropped,
                "quarantined": one.quarantined,
                "skipped": one.skipped,
                "error": one.error,
            }
            for one in answer.sources
        ],
    }


def price_source(answer: PriceSourceView) -> PriceSourceShape:
    """A source of prices."""
    return {
        "source": answer.source,
        "trust": answer.trust,
        "place": answer.place,
        "basis": answer.basis,
        "version": answer.version,
        "models": answer.models,
        "taken_at": _instant(answer.taken_us),
        "checked_at": _instant(answer.checked_us),
        "applied_at": _instant(answer.applied_us),
        "error": answer.error,
        "waiting": answer.waiting,
        "held": answer.held,
    }


def price_decision(answer: PriceDecision) -> PriceDecisionShape:
    """What accepting or rejecting did."""
    return {
        "status": answer.status,
        "basis": answer.basis,
        "updates": [price_update(update) for update in answer.updates],
    }


def price_comparison(answer: PriceComparison) -> PriceComparisonShape:
    """What each source says of a model."""
    return {
        "at": to_rfc3339(answer.at_us),
        "provider": answer.provider,
        "model": answer.model,
        "in_force": None if answer.in_force is None else price(answer.in_force),
        "sources": [_figure(figure) for figure in answer.figures],
    }


def _figure(answer: SourceFigure) -> SourceFigureShape:
    return {
        "source": answer.source,
        "trust": answer.trust,
        "provider": answer.provider,
        "model": answer.model,
        "basis": answer.rates.basis,
        "prices": rates(answer.rates),
        "agrees": answer.agrees,
        "input_percent": percent(answer.input_bps),
        "output_percent": percent(answer.output_bps),
    }


def rates(answer: Rates) -> RatesShape:
    """What units cost, in USD for a million tokens or one of another unit."""
    return {
        "input": _rate(answer.input),
        "output": _rate(answer.output),
        "cache_read": None if answer.cache_read is None else _rate(answer.cache_read),
        "cache_write": None if answer.cache_write is None else _rate(answer.cache_write),
        "cache_write_1h": None if answer.cache_write_1h is None else _rate(answer.cache_write_1h),
        "reasoning": None if answer.reasoning is None else _rate(answer.reasoning),
        "request": format_pico_usd(answer.request),
        "units": {
            unit: _rate(rate, MTOK if unit.endswith("_tokens") else 1)
            for unit, rate in answer.units
        },
    }


def _rate(rate: Rate, per: int = MTOK) -> RateShape:
    if isinstance(rate, int):
        return format_pico_usd(rate * per)
    return [[start, format_pico_usd(pico * per)] for start, pico in rate]


_TYPES: Final = (
    ("characters", "character_based"),
    ("images", "image_based"),
    ("pixels", "image_based"),
    ("milliseconds", "time_based"),
)


def price_type(answer: Rates) -> str:
    """What is counted first of all, in Tekton's words; what is free is so by the token."""
    if rate_at(answer.input, 0) or rate_at(answer.output, 0):
        return "token_based"
    units = {unit for unit, _ in answer.units}
    found = next((told for unit, told in _TYPES if unit in units), None)
    return found or ("fixed" if answer.request else "token_based")


def version_of(basis: str) -> str:
    """The version in a basis such as `source/version/sha256`; of others what stands last."""
    parts = basis.split("/")
    return parts[1] if len(parts) > 2 else parts[-1]


def _price(pico: int | None, per: int) -> str | None:
    return None if pico is None else format_pico_usd(pico * per)


def percent(bps: int | None) -> str | None:
    """Basis points as a percentage with two decimals."""
    if bps is None:
        return None
    whole, part = divmod(abs(bps), 100)
    return f"{'-' if bps < 0 else ''}{whole}.{part:02d}"


def _instant(us: int | None) -> str | None:
    return None if us is None else to_rfc3339(us)


def _time(us: int) -> str:
    minutes = us // _MINUTE_US
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
