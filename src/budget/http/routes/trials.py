"""Routes of limits tried on the past, and of decisions explained."""

from typing import Final

from budget.domain import shapes_trials
from budget.domain.asks_trials import SimulateAsk
from budget.domain.wire.trials import explanation, simulation
from budget.engine.jobs import Jobs
from budget.http.calls import act
from budget.http.route import V1, Route

TRIALS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/simulate", "read", act(Jobs.simulate, simulation),
          SimulateAsk, shapes_trials.SimulationShape),
    Route("GET", f"{V1}/explain/{{call_id}}", "read", act(Jobs.explain, explanation),
          answer=shapes_trials.ExplanationShape),
)  # fmt: skip
