"""Limits of LiteLLM in our terms: which policies its fields are, and which fields are none.

Pure. Not here: whose limits they are (`planning`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.money import format_usd
from budget.engine.importing.lines import money, whole
from budget.engine.importing.proxy.tables import Row

MAX_LIMIT_USD: Final = 10**9
_HARD: Final = "hard_limit"
_ALL_BPS: Final = 10_000
_MOST_WARNING_BPS: Final = 9_400
"""Below where a policy that is nearly spent acts."""

_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})(s|m|h|d|w|mo)")
_WORDS: Final = {"hourly": "1h", "daily": "1d", "weekly": "7d", "monthly": "30d"}
_CALENDAR: Final[Mapping[str, str]] = {
    "60s": "minute", "1m": "minute", "60m": "hourly", "1h": "hourly", "24h": "daily",
    "1d": "daily", "7d": "weekly", "1w": "weekly", "30d": "monthly", "1mo": "monthly",
    "3mo": "quarterly", "12mo": "yearly",
}  # fmt: skip
_LETTERS: Final = {"w": ("d", 7), "mo": ("d", 30)}
_RATES: Final = (
    ("tpm_limit", "tokens", "minute"), ("rpm_limit", "requests", "minute"),
    ("tpd_limit", "tokens", "daily"),
)  # fmt: skip
_NO_COUNTERPART: Final[Mapping[str, str]] = {
    "max_parallel_requests": "how many calls run at once is not limited",
    "models": "which models may be called is not limited",
    "allowed_models": "which models may be called is not limited",
    "allowed_routes": "which routes may be called is not limited",
    "budget_fallbacks": "set the budget's `degrade`, or a ladder, for what to call instead",
    "aliases": "names of models are the gateway's to set",
    "temp_budget_increase": "make a top-up of it",
}


class Limit(NamedTuple):
    """A policy that is to be made: its fields, and for which model alone.

    `spent_nanos` is what LiteLLM says was spent of it in the window of now.
    """

    policy: Mapping[str, Any]
    model: str | None = None
    spent_nanos: int | None = None


def period_of(duration: Any) -> tuple[str, str | None]:
    """The period that a `budget_duration` is, and what is then otherwise; ValueError."""
    if duration in (None, ""):
        return "total", None
    told = _WORDS.get(str(duration).strip().lower(), str(duration).strip().lower())
    if told in _CALENDAR:
        return _CALENDAR[told], None
    found = _DURATION.fullmatch(told)
    if found is None:
        raise ValueError(f"budget_duration {told[:20]!r} is not a number and one of s m h d w mo")
    letter, times = _LETTERS.get(found[2], (found[2], 1))
    period = f"rolling:{int(found[1]) * times}{letter}"
    return period, f"{told} becomes {period}: it rolls, and does not start afresh at a time"


def limits_of(row: Row) -> tuple[list[Limit], list[str]]:
    """The limits that a row states, and notes of what has no counterpart; ValueError."""
    notes: list[str] = []
    limits = [*_budget(row, notes), *_rates(row, None), *_windows(row, notes)]
    for model, told in _object(row.get("model_max_budget")).items():
        limits += _of_model(str(model), told, notes)
    limits += _rates_of_models(row)
    if row.get("blocked") is True:
        limits.append(Limit(_policy("requests", "total", 0)))
    for name, why in _NO_COUNTERPART.items():
        metadata = _object(row.get("metadata"))
        if row.get(name) or metadata.get(name):
            notes.append(f"{name}: {why}")
    return limits, notes


def _budget(row: Row, notes: list[str]) -> Iterator[Limit]:
    """`max_budget` and `soft_budget`."""
    most, soft = _usd(row.get("max_budget"), "max_budget"), _usd(row.get("soft_budget"), "soft")
    if most is None and soft is None:
        return
    period, note = period_of(row.get("budget_duration"))
    notes += [note] if note else []
    spent = money(_decimal(row.get("spend")), "spend")
    if most is None:
        assert soft is not None
        policy = {**_policy("usd", period, format_usd(soft)), "enforcement": "warn"}
        yield Limit(policy, None, spent)
        return
    policy = _policy("usd", period, format_usd(most))
    if soft is not None and most:
        bps = min(_MOST_WARNING_BPS, soft * _ALL_BPS // most)
        policy["warning_threshold"] = f"0.{bps:04d}"
    yield Limit(policy, None, spent)


def _rates(row: Row, model: str | None) -> Iterator[Limit]:
    for name, unit, period in _RATES:
        if row.get(name) is not None:
            yield Limit(_policy(unit, period, whole(_decimal(row[name]), name)), model)


def _rates_of_models(row: Row) -> Iterator[Limit]:
    """Rates by model, which keys and teams have in their metadata, projects as columns."""
    for source in (row, _object(row.get("metadata"))):
        for name, unit, period in _RATES[:2]:
            for model, most in _object(source.get(f"model_{name}")).items():
                limit = whole(_decimal(most), f"model_{name}")
                yield Limit(_policy(unit, period, limit), str(model))


def _windows(row: Row, notes: list[str]) -> Iterator[Limit]:
    """`budget_limits`: more windows, each with its limit; what was spent of each is not told."""
    found = row.get("budget_limits")
    for one in found if isinstance(found, list) else []:
        if isinstance(one, Mapping):
            period, note = period_of(one.get("budget_duration"))
            notes += [note] if note else []
            most = _usd(one.get("max_budget"), "budget_limits")
            if most is not None:
                yield Limit(_policy("usd", period, format_usd(most)))


def _of_model(model: str, told: Any, notes: list[str]) -> Iterator[Limit]:
    """One entry of `model_max_budget`: a figure, or an object in either of its spellings."""
    if not isinstance(told, Mapping):
        told = {"max_budget": told}
    most = _usd(told.get("max_budget", told.get("budget_limit")), "model_max_budget")
    if most is not None:
        period, note = period_of(told.get("budget_duration", told.get("time_period")))
        notes += [note] if note else []
        yield Limit(_policy("usd", period, format_usd(most)), model)
    yield from _rates(told, model)


def _policy(unit: str, period: str, limit: str | int) -> dict[str, Any]:
    return {"unit": unit, "period": period, "limit": limit, "enforcement": _HARD}


def _usd(value: Any, name: str) -> int | None:
    """Nano-USD of a limit, which may be larger than what one record may cost."""
    if value is None or value == "":
        return None
    thousandth = money(_decimal(value) / 1000, name)
    assert thousandth is not None
    return thousandth * 1000


def _decimal(value: Any) -> Any:
    """A figure of the database, which keeps them as floating point, as it is written."""
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        raise ValueError(f"{str(value)[:20]!r} is no number") from None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
