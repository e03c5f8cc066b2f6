"""Shapes of usage as a whole: what it adds up to, and how policies stand."""

from typing import TypedDict

from budget.domain.shapes import Amount, BalanceShape, WindowShape


class FiguresShape(TypedDict):
    """What usage records add up to; `count` is how many there are that were not reversed.

    `cache_write_tokens` are all that were written to caches; `unpriced` records have no cost.
    """

    count: int
    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: str
    unpriced: int


class GroupShape(FiguresShape):
    """Usage of calls with the same attributes; `buckets` are in the order of those of the whole."""

    group: dict[str, str | None]
    buckets: list[FiguresShape]


class BucketShape(FiguresShape):
    """Usage of a part of the time; `other` is what of it is in no group that is shown."""

    start: str
    end: str | None
    other: FiguresShape | None


class UsageSummaryShape(TypedDict):
    """What usage of a time adds up to.

    With `group_by`, `groups` is a list of the dearest and `other` the rest; without, `groups` has
    `provider`, `model`, `component` and `task_type`, and in each the figures by value ("" where
    one is missing). The figures that begin with `total_`, and `count`, are those of `total`.
    """

    period: str | None
    since: str
    until: str | None
    timezone: str
    group_by: list[str]
    bucket: str | None
    total: FiguresShape
    total_input_tokens: int
    total_output_tokens: int
    total_tokens: int
    total_cost: str
    count: int
    groups: list[GroupShape] | dict[str, dict[str, FiguresShape]]
    other: FiguresShape | None
    buckets: list[BucketShape]


class StatusShape(TypedDict):
    """How every balance stands that calls with the attributes meet."""

    at: str
    attributes: dict[str, str]
    balances: list[BalanceShape]


class StandingShape(TypedDict):
    """How a policy stands, all of its balances together.

    `limit` is that of each balance. `remaining` and `used_fraction` are null where a policy is
    split; `fullest` is the balance nearest to its limit. `total_tokens_used` and `total_cost` are
    what its budget's scope met in the window, whatever the unit.
    """

    budget_id: str
    budget: str
    policy_id: str
    unit: str
    period: str
    timezone: str
    enforcement: str
    warning_threshold: str
    action_threshold: str
    partition_by: list[str]
    window: WindowShape
    balances: int
    limit: Amount
    spent: Amount
    reserved: Amount
    assumed: Amount
    overrun: Amount
    remaining: Amount | None
    used_fraction: str | None
    fullest: BalanceShape | None
    active_allocations: int
    total_tokens_used: int
    total_cost: str
    requests: int
