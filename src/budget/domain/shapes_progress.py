"""Shapes of the progress of projects in JSON."""

from typing import TypedDict

from budget.domain.shapes import Amount, BalanceShape


class SpentShape(TypedDict):
    """What calls used in all."""

    cost: str
    tokens: int
    requests: int


class LimitProgressShape(BalanceShape):
    """A limit as it stands, and by a straight line: what will be spent of it when its window ends,
    and when it will be used up.
    """

    forecast: Amount | None
    exhausted_at: str | None


class RequirementProgressShape(TypedDict):
    """A requirement: its cost, the limits of its own, and what Telos last said of it."""

    requirement: str
    title: str | None
    status: str | None
    spent: SpentShape
    limits: list[LimitProgressShape]


class ProjectProgressShape(TypedDict):
    """A project: its cost, its limits and its requirements; `unassigned` is of none of these."""

    project: str
    at: str
    title: str | None
    spent: SpentShape
    limits: list[LimitProgressShape]
    requirements: list[RequirementProgressShape]
    unassigned: SpentShape
