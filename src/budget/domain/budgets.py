"""Budgets and their policies: who is limited, how much, how often, how strictly.

Not here: how they are written by a caller (`policy_terms`), what has been spent (`balances`), and
whether a call may go (`decide`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from budget.domain.attributes import Scope, scope_to_json
from budget.domain.ladders import Steps
from budget.domain.money import (
    format_fraction,
    format_usd,
)
from budget.domain.pricing import Rates
from budget.domain.windows import (
    Calendar,
    Period,
    Window,
    bucket_width_us,
    day_calendar,
    window_at,
)

Unit = Literal["usd", "tokens", "input_tokens", "output_tokens", "requests"]
Enforcement = Literal["ignore", "warn", "soft_limit", "hard_limit"]

UNITS: Final[tuple[Unit, ...]] = ("usd", "tokens", "input_tokens", "output_tokens", "requests")
ENFORCEMENTS: Final[tuple[Enforcement, ...]] = ("ignore", "warn", "soft_limit", "hard_limit")
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
    degrade: Steps = ()
    """What is done with calls before they are refused (`ladders`)."""
    replayed: bool = field(default=False, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What to look at again of what was written, in sentences."""

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
        "degrade": list(budget.degrade),
    }
