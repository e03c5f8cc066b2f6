"""Shapes of API keys."""

from typing import TypedDict


class KeyShape(TypedDict):
    """An API key, without what opens the door. `bound`: the attributes it may spend as and see.

    `status` is live, expired or revoked; `last_used_at` is told to the minute; `rotates` is the key
    whose place it takes.
    """

    key_id: str
    name: str
    scopes: list[str]
    bound: dict[str, str]
    max_priority: int
    status: str
    created_at: str
    created_by: str | None
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    rotates: str | None


class NewKeyShape(KeyShape):
    """A key just made. `key` is the key itself, shown this once: null in an answer given again."""

    key: str | None
