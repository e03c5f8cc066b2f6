"""Acts about alerts.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers_alerts import Alert, AlertCheck, AlertSettings
from budget.domain.answers_origins import Origin
from budget.domain.answers_pages import Page
from budget.domain.asks_alerts import AcknowledgeAsk, AlertSettingsAsk, DismissAsk


class AlertActs(Protocol):
    """The methods."""

    def alert(self, alert_id: str) -> Act[Alert]:
        """One alert."""

    def alerts(
        self, *, budget_id: str | None = None, policy_id: str | None = None,
        kind: str | None = None, type: str | None = None, severity: str | None = None,
        acknowledged: bool | None = None, status: str | None = None, since: str | None = None,
        until: str | None = None, limit: int = 100, cursor: str | None = None,
    ) -> Act[Page[Alert]]:  # fmt: skip
        """Alerts, newest first: those that nobody has seen to and that still hold, unless asked
        for others.
        """

    def explain_alert(self, alert_id: str) -> Act[Origin]:
        """Say what an alert came from: which components, models, agents, sessions and keys spent
        what before it was raised, and the way that leads from it to the greatest of them.
        """

    def acknowledge_alert(self, alert_id: str, **ask: Unpack[AcknowledgeAsk]) -> Act[Alert]:
        """Say that somebody has seen an alert, and perhaps what is done about it."""

    def dismiss_alert(self, alert_id: str, **ask: Unpack[DismissAsk]) -> Act[Alert]:
        """Put an alert away: it is no longer listed unless asked for."""

    def check_alerts(
        self, *, budget_id: str | None = None, period: str | None = None
    ) -> Act[AlertCheck]:
        """Look now for what should be alerted of and was not, of all balances or of those of a
        budget or a period; the alerts that this raises. Looking at all resolves what is over too.

        A service looks by itself every 30 seconds.
        """

    def alert_settings(self) -> Act[AlertSettings]:
        """Which kinds of alerts are raised, how severe each is, and what a runaway is."""

    def change_alert_settings(self, **ask: Unpack[AlertSettingsAsk]) -> Act[AlertSettings]:
        """Change the settings given, on every node at once; null sets one back to its default."""
