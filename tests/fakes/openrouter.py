"""OpenRouter's keys: the one that asks, and all of them for a key of management, two a page."""

from typing import Any, Final

from tests.fakes.answering import Answer, Asked

MANAGEMENT_KEY: Final = "sk-or-v1-management"
PLAIN_KEY: Final = "sk-or-v1-plain"
PAGE_ROWS: Final = 2


def key(name: str, limit: float | None, reset: str | None, **used: float) -> dict[str, Any]:
    """A key as it is told."""
    return {
        "hash": f"hash-of-{name}", "name": name, "label": f"sk-or-v1-{name[:3]}...", "limit": limit,
        "limit_remaining": limit, "limit_reset": reset, "include_byok_in_limit": False,
        "disabled": False, "usage": 0, "usage_daily": 0, "usage_weekly": 0, "usage_monthly": 0,
        **used,
    }  # fmt: skip


def openrouter(keys: list[dict[str, Any]]) -> Answer:
    """The API, with these keys; the plain key is the first of them."""

    def answer(asked: Asked) -> tuple[int, Any]:
        asking = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if asking not in (MANAGEMENT_KEY, PLAIN_KEY):
            return 401, {"error": {"message": "User not found.", "code": 401}}
        manages = asking == MANAGEMENT_KEY
        if asked.path == "/api/v1/key":
            own = {**keys[0], "is_management_key": manages, "is_free_tier": False}
            return 200, {"data": {name: one for name, one in own.items() if name != "hash"}}
        if asked.path == "/api/v1/keys" and manages:
            offset = asked.number("offset", 0)
            return 200, {"data": keys[offset : offset + PAGE_ROWS]}
        return 403, {"error": {"message": "Only management keys may do this.", "code": 403}}

    return answer
