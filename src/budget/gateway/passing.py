"""Passing: one call on its way through: held, tried at one upstream or several, answered.

Not here: one try (`attempt`), what is asked for (`asking`), and requests that cost nothing or that
nobody knows (`beside`).
"""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from budget.domain.answers import Refusal
from budget.domain.attributes import MAX_VALUE_CHARS
from budget.domain.errors import BudgetError
from budget.engine.alerts.looping import telling
from budget.engine.job import Job
from budget.engine.jobs import Jobs
from budget.gateway.admitting import admit, answered, looked_at
from budget.gateway.asking import plan_of
from budget.gateway.attempt import Attempt, Held
from budget.gateway.ceilings import below
from budget.gateway.degrading import Case, Granted, Planned, hold
from budget.gateway.formats.format import Asked, Notice, Target
from budget.gateway.holding import log
from budget.gateway.incoming import Incoming, Words
from budget.gateway.loops import Asking, Loop
from budget.gateway.needing import needs_of
from budget.gateway.refusing import refusal_headers, refusal_notice
from budget.gateway.remembering import remember
from budget.gateway.replying import Reply, Sending
from budget.gateway.retrying import May
from budget.gateway.runs import drawing
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.gateway.works import notes

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class Route(NamedTuple):
    """Where a call goes: the upstreams to try, in their order, and the model's name there."""

    upstreams: tuple[Upstream, ...]
    model: str | None
    renamed: bool


class Call(NamedTuple):
    """A call to a model, as it came. `target.body` is there."""

    incoming: Incoming
    target: Target
    asked: Asked
    route: Route
    words: Words


async def pass_on(shop: Shop, call: Call, sending: Sending) -> None:
    """Answer a call, however that ends. InvalidInput for what is wrong with it."""
    loop = _looping(shop, call)
    if loop is not None:
        await _stop(call.route.upstreams[0], loop, sending)
        return
    since = time.monotonic()
    upstreams, breakers = call.route.upstreams, shop.breakers
    for number, upstream in enumerate(upstreams, 1):
        retries = upstream.retries
        while breakers.may(upstream.name):
            held = await _held(shop, call, upstream, since, sending)
            if isinstance(held, Refusal):
                await _refuse(held, upstream, sending)
                return
            others = any(not breakers.left_out_seconds(one.name) for one in upstreams[number:])
            attempt = Attempt(shop, call.incoming, call.target, upstream, held, sending)
            failure = await attempt.run(May(again=retries > 0, elsewhere=others))
            if failure is None or sending.is_gone:
                return
            if not failure.again or not retries:
                break
            retries -= 1
            await asyncio.sleep(failure.wait_seconds)
    await _left_out(shop, upstreams, sending)


def _looping(shop: Shop, call: Call) -> Loop | None:
    """The loop that a call would go on with, of which people are told."""
    incoming, body = call.incoming, call.target.body
    assert body is not None
    named = call.route.upstreams[0].format.attributes(body)
    session = call.words.attributes.get("session") or named.get("session")
    path = f"{incoming.path}?{incoming.sent_query()}"
    asking = Asking(incoming.caller.actor, session, path, incoming.body, body)
    loop = shop.loops.counted(asking)
    if loop is not None and loop.is_new:
        actor = incoming.caller.actor
        subject = f"key:{actor}" if session is None else f"session:{session[:MAX_VALUE_CHARS]}"
        detail = {"what": loop.what, "calls": loop.calls, "key": actor}
        shop.tasks.start(_tell(shop, subject, detail))
    return loop


async def _tell(shop: Shop, subject: str, detail: Mapping[str, object]) -> None:
    try:
        await shop.budget.run(Job(change=telling(subject, detail)))
    except BudgetError as error:
        log.error("no alert of a loop of %s: %s", subject, error)


async def _stop(upstream: Upstream, loop: Loop, sending: Sending) -> None:
    """Answer a call that goes on with a loop, so that no client sends it again by itself."""
    retry = loop.retry_after_seconds
    notice = Notice(429, "loop_stopped", loop.detail, {"retry_after_seconds": retry})
    body = _encode(upstream.format.problem(notice))
    headers = (
        (b"content-type", b"application/json"),
        (b"retry-after", str(retry).encode()),
        (b"x-should-retry", b"false"),
    )
    await sending.reply(Reply(notice.status, body, headers))


async def _left_out(shop: Shop, upstreams: tuple[Upstream, ...], sending: Sending) -> None:
    """Say that nobody can be called just now, and when somebody can."""
    seconds = min(shop.breakers.left_out_seconds(one.name) for one in upstreams)
    names = ", ".join(one.name for one in upstreams)
    notice = Notice(
        503,
        "upstream_left_out",
        f"{names}: failed again and again, and is left alone for a while; nothing was sent.",
    )
    body = _encode(upstreams[0].format.problem(notice))
    retry = str(max(1, math.ceil(seconds))).encode()
    headers = ((b"content-type", b"application/json"), (b"retry-after", retry))
    await sending.reply(Reply(notice.status, body, headers))


async def _held(
    shop: Shop, call: Call, upstream: Upstream, since: float, sending: Sending
) -> Held | Refusal:
    """The hold for one try."""
    body, caller, model = call.target.body, call.incoming.caller, call.route.model
    assert body is not None
    body_bytes, books = len(call.incoming.body), shop.budget.books
    jobs = Jobs(books, caller)
    planned = _planned(shop, call, upstream, model)
    envelope_id = await shop.runs.envelope_of(
        shop.budget, jobs, planned.plan.ask["attributes"], call.words,
        lambda job: answered(shop, job, since, sending),
    )  # fmt: skip
    if isinstance(envelope_id, Refusal):
        return envelope_id
    max_usd_nanos = None if envelope_id is not None else call.words.max_usd_nanos

    async def granted(asks: Planned) -> Granted | Refusal:
        plan = asks.plan.drawing_on(envelope_id)
        if max_usd_nanos is not None:
            place = await looked_at(jobs, plan, body_bytes)
            lower = below(plan, place, max_usd_nanos, asks.usual.most, books.database.now_us())
            if isinstance(lower, Refusal):
                return lower
            plan = lower
        admitting = admit(shop, jobs, plan, asks.usual, since, body_bytes, sending)
        admitted = await drawing(envelope_id, admitting, books.database.now_us())
        return admitted if isinstance(admitted, Refusal) else Granted(admitted, plan)

    case = Case(
        jobs, shop.room, upstream.provider, model, body_bytes, sending, call.words, granted,
        lambda other: _planned(shop, call, upstream, other),
        lambda: needs_of(call.asked.api, body),
    )  # fmt: skip
    taken = await hold(case, planned)
    if isinstance(taken, Refusal):
        return taken
    (place, holding, told), plan = taken.granted
    holding.ceiling_tokens = plan.ceiling_tokens
    renamed = taken.model if call.route.renamed or taken.model != model else None
    asked = call.asked._replace(model=taken.model)
    return Held(asked, renamed, plan, place, holding, since, told, taken.labels)


def _planned(shop: Shop, call: Call, upstream: Upstream, model: str | None) -> Planned:
    """What the call asks of the books if it goes to a model."""
    body, caller = call.target.body, call.incoming.caller
    assert body is not None
    name = (caller.actor, upstream.provider, model or "")
    most = shop.budget.books.prices.capabilities(upstream.provider, model or "").max_output_tokens
    if shop.outputs.is_new(name):
        shop.tasks.start(remember(shop.outputs, shop.budget.books.database, name))
    usual = shop.outputs.usual(name, most)
    asked = call.asked._replace(model=model)
    named = upstream.format.attributes(body)
    plan = plan_of(asked, body, call.words, named, upstream.provider, usual.tokens, caller.bound)
    if asked.later:
        plan = plan.noting(notes(asked.api, upstream, own_key=call.incoming.own_key))
    if not shop.outputs.keeps_to_limits(upstream.provider, model or ""):
        plan = plan.holding_at_least(usual.tokens)
    books = shop.budget.books
    if asked.most is not None:
        rates = books.prices.lookup(upstream.provider, model or "", books.database.now_us())
        plan = plan.in_units_of(rates)
    return Planned(plan, usual)


async def _refuse(refusal: Refusal, upstream: Upstream, sending: Sending) -> None:
    notice = refusal_notice(refusal, sending.status_of_refusals)
    body = _encode(upstream.format.problem(notice))
    headers = tuple(refusal_headers(refusal, notice))
    await sending.reply(Reply(notice.status, body, headers))
