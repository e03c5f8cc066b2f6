"""Shapes of what an alert came from."""

from typing import TypedDict

from budget.domain.shapes import Amount, WindowShape
from budget.domain.shapes_alerts import AlertShape


class SpenderShape(TypedDict):
    """Calls with one value of an attribute; null where they have none."""

    value: str | None
    amount: Amount
    share: str
    requests: int
    cost: str


class WaypointShape(TypedDict):
    """An entity on the way, and the relation to the one before it."""

    entity_id: str
    entity_type: str
    name: str
    relation: str | None


class GraphedShape(TypedDict):
    """The way as a knowledge graph tells it."""

    source: str
    agrees: bool
    path: list[WaypointShape]
    note: str


class OriginShape(TypedDict):
    """What an alert came from."""

    alert: AlertShape
    budget: str | None
    unit: str
    window: WindowShape | None
    amount: Amount
    requests: int
    cost: str
    by: dict[str, list[SpenderShape]]
    path: list[WaypointShape]
    graph: GraphedShape | None
