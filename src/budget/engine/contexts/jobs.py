"""Context jobs: the methods of the facade about contexts, and what use teaches of holds."""

from typing import Unpack

from budget.domain.answers_contexts import Context, Efficiencies, LearntSize
from budget.domain.answers_pages import Page
from budget.domain.asks_reading import ContextsAsk, EfficiencyAsk
from budget.engine import live_settings
from budget.engine.contexts import reports
from budget.engine.contexts.efficiency import efficiency, parse_efficiency
from budget.engine.job import Job, Maker
from budget.engine.sizes import SETTING, sizes


class ContextJobs(Maker):
    """The methods. Whoever is bound to attributes is told of its own calls alone."""

    def contexts(self, **ask: Unpack[ContextsAsk]) -> Job[Page[Context]]:
        """Contexts, which are sessions, by name: what each used of what it was allocated, when it
        is used up at its pace, and what would help.
        """
        books, bound = self.books, self.caller.bound
        return Job(read=lambda: reports.contexts(books, bound, **ask))

    def context(self, context_id: str) -> Job[Context]:
        """One context, with what it used by attributes, and its newest calls."""
        books, bound = self.books, self.caller.bound
        return Job(read=lambda: reports.context(books, context_id, bound))

    def efficiency(self, **ask: Unpack[EfficiencyAsk]) -> Job[Efficiencies]:
        """Say how many of the tokens that were held settled calls used, by some attributes.

        By component, tier and type of task, of the last 30 days, unless asked otherwise.
        """
        database, bound = self.books.database, self.caller.bound
        asked = parse_efficiency(ask, database.now_us())
        return Job(read=lambda: efficiency(database, asked, bound))

    def sizes(self) -> Job[list[LearntSize]]:
        """Say how many tokens settled calls teach to hold, by component, type of task and family of
        models, and why.
        """
        database, bound = self.books.database, self.caller.bound
        return Job(
            read=lambda: sizes(
                database, bound, applied=bool(live_settings.read(database, SETTING, False))
            )
        )
