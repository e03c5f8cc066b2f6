"""From a budget to a settled call and back: what each route answers."""

import re
from typing import Any

import pytest

from tests.http.running import Running

CALL = {
    "attributes": {"org": "acme", "user": "ann"},
    "provider": "openai",
    "model": "some-model",
    "input_tokens": 1_000,
    "max_output_tokens": 500,
}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


def test_a_call_is_held_settled_shown_and_proved(service: Running) -> None:
    budget = service.budget(
        {"unit": "usd", "period": "daily", "limit": "1"},
        {"unit": "tokens", "period": "monthly", "limit": 10_000, "enforcement": "warn"},
        scope={"org": "acme"},
        per=["user"],
    )
    held = service.post("/allocations", CALL)
    # 1000 x 2,500 + 500 x 10,000 nanos = 0.0075 USD
    assert held["reserved"] == {"usd": "0.0075", "tokens": 1_500, "requests": 1}
    assert (held["status"], held["granted_output_tokens"]) == ("open", 500)
    assert RFC3339.fullmatch(held["expires_at"])
    assert [leg["policy_id"] for leg in held["legs"]] == [
        policy["policy_id"] for policy in budget["policies"]
    ]
    assert held["legs"][0]["partition"] == {"user": "ann"}
    assert held["legs"][0]["remaining"] == "0.9925"

    path = f"/allocations/{held['allocation_id']}"
    receipt = service.post(f"{path}/usage", {"input_tokens": 1_000, "output_tokens": 100})
    # 1000 x 2,500 + 100 x 10,000 nanos = 0.0035 USD
    assert (receipt["cost"], receipt["flags"]) == ("0.0035", [])
    assert receipt["allocation"]["status"] == "settled"
    assert receipt["allocation"]["remaining"] == {"usd": "0.00", "tokens": 0, "requests": 0}

    status = service.get("/status", org="acme", user="ann")
    assert status["attributes"] == {"org": "acme", "user": "ann"}
    usd, tokens = status["balances"]
    assert (usd["spent"], usd["reserved"], usd["used_fraction"]) == ("0.0035", "0.00", "0.0035")
    assert (tokens["spent"], tokens["remaining"]) == (1_100, 8_900)

    shown = service.get(path)
    assert [record["usage_id"] for record in shown["records"]] == [receipt["usage_id"]]
    assert shown["children"] == []
    record = service.get(f"/usage/{receipt['usage_id']}")
    assert (record["output_tokens"], record["cost"]) == (100, "0.0035")
    assert [event["kind"] for event in service.get("/events")["items"]] == [
        "budget_created", "placed", "settled",
    ]  # fmt: skip
    found = service.post("/verify", status=200)
    assert (found["clean"], found["entries"], found["violations"]) == (True, 3, [])
    assert service.get("/verify")["clean"] is True


def test_a_call_may_be_recorded_in_parts_extended_and_released(service: Running) -> None:
    service.budget()
    held = service.post("/allocations", CALL)
    path = f"/allocations/{held['allocation_id']}"
    part = service.post(f"{path}/usage", {"input_tokens": 400, "output_tokens": 0, "final": False})
    assert part["allocation"]["status"] == "open"
    assert part["allocation"]["remaining"]["tokens"] == 1_100
    longer = service.post(
        f"{path}/extend", {"max_output_tokens": 50, "ttl_seconds": 60}, status=200
    )
    assert longer["granted_output_tokens"] == 550
    assert longer["reserved"]["tokens"] == 1_550
    released = service.post(f"{path}/release", {"reason": "not needed"}, status=200)
    assert released["status"] == "released"
    assert released["remaining"]["tokens"] == 0
    again = service.post(f"{path}/release", status=200)
    assert again["replayed"] is True


def test_usage_that_nobody_reserved_is_booked_and_listed(fresh: Running) -> None:
    fresh.budget()
    for path in ("/usage", "/usage/record"):
        receipt = fresh.post(path, {**CALL_USAGE, "context_id": "s1"})
        assert receipt["flags"] == ["unreserved"]
        assert receipt["allocation"] is None
    records = fresh.get("/usage", session="s1")["items"]
    assert len(records) == 2
    assert {record["attributes"]["session"] for record in records} == {"s1"}
    assert fresh.get("/usage", session="s2")["items"] == []


def test_usage_told_as_tekton_tells_it_goes_to_the_hold_of_its_context(fresh: Running) -> None:
    fresh.budget()
    who = {"context_id": "s2", "component": "x", "task_type": "chat"}
    held = fresh.post("/allocations", {**who, "tokens_allocated": 1000, "usd": "0.01"})
    told = {**who, **CALL_USAGE, "provider": "acme", "request_id": "r", "operation_id": "o"}
    booked = fresh.post("/usage/record", told)
    assert booked["allocation"]["allocation_id"] == held["allocation_id"]
    assert booked["allocation"]["status"] == "open"
    fresh.post(f"/allocations/{held['allocation_id']}/release", status=200)
    again = fresh.client.post("/api/record", json=told)
    assert (again.status_code, again.json()["usage_id"]) == (201, booked["usage_id"])
    assert len(fresh.get("/usage", session="s2")["items"]) == 1


CALL_USAGE = {"model": "some-model", "input_tokens": 10, "output_tokens": 1}


def test_a_record_is_corrected_once_with_its_replacement(fresh: Running) -> None:
    fresh.budget()
    receipt = fresh.post("/usage", CALL_USAGE)
    path = f"/usage/{receipt['usage_id']}/correct"
    corrected = fresh.post(path, {"reason": "miscounted", "replacement": {"outputTokens": 2}})
    # 10 x 2,500 + 2 x 10,000 nanos
    assert corrected["cost"] == "0.000045"
    assert fresh.get(f"/usage/{corrected['reversal_id']}")["reverses"] == receipt["usage_id"]
    assert fresh.get("/status")["balances"][0]["spent"] == "0.000045"
    again = fresh.post(path, {"reason": "miscounted"}, status=409)
    assert again["code"] == "already_corrected"


def test_budgets_and_policies_are_changed_listed_and_archived(service: Running) -> None:
    budget = service.budget(owner="ann")
    path = f"/budgets/{budget['budget_id']}"
    (policy,) = budget["policies"]
    for method in ("PATCH", "PUT"):
        answer = service.client.request(method, f"/api/v1{path}", json={"description": method})
        assert answer.json()["description"] == method
        answer = service.client.request(
            method, f"/api/v1/policies/{policy['policy_id']}", json={"warningThreshold": 0.5}
        )
        assert answer.json()["warning_threshold"] == "0.5"
    added = service.post(
        "/policies",
        {"budget_id": budget["budget_id"], "unit": "requests", "period": "minute", "limit": 5},
    )
    assert service.get(f"/policies/{added['policy_id']}")["limit"] == 5
    raised = service.post(
        f"/policies/{policy['policy_id']}/top-ups", {"amount": "2.5", "reason": "launch"}
    )
    assert (raised["amount"], raised["reason"], raised["partition"]) == ("2.50", "launch", None)
    counted = service.post(
        f"/policies/{added['policy_id']}/top-ups", {"amount": 2, "reason": "burst"}
    )
    assert counted["amount"] == 2
    assert service.client.delete(f"/api/v1/policies/{added['policy_id']}").json()["archived_at"]
    assert len(service.get("/budgets", owner="ann")["items"]) == 1
    assert service.get("/budgets", owner="bob")["items"] == []
    assert service.client.delete(f"/api/v1{path}").json()["archived_at"]
    assert service.get("/budgets")["items"] == []
    assert len(service.get("/budgets", archived="true")["items"]) == 1
    assert service.get(path)["archived_at"]


def test_an_envelope_pays_for_its_children(fresh: Running) -> None:
    fresh.budget()
    envelope = fresh.post("/allocations", {"envelope": True, "usd": "0.01"})
    inside = {**CALL, "parent_id": envelope["allocation_id"]}
    child = fresh.post("/allocations", inside)
    assert child["parent_id"] == envelope["allocation_id"]
    refused = fresh.post("/allocations", inside, status=402)
    assert (refused["code"], refused["parent_id"]) == (
        "envelope_exhausted", envelope["allocation_id"],
    )  # fmt: skip
    assert refused["resets_at"] is None
    shown = fresh.get(f"/allocations/{envelope['allocation_id']}")
    assert [one["allocation_id"] for one in shown["children"]] == [child["allocation_id"]]


def test_lists_are_paged_and_events_go_on_where_they_ended(service: Running) -> None:
    service.budget()
    placed = [service.post("/allocations", CALL)["allocation_id"] for _ in range(5)]
    seen: list[str] = []
    asked: dict[str, Any] = {"limit": 2}
    while True:
        page = service.get("/allocations", **asked)
        seen += [one["allocation_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    assert seen == placed[::-1]
    events = service.get("/events", limit=4)
    rest = service.get("/events", after=events["next_cursor"])
    assert len(events["items"]) + len(rest["items"]) == 6
    assert service.get("/events", after=rest["next_cursor"])["items"] == []
    assert [e["kind"] for e in service.get("/events", kind="budget_created")["items"]] == [
        "budget_created"
    ]


@pytest.mark.parametrize("path", ["/check", "/../check"])
def test_a_check_holds_nothing_and_says_200_either_way(fresh: Running, path: str) -> None:
    fresh.budget({"unit": "usd", "period": "daily", "limit": "0.01"})
    url = f"{fresh.url}/api/v1/check" if path == "/check" else f"{fresh.url}/api/check"
    before = fresh.written()
    allowed = fresh.client.post(url, json=CALL)
    assert (allowed.status_code, allowed.json()["allowed"]) == (200, True)
    assert allowed.json()["reserved"]["usd"] == "0.0075"
    refused = fresh.client.post(url, json={**CALL, "input_tokens": 10_000})
    assert (refused.status_code, refused.json()["allowed"]) == (200, False)
    # 10,000 x 2,500 + 500 x 10,000 nanos = 0.03 USD, 0.02 more than there is
    assert (refused.json()["requested"], refused.json()["shortfall"]) == ("0.03", "0.02")
    assert fresh.written() == before


def test_the_short_paths_are_the_same_acts(fresh: Running) -> None:
    fresh.budget()
    recorded = fresh.client.post(f"{fresh.url}/api/record", json=CALL_USAGE)
    assert recorded.status_code == 201
    status = fresh.client.get(f"{fresh.url}/api/status", params={"org": "acme"})
    assert status.json()["balances"][0]["spent"] == recorded.json()["cost"]


# --- Once ----------------------------------------------------------------------------------------


def test_the_same_key_gives_the_first_answer_again(fresh: Running) -> None:
    fresh.budget()
    headers = {"Idempotency-Key": "call-7"}
    first = fresh.client.post("/api/v1/allocations", json=CALL, headers=headers)
    again = fresh.client.post("/api/v1/allocations", json=CALL, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**first.json(), "replayed": True}
    inside = fresh.post("/allocations", {**CALL, "idempotency_key": "call-7"})
    assert inside["replayed"] is True
    other = fresh.client.post(
        "/api/v1/allocations", json={**CALL, "input_tokens": 1}, headers=headers
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_settling_twice_is_the_same_answer_or_a_conflict(fresh: Running) -> None:
    fresh.budget()
    held = fresh.post("/allocations", CALL)
    path = f"/allocations/{held['allocation_id']}/usage"
    first = fresh.post(path, {"input_tokens": 10, "output_tokens": 1})
    again = fresh.post(path, {"input_tokens": 10, "output_tokens": 1})
    assert (again["usage_id"], again["replayed"]) == (first["usage_id"], True)
    other = fresh.post(path, {"input_tokens": 10, "output_tokens": 2}, status=409)
    assert other["code"] == "already_settled"


def test_budgets_policies_and_top_ups_are_made_once_for_a_key(fresh: Running) -> None:
    def twice(path: str, asked: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        headers = {"Idempotency-Key": "b-1"}
        first, again = (
            fresh.client.request(method, f"/api/v1{path}", json=asked, headers=headers)
            for _ in range(2)
        )
        assert first.status_code == again.status_code
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        told: dict[str, Any] = first.json()
        assert told["replayed"] is False
        assert again.json() == {**told, "replayed": True}
        return told

    policy = {"unit": "usd", "period": "daily", "limit": "1"}
    budget_id = twice("/budgets", {"name": "Once", "policies": [policy]})["budget_id"]
    twice(f"/budgets/{budget_id}", {"name": "One"}, "PATCH")
    made = twice("/policies", {"budget_id": budget_id, **policy})
    twice(f"/policies/{made['policy_id']}", {"limit": "2"}, "PUT")
    twice(f"/policies/{made['policy_id']}/top-ups", {"amount": "1", "reason": "more"})
    (found,) = fresh.get("/budgets")["items"]
    assert [(p["limit"], len(p["top_ups"])) for p in found["policies"]] == [
        ("1.00", 0),
        ("2.00", 1),
    ]


def test_a_key_in_the_header_and_another_in_the_body_is_refused(fresh: Running) -> None:
    fresh.budget()
    answer = fresh.client.post(
        "/api/v1/allocations",
        json={**CALL, "idempotencyKey": "one"},
        headers={"Idempotency-Key": "two"},
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "idempotency_key")
    same = fresh.client.post(
        "/api/v1/allocations",
        json={**CALL, "idempotencyKey": "one"},
        headers={"Idempotency-Key": "one"},
    )
    assert same.status_code == 201


# --- The attribute `key` -------------------------------------------------------------------------


def test_a_call_carries_its_api_key_as_an_attribute_unless_it_names_another(
    fresh: Running,
) -> None:
    fresh.budget()
    key_id = "key_" + fresh.key[4:12]
    held = fresh.post("/allocations", CALL)
    assert held["attributes"]["key"] == key_id
    named = {**CALL, "attributes": {"org": "acme", "key": "mine"}}
    assert fresh.post("/allocations", named)["attributes"]["key"] == "mine"
    reported = fresh.post("/usage", CALL_USAGE)
    assert fresh.get(f"/usage/{reported['usage_id']}")["attributes"]["key"] == key_id


def test_a_child_keeps_the_key_of_its_envelope(fresh: Running) -> None:
    fresh.budget()
    envelope = fresh.post(
        "/allocations", {"envelope": True, "usd": "1", "attributes": {"key": "mine"}}
    )
    child = fresh.post("/allocations", {**CALL, "parent_id": envelope["allocation_id"]})
    assert child["attributes"]["key"] == "mine"
