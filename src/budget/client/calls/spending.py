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
    UsageAsk,
)
from budget.domain.asks_reading import AllocationsAsk, SummaryAsk, UsageRecordsAsk


class SpendingCalls:
    """The methods."""

    def allocate(self, **ask: Unpack[AllocationAsk]) -> Request[Allocation | Refusal]:
        """Hold money and tokens for a call or an envelope of calls, or say why not.

        With its `request` a call is held by an estimate of that; nothing of its text is kept.
        """
        return act("/allocations", read.allocation, ask, refusable=True)

    def check(self, **ask: Unpack[AllocationAsk]) -> Request[Check | Refusal]:
        """Say what `allocate` would answer, and hold nothing."""
        return asking("/check", read.check, ask)

    def record(
        self, allocation_id: str, *, final: bool = False, **ask: Unpack[UsageAsk]
    ) -> Request[Receipt]:
        """Book what a call has used so far; only the final record returns the rest of the hold."""
        return self._recording(allocation_id, {**ask, "final": final})

    def settle(self, allocation_id: str, **ask: Unpack[UsageAsk]) -> Request[Receipt]:
        """Book what a call really used, as the final record: the rest of the hold returns."""
        return self._recording(allocation_id, ask)

    def _recording(self, allocation_id: str, asked: Mapping[str, Any]) -> Request[Receipt]:
        return act(at("/allocations/{}/usage", allocation_id), read.receipt, asked)

    def release(
        self, allocation_id: str, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> Request[Allocation]:
        """Return the rest of a hold: the call will not be made, or the agent run is over."""
        asked = {"reason": reason, "idempotency_key": idempotency_key}
        return act(at("/allocations/{}/release", allocation_id), read.allocation, asked)

    def extend(self, allocation_id: str, **ask: Unpack[ExtendAsk]) -> Request[Allocation | Refusal]:
        """Give an open allocation more time, money or output tokens, or say why not."""
        path = at("/allocations/{}/extend", allocation_id)
        return act(path, read.allocation, ask, refusable=True)

    def record_usage(self, **ask: Unpack[ReportAsk]) -> Request[Receipt]:
        """Book usage that nobody reserved. It is a fact: never refused, always flagged."""
        return act("/usage", read.receipt, ask)

    def record_bulk(
        self, *, records: Sequence[BulkRecordAsk], idempotency_key: str | None = None
    ) -> Request[Bulk]:
        """Book up to 1,000 usage records, each by itself: one that fails keeps no other from being
        booked. One with an `allocation_id` is usage of that, final only if it says so.
        """
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
        """Reverse a usage record, and book a replacement that differs in the counts given.

        Of a model without a price it may also differ in its `cost`.
        """
        asked = {"reason": reason, "replacement": replacement, "idempotency_key": idempotency_key}
        return act(at("/usage/{}/correct", usage_id), read.correction, asked)

    def sweep(self) -> Request[int]:
        """Expire the holds that are due, now; how many. A service does so itself."""
        raise DatabaseOnly("sweep", "a service expires holds by itself.")

    def calculate(self, **ask: Unpack[CostAsk]) -> Request[Calculation]:
        """Say what usage of a model costs, line by line. Nothing is booked."""
        return asking("/prices/calculate", costs.calculation, ask)

    def allocation(self, allocation_id: str) -> Request[Allocation]:
        """One allocation with its usage records and, for an envelope, its children."""
        return get(at("/allocations/{}", allocation_id), read.allocation)

    def allocation_of_context(self, context_id: str) -> Request[Allocation]:
        """The newest open allocation of a session, with its usage records and children."""
        return get(at("/allocations/context/{}", context_id), read.allocation)

    def allocations(self, **ask: Unpack[AllocationsAsk]) -> Request[Page[Allocation]]:
        """Allocations, newest first."""
        return get("/allocations", page(read.allocation), ask)

    def budget_allocations(
        self, budget_id: str, **ask: Unpack[AllocationsAsk]
    ) -> Request[Page[Allocation]]:
        """The allocations that hold on a balance of a budget, newest first."""
        return get(at("/budgets/{}/allocations", budget_id), page(read.allocation), ask)

    def usage_record(self, usage_id: str) -> Request[UsageRecord]:
        """One usage record."""
        return get(at("/usage/records/{}", usage_id), read.usage_record)

    def usage_records(self, **ask: Unpack[UsageRecordsAsk]) -> Request[Page[UsageRecord]]:
        """Usage records by the time they occurred, newest first."""
        return get("/usage/records", page(read.usage_record), ask)

    def usage_summary(self, **ask: Unpack[SummaryAsk]) -> Request[UsageSummary]:
        """Say what usage adds up to: of a time, by attributes and by parts of the time.

        The last 30 days unless asked otherwise.
        """
        return asking("/usage/summary", usage_summary, ask)
