"""What a caller may write to have a model chosen for a call, as types."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class RouteAsk(TypedDict, total=False):
    """What `route_model` takes: the model that is wanted, how large the call is, and who asks.

    The input is a text or a count of tokens. `models` are what may stand in, as `provider/model`,
    the best first, in place of all that have a price; `providers` are whose may.
    """

    provider: str
    model: str
    capability: str
    input_text: str
    input_tokens: int
    max_output_tokens: int
    models: Sequence[str]
    providers: Sequence[str]
    attributes: Mapping[str, str]
    component: str
    task_type: str
    context_id: str
    user_id: str
    priority: int


class SelectAsk(TypedDict, total=False):
    """What choosing by Rhetor takes: a component and a capability, and how large the call is.

    `requirements` are passed on to Rhetor as they are.
    """

    component: str
    capability: str
    requirements: Mapping[str, Any]
    input_text: str
    input_tokens: int
    max_output_tokens: int
    attributes: Mapping[str, str]
    task_type: str
    context_id: str
    user_id: str
    priority: int
