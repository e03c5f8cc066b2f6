"""The ledger against the model: whatever happens, in whatever order, both say and keep the same.

Hypothesis invents budgets and histories: calls, envelopes, usage below, at and above the hold, late
and unreserved, retries, corrections, changed limits, clocks that jump, crashes. After every step
the answers are compared and then all that lies in the database. At the end of each history `verify`
and the invariants must hold.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.properties import steps
from tests.properties.pair import Pair, migrate
from tests.support.databases import SqliteTemplates

LONG = settings(max_examples=2000, stateful_step_count=50, deadline=None)
SHORT = settings(max_examples=50, stateful_step_count=30, deadline=None)


class LedgerMachine(RuleBasedStateMachine):
    """Plays each step on both sides."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        self.pair: Pair | None = None
        self.agreed = True

    @initialize(start_us=st.sampled_from(steps.STARTS_US), catalogue=steps.catalogues)
    def open(self, start_us: int, catalogue: list[steps.NewBudget]) -> None:
        self.pair = Pair(self.template, self.folder / "budget.db", start_us, catalogue)

    def play(self, step: steps.Step) -> None:
        assert self.pair is not None
        self.agreed = False  # until it is shown
        self.pair.play(step)
        self.agreed = True

    @rule(step=steps.places())
    def place(self, step: steps.Place) -> None:
        self.play(step)

    @rule(step=steps.places())
    def place_another(self, step: steps.Place) -> None:
        self.play(step)

    @rule(step=steps.records)
    def record(self, step: steps.Record) -> None:
        self.play(step)

    @rule(step=steps.releases)
    def release(self, step: steps.Release) -> None:
        self.play(step)

    @rule(step=steps.extends)
    def extend(self, step: steps.Extend) -> None:
        self.play(step)

    @rule(step=steps.reports)
    def report(self, step: steps.Report) -> None:
        self.play(step)

    @rule(step=steps.corrects)
    def correct(self, step: steps.Correct) -> None:
        self.play(step)

    @rule()
    def sweep(self) -> None:
        self.play(steps.Sweep())

    @rule(step=steps.set_limits | steps.set_enforcements | steps.top_ups | steps.archives)
    def change_a_policy(self, step: steps.Step) -> None:
        self.play(step)

    @rule(step=steps.advances | steps.jumps)
    def time_passes(self, step: steps.Step) -> None:
        self.play(step)

    @rule(step=steps.reopens)
    def reopen(self, step: steps.Reopen) -> None:
        self.play(step)

    @rule(step=steps.agains)
    def send_again(self, step: steps.Again) -> None:
        self.play(step)

    def teardown(self) -> None:
        try:
            if self.pair is not None and self.agreed:
                self.pair.finish()
        finally:
            if self.pair is not None:
                self.pair.close()
            shutil.rmtree(self.folder)


def machine_on(template: Path) -> type[LedgerMachine]:
    """The machine, on copies of an empty book."""
    return type("Machine", (LedgerMachine,), {"template": template})


@pytest.fixture(scope="module")
def machine(sqlite_templates: SqliteTemplates) -> type[LedgerMachine]:
    """The machine, whose books lie in a folder of its own."""
    return machine_on(sqlite_templates.file_from(migrate))


def test_the_ledger_says_and_keeps_what_the_model_does(
    machine: type[LedgerMachine], long_run: bool
) -> None:
    wanted = LONG if long_run else SHORT
    run_state_machine_as_test(
        machine, settings=settings(wanted, suppress_health_check=list(HealthCheck))
    )
