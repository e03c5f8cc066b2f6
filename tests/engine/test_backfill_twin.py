"""A policy that begins with the past counts what one that was there all along counts.

Two budgets of the same scope and split: one from the beginning, its twin made in the middle of a
random history, with `backfill`. From then on both show the same figures after every step.
"""

from itertools import count
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.domain.answers import Allocation
from budget.domain.asks_budgets import PolicyAsk
from budget.engine.budget import Budget as Books
from tests.engine.opened import SECOND, Clock

ORGS = count()

UNITS = ("usd", "tokens", "requests", "input_tokens", "output_tokens")


class Step(NamedTuple):
    """What happens, to which of the allocations, and how large it is."""

    act: str
    pick: int
    input_tokens: int
    output_tokens: int
    final: bool


CALLS = ("place", "place", "record", "record", "release", "extend", "expire", "report", "correct")
RUNS = (*CALLS, "envelope", "child", "child", "child")


def steps(acts: tuple[str, ...]) -> st.SearchStrategy[list[Step]]:
    tokens = st.integers(0, 40)
    step = st.builds(Step, st.sampled_from(acts), st.integers(0, 20), tokens, tokens, st.booleans())
    return st.lists(step, max_size=14)


class History:
    """Carries steps out on the books, on behalf of one organisation that no other example has."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self.books = books
        self.clock = clock
        self.org = f"org-{next(ORGS)}"
        self.held: list[str] = []
        self.envelopes: list[str] = []
        self.usage: list[str] = []

    def take(self, step: Step) -> None:
        """Do a step, or nothing where there is nothing to do it to."""
        self.clock.move(SECOND)
        getattr(self, step.act)(step)

    def forget_what_is_over(self) -> None:
        """What the twin can't know of: allocations that hold nothing."""
        self.held = [id_ for id_ in self.held if self.holds(id_)]
        self.envelopes = [id_ for id_ in self.envelopes if self.holds(id_)]

    def holds(self, allocation_id: str) -> bool:
        allocation = self.books.allocation(allocation_id)
        if allocation.status == "expired":
            return any(allocation.remaining)
        return allocation.status == "open"

    def place(self, step: Step, **more: Any) -> None:
        users = ("u", "v", None)
        attributes: dict[str, Any] = {"org": self.org, "user": users[step.pick % 3]}
        held = self.books.allocate(
            **{
                "attributes": attributes,
                "model": "m",
                "input_tokens": step.input_tokens,
                "max_output_tokens": step.output_tokens,
                "ttl_seconds": 60 if step.final else 86_400,
                **more,
            }
        )
        if isinstance(held, Allocation):  # else an envelope was exhausted
            self.held.append(held.allocation_id)

    def envelope(self, _: Step) -> None:
        run = self.books.allocate(
            attributes={"org": self.org, "user": "u"}, envelope=True, usd="0.150", tokens=120,
            requests=4, ttl_seconds=86_400,
        )  # fmt: skip
        assert isinstance(run, Allocation)
        self.envelopes.append(run.allocation_id)

    def child(self, step: Step) -> None:
        run = self.picked(self.envelopes, step)
        if run is not None and self.books.allocation(run).status == "open":
            # A call of another user than its run's also counts on the run's legs, which a backfill,
            # going by the attributes of records, does not see.
            self.place(step, parent_id=run, attributes={})

    def record(self, step: Step) -> None:
        of = self.picked([*self.held, *self.envelopes], step)
        if of is not None and self.books.allocation(of).status != "settled":
            receipt = self.books.record(
                of, input_tokens=step.input_tokens, output_tokens=step.output_tokens,
                final=step.final,
            )  # fmt: skip
            self.usage.append(receipt.usage_id)

    def release(self, step: Step) -> None:
        of = self.picked([*self.held, *self.envelopes], step)
        if of is not None and self.books.allocation(of).status in ("open", "expired"):
            self.books.release(of)

    def extend(self, step: Step) -> None:
        of = self.picked(self.held, step)
        # Once used, in what kind of token an extension is left is no longer to be told.
        if of is not None and self.may_be_extended(of):
            if step.final:
                self.books.extend(of, max_output_tokens=step.output_tokens, ttl_seconds=60)
            else:
                self.books.extend(of, tokens=step.input_tokens, ttl_seconds=60)

    def may_be_extended(self, allocation_id: str) -> bool:
        allocation = self.books.allocation(allocation_id)
        return allocation.status == "open" and not allocation.records

    def expire(self, _: Step) -> None:
        self.clock.move(61 * SECOND)
        self.books.sweep()

    def report(self, step: Step) -> None:
        receipt = self.books.record_usage(
            attributes={"org": self.org, "user": "u"}, model="m", input_tokens=step.input_tokens,
            output_tokens=step.output_tokens,
        )  # fmt: skip
        self.usage.append(receipt.usage_id)

    def correct(self, step: Step) -> None:
        of = self.picked(self.usage, step)
        if of is not None:
            self.usage.remove(of)
            new = {"input_tokens": step.input_tokens} if step.final else None
            self.books.correct(of, reason="r", replacement=new)

    def picked(self, some: list[str], step: Step) -> str | None:
        return some[step.pick % len(some)] if some else None

    def figures(self, budget_id: str) -> dict[tuple[str, str], tuple[int, int, int]]:
        """What counts in each balance of a budget that is not empty, by unit and partition."""
        return {
            (view.policy.unit, view.partition): (view.spent, view.reserved, view.assumed)
            for view in self.books.status(org=self.org)
            if view.policy.budget_id == budget_id and (view.spent or view.reserved or view.assumed)
        }


def live_twice(
    books: Books, clock: Clock, units: tuple[str, ...], before: list[Step], after: list[Step]
) -> None:
    history = History(books, clock)
    policies: list[PolicyAsk] = [
        {"unit": unit, "period": "total", "limit": 10**6, "on_expiry": "assume"} for unit in units
    ]
    ask: Any = {"scope": {"org": history.org}, "per": ["user"], "policies": policies}
    first = books.create_budget(name="From the beginning", **ask)
    for step in before:
        history.take(step)
    twin = books.create_budget(name="Twin", backfill=True, **ask)
    assert history.figures(twin.budget_id) == history.figures(first.budget_id)
    history.forget_what_is_over()
    for step in after:
        history.take(step)
        assert history.figures(twin.budget_id) == history.figures(first.budget_id)
    books.archive_budget(first.budget_id)
    books.archive_budget(twin.budget_id)


SHARED = settings(
    max_examples=settings().max_examples // 10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@SHARED
@given(before=steps(CALLS), after=steps(CALLS))
def test_in_every_unit_for_single_calls(
    books: Books, clock: Clock, before: list[Step], after: list[Step]
) -> None:
    live_twice(books, clock, UNITS, before, after)


@SHARED
@given(before=steps(RUNS), after=steps(RUNS))
def test_in_money_tokens_and_requests_for_envelopes_too(
    books: Books, clock: Clock, before: list[Step], after: list[Step]
) -> None:
    live_twice(books, clock, UNITS[:3], before, after)
