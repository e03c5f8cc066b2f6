"""Holding: what an extension may add, and what a replayed one answers."""

from typing import Any

from budget.domain.answers import Allocation
from budget.engine.budget import Budget as Books
from tests.engine.opened import USD, Clock, allocated, refused


def extended(books: Books, allocation_id: str, **ask: Any) -> Allocation:
    """An extension that must not be refused."""
    answer = books.extend(allocation_id, **ask)
    assert isinstance(answer, Allocation), answer
    return answer


def test_an_extension_sent_again_answers_with_what_it_held_then(books: Books) -> None:
    call = allocated(books, usd="1").allocation_id
    first = extended(books, call, usd="1", idempotency_key="k1")
    extended(books, call, usd="1", ttl_seconds=3600, idempotency_key="k2")
    again = extended(books, call, usd="1", idempotency_key="k1")
    now = books.allocation(call)
    assert (again.reserved, again.replayed) == (first.reserved, True)
    assert (first.reserved.usd, now.reserved.usd) == (2 * USD, 3 * USD)
    # What is left and when it ends are as of now.
    assert (again.remaining, again.expires_us) == (now.remaining, now.expires_us)


def test_granted_tokens_are_those_of_the_first_answer(books: Books) -> None:
    call = allocated(books, model="m", input_tokens=1, max_output_tokens=10).allocation_id
    extended(books, call, max_output_tokens=5, idempotency_key="k1")
    extended(books, call, max_output_tokens=5, idempotency_key="k2")
    again = extended(books, call, max_output_tokens=5, idempotency_key="k1")
    assert again.granted_output_tokens == 15
    assert books.allocation(call).granted_output_tokens == 20


def test_an_envelope_is_not_limited_afterwards_in_what_it_did_not_state(books: Books) -> None:
    run = allocated(books, envelope=True, usd="1").allocation_id
    assert refused(books.extend, run, tokens=100).field == "tokens"
    assert refused(books.extend, run, requests=1).field == "requests"
    extended(books, run, usd="1")
    allocated(books, parent_id=run, tokens=1000, usd="2")


def test_one_extension_is_at_most_as_large_as_a_hold(books: Books) -> None:
    call = allocated(books, model="m", tokens=1).allocation_id
    # 0.002 USD a token of the dearest kind
    assert refused(books.extend, call, tokens=5 * 10**8 + 1).field == "tokens"
    extended(books, call, tokens=5 * 10**8)


def test_ending_what_has_ended_is_a_replay(books: Books, clock: Clock) -> None:
    policy: Any = {"unit": "usd", "period": "daily", "limit": "1"}
    made = books.create_budget(name="B", policies=[policy, policy])
    one, _ = made.policies
    assert not books.archive_policy(one.policy_id).replayed
    clock.move(1)
    assert books.archive_policy(one.policy_id).replayed
    assert not books.archive_budget(made.budget_id).replayed
    assert books.archive_budget(made.budget_id).replayed
