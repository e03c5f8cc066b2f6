"""Anthropic's admin API of usage and cost: pages of daily buckets; amounts are cents, as text.

A wrong key gets 401 in Anthropic's words; without the header of the version it is 400.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.fakes.answering import Answer, Asked

ADMIN_KEY: Final = "sk-ant-admin01-of-anthropic"


def anthropic_admin(
    usage: list[tuple[str, str, int, int, int, int, int]], costs: list[tuple[str, str, str]]
) -> Answer:
    """Usage as (day, model, uncached, read, written for 5 minutes, for an hour, output), costs as
    (day, model, cents).
    """

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("x-api-key") != ADMIN_KEY:
            return 401, _error("authentication_error", "invalid x-api-key")
        if "anthropic-version" not in asked.headers:
            return 400, _error("invalid_request_error", "anthropic-version: header is required")
        if asked.path == "/v1/organizations/usage_report/messages":
            assert asked.query["group_by[]"] == ["model"]
            return 200, _page(asked, [(one[0], _used(*one[1:])) for one in usage])
        if asked.path == "/v1/organizations/cost_report":
            assert asked.query["group_by[]"] == ["description"]
            return 200, _page(asked, [(one[0], _cost(*one[1:])) for one in costs])
        return 404, _error("not_found_error", "Not found")

    return answer


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _used(
    model: str, plain: int, read: int, short: int, long: int, output_tokens: int
) -> dict[str, Any]:
    return {
        "uncached_input_tokens": plain, "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": output_tokens, "server_tool_use": {"web_search_requests": 0},
        "api_key_id": None, "workspace_id": None, "model": model, "service_tier": None,
        "context_window": None,
    }  # fmt: skip


def _cost(model: str, cents: str) -> dict[str, Any]:
    return {
        "currency": "USD", "amount": cents, "workspace_id": None, "model": model,
        "description": f"{model} Usage - Input Tokens", "cost_type": "tokens",
        "context_window": "0-200k", "service_tier": "standard", "token_type": None,
    }  # fmt: skip


def _page(asked: Asked, results: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """One day a page."""
    start = datetime.fromisoformat(asked.query["starting_at"][0])
    end = datetime.fromisoformat(asked.query["ending_at"][0])
    day = start + timedelta(days=int(asked.query.get("page", ["page_0"])[0][5:]))
    after = day + timedelta(days=1)
    return {
        "data": [{
            "starting_at": _text(day), "ending_at": _text(after),
            "results": [result for at, result in results if at == _text(day)[:10]],
        }],
        "has_more": after < end,
        "next_page": f"page_{(after - start).days}" if after < end else None,
    }  # fmt: skip


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
