"""Examples: one request for every operation, as a story that can be told from its beginning.

What the service answered lies beside it in `answers.json`, recorded by the tests, which tell the
story to a real service. In a request `@operation.field` is what an earlier answer said. Not here:
how the story is told (`tests/http/test_openapi.py`).
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple


class Example(NamedTuple):
    """A request to an operation; `ids` are those of its path."""

    operation: str
    ask: Mapping[str, Any] | None = None
    ids: Mapping[str, str] = {}
    query: Mapping[str, Any] = {}


_GPT: Final = {"provider": "openai", "model": "gpt-4o"}
_COUNTED: Final = {"input_tokens": 1200, "output_tokens": 300}
_SEARCH: Final = {"team": "search"}
_REQUEST: Final = Example(
    "post_budget_requests",
    {"amount": "250", "reason": "the evaluation of August"},
    {"budget_id": "@post_budgets.budget_id"},
)

STORY: Final[tuple[Example, ...]] = (
    Example("get_root"),
    Example("get_health"),
    Example("get_ready"),
    Example("get_openapi_json"),
    Example("put_prices", {**_GPT, "input": "2.50", "output": "10.00", "reason": "our contract"}),
    Example("post_budgets", {
        "name": "Search", "scope": _SEARCH, "owner": "ann@example.com",
        "policies": [{"unit": "usd", "period": "monthly", "limit": "500",
                      "timezone": "Europe/Berlin"}],
    }),
    Example("get_budgets", query={"limit": 10}),
    Example("get_budget", ids={"budget_id": "@post_budgets.budget_id"}),
    Example("get_budget_policies", ids={"budget_id": "@post_budgets.budget_id"}),
    Example("patch_budget", {"description": "What the search team spends"},
            {"budget_id": "@post_budgets.budget_id"}),
    Example("put_budget", {"owner": "bob@example.com"},
            {"budget_id": "@post_budgets.budget_id"}),
    Example("post_policies", {
        "budget_id": "@post_budgets.budget_id", "unit": "requests", "period": "minute",
        "limit": 600, "enforcement": "warn",
    }),
    Example("get_policy", ids={"policy_id": "@post_policies.policy_id"}),
    Example("get_policies", query={"unit": "requests", "sort": "-created_at"}),
    Example("patch_policy", {"limit": 900}, {"policy_id": "@post_policies.policy_id"}),
    Example("put_policy", {"warning_threshold": "0.75"},
            {"policy_id": "@post_policies.policy_id"}),
    Example("post_policy_top_ups", {"amount": 100, "reason": "the launch"},
            {"policy_id": "@post_policies.policy_id"}),
    Example("get_policy_top_ups", ids={"policy_id": "@post_policies.policy_id"}),
    Example("post_check", {**_GPT, "attributes": _SEARCH, "input_tokens": 1200,
                           "max_output_tokens": 500}),
    Example("post_check_short", {"tokens": 5000, "user_id": "ann"}),
    Example("post_allocations", {
        **_GPT, "attributes": {"team": "search", "user": "ann"}, "input_tokens": 1200,
        "max_output_tokens": 500, "ttl_seconds": 300, "idempotency_key": "question-1",
        "context_id": "chat-7",
    }),
    Example("get_allocations_context", ids={"context": "chat-7"}),
    Example("get_budget_allocations", ids={"budget_id": "@post_budgets.budget_id"},
            query={"status": "open"}),
    Example("get_policy_balances", ids={"policy_id": "@post_policies.policy_id"}),
    Example("get_allocations", query={"status": "open"}),
    Example("get_allocation", ids={"allocation_id": "@post_allocations.allocation_id"}),
    Example("post_allocation_extend", {"ttl_seconds": 600},
            {"allocation_id": "@post_allocations.allocation_id"}),
    Example("post_allocation_usage", {**_COUNTED, "final": False},
            {"allocation_id": "@post_allocations.allocation_id"}),
    Example("post_allocation_release", {"reason": "the user left"},
            {"allocation_id": "@post_allocations.allocation_id"}),
    Example("post_usage", {**_GPT, **_COUNTED, "attributes": _SEARCH, "usage_id": "answer-1"}),
    Example("post_usage_record", {**_GPT, **_COUNTED, "context_id": "chat-8",
                                  "task_type": "summary", "request_id": "summary-1"}),
    Example("post_record_short", {**_GPT, **_COUNTED}),
    Example("post_usage_batch", {"records": [
        {**_GPT, **_COUNTED, "usage_id": "imported-1"},
        {**_GPT, **_COUNTED, "usage_id": "imported-2", "attributes": _SEARCH},
    ]}),
    Example("get_usage", query={"limit": 10}),
    Example("get_usage_records", query={"team": "search", "sort": "-cost", "limit": 2}),
    Example("get_usage_record", ids={"usage_id": "@post_usage.usage_id"}),
    Example("get_one_usage", ids={"usage_id": "@post_usage.usage_id"}),
    Example("post_usage_summary", {"since": "2026-11-01T00:00:00Z", "group_by": ["team"]}),
    Example("get_usage_summary", query={"period": "monthly", "timezone": "Europe/Berlin"}),
    Example("get_usage_period", ids={"period": "daily"}, query={"group_by": "model"}),
    Example("get_one_usage_short", ids={"period": "weekly"}),
    Example("get_budget_summary", ids={"budget_id": "@post_budgets.budget_id"}),
    Example("get_reports_summary_short", query={"period": "monthly"}),
    Example("post_one_usage_correct",
            {"reason": "counted twice", "replacement": {"output_tokens": 150}},
            {"usage_id": "@post_usage.usage_id"}),
    Example("post_estimate", {**_GPT, "request": "How many tokens are these?",
                              "max_output_tokens": 100}),
    Example("get_estimate_factors"),
    Example("get_status", query=_SEARCH),
    Example("get_status_short", query=_SEARCH),
    Example("post_prices_calculate", {**_GPT, **_COUNTED}),
    Example("get_prices", query={"provider": "openai", "limit": 2}),
    Example("get_providers_prices_short", query={"search": "gpt-4o", "limit": 2}),
    Example("get_prices_current", query={"model": "gpt-4o"}),
    Example("post_prices_current", {"model": "gpt-4o", "at": "2026-06-01T00:00:00Z"}),
    Example("get_prices_history", ids={"provider": "openai", "model": "gpt-4o"}),
    Example("get_prices_compare", query={"model": "gpt-4o"}),
    Example("get_prices_sources"),
    Example("post_prices_update", {"sources": ["litellm"]}),
    Example("get_prices_updates", query={"status": "quarantined"}),
    Example("post_prices_update_accept", {"reason": "their page says so too"},
            {"update": "@get_prices_updates.items.0.update_id"}),
    Example("post_prices_update_reject", {"reason": "a misplaced decimal point"},
            {"update": "@get_prices_updates.items.1.update_id"}),
    Example("get_prices_coverage"),
    Example("post_prices_rerate", {"since": "2026-01-01T00:00:00Z"}),
    Example("post_prices_whatif", {"models": {"gpt-4o": "gpt-4o-mini"}}),
    Example("post_simulate", {
        "policies": [{"unit": "usd", "period": "daily", "limit": "0.01"}], "scope": _SEARCH,
    }),
    Example("get_explain", ids={"call_id": "@post_allocations.allocation_id"}),
    Example("post_prices_override_end", {"reason": "the contract ends"},
            {"override_id": "@put_prices.override_id"}),
    Example("post_channels", {
        "name": "On call", "kind": "webhook", "url": "https://hooks.example.com/budget",
        "wanted": {"kinds": ["alert_raised", "budget_created"]},
    }),
    Example("get_channels"),
    Example("get_channel", ids={"channel_id": "@post_channels.channel_id"}),
    Example("patch_channel", {"digest_seconds": 600}, {"channel_id": "@post_channels.channel_id"}),
    Example("post_channel_rotate_secret", {}, {"channel_id": "@post_channels.channel_id"}),
    Example("post_channel_replay", {"since": "2026-11-01T00:00:00Z"},
            {"channel_id": "@post_channels.channel_id"}),
    Example("get_channel_deliveries", ids={"channel_id": "@post_channels.channel_id"}),
    Example("post_channel_test", ids={"channel_id": "@post_channels.channel_id"}),
    Example("delete_channel", ids={"channel_id": "@post_channels.channel_id"}),
    _REQUEST,
    Example("get_budget_requests", ids={"budget_id": "@post_budgets.budget_id"}),
    Example("get_requests", query={"status": "pending"}),
    Example("get_request", ids={"request_id": "@post_budget_requests.request_id"}),
    Example("post_request_approve", {"note": "until it is done"},
            {"request_id": "@post_budget_requests.request_id"}),
    _REQUEST,
    Example("post_request_reject", {"reason": "it can wait"},
            {"request_id": "@post_budget_requests.request_id"}),
    _REQUEST,
    Example("post_request_withdraw", {}, {"request_id": "@post_budget_requests.request_id"}),
    Example("post_limits", {"period": "daily", "limit": "20", "provider": "openai",
                            "enforcement": "hard_limit"}),
    Example("post_limits_short", {"period": "daily", "limit": "25", "provider": "openai"}),
    Example("post_prices_recommendations", {**_GPT, "context_size": 4000, "output_size": 500}),
    Example("post_route", {**_GPT, "component": "search", "input_tokens": 1200,
                           "max_output_tokens": 300}),
    Example("post_tasks_plan", {
        "models": ["openai/gpt-4o", "openai/gpt-4o-mini"],
        "tasks": [
            {"id": "draft", "priority": 5, "value": 3, "values": {"openai/gpt-4o": 5},
             "input_tokens": 20_000, "max_output_tokens": 4_000, "calls": 10,
             "project": "atlas", "requirement": "req_42"},
        ],
    }),
    Example("post_usage", {**_GPT, **_COUNTED,
                           "attributes": {"project": "atlas", "tag.requirement": "req_42"}}),
    Example("get_project_progress", ids={"project": "atlas"}),
    Example("post_keys", {"name": "search in production", "scopes": ["spend", "read"],
                          "bound": _SEARCH, "ttl_seconds": 7_776_000}),
    Example("get_keys"),
    Example("get_keys_self"),
    Example("get_key", ids={"key_id": "@post_keys.key_id"}),
    Example("patch_key", {"max_priority": 8}, {"key_id": "@post_keys.key_id"}),
    Example("post_key_rotate", {"overlap_seconds": 3600}, {"key_id": "@post_keys.key_id"}),
    Example("delete_key", ids={"key_id": "@post_keys.key_id"}),
    Example("get_settings"),
    Example("put_settings", {"how_to_raise": "Ask in #ai-budgets."}),
    Example("get_neighbours"),
    Example("get_neighbours_apollo"),
    Example("get_neighbours_rhetor_models"),
    Example("post_neighbours_rhetor_select", {
        "component": "telos", "capability": "reasoning", "input_tokens": 4000,
        "max_output_tokens": 1000,
    }),
    Example("get_contexts", query={"limit": 10}),
    Example("get_context", ids={"context": "chat-7"}),
    Example("get_usage_efficiency", query={"group_by": "session"}),
    Example("get_estimate_sizes"),
    Example("get_mcp_health_short"),
    Example("get_mcp_capabilities_short"),
    Example("get_mcp_tools_short", query={"fields": "count"}),
    Example("post_mcp_process_short", {"tool_name": "GetBudgetStatus",
                                       "arguments": {"period": "daily"}}),
    Example("post_mcp_message_short", {
        "message_id": "m-1", "sender": "apollo", "message_type": "budget.check_budget",
        "payload": {**_GPT, "input_text": "Why is the sky blue?"},
    }),
    Example("post_tool_execute_short", {"parameters": {**_GPT, "input_tokens": 1200}},
            {"tool": "budget_estimate_cost"}),
    Example("get_discovery"),
    Example("post_workflow", {"purpose": "check_work", "dest": "budget", "payload": {}}),
    Example("put_prices", {**_GPT, "input": "2.50", "output": "10.00", "reason": "as it was"}),
    Example("post_usage", {**_GPT, "input_tokens": 9_000_000, "output_tokens": 10_000,
                           "attributes": _SEARCH}),
    Example("get_alerts", query={"status": "open", "limit": 10}),
    Example("get_alert", ids={"alert_id": "@get_alerts.items.0.alert_id"}),
    Example("get_alert_explain", ids={"alert_id": "@get_alerts.items.0.alert_id"}),
    Example("post_alert_acknowledge", {"note": "we know"},
            {"alert_id": "@get_alerts.items.0.alert_id"}),
    Example("put_alert_dismiss", {}, {"alert_id": "@get_alerts.items.0.alert_id"}),
    Example("delete_alert", ids={"alert_id": "@get_alerts.items.0.alert_id"}),
    Example("post_alerts_check", {}),
    Example("get_alerts_settings"),
    Example("put_alerts_settings", {"runaway_factor": 10, "severities": {"warning": "info"}}),
    Example("post_login_links"),
    Example("post_login", query={"token": "@post_login_links.token"}),
    Example("get_sessions"),
    Example("get_session", ids={"session_id": "@get_sessions.items.0.session_id"}),
    Example("delete_session", ids={"session_id": "@get_sessions.items.0.session_id"}),
    Example("get_sessions_current"),
    Example("get_events", query={"limit": 2}),
    Example("get_events_stream", query={"topics": "budget_events,budget_alerts"}),
    Example("get_audit", query={"kind": "budget_created"}),
    Example("get_verify"),
    Example("post_verify"),
    Example("post_clock_confirm"),
    Example("delete_policy", ids={"policy_id": "@post_policies.policy_id"}),
    Example("delete_budget", ids={"budget_id": "@post_budgets.budget_id"}),
    Example("get_metrics"),
    Example("get_login"),
    Example("get_docs"),
    Example("get_docs_openapi_json"),
    Example("get_doc", ids={"file": "docs.js"}),
)  # fmt: skip


@cache
def recorded() -> Mapping[str, Any]:
    """What the service answered, by operation."""
    file = files("budget.http.openapi") / "answers.json"
    told: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return told


@cache
def _by_operation() -> Mapping[str, Example]:
    return {example.operation: example for example in STORY}


def asks_of(operation: str) -> Mapping[str, Any]:
    """Bodies of requests, by name."""
    example = _by_operation().get(operation)
    return {} if example is None or example.ask is None else {"usual": resolved(example.ask)}


def path_of(operation: str) -> Mapping[str, Any]:
    """The parameters of a path."""
    example = _by_operation().get(operation)
    return {} if example is None else resolved(example.ids)


def query_example(operation: str) -> Mapping[str, Any]:
    """The parameters of a query."""
    example = _by_operation().get(operation)
    return {} if example is None else resolved(example.query)


def answers_of(operation: str) -> Mapping[str, Any]:
    """Answers, by name."""
    told = recorded()
    return {"usual": told[operation]} if operation in told else {}


def resolved(value: Any, answers: Mapping[str, Any] | None = None) -> Any:
    """A value with what earlier answers said in the place of references to them."""
    told = recorded() if answers is None else answers
    if isinstance(value, Mapping):
        return {name: resolved(one, told) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(one, told) for one in value]
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    found: Any = told
    for part in value[1:].split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (LookupError, TypeError):  # it was not answered yet
            return f"a-{part}"
    return found
