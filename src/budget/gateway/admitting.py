"""Admitting: the hold that a call needs to go, or the refusal.

A call waits where older ones do, or where only open holds stand in its way; a smaller hold will do
where there is no money for the whole. Not here: what is asked for (`asking`), how much where no
limit is set (`capping`), and who waits for whom (`waiting`).
"""

import asyncio
import time
from typing import Any, Final, NamedTuple

import msgspec

from budget.domain.allocations import DEFAULT_MIN_OUTPUT_TOKENS
from budget.domain.answers import Allocation, Refusal
from budget.engine.budget import AsyncBudget
from budget.engine.commands import Place
from budget.engine.job import Job
from budget.engine.jobs import Jobs
from budget.gateway.asking import Plan
from budget.gateway.capping import Usual, is_limited, unspent_of
from budget.gateway.holding import Holding
from budget.gateway.metering import doubt_tokens
from budget.gateway.replying import Sending
from budget.gateway.shop import Shop
from budget.gateway.waiting import Key, keys_of_refusal, keys_within
from budget.prices.exact_tokens import is_exact, is_ready, load

MOST_LOOKED_FOR: Final = 2_000_000
"""More output tokens than calls that are under way at once are likely to write."""
QUICKLY_READ_BYTES: Final = 8 * 1024
"""Longer requests are estimated in a thread."""


Placing = Job[Allocation | Refusal]


class Admitted(NamedTuple):
    """A call that may go, as it was planned. `told_tokens` is the most that its answers together
    may have, where its caller sets no limit and money is short.
    """

    place: Place
    holding: Holding
    told_tokens: int | None
    plan: Plan


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
    job = await prepared(jobs, plan, body_bytes)
    keys = _keys_of(shop.budget, _place_of(job))
    shop.room.comes(keys)
    try:
        if plan.most_tokens is None and keys:
            job = await _wide(shop, plan, usual, job, keys)
        if plan.is_step:
            answer = await shop.budget.run(job)
        else:
            answer = await answered(shop, job, since, sending)
        final = isinstance(answer, Refusal) and not _goes_on(plan, answer)
        if final and plan.may_shrink and not sending.is_gone:
            job = _as(job, fit=True, min_output_tokens=DEFAULT_MIN_OUTPUT_TOKENS)
            answer = await answered(shop, job, since, sending)
        if final and isinstance(answer, Refusal) and not sending.is_gone:
            job = _as(job, tentative=False)
            answer = await shop.budget.run(job)  # the last word, which counts
    finally:
        shop.room.came(keys)
    if isinstance(answer, Refusal):
        return answer
    place = _place_of(job)
    holding = Holding(shop.budget, jobs, shop.tasks, answer)
    if plan.most_tokens is not None or not is_limited(answer):
        return Admitted(place, holding, None, plan)
    try:
        told = await _told(shop, plan, usual, place, holding, keys)
        return Admitted(place, holding, told, plan)
    except BaseException:  # the hold must not stay when nothing is sent
        shop.tasks.start(holding.release("nothing was sent"))
        raise


def _goes_on(plan: Plan, refusal: Refusal) -> bool:
    """Whether a ladder is walked, or walked on."""
    climbs = plan.way is not None and plan.way.at_soft == "yield"
    return plan.is_step or (climbs and refusal.ladder is not None)


async def _wide(
    shop: Shop, plan: Plan, usual: Usual, job: Placing, keys: frozenset[Key]
) -> Placing:
    """The same; where money is short, for as much more or less than usual as makes a good limit."""
    place = _place_of(job)
    name = (keys, place.provider, place.model)
    if place.parent_id is not None:
        shop.unspent.saw(name, await _unheld(shop, job))
    elif not shop.unspent.is_known(name):
        found = await shop.budget.run(_as(job, dry=True))
        if not isinstance(found, Refusal):
            shop.unspent.saw(name, unspent_of(found.legs, place))
    unspent = shop.unspent.of(name)
    calls = shop.room.present(keys)
    if not usual.is_short(unspent, calls):
        return job
    wanted, least = usual.wanted(unspent, calls) * plan.answers, usual.least * plan.answers
    if plan.ceiling_tokens is not None:
        wanted = min(wanted, plan.ceiling_tokens)
    return _as(job, max_output_tokens=wanted, min_output_tokens=min(wanted, least), fit=True)


async def _unheld(shop: Shop, job: Placing) -> int:
    """For how many output tokens there is room now, in the envelope that a call draws on too."""
    most = _as(job, dry=True, fit=True, max_output_tokens=MOST_LOOKED_FOR, min_output_tokens=0)
    found: Any = await shop.budget.run(most)
    return 0 if isinstance(found, Refusal) else found.granted_output_tokens or 0


async def _told(
    shop: Shop, plan: Plan, usual: Usual, place: Place, holding: Holding, keys: frozenset[Key]
) -> int | None:
    """What to tell the upstream; None: no limit is needed, or taken. It is held, and so much more
    that it shows in time if the upstream writes on.
    """
    name = (keys, place.provider, place.model)
    if place.parent_id is None:
        shop.unspent.saw(name, unspent_of(holding.allocation.legs, place))
    unspent = shop.unspent.of(name)
    calls = shop.room.present(keys)
    if not usual.is_short(unspent, calls):
        return None
    more = usual.wanted(unspent, calls) * plan.answers - holding.granted_tokens
    if more > 0 and not place.fit:
        await holding.extend(more)  # it was not known that money is short; or there is no more
    granted = holding.granted_tokens
    if not usual.can_be_told(granted // plan.answers):
        return None
    exact = is_exact(place.provider or "", place.model or "")
    return max(1, granted - doubt_tokens(granted, is_exact=exact))


async def answered(
    shop: Shop, job: Placing, since: float, sending: Sending
) -> Allocation | Refusal:
    """The answer of the books, when it is this call's turn."""
    room, run = shop.room, shop.budget.run
    refusal: Refusal | None = None
    keys: frozenset[Key] = _keys_of(shop.budget, _place_of(job)) if room.waiting else frozenset()
    if not room.is_before(since, keys):
        answer = await run(job)
        if not isinstance(answer, Refusal) or not room.may_pass(answer):
            return answer
        refusal, keys = answer, keys_of_refusal(answer)
    return await room.wait(
        since, keys, lambda: run(job), refusal,
        waited_seconds=time.monotonic() - since, when_gone=sending.when_gone,
    )  # fmt: skip


def _keys_of(budget: AsyncBudget, place: Place) -> frozenset[Key]:
    """The balances with a hard limit that a call meets, and the envelope that it draws on."""
    hard = budget.books.ledger.catalogue.match(place.attributes).hard
    return hard if place.parent_id is None else hard | keys_within(place.parent_id)


def _as(job: Placing, **changes: Any) -> Placing:
    """The same job with changes of its command: nothing is estimated again."""
    return Job(command=msgspec.structs.replace(_place_of(job), **changes), finish=job.finish)


def _place_of(job: Placing) -> Place:
    assert isinstance(job.command, Place)
    return job.command


async def prepared(jobs: Jobs, plan: Plan, body_bytes: int) -> Placing:
    """The job of placing a hold, its request estimated; in a thread where that takes a while."""
    ask, way = plan.ask, plan.way
    if body_bytes <= QUICKLY_READ_BYTES:
        named = ask["provider"], ask["model"] or ""
        if not is_ready(*named):
            await asyncio.to_thread(load, *named)
        return jobs.placing(ask, tentative=True, way=way)
    return await asyncio.to_thread(jobs.placing, ask, tentative=True, way=way)
