"""What an alert came from, in JSON."""

from budget.domain.answers_origins import Graphed, Origin, Spender, Waypoint
from budget.domain.money import format_fraction, format_usd
from budget.domain.shapes_origins import GraphedShape, OriginShape, SpenderShape, WaypointShape
from budget.domain.wire.alerts import alert
from budget.domain.wire.parts import amount, window_of


def origin(answer: Origin) -> OriginShape:
    """What an alert came from."""
    return {
        "alert": alert(answer.alert),
        "budget": answer.budget,
        "unit": answer.unit,
        "window": None if answer.window is None else window_of(answer.window),
        "amount": amount(answer.amount, answer.unit),
        "requests": answer.requests,
        "cost": format_usd(answer.cost_nanos),
        "by": {
            key: [_spender(one, answer.unit) for one in some] for key, some in answer.by.items()
        },
        "path": [waypoint(one) for one in answer.path],
        "graph": None if answer.graph is None else _graphed(answer.graph),
    }


def waypoint(one: Waypoint) -> WaypointShape:
    """An entity on the way."""
    return {
        "entity_id": one.entity_id,
        "entity_type": one.entity_type,
        "name": one.name,
        "relation": one.relation,
    }


def _spender(one: Spender, unit: str) -> SpenderShape:
    return {
        "value": one.value or None,
        "amount": amount(one.amount, unit),
        "share": format_fraction(one.share_bps),
        "requests": one.requests,
        "cost": format_usd(one.cost_nanos),
    }


def _graphed(answer: Graphed) -> GraphedShape:
    return {
        "source": answer.source,
        "agrees": answer.agrees,
        "path": [waypoint(one) for one in answer.path],
        "note": answer.note,
    }
