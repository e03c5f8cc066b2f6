"""Policies as callers write them: limits, units, thresholds and the rest, read and checked.

Not here: what a policy means once it is read (`budgets`), and what may be written of a budget
(`asks_budgets`).
"""

from collections.abc import Mapping
from typing import Final, Literal

from budget.domain.budgets import (
    ENFORCEMENTS,
    UNITS,
    Enforcement,
    Policy,
    Unit,
    Unpriced,
    partition_by,
)
from budget.domain.errors import InvalidInput
from budget.domain.money import (
    MAX_LIMIT_NANOS,
    parse_count,
    parse_fraction_bps,
    parse_percent_bps,
    parse_usd,
)
from budget.domain.pricing import flat_rates
from budget.domain.windows import (
    Calendar,
    parse_period,
    parse_reset_day,
    parse_zone,
)

ENFORCEMENT_ALIASES: Final[Mapping[str, Enforcement]] = {
    "enforce": "hard_limit",
    "block": "hard_limit",
    "downgrade": "soft_limit",
    "log": "ignore",
    "warning": "warn",
}

MAX_LIMIT_COUNT: Final = 10**18


def parse_limit(value: object, unit: Unit, field_name: str) -> int:
    """A limit: USD for `usd` (at most 1e9), a count (at most 1e18) for the others."""
    if unit == "usd":
        return parse_usd(value, field_name, maximum_nanos=MAX_LIMIT_NANOS)
    return parse_count(value, field_name, maximum=MAX_LIMIT_COUNT)


def parse_unit(value: object, field_name: str) -> Unit:
    """One of the units, or InvalidInput listing them."""
    for unit in UNITS:
        if unit == value:
            return unit
    raise InvalidInput(field_name, f"{str(value)[:80]!r} is not a unit.", UNITS)


def parse_enforcement(value: object, field_name: str) -> Enforcement:
    """One of the enforcements or of their aliases, or InvalidInput listing them."""
    if isinstance(value, str):
        name = ENFORCEMENT_ALIASES.get(value, value)
        for enforcement in ENFORCEMENTS:
            if enforcement == name:
                return enforcement
    raise InvalidInput(
        field_name,
        f"{str(value)[:80]!r} is not an enforcement.",
        (*ENFORCEMENTS, *ENFORCEMENT_ALIASES),
    )


def parse_thresholds(
    warning: object, action: object, path: str, *, defaults: tuple[int, int] = (8_000, 9_500)
) -> tuple[int, int]:
    """(warning, action) in basis points of the limit; the warning comes first.

    One that is not given gives way to the one that is.
    """
    warning_bps, action_bps = defaults
    if warning is not None:
        warning_bps = parse_fraction_bps(warning, f"{path}warning_threshold")
    if action is not None:
        action_bps = parse_fraction_bps(action, f"{path}action_threshold")
    if warning is None:
        warning_bps = min(warning_bps, action_bps)
    elif action is None:
        action_bps = max(warning_bps, action_bps)
    elif warning_bps > action_bps:
        raise InvalidInput(f"{path}warning_threshold", "must not be above action_threshold.")
    return warning_bps, action_bps


def parse_headroom(value: object, field_name: str) -> tuple[tuple[int, int], ...]:
    """`{8: "10%", 10: "5%"}` as ((priority, bps), ...), by priority."""
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise InvalidInput(field_name, 'must be an object such as {"8": "10%"}.')
    kept = []
    for key, share in value.items():
        text = str(key)
        if isinstance(key, bool) or text not in ("2", "3", "4", "5", "6", "7", "8", "9", "10"):
            raise InvalidInput(field_name, f"{text[:20]!r} is not a priority from 2 to 10.")
        kept.append((int(text), parse_percent_bps(share, f"{field_name}.{text}")))
    return tuple(sorted(kept))


def parse_choice(value: object, field_name: str, choices: tuple[str, ...]) -> str:
    """One of a few words, or InvalidInput listing them."""
    if isinstance(value, str) and value in choices:
        return value
    raise InvalidInput(field_name, f"{str(value)[:80]!r} is not known.", choices)


def parse_unpriced(value: object, field_name: str = "unpriced") -> Unpriced | None:
    """`refuse`, `allow`, or `{input, output}` in USD per million tokens."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        unknown = set(value) - {"input", "output"}
        if unknown or len(value) != 2:
            raise InvalidInput(field_name, "as an object it needs exactly input and output.")
        return flat_rates(
            parse_usd(value["input"], f"{field_name}.input"),
            parse_usd(value["output"], f"{field_name}.output"),
        )
    if value == "refuse":
        return "refuse"
    if value == "allow":
        return "allow"
    raise InvalidInput(
        field_name, f"{str(value)[:80]!r} is not known.", ("refuse", "allow", "{input, output}")
    )


POLICY_FIELDS: Final = (
    "unit", "period", "limit", "enforcement", "warning_threshold", "action_threshold",
    "timezone", "reset_day", "on_expiry", "rollover", "reserved_for_priority",
)  # fmt: skip


def parse_policy(
    given: object,
    *,
    policy_id: str,
    budget_id: str,
    per: tuple[str, ...],
    now_us: int,
    path: str = "",
) -> Policy:
    """A policy from its JSON form; `path` is the prefix of field names in errors."""
    if not isinstance(given, Mapping):
        raise InvalidInput(path.rstrip(".") or "policy", "must be an object.")
    for name in given:
        if name not in POLICY_FIELDS:
            raise InvalidInput(
                f"{path}{str(name)[:80]}", "is not a field of a policy.", POLICY_FIELDS
            )
    for name in ("unit", "period", "limit"):
        if given.get(name) is None:
            raise InvalidInput(f"{path}{name}", "is required.")
    unit = parse_unit(given["unit"], f"{path}unit")
    calendar = _parse_calendar(given, path)
    enforcement = parse_enforcement(
        _or(given.get("enforcement"), "hard_limit"), f"{path}enforcement"
    )
    warning_bps, action_bps = parse_thresholds(
        given.get("warning_threshold"), given.get("action_threshold"), path
    )
    rollover = parse_choice(
        _or(given.get("rollover"), "none"), f"{path}rollover", ("none", "unused")
    )
    kind = calendar.period.kind
    if rollover == "unused" and kind in ("total", "rolling", "per_session", "per_task"):
        raise InvalidInput(f"{path}rollover", f"a {kind} policy rolls nothing over; use none.")
    on_expiry = parse_choice(
        _or(given.get("on_expiry"), default_on_expiry(enforcement)),
        f"{path}on_expiry",
        ("assume", "release"),
    )
    limit = parse_limit(given["limit"], unit, f"{path}limit")
    return Policy(
        policy_id=policy_id,
        budget_id=budget_id,
        unit=unit,
        calendar=calendar,
        limit=limit,
        enforcement=enforcement,
        partition_by=partition_by(per, calendar),
        created_us=now_us,
        warning_bps=warning_bps,
        action_bps=action_bps,
        rollover=rollover == "unused",
        on_expiry="assume" if on_expiry == "assume" else "release",
        reserved_for_priority=parse_headroom(
            given.get("reserved_for_priority"), f"{path}reserved_for_priority"
        ),
        limits=((now_us, limit),),
    )


def default_on_expiry(enforcement: Enforcement) -> Literal["assume", "release"]:
    """What happens to a hold that expires when the policy doesn't say."""
    return "assume" if enforcement == "hard_limit" else "release"


def _or(value: object, default: str) -> object:
    return default if value is None else value


def _parse_calendar(given: Mapping[str, object], path: str) -> Calendar:
    period = parse_period(given["period"], f"{path}period")
    zone = given.get("timezone")
    reset_day = given.get("reset_day")
    if reset_day is not None and period.kind != "monthly":
        raise InvalidInput(f"{path}reset_day", "only a monthly policy has a reset day.")
    return Calendar(
        period=period,
        zone="UTC" if zone is None else parse_zone(zone, f"{path}timezone"),
        reset_day=1 if reset_day is None else parse_reset_day(reset_day, f"{path}reset_day"),
    )


# --- Writing -------------------------------------------------------------------------------------
