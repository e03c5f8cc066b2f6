"""Rhetor's catalogue: the models that it has, each with the price that it has here.

What it tells is read with care: an entry that cannot be one is left out. Not here: which of them is
called (`selecting`).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from budget.domain.money import format_pico_usd
from budget.domain.pricing import Rates, hold_nanos, rate_at
from budget.domain.shapes_rhetor import RhetorModelShape
from budget.neighbours.calling import Unanswered
from budget.prices.book import PriceBook
from budget.prices.resolutions import Resolution, why_unpriced

PATH: Final = "/api/models/"
"""With its slash: without one it is another path."""
ASSIGNMENTS: Final = "/api/models/assignments"
MAX_MODELS: Final = 1_000
MAX_COMPONENTS: Final = 500

DEFAULTS: Final = "defaults"
Assignments = dict[str, dict[str, str]]
"""By component, and `defaults`: the id of a model by capability."""

_MAX_CHARS: Final = 200
_MTOK: Final = 10**6
_STATE_PRICE: Final = "State its price, or 0 where it is free: `budget prices set`."


class RhetorModel(NamedTuple):
    """A model as Rhetor tells of it."""

    model_id: str
    provider: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    context_window: int | None = None
    max_output: int | None = None
    deprecated: bool = False
    fallback: str | None = None


class PricedModel(NamedTuple):
    """A model of Rhetor's, and what its name means here."""

    model: RhetorModel
    found: Resolution

    @property
    def rates(self) -> Rates | None:
        """What it costs; None: that is not known, which is not free."""
        return self.found.rates

    @property
    def is_free(self) -> bool:
        """Whether its price is stated as nothing."""
        return self.rates is not None and not hold_nanos(self.rates, 1, 1)

    def hold_nanos(self, input_tokens: int, output_tokens: int) -> int | None:
        """What a call of a size would hold."""
        rates = self.rates
        return None if rates is None else hold_nanos(rates, input_tokens, output_tokens)


def models_in(answer: Any) -> tuple[RhetorModel, ...]:
    """The models of an answer; Unanswered where it is no list of any."""
    listed = answer.get("models") if isinstance(answer, Mapping) else answer
    if not isinstance(listed, list):
        raise Unanswered("rhetor answered, but not with a list of models.")
    found = (_model(one) for one in listed[:MAX_MODELS])
    return tuple(one for one in found if one is not None)


def assignments_in(answer: Any) -> Assignments:
    """Which model each component has for each capability, `defaults` among them; what cannot be
    read is left out.
    """
    told = answer if isinstance(answer, Mapping) else {}
    components = told.get("components")
    groups = {DEFAULTS: told.get(DEFAULTS)}
    if isinstance(components, Mapping):
        groups |= dict(list(components.items())[:MAX_COMPONENTS])
    found = {text_of(name): _assigned(group) for name, group in groups.items()}
    return {name: group for name, group in found.items() if name and group}


def _assigned(group: Any) -> dict[str, str]:
    pairs = list(group.items())[:50] if isinstance(group, Mapping) else []
    texts = {text_of(capability): text_of(model) for capability, model in pairs}
    return {capability: model for capability, model in texts.items() if capability and model}


def priced(models: Iterable[RhetorModel], prices: PriceBook, at_us: int) -> tuple[PricedModel, ...]:
    """The models with their prices at an instant."""
    return tuple(
        PricedModel(one, prices.resolve(one.provider, one.model_id, at_us)) for one in models
    )


def shape_of(one: PricedModel) -> RhetorModelShape:
    """A model in JSON."""
    model, rates = one.model, one.rates
    return {
        "model": model.model_id,
        "provider": model.provider,
        "name": model.name,
        "aliases": list(model.aliases),
        "capabilities": list(model.capabilities),
        "context_window": model.context_window,
        "max_output": model.max_output,
        "deprecated": model.deprecated,
        "fallback": model.fallback,
        "priced": rates is not None,
        "free": one.is_free,
        "price_provider": one.found.provider if rates is None else rates.provider,
        "price_model": None if rates is None else rates.model,
        "input_price": None if rates is None else _usd(rate_at(rates.input, 0)),
        "output_price": None if rates is None else _usd(rate_at(rates.output, 0)),
        "why": "" if rates is not None else f"{why_unpriced(one.found)} {_STATE_PRICE}".lstrip(),
    }


def _usd(pico: int) -> str:
    return format_pico_usd(pico * _MTOK)


def _model(told: Any) -> RhetorModel | None:
    if not isinstance(told, Mapping):
        return None
    model_id, provider = text_of(told.get("id")), text_of(told.get("provider"))
    if not model_id or not provider:
        return None
    return RhetorModel(
        model_id, provider, text_of(told.get("name")), _texts(told.get("aliases")),
        _texts(told.get("capabilities")), count_of(told.get("context_window")),
        count_of(told.get("max_output")), told.get("deprecated") is True,
        text_of(told.get("fallback")) or None,
    )  # fmt: skip


def text_of(value: Any) -> str:
    """A text as it may be shown and asked for; empty if it is none."""
    if not isinstance(value, str) or len(value) > _MAX_CHARS or not value.isprintable():
        return ""
    return value.strip()


def count_of(value: Any) -> int | None:
    """A count; None if it is none."""
    return value if type(value) is int and 0 <= value <= 10**12 else None


def _texts(value: Any) -> tuple[str, ...]:
    found = map(text_of, value[:50]) if isinstance(value, list) else ()
    return tuple(text for text in found if text)
