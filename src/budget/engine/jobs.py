"""Jobs: every method of the facade, as something still to be done.

Each method checks its input and returns a `Job`; `Budget` runs it and waits, `AsyncBudget` awaits
it. So a method, its types and its docstring are written once. Not here: those about prices
(`price_book.jobs`), and how jobs run (`engine.budget`).
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar, Unpack

from budget.domain.answers import (
    Allocation,
    Bulk,
    Calculation,
    Check,
    Correction,
    Receipt,
    Refusal,
)
from budget.domain.answers_audit import ClockConfirmed, Verification
from budget.domain.answers_estimates import Estimate, FamilyFactor, Learning
from budget.domain.answers_rating import Coverage, Rerating, WhatIf
from budget.domain.asks import (
    AllocationAsk,
    BulkRecordAsk,
    CostAsk,
    EstimateAsk,
    ExtendAsk,
    ReportAsk,
    ToldUsageAsk,
    UsageAsk,
)
from budget.domain.asks_budgets import BudgetAsk, PolicyAsk
from budget.domain.asks_prices import RerateAsk, WhatIfAsk
from budget.domain.budgets import Budget, Policy, TopUp
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.rights import covers
from budget.domain.usage import ZERO
from budget.engine import (
    budgets,
    bulk,
    calibrating,
    confirming,
    costing,
    coverage,
    estimates,
    factors,
    in_context,
    intake,
    policies,
    reports,
    rerating,
    sealing,
    sizes,
    top_ups,
    verify,
    whatif,
)
from budget.engine.advice import advised, noted, worded
from budget.engine.alerts.jobs import AlertJobs
from budget.engine.audit_log import AuditJobs
from budget.engine.books import Books
from budget.engine.callers import require_unbound
from budget.engine.channels.jobs import ChannelJobs
from budget.engine.commands import Command, Way
from budget.engine.contexts.jobs import ContextJobs
from budget.engine.events.jobs import EventJobs
from budget.engine.fields import chosen_id
from budget.engine.job import Job
from budget.engine.key_jobs import KeyJobs
from budget.engine.limits import LimitJobs
from budget.engine.past import Progress
from budget.engine.price_book.jobs import PriceJobs
from budget.engine.project_jobs import ProjectJobs
from budget.engine.recommending import RecommendJobs
from budget.engine.reports.jobs import ReportJobs
from budget.engine.requests.jobs import RequestJobs
from budget.engine.routing import RouteJobs
from budget.engine.session_jobs import SessionJobs
from budget.engine.setting_jobs import SettingJobs
from budget.engine.shown import shown
from budget.engine.sizes import Sizes
from budget.engine.summary_jobs import SummaryJobs
from budget.engine.trial_jobs import TrialJobs
from budget.prices.book import PriceBook

__all__ = ["Books", "Job", "Jobs"]

T = TypeVar("T")


class Jobs(
    ReportJobs,
    SummaryJobs,
    TrialJobs,
    ProjectJobs,
    EventJobs,
    PriceJobs,
    RequestJobs,
    SettingJobs,
    LimitJobs,
    RecommendJobs,
    RouteJobs,
    AuditJobs,
    KeyJobs,
    SessionJobs,
    ChannelJobs,
    AlertJobs,
    ContextJobs,
):
    """The methods. Raise InvalidInput at once for bad input, so that nothing is queued."""

    # --- Spending --------------------------------------------------------------------------------

    def allocate(self, **ask: Unpack[AllocationAsk]) -> Job[Allocation | Refusal]:
        """Hold money and tokens for a call or an envelope of calls, or say why not.

        With its `request` a call is held by an estimate of that; nothing of its text is kept.
        """
        return self._allocating(ask)

    def check(self, **ask: Unpack[AllocationAsk]) -> Job[Check | Refusal]:
        """Say what `allocate` would answer, and hold nothing."""
        return self._allocating(ask, dry=True)

    def _allocating(self, ask: Mapping[str, Any], *, dry: bool = False) -> Job[Any]:
        brief = ask.get("request") is None or estimates.is_brief(ask)
        if brief and self._sizes_for(ask) is None:
            return self.placing(ask, dry=dry)
        return Job(prepare=lambda: self.placing(ask, dry=dry))

    def _sizes_for(self, ask: Mapping[str, Any]) -> Sizes | None:
        """What was learnt of sizes, where a call states none and that is to be applied."""
        adaptive = self.books.ledger.catalogue.settings.get(sizes.SETTING)
        return self.books.sizes if adaptive and intake.is_unsized(ask) else None

    def placing(
        self,
        ask: Mapping[str, Any],
        *,
        dry: bool = False,
        tentative: bool = False,
        way: Way | None = None,
    ) -> Job[Any]:
        """The job of `allocate`, or of `check`, its request estimated, which may take a while.

        `tentative` and `way` are for who asks again where this is refused; see `Place`.
        """
        books, now_us = self.books, self.books.database.now_us()
        command = intake.placing(
            ask, self.caller, books.prices, now_us, books.factors, self._sizes_for(ask),
            dry=dry, tentative=tentative, way=way,
        )  # fmt: skip
        return Job(
            command,
            finish=lambda answer: self._worded(advised(self._shown(answer), command, books.prices)),
        )

    def _worded(self, answer: T) -> T:
        return worded(answer, self.books.ledger.catalogue.settings)

    def _noted(self, answer: Budget) -> Budget:
        return noted(answer, self.books.prices, self.books.database.now_us())

    def _shown(self, answer: T) -> T:
        """The answer as the caller may see it."""
        return shown(answer, self.caller.bound, self.books.ledger.catalogue.budgets)

    @property
    def _finish(self) -> Callable[[Any], Any] | None:
        """What completes an answer in the caller's hands: nothing, unless the caller is bound."""
        return self._shown if self.caller.bound else None

    def record(
        self, allocation_id: str, *, final: bool = False, **ask: Unpack[UsageAsk]
    ) -> Job[Receipt]:
        """Book what a call has used so far; only the final record returns the rest of the hold."""
        return self._recording(allocation_id, {**ask, "final": final})

    def settle(self, allocation_id: str, **ask: Unpack[UsageAsk]) -> Job[Receipt]:
        """Book what a call really used, as the final record: the rest of the hold returns."""
        return self._recording(allocation_id, ask)

    def _recording(self, allocation_id: str, ask: Mapping[str, Any]) -> Job[Receipt]:
        now_us = self.books.database.now_us()
        command = intake.recording(allocation_id, ask, self.caller, self.books.prices, now_us)
        return Job(command, finish=self._finish)

    def release(
        self, allocation_id: str, *, reason: str | None = None, idempotency_key: str | None = None
    ) -> Job[Allocation]:
        """Return the rest of a hold: the call will not be made, or the agent run is over."""
        command = intake.releasing(allocation_id, reason, idempotency_key, self.caller)
        return Job(command, finish=self._finish)

    def extend(self, allocation_id: str, **ask: Unpack[ExtendAsk]) -> Job[Allocation | Refusal]:
        """Give an open allocation more time, money or output tokens, or say why not."""
        command = intake.extending(allocation_id, ask, self.caller)
        return Job(command, finish=lambda answer: self._worded(self._shown(answer)))

    def record_usage(self, **ask: Unpack[ReportAsk]) -> Job[Receipt]:
        """Book usage that nobody reserved. It is a fact: never refused, always flagged."""
        now_us = self.books.database.now_us()
        command = intake.reporting(ask, self.caller, self.books.prices, now_us)
        return Job(command, finish=self._finish)

    def record_in_context(self, **ask: Unpack[ToldUsageAsk]) -> Job[Receipt]:
        """Book usage on its allocation, else on the open one of its context, else as usage that
        nobody reserved. What it is booked on stays open.
        """
        return Job(prepare=lambda: self._booking_in_context(ask))

    def _booking_in_context(self, ask: Mapping[str, Any]) -> Job[Receipt]:
        return Job(in_context.booking(ask, self.caller, self.books), finish=self._finish)

    def record_bulk(
        self, *, records: Sequence[BulkRecordAsk], idempotency_key: str | None = None
    ) -> Job[Bulk]:
        """Book up to 1,000 usage records, each by itself: one that fails keeps no other from being
        booked. One with an `allocation_id` is usage of that, final only if it says so.
        """
        return Job(prepare=lambda: self._booking(records, idempotency_key))

    def _booking(self, records: object, idempotency_key: object) -> Job[Bulk]:
        job = bulk.booking(records, idempotency_key, self._bulk_command)
        finish = job.finish
        assert finish is not None
        job.finish = lambda answers: self._shown(finish(answers))
        return job

    def _bulk_command(self, record: dict[str, Any]) -> Command:
        allocation_id = record.pop("allocation_id", None)
        if allocation_id is None:
            if record.pop("final", None) is not None:
                raise InvalidInput("final", "needs an allocation_id.")
            job = self.record_usage(**record)
        else:
            if record.pop("history", None):
                raise InvalidInput("history", "goes without an allocation_id: that is of now.")
            checked = chosen_id({"allocation_id": allocation_id}, "allocation_id")
            assert checked is not None
            record["final"] = False if record.get("final") is None else record["final"]
            job = self._recording(checked, record)
        assert job.command is not None
        return job.command

    def correct(
        self,
        usage_id: str,
        *,
        reason: str,
        replacement: Mapping[str, int | str | Mapping[str, int]] | None = None,
        idempotency_key: str | None = None,
    ) -> Job[Correction]:
        """Reverse a usage record, and book a replacement that differs in the counts given.

        Of a model without a price it may also differ in its `cost`.
        """
        booked = ZERO
        if replacement is not None:
            record = reports.usage_record(self.books.database, usage_id, self.caller.bound)
            if not covers(self.caller.bound, record.attributes):
                raise NotFound("usage record", usage_id)
            if record.reverses is None:  # else the ledger says that a reversal stays
                booked = record.usage
        command = intake.correcting(
            usage_id, reason, replacement, idempotency_key, self.caller, booked
        )
        return Job(command, finish=self._finish)

    def sweep(self) -> Job[int]:
        """Expire the holds that are due, now; how many."""
        due = reports.due(self.books.database)
        return Job(intake.sweeping(due))

    def calculate(self, **ask: Unpack[CostAsk]) -> Job[Calculation]:
        """Say what usage of a model costs, line by line. Nothing is booked."""
        now_us = self.books.database.now_us()
        return Job(read=lambda: costing.calculate(ask, self.books.prices, now_us))

    # --- Estimates -------------------------------------------------------------------------------

    def estimate(self, **ask: Unpack[EstimateAsk]) -> Job[Estimate]:
        """Say how many input tokens a request has at most, and what it would hold. Nothing of it is
        kept.
        """
        books, now_us = self.books, self.books.database.now_us()
        return Job(
            read=lambda: estimates.estimate(ask, self.caller, books.prices, books.factors, now_us)
        )

    def factors(self) -> Job[list[FamilyFactor]]:
        """What settled calls have taught about the bounds of each family of models."""
        books, (actor, bound) = self.books, (self.caller.actor, self.caller.bound)
        return Job(
            read=lambda: factors.family_factors(
                books.factors, books.database, actor, own_only=bool(bound)
            )
        )

    def learn(self) -> Job[Learning]:
        """Learn from the calls that were settled since the last time. A service does so itself."""
        return Job(read=lambda: calibrating.learn(self.books))

    # --- Budgets and policies --------------------------------------------------------------------

    def create_budget(self, **ask: Unpack[BudgetAsk]) -> Job[Budget]:
        """Create a budget with its policies. Names may repeat: the id tells budgets apart."""
        return Job(change=budgets.creating(ask, self.caller), finish=self._noted)

    def change_budget(self, budget_id: str, **ask: Unpack[BudgetAsk]) -> Job[Budget]:
        """Change the fields given. Another scope or `per` gives its policies successors."""
        return Job(change=budgets.changing(budget_id, ask, self.caller), finish=self._noted)

    def archive_budget(self, budget_id: str) -> Job[Budget]:
        """Take a budget out of force; its books stay."""
        return Job(change=budgets.archiving(budget_id, self.caller))

    def create_policy(self, budget_id: str, **ask: Unpack[PolicyAsk]) -> Job[Policy]:
        """Add a policy to a budget."""
        return Job(change=policies.creating(budget_id, ask, self.caller))

    def change_policy(self, policy_id: str, **ask: Unpack[PolicyAsk]) -> Job[Policy]:
        """Change the fields given. Another unit, period, zone or reset day makes a successor."""
        return Job(change=policies.changing(policy_id, ask, self.caller))

    def archive_policy(self, policy_id: str) -> Job[Policy]:
        """Take a policy out of force; its books stay."""
        return Job(change=policies.archiving(policy_id, self.caller))

    def top_up(
        self,
        policy_id: str,
        *,
        amount: str | int | Decimal,
        reason: str,
        until: str | None = None,
        partition: Mapping[str, str | None] | None = None,
        idempotency_key: str | None = None,
    ) -> Job[TopUp]:
        """Raise a policy's limit for the current window, or for every window that starts before
        `until`.
        """
        ask = {
            "amount": amount, "reason": reason, "until": until, "partition": partition,
            "idempotency_key": idempotency_key,
        }  # fmt: skip
        return Job(change=top_ups.topping_up(policy_id, ask, self.caller))

    # --- Reading ---------------------------------------------------------------------------------

    def verify(
        self, *, anchor: str | None = None, progress: Progress | None = None
    ) -> Job[Verification]:
        """Recompute every balance from the entries and hold the books against their invariants.

        `anchor` is the `sealed.head` of an earlier time: that block must still be there.
        """
        require_unbound(self.caller)
        database = self.books.database
        return Job(read=lambda: verify.verify(database, anchor=anchor, progress=progress))

    def seal(self) -> Job[int]:
        """Seal every entry of the journal that is not sealed yet; how many blocks that made.

        A service does so itself, within a minute.
        """
        require_unbound(self.caller)
        return Job(read=lambda: sealing.seal(self.books, now=True))

    def confirm_clock(self) -> Job[ClockConfirmed]:
        """Trust the clock of this process as it is now: holds expire again, had that paused."""
        guard = self.books.ledger.clock_guard
        return Job(
            change=confirming.confirming(guard, self.caller),
            finish=lambda told: confirming.confirmed(guard, told),
        )

    # --- History priced again --------------------------------------------------------------------

    def rerate(
        self,
        *,
        book: PriceBook | None = None,
        progress: Progress | None = None,
        **ask: Unpack[RerateAsk],
    ) -> Job[Rerating]:
        """Say what usage since a time costs at the prices in force now, or by another book.

        `basis` names a snapshot whose prices count in place of its source's; `book` is any other.
        With `apply` and a `reason` what differs is booked, as corrections; run again, it changes
        nothing more.
        """
        at, caller = self.books, self.caller
        asked = rerating.parse_rerate(ask, caller, at.database.now_us())
        return Job(read=lambda: rerating.rerate(at, asked, caller, book, progress))

    def what_if(self, *, progress: Progress | None = None, **ask: Unpack[WhatIfAsk]) -> Job[WhatIf]:
        """Say what past usage would have cost with models exchanged. Nothing is booked."""
        now_us = self.books.database.now_us()
        asked = whatif.parse_what_if(ask, now_us, self.caller.bound)
        return Job(
            read=lambda: whatif.what_if(
                self.books.database, self.books.prices, asked, now_us, progress
            )
        )

    def coverage(self, *, since: str | None = None, until: str | None = None) -> Job[Coverage]:
        """Say how much of what was seen has a price now, and how sure that is."""
        ask, bound = {"since": since, "until": until}, self.caller.bound
        return Job(read=lambda: coverage.coverage(self.books, ask, bound=bound))
