"""Selecting: the model that Rhetor would take, or another of its own that may be called.

Rhetor is asked first; then the books, which fail closed: where no model may be called, or Rhetor
does not answer, none is named. Not here: what the limits say (`engine.routing`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.answers_routing import Routing
from budget.domain.asks_routing import SelectAsk
from budget.domain.attributes import parse_value
from budget.domain.errors import InvalidInput, NotFound
from budget.engine.budget import AsyncBudget
from budget.engine.fields import count, metadata_json, only_fields
from budget.engine.route_asks import CAPABILITIES, MOST_NAMED
from budget.neighbours.calling import Line, Unanswered
from budget.neighbours.rhetor.catalogue import PricedModel, RhetorModel, count_of, text_of

PATH: Final = "/api/models/select"
USUAL_CAPABILITY: Final = "chat"
_FIELDS: Final = frozenset(SelectAsk.__annotations__)
_PASSED: Final = (
    "component", "input_text", "input_tokens", "max_output_tokens", "attributes", "task_type",
    "context_id", "user_id", "priority",
)  # fmt: skip
_CHARS_PER_TOKEN: Final = 4


class Selection(NamedTuple):
    """What Rhetor would choose, and what may be called."""

    selected: RhetorModel
    routing: Routing


def capability_of(ask: Mapping[str, Any]) -> str:
    """The capability that is asked for; InvalidInput for what is wrong with the whole ask."""
    only_fields(ask, _FIELDS)
    if ask.get("component") is None:
        raise InvalidInput("component", "is required: whom Rhetor would choose a model for.")
    parse_value(ask["component"], "component")
    metadata_json(ask.get("requirements"), "requirements")
    given = ask.get("capability")
    capability = USUAL_CAPABILITY if given is None else parse_value(given, "capability").lower()
    if capability not in CAPABILITIES:
        raise InvalidInput("capability", f"{capability[:80]!r} is unknown.", tuple(CAPABILITIES))
    return capability


async def selected_by(line: Line, ask: Mapping[str, Any], capability: str) -> RhetorModel:
    """What Rhetor would choose; Unanswered where it names no model."""
    body = {"component": ask["component"], "capability": capability}
    if ask.get("requirements") is not None:
        body["requirements"] = ask["requirements"]
    try:
        told = await line.ask("POST", PATH, body)
    except Unanswered as error:
        if error.status == 404:
            raise NotFound("model", capability, f"{error.detail} It has none for that.") from None
        raise
    if isinstance(told, Mapping):
        model_id, provider = text_of(told.get("model_id")), text_of(told.get("provider"))
        if model_id and provider:
            return RhetorModel(
                model_id, provider, text_of(told.get("name")),
                context_window=count_of(told.get("context_window")),
                max_output=count_of(told.get("max_output")),
            )  # fmt: skip
    raise Unanswered("rhetor answered, but named no model.")


async def select(
    selected: RhetorModel,
    models: Iterable[PricedModel],
    budget: AsyncBudget,
    ask: Mapping[str, Any],
    capability: str,
) -> Selection:
    """What may be called in place of the selected model, or that itself."""
    call = {name: ask[name] for name in _PASSED if ask.get(name) is not None}
    instead = stand_ins(selected, models, capability, *_size(ask))
    books = budget.books
    # As its calls through the gateway count: `gemini` of Rhetor's is `google` in limits.
    seller = books.prices.seller(selected.provider, "", books.database.now_us())
    routing = await budget.route_model(
        provider=seller or selected.provider, model=selected.model_id, capability=capability,
        models=instead, **call,
    )  # fmt: skip
    return Selection(selected, routing)


def stand_ins(
    selected: RhetorModel,
    models: Iterable[PricedModel],
    capability: str,
    input_tokens: int,
    output_tokens: int,
) -> list[str]:
    """Rhetor's own models that have the capability and hold less, as provider/model: the next
    cheaper of the same provider first, then those of others, then those that are free.
    """
    found = list(models)
    asked = [one for one in found if one.model.model_id == selected.model_id]
    most = asked[0].hold_nanos(input_tokens, output_tokens) if asked else None
    ranked = []
    for one in found:
        nanos = one.hold_nanos(input_tokens, output_tokens)
        model = one.model
        if nanos is None or model.deprecated or model.model_id == selected.model_id:
            continue
        if capability not in model.capabilities or (most is not None and nanos >= most and nanos):
            continue
        if not _has_window(model, input_tokens, output_tokens):
            continue
        elsewhere = model.provider != selected.provider
        ranked.append((one.is_free, elsewhere, -nanos, f"{model.provider}/{model.model_id}"))
    return [name for *_, name in sorted(ranked)[:MOST_NAMED]]


def _has_window(model: RhetorModel, input_tokens: int, output_tokens: int) -> bool:
    window, most = model.context_window, model.max_output
    fits = window is None or input_tokens + output_tokens <= window
    return fits and (most is None or output_tokens <= most)


def _size(ask: Mapping[str, Any]) -> tuple[int, int]:
    """About how large the call is, to compare models by; the books count it."""
    text = ask.get("input_text")
    about = len(text) // _CHARS_PER_TOKEN if isinstance(text, str) else 0
    return count(ask, "input_tokens") or about, count(ask, "max_output_tokens") or 0
