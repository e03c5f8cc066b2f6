"""The management API of a LiteLLM proxy, as 1.108 answers: pages of keys and users, bare lists.

Without the master key it answers 401; who has no organizations gets 500, as without a licence.
"""

from typing import Any, Final

from tests.fakes.answering import Answer, Asked

MASTER_KEY: Final = "sk-master-of-the-proxy"

BUDGET: Final[dict[str, Any]] = {
    "budget_id": "b1", "max_budget": 5.5, "budget_duration": "1d", "tpm_limit": 1000,
}  # fmt: skip
KEYS: Final[list[dict[str, Any]]] = [
    {"token": "a" * 64, "key_name": "sk-...aaaa", "key_alias": "bot", "team_id": "t1",
     "user_id": "u1", "spend": 3.5, "max_budget": 10.0, "budget_duration": "7d", "models": [],
     "model_max_budget": {"gpt-4o": {"budget_limit": 1, "time_period": "1d"}},
     "max_parallel_requests": 3, "blocked": None, "expires": None, "metadata": {}},
    {"token": "b" * 64, "key_name": "sk-...bbbb", "key_alias": None, "spend": 0.0,
     "blocked": True, "models": [], "model_max_budget": {}, "metadata": {}},
    {"token": "c" * 64, "key_name": "sk-...cccc", "key_alias": None, "spend": 0.5,
     "budget_id": "b1", "models": [], "model_max_budget": {}, "metadata": {}},
]  # fmt: skip
TEAMS: Final[list[dict[str, Any]]] = [
    {"team_id": "t1", "team_alias": "Search", "max_budget": 100.0, "budget_duration": "30d",
     "spend": 12.345678901, "rpm_limit": 60, "models": ["gpt-4o"], "blocked": False,
     "team_memberships": [{"user_id": "u1", "team_id": "t1", "spend": 0.2, "budget_id": "b1",
                           "litellm_budget_table": BUDGET}]},
]  # fmt: skip
USERS: Final[list[dict[str, Any]]] = [
    {"user_id": "u1", "user_email": "ann@example.com", "max_budget": 2.0, "spend": 0.2},
]


def log(number: int, key: str, at: str, spend: float) -> dict[str, Any]:
    """A log of spend of a key, as it is told."""
    return {
        "request_id": f"r{number}", "call_type": "acompletion", "api_key": key, "spend": spend,
        "prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30, "startTime": at,
        "endTime": at, "model": "no-such-model", "custom_llm_provider": "acme", "user": "u1",
        "team_id": "t1", "metadata": {}, "end_user": "", "session_id": None,
    }  # fmt: skip


def proxy(page_rows: int = 2, logs: tuple[dict[str, Any], ...] = ()) -> Answer:
    """A proxy whose pages have so few rows; logs come as many at once as are asked for."""

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("authorization") != f"Bearer {MASTER_KEY}":
            return 401, {"error": {"message": "Authentication Error", "code": "401"}}
        if asked.path == "/key/list":
            return 200, _page(KEYS, "keys", "current_page", asked, page_rows)
        if asked.path == "/user/list":
            return 200, _page(USERS, "users", "page", asked, page_rows)
        if asked.path == "/spend/logs/v2":
            assert asked.query["start_date"] < asked.query["end_date"]
            size, page = asked.number("page_size", 50), asked.number("page", 1)
            if size > 1000:
                return 422, {"detail": "page_size must be at most 1000"}
            return 200, {"data": logs[(page - 1) * size : page * size], "total": len(logs),
                         "page": page, "page_size": size, "total_is_capped": True}  # fmt: skip
        lists: dict[str, Any] = {
            "/team/list": TEAMS, "/budget/list": [BUDGET], "/customer/list": [],
        }  # fmt: skip
        if asked.path in lists:
            return 200, lists[asked.path]
        return 500, {"error": {"message": "a licence is needed", "code": "500"}}

    return answer


def _page(
    rows: list[dict[str, Any]], name: str, number: str, asked: Asked, size: int
) -> dict[str, Any]:
    page = asked.number("page", 1)
    pages = -(-len(rows) // size)
    shown = rows[(page - 1) * size : page * size]
    return {name: shown, number: page, "total_pages": pages, "total_count": len(rows)}
