"""API keys, links that log in, and sessions, read."""

from collections.abc import Mapping
from typing import Any

from budget.client.reading.parts import us, us_or_none
from budget.domain.answers_keys import ApiKey
from budget.domain.answers_sessions import LoginLink, Session


def key(shape: Mapping[str, Any]) -> ApiKey:
    """A key; with its text if it was just made."""
    return ApiKey(
        shape["key_id"], shape["name"], tuple(shape["scopes"]), shape["bound"],
        shape["max_priority"], shape["status"], us(shape["created_at"]), shape["created_by"],
        us_or_none(shape["expires_at"]), us_or_none(shape["revoked_at"]),
        us_or_none(shape["last_used_at"]), shape["rotates"], shape.get("key"),
    )  # fmt: skip


def login_link(shape: Mapping[str, Any]) -> LoginLink:
    """A link that logs in once."""
    url: str = shape["url"]
    return LoginLink(url.partition("?token=")[2], us(shape["expires_at"]), url)


def session(shape: Mapping[str, Any]) -> Session:
    """A session."""
    return Session(
        shape["session_id"], shape["actor"], shape["name"], tuple(shape["scopes"]),
        shape["bound"], shape["max_priority"], shape["key_id"], us(shape["created_at"]),
        us(shape["expires_at"]), us_or_none(shape["ended_at"]),
    )  # fmt: skip
