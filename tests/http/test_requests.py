"""Requests for top-ups over HTTP: asked for by one key, granted by another, seen by both."""

from typing import Any

import httpx2
import pytest

from tests.http.running import Json, Running


def key_with(service: Running, scopes: str, bound: Json | None = None) -> httpx2.Client:
    """A client with a key of these rights."""
    made = service.post(
        "/keys", {"name": "k", "scopes": scopes.split(), **({"bound": bound} if bound else {})}
    )
    client = httpx2.Client(base_url=service.url, trust_env=False, verify=False, timeout=30)
    client.headers["X-API-Key"] = made["key"]
    return client


def told(answer: httpx2.Response, status: int = 200) -> Json:
    """The JSON of an answer of this status."""
    assert answer.status_code == status, answer.text
    body: Json = answer.json()
    return body


def test_from_the_refusal_to_the_grant(service: Running) -> None:
    hard = {"unit": "usd", "period": "daily", "limit": "1", "enforcement": "hard_limit"}
    budget = service.budget(hard)
    with key_with(service, "spend read") as ann, key_with(service, "manage read") as bob:
        refused = ann.post("/api/v1/allocations", json={"usd": "3", "tokens": 0})
        way = f"/api/v1/budgets/{budget['budget_id']}/requests"
        assert f"POST {way}" in told(refused, 402)["how_to_raise"]
        asked = {"amount": "5", "reason": "release", "expiresInSeconds": 3600}
        made = told(ann.post(way, json=asked, headers={"Idempotency-Key": "k"}), 201)
        assert (made["status"], made["amount"], made["granted_amount"]) == ("pending", "5.00", None)
        again = ann.post(way, json=asked, headers={"Idempotency-Key": "k"})
        assert told(again, 201)["request_id"] == made["request_id"]
        assert again.headers["idempotency-replayed"] == "true"
        at = f"/api/v1/requests/{made['request_id']}"
        assert told(ann.post(f"{at}/approve"), 403)["code"] == "forbidden"
        assert told(bob.post(f"{at}/approve", json={"amount": "6"}), 422)["field"] == "amount"
        granted = told(bob.post(f"{at}/approve", json={"amount": "4", "note": "enough"}))
        assert (granted["status"], granted["granted_amount"], granted["decision"]) == (
            "approved", "4.00", "enough",
        )  # fmt: skip
        assert told(bob.post(f"{at}/approve"), 409)["code"] == "request_decided"
        assert told(ann.post("/api/v1/allocations", json={"usd": "3", "tokens": 0}), 201)
        assert told(ann.get(at)) == {k: v for k, v in granted.items() if k != "replayed"}
        assert [one["request_id"] for one in told(ann.get(way))["items"]] == [made["request_id"]]
        second = told(ann.post(way, json={"amount": "1", "reason": "more"}), 201)
        here = f"/api/v1/requests/{second['request_id']}"
        assert told(bob.post(f"{here}/reject"), 422)["field"] == "reason"
        assert told(bob.post(f"{here}/reject", json={"reason": "no"}))["status"] == "rejected"
        third = told(ann.post(way, json={"amount": "1", "reason": "more"}), 201)
        there = f"/api/v1/requests/{third['request_id']}"
        assert told(bob.post(f"{there}/withdraw"), 403)["code"] == "forbidden"
        assert told(ann.post(f"{there}/withdraw"))["status"] == "withdrawn"
        for status in ("approved", "rejected", "withdrawn"):
            (one,) = told(bob.get("/api/v1/requests", params={"status": status}))["items"]
            assert one["status"] == status


def test_who_manages_does_not_approve_its_own_request_but_who_has_every_right_may(
    fresh: Running,
) -> None:
    way = f"/budgets/{fresh.budget()['budget_id']}/requests"
    asked = {"amount": "5", "reason": "release"}
    with key_with(fresh, "manage spend") as bob:
        made = told(bob.post(f"/api/v1{way}", json=asked), 201)
        answer = bob.post(f"/api/v1/requests/{made['request_id']}/approve")
        assert told(answer, 403)["code"] == "own_request"
    own = fresh.post(way, asked)
    granted = fresh.post(f"/requests/{own['request_id']}/approve", status=200)
    assert granted["granted_amount"] == "5.00"


def test_a_bound_key_asks_for_its_own_and_sees_no_other(fresh: Running) -> None:
    shared = fresh.budget(per=["team"])["budget_id"]
    foreign = fresh.budget(scope={"team": "b"})["budget_id"]
    asked = {"amount": "5", "reason": "release"}
    with key_with(fresh, "spend read", {"team": "a"}) as ann:
        made = told(ann.post(f"/api/v1/budgets/{shared}/requests", json=asked), 201)
        assert made["partition"] == {"team": "a"}
        hidden = fresh.post(f"/budgets/{foreign}/requests", asked)["request_id"]
        other = fresh.post(f"/budgets/{shared}/requests", {**asked, "partition": {"team": "b"}})
        for path in (f"requests/{hidden}", f"requests/{other['request_id']}", "requests/req_none"):
            answer = told(ann.get(f"/api/v1/{path}"), 404)
            assert answer["detail"] == f"There is no request {path.partition('/')[2]!r}."
        for budget_id in (foreign, "bud_none"):
            answer = told(ann.get(f"/api/v1/budgets/{budget_id}/requests"), 404)
            assert answer["detail"] == f"There is no budget {budget_id!r}."
            answer = told(ann.post(f"/api/v1/budgets/{budget_id}/requests", json=asked), 404)
            assert answer["detail"] == f"There is no budget {budget_id!r}."
        assert [one["request_id"] for one in told(ann.get("/api/v1/requests"))["items"]] == [
            made["request_id"]
        ]


@pytest.mark.parametrize(
    ("query", "field"),
    [({"status": "open"}, "status"), ({"limit": "0"}, "limit"), ({"colour": "red"}, "colour"),
     ({"cursor": "x"}, "cursor"), ({"budget_id": "\ud7ff\x00"}, "budget_id")],
)  # fmt: skip
def test_a_wrong_query_is_named(shared: Running, query: dict[str, Any], field: str) -> None:
    answer = shared.client.get("/api/v1/requests", params=query)
    assert told(answer, 422)["field"] == field
