"""What an alert came from, read."""

from collections.abc import Mapping, Sequence
from typing import Any

from budget.client.reading.alerts import alert
from budget.client.reading.parts import amount, bps, nanos, window
from budget.domain.answers_origins import Graphed, Origin, Spender, Waypoint


def origin(shape: Mapping[str, Any]) -> Origin:
    """What an alert came from."""
    graph = shape["graph"]
    return Origin(
        alert(shape["alert"]),
        shape["budget"],
        shape["unit"],
        None if shape["window"] is None else window(shape["window"]),
        amount(shape["amount"]),
        shape["requests"],
        nanos(shape["cost"]),
        {key: tuple(map(_spender, some)) for key, some in shape["by"].items()},
        _path(shape["path"]),
        None
        if graph is None
        else Graphed(graph["source"], graph["agrees"], _path(graph["path"]), graph["note"]),
    )


def _spender(shape: Mapping[str, Any]) -> Spender:
    return Spender(
        shape["value"] or "", amount(shape["amount"]), shape["requests"], nanos(shape["cost"]),
        bps(shape["share"]),
    )  # fmt: skip


def _path(shapes: Sequence[Mapping[str, Any]]) -> tuple[Waypoint, ...]:
    return tuple(
        Waypoint(one["entity_id"], one["entity_type"], one["name"], one["relation"])
        for one in shapes
    )
