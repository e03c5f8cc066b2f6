"""Runs: agent runs, each with an envelope of its own, on which all of its calls draw.

A call whose attribute `session` is set belongs to a run: that of its key and this name. A template,
or `X-Budget-Max-Usd` at its first call, gives the run an envelope; whoever sends the same session
with the same key shares what is left of it. The envelope's id follows from key and session, so that
calls that come first at once, in several processes, make one; and once it has ended the run is
over, for a cap that begins anew is none. Not here: what an envelope is (`domain.decide`).
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from budget.domain.answers import Allocation, Refusal
from budget.domain.errors import Conflict, InvalidInput, KeyReused, NotFound
from budget.domain.money import format_usd, parse_count, parse_usd
from budget.engine.budget import AsyncBudget
from budget.engine.callers import Caller
from budget.engine.fields import only_fields, parse_ttl_us
from budget.engine.job import Job
from budget.engine.jobs import Jobs
from budget.gateway.incoming import Words

T = TypeVar("T")
Held = Allocation | Refusal

VARIABLE: Final = "BUDGET_GATEWAY_RUNS"
USUAL: Final = "default"
"""The template of runs that name none."""
TTL_SECONDS: Final = 3600
BELIEVED_SECONDS: Final = 1.0
"""How long it is believed that a run has no envelope: another process may open one."""
MOST_KNOWN: Final = 10_000

_SESSION_HEADER: Final = "X-Budget-Session"
_TEMPLATE_HEADER: Final = "X-Budget-Template"
_MAX_HEADER: Final = "X-Budget-Max-Usd"
_AMOUNTS: Final = ("usd", "tokens", "requests")
_FIELDS: Final = frozenset({*_AMOUNTS, "ttl_seconds"})
_OF_CALLS: Final = frozenset(
    {"provider", "model", "agent", "component", "task", "task_type", "tier"}
)
"""Attributes in which the calls of one run differ: an envelope has none of them."""


class Template(NamedTuple):
    """What a run may use. `ttl_seconds`: how long after its latest call it ends."""

    usd_nanos: int | None = None
    tokens: int | None = None
    requests: int | None = None
    ttl_seconds: int = TTL_SECONDS

    def capped(self, max_usd_nanos: int | None) -> "Template":
        """The same with at most so much money."""
        if max_usd_nanos is None or (
            self.usd_nanos is not None and self.usd_nanos <= max_usd_nanos
        ):
            return self
        return self._replace(usd_nanos=max_usd_nanos)

    def ask(self) -> dict[str, Any]:
        """What is asked of the books for it."""
        usd = None if self.usd_nanos is None else format_usd(self.usd_nanos)
        amounts = {"usd": usd, "tokens": self.tokens, "requests": self.requests}
        said = {name: value for name, value in amounts.items() if value is not None}
        return {**said, "ttl_seconds": self.ttl_seconds}


def read_templates(env: Mapping[str, str]) -> dict[str, Template]:
    """The templates by name; InvalidInput, naming the variable, for what cannot be."""
    text = env.get(VARIABLE)
    if not text:
        return {}
    try:
        told = json.loads(text)
    except ValueError as error:
        raise InvalidInput(VARIABLE, "is not JSON.") from error
    if not isinstance(told, dict):
        raise InvalidInput(VARIABLE, 'must be an object, such as {"default": {"usd": "2.00"}}.')
    return {name: _template(f"{VARIABLE}.{name[:80]}", terms) for name, terms in told.items()}


def _template(field: str, terms: object) -> Template:
    if not isinstance(terms, dict):
        raise InvalidInput(field, "must be an object of usd, tokens, requests, ttl_seconds.")
    only_fields(terms, _FIELDS, f"{field}.")
    usd, tokens, requests = (terms.get(name) for name in _AMOUNTS)
    if usd is None and tokens is None and requests is None:
        raise InvalidInput(field, "needs an amount: usd, tokens or requests.")
    try:
        ttl_us = parse_ttl_us(terms)
    except InvalidInput as error:
        raise InvalidInput(f"{field}.{error.field}", error.detail) from error
    return Template(
        None if usd is None else parse_usd(usd, f"{field}.usd"),
        None if tokens is None else parse_count(tokens, f"{field}.tokens"),
        None if requests is None else parse_count(requests, f"{field}.requests"),
        TTL_SECONDS if ttl_us is None else ttl_us // 1_000_000,
    )


class Runs:
    """The runs that this process knows of; of one event loop."""

    def __init__(self, templates: Mapping[str, Template] | None = None) -> None:
        self._templates = templates or {}
        self._known: OrderedDict[str, float | None] = OrderedDict()
        """Envelopes by id: None, it was opened; else until when it is believed not to be."""

    def concern(self, attributes: Mapping[str, str], words: Words) -> bool:
        """Whether a call with these attributes belongs to a run, or says so."""
        return "session" in attributes or words.template is not None

    async def envelope_of(
        self,
        budget: AsyncBudget,
        jobs: Jobs,
        attributes: Mapping[str, str],
        words: Words,
        place: Callable[[Job[Held]], Awaitable[Held]],
    ) -> str | Refusal | None:
        """The envelope that a call with these attributes draws on, opened by its first call, for
        which `place` asks.

        None: its run has none, or it belongs to none. The refusal if it may not be opened.
        InvalidInput, naming the header, for what cannot be.
        """
        session, caller = attributes.get("session"), jobs.caller
        terms = self._terms(session, words, caller)
        if session is None or caller.envelope is not None:
            return None
        envelope_id = envelope_id_of(caller.actor, session)
        if terms is None or self._is_open(envelope_id):
            return await self._found(budget, jobs, envelope_id)
        ask = _ask(envelope_id, terms, attributes, words)
        try:
            answer = await place(jobs.allocate(**ask))
        except KeyReused:
            pass  # another call of the run came first, and said something else: that stays
        else:
            if isinstance(answer, Refusal):
                return answer
        self._know(envelope_id, None)
        return envelope_id

    async def limits(
        self, budget: AsyncBudget, jobs: Jobs, attributes: Mapping[str, str], words: Words
    ) -> bool:
        """Whether an envelope or a cap limits a call with these attributes, of whatever cost."""
        session, caller = attributes.get("session"), jobs.caller
        if self._terms(session, words, caller) is not None:
            return True
        if caller.envelope is not None or words.max_usd_nanos is not None:
            return True
        if session is None:
            return False
        return await self._found(budget, jobs, envelope_id_of(caller.actor, session)) is not None

    def _terms(self, session: str | None, words: Words, caller: Caller) -> Template | None:
        """What the run of a call is given, if it is its first; None: nothing."""
        name = words.template
        if name is not None and name not in self._templates:
            raise InvalidInput(
                _TEMPLATE_HEADER, f"there is no template {name[:80]!r}.", sorted(self._templates)
            )
        if session is None:
            if name is not None:
                raise InvalidInput(_TEMPLATE_HEADER, f"is for runs: send {_SESSION_HEADER} too.")
            return None
        if caller.envelope is not None and (name or words.max_usd_nanos is not None):
            raise InvalidInput(
                _TEMPLATE_HEADER if name else _MAX_HEADER,
                f"this key draws on {caller.envelope!r} alone, which limits its run; leave it out.",
            )
        template = self._templates.get(name or USUAL)
        if template is None and words.max_usd_nanos is None:
            return None
        return (template or Template()).capped(words.max_usd_nanos)

    async def _found(self, budget: AsyncBudget, jobs: Jobs, envelope_id: str) -> str | None:
        """The envelope, if some call of the run, of any process, has opened it."""
        if self._is_open(envelope_id):
            self._known.move_to_end(envelope_id)
            return envelope_id
        until = self._known.get(envelope_id)
        if until is not None and time.monotonic() < until:
            return None
        try:
            await budget.run(jobs.allocation(envelope_id))
        except NotFound:
            self._know(envelope_id, time.monotonic() + BELIEVED_SECONDS)
            return None
        self._know(envelope_id, None)
        return envelope_id

    def _is_open(self, envelope_id: str) -> bool:
        """Whether it was opened, as far as is known here; it may have ended."""
        return self._known.get(envelope_id, 0.0) is None

    def _know(self, envelope_id: str, until: float | None) -> None:
        self._known[envelope_id] = until
        self._known.move_to_end(envelope_id)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def _ask(
    envelope_id: str, terms: Template, attributes: Mapping[str, str], words: Words
) -> dict[str, Any]:
    ask = {
        "allocation_id": envelope_id,
        "envelope": True,
        "attributes": {name: text for name, text in attributes.items() if name not in _OF_CALLS},
        **terms.ask(),
    }
    return ask if words.priority is None else {**ask, "priority": words.priority}


def envelope_id_of(actor: str, session: str) -> str:
    """The id of the envelope of a run: the same wherever its calls come in."""
    named = hashlib.sha256(f"{actor}\n{session}".encode()).hexdigest()
    return f"run_{named[:32]}"


async def drawing(envelope_id: str | None, answer: Awaitable[T], now_us: int) -> T | Refusal:
    """The answer to a call that draws on an envelope; a refusal if that has ended."""
    try:
        return await answer
    except Conflict as error:
        if envelope_id is None or error.code != "parent_not_open":
            raise
        return Refusal(
            "envelope_exhausted",
            f"This run is over: its envelope {envelope_id} has ended. Send another "
            f"{_SESSION_HEADER} to begin a new one.",
            now_us,
            parent_id=envelope_id,
        )
