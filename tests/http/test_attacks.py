"""Attacks: ways that a key bound to a team once saw, changed or gave more than was its own."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.http.running import Json, Running

A, B = {"team": "a"}, {"team": "b"}
ALL = ["read", "spend", "manage"]
DAILY = {"unit": "tokens", "period": "daily", "limit": 100}

Calling = Callable[..., tuple[int, Json]]


class Caller:
    """Who calls a service with a key of its own."""

    def __init__(self, service: Running, scopes: list[str], bound: dict[str, str], **more: Any):
        asked = {"name": "attacker", "scopes": scopes, "bound": bound, **more}
        made = service.post("/keys", asked)
        self.key_id: str = made["key_id"]
        self._url = service.url
        self._key = made["key"]

    def __call__(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Json]:
        answer = httpx2.request(
            method, f"{self._url}/api/v1{path}", json=body, timeout=30, trust_env=False,
            headers={"X-API-Key": key or self._key}, verify=False,
        )  # fmt: skip
        told: Json = answer.json()
        return answer.status_code, told


@pytest.fixture
def a(fresh: Running) -> Caller:
    return Caller(fresh, ALL, A)


@pytest.fixture
def b(fresh: Running) -> Caller:
    return Caller(fresh, ALL, B)


def test_whoever_manages_does_not_turn_a_channel_of_audit_events_to_itself(fresh: Running) -> None:
    wanted = {"kinds": ["key_created", "session_started"]}
    made = fresh.post(
        "/channels",
        {"name": "audit", "kind": "webhook", "url": "https://a.example.com/", "wanted": wanted},
    )
    of = f"/channels/{made['channel_id']}"
    manager = Caller(fresh, ["manage"], {})
    for method, path, body in (
        ("PATCH", of, {"url": "https://evil.example.com/"}), ("GET", of, None),
        ("POST", f"{of}/rotate-secret", {}), ("POST", f"{of}/test", {}), ("DELETE", of, None),
        ("POST", f"{of}/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("GET", f"{of}/deliveries", None),
    ):  # fmt: skip
        assert manager(method, path, body)[0] == 404, (method, path)
    assert manager("GET", "/channels")[1]["items"] == []
    assert fresh.get("/channels")["items"][0]["channel_id"] == made["channel_id"]


@pytest.mark.parametrize("change", [{"scope": A}, {"scope": A, "per": []}])
def test_a_budget_that_becomes_anothers_takes_nothing_of_its_past_along(
    fresh: Running, a: Caller, b: Caller, change: dict[str, Any]
) -> None:
    given = {"scope": B} if "per" not in change else {"per": ["team"]}
    budget = fresh.budget({**DAILY, "limit": 97_540}, name="was-b", **given)
    policy_id = budget["policies"][0]["policy_id"]
    assert b("POST", "/usage", {"input_tokens": 97_531})[0] == 201
    assert b("POST", "/allocations", {"tokens": 50})[0] == 402
    fresh.post(f"/policies/{policy_id}/top-ups", {"amount": 5, "reason": "b begged"})
    fresh.post(f"/budgets/{budget['budget_id']}/requests", {"amount": 9, "reason": "b wants more"})
    changed = fresh.client.patch(f"/api/v1/budgets/{budget['budget_id']}", json=change)
    assert changed.status_code == 200
    for path in (f"/policies/{policy_id}", f"/policies/{policy_id}/balances",
                 f"/policies/{policy_id}/top-ups"):  # fmt: skip
        assert a("GET", path)[0] == 404
    told = [
        a("GET", path)[1]
        for path in (
            "/alerts?status=all", "/events?limit=1000", "/requests", "/policies?archived=true",
            f"/budgets/{budget['budget_id']}", f"/budgets/{budget['budget_id']}/summary",
            f"/budgets/{budget['budget_id']}/policies?archived=true", "/status",
        )
    ]  # fmt: skip
    text = str(told)
    for secret in (policy_id, b.key_id, "b begged", "b wants more", "97531", "'b'"):
        assert secret not in text, secret
    assert budget["budget_id"] in text


def test_an_envelope_of_others_tells_nothing_when_it_is_empty(
    fresh: Running, a: Caller, b: Caller
) -> None:
    spender = Caller(fresh, ["spend"], {})
    envelope = spender("POST", "/allocations", {"tokens": 100, "envelope": True})[1]
    parent_id = envelope["allocation_id"]
    call = {"tokens": 10, "parent_id": parent_id, "attributes": A}
    mine = spender("POST", "/allocations", call)[1]["allocation_id"]
    spender("POST", "/allocations", {"tokens": 63, "parent_id": parent_id, "attributes": B})
    status, told = a("POST", f"/allocations/{mine}/extend", {"tokens": 50})
    assert (status, told["code"]) == (402, "envelope_exhausted")
    assert parent_id not in str(told)
    del told["at"]  # a time may well have a 27 in it
    assert "27" not in str(told)
    assert (told["limit"], told["requested"], told["shortfall"]) == (None, None, None)


def test_no_key_gives_more_priority_or_time_than_it_has(fresh: Running) -> None:
    high = fresh.post(
        "/keys", {"name": "high", "scopes": ["spend"], "bound": A, "max_priority": 10}
    )
    admin = Caller(fresh, ["admin"], A)
    status, told = admin("POST", f"/keys/{high['key_id']}/rotate", {"overlap_seconds": 0})
    assert (status, told["code"]) == (403, "forbidden")
    brief = Caller(fresh, ["admin"], {}, ttl_seconds=60)
    assert brief("POST", "/keys", {"name": "x", "scopes": ["admin"]})[0] == 403
    longer = {"expires_at": "2036-01-01T00:00:00Z"}
    assert brief("PATCH", f"/keys/{brief.key_id}", longer)[0] == 403
    assert brief("POST", "/keys", {"name": "x", "scopes": ["read"], "ttl_seconds": 30})[0] == 201


def test_nobody_who_is_bound_spends_as_another_key(fresh: Running, a: Caller, b: Caller) -> None:
    fresh.budget({**DAILY, "limit": 10}, name="of b", scope={"key": b.key_id})
    asked = {"input_tokens": 9, "attributes": {"key": b.key_id}}
    assert a("POST", "/usage", asked)[0] == 403
    assert b("POST", "/allocations", {"tokens": 5})[0] == 201


def test_a_request_on_all_of_a_shared_budget_is_no_event_for_one_of_its_teams(
    fresh: Running, a: Caller
) -> None:
    shared = fresh.budget(DAILY, name="shared", per=["team"])["budget_id"]
    asked = {"amount": 11, "reason": "b is short"}
    made = fresh.post(f"/budgets/{shared}/requests", asked)
    fresh.post(f"/requests/{made['request_id']}/reject", {"reason": "b must save"}, status=200)
    assert a("GET", f"/requests/{made['request_id']}")[0] == 404
    told = a("GET", "/events?limit=1000")[1]["items"]
    assert {event["kind"] for event in told} == {"budget_created"}
    assert "short" not in str(told)


def test_a_shared_budget_names_no_other_team(fresh: Running, a: Caller) -> None:
    teams = {"team": ["a", "b", "secret-c"]}
    shared = fresh.budget(DAILY, name="shared", scope=teams, per=["team"])["budget_id"]
    fresh.client.patch(f"/api/v1/budgets/{shared}", json={"description": "for three"})
    assert a("GET", f"/budgets/{shared}")[1]["scope"] == {"team": "a"}
    told = [a("GET", path)[1] for path in ("/budgets", "/events?limit=1000", "/status")]
    assert "secret-c" not in str(told)
    assert "for three" in str(told)


def test_cursors_tell_nothing_of_the_partitions_of_others(
    fresh: Running, a: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = fresh.budget(DAILY, name="shared", per=["team"])
    policy_id = budget["policies"][0]["policy_id"]
    records = [
        {"usage_id": f"use-{n}", "input_tokens": n, "attributes": {"team": f"customer-{n}"}}
        for n in range(1, 30)
    ]
    fresh.post("/usage/batch", {"records": records}, status=200)
    a("POST", "/usage", {"input_tokens": 1})
    for sort in ("spent", "-spent", "partition"):
        status, told = a("GET", f"/policies/{policy_id}/balances?limit=1&sort={sort}")
        assert (status, len(told["items"]), told["next_cursor"]) == (200, 1, None)


def test_channels_of_others_do_not_count(fresh: Running, a: Caller, b: Caller) -> None:
    channel = {"name": "c", "kind": "webhook", "url": "https://a.example.com/"}
    for _ in range(20):
        assert b("POST", "/channels", channel)[0] == 201
    status, told = b("POST", "/channels", channel)
    assert (status, told["code"]) == (409, "too_many_channels")
    assert a("POST", "/channels", channel)[0] == 201


def test_nobody_gives_a_budget_of_all_its_money_back(fresh: Running, a: Caller) -> None:
    fresh.budget(DAILY, name="of all")
    used = a("POST", "/usage", {"input_tokens": 60})[1]
    status, told = a("POST", f"/usage/{used['usage_id']}/correct", {"reason": "x"})
    assert (status, told["code"]) == (403, "forbidden")
    assert fresh.get("/status")["balances"][0]["spent"] == 60


def test_a_team_corrects_what_counts_in_budgets_of_its_own(fresh: Running, a: Caller) -> None:
    a("POST", "/budgets", {"name": "of a", "policies": [DAILY]})
    used = a("POST", "/usage", {"input_tokens": 60})[1]
    assert a("POST", f"/usage/{used['usage_id']}/correct", {"reason": "miscounted"})[0] == 201


def test_the_place_in_the_journal_does_not_tell_that_an_allocation_is_there(
    fresh: Running, a: Caller, b: Caller
) -> None:
    theirs = b("POST", "/allocations", {"tokens": 1})[1]["allocation_id"]
    there = a("GET", f"/events?allocation_id={theirs}")
    assert there == a("GET", "/events?allocation_id=alloc_none")


def test_the_status_of_a_bound_key_is_that_of_its_own_calls(fresh: Running, a: Caller) -> None:
    fresh.budget(DAILY, name="of a", scope=A)
    for query in ("", "?team=a", "?model=gpt-4o", "?user=ann"):
        assert len(a("GET", f"/status{query}")[1]["balances"]) == 1, query
    assert a("GET", "/status?team=b")[0] == 403
