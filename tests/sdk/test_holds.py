"""Holds and envelopes as blocks of a program, and the attributes that calls inside have."""

import asyncio
import threading
from typing import Any

import pytest

import budget
from budget import Budget, BudgetRefused
from budget.domain.errors import Conflict, InvalidInput
from budget.sdk import booking

ASKED: Any = {"model": "gpt-4o", "input_tokens": 100, "max_output_tokens": 50}
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Yes."}}],
    "usage": {"prompt_tokens": 90, "completion_tokens": 5, "total_tokens": 95},
}  # fmt: skip


def _statuses(books: Budget) -> list[str]:
    return [one.status for one in books.allocations().items]


def test_a_hold_is_settled_with_the_answer_of_the_provider(books: Budget) -> None:
    with budget.hold(**ASKED) as hold:
        assert hold.granted_output_tokens == 50
        receipt = hold.settle(ANSWER)
    # 90 tokens at 2.50 and 5 at 10 USD a million: 225,000 + 50,000 nano-USD
    assert receipt is not None
    assert receipt.cost_nanos == 275_000
    assert _statuses(books) == ["settled"]


def test_a_hold_is_settled_with_counts(books: Budget) -> None:
    with budget.hold(**ASKED) as hold:
        hold.settle(input_tokens=10, output_tokens=2)
    assert books.usage_records().items[0].usage[:2] == (10, 2)


def test_a_hold_that_may_not_be_is_refused(books: Budget) -> None:
    books.create_budget(name="none", policies=[{"unit": "usd", "period": "daily", "limit": "0"}])
    with pytest.raises(BudgetRefused), budget.hold(**ASKED):
        pytest.fail("the block was entered")


def test_a_block_that_fails_gives_its_hold_back(books: Budget) -> None:
    with pytest.raises(ZeroDivisionError), budget.hold(**ASKED):
        _ = 1 / 0
    assert _statuses(books) == ["released"]


def test_what_was_sent_and_not_settled_is_not_free(books: Budget) -> None:
    with pytest.raises(ZeroDivisionError), budget.hold(**ASKED) as hold:  # noqa: PT012
        hold.sent()
        _ = 1 / 0
    assert _statuses(books) == ["open"]
    hold.settle(ANSWER)
    assert _statuses(books) == ["settled"]


def test_a_hold_is_settled_once(books: Budget) -> None:
    with budget.hold(**ASKED) as hold:
        hold.settle(ANSWER)
        with pytest.raises(Conflict):
            hold.settle(ANSWER)
    assert len(books.usage_records().items) == 1


@pytest.mark.parametrize("wrong", [{}, {"id": "nothing"}, 7])
def test_an_answer_that_tells_nothing_is_said_to(books: Budget, wrong: Any) -> None:
    with budget.hold(**ASKED) as hold:
        with pytest.raises(InvalidInput, match="response"):
            hold.settle(wrong)
        hold.settle(ANSWER)  # it can still be settled
    assert _statuses(books) == ["settled"]


def test_holds_inside_an_envelope_are_its_children(books: Budget) -> None:
    with budget.envelope(usd="1.00") as run:
        with budget.hold(**ASKED) as hold:
            assert hold.allocation.parent_id == run.allocation_id
            hold.settle(ANSWER)
        assert str(run.spent) == "0.000275"
        assert str(run.remaining) == "0.999725"
    assert run.now().status == "released"
    with budget.hold(**ASKED) as alone:
        assert alone.allocation.parent_id is None
        alone.release()


def test_a_process_can_be_told_its_envelope(books: Budget, monkeypatch: Any) -> None:
    with budget.envelope(usd="1.00") as run:
        pass_on = run.allocation_id
        monkeypatch.setenv("BUDGET_PARENT_ID", pass_on)
        thread = threading.Thread(target=_hold_and_settle)
        thread.start()
        thread.join()
        assert books.usage_records().items[0].allocation_id
        assert [one.parent_id for one in books.allocations(status="settled").items] == [pass_on]


def _hold_and_settle() -> None:
    with budget.hold(**ASKED) as hold:
        hold.settle(ANSWER)


def test_async_blocks_do_the_same(books: Budget) -> None:
    async def run() -> None:
        async with budget.envelope(usd="1.00"), budget.attributes(user="ann"):
            await asyncio.gather(*(one() for _ in range(3)))

    async def one() -> None:
        async with budget.hold(**ASKED) as hold:
            await hold.settle_async(ANSWER)

    asyncio.run(run())
    records = books.usage_records().items
    assert [record.attributes["user"] for record in records] == ["ann"] * 3
    assert _statuses(books).count("settled") == 3


def test_attributes_add_up_and_the_inner_one_counts(books: Budget) -> None:
    with budget.attributes(user="ann", task="t1"), budget.attributes(user="bob", tag_run="7"):
        _hold_and_settle()
    attributes = books.usage_records().items[0].attributes
    assert (attributes["user"], attributes["task"], attributes["tag.run"]) == ("bob", "t1", "7")


def test_threads_have_them_when_they_are_carried(books: Budget) -> None:
    with budget.attributes(user="ann"):
        thread = threading.Thread(target=budget.carried(_hold_and_settle))
        thread.start()
        thread.join()
        with budget.CarryingPool() as pool:
            pool.submit(_hold_and_settle).result()
            list(pool.map(lambda _: _hold_and_settle(), range(2)))
    records = books.usage_records().items
    assert [record.attributes.get("user") for record in records] == ["ann"] * 4


def test_unknown_attributes_are_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="usr"):
        budget.attributes(usr="ann")


def test_what_the_books_cannot_take_now_is_booked_later() -> None:
    from budget.domain.errors import Unavailable

    tries: list[int] = []

    def do() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("not now.")

    assert not booking.book(booking.Act(do, "a test"))
    assert booking.flush()
    assert len(tries) == 3
