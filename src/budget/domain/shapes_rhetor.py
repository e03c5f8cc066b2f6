"""Shapes of what Rhetor has and would choose, in JSON."""

from typing import TypedDict

from budget.domain.shapes_routing import RoutingShape


class RhetorModelShape(TypedDict):
    """A model of Rhetor's in its own words, and what it is priced as. Prices are USD per million
    tokens at small sizes; null where none is known, which `why` says.
    """

    model: str
    provider: str
    name: str
    aliases: list[str]
    capabilities: list[str]
    context_window: int | None
    max_output: int | None
    deprecated: bool
    fallback: str | None
    priced: bool
    free: bool
    price_provider: str | None
    price_model: str | None
    input_price: str | None
    output_price: str | None
    why: str


class RhetorModelsShape(TypedDict):
    """The models that Rhetor has, as it told when they were read; none where it is `off`.

    `assignments` are the ids of models by component (and `defaults`) and capability.
    """

    state: str
    read_at: str | None
    total: int
    providers: dict[str, int]
    unpriced: list[str]
    assignments: dict[str, dict[str, str]]
    items: list[RhetorModelShape]


class SelectedShape(TypedDict):
    """The model that Rhetor would take by itself."""

    model_id: str
    provider: str
    name: str
    context_window: int | None
    max_output: int | None


class SelectionShape(TypedDict):
    """What Rhetor would choose, and what may be called; the name to call is `routing.model`."""

    selected: SelectedShape
    routing: RoutingShape
