"""Acts about keys, and about who is logged in.

Not here: how they are done (`engine.jobs`), and how a service is asked (`client.calls`).
"""

from typing import Protocol, Unpack

from budget.domain.acts.act import Act
from budget.domain.answers_keys import ApiKey
from budget.domain.answers_pages import Page
from budget.domain.answers_sessions import LoginLink, Session
from budget.domain.asks_keys import ChangeKeyAsk, NewKeyAsk, RotateKeyAsk


class KeyActs(Protocol):
    """The methods."""

    def create_key(self, **ask: Unpack[NewKeyAsk]) -> Act[ApiKey]:
        """Make a key. The key itself is in this answer and in no other."""

    def change_key(self, key_id: str, **ask: Unpack[ChangeKeyAsk]) -> Act[ApiKey]:
        """Change the fields given, effective within a second. What a key is bound to stays."""

    def rotate_key(self, key_id: str, **ask: Unpack[RotateKeyAsk]) -> Act[ApiKey]:
        """Make a new key with the rights of another, which works on for `overlap_seconds`, a day
        unless said.
        """

    def revoke_key(self, key_id: str) -> Act[ApiKey]:
        """Take a key out of use for good, within a second."""

    def key(self, key_id: str) -> Act[ApiKey]:
        """One key, without what opens the door."""

    def own_key(self) -> Act[ApiKey]:
        """The key that asks: what it is called, what it may do, and until when."""

    def keys(
        self, *, revoked: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Act[Page[ApiKey]]:
        """Keys, newest first; revoked ones only when asked for."""

    def login_link(self) -> Act[LoginLink]:
        """Make a link that logs in to the dashboard once, within 5 minutes, with the caller's
        rights.
        """

    def sessions(
        self, *, ended: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Act[Page[Session]]:
        """Who is logged in, newest first; those whose session has ended only when asked for."""

    def session(self, session_id: str) -> Act[Session]:
        """One session."""

    def end_session(self, session_id: str) -> Act[Session]:
        """Log somebody out, within a second."""
