"""The ledger against the model: whatever happens, in whatever order, both say and keep the same.

Hypothesis invents budgets and histories: calls, envelopes, usage below, at and above the hold, late
and unreserved, retries, corrections, changed limits, clocks that jump, crashes. After every step
the answers are compared and then all that lies in the database. At the end of each history `verify`
and the invariants must hold.
"""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from budget.engine.budget import Budget
from tests.properties import invariants, steps
from tests.properties.invariants import check_grown
from tests.properties.model import DAY
from tests.properties.sides import Clock, EngineSide, ModelSide, comparable
from tests.support.databases import sqlite_url


class LedgerMachine(RuleBasedStateMachine):
    """Plays each step on both sides."""

    template: Path
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.file = Path(tempfile.mkdtemp(dir=self.folder)) / "budget.db"
        shutil.copy(self.template, self.file)
        self.script = steps.Script()
        self.started = False
        self.agreed = True
        self.journal: list[tuple[object, ...]] = []

    @initialize(start_us=st.sampled_from(steps.STARTS_US), catalogue=steps.catalogues)
    def open(self, start_us: int, catalogue: list[steps.NewBudget]) -> None:
        self.engine = EngineSide(sqlite_url(self.file), Clock(start_us))
        self.started = True
        self.model = ModelSide(Clock(start_us))
        for new in catalogue:
            self.engine.create(new)
            self.model.create(new)

    def play(self, step: steps.Step) -> None:
        command = self.script.command(
            step,
            self.model.clock(),
            allocations=len(self.model.allocations),
            envelopes=self.model.envelopes,
            records=len(self.model.records),
            policies=len(self.model.policies),
        )
        if command is None:
            return
        self.agreed = False  # until it is shown
        told = self.engine.do(command)
        expected = self.model.do(command)
        assert told == expected, f"{command}:\n engine {told}\n model  {expected}"
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

    @invariant()
    def the_books_are_the_same(self) -> None:
        if not self.started:
            return
        self.agreed = False
        told = comparable(self.engine.rows(), self.model)
        expected = comparable(self.model.rows(), self.model)
        assert told == expected, f"\n engine {told}\n model  {expected}"
        self.agreed = True

    @invariant()
    def the_journal_only_grows(self) -> None:
        if self.started:
            with closing(sqlite3.connect(self.file)) as connection:
                journal = connection.execute("SELECT * FROM entries ORDER BY id").fetchall()
            check_grown(self.journal, journal)
            self.journal = journal

    def teardown(self) -> None:
        try:
            if self.started and self.agreed:
                self.the_faults_stop()
        finally:
            if self.started:
                self.engine.close()
            shutil.rmtree(self.file.parent)

    def the_faults_stop(self) -> None:
        """Let every hold's time run out (I20); then the books must be in order."""
        told = {view for view in self.engine.status({}) if any(view[4:])}
        expected = {view for view in self.model.status() if any(view[4:])}
        assert told == expected, f"status:\n engine {told}\n model  {expected}"
        self.play(steps.Advance(2 * DAY))
        self.play(steps.Sweep())
        kept = self.engine.rows()["allocations"].values()
        assert all(held[0] != "open" for held in kept), "I20: open after twice its time"
        verified = self.engine.budget.verify()
        assert verified.clean, verified.violations
        self.engine.close()
        with closing(sqlite3.connect(self.file)) as connection:
            invariants.check(connection)
            invariants.check_immutable(connection)
            for table, acknowledged in (
                ("allocations", self.engine.allocations), ("usage", self.engine.records),
            ):  # fmt: skip
                ids = {row["id"] for row in connection.execute(f"SELECT id FROM {table}")}
                assert ids == set(acknowledged), f"I17: {table}"


def migrate(url: str) -> None:
    Budget.open(url, sweep=False).close()


def test_the_ledger_does_what_the_model_says(tmp_path: Path, long_run: bool) -> None:
    template = tmp_path / "template.db"
    migrate(sqlite_url(template))

    class Machine(LedgerMachine):
        pass

    Machine.template = template
    Machine.folder = tmp_path
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=2000 if long_run else 60,
            stateful_step_count=50 if long_run else 30,
            deadline=None,
        ),
    )
