"""Calls that spend: allocations, checks, usage that is booked, and what is read of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from budget.client.reading import bulk, costs
from budget.client.reading import spending as read
from budget.client.reading.parts import page
from budget.client.reading.usage import usage_summary
from budget.client.request import DatabaseOnly, Request, act, at, get
from budget.client.request import ask as asking
from budget.domain.answers import (
    Allocation,
    Bulk,
    Calculation,
    Check,
    Correction,
    Receipt,
    Refusal,
    UsageRecord,
)
from budget.domain.answers_pages import Page
from budget.domain.answers_usage import UsageSummary
from budget.domain.asks import (
    AllocationAsk,
    BulkRecordAsk,
    CostAsk,
    ExtendAsk,
    ReportAsk,
    ToldUsageAsk,
    UsageAsk,
)
from budget.domain.asks_reading import AllocationsAsk, SummaryAsk, UsageRecordsAsk


class SpendingCalls:
    """The methods."""

    def allocate(self, **ask: Unpack[AllocationAsk]) -> Request[Allocation | Refusal]:
        return act("/allocations", read.allocation, ask, refusable=True)

    def check(self, **ask: Unpack[AllocationAsk]) -> Request[Check | Refusal]:
        return asking("/check", read.check, ask)

    def record(
        self, allocation_id: str, *, final: bool = False, **ask: Unpack[UsageAsk]
    ) -> Request[Receipt]:
        return self._recording(allocation_id, {**ask, "final": final})

    def settle(self, allocation_id: str, **ask: Unpack[UsageAsk]) -> Request[Receipt]:
        return self._recording(allocation_id, ask)

    def _recording(self, allocation_id: str, asked: Mapping[str, Any]) -> Request[Receipt]:
        return act(at("/allocations/{}/usage", allocation_id), read.receipt, asked)

    def release(
        self, allocation_id: str, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> Request[Allocation]:
        asked = {"reason": reason, "idempotency_key": idempotency_key}
        return act(at("/allocations/{}/release", allocation_id), read.allocation, asked)

    def extend(self, allocation_id: str, **ask: Unpack[ExtendAsk]) -> Request[Allocation | Refusal]:
        path = at("/allocations/{}/extend", allocation_id)
        return act(path, read.allocation, ask, refusable=True)

    def record_usage(self, **ask: Unpack[ReportAsk]) -> Request[Receipt]:
        return act("/usage", read.receipt, ask)

    def record_in_context(self, **ask: Unpack[ToldUsageAsk]) -> Request[Receipt]:
        return act("/usage/record", read.receipt, ask)

    def record_bulk(
        self, *, records: Sequence[BulkRecordAsk], idempotency_key: str | None = None
    ) -> Request[Bulk]:
        asked = {"records": records, "idempotency_key": idempotency_key}
        return act("/usage/batch", bulk.bulk, asked)

    def correct(
        self,
        usage_id: str,
        *,
        reason: str,
        replacement: Mapping[str, int | str | Mapping[str, int]] | None = None,
        idempotency_key: str | None = None,
    ) -> Request[Correction]:
        asked = {"reason": reason, "replacement": replacement, "idempotency_key": idempotency_key}
        return act(at("/usage/{}/correct", usage_id), read.correction, asked)

    def sweep(self) -> Request[int]:
        """A service does so by itself."""
        raise DatabaseOnly("sweep", "a service expires holds by itself.")

    def calculate(self, **ask: Unpack[CostAsk]) -> Request[Calculation]:
        return asking("/prices/calculate", costs.calculation, ask)

    def allocation(self, allocation_id: str) -> Request[Allocation]:
        return get(at("/allocations/{}", allocation_id), read.allocation)

    def allocation_of_context(self, context_id: str) -> Request[Allocation]:
        return get(at("/allocations/context/{}", context_id), read.allocation)

    def allocations(self, **ask: Unpack[AllocationsAsk]) -> Request[Page[Allocation]]:
        return get("/allocations", page(read.allocation), ask)

    def budget_allocations(
        self, budget_id: str, **ask: Unpack[AllocationsAsk]
    ) -> Request[Page[Allocation]]:
        return get(at("/budgets/{}/allocations", budget_id), page(read.allocation), ask)

    def usage_record(self, usage_id: str) -> Request[UsageRecord]:
        return get(at("/usage/records/{}", usage_id), read.usage_record)

    def usage_records(self, **ask: Unpack[UsageRecordsAsk]) -> Request[Page[UsageRecord]]:
        return get("/usage/records", page(read.usage_record), ask)

    def usage_summary(self, **ask: Unpack[SummaryAsk]) -> Request[UsageSummary]:
        return asking("/usage/summary", usage_summary, ask)
