"""Tools of what goes wrong: what is unusual, and why a call was refused."""

from typing import Final

from budget.domain.answers_alerts import Alert
from budget.domain.shapes_trials import ExplanationShape, MetLimitShape
from budget.domain.wire.alerts import alert
from budget.domain.wire.trials import explanation
from budget.mcp.answers import (
    AnomaliesShape,
    AnomalyShape,
    ExplainedLimitShape,
    ExplainedShape,
)
from budget.mcp.asking import Asking, Told
from budget.mcp.fields import text, whole
from budget.mcp.tool import Tool

UNUSUAL: Final = ("runaway", "loop", "exhausted_soon", "overrun", "unreserved", "cost_differs")
"""The kinds of alerts that are of something unusual, not of a threshold."""
_MOST: Final = 100
_MOST_TOLD: Final = 5
_LAST_REFUSAL: Final = "last-refusal"
_OVER_LIMIT: Final = "over_limit"


async def anomalies(call: Asking) -> Told:
    """List what is unusual: agents that run away or loop, limits that are reached too soon, usage
    beyond what was held or that nobody held, costs that differ from ours.
    """
    asked = call.only("budget_id", "since", "kind")
    status = "all" if "since" in asked else None
    limit = call.given.get("limit", 20)
    found: list[Alert] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await call.do(call.acts.alerts(**asked, status=status, limit=_MOST, cursor=cursor))
        found += [one for one in page.items if one.kind in UNUSUAL]
        cursor = page.next_cursor
        if cursor is None:
            break
    items = [_anomaly(one) for one in found[:limit]]
    after = (
        "budget_get_usage_analytics shows who spends what; a person should look at these."
        if items
        else "Nothing unusual is known of what this key can see."
        if call.guest.bound
        else "Nothing unusual is known."
    )
    body: AnomaliesShape = {"items": items, "next": after}
    return Told(body, " ".join((*(one["message"] for one in items[:_MOST_TOLD]), after)))


def _anomaly(one: Alert) -> AnomalyShape:
    told = alert(one)
    return {
        "alert_id": told["alert_id"],
        "kind": told["kind"],
        "severity": told["severity"],
        "message": told["message"],
        "subject": told["subject"],
        "budget_id": told["budget_id"],
        "at": told["timestamp"],
        "details": told["details"],
    }


async def explain(call: Asking) -> Told:
    """Say why a call was refused, or admitted: every limit that it met, with its figures just
    before. Without an id: the last refusal.
    """
    found = await call.do(call.acts.explain(call.given.get("call_id", _LAST_REFUSAL)))
    told = explanation(found)
    refusing = [one for one in told["limits"] if one["refused"]]
    after = _next(refusing[0]) if refusing else _unnamed(told, call.guest.unseen)
    body: ExplainedShape = {
        "verdict": told["verdict"],
        "code": told["code"],
        "at": told["at"],
        "times": told["times"],
        "attributes": told["attributes"],
        "allocation_id": told["allocation_id"],
        "limits": [_limit(one) for one in told["limits"]],
        "next": after,
    }
    said = [_said(one) for one in (refusing or told["limits"])[:_MOST_TOLD]]
    return Told(body, " ".join((f"The call was {told['verdict']} at {told['at']}.", *said, after)))


def _limit(one: MetLimitShape) -> ExplainedLimitShape:
    return {
        "budget": one["budget"],
        "budget_id": one["budget_id"],
        "policy_id": one["policy_id"],
        "unit": one["unit"],
        "period": one["period"],
        "enforcement": one["enforcement"],
        "limit": one["limit"],
        "spent": one["spent"],
        "reserved": one["reserved"],
        "assumed": one["assumed"],
        "requested": one["requested"],
        "shortfall": one["shortfall"],
        "refused": one["refused"],
    }


def _said(one: MetLimitShape) -> str:
    if one["usage_id"] is not None:
        return (
            f"{one['budget']}, {one['period']} {one['unit']}: {one['requested']} were spent of it "
            f"by {one['usage_id']}, of another model than was held for."
        )
    asked = "" if one["requested"] is None else f" {one['requested']} were asked for;"
    short = f" it was short by {one['shortfall']}." if one["refused"] else " it had room."
    return (
        f"{one['budget']}, {one['period']} {one['unit']}: {one['spent']} spent and "
        f"{one['reserved']} held of {one['limit']};{asked}{short}"
    )


def _next(one: MetLimitShape) -> str:
    end = one["window"]["end"]
    wait = "" if end is None else f"Wait until {end}, or "
    asked = f"budget_request_top_up, budget_id {one['budget_id']}, amount {one['shortfall']}"
    text_of = f"{wait}ask for more: {asked}."
    return text_of[0].upper() + text_of[1:]


def _unnamed(told: ExplanationShape, unseen: str) -> str:
    """What to do about a call of which no limit is named as the one that refused it."""
    if told["verdict"] != "refused":
        return "Nothing refused it."
    if told["code"] == _OVER_LIMIT and unseen:
        return (
            f"None of the limits that this key can see refused it. {unseen} Spend less, or ask "
            "whoever manages the budgets."
        )
    if told["code"] == _OVER_LIMIT:
        return "The limit that refused it is no longer there; try again."
    return f"No limit is named, for it was refused for another reason: {told['code']}."


WATCHING: Final = (
    Tool("budget_get_anomalies", "read", anomalies, AnomaliesShape,
         (text("kind", "One kind alone.", *UNUSUAL),
          text("budget_id", "Of this budget alone."),
          text("since", "From this instant on, RFC 3339; those that still hold unless said."),
          whole("limit", "At most so many; 20 unless said."))),
    Tool("budget_explain_refusal", "read", explain, ExplainedShape,
         (text("call_id", "The id of a hold or a usage record, or the cursor of a refusal."),)),
)  # fmt: skip
"""The tools."""
