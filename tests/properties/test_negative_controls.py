"""Each safety, taken out on purpose: the comparison with the model must notice.

A test that cannot fail proves nothing. For each safety there is a sabotage, a short history that
needs it (every time), and the machine, which must find such a history by itself (`--faults`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from budget.domain import decide, facts
from budget.domain.allocations import Amounts, Holding, Leg
from budget.domain.balances import Balance
from budget.domain.budgets import Policy
from budget.domain.decide import Decided
from budget.domain.errors import Unavailable
from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import Usage as Used
from budget.domain.usage import negated
from budget.engine import acts, catalogue
from budget.engine.acts import booking, correcting, holding, placing
from budget.engine.commands import Correct
from budget.storage import sqlite_unit
from tests.properties import steps
from tests.properties.model import DAY, HOUR, SECOND, Usage
from tests.properties.pair import Pair, migrate
from tests.properties.steps import NewBudget, NewPolicy
from tests.properties.test_ledger_machine import LedgerMachine, machine_on
from tests.support.databases import SqliteTemplates

Sabotage = Callable[[pytest.MonkeyPatch], None]
CAUGHT = (AssertionError, Unavailable)
"""The comparison saw it; or the database did, whose unique keys are a second wall (Unavailable)."""


@dataclass(frozen=True)
class Control:
    """A sabotage, and a history that a sound engine plays as the model does."""

    sabotage: Sabotage
    policies: Sequence[NewPolicy]
    history: Sequence[steps.Step]


# --- Histories -----------------------------------------------------------------------------------

TEN = NewPolicy("tokens", "daily", 10)
"""Ten tokens a day, hard."""


def call(tokens: int, **more: Any) -> steps.Place:
    """A call that holds tokens."""
    parent = more.pop("parent", None)
    return steps.Place({"attributes": {}, "tokens": tokens, **more}, parent)


def used(tokens: int, *, final: bool = True) -> steps.Record:
    """What the newest allocation used."""
    return steps.Record(0, Usage(tokens, 0), final)


SEND_AGAIN = steps.Again(0)
SWEEP = steps.Sweep()
HOURS_LATER = steps.Advance(HOUR)


# --- Sabotages -----------------------------------------------------------------------------------


def no_admission_check(patch: pytest.MonkeyPatch) -> None:
    """Every balance claims to have room."""
    patch.setattr(Balance, "room", lambda *_: 10**18)


def settling_clamps_to_the_hold(patch: pytest.MonkeyPatch) -> None:
    """What goes beyond a hold is dropped."""
    patch.setattr(facts, "_book_excess", lambda *_: None)


def expiry_releases(patch: pytest.MonkeyPatch) -> None:
    """What should be assumed is returned."""

    def expire(held: Holding, balances: Any, *, parent: Holding | None) -> Decided:
        decided = facts._end(held, balances, "released", parent)
        states = [
            (h, state._replace(status="expired") if h is held else state)
            for h, state in decided.states
        ]
        return decided._replace(states=states)

    patch.setattr(facts, "expire", expire)


def keys_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a command came before."""
    for act in (booking, correcting, holding, placing):
        patch.setattr(act, "seen", lambda *_: None)


def chosen_ids_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether an allocation's id came before."""
    patch.setattr(placing, "_placed_before", lambda *_: None)


def late_usage_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """Usage after the end of a hold is acknowledged and forgotten."""
    record = facts.record

    def forgetful(held: Holding, amounts: Amounts, *rest: Any, **named: Any) -> Decided:
        if held.state.status in ("expired", "released"):
            amounts = Amounts(0, 0, 0, 0, 0)
        return record(held, amounts, *rest, **named)

    patch.setattr(facts, "record", forgetful)


def costs_are_rounded_down(patch: pytest.MonkeyPatch) -> None:
    """A fraction of a nano is given away."""

    def floor(rates: Rates, usage: Used) -> int:
        return -cost_nanos(rates, negated(usage))

    patch.setattr(booking, "cost_nanos", floor)


def a_window_opens_again(patch: pytest.MonkeyPatch) -> None:
    """A balance follows the clock, also back."""
    proper = Balance.open

    def follow(self: Balance, now_us: int) -> int:
        if not self.policy.rolling and now_us < self.start_us:
            self._open_window(self.policy.window_of(self.partition, now_us))
        self.last_us = min(self.last_us, now_us)
        return proper(self, now_us)

    patch.setattr(Balance, "open", follow)


def a_call_draws_twice(patch: pytest.MonkeyPatch) -> None:
    """What an envelope gives to a call, it keeps."""
    proper = decide._take_from_parent

    def generous(parent: Holding, *rest: Any) -> Any:
        given = proper(parent, *rest)
        return given if isinstance(given, decide.EnvelopeShort) else (given[0], parent.state.legs)

    patch.setattr(decide, "_take_from_parent", generous)


def one_policy_is_left_out(patch: pytest.MonkeyPatch) -> None:
    """Holds are not placed on the last of several policies."""
    proper = decide.place

    def careless(wanted: Amounts, held: Any, balances: Sequence[Balance], **named: Any) -> Any:
        return proper(wanted, held, balances[: max(1, len(balances) - 1)], **named)

    patch.setattr(decide, "place", careless)


def reversed_twice(patch: pytest.MonkeyPatch) -> None:
    """A record may be reversed again."""
    proper = correcting.run_correct

    def forgetful(batch: Any, command: Any) -> Any:
        batch.reversed.clear()
        return proper(batch, command)

    run: dict[Any, Any] = {**acts.RUN, Correct: forgetful}
    patch.setattr(acts, "RUN", run)


def headroom_is_for_all(patch: pytest.MonkeyPatch) -> None:
    """Nothing is kept for those who come first."""
    patch.setattr(Policy, "headroom", lambda *_: 0)


def buckets_leave_early(patch: pytest.MonkeyPatch) -> None:
    """A rolling limit forgets its last bucket."""
    proper = Balance._move_buckets

    def hasty(self: Balance, bucket_us: int) -> None:
        proper(self, bucket_us)
        gone_us = bucket_us - 60 * self.policy.bucket_us
        cell = self.cells.pop(gone_us, None)
        if cell is not None:
            self.spent -= cell.spent
            self.reserved -= cell.reserved
            self.assumed -= cell.assumed

    patch.setattr(Balance, "_move_buckets", hasty)


def an_unknown_price_is_free(patch: pytest.MonkeyPatch) -> None:
    """Whatever the budget says, models of unknown price may go."""
    patch.setattr(catalogue.Match, "unpriced", "allow", raising=False)


def overrun_is_not_told(patch: pytest.MonkeyPatch) -> None:
    """What lies beyond a limit is not called overrun."""
    patch.setattr(Balance, "overrun_by", lambda *_: 0)


def legs_return_twice(patch: pytest.MonkeyPatch) -> None:
    """A call gives back to its envelope what it has given back already."""
    proper = facts._give_back

    def generous(book: Any, leg: Leg, left: int, giver: list[Leg] | None, *, late: bool) -> None:
        proper(book, leg, left, giver, late=late)
        if giver is not None:
            giver[:] = [own._replace(left=own.left + left) for own in giver]

    patch.setattr(facts, "_give_back", generous)


def answers_before_they_are_kept(patch: pytest.MonkeyPatch) -> None:
    """Every third transaction is acknowledged and rolled back."""
    proper = sqlite_unit.SqliteUnit.commit
    commits = iter(range(10**9))

    def careless(self: sqlite_unit.SqliteUnit) -> None:
        if next(commits) % 3 == 2:
            self.rollback()
        else:
            proper(self)

    patch.setattr(sqlite_unit.SqliteUnit, "commit", careless)


PLAIN = NewPolicy("usd", "daily", 1_000)
CONTROLS: Mapping[str, Control] = {
    "no admission check": Control(no_admission_check, [TEN], [call(6), call(5)]),
    "settling clamps to the hold": Control(settling_clamps_to_the_hold, [TEN], [call(6), used(9)]),
    "expiry releases what should be assumed": Control(
        expiry_releases, [TEN], [call(6), HOURS_LATER, SWEEP]
    ),
    "keys are ignored": Control(
        keys_are_ignored, [TEN], [call(2), used(1, final=False), SEND_AGAIN]
    ),
    "chosen ids are ignored": Control(
        chosen_ids_are_ignored, [TEN], [replace(call(2), keyed=False), SEND_AGAIN]
    ),
    "late usage is dropped": Control(
        late_usage_is_dropped, [TEN], [call(6), steps.Release(0), used(4)]
    ),
    "costs are rounded down": Control(
        costs_are_rounded_down,
        [PLAIN],
        [call(6, model="cached"), steps.Record(0, Usage(2, 0))],
    ),
    "a window opens again": Control(
        a_window_opens_again, [TEN], [call(6), steps.Jump(-DAY), call(5)]
    ),
    "a call draws twice": Control(
        a_call_draws_twice,
        [TEN],
        [call(6, envelope=True), call(4, parent=0), call(2, parent=0), used(9)],
    ),
    "one policy is left out": Control(
        one_policy_is_left_out, [NewPolicy("requests", "daily", 5), TEN], [call(6)]
    ),
    "a record is reversed twice": Control(
        reversed_twice,
        [TEN],
        [call(6), used(6), steps.Correct(0), replace(steps.Correct(0), target=1)],
    ),
    "headroom is for all": Control(
        headroom_is_for_all, [replace(TEN, headroom=((8, 50),))], [call(6)]
    ),
    "buckets leave early": Control(
        buckets_leave_early,
        [NewPolicy("tokens", "rolling:1m", 10)],
        [call(6), steps.Advance(60 * SECOND), call(5)],
    ),
    "an unknown price is free": Control(
        an_unknown_price_is_free, [PLAIN], [call(6, model=steps.UNPRICED)]
    ),
    "overrun is not told": Control(overrun_is_not_told, [TEN], [call(6), used(12)]),
    "a call returns twice": Control(
        legs_return_twice,
        [TEN],
        [call(6, envelope=True), call(4, parent=0), steps.Release(0)],
    ),
    "answers before they are kept": Control(
        answers_before_they_are_kept, [TEN], [call(1), call(1), call(1), call(1)]
    ),
}


@pytest.fixture(scope="module")
def template(sqlite_templates: SqliteTemplates) -> Path:
    """An empty book."""
    return sqlite_templates.file_from(migrate)


def _play(template: Path, file: Path, control: Control) -> None:
    budget = NewBudget((), (), tuple(control.policies))
    pair = Pair(template, file, steps.STARTS_US[0], [budget])
    try:
        for step in control.history:
            pair.play(step)
        pair.finish()
    finally:
        pair.close()


@pytest.mark.parametrize("name", CONTROLS)
def test_the_comparison_notices_when_a_safety_is_taken_out(
    name: str, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = CONTROLS[name]
    _play(template, tmp_path / "sound.db", control)
    control.sabotage(monkeypatch)
    with pytest.raises(CAUGHT):
        _play(template, tmp_path / "sabotaged.db", control)


@pytest.mark.faults
@pytest.mark.parametrize("name", CONTROLS)
def test_the_machine_finds_what_a_missing_safety_allows(
    name: str, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine: type[LedgerMachine] = machine_on(template)
    CONTROLS[name].sabotage(monkeypatch)
    with pytest.raises(CAUGHT):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=500,
                stateful_step_count=50,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
