"""Prices read: what holds, since when, on whose word, and what changed."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import pico, us, us_or_none
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
    SourceUpdate,
)
from budget.domain.pricing import Rate, Rates
from budget.domain.wire.prices import MTOK, TOKEN_KINDS

_MINUTE_US = 60_000_000


def price(shape: Mapping[str, Any]) -> PriceView:
    """The price of a model at an instant."""
    can = shape["capabilities"]
    return PriceView(
        shape["provider"],
        shape["model"],
        shape["price_context"] or "",
        us(shape["at"]),
        us_or_none(shape["starts_at"]),
        us_or_none(shape["ends_at"]),
        rates(shape["prices"], shape),
        shape["source"],
        shape["status"],
        tuple(shape["flags"]),
        tuple(_figure(one) for one in shape["sources"]),
        tuple(shape["resolved"]),
        None if can is None else _capabilities(can),
    )


def _capabilities(shape: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(shape)
    told["retired_us"] = us_or_none(told.pop("retired_at"))
    return told


def price_period(shape: Mapping[str, Any]) -> PricePeriod:
    """A price over a time."""
    daily, costs = shape["daily"], shape["prices"]
    return PricePeriod(
        shape["provider"],
        shape["model"],
        shape["price_context"] or "",
        us_or_none(shape["starts_at"]),
        us_or_none(shape["ends_at"]),
        None if daily is None else (_time(daily[0]), _time(daily[1])),
        None if costs is None else rates(costs, shape),
        shape["source"],
        shape["kind"],
        shape["id"],
        shape["reason"],
        shape["replaced"],
    )


def price_override(shape: Mapping[str, Any]) -> PriceOverride:
    """A price that was set."""
    return PriceOverride(
        shape["override_id"], shape["provider"], shape["model"], shape["price_context"] or "",
        rates(shape["prices"], shape), us_or_none(shape["starts_at"]),
        us_or_none(shape["ends_at"]), shape["actor"], shape["reason"], us(shape["created_at"]),
    )  # fmt: skip


def price_update(shape: Mapping[str, Any]) -> PriceUpdate:
    """A change of the price of one kind of unit."""
    kind = shape["kind"]
    per = MTOK if kind in TOKEN_KINDS or kind.endswith("_tokens") else 1
    return PriceUpdate(
        shape["update_id"], us(shape["at"]), shape["source"], shape["provider"], shape["model"],
        shape["price_context"] or "", kind, shape["tier_from_tokens"],
        _pico(shape["old_price"], per), _pico(shape["new_price"], per), _bps(shape["percent"]),
        us(shape["starts_at"]), shape["old_basis"], shape["new_basis"], shape["status"],
        shape["decided_by"], us_or_none(shape["decided_at"]), shape["reason"],
    )  # fmt: skip


def price_report(shape: Mapping[str, Any]) -> PriceReport:
    """What an update of prices came to."""
    results = tuple(
        SourceUpdate(**{name: one[name] for name in SourceUpdate._fields})
        for one in shape["results"]
    )
    return PriceReport(us(shape["at"]), results)


def price_source(shape: Mapping[str, Any]) -> PriceSourceView:
    """A source of prices."""
    return PriceSourceView(
        shape["source"], shape["trust"], shape["place"], shape["basis"], shape["version"],
        shape["models"], us_or_none(shape["taken_at"]), us_or_none(shape["checked_at"]),
        us_or_none(shape["applied_at"]), shape["error"], shape["waiting"], shape["held"],
    )  # fmt: skip


def price_decision(shape: Mapping[str, Any]) -> PriceDecision:
    """What accepting or rejecting did."""
    updates = tuple(price_update(one) for one in shape["updates"])
    return PriceDecision(shape["status"], updates, shape["basis"])


def price_comparison(shape: Mapping[str, Any]) -> PriceComparison:
    """What each source says of a model."""
    held = shape["in_force"]
    return PriceComparison(
        us(shape["at"]), shape["provider"], shape["model"], None if held is None else price(held),
        tuple(_figure(one) for one in shape["sources"]),
    )  # fmt: skip


def _figure(shape: Mapping[str, Any]) -> SourceFigure:
    return SourceFigure(
        shape["source"], shape["trust"], shape["provider"], shape["model"],
        rates(shape["prices"], shape), shape["agrees"], _bps(shape["input_percent"]),
        _bps(shape["output_percent"]),
    )  # fmt: skip


def rates(shape: Mapping[str, Any], of: Mapping[str, Any]) -> Rates:
    """What units cost; `of` tells whose rates they are, and on whose word."""
    return Rates(
        input=_rate(shape["input"]),
        output=_rate(shape["output"]),
        cache_read=_rate_or_none(shape["cache_read"]),
        cache_write=_rate_or_none(shape["cache_write"]),
        cache_write_1h=_rate_or_none(shape["cache_write_1h"]),
        reasoning=_rate_or_none(shape["reasoning"]),
        request=pico(shape["request"]),
        provider=of["provider"] or "",
        model=of["model"],
        basis=of["basis"],
        units=tuple(
            (unit, _rate(rate, MTOK if unit.endswith("_tokens") else 1))
            for unit, rate in shape["units"].items()
        ),
        context=of.get("price_context") or "",
    )


def _rate(told: Any, per: int = MTOK) -> Rate:
    if isinstance(told, str):
        return pico(told) // per
    return tuple((start, pico(rate) // per) for start, rate in told)


def _rate_or_none(told: Any) -> Rate | None:
    return None if told is None else _rate(told)


def _pico(told: str | None, per: int) -> int | None:
    return None if told is None else pico(told) // per


def _bps(percent: str | None) -> int | None:
    return None if percent is None else int(percent.replace(".", ""))


def _time(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return (int(hours) * 60 + int(minutes)) * _MINUTE_US
