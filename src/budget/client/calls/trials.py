"""Calls about limits tried on the past."""

from collections.abc import Callable
from typing import Unpack

from budget.client.reading.trials import simulation
from budget.client.request import Request
from budget.client.request import ask as asking
from budget.domain.answers_trials import Simulation
from budget.domain.asks_trials import SimulateAsk


class TrialCalls:
    """The methods. A service tells no progress."""

    def simulate(
        self, *, progress: Callable[[int, int], None] | None = None, **ask: Unpack[SimulateAsk]
    ) -> Request[Simulation]:
        """Try limits on calls of the past: what they would have refused, or let go beyond them."""
        del progress
        return asking("/simulate", simulation, ask, patient=True)
