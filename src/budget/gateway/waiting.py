"""Waiting: calls that would fit once open holds return wait a while, the oldest first.

A call that is being answered and cannot grow waits here too; if all calls that hold on a limit wait
for each other, the youngest gives in. Not here: whether a call fits (`domain.decide`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from budget.domain.answers import BalanceView, HiddenLine, Refusal
from budget.domain.errors import InvalidInput

T = TypeVar("T")

VARIABLE: Final = "BUDGET_GATEWAY_WAIT_SECONDS"
PATIENCE_SECONDS: Final = 2
MOST_SECONDS: Final = 60
LOOK_SECONDS: Final = 0.25
"""How often to look without being woken: holds return in other processes too."""

Key = tuple[str, str]
"""A balance: (policy_id, partition)."""


def read_patience(env: Mapping[str, str]) -> int:
    """How many seconds a call waits for others; 0: it does not. InvalidInput for what cannot be."""
    text = env.get(VARIABLE) or str(PATIENCE_SECONDS)
    if text.isascii() and text.isdigit() and len(text) < 3 and int(text) <= MOST_SECONDS:
        return int(text)
    raise InvalidInput(VARIABLE, f"{text[:80]!r} is no whole number from 0 to {MOST_SECONDS}.")


def keys_of(legs: Iterable[BalanceView]) -> frozenset[Key]:
    """The balances that a hold lies on."""
    return frozenset((leg.policy.policy_id, leg.partition) for leg in legs)


def keys_within(envelope_id: str | None) -> frozenset[Key]:
    """What calls that draw on an envelope have in common: it is as a balance to them."""
    return frozenset() if envelope_id is None else frozenset({("", envelope_id)})


def _may_pass(refusal: Refusal) -> bool:
    """Whether only open holds stand in the way of limits: without them the call would fit."""
    if refusal.code != "over_limit" or not refusal.every:
        return False
    if refusal.ladder is not None and not refusal.ladder.is_hard:
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


def keys_of_refusal(refusal: Refusal) -> frozenset[Key]:
    """The balances that refuse, or the envelope."""
    if refusal.code == "envelope_exhausted":
        return keys_within(refusal.parent_id)
    return frozenset(
        (line.balance.policy.policy_id, line.balance.partition) for line in refusal.lines
    )


class _Answered(NamedTuple, Generic[T]):
    of: T | Refusal


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
        self._coming: dict[Key, int] = {}
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

    def may_pass(self, refusal: Refusal) -> bool:
        """Whether only open holds stand in the way: without them the call would fit.

        Of an envelope that is not told; but while other calls that draw on it are under way here,
        some of it may return.
        """
        if refusal.code != "envelope_exhausted" or refusal.parent_id is None:
            return _may_pass(refusal)
        limit, requested = refusal.limit, refusal.requested
        if limit is None or requested is None or requested > limit:
            return False
        return bool(self._under_way.get(("", refusal.parent_id)))

    def comes(self, keys: frozenset[Key]) -> None:
        """A call asks for a hold on these balances, or waits for one."""
        for key in keys:
            self._coming[key] = self._coming.get(key, 0) + 1

    def came(self, keys: frozenset[Key]) -> None:
        """It does so no more."""
        for key in keys:
            left = self._coming[key] - 1
            if left:
                self._coming[key] = left
            else:
                del self._coming[key]

    def present(self, keys: frozenset[Key]) -> int:
        """How many calls there are on the busiest of these balances, coming or being answered."""
        return max(
            (len(self._under_way.get(key, ())) + self._coming.get(key, 0) for key in keys),
            default=0,
        )

    def is_before(self, since: float, keys: Iterable[Key]) -> bool:
        """Whether an older call waits for room on one of these balances."""
        if not self._waiting:
            return False
        asked = frozenset(keys)
        return any(one.since < since and not one.keys.isdisjoint(asked) for one in self._waiting)

    async def wait(
        self,
        since: float,
        keys: frozenset[Key],
        again: Callable[[], Awaitable[T | Refusal]],
        refusal: Refusal | None = None,
        *,
        waited_seconds: float = 0.0,
        growing: bool = False,
        when_gone: Callable[[Callable[[], None]], None] | None = None,
    ) -> T | Refusal:
        """Ask `again` whenever something may have returned, until it is granted or time is up.

        `refusal` is what was answered before; None: nothing was asked, for older calls wait.
        `waited_seconds` are off its patience.
        `growing`: the call is under way, and gives in if it is the youngest of all that hold there.
        `when_gone` takes what to do when the caller goes: to wait no more.
        """
        one = _Waiter(since, keys, growing=growing)
        self._waiting.append(one)
        self._waiting.sort(key=lambda other: other.since)
        if when_gone is not None:
            when_gone(one.give_up)
        try:
            answer = await self._until_granted(one, again, refusal, waited_seconds)
        finally:
            self._waiting.remove(one)
            self._wake(
                keys | one.keys
            )  # perhaps there is room for the next one; or for none any more
        return await again() if answer is None else answer.of

    async def _until_granted(
        self,
        one: _Waiter,
        again: Callable[[], Awaitable[T | Refusal]],
        refusal: Refusal | None,
        waited_seconds: float,
    ) -> "_Answered[T] | None":
        loop = asyncio.get_running_loop()
        until = loop.time() + self.patience_seconds - waited_seconds
        answer: _Answered[T] | None = None if refusal is None else _Answered(refusal)
        self._break(one.keys)
        while not one.has_given_up() and (left := until - loop.time()) > 0:
            one.woken.clear()
            try:
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await one.woken.wait()
            except TimeoutError:
                if not self._is_first(one) and loop.time() < until:
                    continue
            if one.has_given_up():
                break
            answer = _Answered(await again())
            if not isinstance(answer.of, Refusal) or not self.may_pass(answer.of):
                break
            one.keys = keys_of_refusal(answer.of)
            self._break(one.keys)
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
