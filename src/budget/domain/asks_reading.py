"""What a caller may write to read lists and sums, as types."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class PageAsk(TypedDict, total=False):
    """Which part of a list, in which order: `sort` names what by, with `-` from the greatest."""

    sort: str | None
    limit: int
    cursor: str | None


class BudgetsAsk(PageAsk, total=False):
    """Which budgets. `name` is what the name contains; `is_active` False: archived ones alone."""

    archived: bool
    is_active: bool | None
    owner: str | None
    name: str | None


class BudgetPoliciesAsk(PageAsk, total=False):
    """Which policies of a budget. `enabled` False: archived ones alone."""

    unit: str | None
    period: str | None
    enforcement: str | None
    archived: bool
    enabled: bool | None


class PoliciesAsk(BudgetPoliciesAsk, total=False):
    """Which policies."""

    budget_id: str | None


class CallsAsk(PageAsk, total=False):
    """Which calls: those with all of these attributes (`"value"`, `"begin*"`), by whose key
    (`actor`), in [since, until).
    """

    attributes: Mapping[str, Any] | None
    actor: str | None
    since: str | None
    until: str | None


class AllocationsAsk(CallsAsk, total=False):
    """Which allocations. `is_active`: whether they are open."""

    status: str | None
    is_active: bool | None
    parent_id: str | None
    session: str | None


class UsageRecordsAsk(CallsAsk, total=False):
    """Which usage records; `flag` is one that they carry."""

    allocation_id: str | None
    flag: str | None
    session: str | None
    task: str | None


class SummaryAsk(TypedDict, total=False):
    """Of which time (`period`: that of now; else [since, until)), of which calls, and by what.

    `bucket` is hour, day, week or month, in the `timezone`.
    """

    period: str
    since: str
    until: str
    start_time: str
    end_time: str
    timezone: str
    group_by: str | Sequence[str]
    bucket: str
    budget_id: str
    scope: Mapping[str, Any]
    provider: str
    model: str
    component: str
    task_type: str
    tier: str
    context_id: str
    user_id: str


class StandingsAsk(TypedDict, total=False):
    """Which policies: those of a period, and which part of the list."""

    period: str | None
    limit: int
    cursor: str | None


class FollowAsk(TypedDict, total=False):
    """Which events to follow; of what is left out, any. `after` is a cursor: those from now on."""

    topics: Sequence[str] | None
    kinds: Sequence[str] | None
    budget_id: str | None
    attributes: Mapping[str, str] | None
    after: str | int | None


class ContextsAsk(TypedDict, total=False):
    """Which contexts: those with calls or holds of these attributes since a time."""

    component: str | None
    tier: str | None
    task_type: str | None
    since: str | None
    limit: int
    cursor: str | None


class EfficiencyAsk(TypedDict, total=False):
    """Which holds, in [since, until) by when they were placed, and by which attributes."""

    group_by: str | Sequence[str] | None
    component: str | None
    tier: str | None
    task_type: str | None
    context_id: str | None
    since: str | None
    until: str | None
