"""Routes of alerts: what people should see, and what they say to it."""

from typing import Final, TypedDict

from budget.domain import shapes
from budget.domain import shapes_alerts as alert_shapes
from budget.domain import shapes_origins as origin_shapes
from budget.domain.asks_alerts import AcknowledgeAsk, AlertSettingsAsk, DismissAsk
from budget.domain.errors import InvalidInput
from budget.domain.wire import alerts as wire
from budget.engine.jobs import Jobs
from budget.http import handlers, neighbours
from budget.http.calls import Answered, Call, act
from budget.http.queries import flag, text
from budget.http.route import PAGED, V1, Route


class CheckAsk(TypedDict, total=False):
    """What to look at; all of it unless said."""

    budget_id: str
    period: str


async def check(call: Call) -> Answered:
    """Look now for what should be alerted of and was not; the alerts that this raises."""
    # The original took these in the query.
    for name in sorted(call.query.keys() & call.ask.keys()):
        raise InvalidInput(name, "is in the query and in the body; give one of them.")
    job = call.jobs.check_alerts(**call.query, **call.ask)
    return Answered(wire.alert_check(await call.run(job)))


dismiss = act(Jobs.dismiss_alert, wire.changed_alert)

ALERTS: Final[tuple[Route, ...]] = (
    Route("GET", f"{V1}/alerts", "read", act(Jobs.alerts, handlers.page_of(wire.alert)),
          answer=shapes.PageShape,
          query={**PAGED, "status": text, "acknowledged": flag, "budget_id": text,
                 "policy_id": text, "kind": text, "type": text, "severity": text,
                 "since": text, "until": text}),
    Route("POST", f"{V1}/alerts/check", "manage", check, CheckAsk, alert_shapes.AlertCheckShape,
          query={"budget_id": text, "period": text}),
    Route("GET", f"{V1}/alerts/settings", "read",
          act(Jobs.alert_settings, wire.alert_settings),
          answer=alert_shapes.AlertSettingsShape),
    Route("PUT", f"{V1}/alerts/settings", "manage",
          act(Jobs.change_alert_settings, wire.changed_alert_settings),
          AlertSettingsAsk, alert_shapes.ChangedAlertSettingsShape),
    Route("GET", f"{V1}/alerts/{{alert_id}}", "read", act(Jobs.alert, wire.alert),
          answer=alert_shapes.AlertShape),
    Route("GET", f"{V1}/alerts/{{alert_id}}/explain", "read", neighbours.explain_alert,
          answer=origin_shapes.OriginShape),
    Route("POST", f"{V1}/alerts/{{alert_id}}/acknowledge", "manage",
          act(Jobs.acknowledge_alert, wire.changed_alert),
          AcknowledgeAsk, alert_shapes.ChangedAlertShape),
    Route("PUT", f"{V1}/alerts/{{alert_id}}/dismiss", "manage", dismiss,
          DismissAsk, alert_shapes.ChangedAlertShape),
    Route("DELETE", f"{V1}/alerts/{{alert_id}}", "manage", dismiss,
          answer=alert_shapes.ChangedAlertShape),
)  # fmt: skip
