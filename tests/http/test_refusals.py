"""Refusals: 402, or 429 where waiting helps soon, with every figure a caller needs to go on."""

import pytest

from budget.domain.shapes import RefusalShape
from tests.http.running import Json, Running, migrate, running
from tests.support.databases import SqliteDatabases

FIELDS = {
    "type", "title", "status", "detail", "code",
    "budget", "budget_id", "policy", "policy_id", "partition", "unit", "period",
    "enforcement", "warning_threshold", "action_threshold", "window",
    "limit", "spent", "reserved", "assumed", "overrun", "remaining", "requested", "shortfall",
    "resets_at", "retry_after_seconds", "soon", "at",
    "provider", "model", "parent_id", "cheaper", "advice", "how_to_raise", "refused_by",
}  # fmt: skip


def refused(service: Running, org: str, **ask: object) -> tuple[int, Json, dict[str, str]]:
    answer = service.client.post("/api/v1/allocations", json={"attributes": {"org": org}, **ask})
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json(), dict(answer.headers)


def limits(service: Running, org: str, *policies: Json) -> Json:
    return service.budget(*policies, name=org, scope={"org": org})


def usd(period: str, limit: str) -> Json:
    return {"unit": "usd", "period": period, "limit": limit}


def test_a_refusal_has_every_field_of_the_design(shared: Running) -> None:
    budget = limits(shared, "fields", usd("daily", "1"))
    shared.post("/allocations", {"attributes": {"org": "fields"}, "usd": "0.4"})
    shared.post("/usage", {"attributes": {"org": "fields"}, "cost": "0.25", "requests": 1,
                           "input_tokens": 0, "output_tokens": 0})  # fmt: skip
    status, problem, headers = refused(shared, "fields", usd="0.5", model="gpt-4o", provider="x")
    assert status == 402
    assert set(problem) == FIELDS
    assert problem["type"] == "urn:budget:problem:over_limit"
    assert (problem["status"], problem["code"]) == (402, "over_limit")
    assert (problem["budget"], problem["budget_id"]) == ("fields", budget["budget_id"])
    assert problem["policy"] == "daily usd hard_limit"
    assert problem["policy_id"] == budget["policies"][0]["policy_id"]
    assert (problem["unit"], problem["limit"]) == ("usd", "1.00")
    assert (problem["spent"], problem["reserved"], problem["assumed"]) == ("0.25", "0.40", "0.00")
    # 0.25 + 0.40 + 0.50 is 0.15 more than 1.00
    assert (problem["requested"], problem["shortfall"]) == ("0.50", "0.15")
    assert problem["resets_at"].endswith("T00:00:00Z")
    assert 0 < problem["retry_after_seconds"] <= 86_400
    assert (problem["provider"], problem["model"]) == ("x", "gpt-4o")
    assert "0.15 USD" in problem["how_to_raise"]
    assert "retry-after" not in headers


def test_a_minute_that_is_full_is_429_and_says_when_to_come_again(shared: Running) -> None:
    limits(
        shared, "minute", {"unit": "requests", "period": "minute", "limit": 1}, usd("daily", "9")
    )
    shared.post("/allocations", {"attributes": {"org": "minute"}, "usd": "1"})
    status, problem, headers = refused(shared, "minute", usd="1")
    assert status == 429
    assert (problem["period"], problem["soon"]) == ("minute", True)
    assert 1 <= problem["retry_after_seconds"] <= 60
    assert headers["retry-after"] == str(problem["retry_after_seconds"])


@pytest.mark.parametrize(
    ("period", "status"),
    [
        ("rolling:60s", 429),
        ("rolling:1h", 429),
        ("rolling:61m", 402),
        ("hourly", 402),
        ("daily", 402),
        ("monthly", 402),
        ("total", 402),
        ("per_session", 402),
    ],
)
def test_only_short_windows_ask_to_be_waited_for(shared: Running, period: str, status: int) -> None:
    org = f"short-{period}"
    limits(shared, org, usd(period, "1"))
    attributes = {"org": org, "session": "s"}
    shared.post("/allocations", {"attributes": attributes, "usd": "1"})
    got, problem, headers = refused(shared, org, usd="1", context_id="s")
    assert got == problem["status"] == status
    assert ("retry-after" in headers) == (status == 429)
    assert (problem["resets_at"] is None) == (period in ("total", "per_session"))
    assert (problem["retry_after_seconds"] is None) == (problem["resets_at"] is None)


def test_what_is_more_than_a_whole_minute_allows_is_not_waited_for(shared: Running) -> None:
    limits(shared, "whole", usd("minute", "1"))
    status, problem, headers = refused(shared, "whole", usd="2")
    assert (status, problem["resets_at"], problem["retry_after_seconds"]) == (402, None, None)
    assert "retry-after" not in headers


def test_of_several_that_refuse_all_are_listed_and_the_last_to_reset_is_on_top(
    shared: Running,
) -> None:
    limits(shared, "several", usd("minute", "1"), usd("monthly", "1"), usd("daily", "1"))
    shared.post("/allocations", {"attributes": {"org": "several"}, "usd": "0.9"})
    status, problem, _ = refused(shared, "several", usd="0.5")
    periods = [line["period"] for line in problem["refused_by"]]
    assert sorted(periods) == ["daily", "minute", "monthly"]
    resets = [line["resets_at"] for line in problem["refused_by"]]
    assert resets == sorted(resets, reverse=True)
    assert (status, problem["period"]) == (402, periods[0])
    assert {name: problem[name] for name in problem["refused_by"][0]} == problem["refused_by"][0]
    assert "2 more refuse" in problem["how_to_raise"]


def test_a_limit_of_nothing_admits_nothing(shared: Running) -> None:
    limits(shared, "nothing", usd("daily", "0"))
    assert refused(shared, "nothing", usd="0.000000001")[0] == 402
    assert shared.post("/allocations", {"attributes": {"org": "nothing"}, "usd": 0})


def test_a_model_without_a_price_is_refused_by_name(shared: Running) -> None:
    shared.post(
        "/budgets", {"name": "strict", "scope": {"org": "strict"}, "policies": [usd("daily", "1")]}
    )
    status, problem, _ = refused(
        shared, "strict", model="unheard-of", input_tokens=1, max_output_tokens=1
    )
    assert (status, problem["code"], problem["model"]) == (402, "model_unpriced", "unheard-of")
    assert problem["policy"] == "daily usd hard_limit"
    assert '"unpriced"' in problem["how_to_raise"]


def test_a_refusal_takes_no_key_and_is_decided_anew(shared: Running) -> None:
    budget = limits(shared, "anew", usd("daily", "1"))
    ask = {"attributes": {"org": "anew"}, "usd": "2"}
    headers = {"Idempotency-Key": "anew-1"}
    first = shared.client.post("/api/v1/allocations", json=ask, headers=headers)
    assert first.status_code == 402
    shared.post(
        f"/policies/{budget['policies'][0]['policy_id']}/top-ups", {"amount": 5, "reason": "more"}
    )
    second = shared.client.post("/api/v1/allocations", json=ask, headers=headers)
    assert (second.status_code, second.json()["replayed"]) == (201, False)


def test_an_extension_that_does_not_fit_is_refused_and_changes_nothing(shared: Running) -> None:
    limits(shared, "extend", usd("daily", "1"))
    held = shared.post("/allocations", {"attributes": {"org": "extend"}, "usd": "0.6"})
    path = f"/allocations/{held['allocation_id']}"
    problem = shared.post(f"{path}/extend", {"usd": "0.5", "ttl_seconds": 3_600}, status=402)
    assert (problem["requested"], problem["shortfall"]) == ("0.50", "0.10")
    after = shared.get(path)
    assert (after["reserved"], after["expires_at"]) == (held["reserved"], held["expires_at"])


def test_the_wire_of_a_refusal_is_what_the_problem_adds(shared: Running) -> None:
    limits(shared, "same", usd("total", "0"))
    _, problem, _ = refused(shared, "same", usd="1")
    checked = shared.post("/check", {"attributes": {"org": "same"}, "usd": "1"}, status=200)
    shape = set(RefusalShape.__annotations__) - {"at"}
    assert {name: problem[name] for name in shape} == {name: checked[name] for name in shape}


@pytest.mark.parametrize("always", [402, 429])
def test_one_status_for_every_refusal_may_be_set(
    sqlite_databases: SqliteDatabases, always: int
) -> None:
    with running(sqlite_databases.new(migrate), refusal_status=always) as service:
        limits(service, "short", {"unit": "requests", "period": "minute", "limit": 1})
        limits(service, "never", usd("total", "1"))
        service.post("/allocations", {"attributes": {"org": "short"}, "usd": "1"})
        short, soon, headers = refused(service, "short", usd="1")
        never, later, no_header = refused(service, "never", usd="2")
    assert (short, soon["status"], never, later["status"]) == (always,) * 4
    assert ("retry-after" in headers) == (always == 429)
    assert "retry-after" not in no_header
    assert soon["retry_after_seconds"] >= 1
    assert later["retry_after_seconds"] is None
