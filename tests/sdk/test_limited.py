"""A function that may spend so much: the limit, whom it is for, and every kind of function."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

import budget
from budget import Budget, BudgetRefused
from budget.client import Client
from budget.domain.errors import InvalidInput
from budget.engine.price_book.settings import PriceSettings
from tests.http.running import migrate, running


def _spend(usd: str) -> None:
    """A call that costs what it may cost at most."""
    with budget.hold(usd=usd) as hold:
        hold.settle(cost=usd)


def test_a_function_spends_its_limit_and_no_more(books: Budget) -> None:
    @budget.limited(usd="0.50", per="total", name="answer")
    def answer(usd: str) -> str:
        _spend(usd)
        return usd

    assert answer("0.30") == "0.30"
    assert answer("0.20") == "0.20"
    with pytest.raises(BudgetRefused) as refused:
        answer("0.01")
    assert refused.value.refusal.detail
    _spend("5")  # outside the function nothing is limited


def test_each_session_has_a_limit_of_its_own(books: Budget) -> None:
    @budget.limited(usd="0.50", per="session")
    def answer() -> None:
        _spend("0.50")

    for session in ("one", "two"):
        with budget.attributes(session=session):
            answer()
            with pytest.raises(BudgetRefused):
                answer()
    answer()  # calls without a session share one limit
    with pytest.raises(BudgetRefused):
        answer()


@pytest.mark.parametrize("per", ["daily", "rolling:1h", "user", "per_task", "tag.run"])
def test_a_limit_is_per_attribute_or_per_period(books: Budget, per: str) -> None:
    @budget.limited(requests=1, per=per, name="once")
    def once() -> None:
        _spend("0.01")

    once()
    with pytest.raises(BudgetRefused):
        once()


def test_an_async_function_is_limited(books: Budget) -> None:
    @budget.limited(tokens=100, per="total")
    async def answer() -> int:
        async with budget.hold(tokens=60) as hold:
            await hold.settle_async(input_tokens=50, output_tokens=10, model="gpt-4o", cost="0")
        return 60

    assert asyncio.run(answer()) == 60
    with pytest.raises(BudgetRefused):  # 60 of 100 are used
        asyncio.run(answer())


def test_a_generator_is_limited_while_it_runs(books: Budget) -> None:
    @budget.limited(requests=2, per="total")
    def words() -> Iterator[int]:
        for number in range(3):
            _spend("0.01")
            yield number

    reading = words()
    assert next(reading) == 0
    _spend("0.01")  # between two words the caller spends, not the generator
    assert next(reading) == 1
    with pytest.raises(BudgetRefused):
        next(reading)


def test_an_async_generator_is_limited_while_it_runs(books: Budget) -> None:
    @budget.limited(requests=2, per="total")
    async def words() -> AsyncIterator[int]:
        for number in range(3):
            _spend("0.01")
            yield number

    async def read() -> None:
        reading = words()
        assert [await anext(reading), await anext(reading)] == [0, 1]
        with pytest.raises(BudgetRefused):
            await anext(reading)

    asyncio.run(read())


def test_what_is_thrown_into_a_generator_is_its_own_to_catch(books: Budget) -> None:
    caught = []

    @contextmanager
    @budget.limited(requests=1, per="total")
    def run() -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            caught.append(error)

    @asynccontextmanager
    @budget.limited(requests=1, per="total", name="run_async")
    async def run_async() -> AsyncIterator[None]:
        try:
            yield
        except ValueError as error:
            caught.append(error)

    def fail() -> None:
        with run():
            raise ValueError

    async def fail_async() -> None:
        async with run_async():
            raise ValueError

    fail()
    asyncio.run(fail_async())
    assert len(caught) == 2


def test_two_that_begin_at_once_make_one_budget(books: Budget) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(_answer("1.00")) for _ in range(4)]:
            done.result()
    assert len(books.budgets().items) == 1


def test_what_a_function_spends_inside_another_counts_for_both(books: Budget) -> None:
    @budget.limited(requests=5, per="total")
    def inner() -> None:
        _spend("0.01")

    @budget.limited(requests=2, per="total")
    def outer() -> None:
        inner()

    outer()
    outer()
    with pytest.raises(BudgetRefused):
        outer()
    inner()  # it has 3 of 5 left


def test_a_function_has_several_limits(books: Budget) -> None:
    @budget.limited(usd="1.00", per="daily")
    @budget.limited(requests=1, per="session")
    def answer(usd: str) -> None:
        _spend(usd)

    with budget.attributes(session="one"):
        answer("0.60")
    with budget.attributes(session="two"), pytest.raises(BudgetRefused):
        answer("0.60")
    with budget.attributes(session="two"):
        answer("0.40")


def _answer(amount: str) -> Any:
    """The function as each process of a program defines it anew."""

    @budget.limited(usd=amount, per="daily", name="app.answer")
    def answer() -> None:
        _spend("0.10")

    return answer


def test_the_budget_is_made_once_and_the_books_say_how_much(
    books: Budget, caplog: pytest.LogCaptureFixture
) -> None:
    _answer("0.20")()
    _answer("0.20")()
    (made,) = books.budgets().items
    assert made.name == "app.answer: usd per daily"
    books.change_policy(made.policies[0].policy_id, limit="0.30")
    with caplog.at_level(logging.WARNING, "budget.sdk"):
        _answer("0.20")()
    assert "the books count" in caplog.text
    with pytest.raises(BudgetRefused):
        _answer("0.20")()
    assert len(books.budgets().items) == 1


def test_a_budget_that_was_archived_is_made_anew(books: Budget) -> None:
    _answer("0.10")()
    books.archive_budget(books.budgets().items[0].budget_id)
    _answer("0.10")()
    with pytest.raises(BudgetRefused):
        _answer("0.10")()


def test_a_method_is_limited_under_its_whole_name(books: Budget) -> None:
    class Agent:
        @staticmethod
        @budget.limited(requests=1, per="total")
        def run() -> None:
            _spend("0.01")

    Agent.run()
    (made,) = books.budgets().items
    assert ".Agent.run-" in made.name
    function = books.allocations().items[0].attributes["tag.function"]
    assert made.name == f"{function}: requests per total"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"usd": "x", "per": "session"}, "usd"),
        ({"usd": 0.5, "per": "session"}, "usd"),
        ({"usd": "-1", "per": "session"}, "usd"),
        ({"tokens": "many", "per": "session"}, "tokens"),
        ({"requests": True, "per": "session"}, "requests"),
        ({"usd": "1", "per": "fortnight"}, "per"),
        ({"usd": "1", "per": 7}, "per"),
        ({"usd": "1", "per": "rolling:999d"}, "per"),
        ({"usd": "1"}, "per"),
        ({"per": "session"}, "limited"),
        ({}, "limited"),
        ({"usd": "1", "tokens": 5, "per": "session"}, "limited"),
        ({"usd": "1", "per": "session", "name": "a b"}, "name"),
        ({"usd": "1", "per": "session", "name": ""}, "name"),
        ({"usd": "1", "per": "session", "name": "n" * 61}, "name"),
    ],
)
def test_what_cannot_be_is_told_where_it_is_written(given: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as told:
        budget.limited(**given)
    assert told.value.field == field
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("thing", [int, staticmethod(len), 7])
def test_only_a_function_is_limited(thing: Any) -> None:
    with pytest.raises(InvalidInput, match="goes on a function"):
        budget.limited(usd="1", per="session")(thing)


def test_a_function_is_limited_through_a_service(sqlite_url: str) -> None:
    migrate(sqlite_url)
    with (
        running(sqlite_url, price_settings=PriceSettings()) as service,
        Client(service.url, key=service.key) as client,
    ):
        budget.configure(books=client)
        try:
            for _ in range(2):
                _answer("0.20")()
            with pytest.raises(BudgetRefused):
                _answer("0.20")()
            assert [one.name for one in client.budgets().items] == ["app.answer: usd per daily"]
        finally:
            budget.configure()
