"""Alert jobs: the methods of the facade about alerts."""

from typing import Unpack

from budget.domain.answers_alerts import Alert, AlertCheck, AlertSettings
from budget.domain.answers_origins import Origin
from budget.domain.answers_pages import Page
from budget.domain.asks_alerts import AcknowledgeAsk, AlertSettingsAsk, DismissAsk
from budget.domain.errors import Forbidden, InvalidInput, NotFound
from budget.domain.rights import sees_budget
from budget.domain.windows import parse_period
from budget.engine import live_settings, origins
from budget.engine.alerts import acts, reports, rows, settings, watching
from budget.engine.alerts.passing import Where
from budget.engine.callers import require_unbound
from budget.engine.job import Job, Maker
from budget.engine.snapshots import snapshot


class AlertJobs(Maker):
    """The methods about alerts. Raise InvalidInput at once for bad input."""

    def alert(self, alert_id: str) -> Job[Alert]:
        """One alert."""
        return Job(read=lambda: reports.alert(self.books, alert_id, self.caller.bound))

    def alerts(
        self, *, budget_id: str | None = None, policy_id: str | None = None,
        kind: str | None = None, type: str | None = None, severity: str | None = None,
        acknowledged: bool | None = None, status: str | None = None, since: str | None = None,
        until: str | None = None, limit: int = 100, cursor: str | None = None,
    ) -> Job[Page[Alert]]:  # fmt: skip
        """Alerts, newest first: those that nobody has seen to and that still hold, unless asked
        for others.
        """
        return Job(
            read=lambda: reports.alerts(
                self.books, self.caller.bound, budget_id=budget_id, policy_id=policy_id,
                kind=kind, type=type, severity=severity, acknowledged=acknowledged,
                status=status, since=since, until=until, limit=limit, cursor=cursor,
            )
        )  # fmt: skip

    def explain_alert(self, alert_id: str) -> Job[Origin]:
        """Say what an alert came from: which components, models, agents, sessions and keys spent
        what before it was raised, and the way that leads from it to the greatest of them.
        """
        return Job(read=lambda: origins.origin(self.books, alert_id, self.caller.bound))

    def acknowledge_alert(self, alert_id: str, **ask: Unpack[AcknowledgeAsk]) -> Job[Alert]:
        """Say that somebody has seen an alert, and perhaps what is done about it."""
        return Job(change=acts.acknowledging(alert_id, ask, self.caller))

    def dismiss_alert(self, alert_id: str, **ask: Unpack[DismissAsk]) -> Job[Alert]:
        """Put an alert away: it is no longer listed unless asked for."""
        return Job(change=acts.dismissing(alert_id, ask, self.caller))

    def check_alerts(
        self, *, budget_id: str | None = None, period: str | None = None
    ) -> Job[AlertCheck]:
        """Look now for what should be alerted of and was not, of all balances or of those of a
        budget or a period; the alerts that this raises. Looking at all resolves what is over too.

        A service looks by itself every 30 seconds.
        """
        caller = self.caller
        if not caller.manage:
            raise Forbidden("This key may not look for alerts; use one with the right `manage`.")
        if budget_id is not None and not isinstance(budget_id, str):
            raise InvalidInput("budget_id", "must be the id of a budget.")
        named = None if period is None else parse_period(period).text
        where = Where(budget_id, named, caller.bound)

        def prepare() -> Job[AlertCheck]:
            self._check_seen(budget_id)
            return Job(change=watching.carrying_out(watching.look(self.books, where)))

        return Job(prepare=prepare)

    def alert_settings(self) -> Job[AlertSettings]:
        """Which kinds of alerts are raised, how severe each is, and what a runaway is."""
        require_unbound(self.caller)
        return Job(read=lambda: settings.of(live_settings.read_all(self.books.database)))

    def change_alert_settings(self, **ask: Unpack[AlertSettingsAsk]) -> Job[AlertSettings]:
        """Change the settings given, on every node at once; null sets one back to its default."""
        database = self.books.database

        def seen(answer: AlertSettings) -> AlertSettings:
            live_settings.forget(database)
            return answer

        return Job(change=settings.changing(ask, self.caller), finish=seen)

    def _check_seen(self, budget_id: str | None) -> None:
        if budget_id is None:
            return
        with snapshot(self.books.database) as connection:
            found = rows.read_budgets(connection).get(budget_id)
        if found is None or not sees_budget(self.caller.bound, found):
            raise NotFound("budget", budget_id)
