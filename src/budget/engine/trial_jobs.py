"""Trial jobs: the methods of the facade that try limits on the past, and explain decisions."""

from typing import Unpack

from budget.domain.answers_trials import Explanation, Simulation
from budget.domain.asks_trials import SimulateAsk
from budget.engine import explaining, simulating
from budget.engine.job import Job, Maker
from budget.engine.past import Progress


class TrialJobs(Maker):
    """The methods. Raise InvalidInput at once for bad input."""

    def simulate(
        self, *, progress: Progress | None = None, **ask: Unpack[SimulateAsk]
    ) -> Job[Simulation]:
        """Try limits on calls of the past: what they would have refused, or let go beyond them.

        The limits in force, unless `policies` say which. Nothing is booked.
        """
        database = self.books.database
        asked = simulating.parse_simulate(ask, database.now_us(), self.caller.bound)
        return Job(read=lambda: simulating.simulate(database, asked, progress))

    def explain(self, call_id: str = explaining.LAST_REFUSAL) -> Job[Explanation]:
        """Say why a call was admitted or refused: every limit that it met, with its figures just
        before, and what happened later.

        The id is of an allocation, of a usage record, or the cursor of a refusal's event;
        `last-refusal` is the last there was.
        """
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: explaining.explain(database, call_id, bound))
