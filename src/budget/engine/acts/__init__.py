"""Acts: what each command needs loaded, and how it is carried out on a batch's working set.

For each command, by its class in the tables below: `plan` names keys and allocations before
anything is read, `meet` names the balances once allocations are known, `want` the closed windows
once balances are open, `run` decides and applies. `run` raises a BudgetError before it changes
anything, or answers.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from budget.engine.acts.correcting import meet_correct, plan_correct, run_correct, want_correct
from budget.engine.acts.holding import (
    plan_extend,
    plan_release,
    plan_sweep,
    run_extend,
    run_release,
    run_sweep,
)
from budget.engine.acts.placing import meet_place, plan_place, run_place
from budget.engine.acts.recording import (
    meet_record,
    meet_report,
    plan_record,
    plan_report,
    run_record,
    run_report,
    want_report,
)
from budget.engine.batch import Batch
from budget.engine.commands import Command, Correct, Extend, Place, Record, Release, Report, Sweep

Act = Callable[[Batch, Any], Any]

PLAN: Final[Mapping[type[Command], Act]] = {
    Place: plan_place,
    Record: plan_record,
    Release: plan_release,
    Extend: plan_extend,
    Report: plan_report,
    Correct: plan_correct,
    Sweep: plan_sweep,
}
MEET: Final[Mapping[type[Command], Act]] = {
    Place: meet_place,
    Record: meet_record,
    Report: meet_report,
    Correct: meet_correct,
}
WANT: Final[Mapping[type[Command], Act]] = {Report: want_report, Correct: want_correct}
RUN: Final[Mapping[type[Command], Act]] = {
    Place: run_place,
    Record: run_record,
    Release: run_release,
    Extend: run_extend,
    Report: run_report,
    Correct: run_correct,
    Sweep: run_sweep,
}
"""`plan`, `meet`, `want` (closed windows, once balances are open) and `run`, by command."""
