"""Answers about who is logged in to the dashboard: links that log in once, and sessions.

Not here: how they look in JSON (`wire.sessions`).
"""

from dataclasses import dataclass
from typing import NamedTuple

from budget.domain.rights import Bound


class LoginLink(NamedTuple):
    """A link that logs in once; `token` is what it carries, shown to its maker alone.

    `url` is the whole link where a service made it, which knows its own address.
    """

    token: str
    expires_us: int
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody logged in, with the rights of a key or of the rule that let them in.

    `key_id` None: by OpenID Connect. `actor` is whom the journal names.
    """

    session_id: str
    actor: str
    name: str
    scopes: tuple[str, ...]
    bound: Bound
    max_priority: int
    key_id: str | None
    created_us: int
    expires_us: int
    ended_us: int | None


class LoggedIn(NamedTuple):
    """A session just begun; `token` is what its cookie carries, and kept nowhere else."""

    session: Session
    token: str
