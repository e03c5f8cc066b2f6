"""Answers about what an alert came from, as values: who spent what, and the way that leads there.

How they look in JSON is `wire.origins`. Not here: how they are worked out (`engine.origins`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from budget.domain.answers_alerts import Alert
from budget.domain.budgets import Unit
from budget.domain.entities import EntityType, RelationType
from budget.domain.windows import Window


class Spender(NamedTuple):
    """Calls with one value of an attribute, "" where they have none.

    `amount` is in the unit of the answer, `share_bps` its part of what all calls add up to.
    """

    value: str
    amount: int
    requests: int
    cost_nanos: int
    share_bps: int


class Waypoint(NamedTuple):
    """An entity on a way through the graph of spend, and the relation to the one before it.

    Which way round a relation holds is told by what it is called (`domain.entities`).
    """

    entity_id: str
    entity_type: EntityType
    name: str
    relation: RelationType | None = None


class Graphed(NamedTuple):
    """The same way as a knowledge graph tells it: whose, whether it leads to the same component
    and model, and what there is to say if it does not, or did not answer.
    """

    source: str
    agrees: bool
    path: tuple[Waypoint, ...] = ()
    note: str = ""


class Origin(NamedTuple):
    """What an alert came from: what its calls used in `window`, which ends with the alert.

    `amount` is in `unit`. `by` are the greatest spenders by each of some attributes, in order;
    `path` leads from the alert to the component, the model and the provider that spent most.
    `window` is None for an alert that no calls are behind. `graph` is there where a service is in
    touch with a knowledge graph.
    """

    alert: Alert
    budget: str | None
    unit: Unit
    window: Window | None
    amount: int
    requests: int
    cost_nanos: int
    by: Mapping[str, Sequence[Spender]]
    path: tuple[Waypoint, ...]
    graph: Graphed | None = None
