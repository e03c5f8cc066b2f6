"""Asking: what a call asks of the books, from its body, its headers and its model's history.

Not here: whether it may go (`admitting`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from budget.domain.attributes import STANDARD
from budget.domain.output_limits import answers_of, output_tokens_limit
from budget.domain.pricing import Rates
from budget.domain.rights import UNBOUND, Bound
from budget.engine.commands import Way
from budget.gateway.formats.format import HELD_SECONDS, Asked, Body
from budget.gateway.incoming import Words
from budget.sdk.responses import TIERS

YIELD: Final = Way("yield")
REFUSE: Final = Way("refuse")
"""How a call goes at a soft limit with a ladder that may be degraded, and one that may not."""
_FROM_BODY: Final = frozenset({*STANDARD} - {"key", "provider", "model"})


class Plan(NamedTuple):
    """What is asked to be held for a call, and how long its answer may be.

    `most_tokens` is what the caller allows all answers together; None: it sets no limit, and
    what is held is only a beginning. `may_shrink`: a smaller hold will do where there is no money
    for this one. `ceiling_tokens` are what `X-Budget-Max-Usd` pays for, where the caller says that.
    `is_told`: the upstream must be told of `most_tokens`, which the request does not say.
    """

    ask: Mapping[str, Any]
    most_tokens: int | None
    answers: int
    may_shrink: bool
    ceiling_tokens: int | None = None
    is_told: bool = False
    way: Way | None = None
    is_step: bool = False
    """A step of a ladder: it waits for nobody, and another follows where it is refused."""

    @property
    def is_bounded(self) -> bool:
        """Whether all that the call may use is held, because it is not cut: it takes no less."""
        return "units" in self.ask

    def below(self, tokens: int) -> "Plan":
        """The same, never holding for more output tokens than these."""
        ask = {**self.ask, "max_output_tokens": min(tokens, self.ask["max_output_tokens"])}
        return self._replace(ask=ask, ceiling_tokens=tokens)

    def telling(self, tokens: int) -> "Plan":
        """The same with at most so many tokens of output, of which the upstream must be told."""
        ask = {**self.ask, "max_output_tokens": tokens}
        return self._replace(ask=ask, most_tokens=tokens, is_told=True)

    def drawing_on(self, envelope_id: str | None) -> "Plan":
        """The same within an envelope, if there is one."""
        if envelope_id is None:
            return self
        return self._replace(ask={**self.ask, "parent_id": envelope_id})

    def in_units_of(self, rates: Rates | None) -> "Plan":
        """The same with those units only that the model's price has."""
        if "units" not in self.ask:
            return self
        priced = () if rates is None else tuple(name for name, _ in rates.units)
        units = {name: count for name, count in self.ask["units"].items() if name in priced}
        return self._replace(ask={**self.ask, "units": units})

    def noting(self, notes: Mapping[str, str]) -> "Plan":
        """The same with notes on the hold."""
        return self._replace(ask={**self.ask, "metadata": notes})

    def holding_all(self, tokens: int) -> "Plan":
        """The same for an upstream that passes no limit on: so many are held, and no less."""
        most = max(tokens * self.answers, self.most_tokens or 0)
        ask = {**self.ask, "max_output_tokens": most}
        return self._replace(ask=ask, most_tokens=most, may_shrink=False)

    def holding_at_least(self, tokens: int) -> "Plan":
        """The same for a model that keeps to no limit: what its answers usually have is held."""
        most = max(tokens * self.answers, self.ask["max_output_tokens"])
        return self._replace(ask={**self.ask, "max_output_tokens": most})


def attributes_of(named: Mapping[str, str], words: Words, bound: Bound) -> dict[str, str]:
    """The attributes of a call: those that its body names, and before them those of its headers.

    What a body says of attributes that the caller is `bound` to does not count: it is meant for
    the provider.
    """
    attributes = {
        name: text
        for name, text in named.items()
        if name not in bound and (name in _FROM_BODY or name.startswith("tag."))
    }
    return {**attributes, **words.attributes}


def plan_of(
    asked: Asked,
    body: Body,
    words: Words,
    named: Mapping[str, str],
    provider: str,
    usual: int,
    bound: Bound = UNBOUND,
) -> Plan:
    """The plan for a call. `named` are attributes that its body names, `usual` the output of such
    calls. InvalidInput, naming the field, for what cannot be.
    """
    bounded = asked.most
    if bounded is None:
        most = output_tokens_limit(body) if asked.can_stream else 0
        answers = answers_of(body)
    else:
        most, answers = bounded.output_tokens, 1
    attributes = attributes_of(named, words, bound)
    ask: dict[str, Any] = {
        "provider": provider,
        "model": asked.model,
        "attributes": attributes,
        "request": body,
        "max_output_tokens": usual * answers if most is None else most,
    }
    if bounded is not None:
        ask["units"] = {name: count for name, count in bounded.units.items() if count}
        if bounded.input_tokens is not None:
            del ask["request"]
            ask["input_tokens"] = bounded.input_tokens
    if asked.later:
        ask["ttl_seconds"] = HELD_SECONDS
    tier = body.get("service_tier")
    if tier in TIERS:
        ask["price_context"] = {"service_tier": tier}
    if words.priority is not None:
        ask["priority"] = words.priority
    may_shrink = asked.can_stream and (most is None or words.fit)
    return Plan(ask, most, answers, may_shrink, way=YIELD if words.degrade else REFUSE)
