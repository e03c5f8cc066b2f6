"""Usage told with its context goes to the hold it is of, and stays there when it comes again."""

import itertools
import json
from typing import Any

import pytest

from budget.domain.errors import Conflict, KeyReused, NotFound
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import Clock, allocated, refused

USED: dict[str, Any] = {"provider": "p", "model": "m", "input_tokens": 10, "output_tokens": 5}


@pytest.fixture(autouse=True)
def ticking(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a microsecond after the one before, so that one hold is newer."""
    ticks = itertools.count(clock.now_us)
    monkeypatch.setattr(Clock, "__call__", lambda _: next(ticks))


def hold(books: Books, context_id: str = "c", **ask: Any) -> str:
    """A hold of a context; its id."""
    size = {} if "usd" in ask else {"tokens": 100}
    return allocated(books, context_id=context_id, **size, **ask).allocation_id


def test_it_goes_to_the_newest_open_hold_of_its_context(books: Books) -> None:
    hold(books)
    held, other = hold(books), hold(books, "other")
    booked = books.record_in_context(**USED, context_id="c", component="x", task_type="chat")
    assert (booked.allocation_id, booked.status) == (held, "open")
    assert booked.remaining is not None
    assert booked.remaining.tokens == 85
    assert books.allocation(other).remaining.tokens == 100


@pytest.mark.parametrize(
    "held", [{"model": "n", "provider": "p"}, {"usd": "1", "envelope": True}, {"context_id": "d"}]
)
def test_a_hold_of_something_else_is_left_alone(light: Books, held: dict[str, Any]) -> None:
    hold(light, **held)
    booked = light.record_in_context(**USED, context_id="c", component="x")
    assert (booked.allocation_id, booked.flags) == (None, ("unreserved",))
    assert light.usage_record(booked.usage_id).attributes["component"] == "x"


def test_a_hold_of_the_same_model_behind_one_of_another_is_found(light: Books) -> None:
    held = hold(light, model="p/M", provider="p")
    hold(light, model="n", provider="p")
    assert light.record_in_context(**USED, context_id="c").allocation_id == held


def test_it_goes_where_its_allocation_id_says(light: Books) -> None:
    held = hold(light)
    hold(light)
    booked = light.record_in_context(**USED, allocation_id=held, context_id="c", user_id="u")
    assert booked.allocation_id == held
    with pytest.raises(NotFound):
        light.record_in_context(**USED, allocation_id="alloc_none", context_id="c")


@pytest.mark.parametrize("by", ["request_id", "idempotency_key", "usage_id"])
def test_what_comes_again_is_booked_once_whatever_was_closed_since(books: Books, by: str) -> None:
    held = hold(books)
    asked: dict[str, Any] = {**USED, "context_id": "c", by: "req-1"}
    first = books.record_in_context(**asked)
    books.release(held)
    assert books.record_in_context(**asked).replayed
    hold(books)
    again = books.record_in_context(**asked)
    assert (again.replayed, again.usage_id, again.allocation_id) == (True, first.usage_id, held)
    with pytest.raises((KeyReused, Conflict)):
        books.record_in_context(**{**asked, "input_tokens": 11})
    assert len(books.usage_records().items) == 1


def test_what_was_nobody_s_hold_at_first_stays_so(books: Books) -> None:
    asked: dict[str, Any] = {**USED, "context_id": "c", "request_id": "req-1"}
    first = books.record_in_context(**asked)
    hold(books)
    again = books.record_in_context(**asked, idempotency_key="made by a client")
    assert (again.usage_id, again.replayed, again.allocation_id) == (first.usage_id, True, None)


def test_the_same_request_of_two_keys_is_two(light: Books) -> None:
    asked: dict[str, Any] = {**USED, "context_id": "c", "request_id": "1"}
    mine, theirs = (
        light.acting_as(Caller(actor)).record_in_context(**asked) for actor in ("key_a", "key_b")
    )
    assert mine.usage_id != theirs.usage_id
    assert not theirs.replayed


def test_the_ids_are_noted_in_the_metadata(light: Books) -> None:
    held = hold(light)
    wheres: list[Any] = [{"context_id": "c"}, {"allocation_id": held}, {"context_id": "none"}]
    for at, where in enumerate(wheres):
        booked = light.record_in_context(
            **USED, **where, request_id=f"r{at}", operation_id="o", metadata={"a": 1}
        )
        noted = json.loads(light.usage_record(booked.usage_id).metadata)
        assert noted == {"a": 1, "operation_id": "o", "request_id": f"r{at}"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": 5}, "request_id"),
        ({"request_id": "r", "idempotency_key": ""}, "idempotency_key"),
        ({"operation_id": "x\n"}, "operation_id"),
        ({"request_id": "r", "metadata": "m"}, "metadata"),
        ({"allocation_id": "a b"}, "allocation_id"),
        ({"final": True}, "final"),
        ({"context_id": 5}, "context_id"),
        ({"allocation_id": "HELD", "history": True}, "history"),
        ({"input_tokens": -1}, "input_tokens"),
    ],
)
def test_what_is_wrong_is_named(light: Books, given: dict[str, Any], field: str) -> None:
    held = hold(light)
    asked = {name: held if value == "HELD" else value for name, value in given.items()}
    assert refused(light.record_in_context, **{**USED, **asked}).field == field
    assert light.usage_records().items == []


def test_history_is_of_no_hold(light: Books) -> None:
    hold(light)
    booked = light.record_in_context(
        **USED, context_id="c", history=True, occurred_at="2026-05-01T00:00:00Z"
    )
    assert booked.allocation_id is None
