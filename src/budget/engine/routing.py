"""Routing: which model a call should go to within its budgets, tried as `check` would try it.

First the model that was asked for; where a limit speaks against it, what may stand in, all at once:
the ladders of its budgets, then cheaper models of the same provider, then of others, then models of
one's own that are known to be free. Nothing is held. Not here: which of them is taken
(`domain.routing`), and which models will do (`prices.cheaper`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Unpack

from budget.domain.allocations import NORMAL_PRIORITY, default_size_tokens
from budget.domain.answers import Check, Refusal
from budget.domain.answers_routing import Routing, Step
from budget.domain.asks_routing import RouteAsk
from budget.domain.attributes import parse_value
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.pricing import Rates, hold_nanos
from budget.domain.routing import Size, Tried, most_instead_of, pressing, routed, why_not
from budget.domain.text_tokens import family_of
from budget.engine import intake
from budget.engine.advice import worded
from budget.engine.books import Books
from budget.engine.callers import Caller
from budget.engine.commands import Place
from budget.engine.estimates import input_at
from budget.engine.fields import count, only_fields, parse_text, priority_of, who
from budget.engine.job import Job, Maker
from budget.engine.shown import shown
from budget.prices.capabilities import Needs, fits
from budget.prices.cheaper import Offer, fitting
from budget.prices.naming import LOCAL as LOCAL_SERVERS

CAPABILITIES: Final[Mapping[str, Needs]] = {
    "chat": Needs(), "code": Needs(), "planning": Needs(), "reasoning": Needs(),
    "vision": Needs(vision=True), "functions": Needs(tools=True), "tools": Needs(tools=True),
    "audio": Needs(audio=True), "json": Needs(json=True), "embedding": Needs(mode="embedding"),
}  # fmt: skip
"""What a model must be able to do. How well it writes code, plans or reasons no list says."""

MAKERS: Final = ("anthropic", "openai", "google", "mistral", "x-ai", "deepseek", "cohere")
"""Whose models may stand in for another provider's, unless the caller says whose."""
MOST_LADDERS: Final = 16
MOST_OF_ONE: Final = 8
"""So many of one provider are tried: those nearest below the price of what was asked for."""
MOST_OF_ANOTHER: Final = 3
MOST_NAMED: Final = 32

_FIELDS: Final = frozenset(RouteAsk.__annotations__)
_OF_MODEL: Final = ("provider", "model", "tier")
_OF_CALLER: Final = ("component", "task_type", "context_id", "user_id")


class _Choice(NamedTuple):
    """A model that may be called, and how it came to be considered."""

    provider: str | None
    model: str
    step: Step


class _Asked(NamedTuple):
    """What was asked, read: the call without its model, and the model, if one was named."""

    call: Mapping[str, Any]
    wanted: _Choice | None
    seller: str | None
    """Whose models are looked at first."""
    needs: Needs
    text: str | None
    input_tokens: int
    output_tokens: int
    models: tuple[_Choice, ...] | None
    providers: tuple[str, ...]


class Router:
    """One question, asked on behalf of a caller."""

    def __init__(self, books: Books, caller: Caller, ask: Mapping[str, Any]) -> None:
        self._books = books
        self._caller = caller
        self._now_us = books.database.now_us()
        self._counted: dict[str, int] = {}
        self._asked = self._read(ask)

    def answer(self) -> Routing:
        """The model to call. InvalidInput names the field that cannot be read."""
        asked = self._asked
        first = None
        if asked.wanted is not None:
            first = self._tried([asked.wanted], strictly=True)[0]
        warnings: tuple[str, ...] = ()
        others: list[Tried] = []
        if why_not(first) != "fits":
            choices, warnings = self._choices(first)
            others = self._tried(choices)
        at = asked.wanted
        tokens = asked.input_tokens if at is None else self._input_tokens(at.provider, at.model)
        return routed(first, others, Size(tokens, asked.output_tokens, self._now_us), warnings)

    # --- What was asked --------------------------------------------------------------------------

    def _read(self, ask: Mapping[str, Any]) -> _Asked:
        only_fields(ask, _FIELDS)
        prices, at_us = self._books.prices, self._now_us
        attributes, provider, model = who(_who_asks(ask), prices, at_us)
        priority = priority_of(ask.get("priority"), self._caller)
        call = {
            "attributes": {
                key: value for key, value in attributes.items() if key not in _OF_MODEL
            },
            "priority": priority,
        }  # fmt: skip
        text = (
            None if ask.get("input_text") is None else parse_text(ask["input_text"], "input_text")
        )
        tokens = count(ask, "input_tokens")
        if text is not None and tokens is not None:
            raise InvalidInput("input_tokens", "is stated beside input_text; give one of them.")
        if text is None and tokens is None:
            raise InvalidInput("input_tokens", "is required, or input_text; 0 is fine.")
        most = count(ask, "max_output_tokens")
        capability = _capability(ask)
        if most is None:
            embeds = CAPABILITIES[capability].mode == "embedding"
            task_type = attributes.get("task_type")
            most = 0 if embeds else default_size_tokens(task_type, priority or NORMAL_PRIORITY)
        wanted = None if model is None else _Choice(provider, model, "asked")
        models = _named(ask, "models", MOST_NAMED)
        providers = tuple(
            self._seller(name) for name in _named(ask, "providers", MOST_NAMED) or ()
        )
        if wanted is None and provider is None and models is None and not providers:
            raise InvalidInput("model", "is required, or provider, models or providers.")
        return _Asked(
            call, wanted, None if provider is None else self._seller(provider),
            CAPABILITIES[capability], text, tokens or 0, most,
            None if models is None else tuple(self._choice(name, "given") for name in models),
            providers,
        )  # fmt: skip

    def _seller(self, provider: str) -> str:
        """Our id of a provider, or its own name."""
        found = self._books.prices.seller(provider, "", self._now_us)
        return found or provider.strip().lower()

    def _choice(self, name: str, step: Step) -> _Choice:
        """A model by its whole name, `provider/model` or its name alone."""
        prices = self._books.prices
        rates = prices.lookup(None, name, self._now_us)
        if rates is not None and rates.provider:
            return _Choice(rates.provider, _bare(name, rates.provider), step)
        before, _, after = name.partition("/")
        if after and before in LOCAL_SERVERS:
            return _Choice(LOCAL_SERVERS[before], after, step)
        return _Choice(prices.seller(None, name, self._now_us), name, step)

    # --- What may stand in -----------------------------------------------------------------------

    def _choices(self, first: Tried | None) -> tuple[list[_Choice], tuple[str, ...]]:
        """What may stand in, the best first, and what is to be told of the ladder."""
        asked = self._asked
        found: list[_Choice] = []
        warnings: list[str] = []
        budget_name, steps = self._ladder(first)
        for step in steps:
            if step == "refuse":
                return _once(found, asked.wanted), tuple(warnings)
            if step == "cheaper":
                found += self._cheaper(first)
            elif step in ("smaller", "queue"):
                warnings.append(
                    f"The ladder of budget {budget_name!r} has the step {step!r}, which the caller "
                    "may take by itself."
                )
            else:
                found.append(self._on_ladder(step))
        if asked.models is not None:
            found += [one for one in asked.models if self._will_do(one, first)]
        else:
            found += self._cheaper(first)
            found += self._of_others(first)
            found += self._free()
        return _once(found, asked.wanted), tuple(warnings)

    def _ladder(self, first: Tried | None) -> tuple[str, Sequence[str]]:
        """The ladder to walk: of a budget that refuses or is pressed, the strictest."""
        if first is None:
            return "", ()
        budgets = self._books.ledger.catalogue.budgets
        if isinstance(first.answer, Refusal):
            ladder = first.answer.ladder
            if ladder is None:
                return "", ()
            return budgets[ladder.budget_id].name, ladder.steps
        return next(
            (
                (leg.budget, budgets[leg.policy.budget_id].degrade)
                for leg in pressing(first)
                if budgets[leg.policy.budget_id].degrade
            ),
            ("", ()),
        )

    def _on_ladder(self, model: str) -> _Choice:
        """A step of a ladder: a model of the same provider, if that has it."""
        seller = self._asked.seller
        lookup = self._books.prices.lookup
        if seller is not None and lookup(seller, model, self._now_us) is not None:
            return _Choice(seller, model, "ladder")
        return self._choice(model, "ladder")

    def _will_do(self, choice: _Choice, first: Tried | None) -> bool:
        """Whether nothing speaks against a model that was named, its price aside."""
        known = self._books.prices.capabilities(choice.provider, choice.model)
        return fits(known, self._needs(first), self._now_us) is not False

    def _needs(self, first: Tried | None) -> Needs:
        """What the call needs of a model, whichever."""
        asked = self._asked
        mode = asked.needs.mode
        if mode is None and first is not None:
            mode = self._books.prices.capabilities(first.provider, first.model).mode
        most = max(asked.input_tokens, *self._counted.values(), 0)
        return asked.needs._replace(
            mode=mode or "chat", input_tokens=most, output_tokens=asked.output_tokens
        )

    def _cheaper(self, first: Tried | None) -> list[_Choice]:
        """Cheaper models of the same provider, the dearest first: the nearest to what was asked."""
        seller = self._asked.seller
        if seller is None:
            return []
        return self._ranked([seller], first, MOST_OF_ONE, "same_provider")

    def _of_others(self, first: Tried | None) -> list[_Choice]:
        """The same of other providers."""
        asked = self._asked
        others = [one for one in asked.providers or MAKERS if one != asked.seller]
        return self._ranked(others, first, MOST_OF_ANOTHER, "other_provider")

    def _ranked(
        self, sellers: Iterable[str], first: Tried | None, most: int, step: Step
    ) -> list[_Choice]:
        """Of each provider some that will do and hold less; known ones first, then the dearest.

        Without a model to compare with, the cheapest.
        """
        most_nanos = None if first is None else most_instead_of(first)
        found = []
        for seller in sellers:
            own = [
                (not offer.is_known, nanos if most_nanos is None else -nanos, choice)
                for choice, offer, nanos in self._offered(seller, first, step)
                if nanos > 0 and (most_nanos is None or nanos <= most_nanos)
                and self._has_room(choice, nanos, first)
            ]  # fmt: skip
            found += sorted(own)[:most]
        return [choice for *_, choice in sorted(found)]

    def _offered(
        self, seller: str, first: Tried | None, step: Step
    ) -> Iterator[tuple[_Choice, Offer, int]]:
        """What a provider has that will do, and what the call would hold with it."""
        asked = self._asked
        needs = self._needs(first)
        for offer in fitting(self._books.prices, seller, needs, self._now_us):
            rates = offer.rates
            if bool(asked.output_tokens) and needs.mode != "embedding" and not _writes(rates):
                continue
            tokens = self._input_tokens(rates.provider, rates.model)
            nanos = hold_nanos(rates, tokens, asked.output_tokens)
            model = rates.model.removeprefix("regional.")
            yield _Choice(rates.provider, model, step), offer, nanos

    def _has_room(self, choice: _Choice, nanos: int, first: Tried | None) -> bool:
        """Whether a limit in money that refused the first may have room for this one.

        Only to try those that may fit: what fits is found by trying.
        """
        if first is None or not isinstance(first.answer, Refusal):
            return True
        catalogue = self._books.ledger.catalogue
        attributes = {
            **self._asked.call["attributes"], "provider": choice.provider or "",
            "model": choice.model, "tier": self._tier(choice) or "",
        }  # fmt: skip
        partitions = {
            policy.policy_id: partition
            for policy, partition in catalogue.match(attributes).policies
        }
        return all(
            partitions.get(line.balance.policy.policy_id) != line.balance.partition
            or line.unit != "usd"
            or nanos <= line.requested - line.shortfall
            for line in first.answer.lines
        )

    def _free(self) -> list[_Choice]:
        """Models of servers of one's own that are known to be free: their price is stated as 0."""
        asked = self._asked
        found = []
        for seller in dict.fromkeys((*LOCAL_SERVERS.values(), "local")):
            for offer in fitting(self._books.prices, seller, self._needs(None), self._now_us):
                rates = offer.rates
                if hold_nanos(rates, asked.input_tokens + 1, asked.output_tokens + 1) == 0:
                    found.append((not offer.is_known, _Choice(seller, rates.model, "free")))
        return [choice for _, choice in sorted(found)][:MOST_OF_ONE]

    # --- Trying ----------------------------------------------------------------------------------

    def _tried(self, choices: Sequence[_Choice], *, strictly: bool = False) -> list[Tried]:
        """What the limits say to each. Those that the caller may not call are left out, or, where
        it is `strictly` this one, Forbidden.
        """
        commands: list[tuple[_Choice, Place]] = []
        for choice in choices:
            try:
                commands.append((choice, self._command(choice)))
            except Forbidden:
                if strictly:
                    raise
        answers = self._books.ledger.do_all([command for _, command in commands])
        tried = []
        for (choice, command), answer in zip(commands, answers, strict=True):
            if isinstance(answer, BaseException):
                if strictly or not isinstance(answer, InvalidInput):
                    raise answer
                continue
            tried.append(self._judged(choice, command, answer))
        return tried

    def _command(self, choice: _Choice) -> Place:
        call = {
            **self._asked.call, "model": choice.model,
            "input_tokens": self._input_tokens(choice.provider, choice.model),
            "max_output_tokens": self._asked.output_tokens,
        }  # fmt: skip
        if choice.provider is not None:
            call["provider"] = choice.provider
        return intake.placing(call, self._caller, self._books.prices, self._now_us, dry=True)

    def _judged(self, choice: _Choice, command: Place, answer: Check | Refusal) -> Tried:
        catalogue = self._books.ledger.catalogue
        told = shown(answer, self._caller.bound, catalogue.budgets)
        told = worded(told, catalogue.settings)
        nanos = None
        if command.rates is not None:
            nanos = hold_nanos(
                command.rates, command.input_tokens or 0, command.max_output_tokens or 0
            )
        tier = command.attributes.get("tier")
        return Tried(choice.provider, choice.model, tier, choice.step, nanos, told)

    def _tier(self, choice: _Choice) -> str | None:
        return self._books.prices.tier_of(choice.provider, choice.model)

    def _input_tokens(self, provider: str | None, model: str) -> int:
        """The input as a model of that family counts it, at most."""
        asked = self._asked
        if asked.text is None:
            return asked.input_tokens
        family = f"{family_of(provider or '', model)}"
        found = self._counted.get(family)
        if found is None:
            rates = self._books.prices.lookup(provider, model, self._now_us)
            found = self._counted[family] = input_at(
                asked.text, provider, model, rates, self._caller.actor, self._books.factors
            ).tokens
        return found


def _who_asks(ask: Mapping[str, Any]) -> dict[str, Any]:
    named = (*_OF_CALLER, "attributes", "provider", "model")
    return {name: ask[name] for name in named if ask.get(name) is not None}


def _capability(ask: Mapping[str, Any]) -> str:
    given = ask.get("capability")
    if given is None:
        return "embedding" if ask.get("task_type") == "embedding" else "chat"
    found = parse_value(given, "capability").lower()
    if found not in CAPABILITIES:
        raise InvalidInput("capability", f"{found[:80]!r} is not known.", tuple(CAPABILITIES))
    return found


def _named(ask: Mapping[str, Any], field: str, most: int) -> tuple[str, ...] | None:
    """A list of names; None where there is none."""
    given = ask.get(field)
    if given is None:
        return None
    if not isinstance(given, list | tuple):
        raise InvalidInput(field, "must be a list of names.")
    if len(given) > most:
        raise InvalidInput(field, f"has {len(given)} names; at most {most}.")
    return tuple(parse_value(name, f"{field}[{at}]") for at, name in enumerate(given))


def _once(choices: Iterable[_Choice], wanted: _Choice | None) -> list[_Choice]:
    """Each model once, where it came first; without the one that was asked for."""
    found: dict[tuple[str | None, str], _Choice] = {}
    for one in choices:
        found.setdefault((one.provider, one.model), one)
    if wanted is not None:
        found.pop((wanted.provider, wanted.model), None)
    return list(found.values())


def _bare(name: str, provider: str) -> str:
    """A model's name without the provider's before it."""
    return name.removeprefix(f"{provider}/")


def _writes(rates: Rates) -> bool:
    return bool(rates.output) if isinstance(rates.output, int) else True


class RouteJobs(Maker):
    """The method that routes a call."""

    def route_model(self, **ask: Unpack[RouteAsk]) -> Job[Routing]:
        """Say which model a call should go to: the one asked for where every limit has room, else
        what may stand in for it; none where nothing may be called. Nothing is held.
        """
        books, caller = self.books, self.caller
        return Job(read=lambda: Router(books, caller, ask).answer())
