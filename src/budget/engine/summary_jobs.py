"""Summary jobs: the methods of the facade about usage as a whole, and how policies stand."""

from typing import Unpack

from budget.domain.answers_pages import Page
from budget.domain.answers_usage import Standing, UsageSummary
from budget.domain.asks_reading import StandingsAsk, SummaryAsk
from budget.engine.job import Job, Maker
from budget.engine.standings import standings
from budget.engine.summaries import parse_summary, summary


class SummaryJobs(Maker):
    """The methods. Raise InvalidInput at once for bad input."""

    def usage_summary(self, **ask: Unpack[SummaryAsk]) -> Job[UsageSummary]:
        """Say what usage adds up to: of a time, by attributes and by parts of the time.

        The last 30 days unless asked otherwise.
        """
        database, bound = self.books.database, self.caller.bound
        asked = parse_summary(ask, database.now_us())
        return Job(read=lambda: summary(database, asked, bound))

    def budget_summary(self, budget_id: str, **ask: Unpack[StandingsAsk]) -> Job[Page[Standing]]:
        """How the policies of a budget stand, each as a whole."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: standings(database, bound, budget_id=budget_id, **ask))

    def standings(self, **ask: Unpack[StandingsAsk]) -> Job[Page[Standing]]:
        """How every policy in force stands, each as a whole."""
        database, bound = self.books.database, self.caller.bound
        return Job(read=lambda: standings(database, bound, **ask))
