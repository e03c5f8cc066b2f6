"""Task ways: what a caller writes of tasks, checked, and which models would do each.

Not here: which of them does it (`planning`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from budget.domain import decide
from budget.domain.allocations import Amounts
from budget.domain.asks_plans import PlanAsk, TaskAsk
from budget.domain.attributes import Attributes, parse_attributes, parse_value, put_once
from budget.domain.errors import Forbidden, InvalidInput, NotFound
from budget.domain.money import MAX_HOLD_NANOS, MAX_TOKENS, parse_count
from budget.domain.pricing import Rates
from budget.engine.callers import Caller
from budget.engine.fields import chosen_id, only_fields, priority_of, who
from budget.engine.intake import as_caller
from budget.prices.book import PriceBook
from budget.prices.capabilities import Needs, fits, is_retired
from budget.prices.cheaper import fitting
from budget.prices.tiers import REMOTE_HEAVYWEIGHT, TIERS

MAX_TASKS: Final = 200
MAX_NAMED: Final = 50
MAX_VALUE: Final = 1_000_000
MAX_CALLS: Final = 100_000
MOST_EXCLUDED: Final = 10
NEEDS: Final = ("tools", "vision", "audio", "json", "reasoning")

_FIELDS: Final = frozenset(PlanAsk.__annotations__)
_TASK_FIELDS: Final = frozenset(TaskAsk.__annotations__)


class Candidate(NamedTuple):
    """A model that would do a task: what it is worth then, and what all its calls hold."""

    provider: str | None
    model: str
    tier: str
    value: int
    hold_nanos: int
    amounts: Amounts
    attributes: Attributes

    @property
    def name(self) -> str:
        """The model with its provider."""
        return self.model if self.provider is None else f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Task:
    """A task to plan, and the models that would do it; `excluded`: why some others would not."""

    task_id: str
    priority: int
    most_value: int
    calls: int
    input_tokens: int
    max_output_tokens: int
    candidates: tuple[Candidate, ...]
    excluded: Mapping[str, str]


class _Asked(NamedTuple):
    """A task as it was written."""

    task_id: str
    field: str
    priority: int
    value: int
    values: Mapping[str, int]
    min_tier: str
    needs: Needs
    calls: int
    attributes: Mapping[str, str]
    models: tuple[str, ...]
    providers: tuple[str, ...]

    def value_of(self, names: tuple[str, ...], tier: str) -> int:
        """What it is worth when a model of these names does it."""
        said = (self.values[name] for name in (*names, tier) if name in self.values)
        return next(said, self.value)


def parse_tasks(
    ask: Mapping[str, Any], caller: Caller, prices: PriceBook, at_us: int
) -> list[Task]:
    """The tasks of an ask of `plan_tasks`; InvalidInput names the field that is wrong."""
    only_fields(ask, _FIELDS)
    if caller.envelope is not None:
        raise Forbidden("This key draws on an envelope alone; a plan is made of budgets.")
    given = ask.get("tasks")
    if not isinstance(given, list | tuple) or not 0 < len(given) <= MAX_TASKS:
        raise InvalidInput("tasks", f"must be a list of 1 to {MAX_TASKS} tasks.")
    shared = parse_attributes(ask.get("attributes"))
    models, providers = _names(ask, "models"), _names(ask, "providers")
    asked = [
        _parse_task(one, f"tasks.{n}", shared, models, providers, caller)
        for n, one in enumerate(given)
    ]
    seen: set[str] = set()
    for one in asked:
        if one.task_id in seen:
            raise InvalidInput(f"{one.field}.id", f"{one.task_id!r} is there twice.")
        seen.add(one.task_id)
    return [_with_ways(one, caller, prices, at_us) for one in asked]


def _parse_task(
    given: object,
    field: str,
    shared: Mapping[str, str],
    models: tuple[str, ...],
    providers: tuple[str, ...],
    caller: Caller,
) -> _Asked:
    if not isinstance(given, Mapping):
        raise InvalidInput(field, "must be an object.")
    only_fields(given, _TASK_FIELDS, f"{field}.")
    try:
        task_id = chosen_id(given, "id")
        priority = priority_of(given.get("priority"), caller)
    except InvalidInput as error:
        raise InvalidInput(f"{field}.{error.field}", _sentence(error)) from None
    if task_id is None:
        raise InvalidInput(f"{field}.id", "is required: how the task is called in the plan.")
    named = _names(given, "models", f"{field}.") or models
    if not named and not providers:
        raise InvalidInput("models", "is required, or providers: which models may do the tasks.")
    return _Asked(
        task_id,
        field,
        priority,
        _count(given, "value", field, MAX_VALUE, default=1, least=1),
        _values(given, field, named),
        _tier(given.get("min_tier"), f"{field}.min_tier"),
        _needs(given, field),
        _count(given, "calls", field, MAX_CALLS, default=1, least=1),
        _attributes(given, field, task_id, shared),
        named,
        () if given.get("models") else providers,
    )


def _sentence(error: InvalidInput) -> str:
    return error.detail.removeprefix(f"{error.field}: ").removeprefix(f"{error.field} ")


def _names(ask: Mapping[str, Any], name: str, prefix: str = "") -> tuple[str, ...]:
    given = ask.get(name)
    if given is None:
        return ()
    if not isinstance(given, list | tuple) or not 0 < len(given) <= MAX_NAMED:
        raise InvalidInput(f"{prefix}{name}", f"must be a list of 1 to {MAX_NAMED} names.")
    return tuple(
        dict.fromkeys(parse_value(one, f"{prefix}{name}.{n}") for n, one in enumerate(given))
    )


def _count(
    given: Mapping[str, Any],
    name: str,
    field: str,
    most: int,
    *,
    default: int | None = None,
    least: int = 0,
) -> int:
    value = given.get(name)
    if value is None:
        if default is None:
            raise InvalidInput(f"{field}.{name}", "is required; 0 is fine.")
        return default
    counted = parse_count(value, f"{field}.{name}", maximum=most)
    if counted < least:
        raise InvalidInput(f"{field}.{name}", f"must be at least {least}.")
    return counted


def _values(given: Mapping[str, Any], field: str, models: tuple[str, ...]) -> dict[str, int]:
    values, field = given.get("values"), f"{field}.values"
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InvalidInput(field, "must be an object of tier or model: value.", TIERS)
    for name in values:
        if name not in TIERS and name not in models:
            detail = f"{str(name)[:80]!r} is neither a tier nor one of the models."
            raise InvalidInput(field, detail, (*TIERS, *models))
    return {
        name: _count(values, name, field, MAX_VALUE, least=1)
        for name, value in values.items()
        if value is not None
    }


def _tier(given: object, field: str) -> str:
    if given is None:
        return TIERS[0]
    if given not in TIERS:
        raise InvalidInput(field, f"{str(given)[:80]!r} is not a tier.", TIERS)
    assert isinstance(given, str)
    return given


def _needs(given: Mapping[str, Any], field: str) -> Needs:
    wanted = () if given.get("needs") is None else given["needs"]
    if not isinstance(wanted, list | tuple):
        raise InvalidInput(f"{field}.needs", "must be a list.", NEEDS)
    for one in wanted:
        if one not in NEEDS:
            raise InvalidInput(f"{field}.needs", f"{str(one)[:80]!r} is not known.", NEEDS)
    abilities: dict[str, Any] = dict.fromkeys(wanted, True)
    return Needs(
        _count(given, "input_tokens", field, MAX_TOKENS),
        _count(given, "max_output_tokens", field, MAX_TOKENS),
        mode="chat",
        **abilities,
    )


def _attributes(
    given: Mapping[str, Any], field: str, task_id: str, shared: Mapping[str, str]
) -> dict[str, str]:
    """The attributes of a task's calls: its own before those of all."""
    own = parse_attributes(given.get("attributes"), f"{field}.attributes")
    for name, key in (("project", "project"), ("requirement", "tag.requirement")):
        if given.get(name) is not None:
            put_once(own, key, parse_value(given[name], f"{field}.{name}"), f"{field}.attributes")
    own.setdefault("task", task_id)
    return {**shared, **own}


# --- Ways ----------------------------------------------------------------------------------------


def _with_ways(asked: _Asked, caller: Caller, prices: PriceBook, at_us: int) -> Task:
    candidates: dict[str, Candidate] = {}
    excluded: dict[str, str] = {}
    for provider, model, rates in _offered(asked, prices, at_us):
        ask = {"attributes": asked.attributes, "provider": provider, "model": model}
        attributes, seller, _ = who(ask, prices, at_us)
        found = _judged(asked, rates, seller, model, prices, at_us)
        name = model if seller is None else f"{seller}/{model}"
        if isinstance(found, str):
            excluded[name] = found
        else:
            candidates[name] = found._replace(attributes=as_caller(attributes, caller))
    needs = asked.needs
    return Task(
        asked.task_id,
        asked.priority,
        max((one.value for one in candidates.values()), default=0),
        asked.calls,
        needs.input_tokens,
        needs.output_tokens,
        tuple(candidates.values()),
        dict(list(excluded.items())[:MOST_EXCLUDED]),
    )


def _offered(
    asked: _Asked, prices: PriceBook, at_us: int
) -> Iterator[tuple[str | None, str, Rates | None]]:
    """The models asked about, with their rates where these are known."""
    for name in asked.models:
        seller = prices.seller(None, name, at_us)
        head, _, model = name.partition("/")
        if head.lower() != seller or not model:
            model = name
        yield seller, model, prices.lookup(seller, model, at_us)
    for provider in asked.providers:
        seller = prices.seller(provider, "", at_us) or provider.lower()
        if not prices.offered(seller, at_us):
            raise NotFound("provider", provider[:80])
        for offer in fitting(prices, seller, asked.needs, at_us):
            if offer.rates.output and offer.is_known:
                yield seller, offer.rates.model.removeprefix("regional."), offer.rates


def _judged(
    asked: _Asked,
    rates: Rates | None,
    provider: str | None,
    model: str,
    prices: PriceBook,
    at_us: int,
) -> Candidate | str:
    """The model as one that would do, or why it would not."""
    tier = prices.tier_of(provider, model) or REMOTE_HEAVYWEIGHT
    if TIERS.index(tier) < TIERS.index(asked.min_tier):
        return f"is {tier}, below {asked.min_tier}"
    if rates is None:
        return "has no known price"
    able = prices.capabilities(provider, model)
    if is_retired(able, at_us):
        return "is no longer offered"
    if fits(able, asked.needs, at_us) is False:
        return "cannot do what the task needs, or its calls are too large for it"
    needs, calls = asked.needs, asked.calls
    amounts, held = decide.estimate(rates, needs.input_tokens, needs.output_tokens, 1)
    if (held.usd or 0) > MAX_HOLD_NANOS or (held.tokens or 0) > MAX_TOKENS:
        return "would hold more for a call than one may"
    return Candidate(
        provider,
        model,
        tier,
        asked.value_of((f"{provider}/{model}", model), tier),
        (held.usd or 0) * calls,
        Amounts._make(None if one is None else one * calls for one in amounts),
        {},
    )
