"""Alerts over HTTP: their shape, both spellings of names, rights, and what a bound key sees."""

from typing import Any

import pytest

from tests.http.running import Json, Running

MODEL = {"provider": "acme", "model": "m"}


def overspent(service: Running, *, team: str, **given: Any) -> Json:
    """A budget of 0.01 USD a day for a team, split by it, of which 0.012 are spent."""
    policy = {"unit": "usd", "period": "daily", "limit": "0.01", "enforcement": "warn", **given}
    made = service.post(
        "/budgets",
        {"name": f"Team {team}", "scope": {"team": team}, "policies": [policy],
         "unpriced": {"input": "10", "output": "10"}},
    )  # fmt: skip
    service.post("/usage", {**MODEL, "attributes": {"team": team}, "input_tokens": 1200})
    return made


def of(service: Running, budget: Json, **asked: str) -> dict[str, Json]:
    """The alerts of a budget by kind."""
    items = service.get("/alerts", budget_id=budget["budget_id"], **asked)["items"]
    return {alert["kind"]: alert for alert in items}


def test_an_alert_lives_through_all_its_routes(service: Running) -> None:
    budget = overspent(service, team="a")
    found = of(service, budget)
    assert found.keys() == {"warning", "action", "limit"}
    alert = found["limit"]
    assert alert == {
        "alert_id": alert["alert_id"],
        "kind": "limit",
        "type": "cost_limit_exceeded",
        "severity": "error",
        "status": "open",
        "message": "Team a: the daily limit of 0.01 USD is reached: 0.012 USD is spent.",
        "budget_id": budget["budget_id"],
        "policy_id": budget["policies"][0]["policy_id"],
        "partition": {},
        "subject": None,
        "window_start": alert["timestamp"][:10] + "T00:00:00Z",
        "details": {
            "unit": "usd", "limit": "0.01", "spent": "0.012", "reserved": "0.00",
            "assumed": "0.00", "overrun": "0.00", "used": "0.012", "usage_percentage": "1.2",
        },
        "timestamp": alert["timestamp"],
        "acknowledged": False,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "note": None,
        "dismissed_by": None,
        "dismissed_at": None,
        "resolved_at": None,
    }  # fmt: skip
    path = f"/alerts/{alert['alert_id']}"
    assert service.get(path) == alert
    seen = service.post(f"{path}/acknowledge", {"note": "looking"}, status=200)
    assert (seen["status"], seen["acknowledged"], seen["note"]) == (
        "acknowledged", True, "looking",
    )  # fmt: skip
    assert seen["replayed"] is False
    assert service.post(f"{path}/acknowledge", status=200)["replayed"] is True
    assert of(service, budget).keys() == {"warning", "action"}
    assert of(service, budget, acknowledged="true").keys() == {"limit"}
    gone = service.client.put(f"/api/v1/alerts/{found['warning']['alert_id']}/dismiss").json()
    assert gone["status"] == "dismissed"
    gone = service.client.delete(f"/api/v1/alerts/{found['action']['alert_id']}").json()
    assert gone["dismissed_at"] is not None
    assert of(service, budget) == {}
    assert of(service, budget, status="dismissed").keys() == {"warning", "action"}
    kinds = [event["kind"] for event in service.get("/events", limit="1000")["items"]]
    assert [kind for kind in kinds if kind.startswith("alert_")] == [
        *["alert_raised"] * 3, "alert_acknowledged", "alert_dismissed", "alert_dismissed",
    ]  # fmt: skip
    assert service.get("/verify")["clean"]


def test_figures_of_an_event_about_an_alert_are_amounts(fresh: Running) -> None:
    overspent(fresh, team="a")
    events = fresh.get("/events", kind="alert_raised")["items"]
    (limit,) = [event for event in events if event["detail"]["alert"] == "limit"]
    assert limit["detail"]["spent"] == "0.012"
    assert limit["detail"]["overrun"] == "0.00"
    assert limit["policy_id"] is not None


def test_looking_answers_the_alerts_that_it_raises(fresh: Running) -> None:
    settings = fresh.client.put("/api/v1/alerts/settings", json={"off": ["limit"]})
    assert settings.json()["off"] == ["limit"]
    budget = overspent(fresh, team="a")
    assert "limit" not in of(fresh, budget)
    fresh.client.put("/api/v1/alerts/settings", json={"off": None})
    other = {"budgetId": budget["budget_id"], "period": "monthly"}
    assert fresh.post("/alerts/check", other, status=200) == {"items": [], "resolved": 0}
    found = fresh.post(f"/alerts/check?budget_id={budget['budget_id']}", status=200)
    assert [alert["kind"] for alert in found["items"]] == ["limit"]
    assert fresh.post("/alerts/check", {}, status=200)["items"] == []


def test_what_to_look_at_is_said_once(shared: Running) -> None:
    told = shared.post("/alerts/check?period=X", {"period": "daily"}, status=422)
    assert told["detail"] == "period: is in the query and in the body; give one of them."
    assert shared.post("/alerts/check?period=daily", {}, status=200)["items"] == []


def test_settings_are_shown_as_they_count_and_changed_in_either_spelling(fresh: Running) -> None:
    shown = fresh.get("/alerts/settings")
    assert (shown["runaway_factor"], shown["runaway_floor"], shown["off"]) == (10, "1.00", [])
    assert shown["severities"]["limit"] == "error"
    asked = {"runawayFactor": 20, "runawayFloor": 2.5, "severities": {"cost_differs": "info"}}
    changed = fresh.client.put("/api/v1/alerts/settings", json=asked).json()
    assert changed.pop("replayed") is False
    assert changed == fresh.get("/alerts/settings")
    assert (changed["runaway_factor"], changed["runaway_floor"]) == (20, "2.50")
    assert changed["severities"]["cost_differs"] == "info"


def test_a_bound_key_sees_its_own_and_of_others_what_is_missing(shared: Running) -> None:
    own, theirs = overspent(shared, team="own"), overspent(shared, team="theirs")
    made = shared.post("/keys", {"name": "own", "scopes": ["read", "manage"],
                                 "bound": {"team": "own"}})  # fmt: skip
    headers = {"X-API-Key": made["key"]}

    def ask(method: str, path: str, **body: Any) -> Any:
        return shared.client.request(method, f"/api/v1{path}", headers=headers, **body)

    seen = ask("GET", "/alerts?limit=1000").json()["items"]
    assert {alert["budget_id"] for alert in seen} == {own["budget_id"]}
    other = of(shared, theirs)["limit"]["alert_id"]
    for method, path in (
        ("GET", "/alerts/{}"), ("POST", "/alerts/{}/acknowledge"),
        ("PUT", "/alerts/{}/dismiss"), ("DELETE", "/alerts/{}"),
    ):  # fmt: skip
        told = ask(method, path.format(other))
        missing = ask(method, path.format("alert_0"))
        assert told.status_code == missing.status_code == 404
        assert told.json()["detail"].replace(other, "alert_0") == missing.json()["detail"]
    assert ask("PUT", "/alerts/settings", json={"off": []}).status_code == 403
    assert ask("POST", f"/alerts/{seen[0]['alert_id']}/acknowledge").status_code == 200
    assert of(shared, theirs)["limit"]["status"] == "open"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/alerts?status=shut", None),
        ("GET", "/alerts?acknowledged=perhaps", None),
        ("GET", "/alerts?kind=thing", None),
        ("GET", "/alerts?since=yesterday", None),
        ("GET", "/alerts?limit=0", None),
        ("POST", "/alerts/check", {"period": "fortnightly"}),
        ("POST", "/alerts/check", {"period": 5}),
        ("POST", "/alerts/check", {"budget_id": 5}),
        ("POST", "/alerts/check", {"budget": "x"}),
        ("PUT", "/alerts/settings", {"off": {"limit": True}}),
        ("PUT", "/alerts/settings", {"runaway_factor": 10**30}),
        ("PUT", "/alerts/settings", {"runaway_floor": "1e999999"}),
        ("PUT", "/alerts/settings", {"severities": {"limit": {}}}),
    ],
)
def test_bad_input_is_422(shared: Running, method: str, path: str, body: Any) -> None:
    answer = shared.client.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code == 422, answer.text
