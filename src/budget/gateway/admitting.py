"""Admitting: the hold that a call needs to go, or the refusal.

A call waits where older ones do, or where only open holds stand in its way; a smaller hold will do
where there is no money for the whole. Not here: what is asked for (`asking`), how much where no
limit is set (`capping`), and who waits for whom (`waiting`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from budget.domain.answers import Allocation, Refusal
from budget.engine.budget import AsyncBudget
from budget.engine.commands import Place
from budget.engine.job import Job
from budget.engine.jobs import Jobs
from budget.gateway.asking import Plan
from budget.gateway.capping import Usual, is_limited, unspent_tokens
from budget.gateway.holding import Holding
from budget.gateway.metering import doubt_tokens
from budget.gateway.replying import Sending
from budget.gateway.shop import Shop
from budget.gateway.waiting import Key, keys_of, keys_of_refusal, may_pass
from budget.prices.exact_tokens import is_exact

QUICKLY_READ_BYTES: Final = 8 * 1024
"""Longer requests are estimated in a thread."""


class Admitted(NamedTuple):
    """A call that may go. `told_tokens` is the most that its answers together may have, where its
    caller sets no limit and money is short.
    """

    place: Place
    holding: Holding
    told_tokens: int | None


async def admit(
    shop: Shop,
    jobs: Jobs,
    plan: Plan,
    usual: Usual,
    since: float,
    body_bytes: int,
    sending: Sending,
) -> Admitted | Refusal:
    """The hold of a call that began at `since`, with a grant as its plan and what is usual say."""
    ask = _wide(shop, plan, usual)
    job = _as(await _prepared(jobs, ask, body_bytes), tentative=True)
    place = _place_of(job)
    answer = await answered(shop, job, since, sending)
    if isinstance(answer, Refusal) and plan.may_shrink and not sending.is_gone:
        small = {name: value for name, value in ask.items() if name != "min_output_tokens"}
        job = _as(await _prepared(jobs, {**small, "fit": True}, body_bytes), tentative=True)
        place = _place_of(job)
        answer = await answered(shop, job, since, sending)
    if isinstance(answer, Refusal):
        answer = await shop.budget.run(_as(job, tentative=False))  # the last word, which counts
    if isinstance(answer, Refusal):
        return answer
    holding = Holding(shop.budget, jobs, shop.tasks, answer)
    if plan.most_tokens is not None or not is_limited(answer):
        return Admitted(place, holding, None)
    return Admitted(place, holding, await _told(shop, plan, usual, place, holding))


def _wide(shop: Shop, plan: Plan, usual: Usual) -> Mapping[str, Any]:
    """The plan's ask; where money was short lately, for more than usual, if that is there."""
    name = _name_of(plan)
    if plan.most_tokens is not None:
        return plan.ask
    unspent = shop.unspent.of(name)
    if shop.unspent.is_known(name) and not usual.is_short(unspent, 0):
        return plan.ask
    wanted = usual.wanted(unspent) * plan.answers
    if wanted <= plan.ask["max_output_tokens"]:
        return plan.ask
    least = plan.ask["max_output_tokens"]
    return {**plan.ask, "max_output_tokens": wanted, "fit": True, "min_output_tokens": least}


async def _told(shop: Shop, plan: Plan, usual: Usual, place: Place, holding: Holding) -> int | None:
    """What to tell the upstream; None: no limit is needed, or taken. It is held, and so much more
    that it shows in time if the upstream writes on.
    """
    legs = holding.allocation.legs
    unspent = unspent_tokens(legs, place.rates, place.input_tokens or 0)
    shop.unspent.saw(_name_of(plan), unspent)
    if not usual.is_short(unspent, shop.room.under_way(keys_of(legs))):
        return None
    more = usual.wanted(unspent) * plan.answers - holding.granted_tokens
    if more > 0 and holding.granted_tokens == plan.ask["max_output_tokens"]:
        await holding.extend(more)  # it was not known that money is short; or there is no more
    granted = holding.granted_tokens
    if not usual.can_be_told(granted // plan.answers):
        return None
    exact = is_exact(plan.ask["provider"], plan.ask["model"] or "")
    return max(1, granted - doubt_tokens(granted, is_exact=exact))


def _name_of(plan: Plan) -> tuple[str, str]:
    return plan.ask["provider"], plan.ask["model"] or ""


async def answered(
    shop: Shop, job: Job[Allocation | Refusal], since: float, sending: Sending
) -> Allocation | Refusal:
    """The answer of the books, when it is this call's turn."""
    room = shop.room

    async def ask() -> Allocation | Refusal:
        return await shop.budget.run(job)

    refusal: Refusal | None = None
    keys = _keys_of(shop.budget, _place_of(job)) if room.waiting else frozenset()
    if not room.is_before(since, keys):
        answer = await ask()
        if not isinstance(answer, Refusal) or not may_pass(answer):
            return answer
        refusal, keys = answer, keys_of_refusal(answer)
    return await room.wait(since, keys, ask, refusal, when_gone=sending.when_gone)


def _keys_of(budget: AsyncBudget, place: Place) -> frozenset[Key]:
    """The balances with a hard limit that a call meets."""
    match = budget.books.ledger.catalogue.match(place.attributes)
    return frozenset(
        (policy.policy_id, partition)
        for policy, partition in match.policies
        if policy.enforcement == "hard_limit"
    )


def _as(job: Job[Allocation | Refusal], *, tentative: bool) -> Job[Allocation | Refusal]:
    """The same job, whose refusal counts or does not."""
    command = msgspec.structs.replace(_place_of(job), tentative=tentative)
    return Job(command=command, finish=job.finish)


def _place_of(job: Job[Allocation | Refusal]) -> Place:
    assert isinstance(job.command, Place)
    return job.command


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
