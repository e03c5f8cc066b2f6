"""Routing: which model a call should go to within its budgets, tried as `check` would try it.

First the model that was asked for; where a limit speaks against it, what may stand in, all at once.
Nothing is held. Not here: what may stand in (`standing_in`), and which of that is taken
(`domain.routing`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from budget.domain.answers import Check, Refusal
from budget.domain.answers_routing import Routing
from budget.domain.asks_routing import RouteAsk
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.pricing import hold_nanos
from budget.domain.routing import Size, Tried, routed, why_not
from budget.engine import intake
from budget.engine.advice import worded
from budget.engine.books import Books
from budget.engine.callers import Caller
from budget.engine.commands import Place
from budget.engine.job import Job, Maker
from budget.engine.route_asks import Asked, Choice, InputSizes, parse_route
from budget.engine.shown import shown
from budget.engine.standing_in import Search, stand_ins


def route(books: Books, caller: Caller, ask: Mapping[str, Any]) -> Routing:
    """The model to call. InvalidInput names the field that cannot be read."""
    at_us = books.database.now_us()
    asked = parse_route(ask, caller, books.prices, at_us)
    sizes = InputSizes(asked, books.prices, caller.actor, books.factors)
    first = None
    input_tokens = asked.input_tokens
    if asked.wanted is not None:
        (command,) = commands = [_command(books, caller, asked, sizes, asked.wanted, at_us)]
        (first,) = _tried(books, caller, [asked.wanted], commands, strictly=True)
        input_tokens = command.input_tokens or 0
    others: list[Tried] = []
    warnings: tuple[str, ...] = ()
    if why_not(first) != "fits":
        choices, warnings = stand_ins(Search(books, asked, sizes, first, at_us))
        others = _try(books, caller, asked, sizes, choices, at_us)
    return routed(first, others, Size(input_tokens, asked.output_tokens, at_us), warnings)


def _try(
    books: Books,
    caller: Caller,
    asked: Asked,
    sizes: InputSizes,
    choices: Sequence[Choice],
    at_us: int,
) -> list[Tried]:
    """What the limits say to each; those that the caller may not call are left out."""
    theirs, commands = [], []
    for choice in choices:
        try:
            commands.append(_command(books, caller, asked, sizes, choice, at_us))
        except Forbidden:
            continue
        theirs.append(choice)
    return _tried(books, caller, theirs, commands)


def _command(
    books: Books, caller: Caller, asked: Asked, sizes: InputSizes, choice: Choice, at_us: int
) -> Place:
    """What asks the limits about one model, and holds nothing."""
    call = {
        **asked.call, "model": choice.model,
        "input_tokens": sizes.of(choice.provider, choice.model, at_us),
        "max_output_tokens": asked.output_tokens,
    }  # fmt: skip
    if choice.provider is not None:
        call["provider"] = choice.provider
    if choice.step == "asked" and asked.tier is not None:
        call["tier"] = asked.tier
    return intake.placing(call, caller, books.prices, at_us, dry=True)


def _tried(
    books: Books,
    caller: Caller,
    choices: Sequence[Choice],
    commands: Sequence[Place],
    *,
    strictly: bool = False,
) -> list[Tried]:
    """What the limits say, all asked at once; where it is not `strictly` all of them, without those
    that cannot be asked about.
    """
    tried = []
    for choice, command, answer in zip(
        choices, commands, books.ledger.do_all(commands), strict=True
    ):
        if isinstance(answer, InvalidInput) and not strictly:
            continue
        if isinstance(answer, BaseException):
            raise answer
        tried.append(_judged(books, caller, choice, command, answer))
    return tried


def _judged(
    books: Books, caller: Caller, choice: Choice, command: Place, answer: Check | Refusal
) -> Tried:
    catalogue = books.ledger.catalogue
    told = worded(shown(answer, caller.bound, catalogue.budgets), catalogue.settings)
    nanos = None
    if command.rates is not None:
        nanos = hold_nanos(command.rates, command.input_tokens or 0, command.max_output_tokens or 0)
    tier = command.attributes.get("tier")
    return Tried(choice.provider, choice.model, tier, choice.step, nanos, told)


class RouteJobs(Maker):
    """The method that routes a call."""

    def route_model(self, **ask: Unpack[RouteAsk]) -> Job[Routing]:
        """Say which model a call should go to: the one asked for where every limit has room, else
        what may stand in for it; none where nothing may be called. Nothing is held.
        """
        return Job(read=lambda: route(self.books, self.caller, ask))
