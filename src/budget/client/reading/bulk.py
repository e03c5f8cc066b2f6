"""Many usage records at once, read: what was booked, or the error that tells why not."""

from collections.abc import Mapping
from typing import Any

from budget.client.problems import error_of
from budget.client.reading.parts import nanos_or_none
from budget.domain.answers import Bulk, Receipt
from budget.domain.errors import BudgetError


def bulk(shape: Mapping[str, Any]) -> Bulk:
    """What became of each record, in their order."""
    return Bulk(tuple(_result(one) for one in shape["results"]))


def _result(shape: Mapping[str, Any]) -> Receipt | BudgetError:
    problem = shape["problem"]
    if problem is not None:
        return error_of(shape["status"], problem)
    return Receipt(
        shape["usage_id"], nanos_or_none(shape["cost"]), None, tuple(shape["flags"]), (),
        shape["allocation_id"], replayed=shape["replayed"],
    )  # fmt: skip
