"""Calls about keys, and about who is logged in."""

from typing import Unpack

from budget.client.reading import keys as read
from budget.client.reading.parts import page
from budget.client.request import Request, act, at, get, once
from budget.domain.answers_keys import ApiKey
from budget.domain.answers_pages import Page
from budget.domain.answers_sessions import LoginLink, Session
from budget.domain.asks_keys import ChangeKeyAsk, NewKeyAsk, RotateKeyAsk


class KeyCalls:
    """The methods."""

    def create_key(self, **ask: Unpack[NewKeyAsk]) -> Request[ApiKey]:
        """Make a key; the answer alone shows it."""
        return act("/keys", read.key, ask)

    def change_key(self, key_id: str, **ask: Unpack[ChangeKeyAsk]) -> Request[ApiKey]:
        """Change the fields given."""
        return act(at("/keys/{}", key_id), read.key, ask, method="PATCH")

    def rotate_key(self, key_id: str, **ask: Unpack[RotateKeyAsk]) -> Request[ApiKey]:
        """Make the key that takes the place of another, which works on for a while."""
        return act(at("/keys/{}/rotate", key_id), read.key, ask)

    def revoke_key(self, key_id: str) -> Request[ApiKey]:
        """End a key, for ever."""
        return once(at("/keys/{}", key_id), read.key, method="DELETE")

    def key(self, key_id: str) -> Request[ApiKey]:
        """One key."""
        return get(at("/keys/{}", key_id), read.key)

    def own_key(self) -> Request[ApiKey]:
        """The key that asks."""
        return get("/keys/self", read.key)

    def keys(
        self, *, revoked: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Request[Page[ApiKey]]:
        """Keys, newest first; revoked ones only when asked for."""
        query = {"revoked": revoked, "limit": limit, "cursor": cursor}
        return get("/keys", page(read.key), query)

    def login_link(self) -> Request[LoginLink]:
        """Make a link that logs a browser in once, with the rights of the key."""
        return once("/login-links", read.login_link)

    def sessions(
        self, *, ended: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Request[Page[Session]]:
        """Who is logged in, newest first."""
        query = {"ended": ended, "limit": limit, "cursor": cursor}
        return get("/sessions", page(read.session), query)

    def session(self, session_id: str) -> Request[Session]:
        """One session."""
        return get(at("/sessions/{}", session_id), read.session)

    def end_session(self, session_id: str) -> Request[Session]:
        """Log somebody out."""
        return once(at("/sessions/{}", session_id), read.session, method="DELETE")
