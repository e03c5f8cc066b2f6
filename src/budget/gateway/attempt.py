"""Attempt: one try to have a call answered by one upstream, with a hold of its own.

It is sent, metered while its answer comes, cut where the money ends, and settled once, before its
answer ends. Not here: how the hold grows (`growing`), and what is booked (`using`).
"""

import asyncio
import contextlib
from typing import Final

import msgspec

from budget.domain.answers import Receipt, Refusal
from budget.domain.errors import BudgetError
from budget.domain.responses import Stream
from budget.domain.responses.words import texts_of
from budget.gateway.addressing import address_of
from budget.gateway.formats.format import Body, Changes, Target, Transcript
from budget.gateway.formats.frames import object_of
from budget.gateway.formats.speaking import as_it_comes
from budget.gateway.growing import Growth
from budget.gateway.hearing import Hearing
from budget.gateway.held import Held
from budget.gateway.incoming import Incoming
from budget.gateway.labels import Header, comment_of, labels_of, without_type
from budget.gateway.later import is_under_way
from budget.gateway.marks import unmarked
from budget.gateway.metering import Meter
from budget.gateway.refusing import Beyond, cut_notice, failure_notice
from budget.gateway.replying import Reply, Sending
from budget.gateway.retrying import FAILING, Failure, May, after_error, after_nothing
from budget.gateway.sending import Answer, Failed
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.gateway.using import (
    End,
    Expected,
    Used,
    bounded,
    learn,
    likely_input,
    told_by_provider,
    used,
)
from budget.gateway.waiting import keys_of, keys_within
from budget.gateway.works import begun
from budget.gateway.writing import sent_body

DRAIN_SECONDS: Final = 5.0
"""How long an answer is read on for its figures when its caller has gone."""
_JSON: Final[Header] = (b"content-type", b"application/json")
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class Attempt:
    """One try. `run` is called once."""

    def __init__(
        self,
        shop: Shop,
        incoming: Incoming,
        target: Target,
        upstream: Upstream,
        held: Held,
        sending: Sending,
    ) -> None:
        self._shop = shop
        self._incoming = incoming
        self._target = target
        self._upstream = upstream
        self._format = upstream.format
        self._held = held
        self._holding = held.holding
        self._sending = sending
        self._is_sent = False
        allocation = held.holding.allocation
        self._keys = keys_of(allocation.legs) | keys_within(allocation.parent_id)
        self._limited = held.is_limited
        model = held.asked.model or ""
        self._name = (incoming.caller.actor, upstream.provider, model)
        self._stream = Stream(upstream.provider, held.asked.api)
        self._meter = Meter(upstream.provider, model)
        self._growth: Growth | None = None
        self._task: asyncio.Task[object] | None = None
        """What runs it, until it ends."""
        self._has_left = False

    async def run(self, may: May) -> Failure | None:
        """Answer the caller; the failure, with nothing sent and the hold ended, if it should be
        followed by another try that it may be followed by.
        """
        room = self._shop.room
        room.entered(id(self), self._held.since, self._keys)
        self._task = task = asyncio.current_task()
        self._sending.when_gone(self._hurry)
        try:
            return await self._answered(may)
        except asyncio.CancelledError:
            if self._has_left and task is not None and not task.uncancel():
                await self._settle("left")
                return None
            self._shop.tasks.start(self._settle("left"))
            raise
        except Exception:  # none is foreseen; the hold must not stay
            await self._abandoned()
            raise
        finally:
            self._task = None
            if self._growth is not None:
                self._growth.stop()
            room.left(id(self), self._keys)

    def _hurry(self) -> None:
        """The caller has gone: the rest of the answer is read on for its figures, a while."""
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._leave)

    def _leave(self) -> None:
        if self._task is not None:
            self._has_left = True
            self._task.cancel()

    async def _answered(self, may: May) -> Failure | None:
        breakers, name = self._shop.breakers, self._upstream.name
        if self._sending.is_gone:
            await self._abandoned()
            return None
        try:
            answer = await self._sent(self._held.changes(limited=self._limited))
        except Failed as error:
            breakers.failed(name)
            return await self._failed(error, self._left(may))
        (breakers.failed if answer.status in FAILING else breakers.worked)(name)
        try:
            if answer.status >= 300:
                return await self._error(answer, self._left(may))
            if self._is_streamed(answer):
                await self._streamed(answer)
            else:
                await self._in_one_piece(answer)
        finally:
            answer.close()
        return None

    def _left(self, may: May) -> May:
        """What may follow now that the try has failed: nothing at an upstream that is left out."""
        left_out = self._shop.breakers.left_out_seconds(self._upstream.name) > 0
        return may._replace(again=False) if left_out else may

    def _is_streamed(self, answer: Answer) -> bool:
        asked = self._held.asked
        if not asked.can_stream and not asked.streams:
            return False
        in_array = asked.framing == "array" and asked.streams
        return in_array or "application/json" not in answer.header("content-type").lower()

    # --- The request -----------------------------------------------------------------------------

    async def _sent(self, changes: Changes) -> Answer:
        body, asked = self._target.body or {}, self._held.asked
        written = self._format.written(asked, body, changes)
        content_type = self._incoming.headers.get(b"content-type", b"")
        raw = sent_body(self._incoming.body, body, written, content_type)
        headers = self._incoming.sent_headers(self._format.key_header, self._upstream.api_key)
        path = self._format.path(self._target, asked, changes)
        url = address_of(self._upstream.base_url, path)
        self._is_sent = True
        return await self._shop.sender.send(
            self._incoming.method, url, headers, raw, self._upstream.silence_seconds
        )

    # --- The answer ------------------------------------------------------------------------------

    async def _in_one_piece(self, answer: Answer) -> None:
        try:
            raw = await answer.whole()
        except Failed as error:
            await self._broken(error, relayed=False)
            return
        body = object_of(raw)
        if body is not None:
            self._stream.take(body)
            self._meter.hear(texts_of(body))
        work = body if self._held.asked.later else None
        if work is not None:
            raw = _encode(unmarked(work))
        receipt = None
        if work is not None and is_under_way(work):
            shop, allocation = self._shop, self._holding.allocation
            await begun(shop.budget, shop.works, allocation, str(work.get("id")))
        else:
            receipt = await self._ended(body)
        headers = (*answer.headers, *self._labels(receipt))
        if body is not None and self._format.shown is not None and not self._is_error(body):
            raw, kind = self._format.shown(self._target, self._held.asked, body)
            headers = (*without_type(headers), (b"content-type", kind))
        await self._sending.reply(Reply(answer.status, raw, headers))

    def _is_error(self, said: Body) -> bool:
        is_error = self._format.is_error
        return is_error is not None and is_error(said)

    async def _ended(self, said: Body | None) -> Receipt | None:
        """Book what the answer used: nothing, if it is an error after all."""
        if said is not None and self._is_error(said):
            await self._holding.release("the upstream answered with an error")
            return None
        return await self._settle("done")

    async def _streamed(self, answer: Answer) -> None:
        """Read a stream; pass it on as it comes, or put it together for who wants it whole."""
        asked, headers = as_it_comes(self._held.asked, self._target.body, answer.headers)
        hearing = Hearing(self._format, self._target, asked, self._stream, self._meter)
        if asked.streams:
            await self._sending.start(answer.status, (*headers, *self._labels(None)))
        try:
            why = await self._relayed(answer, hearing)
        except Failed as error:
            await self._broken(error, asked.streams)
            return
        answer.close()
        if why is not None:
            await self._cut(why, hearing.transcript)
            return
        tail = hearing.rest()
        has_errors = self._format.is_error is not None
        receipt = await self._ended(hearing.transcript.whole() if has_errors else None)
        if asked.streams:
            await self._sending.end(self._told(receipt) + tail)
            return
        headers = (*without_type(headers), _JSON, *self._labels(receipt))
        body = _encode(hearing.transcript.whole())
        await self._sending.reply(Reply(answer.status, body, headers))

    async def _relayed(self, answer: Answer, hearing: Hearing) -> Refusal | Beyond | None:
        """Pass on all but what ends the stream; or why the rest must not come."""
        growth = self._growth = self._growing() if self._limited else None
        async for piece in answer.pieces():
            out = hearing.take(piece)
            if out:
                await self._sending.more(out)
            if growth is not None and not hearing.ended and not growth.is_safe():
                why = await self._uncovered(growth)
                if why is not None:
                    return why
        return None

    def _growing(self) -> Growth:
        held, shop = self._held, self._shop
        keeps = shop.outputs.keeps_to_limits(self._upstream.provider, held.asked.model or "")
        return Growth(
            self._holding, self._meter, shop.room, shop.tasks, held.since,
            told_tokens=held.allowed_tokens() if keeps else None,
        )  # fmt: skip

    async def _uncovered(self, growth: Growth) -> Refusal | Beyond | None:
        """Why no more may come: it is not held for, or is more than the caller allowed."""
        most = self._held.plan.most_tokens
        if most is not None and self._meter.is_exact and self._meter.is_over(most):
            return Beyond(most)
        try:
            return await growth.cover()
        except BudgetError as error:
            if growth.has_room_yet():
                return None
            raise Failed("booking", error.detail) from error

    async def _cut(self, why: Refusal | Beyond, transcript: Transcript) -> None:
        """End the answer here, in the provider's own way."""
        notice = cut_notice(why, self._sending.status_of_refusals, self._meter.likely())
        receipt = await self._settle("cut")
        if self._held.asked.streams:
            await self._sending.end(self._told(receipt) + transcript.ending(notice))
            return
        headers = (_JSON, *self._labels(receipt))
        await self._sending.reply(Reply(200, _encode(transcript.cut_short(notice)), headers))

    # --- What goes wrong -------------------------------------------------------------------------

    async def _error(self, answer: Answer, may: May) -> Failure | None:
        """The upstream answers with an error, which providers do not bill."""
        raw = b""
        with contextlib.suppress(Failed):
            raw = self._upstream.hidden(await answer.whole())
        body = object_of(raw)
        if body is not None:
            self._stream.take(body)
        if self._stream.told().usage is not None:
            await self._settle("done")
        else:
            await self._holding.release(f"the upstream answered {answer.status}")
        failure = after_error(answer, may)
        if failure is not None:
            return failure
        await self._sending.reply(Reply(answer.status, raw, (*answer.headers, *self._labels(None))))
        return None

    async def _failed(self, error: Failed, may: May) -> Failure | None:
        """No answer came."""
        if error.phase == "connecting":
            await self._holding.release(error.detail)
        else:
            await self._settle("timed_out" if error.timed_out else "no_answer")
        failure = after_nothing(error, may)
        if failure is not None:
            return failure
        await self._problem(error)
        return None

    async def _abandoned(self) -> None:
        """Nobody waits for it, or knows what to do: give back or book what there is to."""
        if self._is_sent:
            await self._settle("broken")
        else:
            await self._holding.release("the request was not sent")

    async def _broken(self, error: Failed, relayed: bool) -> None:
        """The answer broke off in the middle."""
        await self._settle("timed_out" if error.timed_out else "broken")
        if relayed and self._held.asked.is_sound:
            return  # no word of ours is sound: the connection is closed
        if relayed:
            notice = failure_notice(error, self._upstream.name)
            await self._sending.end(self._format.broken(self._held.asked, notice))
        else:
            await self._problem(error)

    async def _problem(self, error: Failed) -> None:
        notice = failure_notice(error, self._upstream.name)
        body = _encode(self._format.problem(notice))
        await self._sending.reply(Reply(notice.status, body, (_JSON, *self._labels(None))))

    # --- The books -------------------------------------------------------------------------------

    async def _settle(self, end: End) -> Receipt | None:
        told, held = self._stream.told(), self._held
        found = told_by_provider(told, end)
        if held.asked.most is not None:
            found = found or bounded(told, end, held.place)
        else:
            found = found or used(told, self._meter, end, self._expected(), self._shop.ratios)
            self._learn(found)
        return await self._holding.settle(found.ask(self._upstream.provider, held.asked.model))

    def _expected(self) -> Expected:
        """What such a call uses, as far as nobody tells."""
        held, shop = self._held, self._shop
        return Expected(
            likely_input(shop.ratios, self._meter, held.place.input_tokens or 0),
            self._holding.granted_tokens,
            shop.outputs.grant(self._name) * held.plan.answers,
        )

    def _learn(self, found: Used) -> None:
        held, shop = self._held, self._shop
        learn(shop.ratios, found.told, self._meter, held.place.input_tokens or 0)
        if found.end not in ("done", "cut") or (found.source != "provider" and found.end == "done"):
            return
        shop.outputs.heard(
            self._name, found.usage.output_tokens, held.plan.answers,
            own_limit=held.plan.most_tokens, our_limit=held.told_tokens,
        )  # fmt: skip

    def _told(self, receipt: Receipt | None) -> bytes:
        """What is told in a stream before its end, to who asked for that."""
        if not self._incoming.wants_events or not self._held.asked.has_comments:
            return b""
        return comment_of(self._labels(receipt))

    def _labels(self, receipt: Receipt | None) -> list[Header]:
        return labels_of(self._holding.allocation, receipt) + list(self._held.labels)
