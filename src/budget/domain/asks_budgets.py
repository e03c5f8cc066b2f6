"""What a caller may write of budgets, policies, requests for more and settings, as types."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

from budget.domain.asks import Written


class PolicyAsk(TypedDict, total=False):
    """What a policy is made of; `limit` is in USD for the unit `usd`, else a count.

    `backfill`: count in what was spent and is held already, for a new policy or a successor.
    """

    unit: str
    period: str
    limit: str | int | Decimal
    enforcement: str
    warning_threshold: str | Decimal
    action_threshold: str | Decimal
    timezone: str
    reset_day: int | str
    on_expiry: str
    rollover: str
    reserved_for_priority: Mapping[str, str]
    backfill: bool
    idempotency_key: str


class BudgetAsk(TypedDict, total=False):
    """What a budget is made of; when it is changed, `policies` have acts of their own."""

    name: str
    description: str
    owner: str
    scope: Mapping[str, str | Sequence[str]]
    per: Sequence[str]
    unpriced: str | Mapping[str, str | int | Decimal]
    degrade: Sequence[str]
    policies: Sequence[PolicyAsk]
    metadata: Mapping[str, Any]
    backfill: bool
    idempotency_key: str


class LimitAsk(TypedDict, total=False):
    """What `set_limit` takes: a limit of a period, and whose calls count: those of a scope.

    Without `budget_id` the budget is the one of that name and scope. A new limit warns unless
    `enforcement` says otherwise.
    """

    period: str
    limit: Written
    unit: str
    enforcement: str
    policy_type: str
    warning_threshold: Written
    action_threshold: Written
    timezone: str
    budget_id: str
    policy_id: str
    name: str
    scope: Mapping[str, Any]
    provider: str
    tier: str
    component: str
    idempotency_key: str


class RequestAsk(TypedDict, total=False):
    """What `make_request` takes: how much more of which limit, why, for whom and until when.

    `expires_in_seconds`: how long it waits for a decision.
    """

    policy_id: str
    amount: Written
    reason: str
    until: str
    partition: Mapping[str, str | None]
    expires_in_seconds: int
    idempotency_key: str


class ApproveAsk(TypedDict, total=False):
    """What `approve_request` takes; all may be left out: then what was asked for is granted."""

    amount: Written
    until: str
    note: str
    idempotency_key: str


class RejectAsk(TypedDict, total=False):
    """What `reject_request` takes."""

    reason: str
    idempotency_key: str


class WithdrawAsk(TypedDict, total=False):
    """What `withdraw_request` takes."""

    idempotency_key: str


class SettingsAsk(TypedDict, total=False):
    """What `change_settings` takes: the settings to change; null sets one back to its default."""

    adaptive_sizes: bool | None
    how_to_raise: str | None
    refusal_status: str | None
    request_expires_seconds: int | None
    idempotency_key: str
