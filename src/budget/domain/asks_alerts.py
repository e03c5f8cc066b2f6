"""What a caller may write of alerts and channels, as types."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from budget.domain.asks import Written


class AcknowledgeAsk(TypedDict, total=False):
    """What `acknowledge_alert` takes: perhaps a word on what is done about it."""

    note: str
    idempotency_key: str


class DismissAsk(TypedDict, total=False):
    """What `dismiss_alert` takes."""

    idempotency_key: str


class AlertSettingsAsk(TypedDict, total=False):
    """What `change_alert_settings` takes; null sets one back to its default."""

    runaway_factor: int | None
    runaway_floor: Written | None
    off: list[str] | None
    severities: Mapping[str, str] | None
    idempotency_key: str


class ChannelAsk(TypedDict, total=False):
    """What a channel is made of. `wanted` and `quiet` are taken as a whole; `{}` empties them."""

    name: str
    kind: str
    url: str
    to: str | Sequence[str]
    apprise_url: str
    wanted: Mapping[str, Any]
    quiet: Mapping[str, Any]
    digest_seconds: int
    enabled: bool
    idempotency_key: str
