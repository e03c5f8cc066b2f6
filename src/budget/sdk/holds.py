"""Holds: money held for one call or for an agent run, as blocks of a program.

    with budget.hold(model="gpt-4o", request=messages) as hold:
        answer = client.chat.completions.create(..., max_tokens=hold.granted_output_tokens)
        hold.settle(answer)

Not here: how a hold is placed and ended (`placing`), and calls that are tracked (`tracking`).
"""

import threading
from collections.abc import Mapping
from contextvars import Token
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, Unpack

from budget.domain.answers import Allocation, Receipt
from budget.domain.asks import AllocationAsk, UsageAsk
from budget.domain.errors import Conflict, InvalidInput, Unavailable
from budget.domain.money import NANOS_PER_USD
from budget.domain.responses import Told, usage_of
from budget.engine.ids import new_id
from budget.sdk.attributes import enter_envelope, leave_envelope
from budget.sdk.booking import LOG, Act, book, in_thread, keep
from budget.sdk.books import Books
from budget.sdk.connecting import default_books
from budget.sdk.placing import ask_here, place, place_async, releasing, settling
from budget.sdk.responses import json_of, usage_ask

_DONE: Final = "The hold has ended already; begin another for another call."


class _Block:
    """What a hold and an envelope have in common: placed on entering, ended on leaving."""

    def __init__(self, books: Books | None, ask: Mapping[str, Any]) -> None:
        self._given = books
        self._ask = ask
        self._allocation: Allocation | None = None
        self._lock = threading.Lock()
        self._ended = False

    @property
    def books(self) -> Books:
        """The books that it is held in."""
        return default_books() if self._given is None else self._given

    @property
    def allocation(self) -> Allocation:
        """The allocation, as it was when it was placed. Conflict before the block is entered."""
        if self._allocation is None:
            raise Conflict("Nothing is held yet: enter it by `with` or `async with`.")
        return self._allocation

    @property
    def allocation_id(self) -> str:
        """The id of the allocation in the books."""
        return self.allocation.allocation_id

    def _full_ask(self) -> dict[str, Any]:
        if self._allocation is not None:
            raise Conflict("It was entered before; begin another for another call.")
        return ask_here(self._ask)

    def _end_once(self) -> bool:
        """Whether this is the first to end it."""
        with self._lock:
            ended, self._ended = self._ended, True
        return not ended


class Hold(_Block):
    """Money held for one call: `with budget.hold(...) as hold:` or `async with`.

    Settle it with the provider's answer. A block that ends without: by an error, the hold is
    released, for the call failed; otherwise too, with a warning in the log, for nothing says that a
    call was made. Where one was, say `sent()` before it: then what is not settled stays held, and
    counts as assumed once its time is up, until somebody settles it.
    """

    def __init__(self, books: Books | None, ask: Mapping[str, Any]) -> None:
        super().__init__(books, ask)
        self._sent = False
        self.receipt: Receipt | None = None
        """What was booked; None until then, or where the books could not be reached for it."""

    @property
    def granted_output_tokens(self) -> int | None:
        """The most output tokens that were granted; None where amounts are held."""
        return self.allocation.granted_output_tokens

    def sent(self) -> None:
        """Say that the call goes out now: from here on it may cost, and is not given back free."""
        self._sent = True

    def settle(self, response: Any = None, /, **usage: Unpack[UsageAsk]) -> Receipt | None:
        """Book what the call used, as its answer tells: an answer of any SDK, its JSON, or a list
        of the chunks of a stream; or counts, as `settle` of the books takes them.

        Counts win over what the answer tells. None: the books cannot be reached, and it is booked
        as soon as they can. InvalidInput for an answer that tells no usage.
        """
        act = self._settling(response, usage)
        return self._booked(act)

    async def settle_async(
        self, response: Any = None, /, **usage: Unpack[UsageAsk]
    ) -> Receipt | None:
        """The same from an event loop. Cancelled, it is booked all the same."""
        act = self._settling(response, usage)
        return await in_thread(partial(self._booked, act))

    def release(self, reason: str = "not called") -> None:
        """Give the hold back: the call was not made, or cost nothing."""
        if self._end_once():
            book(releasing(self.books, self.allocation_id, reason))

    def _settling(self, response: Any, usage: UsageAsk) -> Act:
        allocation = self.allocation
        ask = dict(usage)
        if response is not None:
            told = usage_of(json_of(response), provider=allocation.provider)
            ask = {**_told_ask(told, allocation, ask), **ask}
        if not ask:
            raise InvalidInput("response", "is required, or counts such as input_tokens.")
        ask.setdefault("usage_id", new_id("use"))
        return settling(self.books, allocation.allocation_id, ask)

    def _booked(self, act: Act) -> Receipt | None:
        if not self._end_once():
            raise Conflict(_DONE, code="already_settled")
        try:
            receipt = act.do()
        except Unavailable as error:
            LOG.warning("booked later: %s: %s", act.what, error)
            keep(act)
            return None
        except BaseException:
            self._ended = False  # what was wrong can be said again
            raise
        assert isinstance(receipt, Receipt)
        self.receipt = receipt
        return receipt

    def _leaving(self, error: BaseException | None) -> Act | None:
        """What is to be booked when the block is left; None: nothing."""
        if self._sent or not self._end_once():
            if self._sent and not self._ended:
                LOG.warning(
                    "%s was sent and not settled: it counts as assumed until it is",
                    self.allocation_id,
                )
            return None
        if error is None:
            LOG.warning("%s was never settled, and is released", self.allocation_id)
            reason = "left without being settled"
        else:
            reason = f"ended by {type(error).__name__[:80]}"
        return releasing(self.books, self.allocation_id, reason)

    def __enter__(self) -> Self:
        self._allocation = place(self.books, self._full_ask())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        act = self._leaving(error)
        if act is not None:
            book(act)

    async def __aenter__(self) -> Self:
        self._allocation = await place_async(await _open(self), self._full_ask())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        act = self._leaving(error)
        if act is not None:
            await in_thread(partial(book, act))


class Envelope(_Block):
    """Money held for a whole agent run: `with budget.envelope(usd="2.00") as run:`.

    Every hold inside draws on it, in this block, its tasks and carried threads; leaving it ends it,
    and what is left returns. Once it is empty, holds inside raise BudgetRefused.
    """

    def __init__(self, books: Books | None, ask: Mapping[str, Any]) -> None:
        super().__init__(books, {**ask, "envelope": True})
        self._tokens: list[Token[str | None]] = []

    def now(self) -> Allocation:
        """The envelope as it stands, asked for anew."""
        return self.books.allocation(self.allocation_id)

    @property
    def remaining(self) -> Decimal:
        """What is left of the money, in USD, asked for anew; 0 where no money is held."""
        return _usd(self.now().remaining.usd)

    @property
    def spent(self) -> Decimal:
        """What is not left any more, in USD: spent, or held by calls inside right now."""
        now = self.now()
        return _usd((now.reserved.usd or 0) - (now.remaining.usd or 0))

    def end(self) -> None:
        """End it: what is left returns; calls inside that are still open count as assumed."""
        if self._end_once():
            book(releasing(self.books, self.allocation_id, "the run is over"))

    def __enter__(self) -> Self:
        self._allocation = place(self.books, self._full_ask())
        self._tokens.append(enter_envelope(self.allocation_id))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        leave_envelope(self._tokens.pop())
        self.end()

    async def __aenter__(self) -> Self:
        self._allocation = await place_async(await _open(self), self._full_ask())
        self._tokens.append(enter_envelope(self.allocation_id))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave_envelope(self._tokens.pop())
        await in_thread(self.end)


def hold(*, books: Books | None = None, **ask: Unpack[AllocationAsk]) -> Hold:
    """Hold for one call, as `allocate` takes it: a `model` with the `request` itself, or
    `input_tokens` and `max_output_tokens`, or an amount such as `usd`.

    Entering the block raises BudgetRefused, with the whole refusal, if the call may not go.
    Attributes are those of here and those given.
    """
    if ask.get("envelope"):
        raise InvalidInput("envelope", "is a block of its own: `with budget.envelope(...)`.")
    return Hold(books, ask)


def envelope(*, books: Books | None = None, **ask: Unpack[AllocationAsk]) -> Envelope:
    """Hold for a whole agent run: `usd`, `tokens` or `requests`, perhaps `ttl_seconds`."""
    return Envelope(books, ask)


async def _open(block: _Block) -> Books:
    """The books, opened in a thread if they are not yet."""
    return await in_thread(lambda: block.books)


def _told_ask(told: Told, allocation: Allocation, given: Mapping[str, Any]) -> dict[str, Any]:
    if told.usage is None:
        if "input_tokens" in given or "output_tokens" in given or "cost" in given:
            return {}
        raise InvalidInput(
            "response", "tells no usage; settle with counts: input_tokens and output_tokens."
        )
    return usage_ask(told.usage, told, allocation.provider, allocation.model)


def _usd(nanos: int | None) -> Decimal:
    return Decimal(nanos or 0) / NANOS_PER_USD
