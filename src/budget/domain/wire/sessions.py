"""Wire: links that log in, and sessions. Neither shows the token that opens the door."""

from budget.domain.answers_sessions import Session
from budget.domain.shapes_sessions import SessionShape
from budget.domain.windows import to_rfc3339


def session(one: Session) -> SessionShape:
    """A session."""
    return {
        "session_id": one.session_id,
        "actor": one.actor,
        "name": one.name,
        "scopes": list(one.scopes),
        "bound": dict(one.bound),
        "max_priority": one.max_priority,
        "key_id": one.key_id,
        "created_at": to_rfc3339(one.created_us),
        "expires_at": to_rfc3339(one.expires_us),
        "ended_at": None if one.ended_us is None else to_rfc3339(one.ended_us),
    }
