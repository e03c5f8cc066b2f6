"""Routes of usage that is read: records, and what they add up to.

Not here: how usage is booked (`spending`, `bulk`).
"""

from collections.abc import Mapping
from typing import Final

from budget.domain import shapes, wire
from budget.domain.asks_reading import SummaryAsk
from budget.domain.shapes_usage import UsageSummaryShape
from budget.domain.wire.usage import standing, usage_summary
from budget.engine.jobs import Jobs
from budget.engine.reports.usage import FLAGS
from budget.engine.summaries import BUCKETS, PERIODS
from budget.http import handlers
from budget.http.calls import act
from budget.http.queries import SPAN, Filtered, Parameter, sorts, text, word
from budget.http.route import PAGED, V1, Route

usage_page = handlers.page_of(wire.usage_record)
list_usage = act(Jobs.usage_records, usage_page)
one_record = act(Jobs.usage_record, wire.usage_record)

RECORDS: Final = Filtered({
    **PAGED, **SPAN, "allocation_id": text, "actor": text, "flag": word(*FLAGS),
    "sort": sorts("occurred_at", "cost", "tokens"),
})  # fmt: skip
_PARTS: Final[Mapping[str, Parameter]] = {
    "timezone": text, "group_by": text, "bucket": word(*BUCKETS), "budget_id": text,
}  # fmt: skip
SUMMARY: Final = Filtered({
    **SPAN, "start_time": text, "end_time": text, "period": word(*PERIODS), **_PARTS,
})  # fmt: skip

USAGE: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/usage", "read", list_usage, answer=shapes.PageShape, query=RECORDS),
    Route("GET", f"{V1}/usage/records", "read", list_usage,
          answer=shapes.PageShape, query=RECORDS),
    Route("GET", f"{V1}/usage/records/{{usage_id}}", "read", one_record,
          answer=shapes.UsageRecordShape),
    Route("POST", f"{V1}/usage/summary", "read", act(Jobs.usage_summary, usage_summary),
          SummaryAsk, UsageSummaryShape),
    Route("GET", f"{V1}/usage/summary", "read", handlers.usage_summary,
          answer=UsageSummaryShape, query=SUMMARY),
    Route("GET", f"{V1}/usage/periods/{{period}}", "read", handlers.usage_of_period,
          answer=UsageSummaryShape, query=Filtered(_PARTS)),
    Route("GET", f"{V1}/usage/{{usage_id}}", "read", one_record, answer=shapes.UsageRecordShape),
    Route("GET", "/api/usage/{period}", "read", handlers.usage_of_period,
          answer=UsageSummaryShape, query=Filtered(_PARTS)),
    Route("GET", "/api/reports/summary", "read",
          act(Jobs.standings, handlers.page_of(standing)),
          answer=shapes.PageShape, query={**PAGED, "period": text}),
)  # fmt: skip
