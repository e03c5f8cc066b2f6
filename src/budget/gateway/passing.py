"""Passing: one call on its way through: held, tried at one upstream or several, answered.

Not here: one try (`attempt`), what is asked for (`asking`), and requests that cost nothing or that
nobody knows (`beside`).
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from budget.domain.answers import Allocation, Refusal
from budget.engine.commands import Place
from budget.engine.job import Job
from budget.engine.jobs import Jobs
from budget.gateway.asking import plan_of
from budget.gateway.attempt import Attempt, Held
from budget.gateway.formats.format import Asked, Target
from budget.gateway.holding import Holding
from budget.gateway.incoming import Incoming, Words
from budget.gateway.refusing import refusal_headers, refusal_notice
from budget.gateway.replying import Reply, Sending
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.gateway.waiting import may_pass

QUICKLY_READ_BYTES: Final = 8 * 1024
"""Longer requests are estimated in a thread."""

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
    since = time.monotonic()
    upstreams = call.route.upstreams
    for number, upstream in enumerate(upstreams, 1):
        held = await _held(shop, call, upstream, since)
        if isinstance(held, Refusal):
            await _refuse(held, upstream, sending)
            return
        attempt = Attempt(shop, call.incoming, call.target, upstream, held, sending)
        if await attempt.run(may_fail=number < len(upstreams)):
            return


async def _held(shop: Shop, call: Call, upstream: Upstream, since: float) -> Held | Refusal:
    """The hold for one try.

    Where only other holds stand in its way it waits for those; a smaller one will do where there is
    no money for the whole.
    """
    body, caller, model = call.target.body, call.incoming.caller, call.route.model
    assert body is not None
    usual = shop.outputs.grant((caller.actor, upstream.provider, model or ""))
    asked = call.asked._replace(model=model)
    named = upstream.format.attributes(body)
    plan = plan_of(asked, body, call.words, named, upstream.provider, usual)
    jobs = Jobs(shop.budget.books, caller)
    job = await _prepared(jobs, plan.ask, len(call.incoming.body))

    async def ask() -> Allocation | Refusal:
        return await shop.budget.run(job)

    answer = await ask()
    if isinstance(answer, Refusal) and may_pass(answer):
        answer = await shop.room.wait(since, answer, ask)
    if isinstance(answer, Refusal) and plan.may_shrink:
        job = await _prepared(jobs, {**plan.ask, "fit": True}, len(call.incoming.body))
        answer = await ask()
        if isinstance(answer, Refusal) and may_pass(answer):
            answer = await shop.room.wait(since, answer, ask)
    if isinstance(answer, Refusal):
        return answer
    place = job.command
    assert isinstance(place, Place)
    renamed = model if call.route.renamed else None
    return Held(asked, renamed, plan, place, Holding(shop.budget, jobs, shop.tasks, answer), since)


async def _prepared(
    jobs: Jobs, ask: Mapping[str, Any], body_bytes: int
) -> Job[Allocation | Refusal]:
    """The job of placing a hold, its request estimated; in a thread where that takes a while."""
    job = jobs.allocate(**ask)
    if job.prepare is None:
        return job
    if body_bytes <= QUICKLY_READ_BYTES:
        return job.prepare()
    return await asyncio.to_thread(job.prepare)


async def _refuse(refusal: Refusal, upstream: Upstream, sending: Sending) -> None:
    notice = refusal_notice(refusal, sending.status_of_refusals)
    body = _encode(upstream.format.problem(notice))
    headers = tuple(refusal_headers(refusal, notice))
    await sending.reply(Reply(notice.status, body, headers))
