"""Routing by the books: what is tried, in which order, and that nothing of it is held."""

import random
from collections.abc import Iterator
from typing import Any, Final

import pytest

from budget.domain.answers import Allocation, Refusal
from budget.domain.answers_routing import Considered, Routing
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.pricing import Rates
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.prices.book import PriceBook
from tests.engine.opened import Clock

RATES: Final = {
    ("openai", "large"): Rates(10_000_000, 40_000_000),  # 10 and 40 USD a million tokens
    ("openai", "medium"): Rates(4_000_000, 16_000_000),
    ("openai", "small"): Rates(500_000, 1_000_000),
    ("openai", "embeds"): Rates(100_000, 0),
    ("anthropic", "other"): Rates(3_000_000, 15_000_000),
    ("nobody-knows", "tiny"): Rates(100_000, 100_000),
    ("ollama", "own:7b"): Rates(0, 0),
    ("ollama", "meant-to-be-sold"): Rates(1_000_000, 1_000_000),
}
SIZE: Final[Any] = {"input_tokens": 1000, "max_output_tokens": 500}
"""large: 0.01 + 0.02 = 0.03 USD; medium: 0.012; small: 0.001; other: 0.0105."""


@pytest.fixture
def books(light_url: str, clock: Clock) -> Iterator[Books]:
    """Books with prices of some providers and no budget."""
    prices = PriceBook(None, RATES)
    with Books.open(light_url, clock=clock, prices=prices, sweep=False) as opened:
        yield opened
        assert opened.verify().violations == ()


def limit(books: Books, usd: str, enforcement: str = "hard_limit", **more: Any) -> str:
    """A budget with a daily limit; its id."""
    policy: Any = {"unit": "usd", "period": "daily", "limit": usd, "enforcement": enforcement}
    return books.create_budget(name="Team", policies=[policy], **more).budget_id


def large(books: Books, **more: Any) -> Routing:
    """Where a call of the large model should go."""
    return books.route_model(provider="openai", model="large", **{**SIZE, **more})


def names(told: Routing) -> list[str]:
    """The models that were considered, in that order."""
    return [one.model for one in told.considered]


def called(one: Routing | Considered) -> Any:
    """A call of that model."""
    return {"provider": one.provider, "model": one.model}


def test_what_fits_goes_to_the_model_that_was_asked_for(books: Books) -> None:
    limit(books, "0.03")
    told = large(books)
    assert (told.model, told.hold_nanos, told.reason) == ("large", 30_000_000, "fits")
    assert names(told) == ["large"]


def test_what_does_not_fit_goes_to_the_dearest_of_the_same_provider_that_does(
    books: Books,
) -> None:
    limit(books, "0.02")
    told = large(books)
    assert (told.provider, told.model, told.hold_nanos) == ("openai", "medium", 12_000_000)
    assert told.is_downgraded
    assert told.refusal is not None
    # 'embeds' writes nothing, and nobody-knows is no maker that may be taken without being named
    assert names(told) == ["large", "medium", "small", "other", "own:7b"]


def test_nothing_of_it_is_held_or_counted(books: Books) -> None:
    limit(books, "0.02")
    for _ in range(3):
        large(books)
    (balance,) = books.status()
    assert (balance.spent, balance.reserved) == (0, 0)
    assert books.events(kind="refused").items == []
    answer = books.allocate(provider="openai", model="medium", **SIZE)
    assert isinstance(answer, Allocation)


def test_where_no_model_of_the_provider_may_be_called_another_providers_is(books: Books) -> None:
    limit(books, "0", scope={"provider": "openai"})
    told = large(books)
    assert (told.provider, told.model) == ("anthropic", "other")
    assert "other is of another provider: anthropic." in told.warnings


def test_where_no_money_is_left_a_model_of_ones_own_that_is_known_to_be_free_is_called(
    books: Books,
) -> None:
    limit(books, "0")
    told = large(books)
    assert (told.provider, told.model, told.hold_nanos) == ("ollama", "own:7b", 0)


def test_where_nothing_may_be_called_no_model_is_named(books: Books) -> None:
    policy: Any = {
        "unit": "requests", "period": "daily", "limit": 0, "enforcement": "hard_limit",
    }  # fmt: skip
    books.create_budget(name="No calls", policies=[policy])
    told = large(books)
    assert (told.allowed, told.model, told.provider) == (False, None, None)
    assert told.original_model == "large"
    assert isinstance(told.refusal, Refusal)
    assert [one.fits for one in told.considered] == [False] * len(told.considered)


def test_a_model_without_a_price_never_stands_in(books: Books) -> None:
    limit(books, "0")
    told = large(books, models=["ollama/unheard-of", "who-knows"])
    assert not told.allowed
    # Where such calls are let through, too: unknown is not free.
    limit(books, "0", enforcement="soft_limit", unpriced="allow")
    assert not large(books, models=["ollama/unheard-of"]).allowed


def test_past_a_soft_limit_what_costs_half_is_called_and_else_what_was_asked_for(
    books: Books,
) -> None:
    limit(books, "0.02", "soft_limit")
    books.record_usage(provider="openai", model="large", input_tokens=1900, output_tokens=0)
    told = large(books)  # 0.019 of 0.02 is 0.95; medium costs 0.012 of 0.015, other 0.0105
    assert (told.model, told.reason) == ("medium", "soft_limit")
    told = books.route_model(provider="anthropic", model="other", **SIZE)
    assert told.model == "small"  # half of 0.0105 is 0.00525
    told = books.route_model(provider="openai", model="small", **SIZE, providers=["openai"])
    assert (told.allowed, told.model) == (True, "own:7b")
    told = books.route_model(provider="openai", model="small", **SIZE, models=[])
    assert (told.allowed, told.model, told.is_downgraded) == (True, "small", False)
    assert told.warnings == (
        "Budget 'Team' is past 0.95 of its daily soft limit. Nothing cheaper will do.",
    )


@pytest.mark.parametrize(
    ("degrade", "model"),
    [
        (["small"], "small"),
        (["nobody-knows/tiny", "small"], "tiny"),
        (["cheaper", "small"], "medium"),
        (["large", "smaller", "small", "refuse"], "small"),
        (["refuse"], None),
        (["queue"], "medium"),
    ],
)
def test_the_ladder_of_the_budget_goes_first(
    books: Books, degrade: list[str], model: str | None
) -> None:
    limit(books, "0.02", degrade=degrade)
    told = large(books)
    assert told.model == model
    assert any("for the caller" in warning for warning in told.warnings) == (
        not {"smaller", "queue"}.isdisjoint(degrade)
    )


def test_the_ladder_of_a_soft_limit_is_walked_too(books: Books) -> None:
    limit(books, "0.02", "soft_limit", degrade=["small"])
    books.record_usage(provider="openai", model="large", input_tokens=1900, output_tokens=0)
    assert large(books).model == "small"


def test_the_caller_may_say_what_stands_in_and_in_which_order(books: Books) -> None:
    limit(books, "0.02")
    told = large(books, models=["anthropic/other", "openai/small"])
    assert names(told) == ["large", "other", "small"]
    assert told.model == "other"
    assert large(books, providers=["nobody-knows"], component="x").model == "medium"
    limit(books, "0", scope={"provider": "openai"})
    assert large(books, providers=["nobody-knows"]).model == "tiny"


def test_without_a_model_the_cheapest_that_fits_is_called(books: Books) -> None:
    told = books.route_model(provider="openai", **SIZE)
    assert (told.model, told.original_model, told.reason) == ("small", None, "no_model")
    assert not told.is_downgraded
    told = books.route_model(models=["anthropic/other", "openai/small"], **SIZE)
    assert told.model == "other"


def test_a_text_is_counted_as_an_estimate_of_it_is(books: Books) -> None:
    told = books.route_model(provider="openai", model="large", input_text="Hello there")
    estimate = books.estimate(provider="openai", model="large", request="Hello there")
    assert told.input_tokens == estimate.input_tokens > 0
    assert told.max_output_tokens == 2000


def test_a_budget_of_the_component_counts(books: Books) -> None:
    limit(books, "0.02", scope={"component": "telos"})
    assert large(books).model == "large"
    assert large(books, component="telos").model == "medium"
    assert large(books, attributes={"component": "telos", "tag.x": "y"}).model == "medium"


def test_a_tier_that_the_caller_states_is_that_of_the_model_asked_for_alone(books: Books) -> None:
    limit(books, "0", scope={"tier": "local_lightweight"})
    assert large(books).model == "large"
    told = large(books, attributes={"tier": "local_lightweight"})
    assert (told.model, told.considered[0].tier) == ("medium", "local_lightweight")
    assert told.tier == "remote_heavyweight"


def test_who_is_bound_is_told_of_no_budget_of_others_and_offered_nothing_it_may_not_call(
    books: Books,
) -> None:
    limit(books, "0.02")
    bound = Caller("key_a", manage=False, bound={"component": "telos", "provider": "openai"})
    theirs = books.acting_as(bound)
    told = theirs.route_model(model="large", provider="openai", **SIZE)
    assert told.model == "medium"
    assert "Team" not in told.why
    assert {one.provider for one in told.considered} == {"openai"}
    with pytest.raises(Forbidden):
        theirs.route_model(model="other", provider="anthropic", **SIZE)


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({}, "input_tokens"),
        ({"input_tokens": 1}, "model"),
        ({"model": "large", "input_tokens": -1}, "input_tokens"),
        ({"model": "large", "input_tokens": 1, "input_text": "x"}, "input_tokens"),
        ({"model": "large", "input_text": 7}, "input_text"),
        ({"model": "", "input_tokens": 1}, "model"),
        ({"model": "large", "input_tokens": 1, "capability": "dance"}, "capability"),
        ({"model": "large", "input_tokens": 1, "models": "small"}, "models"),
        ({"model": "large", "input_tokens": 1, "models": ["m"] * 33}, "models"),
        ({"model": "large", "input_tokens": 1, "models": [7]}, "models[0]"),
        ({"model": "large", "input_tokens": 1, "providers": [""]}, "providers[0]"),
        ({"model": "large", "input_tokens": 1, "priority": 11}, "priority"),
        ({"model": "large", "input_tokens": 1, "max_output_tokens": 10**13}, "max_output_tokens"),
        ({"model": "large", "input_tokens": 1, "budget": "x"}, "budget"),
        ({"model": "large", "input_tokens": 10**12, "max_output_tokens": 1}, "max_output_tokens"),
    ],
)
def test_what_cannot_be_read_names_its_field(books: Books, ask: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as told:
        books.route_model(**ask)
    assert told.value.field == field


def test_what_is_named_is_admitted_and_where_nothing_is_named_nothing_considered_would_be(
    books: Books,
) -> None:
    chance = random.Random(4)
    scopes: list[Any] = [
        {}, {"provider": "openai"}, {"provider": "anthropic"}, {"model": "medium"},
        {"component": "telos"}, {"tier": "local_midweight"}, {"provider": ["openai", "ollama"]},
    ]  # fmt: skip
    for number in range(14):
        unit = chance.choice(["usd", "usd", "tokens", "requests"])
        most = {"usd": f"0.0{chance.randrange(1000):03}", "tokens": 15_000, "requests": 12}[unit]
        policy: Any = {
            "unit": unit, "period": "daily", "limit": most,
            "enforcement": chance.choice(["hard_limit", "hard_limit", "soft_limit"]),
        }  # fmt: skip
        books.create_budget(
            name=f"b{number}", scope=chance.choice(scopes), policies=[policy],
            per=chance.choice([[], ["component"], ["model"]]),
        )  # fmt: skip
    named = 0
    for _ in range(120):
        size: Any = {
            "input_tokens": chance.randrange(1, 900),
            "max_output_tokens": chance.randrange(1, 300),
        }
        who: Any = {"component": chance.choice(["telos", "apollo", "rhetor"])}
        provider, model = chance.choice(list(RATES))
        told = books.route_model(provider=provider, model=model, **size, **who)
        if told.allowed:
            assert told.model is not None
            held = books.allocate(**size, **who, **called(told))
            assert isinstance(held, Allocation), (told, held)
            assert held.reserved.usd == told.hold_nanos
            named += 1
            if chance.random() < 0.8:
                books.release(held.allocation_id)
        else:
            assert told.model is None
            for one in told.considered:
                answer = books.check(**size, **who, **called(one))
                assert isinstance(answer, Refusal) == (not one.fits)
                # Only one that costs no less fits, and it is not taken for that.
                assert not one.fits or "no less" in one.why
    assert 20 < named < 120
