"""Discovery: every route is told, and there is no work to be had."""

from budget.gateway.upstreams import read_upstreams
from budget.http.routes import ROUTES
from tests.http.running import Running, running


def test_discovery_tells_every_route_with_its_group_and_right(shared: Running) -> None:
    told = shared.get("/discovery")
    assert told["component"] == "budget"
    assert {(one["method"], one["path"], one["scope"]) for one in told["endpoints"]} == {
        (route.method, route.path, route.scope) for route in ROUTES
    } | {("POST", "/mcp", "any")}
    assert told["dependencies"].keys() == {"mcp"}
    for one in told["endpoints"]:
        assert one["description"]
        assert len(one["tags"]) == 1
    assert "budget_management" in told["capabilities"]


def test_discovery_tells_which_doors_are_open_and_how_neighbours_are(sqlite_url: str) -> None:
    env = {
        "BUDGET_MCP": "off",
        "BUDGET_OTLP": "on",
        "BUDGET_LITELLM": "on",
    }
    with running(sqlite_url, env=env) as service:
        told = service.get("/discovery")
        health = service.client.get("/health").json()
    doors = {(one["method"], one["path"], one["scope"]) for one in told["endpoints"]} - {
        (route.method, route.path, route.scope) for route in ROUTES
    }
    assert doors == {("POST", f"/v1/{name}", "spend") for name in ("traces", "metrics", "logs")}
    assert told["dependencies"] == health["neighbours"]
    assert told["dependencies"].keys() == {"litellm", "otlp"}


def test_discovery_and_health_tell_of_the_gateway_and_of_no_key(sqlite_url: str) -> None:
    env = {"OPENAI_API_KEY": "sk-secret", "BUDGET_GATEWAY_VLLM_BASE_URL": "http://10.0.0.5:8000/v1"}
    with running(sqlite_url, upstreams=read_upstreams(env)) as service:
        answer = service.client.get("/api/v1/discovery")
        health = service.client.get("/health")
    told = {one["name"]: one for one in answer.json()["gateway"]["upstreams"]}
    assert told["vllm"] == {
        "name": "vllm", "path": "/vllm/v1", "base_url": "http://10.0.0.5:8000/v1",
        "format": "openai", "provider": "vllm", "has_key": False, "fallback": [],
    }  # fmt: skip
    assert (told["openai"]["path"], told["openai"]["has_key"]) == ("/openai/v1", True)
    assert told["anthropic"]["path"] == "/anthropic"
    assert health.json()["gateway"] == {
        "upstreams": len(told), "with_key": 1, "left_out": 0,
    }  # fmt: skip
    assert "sk-secret" not in answer.text + health.text


def test_a_service_without_a_gateway_says_so(shared: Running) -> None:
    assert shared.get("/discovery")["gateway"] is None
    assert shared.client.get("/health").json()["gateway"] is None


def test_who_asks_for_work_is_told_that_there_is_none(shared: Running) -> None:
    asked = {
        "purpose": "check_work", "dest": "budget",
        "payload": {"component": "budget", "action": "look_for_work"},
    }  # fmt: skip
    answer = shared.client.post("/workflow", json=asked)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["component"], told["purpose"]) == (
        "success", "budget", "check_work",
    )  # fmt: skip
    assert (told["work_available"], told["work_count"], told["work_items"]) == (False, 0, [])


def test_other_purposes_and_other_components_are_not_answered_for(shared: Running) -> None:
    for body, field in (
        ({}, "purpose"),
        ({"purpose": "dance"}, "purpose"),
        ({"purpose": "check_work", "dest": "apollo"}, "dest"),
        ({"purpose": "check_work", "payload": []}, "payload"),
        ({"purpose": "check_work", "colour": "red"}, "colour"),
    ):
        answer = shared.client.post("/workflow", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
