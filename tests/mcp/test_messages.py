"""The tools as Tekton's components call them: plain routes, and messages of each type."""

from typing import Any

import httpx2
import pytest

from budget.mcp.messages import REPLIES
from budget.mcp.tools import TOOLS
from budget.neighbours.hermes.tools import offered
from tests.http.running import Running
from tests.mcp.test_rights import key_of

GPT: dict[str, Any] = {"provider": "openai", "model": "gpt-4o"}
HOLD: dict[str, Any] = {"context_id": "ctx", "amount": 1000}


def call(service: Running, path: str, body: Any, status: int = 200, **headers: str) -> Any:
    answer = service.client.post(f"/api/{path}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_what_there_is_is_told(service: Running) -> None:
    found = {name: service.client.get(f"/api/mcp/{name}").json() for name in
             ("health", "capabilities", "tools")}  # fmt: skip
    assert (found["health"]["status"], found["health"]["tool_count"]) == ("healthy", len(TOOLS))
    assert {one["name"] for one in found["capabilities"]["capabilities"]} == {
        "budget_management", "model_recommendations", "budget_analytics",
    }  # fmt: skip
    assert found["capabilities"]["count"] == 3
    assert found["tools"]["count"] == len(TOOLS)
    first = found["tools"]["tools"][0]
    assert (first["name"], first["former_name"]) == ("budget_allocate_budget", "AllocateBudget")
    assert first["schema"]["required"] == ["context_id", "component"]


@pytest.mark.parametrize("name", ["toolName", "tool_name", "tool"])
@pytest.mark.parametrize("arguments", ["arguments", "parameters"])
def test_a_call_may_name_its_tool_in_every_way_that_there_was(
    service: Running, name: str, arguments: str
) -> None:
    given = {**HOLD, "component": "x"}
    told = call(service, "mcp/process", {name: "AllocateBudget", arguments: given, "context": {}})
    assert (told["status"], told["success"], told["error"]) == ("success", True, None)
    assert (told["result"]["allowed"], told["result"]["amount"]) == (True, 1000)
    assert told["text"].startswith("Held 1000 tokens")


@pytest.mark.parametrize(
    "name",
    ["AllocateBudget", "allocate_budget", "budget_allocate_budget", "budget_AllocateBudget"],
)
def test_a_tool_is_called_by_its_path_under_any_of_its_names(service: Running, name: str) -> None:
    told = call(service, f"tools/{name}/execute",
                {"parameters": HOLD, "context": {"component": "from-context"}})  # fmt: skip
    seen = service.get(f"/allocations/{told['result']['allocation_id']}")
    assert seen["attributes"]["component"] == "from-context"


@pytest.mark.parametrize("name", ["budget_health_check", "health_check", "budget_HealthCheck"])
def test_the_health_of_the_component_is_a_tool(service: Running, name: str) -> None:
    told = call(service, f"tools/{name}/execute", {"parameters": {}, "context": {"component": "x"}})
    assert (told["tool"], told["success"]) == ("budget_health_check", True)
    assert (told["text"], told["result"]["component"]) == ("Budget is healthy.", "budget")


def test_what_the_component_is_is_a_tool(service: Running) -> None:
    told = call(service, "mcp/process", {"tool": "budget_component_info"})
    assert told["result"] == service.client.get("/").json()
    assert told["text"].startswith("budget ")
    told = call(service, "tools/component_info/execute", {"arguments": {"colour": "red"}}, 422)
    assert told["field"] == "colour"
    with httpx2.Client(base_url=service.url) as stranger:
        assert stranger.post("/api/tools/health_check/execute", json={}).status_code == 401


def test_every_tool_that_hermes_is_told_of_is_there(service: Running) -> None:
    for one in offered(service.url, 8013):
        answer = service.client.post(
            one["endpoint"].removeprefix(service.url), json={"arguments": {"colour": "red"}}
        )
        assert (answer.status_code, answer.json()["field"]) == (422, "colour"), one["name"]


def test_an_unknown_tool_is_not_found_and_the_others_are_named(service: Running) -> None:
    for path, body in (("mcp/process", {"tool": "Spend"}), ("tools/Spend/execute", {})):
        told = call(service, path, body, 404)
        assert "budget_allocate_budget" in told["detail"]


def test_bad_input_names_its_field(service: Running) -> None:
    told = call(service, "mcp/process", {}, 422)
    assert told["field"] == "tool_name"
    told = call(service, "mcp/process", {"tool": "AllocateBudget", "arguments": HOLD}, 422)
    assert told["field"] == "component"
    told = call(service, "mcp/process", {"tool": "AllocateBudget", "arguments": []}, 422)
    assert told["field"] == "arguments"
    told = call(service, "mcp/process", {"tool": "a", "tool_name": "b"}, 422)
    assert "given twice" in told["detail"]


def test_a_tool_needs_its_right(service: Running) -> None:
    key = key_of(service, "read")
    headers = {"X-API-Key": key, "Authorization": f"Bearer {key}"}
    status = {"tool": "GetBudgetStatus"}
    hold = {"tool": "AllocateBudget", "arguments": {**HOLD, "component": "x"}}
    assert call(service, "mcp/process", status, 200, **headers)["success"]
    told = call(service, "mcp/process", hold, 403, **headers)
    assert "lacks the right `spend`" in told["detail"]
    message = {"sender": "x", "message_type": "budget.allocate_tokens", "payload": HOLD}
    call(service, "mcp/message", message, 403, **headers)


def say(service: Running, kind: str, payload: Any, sender: str = "harmonia") -> Any:
    return call(service, "mcp/message", {
        "message_id": "m-1", "sender": sender, "message_type": kind, "payload": payload,
        "timestamp": "2026-11-26T12:00:00", "reply_to": "elsewhere", "timeout": 5,
    })  # fmt: skip


PAYLOADS: dict[str, Any] = {
    "budget.allocate_tokens": HOLD,
    "budget.check_budget": {**GPT, "input_text": "Hello"},
    "budget.record_usage": {**GPT, "input_tokens": 4, "output_tokens": 1},
    "budget.get_budget_status": {"period": "daily"},
    "budget.get_model_recommendations": {**GPT, "task_type": "chat"},
    "budget.route_with_budget_awareness": {
        "input_text": "Hello", "default_provider": "openai", "default_model": "gpt-4o",
    },
    "budget.get_usage_analytics": {"period": "daily"},
}  # fmt: skip


@pytest.mark.parametrize("kind", REPLIES)
def test_every_message_is_answered_with_the_reply_of_its_type(service: Running, kind: str) -> None:
    told = say(service, kind, PAYLOADS[kind])
    assert told["message_type"] == REPLIES[kind][1]
    assert (told["sender"], told["request_id"], told["status"]) == ("budget", "m-1", "success")
    assert told["error"] is None
    assert told["message_id"].startswith("msg_")
    assert told["payload"]["next"]


def test_a_message_of_an_unknown_type_is_answered_with_an_error(service: Running) -> None:
    told = say(service, "budget.make_money", {})
    assert (told["message_type"], told["status"]) == ("budget.error", "error")
    assert "budget.allocate_tokens" in told["error"]


def test_what_is_wrong_with_a_payload_the_reply_says(service: Running) -> None:
    told = say(service, "budget.allocate_tokens", {"amount": 5})
    assert (told["message_type"], told["status"]) == ("budget.allocation_response", "error")
    assert told["payload"]["field"] == "context_id"


def test_what_is_no_message_is_refused(service: Running) -> None:
    told = call(service, "mcp/message", {"message_type": "budget.check_budget"}, 422)
    assert told["field"] == "sender"
    told = call(service, "mcp/message", {"sender": "x"}, 422)
    assert told["field"] == "message_type"


def test_a_refusal_is_an_answer(service: Running) -> None:
    budget = service.budget({"unit": "tokens", "period": "daily", "limit": 10,
                             "enforcement": "hard_limit"}, scope={"component": "poor"})  # fmt: skip
    told = say(service, "budget.allocate_tokens", HOLD, "poor")
    assert (told["status"], told["payload"]["allowed"]) == ("success", False)
    assert told["payload"]["refusal"]["refused_by"][0]["budget_id"] == budget["budget_id"]


def test_the_sender_is_the_component_that_spends(service: Running) -> None:
    told = say(service, "budget.allocate_tokens", HOLD, "Rhetor")
    seen = service.get(f"/allocations/{told['payload']['allocation_id']}")
    assert seen["attributes"]["component"] == "rhetor"


def test_apollo_and_rhetor_are_told_of_tiers_and_others_of_budgets(service: Running) -> None:
    service.budget({"unit": "tokens", "period": "daily", "limit": 5000},
                   scope={"tier": "local_midweight"})  # fmt: skip
    for sender in ("apollo", "rhetor"):
        told = say(service, "budget.get_budget_status", {}, sender)["payload"]
        assert told["success"]
        assert told["tiers"].keys() == {
            "local_lightweight", "local_midweight", "remote_heavyweight",
        }  # fmt: skip
        assert told["tiers"]["local_midweight"]["limit"] == 5000
        assert told["tiers"]["remote_heavyweight"]["limit"] is None
    told = say(service, "budget.get_budget_status", {}, "harmonia")["payload"]
    assert any(one["token_limit"] == 5000 for one in told["summaries"])
