"""The progress of projects read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.balances import balance
from budget.client.reading.parts import amount_or_none, nanos, us, us_or_none
from budget.domain.answers_progress import (
    LimitProgress,
    ProjectProgress,
    RequirementProgress,
    Spent,
)


def project_progress(shape: Mapping[str, Any]) -> ProjectProgress:
    """How a project stands."""
    return ProjectProgress(
        shape["project"], us(shape["at"]), shape["title"], _spent(shape["spent"]),
        tuple(_limit(one) for one in shape["limits"]),
        tuple(_requirement(one) for one in shape["requirements"]),
        _spent(shape["unassigned"]),
    )  # fmt: skip


def _requirement(shape: Mapping[str, Any]) -> RequirementProgress:
    return RequirementProgress(
        shape["requirement"], shape["title"], shape["status"], _spent(shape["spent"]),
        tuple(_limit(one) for one in shape["limits"]),
    )  # fmt: skip


def _spent(shape: Mapping[str, Any]) -> Spent:
    return Spent(nanos(shape["cost"]), shape["tokens"], shape["requests"])


def _limit(shape: Mapping[str, Any]) -> LimitProgress:
    return LimitProgress(
        balance(shape), amount_or_none(shape["forecast"]), us_or_none(shape["exhausted_at"])
    )
