"""Answers about API keys, as values. How they look in JSON is `wire.keys`."""

from dataclasses import dataclass
from typing import Literal

from budget.domain.rights import Bound

Status = Literal["live", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: whose it is, what it may do, and since and until when.

    `rotates`: the key whose place it takes. `text` is the key itself, in the answer to whoever
    made it and in no other.
    """

    key_id: str
    name: str
    scopes: tuple[str, ...]
    bound: Bound
    max_priority: int
    status: Status
    created_us: int
    created_by: str | None
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None
    rotates: str | None
    text: str | None = None
    replayed: bool = False
