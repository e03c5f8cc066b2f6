"""Metrics: what was done and how the books stand, for Prometheus, in bounded numbers."""

from collections.abc import Mapping
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from budget.engine import gauges, keys
from budget.http.routes import ROUTES
from tests.http.running import Running, migrate, running
from tests.support.databases import SqliteDatabases
from tests.support.postgres import Cluster

Labels = Mapping[str, str]


def scraped(service: Running) -> dict[str, list[tuple[Labels, float]]]:
    """What Prometheus would read: (labels, value) of every sample by name."""
    answer = service.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(samples: list[tuple[Labels, float]], **labels: str) -> float:
    """The one sample with these labels among its own."""
    (found,) = [v for of, v in samples if labels.items() <= of.items()]
    return found


def spend(service: Running) -> dict[str, Any]:
    """A budget of 10 USD a day, a call settled at 0.0035 USD, one open, one refused."""
    budget = service.budget({"unit": "usd", "period": "daily", "limit": "10"})
    call = {"model": "m", "input_tokens": 1000, "max_output_tokens": 100}
    held = service.post("/allocations", call)
    used = {"input_tokens": 1000, "output_tokens": 100}
    service.post(f"/allocations/{held['allocation_id']}/usage", used)
    service.post("/allocations", call)
    service.post("/allocations", {"usd": "50"}, status=402)
    return budget


def test_it_tells_balances_decisions_and_latency(service: Running) -> None:
    budget = spend(service)
    told = scraped(service)
    policy = {"policy_id": budget["policies"][0]["policy_id"]}
    of_policy = {"budget": "Acme", "unit": "usd", "period": "daily", "partition": "{}", **policy}
    assert value(told["budget_balance_limit"], **of_policy) == 10
    assert value(told["budget_balance_spent"], **policy) == 0.0035
    assert value(told["budget_balance_reserved"], **policy) == 0.0035
    assert value(told["budget_decisions_total"], act="allocate", result="accepted") == 2
    assert value(told["budget_decisions_total"], act="allocate", result="refused") == 1
    assert value(told["budget_decisions_total"], act="record", result="accepted") == 1
    route = {"method": "POST", "route": "/api/v1/allocations"}
    assert value(told["budget_http_requests_total"], status="2xx", **route) == 2
    assert value(told["budget_http_requests_total"], status="4xx", **route) == 1
    assert value(told["budget_http_request_seconds_count"], **route) == 3
    assert value(told["budget_batch_commands_sum"]) == 4
    assert value(told["budget_command_seconds_count"]) >= 4
    assert value(told["budget_open_allocations"]) == 1
    assert value(told["budget_up"]) == 1
    assert value(told["budget_queue_depth"]) == 0


def test_it_tells_alerts_that_nobody_has_seen_to_and_how_much_has_a_price(service: Running) -> None:
    spend(service)
    told = scraped(service)
    assert value(told["budget_alerts"], kind="limit", severity="error") == 1
    shares = [v for labels, v in told["budget_price_coverage_ratio"] if labels["of"] == "calls"]
    assert sum(shares) == 1


def test_a_command_that_is_sent_again_counts_as_replayed(fresh: Running) -> None:
    fresh.budget()
    for _ in range(3):
        fresh.post("/allocations", {"usd": "1", "idempotency_key": "again"})
    told = scraped(fresh)["budget_decisions_total"]
    assert value(told, act="allocate", result="accepted") == 1
    assert value(told, act="allocate", result="replayed") == 2


def test_names_of_people_stay_inside_their_labels(fresh: Running) -> None:
    name = 'x" } 1\nbudget_up 0 \\ "'
    fresh.budget(name=name.replace("\n", " "), per=["team"])
    hostile = {"attributes": {"team": 'a"} 9 \\'}, "usd": "1"}
    fresh.post("/allocations", hostile)
    told = scraped(fresh)
    assert value(told["budget_up"]) == 1
    assert value(told["budget_balance_reserved"], budget=name.replace("\n", " ")) == 1


def test_of_many_balances_those_that_moved_last_are_told(fresh: Running) -> None:
    fresh.budget({"unit": "requests", "period": "daily", "limit": 5}, per=["user"])
    many = [
        {"usage_id": f"use-{n}", "attributes": {"user": f"u{n}"}, "requests": 1}
        for n in range(gauges.MAX_BALANCES + 3)
    ]
    fresh.post("/usage/batch", {"records": many}, status=200)
    fresh.post("/allocations", {"attributes": {"user": "u0"}, "requests": 1})
    told = scraped(fresh)
    assert len(told["budget_balance_spent"]) == gauges.MAX_BALANCES
    assert value(told["budget_balances_left_out"]) == 3
    assert value(told["budget_balance_reserved"], partition='{"user":"u0"}') == 1


def test_paths_that_lead_nowhere_make_no_series(fresh: Running) -> None:
    for path in range(50):
        fresh.client.get(f"/nowhere/{path}")
        fresh.client.get(f"/api/v1/budgets/none-{path}")
    routes = {labels["route"] for labels, _ in scraped(fresh)["budget_http_requests_total"]}
    assert routes <= {route.path for route in ROUTES}


def test_it_needs_a_key_that_may_read_everything(fresh: Running) -> None:
    assert httpx2.get(f"{fresh.url}/metrics", trust_env=False, verify=False).status_code == 401
    spender = keys.make_key()
    keys.add_key(fresh.books, spender, name="spender", scopes="spend")
    answer = httpx2.get(
        f"{fresh.url}/metrics", headers={"X-API-Key": spender.text}, trust_env=False, verify=False
    )
    assert answer.status_code == 403


def test_while_the_database_is_gone_the_process_still_tells(postgres_cluster: Cluster) -> None:
    migrate(postgres_cluster.url)
    with running(postgres_cluster.url) as service:
        service.budget()
        postgres_cluster.stop(crash=True)
        told = scraped(service)
        assert value(told["budget_up"]) == 0
        assert "budget_balance_limit" not in told
        assert "budget_queue_depth" in told
        postgres_cluster.start()


def test_it_is_read_from_the_books_once_in_a_while(sqlite_databases: SqliteDatabases) -> None:
    with running(sqlite_databases.new(migrate)) as service:
        service.budget()
        scraped(service)
        service.budget(name="Second")
        service.post("/allocations", {"usd": "1"})
        assert "budget_balance_spent" not in scraped(service), "a moment ago there was none"
