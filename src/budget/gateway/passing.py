"""Passing: one call on its way through: held, tried at one upstream or several, answered.

Not here: one try (`attempt`), what is asked for (`asking`), and requests that cost nothing or that
nobody knows (`beside`).
"""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from budget.domain.answers import Refusal
from budget.domain.attributes import MAX_VALUE_CHARS
from budget.domain.errors import BudgetError
from budget.engine.alerts.looping import telling
from budget.engine.job import Job
from budget.gateway.attempt import Attempt
from budget.gateway.call import Call
from budget.gateway.case import Case
from budget.gateway.degrading import hold
from budget.gateway.formats.format import Notice
from budget.gateway.held import Held
from budget.gateway.holding import log
from budget.gateway.loops import Asking, Loop
from budget.gateway.refusing import refusal_headers, refusal_notice
from budget.gateway.replying import Reply, Sending
from budget.gateway.retrying import May
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


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
    if not shop.loops.counts(session):
        return None
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
    case = Case(shop, call, upstream, since, sending)
    planned = case.planned(case.model)
    refusal = await case.enter_run(planned)
    if refusal is not None:
        return refusal
    taken = await hold(case, planned)
    if isinstance(taken, Refusal):
        return taken
    place, holding, told, plan = taken.admitted
    holding.ceiling_tokens = plan.ceiling_tokens
    renamed = taken.model if call.route.renamed or taken.model != case.model else None
    asked = call.asked_of(taken.model)
    return Held(asked, renamed, plan, place, holding, since, told, taken.labels)


async def _refuse(refusal: Refusal, upstream: Upstream, sending: Sending) -> None:
    notice = refusal_notice(refusal, sending.status_of_refusals)
    body = _encode(upstream.format.problem(notice))
    headers = tuple(refusal_headers(refusal, notice))
    await sending.reply(Reply(notice.status, body, headers))
