"""What a caller may write of keys, as types."""

from collections.abc import Mapping, Sequence
from typing import TypedDict


class NewKeyAsk(TypedDict, total=False):
    """What `create_key` takes: whose the key is, what it may do, and perhaps until when."""

    name: str
    scopes: Sequence[str]
    bound: Mapping[str, str]
    max_priority: int
    expires_at: str
    ttl_seconds: int
    idempotency_key: str


class ChangeKeyAsk(TypedDict, total=False):
    """What `change_key` takes: the fields to change."""

    name: str
    scopes: Sequence[str]
    max_priority: int
    expires_at: str
    idempotency_key: str


class RotateKeyAsk(TypedDict, total=False):
    """What `rotate_key` takes: for how long the old key still works beside the new one."""

    overlap_seconds: int
    idempotency_key: str
