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
        return act("/keys", read.key, ask)

    def change_key(self, key_id: str, **ask: Unpack[ChangeKeyAsk]) -> Request[ApiKey]:
        return act(at("/keys/{}", key_id), read.key, ask, method="PATCH")

    def rotate_key(self, key_id: str, **ask: Unpack[RotateKeyAsk]) -> Request[ApiKey]:
        return act(at("/keys/{}/rotate", key_id), read.key, ask)

    def revoke_key(self, key_id: str) -> Request[ApiKey]:
        return once(at("/keys/{}", key_id), read.key, method="DELETE")

    def key(self, key_id: str) -> Request[ApiKey]:
        return get(at("/keys/{}", key_id), read.key)

    def own_key(self) -> Request[ApiKey]:
        return get("/keys/self", read.key)

    def keys(
        self, *, revoked: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Request[Page[ApiKey]]:
        query = {"revoked": revoked, "limit": limit, "cursor": cursor}
        return get("/keys", page(read.key), query)

    def login_link(self) -> Request[LoginLink]:
        return once("/login-links", read.login_link)

    def sessions(
        self, *, ended: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Request[Page[Session]]:
        query = {"ended": ended, "limit": limit, "cursor": cursor}
        return get("/sessions", page(read.session), query)

    def session(self, session_id: str) -> Request[Session]:
        return get(at("/sessions/{}", session_id), read.session)

    def end_session(self, session_id: str) -> Request[Session]:
        return once(at("/sessions/{}", session_id), read.session, method="DELETE")
