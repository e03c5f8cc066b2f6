"""Shapes: how answers look in JSON, as types. `wire` makes them; routes and clients name them.

Money is a decimal string in USD, counts are ints, instants are RFC 3339 in UTC; what never ends is
null. An `Amount` is money where the policy's unit is `usd`, else a count.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

Amount = str | int


class HeldShape(TypedDict):
    """What an allocation holds as a whole; null in a unit that was not stated."""

    usd: str | None
    tokens: int | None
    requests: int | None


class WindowShape(TypedDict):
    """The half-open interval [start, end)."""

    start: str
    end: str | None


class LegShape(TypedDict):
    """One balance that an allocation holds on, as it stands."""

    budget_id: str
    budget: str
    policy_id: str
    partition: dict[str, str | None]
    unit: str
    period: str
    enforcement: str
    warning_threshold: str
    action_threshold: str
    window: WindowShape
    limit: Amount
    spent: Amount
    reserved: Amount
    assumed: Amount
    overrun: Amount
    remaining: Amount


class BalanceShape(LegShape):
    """One balance in full.

    `used_fraction` is (spent + assumed) / limit, cut to four decimals; null for a limit of 0.
    `resets_at` of a rolling policy is when all that counts now has left.
    """

    used_fraction: str | None
    resets_at: str | None


class WarningShape(TypedDict):
    """A threshold that a leg's spent + assumed has passed.

    `code` is warning, action or limit; recommend_cheaper where a soft limit asks for that.
    """

    code: str
    budget: str
    policy_id: str
    detail: str


class UsageRecordShape(TypedDict):
    """A usage record as it lies in the books."""

    usage_id: str
    allocation_id: str | None
    actor: str
    recorded_at: str
    occurred_at: str
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    units: dict[str, int]
    price_context: str | None
    requests: int
    cost: str | None
    reported_cost: str | None
    basis: str | None
    flags: list[str]
    final: bool
    reverses: str | None
    replaces: str | None
    reason: str | None
    metadata: Any


class AllocationShape(TypedDict):
    """A hold: `reserved` and the grant as agreed, `remaining` and the rest as of now."""

    allocation_id: str
    status: str
    reserved: HeldShape
    remaining: HeldShape
    granted_output_tokens: int | None
    placed_at: str
    expires_at: str
    basis: str | None
    legs: list[LegShape]
    warnings: list[WarningShape]
    attributes: Mapping[str, str]
    provider: str | None
    model: str | None
    priority: int
    envelope: bool
    parent_id: str | None
    metadata: Any
    replayed: bool


class AllocationInFullShape(AllocationShape):
    """A hold with its usage records and, for an envelope, its children."""

    records: list[UsageRecordShape]
    children: list[AllocationShape]


class CheckShape(TypedDict):
    """What would be held. A check that refuses is `allowed: false` with the refusal's fields."""

    allowed: bool
    reserved: HeldShape
    granted_output_tokens: int | None
    basis: str | None
    legs: list[LegShape]
    warnings: list[WarningShape]


class CostLineShape(TypedDict):
    """One kind of what was used. `rate` and `amount` are in USD, to the pico-USD.

    `tier_from_tokens`: the rate is of the tier from so many input tokens on; null without tiers.
    """

    unit: str
    quantity: int
    rate: str
    amount: str
    tier_from_tokens: int | None


class CalculationShape(TypedDict):
    """What usage costs: `total_cost` as it would be booked, rounded up to a nano-USD.

    `price_context` is that of the price, such as `processing=batch`; null: the usual one.
    `unpriced` lists units that were used and have no known price. `resolved` says step by step how
    the model was found by its name; empty: the name is listed as it stands.
    """

    provider: str
    model: str
    resolved: list[str]
    basis: str
    price_context: str | None
    at: str
    input_cost: str
    output_cost: str
    total_cost: str
    lines: list[CostLineShape]
    unpriced: list[str]


class RefusalLineShape(TypedDict):
    """One limit that refuses. `policy` says in words what `policy_id` names; `soon`: waiting helps,
    its limit is of a minute or rolls over an hour or less.
    """

    budget: str | None
    budget_id: str | None
    policy: str | None
    policy_id: str | None
    partition: dict[str, str | None] | None
    unit: str | None
    period: str | None
    enforcement: str | None
    warning_threshold: str | None
    action_threshold: str | None
    window: WindowShape | None
    limit: Amount | None
    spent: Amount | None
    reserved: Amount | None
    assumed: Amount | None
    overrun: Amount | None
    remaining: Amount | None
    requested: Amount | None
    shortfall: Amount | None
    resets_at: str | None
    retry_after_seconds: int | None
    soon: bool


class RefusalShape(RefusalLineShape):
    """Why a call may not go: the line that resets last (or never), and all in `refused_by`."""

    code: str
    detail: str
    at: str
    provider: str | None
    model: str | None
    parent_id: str | None
    cheaper: list[str]
    advice: str
    how_to_raise: str
    refused_by: list[RefusalLineShape]


class AllocationStateShape(TypedDict):
    """What a record left of its allocation."""

    allocation_id: str
    status: str | None
    expires_at: str | None
    remaining: HeldShape | None


class ReceiptShape(TypedDict):
    """What booking a usage record did; `allocation` is null for usage that nobody reserved."""

    usage_id: str
    cost: str | None
    basis: str | None
    flags: list[str]
    replayed: bool
    allocation: AllocationStateShape | None
    balances: list[BalanceShape]


class CorrectionShape(TypedDict):
    """A reversal, and its replacement if there is one; `cost` is the replacement's."""

    reversal_id: str
    replacement_id: str | None
    cost: str | None
    replayed: bool
    balances: list[BalanceShape]


class TopUpShape(TypedDict):
    """A recorded raise of a limit; `partition` is null when it counts for all."""

    top_up_id: str
    policy_id: str
    partition: dict[str, str | None] | None
    amount: Amount
    at: str
    until: str | None
    actor: str
    reason: str


class PolicyShape(TypedDict):
    """One limit of a budget, in the words it was written in; `succeeds`: the one it replaced."""

    policy_id: str
    budget_id: str
    unit: str
    period: str
    limit: Amount
    enforcement: str
    warning_threshold: str
    action_threshold: str
    timezone: str
    reset_day: int | str | None
    on_expiry: str
    rollover: str
    reserved_for_priority: dict[str, str]
    partition_by: list[str]
    top_ups: list[TopUpShape]
    succeeds: str | None
    created_at: str
    archived_at: str | None


class BudgetShape(TypedDict):
    """A budget with its policies, archived ones included."""

    budget_id: str
    name: str
    description: str
    owner: str
    scope: dict[str, str | list[str]]
    per: list[str]
    unpriced: str | dict[str, str] | None
    degrade: list[str]
    policies: list[PolicyShape]
    metadata: Mapping[str, Any]
    created_at: str
    updated_at: str
    archived_at: str | None


class MadeTopUpShape(TopUpShape):
    """What a top-up answers; `replayed`: as before, for the same idempotency key. So below."""

    replayed: bool


class ChangedPolicyShape(PolicyShape):
    """What a change of a policy answers."""

    replayed: bool


class ChangedBudgetShape(BudgetShape):
    """What a change of a budget answers; `notes`: what to look at again, in sentences."""

    replayed: bool
    notes: list[str]


class PostingShape(TypedDict):
    """What an entry added to one window of one balance, in the smallest part of its unit.

    That is nano-USD (1e-9 USD) for `usd`, else one. `limit` is the hard limit of an admission.
    """

    balance: int
    version: int
    window_start: str
    spent: int
    reserved: int
    assumed: int
    overrun: int
    limit: int | None


class EventShape(TypedDict):
    """An entry of the journal; `cursor` is where to go on from."""

    cursor: str
    at: str
    kind: str
    actor: str
    allocation_id: str | None
    usage_id: str | None
    budget_id: str | None
    policy_id: str | None
    legs: list[PostingShape]
    detail: dict[str, Any]


class ViolationShape(TypedDict):
    """One thing in the books that is not as it must be."""

    invariant: str
    subject: str
    detail: str


class SealedShape(TypedDict):
    """How much of the journal is sealed; `head` names the last block, to be noted elsewhere."""

    blocks: int
    entries: int
    head: str | None


class VerificationShape(TypedDict):
    """What was checked and what is wrong; `count` is all violations, of which some are told."""

    clean: bool
    count: int
    entries: int
    usage_records: int
    allocations: int
    balances: int
    sealed: SealedShape
    violations: list[ViolationShape]


class PageShape(TypedDict):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Any]
    next_cursor: str | None
