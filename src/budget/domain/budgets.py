"""Budgets and their policies: who is limited, how much, how often, how strictly.

Not here: what has been spent (`balances`), and whether a call may go (`decide`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from budget.domain.attributes import Scope, scope_to_json
from budget.domain.errors import InvalidInput
from budget.domain.money import (
    MAX_LIMIT_NANOS,
    format_fraction,
    format_usd,
    parse_count,
    parse_fraction_bps,
    parse_percent_bps,
    parse_usd,
)
from budget.domain.pricing import Rates, flat_rates
from budget.domain.windows import (
    Calendar,
    Period,
    Window,
    bucket_width_us,
    day_calendar,
    parse_period,
    parse_reset_day,
    parse_zone,
    window_at,
)

Unit = Literal["usd", "tokens", "input_tokens", "output_tokens", "requests"]
Enforcement = Literal["ignore", "warn", "soft_limit", "hard_limit"]

UNITS: Final[tuple[Unit, ...]] = ("usd", "tokens", "input_tokens", "output_tokens", "requests")
ENFORCEMENTS: Final[tuple[Enforcement, ...]] = ("ignore", "warn", "soft_limit", "hard_limit")
ENFORCEMENT_ALIASES: Final[Mapping[str, Enforcement]] = {
    "enforce": "hard_limit",
    "block": "hard_limit",
    "downgrade": "soft_limit",
    "log": "ignore",
    "warning": "warn",
}

MAX_LIMIT_COUNT: Final = 10**18
MAX_POLICIES: Final = 50
BPS: Final = 10_000
"""Basis points in one: 10,000 bps = 100%."""


@dataclass(frozen=True, slots=True)
class TopUp:
    """A recorded raise of a policy's limit, on one partition or (None) on all.

    Calendar windows: counts in every window that had not ended at `at_us` and starts before
    `until_us`. Rolling: counts while `at_us <= now < until_us`. `replayed`, here and below, is of
    an answer: that it was given before, for the same idempotency key.
    """

    top_up_id: str
    policy_id: str
    partition: str | None
    amount: int
    at_us: int
    until_us: int
    actor: str
    reason: str
    replayed: bool = field(default=False, compare=False)

    def counts_in(self, window: Window) -> bool:
        """Whether it raises the limit of this calendar window."""
        return window.end_us > self.at_us and window.start_us < self.until_us


class PolicyTerms(NamedTuple):
    """What a balance tells of its policy, so that its figures can be understood without it."""

    policy_id: str
    budget_id: str
    unit: Unit
    period: Period
    enforcement: Enforcement
    warning_bps: int = 8_000
    action_bps: int = 9_500

    @property
    def rolling(self) -> bool:
        """Whether its window rolls on."""
        return self.period.kind == "rolling"


@dataclass(frozen=True, slots=True)
class Policy:
    """One limit of a budget. `limit` is in nano-USD for `usd`, else a count; bps are of the limit.

    `limits` is its history, (since_us, limit) ascending, the last one in force. `partition_by` is
    the budget's `per` plus, for per_session and per_task, that attribute. `succeeds` is the id of
    the policy that this one replaced.
    """

    policy_id: str
    budget_id: str
    unit: Unit
    calendar: Calendar
    limit: int
    enforcement: Enforcement
    partition_by: tuple[str, ...]
    created_us: int
    warning_bps: int = 8_000
    action_bps: int = 9_500
    rollover: bool = False
    on_expiry: Literal["assume", "release"] = "release"
    reserved_for_priority: tuple[tuple[int, int], ...] = ()
    archived_us: int | None = None
    limits: tuple[tuple[int, int], ...] = ()
    top_ups: tuple[TopUp, ...] = ()
    succeeds: str | None = None
    replayed: bool = field(default=False, compare=False)
    # Derived once, for the decisions that read them millions of times.
    unit_index: int = field(init=False)
    hard: bool = field(init=False)
    rolling: bool = field(init=False)
    bucket_us: int = field(init=False)
    granted: Mapping[str | None, Sequence[TopUp]] = field(init=False, compare=False, repr=False)
    terms: PolicyTerms = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit_index", UNITS.index(self.unit))
        object.__setattr__(self, "hard", self.enforcement == "hard_limit")
        object.__setattr__(self, "rolling", self.calendar.period.kind == "rolling")
        width = bucket_width_us(self.calendar.period) if self.rolling else 0
        object.__setattr__(self, "bucket_us", width)
        granted: dict[str | None, list[TopUp]] = {}
        for top_up in self.top_ups:
            granted.setdefault(top_up.partition, []).append(top_up)
        object.__setattr__(self, "granted", granted)
        terms = PolicyTerms(
            self.policy_id, self.budget_id, self.unit, self.calendar.period, self.enforcement,
            self.warning_bps, self.action_bps,
        )  # fmt: skip
        object.__setattr__(self, "terms", terms)

    @property
    def holds_envelopes(self) -> bool:
        """Whether an envelope places a leg here: not on a minute or rolling policy."""
        return not self.rolling and self.calendar.period.kind != "minute"

    def limit_at(self, at_us: int) -> int:
        """The limit in force at an instant, without top-ups."""
        limit = self.limits[0][1] if self.limits else self.limit
        for since_us, value in self.limits:
            if since_us > at_us:
                break
            limit = value
        return limit

    def topped_up(self, partition: str, window: Window, now_us: int) -> int:
        """The sum of the top-ups that count for a partition, in a window (rolling: at `now_us`)."""
        if not self.top_ups:
            return 0
        return sum(
            top_up.amount
            for top_up in (*self.granted.get(None, ()), *self.granted.get(partition, ()))
            if (
                top_up.at_us <= now_us < top_up.until_us
                if self.rolling
                else top_up.counts_in(window)
            )
        )

    def headroom(self, priority: int) -> int:
        """What a call of this priority must leave free: the largest share kept for a higher one."""
        bps = max((bps for above, bps in self.reserved_for_priority if above > priority), default=0)
        return -(-self.limit * bps // BPS)

    def calendar_of(self, partition: str) -> Calendar:
        """The calendar of one partition: per_session (per_task) without that attribute is a day."""
        kind = self.calendar.period.kind
        if kind in ("per_session", "per_task"):
            attribute = kind.removeprefix("per_")
            if f'"{attribute}":null' in partition:
                return day_calendar(self.calendar)
        return self.calendar

    def window_of(self, partition: str, at_us: int) -> Window:
        """The calendar window of a partition at an instant (not for rolling policies)."""
        return window_at(self.calendar_of(partition), at_us)


Unpriced = Literal["refuse", "allow"] | Rates


@dataclass(frozen=True, slots=True)
class Budget:
    """A named scope of calls, split by `per`, with its policies (archived ones included)."""

    budget_id: str
    name: str
    scope: Scope
    per: tuple[str, ...]
    created_us: int
    updated_us: int
    description: str = ""
    owner: str = ""
    unpriced: Unpriced | None = None
    policies: tuple[Policy, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    archived_us: int | None = None
    replayed: bool = field(default=False, compare=False)

    @property
    def live_policies(self) -> tuple[Policy, ...]:
        """The policies in force: none once the budget is archived."""
        if self.archived_us is not None:
            return ()
        return tuple(policy for policy in self.policies if policy.archived_us is None)

    def policy(self, policy_id: str) -> Policy:
        """One of its policies, archived or not."""
        return next(policy for policy in self.policies if policy.policy_id == policy_id)

    @property
    def unpriced_rule(self) -> Unpriced:
        """What to do with a model of unknown price: as said, else refuse under a hard usd limit."""
        if self.unpriced is not None:
            return self.unpriced
        strict = any(policy.hard and policy.unit == "usd" for policy in self.live_policies)
        return "refuse" if strict else "allow"


def partition_by(per: tuple[str, ...], calendar: Calendar) -> tuple[str, ...]:
    """A budget's `per`, and the attribute that a per_session or per_task policy splits by."""
    kind = calendar.period.kind
    if kind in ("per_session", "per_task"):
        return tuple(sorted({*per, kind.removeprefix("per_")}))
    return per


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


def amount_to_json(amount: int, unit: Unit) -> str | int:
    """An amount as a user writes it: USD as a string, a count as a number."""
    return format_usd(amount) if unit == "usd" else amount


def policy_to_json(policy: Policy) -> dict[str, Any]:
    """The policy as a user writes it: every field, as `parse_policy` reads them."""
    calendar = policy.calendar
    written: dict[str, Any] = {
        "unit": policy.unit,
        "period": calendar.period.text,
        "limit": amount_to_json(policy.limit, policy.unit),
        "enforcement": policy.enforcement,
        "warning_threshold": format_fraction(policy.warning_bps),
        "action_threshold": format_fraction(policy.action_bps),
        "timezone": calendar.zone,
        "on_expiry": policy.on_expiry,
        "rollover": "unused" if policy.rollover else "none",
        "reserved_for_priority": {
            str(priority): _percent(bps) for priority, bps in policy.reserved_for_priority
        },
    }
    if calendar.period.kind == "monthly":
        written["reset_day"] = calendar.reset_day
    return written


def _percent(bps: int) -> str:
    whole, rest = divmod(bps, 100)
    return f"{whole}.{rest:02d}".rstrip("0") + "%" if rest else f"{whole}%"


def unpriced_to_json(unpriced: Unpriced | None) -> str | dict[str, str] | None:
    """The rule as a user writes it; stand-in rates in USD per million tokens."""
    if unpriced is None or isinstance(unpriced, str):
        return unpriced
    assert isinstance(unpriced.input, int), "stand-in rates have no tiers"
    assert isinstance(unpriced.output, int), "stand-in rates have no tiers"
    return {
        "input": format_usd(unpriced.input * 1_000),
        "output": format_usd(unpriced.output * 1_000),
    }


def budget_to_json(budget: Budget) -> dict[str, Any]:
    """The budget as a user writes it, without its policies."""
    return {
        "name": budget.name,
        "description": budget.description,
        "owner": budget.owner,
        "scope": scope_to_json(budget.scope),
        "per": list(budget.per),
        "unpriced": unpriced_to_json(budget.unpriced),
        "metadata": dict(budget.metadata),
    }
