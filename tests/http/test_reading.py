"""Reading over HTTP: lists with filters, orders and fields, and what usage adds up to."""

from typing import Any

import pytest

from budget.domain.attributes import STANDARD
from tests.http.running import Json, Running

CALL: Json = {"model": "m", "provider": "p"}
ALICE, BOB = {"team": "search", "user": "alice"}, {"team": "ads", "user": "bob"}


def spend(service: Running, input_tokens: int, **more: Any) -> Json:
    """Usage that nobody reserved; an input token of `m` costs 2,500 nano-USD by the budget."""
    return service.post(
        "/usage", {**CALL, "input_tokens": input_tokens, "output_tokens": 0, **more}
    )


def hold(service: Running, allocation_id: str, **more: Any) -> Json:
    """A hold of one request."""
    return service.post("/allocations", {"allocation_id": allocation_id, "requests": 1, **more})


def ids(page: Json, name: str) -> list[str]:
    """What the items of a page are called."""
    return [item[name] for item in page["items"]]


@pytest.fixture
def spent(service: Running) -> Running:
    """A service where some was spent, once on each engine."""
    return having_spent(service)


@pytest.fixture
def light(fresh: Running) -> Running:
    """The same on SQLite, for what no engine can make different."""
    return having_spent(fresh)


def having_spent(service: Running) -> Running:
    """Three records: 4,000 and 2,000 input tokens of search, 1,000 of ads; 0.0175 USD in all."""
    service.budget(scope={"team": "*"}, per=["team"])
    spend(service, 4000, attributes={**ALICE, "tag.env": "prod"}, usage_id="one")
    spend(service, 2000, attributes=ALICE, context_id="chat", usage_id="two")
    spend(service, 1000, attributes=BOB, task_type="rank", usage_id="three")
    return service


# --- Filters -------------------------------------------------------------------------------------


def test_usage_is_listed_by_any_attribute(spent: Running) -> None:
    for query, found in (
        ({"team": "search"}, {"one", "two"}),
        ({"user": "bob"}, {"three"}),
        ({"team": "s*"}, {"one", "two"}),
        ({"team": "S*"}, set()),
        ({"team": "*"}, {"one", "two", "three"}),
        ({"tag.env": "*"}, {"one"}),
        ({"user": "%"}, set()),
        ({"tag.env": "prod"}, {"one"}),
        ({"context_id": "chat"}, {"two"}),
        ({"session": "chat"}, {"two"}),
        ({"user_id": "alice", "tag.env": "prod"}, {"one"}),
        ({"taskType": "rank"}, {"three"}),
        ({"model": "P/M"}, {"one", "two", "three"}),
        ({"model": "n"}, set()),
        ({"provider": "P"}, {"one", "two", "three"}),
        ({"flag": "unreserved"}, {"one", "two", "three"}),
        ({"flag": "late"}, set()),
        ({"start_date": "2000-01-01T00:00:00Z"}, {"one", "two", "three"}),
        ({"endDate": "2000-01-01T00:00:00Z"}, set()),
        ({"actor": "key_nobody"}, set()),
    ):
        assert set(ids(spent.get("/usage", **query), "usage_id")) == found, query
        assert set(ids(spent.get("/usage/records", **query), "usage_id")) == found, query


def test_one_record_is_found_under_both_paths(light: Running) -> None:
    assert light.get("/usage/two") == light.get("/usage/records/two")
    assert light.client.get("/api/v1/usage/records/four").status_code == 404


def test_allocations_are_listed_by_status_attribute_and_budget(service: Running) -> None:
    other = service.budget(name="Other", scope={"team": "ads"})
    search = service.budget(
        {"unit": "requests", "period": "daily", "limit": 100}, name="Search",
        scope={"team": "search"},
    )  # fmt: skip
    hold(service, "a", attributes=ALICE, context_id="chat", usd="1")
    hold(service, "b", attributes=ALICE, usd="1")
    hold(service, "c", attributes=BOB, usd="1")
    service.post("/allocations/b/release", {}, status=200)
    for query, found in (
        ({"user": "alice"}, ["b", "a"]),
        ({"status": "open"}, ["c", "a"]),
        ({"is_active": "false"}, ["b"]),
        ({"isActive": "true", "team": "search"}, ["a"]),
        ({"session": "chat"}, ["a"]),
        ({"sort": "placed_at"}, ["a", "b", "c"]),
        ({"until": "2000-01-01T00:00:00Z"}, []),
    ):
        assert ids(service.get("/allocations", **query), "allocation_id") == found, query
    of_search = f"/budgets/{search['budget_id']}/allocations"
    assert ids(service.get(of_search), "allocation_id") == ["b", "a"]
    assert ids(service.get(of_search, status="open"), "allocation_id") == ["a"]
    of_other = service.get(f"/budgets/{other['budget_id']}/allocations")
    assert ids(of_other, "allocation_id") == ["c"]
    assert service.client.get("/api/v1/budgets/bud_none/allocations").status_code == 404


def test_the_allocation_of_a_context_is_its_newest_open_one(fresh: Running) -> None:
    fresh.budget()
    for name in ("first", "second", "third"):
        hold(fresh, name, context_id="a chat/1", usd="1")
    fresh.post("/allocations/third/release", {}, status=200)
    assert fresh.get("/allocations/context/a chat/1")["allocation_id"] == "second"
    gone = fresh.client.get("/api/v1/allocations/context/other")
    assert gone.status_code == 404


def test_budgets_are_listed_by_owner_name_and_state(fresh: Running) -> None:
    made = {
        name: fresh.budget(name=name, owner=owner)["budget_id"]
        for name, owner in (("Alpha", "ann"), ("Beta", "bob"), ("Alphabet 100%", "bob"))
    }
    fresh.client.delete(f"/api/v1/budgets/{made['Beta']}")
    for query, found in (
        ({"sort": "name"}, ["Alpha", "Alphabet 100%"]),
        ({"sort": "-name"}, ["Alphabet 100%", "Alpha"]),
        ({"sort": "name", "name": "ALPHA"}, ["Alpha", "Alphabet 100%"]),
        ({"name": "0%"}, ["Alphabet 100%"]),
        ({"name": "_"}, []),
        ({"owner": "bob", "archived": "true", "sort": "name"}, ["Alphabet 100%", "Beta"]),
        ({"is_active": "false"}, ["Beta"]),
    ):
        assert ids(fresh.get("/budgets", **query), "name") == found, query


def test_policies_are_listed_with_their_top_ups_and_balances(spent: Running) -> None:
    (budget,) = spent.get("/budgets")["items"]
    policy_id = budget["policies"][0]["policy_id"]
    spent.post(
        "/policies", {"budget_id": budget["budget_id"], "unit": "requests", "period": "weekly",
                      "limit": 5, "enforcement": "warn"},
    )  # fmt: skip
    assert len(spent.get("/policies")["items"]) == 2
    assert ids(spent.get("/policies", period="daily"), "policy_id") == [policy_id]
    assert ids(spent.get("/policies", enforcement="enforce", unit="usd"), "policy_id") == [
        policy_id
    ]
    assert spent.get("/policies", enabled="false")["items"] == []
    listed = spent.get(f"/budgets/{budget['budget_id']}/policies", period="daily")
    assert ids(listed, "policy_id") == [policy_id]
    spent.post(
        f"/policies/{policy_id}/top-ups",
        {"amount": "5", "reason": "more", "partition": {"team": "ads"}},
    )
    (top_up,) = spent.get(f"/policies/{policy_id}/top-ups")["items"]
    assert (top_up["amount"], top_up["partition"]) == ("5.00", {"team": "ads"})
    balances = spent.get(f"/policies/{policy_id}/balances", sort="-spent")["items"]
    assert [(b["partition"]["team"], b["spent"], b["limit"]) for b in balances] == [
        ("search", "0.015", "100.00"), ("ads", "0.0025", "105.00"),
    ]  # fmt: skip
    one = spent.get(f"/policies/{policy_id}/balances", limit=1)
    two = spent.get(f"/policies/{policy_id}/balances", limit=1, cursor=one["next_cursor"])
    assert [one["items"][0]["partition"], two["items"][0]["partition"]] == [
        {"team": "ads"}, {"team": "search"},
    ]  # fmt: skip
    assert two["next_cursor"] is None


# --- Orders and fields ---------------------------------------------------------------------------


def test_usage_is_sorted_by_cost_page_by_page(spent: Running) -> None:
    found: list[str] = []
    query: Json = {"sort": "-cost", "limit": 1}
    while True:
        page = spent.get("/usage", **query)
        found += ids(page, "usage_id")
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == ["one", "two", "three"]


def test_a_cursor_of_another_order_is_refused(light: Running) -> None:
    cursor = light.get("/usage", sort="-cost", limit=1)["next_cursor"]
    for sort in ("cost", "-tokens", "occurred_at", "-occurred_at"):
        answer = light.client.get("/api/v1/usage", params={"sort": sort, "cursor": cursor})
        assert (answer.status_code, answer.json()["field"]) == (422, "cursor"), sort


def test_only_the_fields_asked_for_are_told(light: Running) -> None:
    page = light.get("/usage", fields="usageId,attributes.user", sort="cost")
    assert page == {
        "items": [
            {"usage_id": "three", "attributes": {"user": "bob"}},
            {"usage_id": "two", "attributes": {"user": "alice"}},
            {"usage_id": "one", "attributes": {"user": "alice"}},
        ],
        "next_cursor": None,
    }
    (budget,) = light.get("/budgets", fields="name,policies.unit,policies")["items"]
    assert set(budget) == {"name", "policies"}
    assert "limit" in budget["policies"][0], "policies are all of them"
    assert light.get("/usage/one", fields="cost") == {"cost": "0.01"}
    whole = light.get("/usage/summary", fields="total.cost,total_tokens", period="daily")
    assert whole == {"total": {"cost": "0.0175"}, "total_tokens": 7000}


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/usage", {"fields": "usage_id,nothing"}, "fields"),
        ("/usage", {"fields": ""}, "fields"),
        ("/usage", {"fields": "cost.x"}, "fields"),
        ("/usage", {"fields": ",".join(["cost"] * 101)}, "fields"),
        ("/usage", {"sort": "model"}, "sort"),
        ("/usage", {"sort": "--cost"}, "sort"),
        ("/usage", {"flag": "good"}, "flag"),
        ("/usage", {"colour": "red"}, "colour"),
        ("/usage", {"tag.": "red"}, "tag."),
        ("/usage", {"session": "a", "context_id": "b"}, "session"),
        ("/usage", {"since": "a", "start_date": "b"}, "since"),
        ("/usage", {"start_date": "yesterday"}, "since"),
        ("/usage", {"team": "a*b"}, "attributes.team"),
        ("/allocations", {"status": "closed"}, "status"),
        ("/allocations", {"is_active": "maybe"}, "is_active"),
        ("/budgets", {"name": "\x00"}, "name"),
        ("/budgets", {"sort": "scope"}, "sort"),
        ("/policies", {"unit": "eur"}, "unit"),
        ("/policies", {"period": "often"}, "period"),
        ("/policies", {"enforcement": "kindly"}, "enforcement"),
        ("/usage/summary", {"group_by": "colour"}, "group_by"),
        ("/usage/summary", {"group_by": "team,team"}, "group_by"),
        ("/usage/summary", {"group_by": ",".join(STANDARD[:9])}, "group_by"),
        ("/usage/summary", {"bucket": "minute"}, "bucket"),
        ("/usage/summary", {"period": "per_session"}, "period"),
        ("/usage/summary", {"timezone": "Berlin"}, "timezone"),
        ("/usage/summary", {"bucket": "hour", "since": "2020-01-01T00:00:00Z"}, "bucket"),
        ("/usage/summary", {"since": "2030-01-01T00:00:00Z"}, "since"),
        ("/usage/periods/fortnightly", {}, "period"),
        ("/budgets/bud_1/summary", {"period": "often"}, "period"),
        ("/budgets", {"limit": "0"}, "limit"),
        ("/policies", {"limit": "ten"}, "limit"),
        ("/policies", {"cursor": "WzFd"}, "cursor"),
    ],
)
def test_what_cannot_be_asked_is_told_by_its_name(
    shared: Running, path: str, query: Json, field: str
) -> None:
    answer = shared.client.get(f"/api/v1{path}", params=query)
    if path.startswith("/budgets/bud_1"):
        assert answer.status_code in (404, 422)
        return
    assert (answer.status_code, answer.json()["field"]) == (422, field)


# --- Summaries -----------------------------------------------------------------------------------


def test_a_summary_without_groups_is_by_provider_model_component_and_task_type(
    light: Running,
) -> None:
    told = light.post("/usage/summary", {"period": "monthly"}, status=200)
    assert told["total_input_tokens"] == 7000
    assert (told["total_cost"], told["count"]) == ("0.0175", 3)
    assert told["groups"].keys() == {"provider", "model", "component", "task_type"}
    assert told["groups"]["model"]["m"]["cost"] == "0.0175"
    assert told["groups"]["task_type"]["rank"]["count"] == 1
    assert told["groups"]["task_type"][""]["count"] == 2


def test_a_summary_groups_by_any_attributes_the_dearest_first(spent: Running) -> None:
    told = spent.get("/usage/summary", period="daily", groupBy="team,tag.env")
    assert [(g["group"], g["cost"], g["count"]) for g in told["groups"]] == [
        ({"team": "search", "tag.env": "prod"}, "0.01", 1),
        ({"team": "search", "tag.env": None}, "0.005", 1),
        ({"team": "ads", "tag.env": None}, "0.0025", 1),
    ]
    assert told["other"] is None
    for start, count in (("S*", 0), ("s*", 2), ("*", 3)):
        assert spent.get("/usage/summary", period="daily", team=start)["count"] == count
    ads = spent.post(
        "/usage/summary", {"period": "total", "scope": {"team": ["ads", "x"]}, "groupBy": ["user"]},
        status=200,
    )  # fmt: skip
    assert [(g["group"], g["count"]) for g in ads["groups"]] == [({"user": "bob"}, 1)]


def test_the_usage_of_a_period_has_a_short_path(light: Running) -> None:
    for path in ("/api/usage/daily", "/api/v1/usage/periods/daily"):
        answer = light.client.get(path, params={"team": "search"})
        assert (answer.status_code, answer.json()["total_cost"]) == (200, "0.015")
    assert light.client.get("/api/usage/sometimes").status_code == 422


def test_a_budget_tells_how_its_policies_stand(spent: Running) -> None:
    (budget,) = spent.get("/budgets")["items"]
    hold(spent, "open", attributes=BOB, usd="1")
    (told,) = spent.get(f"/budgets/{budget['budget_id']}/summary", period="daily")["items"]
    assert (told["balances"], told["limit"], told["spent"], told["reserved"]) == (
        2, "100.00", "0.0175", "1.00",
    )  # fmt: skip
    assert told["fullest"]["partition"] == {"team": "search"}
    assert (told["remaining"], told["active_allocations"]) == (None, 1)
    assert (told["total_tokens_used"], told["total_cost"]) == (7000, "0.0175")
    assert spent.get(f"/budgets/{budget['budget_id']}/summary", period="weekly")["items"] == []
    short = spent.client.get("/api/reports/summary").json()
    assert short["items"] == [told]
    assert spent.client.get("/api/v1/budgets/bud_none/summary").status_code == 404


def test_a_policy_that_nobody_has_met_stands_at_zero(fresh: Running) -> None:
    fresh.budget()
    (told,) = fresh.client.get("/api/reports/summary").json()["items"]
    assert (told["spent"], told["remaining"], told["used_fraction"]) == ("0.00", "100.00", "0")
