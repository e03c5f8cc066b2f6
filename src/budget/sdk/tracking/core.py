"""Core: one call to a provider on its way, from the hold before it to what is booked after it.

A provider's file makes a `Call` of what its SDK is about to send, and then:

    passage = tracker.place(call)            # or `await tracker.place_async(call)`
    ...                                      # write passage.max_output_tokens into the request
    try:
        answer = send()
    except BaseException as error:
        passage.close(error)
        raise
    passage.hear(answer_as_json)             # once, or once for every chunk of a stream
    passage.close()                          # or `await passage.close_async()`

However it ends, `close` settles or releases the hold once; closing again does nothing. Not here:
where each SDK is taken hold of (one file per provider), and what errors mean (`fates`).
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from budget.domain.answers import Allocation
from budget.domain.errors import InvalidInput, Unavailable
from budget.domain.estimating import bound_of
from budget.domain.output_limits import answers_of, output_tokens_limit
from budget.domain.responses import Stream, Told
from budget.domain.responses.words import texts_of
from budget.domain.text_tokens import family_of, texts_tokens_bound
from budget.domain.usage import Usage
from budget.sdk.booking import LOG, Act, attend, book, in_thread, leave
from budget.sdk.books import Books
from budget.sdk.connecting import default_books
from budget.sdk.placing import ask_here, place, place_async, releasing, reporting, settling
from budget.sdk.responses import TIERS, usage_ask
from budget.sdk.tracking.fates import fate_of, usage_in

OnUnavailable = Literal["refuse", "allow"]
Why = Literal["no_usage", "aborted", "no_answer"]
"""Why usage was estimated: the answer told none; the answer was cut or left; none was seen."""


class Call(NamedTuple):
    """A call as its request tells, before it is sent.

    `request` is its body as the provider takes it, as JSON: the estimate is made of it, and it says
    the most output tokens if the caller did. `provider` and `api` are as in `domain.responses`.
    """

    provider: str
    api: str | None
    model: str | None
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tracker:
    """What calls of one tracked client have in common.

    `fit` grants fewer output tokens than the caller allows where no more fit; where the caller sets
    no limit it does so in any case. `max_output_tokens` is then asked for (else the default grant).
    `provider` is who answers, where the address does not say. `books` None: the process's own.
    """

    books: Books | None = None
    on_unavailable: OnUnavailable = "refuse"
    fit: bool = False
    max_output_tokens: int | None = None
    ttl_seconds: int | None = None
    provider: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def open_books(self) -> Books:
        """The books to hold in and to book to."""
        return default_books() if self.books is None else self.books

    def place(self, call: Call) -> "Passage":
        """Hold for a call. BudgetRefused if it may not go, Unavailable if nobody can say."""
        ask = self._ask(call)
        try:
            allocation = place(self.open_books, ask)
        except Unavailable as error:
            return self._unheld(call, ask, error)
        return Passage(self, call, ask, allocation)

    async def place_async(self, call: Call) -> "Passage":
        """The same from an event loop; cancelled, it leaves no hold."""
        ask = self._ask(call)
        try:
            allocation = await place_async(self.open_books, ask)
        except Unavailable as error:
            return self._unheld(call, ask, error)
        return Passage(self, call, ask, allocation)

    def _unheld(self, call: Call, ask: dict[str, Any], error: Unavailable) -> "Passage":
        if self.on_unavailable == "refuse":
            raise error
        LOG.warning("called without a hold: %s", error)
        return Passage(self, call, ask, None)

    def _ask(self, call: Call) -> dict[str, Any]:
        limit = output_tokens_limit(call.request)
        ask: dict[str, Any] = {
            "provider": call.provider,
            "model": call.model,
            "attributes": self.attributes,
            "ttl_seconds": self.ttl_seconds,
        }
        if call.model is not None:
            ask["request"] = call.request
            ask["fit"] = self.fit or limit is None
            tier = call.request.get("service_tier")
            if tier in TIERS:
                ask["price_context"] = {"service_tier": tier}
            if limit is None and self.max_output_tokens is not None:
                ask["max_output_tokens"] = self.max_output_tokens * answers_of(call.request)
        return ask_here(ask)


class Passage:
    """One call from its hold to what is booked. Of any thread; `close` counts once."""

    def __init__(
        self, tracker: Tracker, call: Call, ask: Mapping[str, Any], allocation: Allocation | None
    ) -> None:
        self.call = call
        self.allocation = allocation
        self._books = tracker.open_books
        self._ask = ask
        self._stream = Stream(call.provider, call.api)
        self._texts: list[str] = []
        self._heard = False
        self._closed = False
        self._lock = threading.Lock()
        attend()

    @property
    def max_output_tokens(self) -> int | None:
        """The most output tokens to write into the request, for each of its answers.

        None: the request stays as it is, because what the caller allows is granted, or because the
        caller sets no limit and no hard limit or envelope does.
        """
        allocation = self.allocation
        granted = None if allocation is None else allocation.granted_output_tokens
        if allocation is None or granted is None:
            return None
        asked = output_tokens_limit(self.call.request)
        if asked is None and not _is_limited(allocation):
            return None
        if asked is not None and granted >= asked:
            return None
        return max(1, granted // answers_of(self.call.request))

    @property
    def complete(self) -> bool:
        """Whether the provider has told its final figures."""
        return self._stream.told().complete

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    def hear(self, chunk: Any) -> None:
        """Hear the answer, or one more chunk of it, as parsed JSON."""
        self._heard = True
        self._stream.take(chunk)
        if isinstance(chunk, Mapping):
            self._texts += texts_of(chunk)

    def close(self, error: BaseException | None = None, *, cut: bool = False) -> None:
        """Book what was used, or give the hold back if nothing was; never raises a BudgetError.

        `error` ended the call; `cut` says that the answer may not have come to its end.
        """
        act = self._end(error, cut)
        if act is not None:
            book(act)

    async def close_async(self, error: BaseException | None = None, *, cut: bool = False) -> None:
        """The same from an event loop. Cancelled, it is booked all the same."""
        act = self._end(error, cut)
        if act is not None:
            await in_thread(lambda: book(act))

    def close_later(self, error: BaseException | None = None, *, cut: bool = False) -> None:
        """The same without waiting for it: for finalizers, and where nothing may block."""
        act = self._end(error, cut)
        if act is not None:
            leave(act)

    async def drop_async(self, reason: str) -> None:
        """End a call that no provider saw: what was held is given back."""
        act = self._unused(reason) if self._shut() else None
        if act is not None:
            await in_thread(lambda: book(act))

    def _shut(self) -> bool:
        """Close it; whether it was open."""
        with self._lock:
            was_open, self._closed = not self._closed, True
        return was_open

    def _end(self, error: BaseException | None, cut: bool) -> Act | None:
        """What there is to book; None if that was done before."""
        if not self._shut():
            return None
        told = self._stream.told()
        if error is not None and not self._heard:
            found = usage_in(error)
            told = Told() if found is None else found
            fate = "sent" if told.usage is not None else fate_of(error)
            if fate != "sent":
                return self._unused(f"the call failed ({type(error).__name__[:80]})")
        if told.usage is not None and told.complete:
            return self._used(told, told.usage, None)
        if not self._heard and told.usage is None:
            return self._used(told, self._most(), "no_answer")
        why: Why = "aborted" if cut or error is not None else "no_usage"
        return self._used(told, self._seen(told.usage), why)

    def _unused(self, reason: str) -> Act | None:
        if self.allocation is None:
            return None
        return releasing(self._books, self.allocation.allocation_id, reason)

    def _used(self, told: Told, usage: Usage, why: Why | None) -> Act:
        ask = usage_ask(usage, told, self.call.provider, self.call.model)
        if why is not None:
            ask["metadata"] = {**ask.get("metadata", {}), "estimated": why}
        if self.allocation is not None:
            return settling(self._books, self.allocation.allocation_id, ask)
        attributes = self._ask["attributes"]
        return reporting(self._books, {**ask, "attributes": attributes})

    def _seen(self, measured: Usage | None) -> Usage:
        """What was measured, or more where what was seen comes to more."""
        request, (provider, model) = self.call.request, (self.call.provider, self.call.model or "")
        output_tokens = texts_tokens_bound(self._texts, family_of(provider, model))
        if measured is not None and measured.input_tokens:
            return measured._replace(output_tokens=max(measured.output_tokens, output_tokens))
        return Usage(_input_bound(request, provider, model), output_tokens)

    def _most(self) -> Usage:
        """What the call can have used at most, as far as is known: what it was granted."""
        granted = None if self.allocation is None else self.allocation.granted_output_tokens
        if granted is None:
            granted = output_tokens_limit(self.call.request) or 0
        provider, model = self.call.provider, self.call.model or ""
        return Usage(_input_bound(self.call.request, provider, model), granted)


def _is_limited(allocation: Allocation) -> bool:
    """Whether anything keeps this call from using more than it was granted."""
    return allocation.parent_id is not None or any(
        leg.policy.enforcement == "hard_limit" for leg in allocation.legs
    )


def _input_bound(request: Mapping[str, Any], provider: str, model: str) -> int:
    try:
        return bound_of(dict(request), provider=provider, model=model).tokens
    except InvalidInput:
        return 0
