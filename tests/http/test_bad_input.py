"""Bad input is told of by field, with what would do; nothing of it is ever written."""

import itertools
from typing import Any

import pytest

from tests.http.running import Json, Running

BUDGET = {"name": "B", "policies": [{"unit": "usd", "period": "daily", "limit": "1"}]}
numbers = itertools.count(1)


def with_policy(**given: Any) -> Json:
    return {"name": "B", "policies": [{"unit": "usd", "period": "daily", "limit": "1", **given}]}


def refused(
    service: Running, method: str, path: str, body: Any = None, *, status: int = 422
) -> Json:
    before = service.written()
    answer = service.client.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.written() == before
    problem: Json = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


# --- Nothing there -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/allocations/{}"), ("POST", "/allocations/{}/usage"),
        ("POST", "/allocations/{}/release"), ("POST", "/allocations/{}/extend"),
        ("GET", "/usage/{}"), ("POST", "/usage/{}/correct"), ("GET", "/budgets/{}"),
        ("PATCH", "/budgets/{}"), ("PUT", "/budgets/{}"), ("DELETE", "/budgets/{}"),
        ("GET", "/policies/{}"), ("PATCH", "/policies/{}"), ("DELETE", "/policies/{}"),
        ("POST", "/policies/{}/top-ups"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "name", ["nothing", "x" * 128, "x" * 129, "%00", "%20", "'--", "%F0%9F%98%80", "%ff", "a%2Fb"]
)
def test_an_unknown_thing_is_404_by_its_kind(
    shared: Running, method: str, path: str, name: str
) -> None:
    body = {
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "extend": {"ttl_seconds": 60},
        "correct": {"reason": "x"},
        "top-ups": {"amount": 1, "reason": "x"},
    }.get(path.rsplit("/", 1)[1], {})
    problem = refused(shared, method, path.format(name), body, status=404)
    assert problem["code"] in ("not_found", "no_route")


def test_a_policy_for_an_unknown_budget_is_404(shared: Running) -> None:
    policy = {"budget_id": "bud_nothing", "unit": "usd", "period": "daily", "limit": "1"}
    assert refused(shared, "POST", "/policies", policy, status=404)["code"] == "not_found"
    child = {"parent_id": "alloc_nothing", "tokens": 1}
    assert refused(shared, "POST", "/allocations", child, status=404)["code"] == "not_found"


# --- Not known -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field", "allowed"),
    [
        (with_policy(unit="euros"), "policies[0].unit", "input_tokens"),
        (with_policy(period="fortnightly"), "policies[0].period", "quarterly"),
        (with_policy(period="rolling:0s"), "policies[0].period", "rolling:<n>s"),
        (with_policy(enforcement="strict"), "policies[0].enforcement", "soft_limit"),
        (with_policy(on_expiry="keep"), "policies[0].on_expiry", "assume"),
        (with_policy(rollover="all"), "policies[0].rollover", "unused"),
        (with_policy(colour="red"), "policies[0].colour", "warning_threshold"),
        (with_policy(timezone="Europe/Berln"), "policies[0].timezone", "Europe/Berlin"),
        (with_policy(timezone="Mars/X"), "policies[0].timezone", "Europe/…"),
        (with_policy(timezone=7), "policies[0].timezone", "UTC"),
        (with_policy(period="monthly", reset_day=31), "policies[0].reset_day", '"last"'),
        (with_policy(reset_day=1), "policies[0].reset_day", None),
        (
            with_policy(reserved_for_priority={"11": "1%"}),
            "policies[0].reserved_for_priority",
            None,
        ),
        ({**BUDGET, "scope": {"colour": "red"}}, "scope", "tag.<name>"),
        ({**BUDGET, "per": ["colour"]}, "per", "session"),
        ({**BUDGET, "unpriced": "maybe"}, "unpriced", "refuse"),
        ({**BUDGET, "colour": "red"}, "colour", "policies"),
        ({"policies": BUDGET["policies"]}, "name", None),
        ({"name": "B"}, "policies", None),
        ({"name": "B", "policies": []}, "policies", None),
        ({"name": "B", "policies": {}}, "policies", None),
        ({"name": "B", "policies": ["usd"]}, "policies[0]", None),
        ({**BUDGET, "name": ""}, "name", None),
        ({**BUDGET, "name": "x" * 201}, "name", None),
        ({**BUDGET, "name": "a\x00b"}, "name", None),
        ({**BUDGET, "description": "a\x00b"}, "description", None),
        ({**BUDGET, "owner": ["ann"]}, "owner", None),
        ({**BUDGET, "metadata": []}, "metadata", None),
        ({**BUDGET, "metadata": {"x": "y" * 5_000}}, "metadata", None),
        ({**BUDGET, "scope": {"org": []}}, "scope.org", None),
        ({**BUDGET, "scope": {"org": 7}}, "scope.org", None),
        ({**BUDGET, "scope": {"org": "a\x00"}}, "scope.org", None),
        ({**BUDGET, "scope": ["org"]}, "scope", None),
        (with_policy(limit=None), "policies[0].limit", None),
    ],
)
def test_a_budget_that_cannot_be_is_refused_by_field(
    shared: Running, body: Json, field: str, allowed: str | None
) -> None:
    problem = refused(shared, "POST", "/budgets", body)
    assert (problem["code"], problem["field"]) == ("invalid_input", field)
    if allowed is not None:
        assert allowed in problem["allowed"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"attributes": {"colour": "red"}}, "attributes"),
        ({"attributes": {"user": 7}}, "attributes.user"),
        ({"attributes": {"user": ""}}, "attributes.user"),
        ({"attributes": {"user": "x" * 257}}, "attributes.user"),
        ({"attributes": {"user": "a\nb"}}, "attributes.user"),
        ({"attributes": {"tag.": "x"}}, "attributes"),
        ({"attributes": {f"tag.t{n}": "x" for n in range(51)}}, "attributes"),
        ({"attributes": []}, "attributes"),
        ({"attributes": ""}, "attributes"),
        ({"attributes": 0}, "attributes"),
        ({"attributes": "org=a"}, "attributes"),
        ({"model": ["m"], "tokens": 1}, "model"),
        ({"model": "m" * 257, "tokens": 1}, "model"),
        ({"provider": "", "tokens": 1}, "provider"),
        ({"user_id": "ann", "attributes": {"user": "bob"}}, "user_id"),
        ({"allocation_id": "", "tokens": 1}, "allocation_id"),
        ({"allocation_id": "a b", "tokens": 1}, "allocation_id"),
        ({"allocation_id": 7, "tokens": 1}, "allocation_id"),
        ({"parent_id": "'", "tokens": 1}, "parent_id"),
        ({"envelope": "yes", "usd": "1"}, "envelope"),
        ({"envelope": True}, "envelope"),
        ({"fit": 1, "input_tokens": 1, "max_output_tokens": 1}, "fit"),
        ({"metadata": "x", "tokens": 1}, "metadata"),
        ({"metadata": {"x": "y" * 5_000}, "tokens": 1}, "metadata"),
        ({"tokens": 1, "tokens_allocated": 2}, "tokens_allocated"),
        ({"tokens": 1, "input_tokens": 1, "max_output_tokens": 1}, "tokens"),
        ({"max_output_tokens": 1}, "input_tokens"),
        ({"colour": "red"}, "colour"),
        ({"self": 1}, "self"),
        ({"kwargs": 1}, "kwargs"),
        ({"final": True, "tokens": 1}, "final"),
    ],
)
def test_a_call_that_cannot_be_is_refused_by_field(shared: Running, body: Json, field: str) -> None:
    for path in ("/allocations", "/check"):
        assert refused(shared, "POST", path, body)["field"] == field


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\nb", " a", 7, ["a"]])
def test_a_key_that_cannot_be_is_refused(shared: Running, key: object) -> None:
    body = {"idempotency_key": key, "tokens": 1}
    assert refused(shared, "POST", "/allocations", body)["field"] == "idempotency_key"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "input_tokens"),
        ({"input_tokens": 1, "output_tokens": 1, "final": "yes"}, "final"),
        ({"input_tokens": 1, "output_tokens": 1, "usage_id": "a b"}, "usage_id"),
        ({"input_tokens": 1, "output_tokens": 1, "occurred_at": "yesterday"}, "occurred_at"),
        ({"input_tokens": 1, "output_tokens": 1, "occurred_at": 1_700_000_000}, "occurred_at"),
        ({"input_tokens": 1, "output_tokens": 1, "occurred_at": "2026-02-30T00:00:00Z"},
         "occurred_at"),
        ({"input_tokens": 1, "output_tokens": 1, "occurred_at": "9000-01-01T00:00:00Z"},
         "occurred_at"),
        ({"input_tokens": 1, "output_tokens": 1, "cache_read_tokens": 2}, "input_tokens"),
        ({"input_tokens": 1, "output_tokens": 1, "reasoning_tokens": 2}, "output_tokens"),
        ({"input_tokens": 1, "output_tokens": 1, "allocation_id": "x"}, "allocation_id"),
        ({"input_tokens": 1, "output_tokens": 1, "colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_usage_that_cannot_be_is_refused_by_field(shared: Running, body: Json, field: str) -> None:
    held = shared.post("/allocations", {"tokens": 1})
    path = f"/allocations/{held['allocation_id']}/usage"
    assert refused(shared, "POST", path, body)["field"] == field
    if "final" not in body:
        assert refused(shared, "POST", "/usage", body)["field"] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": 1}, "reason"),
        ({"amount": 1, "reason": ""}, "reason"),
        ({"amount": 1, "reason": "x" * 1_001}, "reason"),
        ({"amount": 1, "reason": "a\x00b"}, "reason"),
        ({"amount": 1, "reason": 7}, "reason"),
        ({"reason": "x"}, "amount"),
        ({"amount": 0, "reason": "x"}, "amount"),
        ({"amount": 1, "reason": "x", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"amount": 1, "reason": "x", "until": "soon"}, "until"),
        ({"amount": 1, "reason": "x", "partition": {"user": "ann"}}, "partition.user"),
        ({"amount": 1, "reason": "x", "partition": "ann"}, "partition"),
        ({"amount": 1, "reason": "x", "colour": "red"}, "colour"),
    ],
)
def test_a_top_up_that_cannot_be_is_refused_by_field(
    shared: Running, body: Json, field: str
) -> None:
    budget = shared.budget(scope={"org": f"top-{next(numbers)}"})
    path = f"/policies/{budget['policies'][0]['policy_id']}/top-ups"
    assert refused(shared, "POST", path, body)["field"] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "x", "replacement": []}, "replacement"),
        ({"reason": "x", "replacement": {"colour": 1}}, "replacement.colour"),
        ({"reason": "x", "replacement": {"cost": "-1"}}, "replacement.cost"),
        ({"reason": "x", "replacement": {"cache_read_tokens": 9}}, "replacement.input_tokens"),
        ({"reason": "x", "usage_id": "y"}, "usage_id"),
    ],
)
def test_a_correction_that_cannot_be_is_refused_by_field(
    shared: Running, body: Json, field: str
) -> None:
    receipt = shared.post("/usage", {"input_tokens": 1, "output_tokens": 1})
    path = f"/usage/{receipt['usage_id']}/correct"
    assert refused(shared, "POST", path, body)["field"] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "extend"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": 86_401}, "ttl_seconds"),
        ({"max_output_tokens": 1, "usd": "1"}, "max_output_tokens"),
        ({"reason": "x"}, "reason"),
    ],
)
def test_an_extension_that_cannot_be_is_refused_by_field(
    shared: Running, body: Json, field: str
) -> None:
    held = shared.post("/allocations", {"tokens": 1})
    path = f"/allocations/{held['allocation_id']}/extend"
    assert refused(shared, "POST", path, body)["field"] == field


def test_a_policy_needs_a_budget_and_a_budget_takes_no_policies_when_it_changes(
    shared: Running,
) -> None:
    policy = {"unit": "usd", "period": "daily", "limit": "1"}
    assert refused(shared, "POST", "/policies", policy)["field"] == "budget_id"
    assert refused(shared, "POST", "/policies", {**policy, "budget_id": 7})["field"] == "budget_id"
    budget = shared.budget(scope={"org": "change"})
    change = {"policies": [policy]}
    path = f"/budgets/{budget['budget_id']}"
    assert refused(shared, "PATCH", path, change)["field"] == "policies"


# --- States --------------------------------------------------------------------------------------


def test_what_has_ended_is_409(shared: Running) -> None:
    held = shared.post("/allocations", {"tokens": 1})
    path = f"/allocations/{held['allocation_id']}"
    shared.post(f"{path}/release", status=200)
    problem = refused(shared, "POST", f"{path}/extend", {"ttl_seconds": 60}, status=409)
    assert problem["code"] == "not_open"
    budget = shared.budget(scope={"org": "ended"})
    shared.client.delete(f"/api/v1/budgets/{budget['budget_id']}")
    again = refused(shared, "PATCH", f"/budgets/{budget['budget_id']}", {"name": "x"}, status=409)
    assert again["code"] == "archived"


def test_an_id_chosen_twice_for_different_calls_is_422(shared: Running) -> None:
    shared.post("/allocations", {"allocation_id": "mine-1", "tokens": 1})
    body = {"allocation_id": "mine-1", "tokens": 2}
    problem = refused(shared, "POST", "/allocations", body)
    assert problem["code"] == "idempotency_key_reused"


# --- Queries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "field", "allowed"),
    [
        ("/budgets", "page=1", "page", "cursor"),
        ("/budgets", "limit=0", "limit", None),
        ("/budgets", "limit=1001", "limit", None),
        ("/budgets", "limit=-1", "limit", None),
        ("/budgets", "limit=1.5", "limit", None),
        ("/budgets", "limit=%D9%A1", "limit", None),
        ("/budgets", "limit=", "limit", None),
        ("/budgets", "limit=1&limit=2", "limit", None),
        ("/budgets", "limit=" + "9" * 400, "limit", None),
        ("/budgets", "archived=maybe", "archived", "true"),
        ("/budgets", "cursor=xyz", "cursor", None),
        ("/budgets", "cursor=%00", "cursor", None),
        ("/budgets", "owner=%00", "owner", None),
        ("/budgets", "owner=%ff", "query", None),
        ("/allocations", "status=gone", "status", "settled"),
        ("/allocations", "session=%00", "session", None),
        ("/usage", "since=today", "since", None),
        ("/usage", "until=2026-13-01T00:00:00Z", "until", None),
        ("/events", "after=1", "after", None),
        ("/events", "after=ent_ffffffffffffffff", "after", None),
        ("/events", "limit=0", "limit", None),
        ("/status", "colour=red", "colour", "tag.<name>"),
        ("/status", "user=", "user", None),
        ("/status", "user=%00", "user", None),
        ("/status", "user=a&user=b", "user", None),
        ("/status", "limit=1", "limit", "org"),
        ("/verify", "deep=1", "deep", None),
        ("/usage/x", "full=1", "full", None),
        ("/budgets", "&".join(f"a{n}=1" for n in range(200)), "query", None),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_name(
    shared: Running, path: str, query: str, field: str, allowed: str | None
) -> None:
    problem = refused(shared, "GET", f"{path}?{query}")
    assert problem["field"] == field
    if allowed is not None:
        assert allowed in problem["allowed"]


def test_a_post_takes_no_parameters(shared: Running) -> None:
    assert refused(shared, "POST", "/allocations?tokens=1", {"tokens": 1})["field"] == "tokens"
