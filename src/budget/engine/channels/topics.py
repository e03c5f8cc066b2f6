"""Topics that channels may be told of: all but what is for who has the right `audit`."""

from collections.abc import Mapping
from typing import Final

from budget.domain import events

TOPICS: Final[Mapping[str, frozenset[str]]] = {
    topic: kinds for topic, kinds in events.TOPICS.items() if topic != events.AUDIT_TOPIC
}
