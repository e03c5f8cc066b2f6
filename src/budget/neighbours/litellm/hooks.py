"""Hooks: what LiteLLM calls before and after each try of a call, and what that does to the books.

Each try at a deployment is held before it is sent, and settled when it was answered, in the order
of LiteLLM 1.108:

    async_pre_call_hook                       the proxy alone, once for each request
    async_pre_call_deployment_hook            before each try, also of its SDK; raising stops it
    async_post_call_success_deployment_hook   a whole answer        } once for each try
    async_post_call_failure_deployment_hook   an error              }
    async_post_call_streaming_iterator_hook   the proxy alone: a stream while it is read
    async_log_success_event                   later: the end of a stream, an answer from the cache
    async_log_failure_event                   later: a stream that broke, a try stopped by others
    log_success_event                         a call that is not async: it could not be stopped

What none of these ends is booked at what it was granted when LiteLLM forgets the call. Not here:
what its dicts mean (`calls`), and what is held and booked (`sdk.tracking.core`).
"""

# ruff: noqa: ARG002 - which arguments there are is LiteLLM's to say

import dataclasses
import json
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Final

from budget.domain.errors import BudgetError, Forbidden
from budget.neighbours.litellm.calls import (
    CONTENT,
    KINDS,
    Kind,
    Words,
    attributes_of,
    call_of,
    granted,
    heard_of,
    hears_usage,
    is_free,
    is_usage_alone,
    priced_as,
    word_of,
)
from budget.neighbours.litellm.telling import problem_in
from budget.sdk.litellm import what_it_tells
from budget.sdk.tracking.core import Call, Passage, Tracker

Naming = Callable[[str, str | None], tuple[str, str]]
"""The model and the provider that a name of LiteLLM's means."""

NOT_RETRIED: Final = 402
"""LiteLLM's router neither tries again after this status, nor leaves the deployment alone."""

_log: Final = logging.getLogger("budget.litellm")


class Held:
    """One try on its way: of which request, by which kind of call."""

    def __init__(self, log: Any, kwargs: Words, word: str, passage: Passage) -> None:
        self.log = weakref.ref(log)
        self.call_id = kwargs.get("litellm_call_id")
        self.word = word
        self.model = kwargs.get("model")
        self.passage = passage
        self.hears_usage = hears_usage(kwargs)
        self._rest = b""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return not self.passage.closed

    def is_answered_by(self, word: str, kwargs: Words) -> bool:
        """Whether a new call within this one is what answers it: so LiteLLM does with Google's API
        for models that do not speak it, as if it were a call of its own.
        """
        model = str(kwargs.get("model") or "").rpartition("/")[2]
        asked = str(self.model or "").rpartition("/")[2]
        return self.is_open and self.word in CONTENT and word not in CONTENT and model == asked

    def hear(self, answer: Any) -> None:
        """Hear the answer, or a chunk of it: an object of LiteLLM, or events as they are sent."""
        try:
            for one in self._events(answer) if isinstance(answer, bytes | str) else (answer,):
                self.passage.hear(heard_of(one, self.passage.call.api))
        except Exception as error:  # noqa: BLE001 - LiteLLM's caller must have its answer
            _log.warning("an answer could not be read: %s", type(error).__name__)

    def _events(self, piece: bytes | str) -> Iterator[Any]:
        """The data of the events that have come to their end."""
        self._rest += piece.encode() if isinstance(piece, str) else piece
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
                yield json.loads(line[5:])


_HERE: ContextVar[Held | None] = ContextVar("budget_litellm_try", default=None)


class Hooks:
    """The callback. Of several event loops and threads; it keeps no call alive."""

    def __init__(self, tracker: Tracker, naming: Naming, *, unmetered: bool = False) -> None:
        super().__init__()
        self._tracker = tracker
        self._naming = naming
        self._unmetered = unmetered
        self._held: dict[int, Held] = {}

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: Any, call_type: Any
    ) -> None:
        """Refuse, in the proxy, what cannot be held for; the rest is held for at each try."""
        try:
            self._check_kind(word_of(call_type))
        except BudgetError as error:
            raise _answered(error) from None

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any] | None:
        """Hold for a try, and write the granted limit into it. What this raises stops the try."""
        word, log = word_of(call_type), kwargs.get("litellm_logging_obj")
        kind = self._check_kind(word)
        if kind is None or log is None:
            return None
        before = self._of(log)
        if before is not None and before.is_open:
            if before.word != word:
                return None  # LiteLLM answers a call of one kind by one of another: it is held for
            await before.passage.close_async(cut=True)
        outer = _HERE.get()
        if outer is not None and outer.is_answered_by(word, kwargs):
            await outer.passage.drop_async("answered by a call of another kind")
        passage = await self._place(kwargs, kind)
        held = Held(log, kwargs, word, passage)
        self._keep(log, held)
        _HERE.set(held)
        return {**kwargs, **granted(kwargs, kind, passage.max_output_tokens)}

    async def async_post_call_success_deployment_hook(
        self, request_data: Words, response: Any, call_type: Any
    ) -> None:
        """Settle a try that was answered in one piece."""
        held = self._of(request_data.get("litellm_logging_obj"))
        if held is not None and held.is_open and held.word == word_of(call_type):
            held.hear(response)
            await held.passage.close_async()

    async def async_post_call_failure_deployment_hook(
        self, request_data: Words, exception: BaseException, call_type: Any
    ) -> None:
        """Give back what a failed try held; what may be billed is booked."""
        held = self._of(request_data.get("litellm_logging_obj"))
        if held is not None and held.word == word_of(call_type):
            await held.passage.close_async(what_it_tells(exception))

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: Words
    ) -> AsyncIterator[Any]:
        """Listen to a stream of the proxy; one that is left is settled by what was sent of it."""
        log = request_data.get("litellm_logging_obj")
        held = self._of(log)
        try:
            async for chunk in response:
                held = self._of(log) or held
                if held is not None:
                    held.hear(chunk)
                    if not held.hears_usage and is_usage_alone(chunk):
                        continue
                yield chunk
        except Exception as error:
            if held is not None:
                await held.passage.close_async(what_it_tells(error), cut=True)
            raise
        except BaseException:  # the client has gone: nothing may be waited for
            if held is not None:
                held.passage.close_later(cut=True)
            raise

    async def async_log_success_event(
        self, kwargs: Words, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Settle a stream at its end; what came from LiteLLM's cache is given back."""
        held = self._told_of(kwargs)
        if held is None or not held.is_open:
            return
        if kwargs.get("cache_hit") is True:
            await held.passage.drop_async("answered from LiteLLM's cache")
            return
        if not held.passage.complete:
            held.hear(kwargs.get("async_complete_streaming_response") or response_obj)
        await held.passage.close_async()

    async def async_log_failure_event(
        self, kwargs: Words, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Settle a try that ended otherwise: it was stopped before it was sent, or it broke."""
        held, error = _HERE.get(), kwargs.get("exception")
        if held is None or held.call_id != kwargs.get("litellm_call_id"):
            return
        if held.is_open and isinstance(error, BaseException):
            await held.passage.close_async(what_it_tells(error))

    def log_success_event(
        self, kwargs: Words, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Book a call that is not async: LiteLLM lets no callback stop those."""
        kind = KINDS.get(word_of(kwargs.get("call_type")))
        if kind is None or kwargs.get("cache_hit") is True:
            return
        told = {**kwargs.get("optional_params", {}), **kwargs.get("litellm_params", {}), **kwargs}
        call, tracker = self._call(told, kind)
        passage = Passage(tracker, call, {"attributes": tracker.attributes}, None)
        held = Held(self, kwargs, "", passage)
        held.hear(kwargs.get("complete_streaming_response") or response_obj)
        passage.close()

    async def async_post_call_failure_hook(
        self,
        request_data: Any,
        original_exception: BaseException,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> Any:
        """The problem that the client of the proxy sees, where Budget stopped its call."""
        return _answered(original_exception)

    def _check_kind(self, word: str) -> Kind | None:
        """How a kind of call is held for; None: not at all. Forbidden if it may not go then."""
        kind = KINDS.get(word)
        if kind is not None or self._unmetered or is_free(word):
            return kind
        raise _stopping(
            Forbidden(
                f"Calls of the kind {word[:60]!r} cannot be held for; "
                "BUDGET_LITELLM_UNMETERED=on lets them pass unmetered."
            )
        )

    async def _place(self, kwargs: Words, kind: Kind) -> Passage:
        try:
            call, tracker = self._call(kwargs, kind)
            return await tracker.place_async(call)
        except BudgetError as error:
            raise _stopping(error) from None

    def _call(self, kwargs: Words, kind: Kind) -> tuple[Call, Tracker]:
        named, provider = self._naming(str(kwargs.get("model")), kwargs.get("custom_llm_provider"))
        call = call_of(kwargs, kind, priced_as(kwargs, named), provider)
        return call, dataclasses.replace(self._tracker, attributes=attributes_of(kwargs))

    def _keep(self, log: Any, held: Held) -> None:
        """Remember a try for as long as LiteLLM does; when it forgets it, it has ended."""
        self._held[id(log)] = held
        weakref.finalize(log, self._forget, id(log), held)

    def _forget(self, number: int, held: Held) -> None:
        held.passage.close_later(cut=True)
        if self._held.get(number) is held:
            self._held.pop(number, None)

    def _of(self, log: Any) -> Held | None:
        held = self._held.get(id(log))
        return held if held is not None and held.log() is log else None

    def _told_of(self, kwargs: Words) -> Held | None:
        """The try that an event tells of: that of this context, or the one with its own dict."""
        here, call_id = _HERE.get(), kwargs.get("litellm_call_id")
        if here is not None and here.call_id == call_id:
            return here
        # A list first: while it is looked at, the end of a call may take one away.
        alike = [one for one in list(self._held.values()) if one.call_id == call_id]
        own = [one for one in alike if getattr(one.log(), "model_call_details", None) is kwargs]
        alike = own or alike
        return alike[0] if len(alike) == 1 else None


def _answered(error: BaseException) -> Any:
    """What the proxy answers where Budget stopped a call; None if it did not."""
    problem = problem_in(error)
    if problem is None:
        return None
    refused = import_module("fastapi").HTTPException
    return refused(problem.status, detail=problem.told, headers=problem.headers)


def _stopping(error: BudgetError) -> BudgetError:
    """The error, marked so that LiteLLM's router takes it for none of the deployment."""
    setattr(error, "status_code", NOT_RETRIED)  # noqa: B010 - it is LiteLLM's word, not ours
    return error
