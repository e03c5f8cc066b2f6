"""Sweeping: holds that are due expire, however many they are, a batch at a time."""

import pytest

from budget.domain.cursors import MAX_ENTRIES_PER_BATCH
from budget.engine.acts import holding
from budget.engine.budget import Budget as Books
from tests.engine.opened import Clock, allocated

SECOND_US = 1_000_000


def test_a_sweep_expires_what_is_due_and_nothing_else(books: Books, clock: Clock) -> None:
    allocated(books, allocation_id="due", requests=1, ttl_seconds=1)
    allocated(books, allocation_id="later", requests=1, ttl_seconds=2)
    clock.move(SECOND_US)
    assert books.sweep() == 1
    assert books.allocation("due").status == "expired"
    assert books.allocation("later").status == "open"
    assert books.sweep() == 0


def test_an_envelope_that_is_due_takes_its_calls_with_it(books: Books, clock: Clock) -> None:
    run = allocated(books, envelope=True, tokens=100, ttl_seconds=1).allocation_id
    call = allocated(books, parent_id=run, tokens=10, ttl_seconds=1).allocation_id
    clock.move(SECOND_US)
    books.sweep()
    assert books.allocation(run).status == books.allocation(call).status == "expired"


def test_envelopes_with_more_calls_than_a_batch_can_number_expire_in_several_sweeps(
    books: Books, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "SWEPT_ENTRIES", 3)
    for _ in range(3):
        run = allocated(books, envelope=True, tokens=100, ttl_seconds=1).allocation_id
        for _ in range(2):
            allocated(books, parent_id=run, tokens=10, ttl_seconds=1)
    clock.move(SECOND_US)
    before = len(books.events(kind="expired").items)
    sweeps = 0
    while books.allocations(status="open").items:
        books.sweep()
        sweeps += 1
        now = len(books.events(kind="expired").items)
        assert 0 < now - before <= 3 + 3
        before = now
    assert before == 9
    assert sweeps > 1


def test_a_sweep_leaves_room_for_one_more_envelope_and_a_full_batch() -> None:
    # One envelope may bring MAX_CHILDREN entries and its own; a batch has 256 commands.
    most = holding.SWEPT_ENTRIES - 1 + holding.MAX_CHILDREN + 1 + 256
    assert most < MAX_ENTRIES_PER_BATCH
