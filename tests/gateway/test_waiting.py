"""Who waits for room: the oldest goes first, nobody for long, and nobody for each other."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget.domain.answers import BalanceView, Refusal, RefusalLine
from budget.domain.budgets import PolicyTerms
from budget.domain.errors import InvalidInput
from budget.domain.windows import ALWAYS, DAILY
from budget.gateway.waiting import Room, keys_of_refusal, read_patience
from tests.gateway import virtual

LIMIT = 100
TERMS = PolicyTerms("pol_1", "bud_1", "tokens", DAILY, "hard_limit")
KEYS = frozenset({("pol_1", "")})
OTHERS = frozenset({("pol_2", "")})


def refusal(amount: int, held: int, spent: int = 0) -> Refusal:
    """The refusal of so much where so much is held and spent already."""
    balance = BalanceView(TERMS, "Everything", "", ALWAYS, LIMIT, spent, held, 0, 0)
    line = RefusalLine(balance, amount, amount + held + spent - LIMIT, None)
    return Refusal("over_limit", "no room", 0, (line,))


class Purse:
    """A limit of 100 with holds on it, asked as the books are."""

    def __init__(self, room: Room, held: int = 0, spent: int = 0) -> None:
        self.room = room
        self.held = held
        self.spent = spent
        self.asked = 0
        self.served: list[int] = []

    def ask(self, name: int, amount: int) -> Callable[[], Awaitable[int | Refusal]]:
        """What asks for so much under this name."""

        async def asking() -> int | Refusal:
            self.asked += 1
            await asyncio.sleep(0)
            if self.spent + self.held + amount > LIMIT:
                return refusal(amount, self.held, self.spent)
            self.held += amount
            self.served.append(name)
            return name

        return asking

    def give_back(self, amount: int, used: int = 0) -> None:
        """A call has settled: so much of its hold was used."""
        self.held -= amount
        self.spent += used
        self.room.left(-1, KEYS)

    async def want(self, name: int, amount: int, since: float | None = None) -> int | Refusal:
        """Wait for so much."""
        begun = float(name) if since is None else since
        return await self.room.wait(begun, KEYS, self.ask(name, amount))


async def turns(times: int = 20) -> None:
    """Let all others go on."""
    for _ in range(times):
        await asyncio.sleep(0)


def test_what_returns_goes_to_who_waits_longest() -> None:
    async def scene() -> list[int]:
        purse = Purse(Room(), held=LIMIT)
        names = [3, 1, 4, 2]
        waiting = [asyncio.create_task(purse.want(name, 10)) for name in names]
        await turns()
        assert purse.room.waiting == 4
        for _ in names:
            purse.give_back(10)
            await turns()
        await asyncio.gather(*waiting)
        assert purse.room.waiting == 0
        return purse.served

    assert virtual.run(scene()) == [1, 2, 3, 4]


def test_one_large_return_serves_as_many_as_it_has_room_for() -> None:
    async def scene() -> list[int]:
        purse = Purse(Room(), held=LIMIT)
        waiting = [asyncio.create_task(purse.want(name, 10)) for name in range(5)]
        await turns()
        purse.give_back(40)
        await turns()
        served = list(purse.served)
        await asyncio.gather(*waiting)
        return served

    assert virtual.run(scene()) == [0, 1, 2, 3]


def test_a_call_waits_no_longer_than_its_patience() -> None:
    async def scene() -> tuple[Any, float, int]:
        purse = Purse(Room(2), held=LIMIT)
        answer = await purse.want(1, 10)
        return answer, asyncio.get_running_loop().time(), purse.asked

    answer, seconds, asked = virtual.run(scene())
    assert isinstance(answer, Refusal)
    assert seconds == pytest.approx(2)
    assert asked <= 2 / 0.25 + 1


def test_what_it_has_waited_before_is_off_its_patience() -> None:
    async def scene() -> float:
        purse = Purse(Room(2), held=LIMIT)
        await purse.room.wait(1.0, KEYS, purse.ask(1, 10), waited_seconds=1.5)
        return asyncio.get_running_loop().time()

    assert virtual.run(scene()) == pytest.approx(0.5)


def test_without_patience_it_is_asked_once() -> None:
    async def scene() -> tuple[float, int]:
        purse = Purse(Room(0), held=LIMIT)
        await purse.want(1, 10)
        return asyncio.get_running_loop().time(), purse.asked

    assert virtual.run(scene()) == (0, 1)


def test_64_that_wait_ask_little_and_only_the_oldest_unless_something_returns() -> None:
    async def scene() -> int:
        purse = Purse(Room(2), held=LIMIT)
        waiting = [asyncio.create_task(purse.want(name, 10)) for name in range(64)]
        await asyncio.gather(*waiting)
        return purse.asked

    assert virtual.run(scene()) <= 2 * 64 + 2 / 0.25


def test_where_the_money_has_ended_nobody_waits_on() -> None:
    """The hold that they waited for was used up: the refusal is final, for one after the other."""

    async def scene() -> tuple[list[Any], float]:
        purse = Purse(Room(2), held=LIMIT)
        waiting = [asyncio.create_task(purse.want(name, 10)) for name in range(10)]
        await turns()
        purse.give_back(LIMIT, used=LIMIT)
        return await asyncio.gather(*waiting), asyncio.get_running_loop().time()

    answers, seconds = virtual.run(scene())
    assert all(isinstance(answer, Refusal) for answer in answers)
    assert seconds == 0


def test_a_newcomer_is_behind_older_ones_on_the_same_balances_only() -> None:
    async def scene() -> tuple[bool, bool, bool]:
        purse = Purse(Room(), held=LIMIT)
        waiting = asyncio.create_task(purse.want(5, 10))
        await turns()
        room = purse.room
        found = room.is_before(6.0, KEYS), room.is_before(6.0, OTHERS), room.is_before(4.0, KEYS)
        waiting.cancel()
        return found

    assert virtual.run(scene()) == (True, False, False)


def test_who_leaves_while_it_waits_leaves_the_room_and_makes_way() -> None:
    async def scene() -> tuple[list[int], int]:
        purse = Purse(Room(), held=LIMIT)
        leave: list[Callable[[], None]] = []
        first = asyncio.create_task(
            purse.room.wait(1.0, KEYS, purse.ask(1, 10), refusal(10, LIMIT), when_gone=leave.append)
        )
        second = asyncio.create_task(purse.want(2, 10))
        await turns()
        leave[0]()
        await turns()
        assert isinstance(first.result(), Refusal)
        purse.give_back(10)
        await second
        return purse.served, purse.room.waiting

    assert virtual.run(scene()) == ([2], 0)


def test_the_youngest_gives_in_when_all_that_hold_wait_for_more() -> None:
    """Three answers under way want more than there is; the oldest two get what the third has."""

    async def scene() -> list[Any]:
        purse = Purse(Room(2), held=LIMIT)
        room = purse.room
        for call in (1, 2, 3):
            room.entered(call, float(call), KEYS)

        async def grow(call: int) -> Any:
            answer = await room.wait(
                float(call), KEYS, purse.ask(call, 15), refusal(15, LIMIT), growing=True
            )
            if isinstance(answer, Refusal):
                purse.held -= 30
            room.left(call, KEYS)
            return answer

        return await asyncio.gather(*(grow(call) for call in (1, 2, 3)))

    first, second, third = virtual.run(scene())
    assert (first, second) == (1, 2)
    assert isinstance(third, Refusal)


def test_one_alone_does_not_wait_for_itself() -> None:
    async def scene() -> tuple[Any, float]:
        purse = Purse(Room(2), held=LIMIT)
        purse.room.entered(1, 1.0, KEYS)
        answer = await purse.room.wait(
            1.0, KEYS, purse.ask(1, 15), refusal(15, LIMIT), growing=True
        )
        return answer, asyncio.get_running_loop().time()

    answer, seconds = virtual.run(scene())
    assert isinstance(answer, Refusal)
    assert seconds == 0


@given(st.integers(0, 2**32), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_whatever_comes_is_served_once_or_refused_and_nobody_is_left(seed: int, calls: int) -> None:
    """Calls of random sizes that settle after random times: the limit holds, the room is empty."""
    dice = random.Random(seed)

    async def one(purse: Purse, name: int) -> bool:
        amount = dice.randint(1, LIMIT)
        await asyncio.sleep(dice.random())
        since = asyncio.get_running_loop().time()
        answer = await purse.want(name, amount, since)
        assert purse.held + purse.spent <= LIMIT
        if isinstance(answer, Refusal):
            return False
        await asyncio.sleep(dice.random())
        purse.give_back(amount, used=dice.randint(0, amount // 8))
        return True

    async def scene() -> None:
        purse = Purse(Room(2))
        found = await asyncio.gather(*(one(purse, name) for name in range(calls)))
        assert sum(found) == len(purse.served) == len(set(purse.served))
        assert purse.room.waiting == 0
        assert purse.held == 0

    virtual.run(scene())


@pytest.mark.parametrize(
    ("found", "may"),
    [
        (refusal(10, held=LIMIT), True),
        (refusal(10, held=5, spent=95), False),  # without the holds 5 would be left
        (refusal(LIMIT + 1, held=LIMIT), False),
        (refusal(10, held=0, spent=LIMIT), False),
        (Refusal("model_unpriced", "no price", 0), False),
    ],
)
def test_only_what_fits_without_the_holds_is_waited_for(found: Refusal, may: bool) -> None:
    assert Room().may_pass(found) is may


def test_a_refusal_names_the_balances_that_refuse() -> None:
    assert keys_of_refusal(refusal(10, LIMIT)) == KEYS


@pytest.mark.parametrize(("env", "seconds"), [({}, 2), ({"BUDGET_GATEWAY_WAIT_SECONDS": "0"}, 0)])
def test_the_patience_is_a_setting(env: Mapping[str, str], seconds: int) -> None:
    assert read_patience(env) == seconds


@pytest.mark.parametrize("text", ["-1", "61", "2.5", "soon"])
def test_a_patience_that_cannot_be_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="BUDGET_GATEWAY_WAIT_SECONDS"):
        read_patience({"BUDGET_GATEWAY_WAIT_SECONDS": text})
