"""Acts that spend: allocations, checks, usage that is booked, and what is read of them.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Unpack

from budget.domain.acts.act import Act
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


class SpendingActs(Protocol):
    """The methods."""

    def allocate(self, **ask: Unpack[AllocationAsk]) -> Act[Allocation | Refusal]:
        """Hold money and tokens for a call or an envelope of calls, or say why not.

        With its `request` a call is held by an estimate of that; nothing of its text is kept.
        """

    def check(self, **ask: Unpack[AllocationAsk]) -> Act[Check | Refusal]:
        """Say what `allocate` would answer, and hold nothing."""

    def record(
        self, allocation_id: str, *, final: bool = False, **ask: Unpack[UsageAsk]
    ) -> Act[Receipt]:
        """Book what a call has used so far; only the final record returns the rest of the hold."""

    def settle(self, allocation_id: str, **ask: Unpack[UsageAsk]) -> Act[Receipt]:
        """Book what a call really used, as the final record: the rest of the hold returns."""

    def release(
        self, allocation_id: str, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> Act[Allocation]:
        """Return the rest of a hold: the call will not be made, or the agent run is over."""

    def extend(self, allocation_id: str, **ask: Unpack[ExtendAsk]) -> Act[Allocation | Refusal]:
        """Give an open allocation more time, money or output tokens, or say why not."""

    def record_usage(self, **ask: Unpack[ReportAsk]) -> Act[Receipt]:
        """Book usage that nobody reserved. It is a fact: never refused, always flagged."""

    def record_in_context(self, **ask: Unpack[ToldUsageAsk]) -> Act[Receipt]:
        """Book usage on its allocation, else on the open one of its context, else as usage that
        nobody reserved. What it is booked on stays open.
        """

    def record_bulk(
        self, *, records: Sequence[BulkRecordAsk], idempotency_key: str | None = None
    ) -> Act[Bulk]:
        """Book up to 1,000 usage records, each by itself: one that fails keeps no other from being
        booked. One with an `allocation_id` is usage of that, final only if it says so.
        """

    def correct(
        self,
        usage_id: str,
        *,
        reason: str,
        replacement: Mapping[str, int | str | Mapping[str, int]] | None = None,
        idempotency_key: str | None = None,
    ) -> Act[Correction]:
        """Reverse a usage record, and book a replacement that differs in the counts given.

        Of a model without a price it may also differ in its `cost`.
        """

    def sweep(self) -> Act[int]:
        """Expire the holds that are due, now; how many."""

    def calculate(self, **ask: Unpack[CostAsk]) -> Act[Calculation]:
        """Say what usage of a model costs, line by line. Nothing is booked."""

    def allocation(self, allocation_id: str) -> Act[Allocation]:
        """One allocation with its usage records and, for an envelope, its children."""

    def allocation_of_context(self, context_id: str) -> Act[Allocation]:
        """The newest open allocation of a session, with its usage records and children."""

    def allocations(self, **ask: Unpack[AllocationsAsk]) -> Act[Page[Allocation]]:
        """Allocations, newest first."""

    def budget_allocations(
        self, budget_id: str, **ask: Unpack[AllocationsAsk]
    ) -> Act[Page[Allocation]]:
        """The allocations that hold on a balance of a budget, newest first."""

    def usage_record(self, usage_id: str) -> Act[UsageRecord]:
        """One usage record."""

    def usage_records(self, **ask: Unpack[UsageRecordsAsk]) -> Act[Page[UsageRecord]]:
        """Usage records by the time they occurred, newest first."""

    def usage_summary(self, **ask: Unpack[SummaryAsk]) -> Act[UsageSummary]:
        """Say what usage adds up to: of a time, by attributes and by parts of the time.

        The last 30 days unless asked otherwise.
        """
