"""A pair: the engine and the model side by side, which must never say or keep different things."""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from budget.engine.budget import Budget
from tests.properties import invariants, steps
from tests.properties.model import DAY
from tests.properties.sides import Clock, EngineSide, ModelSide, comparable
from tests.support.databases import sqlite_url


def migrate(url: str) -> None:
    """Make the books at `url`, empty."""
    Budget.open(url, sweep=False).close()


class Pair:
    """Both sides, with the same budgets, on a copy of an empty book.

    AssertionError as soon as they differ.
    """

    def __init__(
        self, template: Path, file: Path, start_us: int, catalogue: Iterable[steps.NewBudget]
    ) -> None:
        shutil.copy(template, file)
        self.file = file
        self.script = steps.Script()
        self.model = ModelSide(Clock(start_us))
        self.engine = EngineSide(sqlite_url(file), Clock(start_us))
        self._journal: list[tuple[object, ...]] = []
        for new in catalogue:
            self.engine.create(new)
            self.model.create(new)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def play(self, step: steps.Step) -> None:
        """Carry out a step on both sides; the same must be said, and be kept."""
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
        told = self.engine.do(command)
        expected = self.model.do(command)
        assert told == expected, f"{command}:\n engine {told}\n model  {expected}"
        kept = comparable(self.engine.rows(), self.model)
        to_keep = comparable(self.model.rows(), self.model)
        assert kept == to_keep, f"{command}:\n engine {kept}\n model  {to_keep}"
        with closing(sqlite3.connect(self.file)) as connection:
            journal = connection.execute("SELECT * FROM entries ORDER BY id").fetchall()
        invariants.check_grown(self._journal, journal)
        self._journal = journal

    def finish(self) -> None:
        """Let every hold's time run out (I20); then `verify` and the invariants find nothing."""
        told = {view for view in self.engine.status({}) if any(view[4:])}
        expected = {view for view in self.model.status() if any(view[4:])}
        assert told == expected, f"status:\n engine {told}\n model  {expected}"
        # The longest time to live is a day; a clock that was set back has to catch up first.
        ends_us = [held.expires_us for held in self.model.allocations if held.status == "open"]
        now_us = self.model.clock()
        self.play(steps.Advance(max([now_us, *ends_us]) - now_us + 2 * DAY))
        self.play(steps.Sweep())
        held = self.engine.rows()["allocations"].values()
        assert all(status != "open" for status, *_ in held), "I20: open after twice its time"
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
