"""Degrading: what is done with a call before it is refused, as the ladder of a budget says.

Where a hard limit refuses a call, or a soft limit is past its action threshold, the ladder of that
budget is walked. Each step is asked of the books anew, against the same limits, and what was done
is told by a header and by an event. Not here: what a ladder is (`domain.ladders`), which limit
calls for it (`engine.acts`), and what a call needs of a model (`needing`).
"""

import asyncio
import time
from typing import Any, Final, NamedTuple

from budget.domain.allocations import DEFAULT_MIN_OUTPUT_TOKENS
from budget.domain.answers import BalanceView, Refusal
from budget.domain.budgets import BPS
from budget.domain.ladders import Ladder
from budget.domain.pricing import Rates, hold_nanos, unpriced_units
from budget.engine.commands import Place, Way
from budget.gateway.admitting import Admitted
from budget.gateway.asking import REFUSE
from budget.gateway.case import Case, Planned
from budget.gateway.labels import Header, label
from budget.gateway.replying import Sending
from budget.prices.capabilities import fits
from budget.prices.cheaper import cheaper_models

QUEUE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.5
"""How often who queues looks whether holds have returned."""
SOFT_SHARE: Final = 2
"""Past a soft limit, `cheaper` means at most this part of the price, `smaller` of the output."""

_US: Final = 1_000_000


class Taken(NamedTuple):
    """A call that may go to this model, and what its caller is told."""

    admitted: Admitted
    model: str | None
    labels: tuple[Header, ...] = ()


async def hold(case: Case, planned: Planned) -> Taken | Refusal:
    """The hold of a call, degraded if it has to be and may be; or the refusal."""
    answer = await case.ask(planned)
    if isinstance(answer, Admitted):
        return Taken(answer, case.model, _advice(case, answer))
    if answer.ladder is None or not case.words.degrade:
        return answer
    return await _Walk(case, planned, answer, answer.ladder).down()


class _Walk:
    """One call's way down a ladder."""

    def __init__(self, case: Case, planned: Planned, refusal: Refusal, ladder: Ladder) -> None:
        self._case = case
        self._planned = planned
        self._refusal = refusal
        self._ladder = ladder
        self._place: Place | None = None

    async def down(self) -> Taken | Refusal:
        """Take the first step that will do; without one, what happens without a ladder."""
        for step in self._ladder.steps:
            if self._case.sending.is_gone:
                return self._refusal
            if step == "refuse":
                return await self._refused()
            taken = await self._step(step)
            if taken is not None:
                return taken
        answer = await self._case.ask(self._planned, way=None)
        if isinstance(answer, Refusal):
            return answer
        told = label("Advice", f"no step of the ladder would do; {self._refusal.detail}")
        return Taken(answer, self._case.model, (told,))

    async def _step(self, step: str) -> Taken | None:
        if step == "smaller":
            return await self._smaller()
        if step == "queue":
            return await self._queued() if self._case.words.queue else None
        models = [step] if step != "cheaper" else await self._cheaper()
        for model in models:
            taken = await self._other(model)
            if taken is not None:
                return taken
        return None

    async def _refused(self) -> Taken | Refusal:
        """Refused, which counts only now; unless there is room again."""
        way = None if self._ladder.is_hard else REFUSE
        answer = await self._case.ask(self._planned, way=way, may_shrink=False)
        if isinstance(answer, Refusal):
            return answer
        return Taken(answer, self._case.model)

    # --- Another model ---------------------------------------------------------------------------

    async def _other(self, model: str) -> Taken | None:
        """The same call to another model, if that will do and costs less."""
        case = self._case
        if model == case.model or not await self._will_do(model):
            return None
        planned = case.planned(model)
        told = {"step": "model", "from": case.model or "", "to": model}
        answer = await case.ask(planned, way=self._way(told), is_step=True)
        if isinstance(answer, Refusal):
            return None
        words = f"model {case.model} -> {model}"
        return Taken(answer, model, self._labels(words))

    async def _will_do(self, model: str) -> bool:
        place = await self._asked()
        books, now_us = self._case.books, self._refusal.at_us
        rates = books.prices.lookup(self._case.provider, model, now_us)
        if rates is None or unpriced_units(rates, place.units):
            return False
        if place.rates is not None and _nanos(rates, place) >= _nanos(place.rates, place):
            return False
        known = books.prices.capabilities(self._case.provider, model)
        asked = books.prices.capabilities(self._case.provider, self._case.model or "")
        needs = self._case.needs()._replace(
            mode=asked.mode or "chat",
            input_tokens=place.input_tokens or 0,
            output_tokens=place.max_output_tokens or 0,
        )
        return fits(known, needs, now_us) is not False

    async def _cheaper(self) -> tuple[str, ...]:
        """Models that will do and for which there is money, the dearest first."""
        place = await self._asked()
        lines = self._refusal.every
        if place.rates is None or {line.unit for line in lines} != {"usd"}:
            return ()
        return _cheaper_than(self._case, place, place.rates, self._room_nanos(place))

    def _room_nanos(self, place: Place) -> int:
        """For how much a hold there is room; where that is not told, for half of what was asked."""
        assert place.rates is not None
        if not self._ladder.is_hard or self._refusal.hidden:
            return _nanos(place.rates, place) // SOFT_SHARE
        return min(line.requested - line.shortfall for line in self._refusal.lines)

    async def _asked(self) -> Place:
        """What was asked of the books at first, with its estimate."""
        if self._place is None:
            plan = self._planned.plan
            self._place = await self._case.place_of(plan)
        return self._place

    # --- A smaller answer, and waiting -----------------------------------------------------------

    async def _smaller(self) -> Taken | None:
        """The same call with less output: what fits, or past a soft limit half of it."""
        plan = self._planned.plan
        asked_tokens = int(plan.ask["max_output_tokens"])
        least = DEFAULT_MIN_OUTPUT_TOKENS * plan.answers
        if plan.is_bounded or not plan.may_shrink or asked_tokens <= least:
            return None
        told = {"step": "smaller", "from": str(asked_tokens)}
        smaller = plan._replace(ask={**plan.ask, "fit": True})
        if not self._ladder.is_hard:
            most = max(asked_tokens // SOFT_SHARE, least)
            smaller = smaller.telling(most)
            told["to"] = str(most)
        asked = self._planned._replace(plan=smaller)
        answer = await self._case.ask(asked, way=self._way(told), is_step=True)
        if isinstance(answer, Refusal):
            return None
        granted = answer.holding.granted_tokens
        words = f"output tokens {asked_tokens} -> {granted}"
        return Taken(answer, self._case.model, self._labels(words))

    async def _queued(self) -> Taken | None:
        """The same call when its window resets or holds have returned, if that is soon."""
        case, refusal = self._case, self._refusal
        began = time.monotonic()
        until = began + QUEUE_SECONDS
        while not case.sending.is_gone:
            seconds = _seconds_to_wait(case, refusal)
            if seconds is None or time.monotonic() + seconds > until:
                return None
            await _sleep(seconds, case.sending)
            told = {"step": "queue"}
            way = self._way(told, at_soft="yield")
            answer = await case.ask(self._planned, way=way, is_step=True)
            if isinstance(answer, Admitted):
                words = f"queued for {time.monotonic() - began:.1f} seconds"
                return Taken(answer, case.model, self._labels(words))
            refusal = answer
        return None

    # --- Telling ---------------------------------------------------------------------------------

    def _way(self, told: dict[str, str], at_soft: Any = "pass") -> Way:
        kind = "hard_limit" if self._ladder.is_hard else "soft_limit"
        return Way(at_soft, {**told, "because": kind}, self._ladder.budget_id)

    def _labels(self, words: str) -> tuple[Header, ...]:
        return (label("Degraded", f"{words}; {self._refusal.detail}"),)


def _seconds_to_wait(case: Case, refusal: Refusal) -> float | None:
    """How long to wait before it is asked again; None: that would not help."""
    if case.may_pass(refusal):
        return LOOK_SECONDS
    if refusal.resets_us is None:
        return None
    return max(0, refusal.resets_us - refusal.at_us) / _US + 0.01


async def _sleep(seconds: float, sending: Sending) -> None:
    """Wait so long, or until the caller has gone."""
    gone = asyncio.Event()
    sending.when_gone(gone.set)
    try:
        async with asyncio.timeout(seconds):
            await gone.wait()
    except TimeoutError:
        return


def _nanos(rates: Rates, place: Place) -> int:
    """What a call holds at some rates."""
    return hold_nanos(rates, place.input_tokens or 0, place.max_output_tokens or 0, 1, place.units)


def _cheaper_than(case: Case, place: Place, rates: Rates, room_nanos: int) -> tuple[str, ...]:
    books = case.books
    return cheaper_models(
        books.prices, rates, place.input_tokens or 0, place.max_output_tokens or 0, room_nanos,
        books.database.now_us(), units=place.units, needs=case.needs(),
    )  # fmt: skip


def _advice(case: Case, admitted: Admitted) -> tuple[Header, ...]:
    """What to tell a call that goes though a soft limit is past its action threshold."""
    for leg in admitted.holding.allocation.legs:
        if leg.policy.enforcement == "soft_limit" and _is_past_action(leg):
            return (label("Advice", _advised(case, admitted.place, leg)),)
    return ()


def _is_past_action(leg: BalanceView) -> bool:
    return (leg.limit - leg.remaining) * BPS >= leg.limit * leg.policy.action_bps


def _advised(case: Case, place: Place, leg: BalanceView) -> str:
    """The limit in words, with models that would cost half."""
    words = f"budget {leg.budget} is near or beyond its soft limit"
    models: tuple[str, ...] = ()
    if place.rates is not None and leg.policy.unit == "usd":
        half = _nanos(place.rates, place) // SOFT_SHARE
        models = _cheaper_than(case, place, place.rates, half)[:3]
    return f"{words}; cheaper: {', '.join(models)}" if models else words
