"""Waiting: calls that would fit once open holds return wait a while, the oldest first.

A call that is being answered and cannot grow waits here too; if all calls that hold on a limit wait
for each other, the youngest gives in. Not here: whether a call fits (`domain.decide`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from budget.domain.answers import BalanceView, HiddenLine, Refusal

T = TypeVar("T")

PATIENCE_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.25
"""How often to look without being woken: holds return in other processes too."""

Key = tuple[str, str]
"""A balance: (policy_id, partition)."""


def keys_of(legs: Iterable[BalanceView]) -> frozenset[Key]:
    """The balances that a hold lies on."""
    return frozenset((leg.policy.policy_id, leg.partition) for leg in legs)


def may_pass(refusal: Refusal) -> bool:
    """Whether only open holds stand in the way: without them the call would fit."""
    if refusal.code != "over_limit" or not refusal.every:
        return False
    for line in refusal.every:
        if isinstance(line, HiddenLine):
            continue  # it cannot be told
        balance = line.balance
        if not balance.reserved:
            return False
        if line.requested > balance.limit - balance.spent - balance.assumed:
            return False
    return True


class _Waiter:
    __slots__ = ("_given_up", "growing", "keys", "since", "woken")

    def __init__(self, since: float, keys: frozenset[Key], *, growing: bool) -> None:
        self.since = since
        self.keys = keys
        self.growing = growing
        self.woken = asyncio.Event()
        self._given_up = False

    def has_given_up(self) -> bool:
        """Whether it waits no more: with it everybody would wait for ever."""
        return self._given_up

    def give_up(self) -> None:
        """Wait no more."""
        self._given_up = True
        self.woken.set()


class Room:
    """Who waits, and who is under way; of one event loop."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.patience_seconds = patience_seconds
        self._waiting: list[_Waiter] = []
        self._under_way: defaultdict[Key, dict[int, float]] = defaultdict(dict)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def entered(self, call: int, since: float, keys: frozenset[Key]) -> None:
        """A call holds on these balances and is being answered."""
        for key in keys:
            self._under_way[key][call] = since

    def left(self, call: int, keys: frozenset[Key]) -> None:
        """It has settled: what it returned may do for who waits longest."""
        for key in keys:
            there = self._under_way.get(key)
            if there is not None:
                there.pop(call, None)
                if not there:
                    del self._under_way[key]
        self._wake(keys)
        self._break(keys)

    def is_before(self, since: float, keys: Iterable[Key]) -> bool:
        """Whether an older call waits for room on one of these balances."""
        if not self._waiting:
            return False
        asked = frozenset(keys)
        return any(one.since < since and not one.keys.isdisjoint(asked) for one in self._waiting)

    async def wait(
        self,
        since: float,
        refusal: Refusal,
        again: Callable[[], Awaitable[T | Refusal]],
        *,
        growing: bool = False,
    ) -> T | Refusal:
        """Ask `again` whenever something may have returned, until it is granted or time is up.

        `growing`: the call is under way, and gives in if it is the youngest of all that hold there.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self.patience_seconds
        one = _Waiter(since, _keys_of(refusal), growing=growing)
        self._waiting.append(one)
        self._waiting.sort(key=lambda other: other.since)
        answer: T | Refusal = refusal
        try:
            self._break(one.keys)
            while not one.has_given_up():
                left = until - loop.time()
                if left <= 0:
                    break
                one.woken.clear()
                try:
                    async with asyncio.timeout(min(left, LOOK_SECONDS)):
                        await one.woken.wait()
                except TimeoutError:
                    if not self._is_first(one) and loop.time() < until:
                        continue
                if one.has_given_up():
                    break
                answer = await again()
                if not isinstance(answer, Refusal) or not may_pass(answer):
                    break
        finally:
            self._waiting.remove(one)
        if not isinstance(answer, Refusal):
            self._wake(one.keys)  # perhaps there is room for the next one too
        return answer

    def _is_first(self, one: _Waiter) -> bool:
        return not self.is_before(one.since, one.keys)

    def _wake(self, keys: frozenset[Key]) -> None:
        """Wake who waits longest for each of these balances."""
        left = set(keys)
        for one in self._waiting:
            if not left:
                return
            if not one.keys or not left.isdisjoint(one.keys):
                one.woken.set()
                left -= one.keys

    def _break(self, keys: frozenset[Key]) -> None:
        """Where all that hold on a balance wait for more of it, have the youngest give in."""
        for key in keys:
            stuck = [
                one
                for one in self._waiting
                if one.growing and not one.has_given_up() and key in one.keys
            ]
            if stuck and len(stuck) >= len(self._under_way.get(key, ())):
                youngest = stuck[-1]
                if len(stuck) > 1 or len(self._under_way.get(key, ())) <= 1:
                    youngest.give_up()


def _keys_of(refusal: Refusal) -> frozenset[Key]:
    return frozenset(
        (line.balance.policy.policy_id, line.balance.partition) for line in refusal.lines
    )
