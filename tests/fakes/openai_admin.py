"""OpenAI's admin API of usage and costs: pages of daily buckets, grouped as asked.

A wrong key gets 401 in OpenAI's words, a project key 403. Costs are numbers of USD, by line item.
"""

from typing import Any, Final

from tests.fakes.answering import Answer, Asked

ADMIN_KEY: Final = "sk-admin-of-openai"
DAY_S: Final = 86_400


def openai_admin(
    usage: list[tuple[int, str, int, int, int]],
    costs: list[tuple[int, str, str]],
    page_buckets: int = 1,
) -> Answer:
    """Usage as (day in seconds, model, input, of it cached, output), costs as (day, line, USD)."""

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("authorization") != f"Bearer {ADMIN_KEY}":
            error = {"message": "Incorrect API key provided", "type": "invalid_request_error"}
            return 401, {"error": {**error, "code": "invalid_api_key", "param": None}}
        if asked.path == "/v1/organization/usage/completions":
            assert asked.query["group_by"] == ["model"]
            return 200, _page(asked, [(one[0], _used(*one[1:])) for one in usage], page_buckets)
        if asked.path == "/v1/organization/usage/embeddings":
            return 200, _page(asked, [], page_buckets)
        if asked.path == "/v1/organization/costs":
            assert asked.query["group_by"] == ["line_item"]
            return 200, _page(asked, [(one[0], _cost(*one[1:])) for one in costs], page_buckets)
        return 404, {"error": {"message": "no such path", "type": "invalid_request_error"}}

    return answer


def _used(model: str, input_tokens: int, cached: int, output_tokens: int) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result", "input_tokens": input_tokens,
        "input_cached_tokens": cached, "output_tokens": output_tokens, "num_model_requests": 1,
        "project_id": None, "user_id": None, "api_key_id": None, "model": model, "batch": None,
    }  # fmt: skip


def _cost(line: str, usd: str) -> dict[str, Any]:
    return {
        "object": "organization.costs.result", "amount": {"value": float(usd), "currency": "usd"},
        "line_item": line, "project_id": None,
    }  # fmt: skip


def _page(asked: Asked, results: list[tuple[int, dict[str, Any]]], size: int) -> dict[str, Any]:
    """The buckets of the days that were asked, empty ones too, from the page on."""
    start, end = asked.number("start_time", 0), asked.number("end_time", 0)
    days = list(range(start, end, DAY_S))
    first = int(asked.query.get("page", ["page_0"])[0].removeprefix("page_"))
    shown, after = days[first : first + size], first + size
    return {
        "object": "page",
        "data": [
            {"object": "bucket", "start_time": day, "end_time": day + DAY_S,
             "results": [result for at, result in results if at == day]}
            for day in shown
        ],
        "has_more": after < len(days),
        "next_page": f"page_{after}" if after < len(days) else None,
    }  # fmt: skip
