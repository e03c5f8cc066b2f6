"""Standing in: what may be called in place of the model that was asked for, the best first.

First the ladder of the budget that speaks against it, then cheaper models of the same provider,
then of others, then models of one's own servers that are known to be free. Not here: whether their
limits have room (`routing`), and which is taken (`domain.routing`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from budget.domain.answers import Refusal
from budget.domain.answers_routing import Step
from budget.domain.pricing import hold_nanos, output_rate_dearest
from budget.domain.routing import Tried, most_instead_of, pressing
from budget.engine.books import Books
from budget.engine.route_asks import Asked, Choice, InputSizes, choice_of
from budget.prices.capabilities import Needs, fits
from budget.prices.cheaper import Offer, fitting
from budget.prices.naming import LOCAL

MAKERS: Final = ("anthropic", "openai", "google", "mistral", "x-ai", "deepseek", "cohere")
"""Whose models may stand in for another provider's, unless the caller says whose."""
MOST_OF_ONE: Final = 8
"""So many of one provider are tried: those nearest below the price of what was asked for."""
MOST_OF_ANOTHER: Final = 3


class Search(NamedTuple):
    """What is looked for: in place of `first`, or of nothing where no model was asked for."""

    books: Books
    asked: Asked
    sizes: InputSizes
    first: Tried | None
    at_us: int


def stand_ins(search: Search) -> tuple[list[Choice], tuple[str, ...]]:
    """What may stand in, each once, and what is to be told of the ladder."""
    found: list[Choice] = []
    warnings: list[str] = []
    budget, steps = _ladder(search)
    for step in steps:
        if step == "cheaper":
            found += _of_the_same(search)
        elif step in ("smaller", "queue"):
            told = f"The ladder of budget {budget!r} has the step {step!r}, for the caller to take."
            warnings.append(told)
        elif step != "refuse":
            found.append(_on_ladder(search, step))
    if "refuse" not in steps:
        found += _beyond_ladder(search)
    return _once(found, search.asked.wanted), tuple(warnings)


def _beyond_ladder(search: Search) -> list[Choice]:
    asked = search.asked
    if asked.models is not None:
        return [one for one in asked.models if _will_do(search, one)]
    others = [one for one in asked.providers or MAKERS if one != asked.seller]
    return [
        *_of_the_same(search),
        *_ranked(search, others, MOST_OF_ANOTHER, "other_provider"),
        *_free(search),
    ]


# --- Ladders -------------------------------------------------------------------------------------


def _ladder(search: Search) -> tuple[str, Sequence[str]]:
    """The ladder of the budget that speaks against the first, and that budget's name."""
    budgets = search.books.ledger.catalogue.budgets
    if search.first is None:
        return "", ()
    if isinstance(search.first.answer, Refusal):
        ladder = search.first.answer.ladder
        return ("", ()) if ladder is None else (budgets[ladder.budget_id].name, ladder.steps)
    for leg in pressing(search.first):
        steps = budgets[leg.policy.budget_id].degrade
        if steps:
            return leg.budget, steps
    return "", ()


def _on_ladder(search: Search, model: str) -> Choice:
    """A step of a ladder: a model of the same provider, if that has it."""
    prices, seller = search.books.prices, search.asked.seller
    if seller is not None and prices.lookup(seller, model, search.at_us) is not None:
        return Choice(seller, model, "ladder")
    return choice_of(model, "ladder", prices, search.at_us)


# --- What has a price ----------------------------------------------------------------------------


def _of_the_same(search: Search) -> list[Choice]:
    seller = search.asked.seller
    return [] if seller is None else _ranked(search, [seller], MOST_OF_ONE, "same_provider")


def _ranked(search: Search, sellers: Iterable[str], most: int, step: Step) -> list[Choice]:
    """Of each provider some that will do and cost less; known ones first, then the dearest, which
    is the nearest to what was asked for. Without a model to compare with, the cheapest.
    """
    most_nanos = None if search.first is None else most_instead_of(search.first)
    found = []
    for seller in sellers:
        own = [
            (not offer.is_known, nanos if most_nanos is None else -nanos, choice)
            for choice, offer, nanos in _offered(search, seller, step)
            if nanos > 0
            and (most_nanos is None or nanos <= most_nanos)
            and _has_room(search, choice, nanos)
        ]
        found += sorted(own)[:most]
    return [choice for *_, choice in sorted(found)]


def _offered(search: Search, seller: str, step: Step) -> Iterator[tuple[Choice, Offer, int]]:
    """What a provider has that will do, and what the call would hold with it."""
    needs, output_tokens = _needs(search), search.asked.output_tokens
    for offer in fitting(search.books.prices, seller, needs, search.at_us):
        rates = offer.rates
        tokens = search.sizes.of(rates.provider, rates.model, search.at_us)
        if output_tokens and not output_rate_dearest(rates, tokens):
            continue  # it embeds
        model = rates.model.removeprefix("regional.")
        yield (
            Choice(rates.provider, model, step), offer, hold_nanos(rates, tokens, output_tokens)
        )  # fmt: skip


def _has_room(search: Search, choice: Choice, nanos: int) -> bool:
    """Whether the limits in money that refused the first may have room for this one: only to try
    what may fit, for what fits is found by trying.
    """
    if search.first is None or not isinstance(search.first.answer, Refusal):
        return True
    prices, catalogue = search.books.prices, search.books.ledger.catalogue
    attributes = {
        **search.asked.call["attributes"], "provider": choice.provider or "",
        "model": choice.model, "tier": prices.tier_of(choice.provider, choice.model) or "",
    }  # fmt: skip
    met = {
        (policy.policy_id, partition) for policy, partition in catalogue.match(attributes).policies
    }
    return all(
        line.unit != "usd"
        or nanos <= line.requested - line.shortfall
        or (line.balance.policy.policy_id, line.balance.partition) not in met
        for line in search.first.answer.lines
    )


# --- What will do --------------------------------------------------------------------------------


def _free(search: Search) -> list[Choice]:
    """Models of servers of one's own that are known to be free: their price is stated as 0."""
    asked, found = search.asked, []
    for seller in dict.fromkeys((*LOCAL.values(), "local")):
        for offer in fitting(search.books.prices, seller, _needs(search), search.at_us):
            rates = offer.rates
            if not hold_nanos(rates, asked.input_tokens + 1, asked.output_tokens + 1):
                found.append((not offer.is_known, Choice(seller, rates.model, "free")))
    return [choice for _, choice in sorted(found)][:MOST_OF_ONE]


def _will_do(search: Search, choice: Choice) -> bool:
    """Whether nothing speaks against a model that was named, its price aside."""
    known = search.books.prices.capabilities(choice.provider, choice.model)
    return fits(known, _needs(search), search.at_us) is not False


def _needs(search: Search) -> Needs:
    """What the call needs of a model, whichever: the kind of the first one too."""
    asked, mode = search.asked, search.asked.needs.mode
    if mode is None and search.first is not None:
        first = search.first
        mode = search.books.prices.capabilities(first.provider, first.model).mode
    return asked.needs._replace(
        mode=mode or "chat", input_tokens=search.sizes.most, output_tokens=asked.output_tokens
    )


def _once(choices: Iterable[Choice], wanted: Choice | None) -> list[Choice]:
    """Each model once, where it came first; without the one that was asked for."""
    found: dict[tuple[str | None, str], Choice] = {}
    for one in choices:
        found.setdefault((one.provider, one.model), one)
    if wanted is not None:
        found.pop((wanted.provider, wanted.model), None)
    return list(found.values())
