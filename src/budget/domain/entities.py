"""Entities: how the things of the books are named in a graph of spend, and how they hang together.

    budget --funds--> component --spends_on--> model --offered_by--> provider
    budget --governed_by--> policy --raised--> alert <--explains-- component, model

Not here: what is said of each (`neighbours.athena`), and who asks (`engine.origins`).
"""

from typing import Final, Literal
from urllib.parse import quote, unquote

from budget.domain.attributes import compared

EntityType = Literal["budget", "policy", "component", "model", "provider", "alert", "anomaly"]
RelationType = Literal[
    "funds", "governed_by", "spends_on", "offered_by", "raised", "explains"
]  # fmt: skip

ANOMALIES: Final = frozenset({"runaway", "loop"})
"""The kinds of alerts that are anomalies, which an entity of their own explains."""

_MISSING: Final = "~"


def entity_id(entity_type: EntityType, key: str) -> str:
    """The id of an entity: its type, a colon, and its key with what no path can carry escaped.

    The key of a budget, a policy or an alert is its id; that of the others a name, as names
    compare, or "" for calls that name none.
    """
    if entity_type in ("model", "provider") and key:
        key = compared(entity_type, key)
    escaped = quote(key.replace("~", "~7E"), safe=":").replace("%", "~")
    return f"{entity_type}:{escaped or _MISSING}"


def key_of(identifier: str) -> str:
    """The key in an entity's id."""
    escaped = identifier.partition(":")[2]
    return "" if escaped == _MISSING else unquote(escaped.replace("~", "%"))


def named(entity_type: EntityType, key: str) -> str:
    """What an entity is called that is a name itself."""
    return key or f"(no {entity_type})"
