"""Topics: kinds of entries that are often wanted together, by the names that live events have."""

from collections.abc import Mapping
from typing import Final

TOPICS: Final[Mapping[str, frozenset[str]]] = {
    "budget_events": frozenset({
        "budget_created", "budget_changed", "budget_archived", "topped_up", "backfilled",
        "request_made", "request_approved", "request_rejected", "request_withdrawn",
    }),
    "allocation_updates": frozenset({
        "placed", "recorded", "settled", "released", "extended", "expired", "reported",
        "corrected", "refused",
    }),
    "budget_alerts": frozenset({
        "alert_raised", "alert_resolved", "alert_acknowledged", "alert_dismissed",
    }),
    "price_updates": frozenset({"price_update"}),
    "policy_updates": frozenset({"policy_created", "policy_changed", "policy_archived"}),
}  # fmt: skip
