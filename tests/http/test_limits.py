"""POST /limits: how much may be spent in a period, in one call, under both paths."""

from typing import Any

import pytest

from tests.http.running import Json, Running


def set_limit(service: Running, path: str = "/api/v1/limits", **ask: Any) -> Json:
    """What setting a limit answers."""
    answer = service.client.post(path, json=ask)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def test_the_budget_and_its_policy_are_made_and_found_again(fresh: Running) -> None:
    made = set_limit(fresh, period="daily", limit="5")
    assert made["did"] == "created_budget"
    assert (made["budget"]["name"], made["budget"]["scope"]) == ("Default Budget", {})
    assert (made["policy"]["limit"], made["policy"]["enforcement"]) == ("5.00", "warn")
    again = set_limit(fresh, "/api/limits", period="daily", limit="5.00")
    assert (again["did"], again["policy"]) == ("nothing", made["policy"])
    changed = set_limit(fresh, period="daily", limit="6", enforcement="hard_limit")
    assert changed["did"] == "changed_policy"
    assert changed["policy"]["policy_id"] == made["policy"]["policy_id"]
    assert (changed["policy"]["limit"], changed["policy"]["enforcement"]) == ("6.00", "hard_limit")
    kept = set_limit(fresh, period="daily", limit="7")
    assert kept["policy"]["enforcement"] == "hard_limit"
    more = set_limit(fresh, period="monthly", limit="100")
    assert more["did"] == "created_policy"
    assert more["budget"]["budget_id"] == made["budget"]["budget_id"]
    assert [policy["period"] for policy in more["budget"]["policies"]] == ["daily", "monthly"]
    assert len(fresh.get("/budgets")["items"]) == 1


def test_another_scope_has_a_budget_of_its_own_in_either_spelling(fresh: Running) -> None:
    one = set_limit(fresh, period="daily", limit="5", provider="openai")
    assert one["budget"]["name"] == "Default Budget (provider openai)"
    same = set_limit(fresh, period="daily", limit="5", scope={"provider": "openai"})
    assert (same["did"], same["budget"]["budget_id"]) == ("nothing", one["budget"]["budget_id"])
    other = set_limit(
        fresh, period="daily", limit=9, unit="requests", scope={"team": "a"}, policyType="enforce"
    )
    assert (other["did"], other["policy"]["enforcement"]) == ("created_budget", "hard_limit")


def test_the_same_key_sets_a_limit_once(service: Running) -> None:
    first = set_limit(service, period="daily", limit="5", idempotency_key="k")
    set_limit(service, period="daily", limit="6")
    answer = service.client.post(
        "/api/v1/limits", json={"period": "daily", "limit": "5"}, headers={"Idempotency-Key": "k"}
    )
    assert answer.headers["idempotency-replayed"] == "true"
    assert answer.json()["policy"]["policy_id"] == first["policy"]["policy_id"]
    assert answer.json()["policy"]["limit"] == "6.00"
    reused = service.client.post(
        "/api/v1/limits", json={"period": "daily", "limit": "9"}, headers={"Idempotency-Key": "k"}
    )
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


def test_a_budget_may_be_named_by_its_id_and_a_policy_among_several(fresh: Running) -> None:
    limit = {"unit": "usd", "period": "daily", "limit": "5"}
    budget = fresh.budget(limit, {**limit, "limit": "9"})
    ambiguous = fresh.client.post(
        "/api/v1/limits", json={"budget_id": budget["budget_id"], "period": "daily", "limit": "1"}
    )
    assert (ambiguous.status_code, ambiguous.json()["code"]) == (422, "ambiguous")
    second = budget["policies"][1]["policy_id"]
    assert ambiguous.json()["allowed"][1] == second
    told = set_limit(
        fresh, budget_id=budget["budget_id"], policy_id=second, period="daily", limit="1"
    )
    assert (told["did"], told["policy"]["policy_id"]) == ("changed_policy", second)


@pytest.mark.parametrize(
    ("ask", "status", "field"),
    [
        ({}, 422, "period"),
        ({"period": "daily"}, 422, "limit"),
        ({"period": "fortnightly", "limit": "1"}, 422, "period"),
        ({"period": "daily", "limit": "-1"}, 422, "limit"),
        ({"period": "daily", "limit": "1", "unit": "eur"}, 422, "unit"),
        ({"period": "daily", "limit": "1", "enforcement": "x"}, 422, "enforcement"),
        ({"period": "daily", "limit": "1", "enforcement": "warn", "policy_type": "ignore"}, 422,
         "policy_type"),
        ({"period": "daily", "limit": "1", "warning_threshold": 2}, 422, "warning_threshold"),
        ({"period": "daily", "limit": "1", "scope": []}, 422, "scope"),
        ({"period": "daily", "limit": "1", "scope": {"colour": "red"}}, 422, "scope"),
        ({"period": "daily", "limit": "1", "scope": {"tier": "a"}, "tier": "b"}, 422, "tier"),
        ({"period": "daily", "limit": "1", "provider": 7}, 422, "scope.provider"),
        ({"period": "daily", "limit": "1", "name": ""}, 422, "name"),
        ({"period": "daily", "limit": "1", "budget_id": 7}, 422, "budget_id"),
        ({"period": "daily", "limit": "1", "budget_id": "b", "name": "n"}, 422, "budget_id"),
        ({"period": "daily", "limit": "1", "budget_id": "bud_none"}, 404, None),
        ({"period": "daily", "limit": "1", "colour": "red"}, 422, "colour"),
    ],
)  # fmt: skip
def test_bad_input_is_named_and_makes_nothing(
    shared: Running, ask: Json, status: int, field: str | None
) -> None:
    before = shared.written()
    answer = shared.client.post("/api/v1/limits", json=ask)
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
    assert shared.written() == before


def test_a_name_that_is_there_for_other_calls_is_not_taken_over(fresh: Running) -> None:
    fresh.budget(name="Default Budget", scope={"team": "a"})
    answer = fresh.client.post("/api/v1/limits", json={"period": "daily", "limit": "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "other_scope")


def test_a_limit_for_a_value_that_no_name_may_have_gets_a_name_all_the_same(fresh: Running) -> None:
    ask = {"period": "daily", "limit": "1", "scope": {"team": "a\x85b"}}
    made = fresh.client.post("/api/v1/limits", json=ask)
    assert made.status_code == 200, made.text
    (budget,) = fresh.get("/budgets")["items"]
    assert budget["name"] == "Default Budget (team a b)"
    assert budget["scope"] == {"team": "a\x85b"}
