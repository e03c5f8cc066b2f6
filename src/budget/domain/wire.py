"""Wire: answers as JSON, one pure function for each; every face and client shows the same.

The shapes are written down in `shapes`. Not here: what is read from callers (`engine.intake`),
bytes, and how a face tells its statuses and errors.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from budget.domain.allocations import Held
from budget.domain.answers import (
    Allocation,
    BalanceView,
    Check,
    Correction,
    Event,
    Receipt,
    Refusal,
    RefusalLine,
    UsageRecord,
)
from budget.domain.attributes import scope_to_json
from budget.domain.budgets import (
    BPS,
    Budget,
    Policy,
    TopUp,
    policy_to_json,
    unpriced_to_json,
)
from budget.domain.money import ceil_div, format_fraction, format_usd
from budget.domain.shapes import (
    AllocationInFullShape,
    AllocationShape,
    Amount,
    BalanceShape,
    BudgetShape,
    CheckShape,
    CorrectionShape,
    EventShape,
    HeldShape,
    LegShape,
    PageShape,
    PolicyShape,
    PostingShape,
    ReceiptShape,
    RefusalLineShape,
    RefusalShape,
    TopUpShape,
    UsageRecordShape,
    VerificationShape,
    WarningShape,
    WindowShape,
)
from budget.domain.windows import MAX_US, Window, leaves_at_us, to_rfc3339

T = TypeVar("T")

_US_PER_S: Final = 1_000_000


# --- Small parts ---------------------------------------------------------------------------------


def amount(value: int, unit: str) -> Amount:
    """An amount in a policy's unit: USD as a string, else a count."""
    return format_usd(value) if unit == "usd" else value


def amount_text(value: int, unit: str) -> str:
    """An amount in words: 1.50 USD, 1200 tokens."""
    return f"{format_usd(value)} USD" if unit == "usd" else f"{value} {unit.replace('_', ' ')}"


def instant(at_us: int) -> str | None:
    """An instant; null for what never comes."""
    return None if at_us >= MAX_US else to_rfc3339(at_us)


def policy_text(policy: Policy) -> str:
    """A policy in words: daily usd hard_limit."""
    return f"{policy.calendar.period.text} {policy.unit} {policy.enforcement}"


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else format_usd(nanos)


def _metadata(text: str) -> Any:
    return {} if text == "{}" else json.loads(text)


@lru_cache(maxsize=4096)
def _partition(text: str) -> dict[str, str | None]:
    parts: dict[str, str | None] = json.loads(text)
    return parts


_limit_usd = lru_cache(maxsize=1024)(format_usd)  # the same few come with every call


def _held(held: Held) -> HeldShape:
    usd, tokens, requests = held
    return {"usd": _usd(usd), "tokens": tokens, "requests": requests}


@lru_cache(maxsize=1024)
def _window_ends(window: Window) -> tuple[str, str | None]:
    return to_rfc3339(window.start_us), instant(window.end_us)


def _window(window: Window) -> WindowShape:
    start, end = _window_ends(window)
    return {"start": start, "end": end}


# --- Balances ------------------------------------------------------------------------------------


def leg(view: BalanceView) -> LegShape:
    """A balance that an allocation holds on."""
    policy, budget, partition, window, limit, spent, reserved, assumed, _ = view
    remaining = max(0, limit - spent - reserved - assumed)
    usd = policy.unit == "usd"
    return {
        "budget_id": policy.budget_id,
        "budget": budget,
        "policy_id": policy.policy_id,
        "partition": _partition(partition).copy() if partition != "{}" else {},
        "unit": policy.unit,
        "period": policy.calendar.period.text,
        "window": _window(window),
        "limit": _limit_usd(limit) if usd else limit,
        "spent": format_usd(spent) if usd else spent,
        "reserved": format_usd(reserved) if usd else reserved,
        "assumed": amount(assumed, policy.unit) if assumed else "0.00" if usd else 0,
        "remaining": format_usd(remaining) if usd else remaining,
    }


def balance(view: BalanceView) -> BalanceShape:
    """A balance in full: with what is used of it, and when it starts afresh."""
    policy = view.policy
    return {
        **leg(view),
        "enforcement": policy.enforcement,
        "overrun": amount(view.overrun, policy.unit),
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
    return leaves_at_us(policy.calendar.period, view.window.end_us - policy.bucket_us)


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
        f"{policy.calendar.period.text} {amount_text(view.limit, policy.unit)}.{advice}",
    }


# --- Spending ------------------------------------------------------------------------------------


def allocation(answer: Allocation) -> AllocationShape:
    """A hold."""
    return {
        "allocation_id": answer.allocation_id,
        "status": answer.status,
        "reserved": _held(answer.reserved),
        "remaining": _held(answer.remaining),
        "granted_output_tokens": answer.granted_output_tokens,
        "placed_at": to_rfc3339(answer.placed_us),
        "expires_at": to_rfc3339(answer.expires_us),
        "basis": answer.basis,
        "legs": [leg(view) for view in answer.legs],
        "warnings": warnings(answer.legs),
        "attributes": answer.attributes,
        "provider": answer.provider,
        "model": answer.model,
        "priority": answer.priority,
        "envelope": answer.envelope,
        "parent_id": answer.parent_id,
        "metadata": _metadata(answer.metadata),
        "replayed": answer.replayed,
    }


def allocation_in_full(answer: Allocation) -> AllocationInFullShape:
    """A hold with its usage records and its children."""
    return {
        **allocation(answer),
        "records": [usage_record(record) for record in answer.records],
        "children": [allocation(child) for child in answer.children],
    }


def check(answer: Check | Refusal) -> CheckShape | dict[str, Any]:
    """What `allocate` would answer; `allowed` tells which of the two."""
    if isinstance(answer, Refusal):
        return {"allowed": False, **refusal(answer)}
    return {
        "allowed": True,
        "reserved": _held(answer.reserved),
        "granted_output_tokens": answer.granted_output_tokens,
        "basis": answer.basis,
        "legs": [leg(view) for view in answer.legs],
        "warnings": warnings(answer.legs),
    }


def receipt(answer: Receipt) -> ReceiptShape:
    """What booking a usage record did."""
    expires_us, remaining = answer.expires_us, answer.remaining
    return {
        "usage_id": answer.usage_id,
        "cost": _usd(answer.cost_nanos),
        "basis": answer.basis,
        "flags": list(answer.flags),
        "replayed": answer.replayed,
        "allocation": None
        if answer.allocation_id is None
        else {
            "allocation_id": answer.allocation_id,
            "status": answer.status,
            "expires_at": None if expires_us is None else to_rfc3339(expires_us),
            "remaining": None if remaining is None else _held(remaining),
        },
        "balances": [balance(view) for view in answer.balances],
    }


def correction(answer: Correction) -> CorrectionShape:
    """A reversal, and its replacement."""
    return {
        "reversal_id": answer.reversal_id,
        "replacement_id": answer.replacement_id,
        "cost": _usd(answer.cost_nanos),
        "replayed": answer.replayed,
        "balances": [balance(view) for view in answer.balances],
    }


def usage_record(answer: UsageRecord) -> UsageRecordShape:
    """A usage record."""
    usage = answer.usage
    return {
        "usage_id": answer.usage_id,
        "allocation_id": answer.allocation_id,
        "actor": answer.actor,
        "recorded_at": to_rfc3339(answer.recorded_us),
        "occurred_at": to_rfc3339(answer.occurred_us),
        "attributes": answer.attributes,
        "provider": answer.provider,
        "model": answer.model,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "requests": usage.requests,
        "cost": _usd(answer.cost_nanos),
        "reported_cost": _usd(answer.reported_cost_nanos),
        "basis": answer.basis,
        "flags": list(answer.flags),
        "final": answer.final,
        "reverses": answer.reverses,
        "replaces": answer.replaces,
        "reason": answer.reason,
        "metadata": _metadata(answer.metadata),
    }


# --- Refusing ------------------------------------------------------------------------------------


def refusal(answer: Refusal) -> RefusalShape:
    """Why a call may not go, with numbers, and what would help."""
    lines = [refusal_line(line, answer.at_us) for line in answer.lines]
    return {
        **(lines[0] if lines else _envelope_line(answer)),
        "code": answer.code,
        "detail": answer.detail,
        "provider": answer.provider,
        "model": answer.model,
        "parent_id": answer.parent_id,
        "cheaper": list(answer.cheaper),
        "how_to_raise": _how_to_raise(answer),
        "refused_by": lines,
    }


def refusal_line(line: RefusalLine, at_us: int) -> RefusalLineShape:
    """One limit that refuses; `at_us` is when it did."""
    view, requested, shortfall, resets_us = line
    policy = view.policy
    unit = policy.unit
    return {
        "budget": view.budget,
        "budget_id": policy.budget_id,
        "policy": policy_text(policy),
        "policy_id": policy.policy_id,
        "partition": _partition(view.partition).copy(),
        "unit": unit,
        "period": policy.calendar.period.text,
        "limit": amount(view.limit, unit),
        "spent": amount(view.spent, unit),
        "reserved": amount(view.reserved, unit),
        "assumed": amount(view.assumed, unit),
        "requested": amount(requested, unit),
        "shortfall": amount(shortfall, unit),
        "resets_at": None if resets_us is None else instant(resets_us),
        "retry_after_seconds": retry_after_seconds(resets_us, at_us),
    }


def retry_after_seconds(resets_us: int | None, at_us: int) -> int | None:
    """Whole seconds until a reset, at least one; None when none is to come."""
    if resets_us is None or resets_us >= MAX_US:
        return None
    return max(1, ceil_div(resets_us - at_us, _US_PER_S))


def _envelope_line(answer: Refusal) -> RefusalLineShape:
    """The figures of an empty envelope, which is no policy; null where nothing is to be told."""
    unit = answer.unit

    def told(value: int | None) -> Amount | None:
        return None if value is None or unit is None else amount(value, unit)

    return {
        "budget": None,
        "budget_id": None,
        "policy": None,
        "policy_id": None,
        "partition": None,
        "unit": unit,
        "period": None,
        "limit": told(answer.limit),
        "spent": None,
        "reserved": None,
        "assumed": None,
        "requested": told(answer.requested),
        "shortfall": told(answer.shortfall),
        "resets_at": None,
        "retry_after_seconds": None,
    }


def _how_to_raise(answer: Refusal) -> str:
    if answer.code == "envelope_exhausted":
        short = amount_text(answer.shortfall or 0, answer.unit or "usd")
        return (
            f"Extend the envelope by at least {short}: "
            f"POST /api/v1/allocations/{answer.parent_id}/extend."
        )
    if answer.code == "model_unpriced" or not answer.lines:
        return 'Set the budget\'s "unpriced" to "allow" or to {input, output} prices.'
    view, _, shortfall, _ = answer.lines[0]
    policy_id = view.policy.policy_id
    others = len(answer.lines) - 1
    more = f" {others} more refuse; see refused_by." if others else ""
    return (
        f"Top it up by at least {amount_text(shortfall, view.policy.unit)}: "
        f"POST /api/v1/policies/{policy_id}/top-ups; or raise its limit: "
        f"PATCH /api/v1/policies/{policy_id}.{more}"
    )


# --- Budgets -------------------------------------------------------------------------------------


def budget(answer: Budget) -> BudgetShape:
    """A budget with its policies."""
    return {
        "budget_id": answer.budget_id,
        "name": answer.name,
        "description": answer.description,
        "owner": answer.owner,
        "scope": scope_to_json(answer.scope),
        "per": list(answer.per),
        "unpriced": unpriced_to_json(answer.unpriced),
        "policies": [policy(one) for one in answer.policies],
        "metadata": answer.metadata,
        "created_at": to_rfc3339(answer.created_us),
        "updated_at": to_rfc3339(answer.updated_us),
        "archived_at": None if answer.archived_us is None else to_rfc3339(answer.archived_us),
    }


def policy(answer: Policy) -> PolicyShape:
    """One limit of a budget: what a user wrote, and what became of it."""
    return cast(
        PolicyShape,
        {
            "policy_id": answer.policy_id,
            "budget_id": answer.budget_id,
            **policy_to_json(answer),
            "reset_day": answer.calendar.reset_day
            if answer.calendar.period.kind == "monthly"
            else None,
            "top_ups": [top_up(one, answer.unit) for one in answer.top_ups],
            "succeeds": answer.succeeds,
            "created_at": to_rfc3339(answer.created_us),
            "archived_at": None if answer.archived_us is None else to_rfc3339(answer.archived_us),
        },
    )


def top_up(answer: TopUp, unit: str) -> TopUpShape:
    """A recorded raise of a limit, in the unit of its policy."""
    return {
        "top_up_id": answer.top_up_id,
        "policy_id": answer.policy_id,
        "partition": None if answer.partition is None else _partition(answer.partition).copy(),
        "amount": amount(answer.amount, unit),
        "at": to_rfc3339(answer.at_us),
        "until": instant(answer.until_us),
        "actor": answer.actor,
        "reason": answer.reason,
    }


# --- Events --------------------------------------------------------------------------------------


def event(answer: Event, cursor: str) -> EventShape:
    """An entry of the journal; `cursor` is its place as readers write it."""
    return {
        "cursor": cursor,
        "at": to_rfc3339(answer.at_us),
        "kind": answer.kind,
        "actor": answer.actor,
        "allocation_id": answer.allocation_id,
        "usage_id": answer.usage_id,
        "budget_id": answer.budget_id,
        "policy_id": answer.policy_id,
        "legs": [_posting(*posting) for posting in json.loads(answer.legs)],
        "detail": _detail(json.loads(answer.detail)),
    }


def _posting(
    head_id: int,
    cell_us: int,
    spent: int,
    reserved: int,
    assumed: int,
    overrun: int,
    version: int,
    limit: int | None,
) -> PostingShape:
    return {
        "balance": head_id,
        "version": version,
        "window_start": to_rfc3339(cell_us),
        "spent": spent,
        "reserved": reserved,
        "assumed": assumed,
        "overrun": overrun,
        "limit": limit,
    }


_FIGURES: Final = ("limit", "spent", "reserved", "assumed", "requested", "shortfall")


def _detail(detail: dict[str, Any]) -> dict[str, Any]:
    """What an entry tells beside its legs; the figures of a refusal as amounts of their unit."""
    unit = detail.get("unit")
    if unit != "usd":
        return detail
    return {
        name: format_usd(value) if name in _FIGURES and type(value) is int else value
        for name, value in detail.items()
    }


# --- Verifying -----------------------------------------------------------------------------------


def verification(answer: Any) -> VerificationShape:
    """What a verification of the books found (an `engine.verify.Verification`)."""
    return {
        "clean": not answer.count,
        "count": answer.count,
        "entries": answer.entries,
        "usage_records": answer.usage_records,
        "allocations": answer.allocations,
        "balances": answer.balances,
        "violations": [
            {"invariant": invariant, "subject": subject, "detail": detail}
            for invariant, subject, detail in answer.violations
        ],
    }


# --- Lists ---------------------------------------------------------------------------------------


def page(items: Sequence[T], next_cursor: str | None, shape: Callable[[T], Any]) -> PageShape:
    """One page of a list, each item in its shape."""
    return {"items": [shape(item) for item in items], "next_cursor": next_cursor}
