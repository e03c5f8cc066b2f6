"""Balances in JSON: as a leg that an allocation holds on, in full, and what they warn of."""

from collections.abc import Iterable

from budget.domain.answers import BalanceView
from budget.domain.budgets import BPS
from budget.domain.money import format_fraction, format_usd
from budget.domain.shapes import BalanceShape, LegShape, WarningShape
from budget.domain.windows import bucket_width_us, leaves_at_us
from budget.domain.wire.parts import (
    amount,
    amount_text,
    fraction,
    instant,
    limit_in_usd,
    partition_of,
    window_of,
)


def leg(view: BalanceView) -> LegShape:
    """A balance that an allocation holds on."""
    policy, budget, partition, window, limit, spent, reserved, assumed, overrun = view
    remaining = max(0, limit - spent - reserved - assumed)
    usd = policy.unit == "usd"
    return {
        "budget_id": policy.budget_id,
        "budget": budget,
        "policy_id": policy.policy_id,
        "partition": partition_of(partition),
        "unit": policy.unit,
        "period": policy.period.text,
        "enforcement": policy.enforcement,
        "warning_threshold": fraction(policy.warning_bps),
        "action_threshold": fraction(policy.action_bps),
        "window": window_of(window),
        "limit": limit_in_usd(limit) if usd else limit,
        "spent": format_usd(spent) if usd else spent,
        "reserved": format_usd(reserved) if usd else reserved,
        "assumed": amount(assumed, policy.unit) if assumed else "0.00" if usd else 0,
        "overrun": amount(overrun, policy.unit) if overrun else "0.00" if usd else 0,
        "remaining": format_usd(remaining) if usd else remaining,
    }


def balance(view: BalanceView) -> BalanceShape:
    """A balance in full: with what is used of it, and when it starts afresh."""
    return {
        **leg(view),
        "used_fraction": _used_fraction(view),
        "resets_at": instant(_resets_us(view)),
    }


def _used_fraction(view: BalanceView) -> str | None:
    if not view.limit:
        return None
    # Cut, not rounded: 0.8 is shown only when a threshold of 0.8 has been passed.
    return format_fraction((view.spent + view.assumed) * BPS // view.limit)


def _resets_us(view: BalanceView) -> int:
    policy = view.policy
    if not policy.rolling:
        return view.window.end_us
    return leaves_at_us(policy.period, view.window.end_us - bucket_width_us(policy.period))


def warnings(views: Iterable[BalanceView]) -> list[WarningShape]:
    """The thresholds that spent + assumed has passed, by the rule that raises alerts."""
    told: list[WarningShape] = []
    for view in views:
        policy = view.policy
        used = view.spent + view.assumed
        if not used or used * BPS < view.limit * policy.warning_bps:
            continue
        if policy.enforcement == "ignore":
            continue
        over_action = used * BPS >= view.limit * policy.action_bps
        soft = over_action and policy.enforcement == "soft_limit"
        if used >= view.limit:
            told.append(_warning("limit", view))
        elif not soft:
            told.append(_warning("action" if over_action else "warning", view))
        if soft:
            told.append(_warning("recommend_cheaper", view))
    return told


def _warning(code: str, view: BalanceView) -> WarningShape:
    policy = view.policy
    advice = " Use a cheaper model." if code == "recommend_cheaper" else ""
    return {
        "code": code,
        "budget": view.budget,
        "policy_id": policy.policy_id,
        "detail": f"Budget {view.budget!r} has spent "
        f"{amount_text(view.spent + view.assumed, policy.unit)} of its "
        f"{policy.period.text} {amount_text(view.limit, policy.unit)}.{advice}",
    }
