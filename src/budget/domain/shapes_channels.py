"""Shapes of channels, of what is sent through them, and of what they send."""

from collections.abc import Mapping
from typing import Any, TypedDict

from budget.domain.shapes import EventShape


class WantedShape(TypedDict):
    """What a channel is told of."""

    topics: list[str]
    kinds: list[str]
    severities: list[str]
    budget_id: str | None
    owner: str | None
    attributes: Mapping[str, str]


QuietShape = TypedDict(
    "QuietShape",
    {"from": str, "to": str, "timezone": str, "days": list[str], "min_severity": str},
)
"""Quiet hours."""


class ChannelShape(TypedDict):
    """A channel. Its kind says which of `url`, `to` and `apprise_url`, masked, is there."""

    channel_id: str
    name: str
    kind: str
    url: str | None
    to: list[str] | str | None
    apprise_url: str | None
    wanted: WantedShape
    quiet: QuietShape | None
    digest_seconds: int | None
    enabled: bool
    bound: Mapping[str, str]
    created_by: str
    created_at: str
    updated_at: str
    archived_at: str | None
    former_secret_until: str | None


class ChangedChannelShape(ChannelShape):
    """A channel that was made or changed; its `secret` only when that is new."""

    secret: str | None
    replayed: bool


class DeliveryShape(TypedDict):
    """One event on its way to a channel."""

    delivery_id: str
    channel_id: str
    cursor: str
    kind: str
    status: str
    attempts: int
    due_at: str | None
    created_at: str
    done_at: str | None
    answer: str | None
    digest_id: str | None


class TestedShape(TypedDict):
    """What came of a test notice."""

    channel_id: str
    delivered: bool
    answer: str


class ReplayShape(TypedDict):
    """What is sent again."""

    channel_id: str
    after: str
    deliveries: int


class NoticeShape(TypedDict):
    """What a webhook gets: `data` is the event, for a digest `notices`, for a test some words."""

    type: str
    timestamp: str
    data: EventShape | Mapping[str, Any]
