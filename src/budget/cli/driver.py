"""The driver: makes the calls of a trace through a service and tallies what came of them.

Each call is held before and settled after with its true numbers, as a caller of a model would. Ids
are chosen here, so that a call sent again is the same call. Not here: how the tally reads
(`replay`).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import msgspec

from budget.cli.exits import Answered
from budget.cli.remote import heads, near, read_answer, unreachable
from budget.cli.trace import Call
from budget.domain.errors import Unavailable
from budget.domain.money import parse_usd
from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import Usage
from budget.prices.book import PriceBook

PATIENCE_SECONDS: Final = 10
"""How long a call that gets no answer, or a 503, is sent again before the run gives up: a service
that is started again is back by then.
"""
FAREWELL_SECONDS: Final = 5
"""The same when the run has been stopped and only returns what it holds."""
TIMEOUT_SECONDS: Final = 15

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send where.

    `caps` has the output tokens to hold for a call of a service, `name` begins each id, `speed` is
    in times real time, None for as fast as can be. The `attributes` are further ones: component,
    session and model are not among them.
    """

    url: str
    key: str | None
    calls: Sequence[Call]
    caps: Mapping[str, int]
    name: str
    session: str
    attributes: Mapping[str, str]
    speed: float | None
    concurrency: int
    prices: PriceBook


@dataclass(slots=True)
class Refused:
    """How often a policy refused, and its first refusal: the line of the trace and the numbers."""

    line: int
    first: Json
    calls: int = 0


@dataclass(slots=True)
class Tally:
    """What came of a run. Of the nano-USD, `true` is our own sum, `booked` that of the receipts."""

    admitted: int = 0
    refused: int = 0
    settled: int = 0
    released: int = 0
    retried: int = 0
    unpriced: int = 0
    true_nanos: int = 0
    booked_nanos: int = 0
    seconds: float = 0.0
    allocate_seconds: list[float] = field(default_factory=list)
    settle_seconds: list[float] = field(default_factory=list)
    refusals: dict[str, Refused] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    """What the service made of the attributes of each (service, model)."""
    beyond: dict[tuple[str, str], int] = field(default_factory=dict)
    """By (policy, partition): the most that lay beyond the limit just after an admission; below 0
    when there was always room left."""
    differing: list[tuple[int, int | None, int | None]] = field(default_factory=list)
    """(line, ours, theirs) of each call that the service priced otherwise."""
    open_ids: dict[str, None] = field(default_factory=dict)
    """Holds placed, or perhaps placed, and not yet ended."""
    unanswered_ids: dict[str, None] = field(default_factory=dict)
    """Calls whose settling was sent and not answered: they may be in the books, or not."""
    flags: dict[str, int] = field(default_factory=dict)


class Driver:
    """One run; `step` is called after each call."""

    def __init__(self, plan: Plan, tally: Tally, step: Callable[[], None]) -> None:
        self.tally = tally
        self.stop = asyncio.Event()
        self._plan = plan
        self._step = step
        self._calls = iter(plan.calls)
        self._failure: Exception | None = None
        self._client = httpx2.AsyncClient(
            base_url=plan.url,
            headers={**heads(plan.key), "Content-Type": "application/json"},
            timeout=TIMEOUT_SECONDS,
            trust_env=not near(plan.url),
            limits=httpx2.Limits(
                max_connections=plan.concurrency, max_keepalive_connections=plan.concurrency
            ),
        )

    async def run(self) -> None:
        """Make every call, or those until `stop`; whatever is held at the end is released.

        Raises what kept the run from going on, after the calls under way have ended. If that was
        Unavailable, nothing is released: who did not answer for so long is not asked again.
        """
        async with self._client:
            began = time.perf_counter()
            workers = [self._work(began) for _ in range(self._plan.concurrency)]
            try:
                await asyncio.gather(*workers)
            finally:
                self.tally.seconds = time.perf_counter() - began
            if not isinstance(self._failure, Unavailable):
                await self._release_open()
        if self._failure is not None:
            raise self._failure

    async def _work(self, began: float) -> None:
        for call in self._calls:
            await self._until_due(call, began)
            if self.stop.is_set():
                return
            try:
                await self._make(call)
            except (Answered, Unavailable) as error:
                self._failure = self._failure or error
                self.stop.set()
                return
            self._step()

    async def _until_due(self, call: Call, began: float) -> None:
        if self._plan.speed is None:
            return
        after = (call.at_us - self._plan.calls[0].at_us) / 1_000_000 / self._plan.speed
        wait = began + after - time.perf_counter()
        if wait > 0:
            try:
                await asyncio.wait_for(self.stop.wait(), wait)
            except TimeoutError:
                return

    async def _make(self, call: Call) -> None:
        tally, plan = self.tally, self._plan
        allocation_id = f"{plan.name}.{call.line}"
        provider = plan.attributes.get("provider")
        rates = plan.prices.lookup(provider, call.model, time.time_ns() // 1000)
        asked = {
            "allocation_id": allocation_id,
            "attributes": {"component": call.service, "session": plan.session, **plan.attributes},
            "model": call.model,
            "input_tokens": call.input_tokens,
            "max_output_tokens": plan.caps[call.service],
        }
        tally.open_ids[allocation_id] = None
        status, answer = await self._send("/allocations", asked, tally.allocate_seconds)
        if status in (402, 429):
            del tally.open_ids[allocation_id]
            self._note_refusal(call, answer)
            return
        self._note_admission(call, answer)
        if self.stop.is_set():
            return  # to be released: nobody would make this call any more
        used = {
            "usage_id": f"{allocation_id}.used",
            "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens,
            "final": True,
        }
        tally.unanswered_ids[allocation_id] = None
        _, receipt = await self._send(
            f"/allocations/{allocation_id}/usage", used, tally.settle_seconds
        )
        del tally.unanswered_ids[allocation_id]
        del tally.open_ids[allocation_id]
        self._note_receipt(call, rates, receipt)

    async def _send(self, path: str, asked: Json, took: list[float]) -> tuple[int, Json]:
        """Send until there is an answer; a refusal is one. The ids make sending again safe."""
        body = msgspec.json.encode(asked)
        began = time.monotonic()
        pause = _FIRST_PAUSE_SECONDS
        while True:
            sent = time.perf_counter()
            try:
                answer = await self._client.post(f"/api/v1{path}", content=body)
            except httpx2.TransportError as error:
                trouble: Exception = unreachable(self._plan.url, error, "--url")
            else:
                if answer.status_code != 503:
                    took.append(time.perf_counter() - sent)
                    if answer.status_code in (402, 429):
                        return answer.status_code, msgspec.json.decode(answer.content)
                    return answer.status_code, read_answer(self._plan.url, answer)
                trouble = Unavailable(
                    f"{self._plan.url} stays unavailable: {_detail(answer)} Try again later."
                )
                pause = max(pause, _asked_pause(answer))
            patience = FAREWELL_SECONDS if self.stop.is_set() else PATIENCE_SECONDS
            if time.monotonic() - began + pause > patience:
                raise trouble
            self.tally.retried += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _release_open(self) -> None:
        """Return what is still held. Whatever cannot be returned now expires by itself."""
        for allocation_id in list(self.tally.open_ids):
            try:
                await self._send(
                    f"/allocations/{allocation_id}/release", {"reason": "replay stopped"}, []
                )
                self.tally.released += 1
            except Answered as error:
                if error.status not in (404, 409):
                    continue
            except Unavailable:
                return
            del self.tally.open_ids[allocation_id]

    def _note_refusal(self, call: Call, problem: Json) -> None:
        self.tally.refused += 1
        by_limits = problem["refused_by"] if problem["code"] == "over_limit" else []
        for line in by_limits or [{"policy_id": problem["code"], "policy": None}]:
            refused = self.tally.refusals.setdefault(
                line["policy_id"], Refused(call.line, {**problem, **line})
            )
            refused.calls += 1

    def _note_admission(self, call: Call, answer: Json) -> None:
        """Note the balances of an admission, and by how much any of them lies beyond its limit."""
        tally = self.tally
        tally.admitted += 1
        tally.attributes.setdefault((call.service, call.model), answer["attributes"])
        for leg in answer["legs"]:
            if answer["reserved"].get(leg["unit"], 1) in (None, 0, "0.00"):
                continue  # what holds nothing raises nothing
            limit = units(leg["limit"])
            used = units(leg["spent"]) + units(leg["reserved"]) + units(leg["assumed"])
            place = (leg["policy_id"], msgspec.json.encode(leg["partition"]).decode())
            most = tally.beyond.get(place)
            if most is None or used - limit > most:
                tally.beyond[place] = used - limit

    def _note_receipt(self, call: Call, rates: Rates | None, receipt: Json) -> None:
        tally = self.tally
        tally.settled += 1
        usage = Usage(call.input_tokens, call.output_tokens)
        ours = None if rates is None else cost_nanos(rates, usage)
        theirs = None if receipt["cost"] is None else parse_usd(receipt["cost"], "cost")
        tally.true_nanos += ours or 0
        tally.booked_nanos += theirs or 0
        tally.unpriced += ours is None
        if ours != theirs:
            tally.differing.append((call.line, ours, theirs))
        for flag in receipt["flags"]:
            tally.flags[flag] = tally.flags.get(flag, 0) + 1


def units(amount: str | int) -> int:
    """An amount of the API as an integer: nano-USD for money, else the count."""
    return amount if isinstance(amount, int) else parse_usd(amount, "amount", maximum_nanos=2**63)


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(msgspec.json.decode(answer.content)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"it answers {answer.status_code}."


def _asked_pause(answer: httpx2.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_PAUSE_SECONDS) if text.isdigit() else 0.0
