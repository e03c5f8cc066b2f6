"""Routes of spending: allocations, checks, estimates, and usage that is booked.

Calls wait for the first. Not here: usage that is read (`usage`).
"""

from collections.abc import Mapping
from typing import Final, TypedDict

from budget.domain import shapes, shapes_estimates, wire
from budget.domain.asks import (
    AllocationAsk,
    EstimateAsk,
    ExtendAsk,
    ReportAsk,
    ToldUsageAsk,
    UsageAsk,
)
from budget.engine.jobs import Jobs
from budget.engine.reports.allocations import STATUSES
from budget.http import handlers
from budget.http.calls import act, act_of_key
from budget.http.queries import SPAN, Filtered, flag, sorts, text, word
from budget.http.route import PAGED, V1, Route


class RecordAsk(UsageAsk, total=False):
    """Usage on an allocation; `final` unless it says otherwise."""

    final: bool


class ReleaseAsk(TypedDict, total=False):
    """Why a hold is returned."""

    reason: str
    idempotency_key: str


class CorrectAsk(TypedDict, total=False):
    """Why a record was wrong, and the counts (of an unpriced model: the cost) that were right."""

    reason: str
    replacement: Mapping[str, int | str | Mapping[str, int]]
    idempotency_key: str


allocate = act_of_key(Jobs.allocate, wire.allocation)
report = act_of_key(Jobs.record_usage, wire.receipt)
report_in_context = act_of_key(Jobs.record_in_context, wire.receipt)
allocation_page = handlers.page_of(wire.allocation)

SPENDING: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/allocations", "spend", allocate,
          AllocationAsk, shapes.AllocationShape, 201),
    Route("GET", f"{V1}/allocations", "read", act(Jobs.allocations, allocation_page),
          answer=shapes.PageShape,
          query=Filtered({
              **PAGED, **SPAN, "status": word(*STATUSES), "is_active": flag, "parent_id": text,
              "actor": text, "sort": sorts("placed_at", "expires_at"),
          })),
    Route("POST", f"{V1}/allocations/{{allocation_id}}/usage", "spend",
          act(Jobs.settle, wire.receipt), RecordAsk, shapes.ReceiptShape, 201),
    Route("POST", f"{V1}/allocations/{{allocation_id}}/release", "spend",
          act(Jobs.release, wire.allocation), ReleaseAsk, shapes.AllocationShape),
    Route("POST", f"{V1}/allocations/{{allocation_id}}/extend", "spend",
          act(Jobs.extend, wire.allocation), ExtendAsk, shapes.AllocationShape),
    Route("GET", f"{V1}/allocations/context/{{context:path}}", "read",
          act(Jobs.allocation_of_context, wire.allocation_in_full),
          answer=shapes.AllocationInFullShape),
    Route("GET", f"{V1}/allocations/{{allocation_id}}", "read",
          act(Jobs.allocation, wire.allocation_in_full), answer=shapes.AllocationInFullShape),
    Route("POST", f"{V1}/check", "spend", handlers.check, AllocationAsk, shapes.CheckShape),
    Route("POST", f"{V1}/usage", "spend", report, ReportAsk, shapes.ReceiptShape, 201),
    Route("POST", f"{V1}/usage/record", "spend", report_in_context,
          ToldUsageAsk, shapes.ReceiptShape, 201),
    Route("POST", f"{V1}/usage/{{usage_id}}/correct", "manage",
          handlers.correct, CorrectAsk, shapes.CorrectionShape, 201),
    Route("POST", f"{V1}/estimate", "spend", act(Jobs.estimate, wire.estimate),
          EstimateAsk, shapes_estimates.EstimateShape),
    Route("GET", f"{V1}/estimate/factors", "read", act(Jobs.factors, wire.factors),
          answer=shapes_estimates.FactorsShape),
    Route("POST", "/api/check", "spend", handlers.check, AllocationAsk, shapes.CheckShape),
    Route("POST", "/api/record", "spend", report_in_context,
          ToldUsageAsk, shapes.ReceiptShape, 201),
)  # fmt: skip
