"""What is asked of routing, read: the call without its model, its size, and what it needs.

Not here: what may stand in for the model (`standing_in`), and whether it may go (`routing`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain.allocations import default_size_tokens
from budget.domain.answers_routing import Step
from budget.domain.asks_routing import RouteAsk
from budget.domain.attributes import parse_value
from budget.domain.errors import InvalidInput
from budget.domain.text_tokens import family_of
from budget.engine.callers import Caller
from budget.engine.estimates import input_at
from budget.engine.factors import Factors
from budget.engine.fields import count, only_fields, parse_text, priority_of, who
from budget.prices.book import PriceBook
from budget.prices.capabilities import Needs
from budget.prices.naming import LOCAL

CAPABILITIES: Final[Mapping[str, Needs]] = {
    "chat": Needs(), "code": Needs(), "planning": Needs(), "reasoning": Needs(),
    "vision": Needs(vision=True), "functions": Needs(tools=True), "tools": Needs(tools=True),
    "audio": Needs(audio=True), "json": Needs(json=True), "embedding": Needs(mode="embedding"),
}  # fmt: skip
"""What a model must be able to do. How well it writes code, plans or reasons no list says."""
MOST_NAMED: Final = 32

_FIELDS: Final = frozenset(RouteAsk.__annotations__)
_OF_MODEL: Final = ("provider", "model", "tier")
_OF_CALLER: Final = (
    "component", "task_type", "context_id", "user_id", "attributes", "provider", "model",
)  # fmt: skip


class Choice(NamedTuple):
    """A model that may be called, and how it came to be considered."""

    provider: str | None
    model: str
    step: Step


class Asked(NamedTuple):
    """What was asked. `call` is what `allocate` takes, without the model and the size."""

    call: Mapping[str, Any]
    tier: str | None
    """The tier that the caller says the model has that it asks for."""
    wanted: Choice | None
    seller: str | None
    """Whose models are looked at first."""
    needs: Needs
    input_text: str | None
    input_tokens: int
    output_tokens: int
    models: tuple[Choice, ...] | None
    providers: tuple[str, ...]


def parse_route(ask: Mapping[str, Any], caller: Caller, prices: PriceBook, at_us: int) -> Asked:
    """What was asked; InvalidInput names the field that cannot be read."""
    only_fields(ask, _FIELDS)
    named = {name: ask[name] for name in _OF_CALLER if ask.get(name) is not None}
    attributes, provider, model = who(named, prices, at_us)
    priority = priority_of(ask.get("priority"), caller)
    text, input_tokens = _input(ask)
    capability = _capability(ask)
    output_tokens = count(ask, "max_output_tokens")
    if output_tokens is None:
        embeds = capability == "embedding"
        output_tokens = 0 if embeds else default_size_tokens(attributes.get("task_type"), priority)
    models, providers = _names(ask, "models"), _names(ask, "providers")
    if model is None and provider is None and models is None and not providers:
        raise InvalidInput("model", "is required, or provider, models or providers.")
    own = {key: value for key, value in attributes.items() if key not in _OF_MODEL}
    return Asked(
        call={"attributes": own, "priority": priority},
        tier=_stated_tier(ask),
        wanted=None if model is None else Choice(provider, model, "asked"),
        seller=None if provider is None else _seller(prices, provider, at_us),
        needs=CAPABILITIES[capability],
        input_text=text,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        models=None if models is None else tuple(
            choice_of(name, "given", prices, at_us) for name in models
        ),
        providers=tuple(_seller(prices, name, at_us) for name in providers or ()),
    )  # fmt: skip


def choice_of(name: str, step: Step, prices: PriceBook, at_us: int) -> Choice:
    """A model by its whole name, `provider/model`, or its name alone."""
    rates = prices.lookup(None, name, at_us)
    before, _, after = name.partition("/")
    seller = prices.seller(None, name, at_us)
    if after and before in LOCAL:
        return Choice(LOCAL[before], after, step)
    if rates is not None and rates.provider:
        seller = rates.provider
    if after and seller is not None and _seller(prices, before, at_us) == seller:
        name = after
    return Choice(seller, name, step)


class InputSizes:
    """How many tokens the input of a call has at most, as each family of models counts it."""

    def __init__(self, asked: Asked, prices: PriceBook, actor: str, factors: Factors | None):
        self._asked = asked
        self._prices = prices
        self._actor = actor
        self._factors = factors
        self._counted: dict[str, int] = {}

    def of(self, provider: str | None, model: str, at_us: int) -> int:
        """The size for a model."""
        text = self._asked.input_text
        if text is None:
            return self._asked.input_tokens
        family = family_of(provider or "", model)
        found = self._counted.get(family)
        if found is None:
            rates = self._prices.lookup(provider, model, at_us)
            found = input_at(text, provider, model, rates, self._actor, self._factors).tokens
            self._counted[family] = found
        return found

    @property
    def most(self) -> int:
        """The largest that was counted."""
        return max(self._counted.values(), default=self._asked.input_tokens)


def _input(ask: Mapping[str, Any]) -> tuple[str | None, int]:
    """The text that goes in, or how many tokens it has."""
    tokens = count(ask, "input_tokens")
    if ask.get("input_text") is None:
        if tokens is None:
            raise InvalidInput("input_tokens", "is required, or input_text; 0 is fine.")
        return None, tokens
    if tokens is not None:
        raise InvalidInput("input_tokens", "is stated beside input_text; give one of them.")
    return parse_text(ask["input_text"], "input_text"), 0


def _stated_tier(ask: Mapping[str, Any]) -> str | None:
    """Checked with the other attributes."""
    given = ask.get("attributes")
    return None if given is None else given.get("tier")


def _capability(ask: Mapping[str, Any]) -> str:
    given = ask.get("capability")
    if given is None:
        return "embedding" if ask.get("task_type") == "embedding" else "chat"
    found = parse_value(given, "capability").lower()
    if found not in CAPABILITIES:
        raise InvalidInput("capability", f"{found[:80]!r} is not known.", tuple(CAPABILITIES))
    return found


def _names(ask: Mapping[str, Any], field: str) -> tuple[str, ...] | None:
    """A list of names; None where there is none."""
    given = ask.get(field)
    if given is None:
        return None
    if not isinstance(given, list | tuple):
        raise InvalidInput(field, "must be a list of names.")
    if len(given) > MOST_NAMED:
        raise InvalidInput(field, f"has {len(given)} names; at most {MOST_NAMED}.")
    return tuple(parse_value(name, f"{field}[{at}]") for at, name in enumerate(given))


def _seller(prices: PriceBook, provider: str, at_us: int) -> str:
    """Our id of a provider, or its own name."""
    return prices.seller(provider, "", at_us) or provider.strip().lower()
