"""Estimates: a request in place of its tokens, on both engines; nothing of its text is kept."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from budget.domain.answers import Allocation, Check
from budget.domain.answers_estimates import Estimate
from budget.domain.errors import KeyReused
from budget.engine.budget import AsyncBudget
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.estimates import is_brief
from budget.engine.snapshots import snapshot
from budget.prices import exact_tokens
from budget.storage import schema
from tests.engine.conftest import migrate
from tests.engine.opened import MILLI, PRICES, allocated, refused
from tests.support.databases import SqliteDatabases

TEXT = "What is the capital of France?"
CHAT = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": TEXT}]}
# Nobody publishes what `m` does: 48 a request, 12 a message. In thousandths of a token: `What`,
# ` is`, ` the` and ` of` are 1050 each, ` capital` 1580, ` France` 1460, `?` 1000. That is 8240,
# half as much again for the unknown, and 2: 12.36 + 2.
INPUT = 60 + 15


def kept(books: Books, allocation_id: str) -> tuple[int | None, int | None, str | None]:
    """Input tokens, bound and family, as they lie in the table."""
    of = schema.allocations.c
    with snapshot(books.books.database) as connection:
        row = connection.execute(
            select(of.input_tokens, of.bound_tokens, of.bound_family).where(of.id == allocation_id)
        ).one()
    return row[0], row[1], row[2]


def test_a_request_is_estimated_priced_and_held_by_nobody(books: Books) -> None:
    told = books.estimate(model="m", request=CHAT)
    assert isinstance(told, Estimate)
    assert (told.family, told.how, told.factor_bps) == ("unknown", "bound", None)
    assert told.input_tokens == told.bound_tokens == INPUT
    assert told.max_output_tokens == 50
    assert told.input_cost_nanos == INPUT * MILLI
    assert told.hold_nanos == (INPUT + 50 * 2) * MILLI
    assert books.allocations().items == []


def test_openais_texts_are_counted(books: Books) -> None:
    told = books.estimate(model="gpt-4o", request={"messages": CHAT["messages"]})
    # 7 tokens by OpenAI's encoding, 8 around a request and 4 around a message
    assert (told.input_tokens, told.how, told.family) == (19, "counted", "o200k")
    assert (told.bound_tokens, told.factor_bps) == (None, None)
    assert (told.max_output_tokens, told.hold_nanos, told.basis) == (None, None, None)


def test_the_model_may_be_named_by_the_request_alone(books: Books) -> None:
    assert books.estimate(request=CHAT) == books.estimate(model="m", request=CHAT)
    assert allocated(books, request=CHAT).model == "m"


def test_a_call_is_held_by_its_request_and_its_own_limit_of_output(books: Books) -> None:
    held = allocated(books, model="m", request=CHAT)
    assert held.reserved.tokens == INPUT + 50
    assert held.reserved.usd == (INPUT + 50 * 2) * MILLI
    assert held.granted_output_tokens == 50
    assert kept(books, held.allocation_id) == (INPUT, INPUT, "unknown")


def test_a_limit_of_output_that_is_stated_wins_and_without_any_the_default_is_held(
    books: Books,
) -> None:
    stated = allocated(books, model="m", request=CHAT, max_output_tokens=7)
    assert stated.granted_output_tokens == 7
    nothing = allocated(books, model="m", request=TEXT)
    assert nothing.granted_output_tokens == 2000  # a default task of normal priority


def test_check_says_the_same_and_holds_nothing(books: Books) -> None:
    told = books.check(model="m", request=CHAT)
    assert isinstance(told, Check)
    assert told.reserved.tokens == INPUT + 50
    assert books.allocations().items == []


def test_a_call_in_an_envelope_may_bring_its_request(books: Books) -> None:
    run = allocated(books, envelope=True, usd="5", tokens=1000)
    step = allocated(books, parent_id=run.allocation_id, model="m", request=CHAT)
    assert step.reserved.tokens == INPUT + 50


def test_what_is_counted_or_is_not_all_text_keeps_no_bound(books: Books) -> None:
    counted = allocated(books, model="gpt-4o", request=TEXT)
    assert kept(books, counted.allocation_id) == (19, None, None)
    image = {"image_url": "https://x/y.png", "text": TEXT}
    seen = allocated(books, model="m", request=[{"role": "user", "content": [image]}])
    assert kept(books, seen.allocation_id)[1:] == (None, None)
    stated = allocated(books, model="m", input_tokens=5, max_output_tokens=5)
    assert kept(books, stated.allocation_id) == (5, None, None)


# --- Again, and elsewhere ------------------------------------------------------------------------


def test_the_same_request_again_is_the_same_call_and_another_is_not(books: Books) -> None:
    first = allocated(books, allocation_id="a", model="m", request=CHAT)
    again = allocated(books, allocation_id="a", model="m", request=CHAT)
    assert again.replayed
    assert again.reserved == first.reserved
    with pytest.raises(KeyReused):
        books.allocate(allocation_id="a", model="m", request={**CHAT, "max_tokens": 51})


@pytest.mark.anyio
async def test_on_an_event_loop_requests_are_read_in_threads(books: Books) -> None:
    there = AsyncBudget(books.books, Caller("loop"))
    told = await there.estimate(model="m", request=CHAT)
    assert told.input_tokens == INPUT
    held = await there.allocate(model="m", request=CHAT)
    assert isinstance(held, Allocation)
    assert held.reserved.tokens == INPUT + 50


# --- What is not kept ----------------------------------------------------------------------------


@pytest.fixture
def words(books: Books) -> Callable[[], str]:
    """All the text that the books hold."""

    def found() -> str:
        said = []
        with snapshot(books.books.database) as connection:
            for table in schema.metadata.sorted_tables:
                said += [repr(row) for row in connection.execute(select(table))]
        return "\n".join(said)

    return found


def test_nothing_of_a_requests_text_is_stored_logged_or_told_in_an_error(
    books: Books, words: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "the-secret-word"
    asked = {"model": "m", "messages": [{"role": "user", "content": secret}], "max_tokens": 5}
    held = allocated(books, request=asked, idempotency_key="k")
    books.settle(held.allocation_id, input_tokens=60, output_tokens=5)
    books.create_budget(name="b", policies=[{"unit": "tokens", "period": "daily", "limit": 1}])
    books.allocate(request=asked)  # refused
    odd = {"messages": [{"role": "user", "content": [secret, {1, 2}]}]}
    assert secret not in str(refused(books.estimate, model="m", request=odd))
    assert secret not in words()
    assert secret not in caplog.text


# --- Mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"model": "m"}, "request"),
        ({"request": TEXT}, "model"),
        ({"request": {"messages": []}}, "model"),
        ({"model": "m", "request": 17}, "request"),
        ({"model": "m", "request": True}, "request"),
        ({"model": "m", "request": {"messages": [object()]}}, "request.messages"),
        ({"model": "m", "request": {"max_tokens": "many"}}, "request.max_tokens"),
        ({"model": "m", "request": TEXT, "max_output_tokens": -1}, "max_output_tokens"),
        ({"model": "m", "request": TEXT, "usd": "1"}, "usd"),
        ({"model": 17, "request": TEXT}, "model"),
        ({"model": "m", "request": TEXT, "price_context": 5}, "price_context"),
    ],
)
def test_an_estimate_of_what_cannot_be_read_names_the_field(
    sqlite_databases: SqliteDatabases, ask: dict[str, Any], field: str
) -> None:
    with Books.open(sqlite_databases.new(migrate), prices=PRICES, sweep=False) as books:
        assert refused(books.estimate, **ask).field == field


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"request": CHAT, "input_tokens": 5}, "input_tokens"),
        ({"request": CHAT, "tokens": 5}, "tokens"),
        ({"request": CHAT, "usd": "5"}, "usd"),
        ({"request": CHAT, "envelope": True}, "request"),
        ({"request": {"messages": [object()]}, "model": "m"}, "request.messages"),
        ({"request": {"messages": [], "max_tokens": True}, "model": "m"}, "request.max_tokens"),
        ({"request": []}, "model"),
    ],
)
def test_a_call_that_says_too_much_or_what_cannot_be_read_holds_nothing(
    books: Books, ask: dict[str, Any], field: str
) -> None:
    assert refused(books.allocate, **ask).field == field
    assert refused(books.check, **ask).field == field
    assert books.allocations().items == []


@pytest.mark.parametrize(
    ("ask", "brief"),
    [
        ({"provider": "anthropic", "model": "claude-sonnet-4-5", "request": CHAT}, True),
        ({"provider": "anthropic", "model": "claude-sonnet-4-5", "request": "x" * 1_024}, True),
        ({"provider": "anthropic", "model": "claude-sonnet-4-5", "request": "x" * 1_025}, False),
        ({"provider": "anthropic", "model": "claude-sonnet-4-5", "request": [1] * 64}, False),
        ({"model": "m", "request": CHAT}, False),  # it may be a name for any model
        ({"model": 7, "provider": ["x"], "request": CHAT}, False),
        ({"request": {"messages": []}}, False),
    ],
)
def test_only_short_requests_to_models_whose_counts_are_ready_may_hold_up_an_event_loop(
    ask: dict[str, Any], brief: bool
) -> None:
    assert is_brief(ask) is brief


def test_a_request_of_endless_depth_is_not_looked_at_to_its_end() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert not is_brief({"model": "claude-sonnet-4-5", "request": deep})


def test_openais_texts_are_brief_once_their_encoding_is_loaded() -> None:
    exact_tokens.text_tokens("x", provider="openai", model="gpt-4o")
    assert is_brief({"provider": "openai", "model": "gpt-4o", "request": CHAT})
