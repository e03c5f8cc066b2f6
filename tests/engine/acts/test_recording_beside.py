"""Usage of another model than was held for counts on the limits that this model alone meets."""

from typing import Any

import pytest

from budget.engine.budget import Budget as Books
from tests.engine.opened import MILLI, Clock, allocated, balances, told

USED: dict[str, Any] = {"provider": "p", "model": "m", "input_tokens": 10, "output_tokens": 5}
COST = 20 * MILLI
"""Of 10 and 5 tokens of `m`, at 0.001 and 0.002 USD."""


def limit(books: Books, usd: str, enforcement: str = "hard_limit", **budget: Any) -> str:
    """A budget with one limit a day; the policy's id."""
    policy: Any = {"unit": "usd", "period": "daily", "limit": usd, "enforcement": enforcement}
    made = books.create_budget(name="Acme", policies=[policy], **budget)
    return made.policies[0].policy_id


def hold(books: Books, **ask: Any) -> str:
    """A hold that names no model, as Tekton's components place theirs."""
    attributes = {"component": "zed"}
    return allocated(books, attributes=attributes, tokens=100, **ask).allocation_id


def test_usage_on_a_hold_without_a_model_counts_on_its_model_s_limits(books: Books) -> None:
    of_provider = limit(books, "0.01", scope={"provider": "p"})
    receipt = books.settle(hold(books), **USED)
    assert receipt.cost_nanos == COST
    assert receipt.flags == ("unreserved", "overrun")
    (balance,) = balances(books, of_provider)
    assert (balance.spent, balance.overrun) == (COST, COST - 10 * MILLI)
    assert {alert.kind for alert in books.alerts().items} >= {"unreserved", "overrun"}


def test_each_record_counts_and_the_last_one_returns_the_hold(books: Books) -> None:
    tokens = books.create_budget(
        name="Tokens", scope={"component": "zed"},
        policies=[{"unit": "tokens", "period": "daily", "limit": 100, "enforcement": "hard_limit"}],
    ).policies[0].policy_id  # fmt: skip
    of_model = limit(books, "1", scope={"model": "m"})
    held = hold(books)
    books.record(held, **USED)
    books.settle(held, **USED)
    (on_tokens,), (on_model,) = balances(books, tokens), balances(books, of_model)
    assert (on_tokens.spent, on_tokens.reserved) == (30, 0)
    assert (on_model.spent, on_model.overrun) == (2 * COST, 0)


def test_a_limit_that_the_hold_met_is_not_met_a_second_time(books: Books) -> None:
    by_provider = limit(books, "1", "warn", per=["provider"])
    receipt = books.settle(
        allocated(books, attributes={"component": "zed"}, usd="0.50", tokens=100).allocation_id,
        **USED,
    )
    assert receipt.flags == ()
    (balance,) = balances(books, by_provider)
    assert (balance.partition, balance.spent) == ('{"provider":null}', COST)


def test_usage_of_the_model_held_for_meets_nothing_else(books: Books) -> None:
    held = allocated(
        books, provider="p", model="m", input_tokens=10, max_output_tokens=5
    ).allocation_id
    later = limit(books, "1", scope={"provider": "p"})
    assert books.settle(held, **USED).flags == ()
    assert sum(balance.spent for balance in balances(books, later)) == 0


def test_a_call_of_an_envelope_counts_beside_it_too(books: Books) -> None:
    of_provider = limit(books, "1", scope={"provider": "p"})
    run = allocated(books, envelope=True, usd="0.50", tokens=1000).allocation_id
    child = allocated(books, parent_id=run, usd="0.10", tokens=100).allocation_id
    assert books.settle(child, **USED).flags == ("unreserved",)
    books.release(run)
    (balance,) = balances(books, of_provider)
    assert (balance.spent, balance.reserved) == (COST, 0)


def test_what_counted_beside_is_taken_back_by_a_correction(books: Books) -> None:
    of_provider = limit(books, "1", scope={"provider": "p"})
    receipt = books.settle(hold(books), **USED)
    books.correct(receipt.usage_id, reason="never happened")
    (balance,) = balances(books, of_provider)
    assert balance.spent == 0


def test_late_usage_counts_beside_in_the_window_of_now(books: Books, clock: Clock) -> None:
    of_provider = limit(books, "1", scope={"provider": "p"})
    held = hold(books, ttl_seconds=1)
    clock.move(24 * 3600 * 10**6)
    books.sweep()
    assert set(books.settle(held, **USED).flags) == {"late", "unreserved"}
    (balance,) = balances(books, of_provider)
    assert balance.spent == COST


def test_sent_again_it_counts_once(books: Books) -> None:
    of_provider = limit(books, "1", scope={"provider": "p"})
    held = hold(books)
    first = books.settle(held, idempotency_key="k", **USED)
    again = books.settle(held, idempotency_key="k", **USED)
    assert (first.usage_id, again.replayed) == (again.usage_id, True)
    assert books.settle(held, **USED).replayed
    (balance,) = balances(books, of_provider)
    assert balance.spent == COST
    assert [one["flags"] for one in told(books, "settled")] == [["unreserved"]]


@pytest.mark.parametrize("final", [True, False])
def test_placed_and_recorded_in_one_batch_it_counts_as_well(books: Books, final: bool) -> None:
    of_provider = limit(books, "1", scope={"provider": "p"})
    ledger, jobs = books.books.ledger, books.jobs
    placing = jobs.allocate(allocation_id="a", attributes={"component": "zed"}, tokens=100)
    act = jobs.settle if final else jobs.record
    recording = act("a", **USED)
    assert placing.command is not None
    assert recording.command is not None
    _, receipt = ledger.do_all([placing.command, recording.command])
    assert receipt.flags == ("unreserved",)
    (balance,) = balances(books, of_provider)
    assert balance.spent == COST
