"""Shapes of limits tried on the past, and of decisions explained."""

from typing import TypedDict

from budget.domain.shapes import Amount, HeldShape, LegShape, WindowShape


class CountedShape(TypedDict):
    """Calls and their cost; of them those that a hard limit would have refused, and those that
    would have gone beyond a limit that refuses nothing.
    """

    calls: int
    cost: str
    refused: int
    refused_cost: str
    over: int
    over_cost: str


class FullestShape(TypedDict):
    """When a limit was nearest to full."""

    at: str
    partition: dict[str, str | None]
    window: WindowShape
    limit: Amount
    used: Amount
    used_fraction: str | None


class TriedLimitShape(CountedShape):
    """A limit that was tried, and the calls that it met."""

    budget_id: str
    budget: str
    policy_id: str
    unit: str
    period: str
    enforcement: str
    warning_threshold: str
    action_threshold: str
    limit: Amount
    fullest: FullestShape | None


class TriedDayShape(CountedShape):
    """A UTC day."""

    day: str


class TriedGroupShape(CountedShape):
    """Calls with one value of an attribute."""

    attribute: str
    value: str


class TriedCallShape(TypedDict):
    """The first call that would have been refused, and how the limit stood."""

    at: str
    call_id: str
    attributes: dict[str, str]
    policy_id: str
    partition: dict[str, str | None]
    unit: str
    limit: Amount
    spent: Amount
    reserved: Amount
    assumed: Amount
    requested: Amount
    shortfall: Amount


class SimulationShape(TypedDict):
    """What limits would have done to the calls of a time."""

    since: str
    until: str
    total: CountedShape
    limits: list[TriedLimitShape]
    days: list[TriedDayShape]
    groups: list[TriedGroupShape]
    first_refusal: TriedCallShape | None


class MetLimitShape(LegShape):
    """A limit that a call met: its figures just before, and what was asked of it."""

    requested: Amount | None
    refused: bool
    shortfall: Amount
    usage_id: str | None


class StepShape(TypedDict):
    """What happened to a call later."""

    at: str
    kind: str
    actor: str
    usage_id: str | None
    cost: str | None
    flags: list[str]
    reason: str


class ExplanationShape(TypedDict):
    """Why a call was admitted or refused, or how usage was booked that nobody reserved."""

    verdict: str
    at: str
    actor: str
    code: str
    times: int
    attributes: dict[str, str]
    allocation_id: str | None
    usage_id: str | None
    basis: str | None
    held: HeldShape | None
    input_tokens: int | None
    granted_output_tokens: int | None
    limits: list[MetLimitShape]
    later: list[StepShape]
