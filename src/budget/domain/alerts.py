"""Alerts: their kinds, how severe each is, and how it is said in a sentence.

Not here: what raises them (`engine.batch`, `engine.alerts`), and their life as values
(`answers_alerts`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from budget.domain.budgets import Policy
from budget.domain.money import format_usd
from budget.domain.windows import to_rfc3339

Severity = Literal["info", "warning", "error"]

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "error")

OF_POLICIES: Final[Mapping[str, Severity]] = {
    "warning": "warning",
    "action": "warning",
    "limit": "error",
    "overrun": "error",
    "unreserved": "error",
    "assumed": "error",
    "exhausted_soon": "warning",
}
"""Kinds about one partition of a policy, raised once a window, and how severe they are."""

OF_SUBJECTS: Final[Mapping[str, Severity]] = {
    "runaway": "error",
    "loop": "error",
    "unpriced": "warning",
    "cost_differs": "warning",
    "price_quarantined": "warning",
    "price_conflict": "warning",
    "channel_failing": "warning",
    "requirement_limits": "warning",
}
"""Kinds about anything else, raised once a UTC day, and how severe they are."""

KINDS: Final[Mapping[str, Severity]] = {**OF_POLICIES, **OF_SUBJECTS}

TYPES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "cost_limit_approaching": (("warning", "action"), ("usd",)),
    "cost_limit_exceeded": (("limit",), ("usd",)),
    "token_limit_approaching": (("warning", "action"), ("tokens", "input_tokens", "output_tokens")),
    "token_limit_exceeded": (("limit",), ("tokens", "input_tokens", "output_tokens")),
}
"""Tekton's types: the kinds and the units of each. The type of any other alert is its kind."""


def type_of(kind: str, unit: str | None) -> str:
    """An alert's type."""
    for name, (kinds, units) in TYPES.items():
        if kind in kinds and unit in units:
            return name
    return kind


class Figures(NamedTuple):
    """What a balance showed when an alert was raised, in the policy's unit."""

    limit: int
    spent: int
    reserved: int
    assumed: int
    overrun: int


def policy_message(
    kind: str, budget: str, policy: Policy, partition: str, figures: Figures, soon_us: int = 0
) -> str:
    """One sentence about a partition of a policy; `soon_us` is when the limit would be reached."""
    used, are = figures.spent + figures.assumed, "is" if policy.unit == "usd" else "are"
    spent, held = _text(used, policy.unit), _text(figures.reserved, policy.unit)
    limit = f"the {policy.calendar.period.text} limit of {_text(figures.limit, policy.unit)}"
    match kind:
        case "warning" | "action":
            bps = policy.warning_bps if kind == "warning" else policy.action_bps
            said = f"{spent} of {limit} {are} spent; the {kind} threshold is {_percent(bps)}."
        case "limit" if used >= figures.limit:
            said = f"{limit} is reached: {spent} {are} spent."
        case "limit":
            said = f"a call was refused by {limit}: {spent} {are} spent and {held} held."
        case "overrun":
            said = f"{_text(figures.overrun, policy.unit)} went beyond {limit}."
        case "unreserved":
            said = f"usage was booked that nobody had reserved; {spent} of {limit} {are} spent."
        case "assumed":
            assumed = _text(figures.assumed, policy.unit)
            said = f"calls that never said what they used count as {assumed} of {limit}."
        case _:
            said = (
                f"{spent} of {limit} {are} spent; at the pace of this window so far it is reached "
                f"about {to_rfc3339(soon_us)}, before the window ends."
            )
    return f"{budget}{_of(partition)}: {said}"


def subject_message(kind: str, subject: str, detail: Mapping[str, Any]) -> str:
    """One sentence about anything else; `subject` is what the alert is about."""
    if kind == "runaway":
        return (
            f"The {subject.replace(':', ' ', 1)} has spent {detail['spent']} USD in five minutes; "
            f"its usual is {detail['usual']} USD."
        )
    if kind == "loop":
        said = "the same call" if detail.get("what") == "identical" else "calls"
        return (
            f"The {subject.replace(':', ' ', 1)} sent {said} {detail.get('calls')} times within a "
            "minute; more were stopped."
        )
    if kind == "cost_differs":
        return (
            f"The cost that was reported for {subject or 'a call without a model'} differs from "
            f"ours: {detail['reported_cost']} USD in place of {detail['cost']} USD."
        )
    if kind == "channel_failing":
        return f"The channel {detail.get('name') or subject} does not take what it is sent."
    if kind == "requirement_limits":
        return f"Requirement {subject}: {detail.get('said', 'its limits were changed.')}"
    return {
        "unpriced": f"Usage of {subject or 'no model'} was booked without a cost: it has no price.",
        "price_quarantined": f"A change of the prices of {subject} is held until somebody decides.",
        "price_conflict": f"The prices of {subject} are not what other sources say.",
    }.get(kind, f"{kind}: {subject}")


def soon_exhausted_us(limit: int, used: int, start_us: int, end_us: int, now_us: int) -> int | None:
    """When a window that goes on at its pace so far reaches its limit; None: not before its end.

    Only of a window of which an eighth has gone, and a limit of which half has: before that a pace
    says little.
    """
    elapsed_us = now_us - start_us
    if elapsed_us * 8 < end_us - start_us or not limit // 2 < used < limit:
        return None
    reached_us = start_us - (-limit * elapsed_us // used)
    return reached_us if reached_us < end_us else None


def _of(partition: str) -> str:
    named: dict[str, str | None] = json.loads(partition)
    if not named:
        return ""
    told = ", ".join(f"{key}={value or 'none'}" for key, value in named.items())
    return f" ({told})"


def _text(value: int, unit: str) -> str:
    if unit == "usd":
        return f"{format_usd(value)} USD"
    named = unit.replace("_", " ")
    return f"1 {named.removesuffix('s')}" if value == 1 else f"{value:,} {named}"


def _percent(bps: int) -> str:
    whole, hundredths = divmod(bps, 100)
    return f"{whole}.{hundredths:02d}".rstrip("0").rstrip(".") + "%"
