"""Calls about alerts."""

from typing import Unpack

from budget.client.reading import alerts as read
from budget.client.reading.origins import origin
from budget.client.reading.parts import page
from budget.client.request import Request, act, at, get, once
from budget.domain.answers_alerts import Alert, AlertCheck, AlertSettings
from budget.domain.answers_origins import Origin
from budget.domain.answers_pages import Page
from budget.domain.asks_alerts import AcknowledgeAsk, AlertSettingsAsk, DismissAsk


class AlertCalls:
    """The methods."""

    def alert(self, alert_id: str) -> Request[Alert]:
        return get(at("/alerts/{}", alert_id), read.alert)

    def alerts(
        self, *, budget_id: str | None = None, policy_id: str | None = None,
        kind: str | None = None, type: str | None = None, severity: str | None = None,
        acknowledged: bool | None = None, status: str | None = None, since: str | None = None,
        until: str | None = None, limit: int = 100, cursor: str | None = None,
    ) -> Request[Page[Alert]]:  # fmt: skip
        query = {
            "budget_id": budget_id, "policy_id": policy_id, "kind": kind, "type": type,
            "severity": severity, "acknowledged": acknowledged, "status": status, "since": since,
            "until": until, "limit": limit, "cursor": cursor,
        }  # fmt: skip
        return get("/alerts", page(read.alert), query)

    def explain_alert(self, alert_id: str) -> Request[Origin]:
        return get(at("/alerts/{}/explain", alert_id), origin, patient=True)

    def acknowledge_alert(self, alert_id: str, **ask: Unpack[AcknowledgeAsk]) -> Request[Alert]:
        return act(at("/alerts/{}/acknowledge", alert_id), read.alert, ask)

    def dismiss_alert(self, alert_id: str, **ask: Unpack[DismissAsk]) -> Request[Alert]:
        return act(at("/alerts/{}/dismiss", alert_id), read.alert, ask, method="PUT")

    def check_alerts(
        self, *, budget_id: str | None = None, period: str | None = None
    ) -> Request[AlertCheck]:
        asked = {"budget_id": budget_id, "period": period}
        return once("/alerts/check", read.alert_check, _given(asked))

    def alert_settings(self) -> Request[AlertSettings]:
        return get("/alerts/settings", read.alert_settings)

    def change_alert_settings(self, **ask: Unpack[AlertSettingsAsk]) -> Request[AlertSettings]:
        return act("/alerts/settings", read.alert_settings, ask, method="PUT")


def _given(asked: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value is not None}
