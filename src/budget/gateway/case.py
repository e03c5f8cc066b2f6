"""Case: a call that asks the books for a hold, to be answered by one upstream.

Not here: what is asked for (`asking`), what is waited for (`admitting`), and what is done before a
call is refused (`degrading`).
"""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from budget.domain.answers import Refusal
from budget.engine.commands import Place
from budget.engine.jobs import Jobs
from budget.gateway.admitting import Admitted, admit, answered, prepared
from budget.gateway.asking import Plan, plan_of
from budget.gateway.call import Call
from budget.gateway.capping import Usual
from budget.gateway.ceilings import below
from budget.gateway.needing import needs_of
from budget.gateway.remembering import remember
from budget.gateway.replying import Sending
from budget.gateway.runs import drawing
from budget.gateway.shop import Shop
from budget.gateway.upstreams import Upstream
from budget.gateway.works import notes
from budget.prices.capabilities import Needs


class Planned(NamedTuple):
    """What a call to a model asks of the books."""

    plan: Plan
    usual: Usual


class Case:
    """A call that began at `since`; `model` is what it asks for. Within a run, once that is
    entered.
    """

    __slots__ = (
        "_body", "_call", "_envelope_id", "_jobs", "_shop", "_since", "_upstream", "books", "model",
        "provider", "sending", "words",
    )  # fmt: skip

    def __init__(
        self, shop: Shop, call: Call, upstream: Upstream, since: float, sending: Sending
    ) -> None:
        body = call.target.body
        assert body is not None
        self._body = body
        self._shop = shop
        self._call = call
        self._upstream = upstream
        self._since = since
        self._envelope_id: str | None = None
        self.books = shop.budget.books
        self._jobs = Jobs(self.books, call.incoming.caller)
        self.model = call.route.model
        self.provider = upstream.provider
        self.sending = sending
        self.words = call.words

    async def enter_run(self, planned: Planned) -> Refusal | None:
        """Find the envelope of the call's run, if it belongs to one; the refusal if that may not
        be opened.
        """
        shop, attributes = self._shop, planned.plan.ask["attributes"]
        if not shop.runs.concern(attributes, self.words):
            return None
        found = await shop.runs.envelope_of(
            shop.budget, self._jobs, attributes, self.words,
            lambda job: answered(shop, job, self._since, self.sending),
        )  # fmt: skip
        if isinstance(found, Refusal):
            return found
        self._envelope_id = found
        return None

    def planned(self, model: str | None) -> Planned:
        """What the call asks of the books if it goes to a model."""
        shop, call, provider = self._shop, self._call, self.provider
        prices, caller = self.books.prices, call.incoming.caller
        named = model or ""
        name = (caller.actor, provider, named)
        if shop.outputs.is_new(name):
            shop.tasks.start(remember(shop.outputs, self.books.database, name))
        usual = shop.outputs.usual(name, prices.capabilities(provider, named).max_output_tokens)
        asked = call.asked_of(model)
        attributes = self._upstream.format.attributes(self._body)
        plan = plan_of(
            asked, self._body, call.words, attributes, provider, usual.tokens, caller.bound
        )
        if asked.later:
            plan = plan.noting(notes(asked.api, self._upstream, own_key=call.incoming.own_key))
        if not shop.outputs.keeps_to_limits(provider, named):
            plan = plan.holding_at_least(usual.tokens)
        unsaid = self._upstream.format.ignored_limit_tokens
        if unsaid is not None and asked.can_stream:
            least = 0 if plan.most_tokens is not None else unsaid
            plan = plan.holding_all(max(usual.tokens, least))
        if asked.most is not None:
            plan = plan.in_units_of(prices.lookup(provider, named, self.books.database.now_us()))
        return Planned(plan, usual)

    async def ask(self, planned: Planned, **changes: Any) -> Admitted | Refusal:
        """The answer to a plan, with these changes."""
        plan, usual = planned
        if changes:
            plan = plan._replace(**changes)
        if self._envelope_id is not None:
            asking = self._admit(plan.drawing_on(self._envelope_id), usual)
            return await drawing(self._envelope_id, asking, self.books.database.now_us())
        most_nanos = self.words.max_usd_nanos
        if most_nanos is not None:
            place, now_us = await self.place_of(plan), self.books.database.now_us()
            lower = below(plan, place, most_nanos, usual.most, now_us)
            if isinstance(lower, Refusal):
                return lower
            plan = lower
        return await self._admit(plan, usual)

    def _admit(self, plan: Plan, usual: Usual) -> Awaitable[Admitted | Refusal]:
        body_bytes = len(self._call.incoming.body)
        return admit(self._shop, self._jobs, plan, usual, self._since, body_bytes, self.sending)

    async def place_of(self, plan: Plan) -> Place:
        """The command that a plan comes to: its price, and what its request has at most."""
        job = await prepared(self._jobs, plan, len(self._call.incoming.body))
        assert isinstance(job.command, Place)
        return job.command

    def may_pass(self, refusal: Refusal) -> bool:
        """Whether only open holds stand in the way."""
        return self._shop.room.may_pass(refusal)

    def needs(self) -> Needs:
        """What the call needs of a model."""
        return needs_of(self._call.asked.api, self._body)
