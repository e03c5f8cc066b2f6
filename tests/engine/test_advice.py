"""Advice: which refusals name cheaper models, and that a call of the last one named is admitted."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from budget.domain.answers import Allocation, Check, Refusal
from budget.domain.pricing import Rates
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.prices.book import PriceBook
from tests.engine.opened import Clock

RATES: Final = {
    ("acme", "large"): Rates(10_000_000, 40_000_000),  # 10 and 40 USD a million tokens
    ("acme", "medium"): Rates(2_000_000, 8_000_000),
    ("acme", "small"): Rates(500_000, 1_000_000),
    ("acme", "fee"): Rates(100_000, 100_000, request=3_000_000_000),  # and 0.003 USD a request
}


@pytest.fixture
def books(books_url: str, clock: Clock) -> Iterator[Books]:
    """Books with prices of a provider, and one limit: 0.01 USD a day."""
    prices = PriceBook(None, RATES)
    with Books.open(books_url, clock=clock, prices=prices, sweep=False) as opened:
        policy: Any = {
            "unit": "usd", "period": "daily", "limit": "0.01", "enforcement": "hard_limit",
        }  # fmt: skip
        opened.create_budget(name="Team", policies=[policy])
        yield opened
        assert opened.verify().violations == ()


def cheaper(books: Books, **ask: Any) -> tuple[str, ...]:
    """The models that the refusal of such a call of the large one names, the same with `check`.

    Each of them is admitted in its place, and those that it does not name are not.
    """
    refused = books.allocate(provider="acme", model="large", **ask)
    checked = books.check(provider="acme", model="large", **ask)
    assert isinstance(refused, Refusal)
    assert isinstance(checked, Refusal)
    assert checked.cheaper == refused.cheaper
    if refused.cheaper:
        fit = {
            model
            for _, model in RATES
            if isinstance(books.check(provider="acme", model=model, **ask), Check)
        }
        assert fit == set(refused.cheaper)
    return refused.cheaper


def test_an_estimate_that_is_refused_for_money_names_cheaper_models(books: Books) -> None:
    # large: 0.01 + 0.02 USD; medium: 0.002 + 0.004; fee: 0.00015 + 0.003; small: 0.0005 + 0.0005
    sizes = {"input_tokens": 1000, "max_output_tokens": 500}
    assert cheaper(books, **sizes) == ("medium", "fee", "small")
    assert cheaper(books, **sizes, requests=4) == ("medium", "small")  # fee: 0.01215
    assert cheaper(books, input_tokens=2000, max_output_tokens=1000) == ("fee", "small")


def test_tokens_that_are_refused_for_money_name_cheaper_models(books: Books) -> None:
    # large: 1000 x 0.00004 = 0.04 USD; medium: 0.008; fee: 0.0001 + 0.003; small: 0.001
    assert cheaper(books, tokens=1000) == ("medium", "fee", "small")
    assert cheaper(books, tokens_allocated=1000) == ("medium", "fee", "small")
    assert cheaper(books, tokens=1000, requests=4) == ("medium", "small")  # fee: 0.0121
    assert cheaper(books, tokens=2000) == ("fee", "small")  # medium: 0.016
    assert cheaper(books, tokens=100_000_000) == ()


def test_an_envelope_of_tokens_counts_the_requests_that_it_states(books: Books) -> None:
    # fee: 0.0001 USD, and 0.003 for each request, of which an envelope has none unless it says so
    assert cheaper(books, envelope=True, tokens=1000) == ("medium", "small", "fee")
    assert cheaper(books, envelope=True, tokens=1000, requests=1) == ("medium", "fee", "small")


def test_a_call_that_states_nothing_is_advised_on_the_size_of_its_task(books: Books) -> None:
    # 2000 tokens, fee: 0.0002 + 0.003 USD, small: 0.002; 4000 for a chat: 0.0034, and 0.004
    assert cheaper(books) == ("fee", "small")
    assert cheaper(books, task_type="chat") == ("small", "fee")
    assert cheaper(books, priority=1) == ("medium", "fee", "small")  # 1000 tokens


def test_the_room_that_is_left_counts(books: Books) -> None:
    assert isinstance(books.allocate(usd="0.003"), Allocation)
    assert cheaper(books, tokens=1000) == ("fee", "small")


def test_no_other_model_helps_where_the_money_is_stated_or_tokens_lack_too(books: Books) -> None:
    assert cheaper(books, usd="0.02") == ()
    assert cheaper(books, usd="0.02", tokens=10) == ()
    budget_id = books.budgets().items[0].budget_id
    books.create_policy(
        budget_id, unit="tokens", period="daily", limit=900, enforcement="hard_limit"
    )
    assert cheaper(books, tokens=1000) == ()
    assert cheaper(books, tokens=900) == ("medium", "fee", "small")


def test_a_call_that_its_envelope_cannot_pay_names_no_model(books: Books) -> None:
    run = books.allocate(envelope=True, usd="0.001")
    assert isinstance(run, Allocation)
    assert cheaper(books, parent_id=run.allocation_id, tokens=1000) == ()


def test_a_refusal_for_want_of_a_price_says_what_the_name_may_mean(books: Books) -> None:
    for provider, model, told in (
        ("acme", "lage", "Known by names like it: acme/large."),
        (None, "larch", "Known by names like it: acme/large."),
        (None, "ollama/llama3", "What a server of your own answers has no price but the one"),
        (None, "zzz", None),
    ):
        ask: Any = {"provider": provider, "model": model, "tokens": 10}
        for answer in (books.allocate(**ask), books.check(**ask)):
            assert isinstance(answer, Refusal)
            assert answer.code == "model_unpriced"
            assert answer.cheaper == ()
            end = 'set the budget\'s "unpriced" to "allow" or to {input, output} prices.'
            assert answer.detail.partition(end)[2].startswith(f" {told}" if told else "")
            assert told is not None or answer.detail.endswith(end)


def test_who_may_not_see_the_limit_is_not_told_what_would_have_fitted(books: Books) -> None:
    ask: dict[str, Any] = {
        "provider": "acme",
        "model": "large",
        "input_tokens": 1000,
        "max_output_tokens": 500,
    }
    whole = books.allocate(**ask)
    refused = books.acting_as(Caller("key_a", bound={"team": "a"})).allocate(**ask)
    assert isinstance(whole, Refusal)
    assert isinstance(refused, Refusal)
    assert (len(whole.cheaper), refused.cheaper) == (3, ())


def test_a_ladder_that_names_a_model_nobody_knows_is_noted_when_it_is_set(books: Books) -> None:
    policy: Any = {"unit": "usd", "period": "daily", "limit": "1"}
    made = books.create_budget(
        name="Search", policies=[policy], degrade=["small", "smal", "cheaper", "own", "refuse"]
    )
    first, second = made.notes
    assert first == (
        "degrade[1]: no provider is known to have a model 'smal'; calls pass that step over, "
        "unless you meant acme/small. If it is yours, give it a price."
    )
    assert second == (
        "degrade[3]: no provider is known to have a model 'own'; calls pass that step over. If it "
        "is yours, give it a price."
    )
    assert made.degrade == ("small", "smal", "cheaper", "own", "refuse")
    assert books.change_budget(made.budget_id, degrade=["medium", "smaller"]).notes == ()
    assert books.change_budget(made.budget_id, degrade=["big"]).notes
    assert books.change_budget(made.budget_id, owner="ann").notes  # it still stands there
    assert books.budget(made.budget_id).notes == ()
