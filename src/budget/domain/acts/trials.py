"""Acts about limits tried on the past, and decisions explained.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act, Progress
from budget.domain.answers_trials import Explanation, Simulation
from budget.domain.asks_trials import SimulateAsk


class TrialActs(Protocol):
    """The methods."""

    def simulate(
        self, *, progress: Progress | None = None, **ask: Unpack[SimulateAsk]
    ) -> Act[Simulation]:
        """Try limits on calls of the past: what they would have refused, or let go beyond them.

        The limits in force, unless `policies` say which. Nothing is booked.
        """

    def explain(self, call_id: str = "last-refusal") -> Act[Explanation]:
        """Say why a call was admitted or refused: every limit that it met, with its figures just
        before, and what happened later.

        The id is of an allocation, of a usage record, or the cursor of a refusal's event;
        `last-refusal` is the last there was.
        """
