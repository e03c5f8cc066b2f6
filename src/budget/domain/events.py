"""Events: the topics that readers follow, the kinds of entries of each, and their types of frames.

An event is an entry of the journal, and each kind of entry is of one topic at most. Not here: what
an event looks like in JSON (`wire.journal`), and how events reach who follows them (`http.live`).
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

AUDIT_TOPIC: Final = "audit_events"
"""What is done to keys, sessions, settings and channels: for who has the right `audit`."""

TOPICS: Final[Mapping[str, frozenset[str]]] = {
    "budget_events": frozenset({
        "budget_created", "budget_changed", "budget_archived", "topped_up", "backfilled",
        "request_made", "request_approved", "request_rejected", "request_withdrawn",
    }),
    "allocation_updates": frozenset({
        "placed", "recorded", "settled", "released", "extended", "expired", "reported",
        "corrected", "refused", "degraded",
    }),
    "budget_alerts": frozenset({
        "alert_raised", "alert_resolved", "alert_acknowledged", "alert_dismissed",
    }),
    "price_updates": frozenset({"price_update"}),
    "policy_updates": frozenset({"policy_created", "policy_changed", "policy_archived"}),
    AUDIT_TOPIC: frozenset({
        "key_created", "key_changed", "key_rotated", "key_revoked", "login_link_made",
        "session_started", "session_ended", "settings_changed", "channel_created",
        "channel_changed", "channel_archived", "channel_secret_rotated", "channel_tested",
        "delivery_replayed", "restored", "clock_confirmed",
    }),
}  # fmt: skip

TOPIC_OF: Final[Mapping[str, str]] = {
    kind: topic for topic, kinds in TOPICS.items() for kind in kinds
}
"""The topic of a kind."""

KINDS: Final = frozenset(TOPIC_OF)
OPEN_KINDS: Final = KINDS - TOPICS[AUDIT_TOPIC]
"""The kinds that who may read may follow."""

AUDITED_KINDS: Final = KINDS - {
    "placed", "recorded", "settled", "released", "extended", "expired", "reported", "refused",
    "degraded", "alert_raised", "alert_resolved",
}  # fmt: skip
"""What the audit log shows: what somebody changed, not what calls did (`schema.AUDITED`)."""

TYPES: Final[Mapping[str, str]] = {
    "budget_events": "budget_update",
    "allocation_updates": "allocation_update",
    "budget_alerts": "alert",
    "price_updates": "price_update",
    "policy_updates": "policy_update",
    AUDIT_TOPIC: "audit_event",
}
"""The type of the frames of a topic."""


class Filter(NamedTuple):
    """Which events somebody wants: of these kinds, about this budget, of these attributes."""

    kinds: frozenset[str]
    budget_id: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def looks_closer(self) -> bool:
        """Whether more than the kind of an event decides."""
        return self.budget_id is not None or bool(self.attributes)


def kinds_of(topics: Iterable[str]) -> frozenset[str]:
    """The kinds of some topics."""
    return frozenset[str]().union(*(TOPICS[topic] for topic in topics))
