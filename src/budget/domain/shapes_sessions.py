"""Shapes of who is logged in to the dashboard, and of how one logs in."""

from typing import TypedDict


class LoginLinkShape(TypedDict):
    """A link to open in a browser, once, before it expires."""

    url: str
    expires_at: str


class SessionShape(TypedDict):
    """Somebody logged in. `bound`: the attributes that they may spend and see.

    `key_id` is the key whose rights they have; null for a login by OpenID Connect.
    """

    session_id: str
    actor: str
    name: str
    scopes: list[str]
    bound: dict[str, str]
    max_priority: int
    key_id: str | None
    created_at: str
    expires_at: str
    ended_at: str | None


class CurrentSessionShape(TypedDict):
    """Who asks. `session` and `csrf_token` are null where a key asks, not a browser."""

    actor: str
    scopes: list[str]
    bound: dict[str, str]
    session: SessionShape | None
    csrf_token: str | None
