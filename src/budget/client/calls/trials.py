"""Calls about limits tried on the past, and decisions explained."""

from collections.abc import Callable
from typing import Unpack

from budget.client.reading.trials import explanation, simulation
from budget.client.request import Request, at, get
from budget.client.request import ask as asking
from budget.domain.answers_trials import Explanation, Simulation
from budget.domain.asks_trials import SimulateAsk


class TrialCalls:
    """The methods. A service tells no progress."""

    def simulate(
        self, *, progress: Callable[[int, int], None] | None = None, **ask: Unpack[SimulateAsk]
    ) -> Request[Simulation]:
        del progress
        return asking("/simulate", simulation, ask, patient=True)

    def explain(self, call_id: str = "last-refusal") -> Request[Explanation]:
        return get(at("/explain/{}", call_id), explanation, patient=True)
