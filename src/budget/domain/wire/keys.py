"""Wire: API keys. Only the answer to whoever made one shows the key itself."""

from budget.domain.answers_keys import ApiKey
from budget.domain.shapes_keys import KeyShape, NewKeyShape
from budget.domain.windows import to_rfc3339


def key(one: ApiKey) -> KeyShape:
    """A key, without what opens the door."""
    return {
        "key_id": one.key_id,
        "name": one.name,
        "scopes": list(one.scopes),
        "bound": dict(one.bound),
        "max_priority": one.max_priority,
        "status": one.status,
        "created_at": to_rfc3339(one.created_us),
        "created_by": one.created_by,
        "expires_at": _instant(one.expires_us),
        "revoked_at": _instant(one.revoked_us),
        "last_used_at": _instant(one.last_used_us),
        "rotates": one.rotates,
    }


def new_key(one: ApiKey) -> NewKeyShape:
    """A key just made, with the key itself."""
    return {**key(one), "key": one.text}


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else to_rfc3339(at_us)
