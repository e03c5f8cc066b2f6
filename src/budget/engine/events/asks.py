"""Asking for events: which topics, kinds, budget and attributes somebody wants.

Not here: which events those are (`reading`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from budget.domain.attributes import parse_attributes
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.events import AUDIT_TOPIC, KINDS, OPEN_KINDS, TOPICS, Filter, kinds_of
from budget.engine.fields import chosen_id

FIELDS: Final = frozenset({
    "topic", "topics", "kind", "kinds", "budget_id", "attributes", "resume_from",
})  # fmt: skip
MAX_WORDS: Final = 50


def parse_filter(ask: Mapping[str, object], *, audited: bool) -> Filter:
    """The events of `topics`, or of a `topic`, of `kinds` among them, of a `budget_id`, and of
    `attributes`; of what is left out, any. `audited`: whether the caller has the right `audit`.
    """
    topics = _named(ask, "topic", tuple(TOPICS))
    allowed = KINDS if audited else OPEN_KINDS
    if AUDIT_TOPIC in topics and not audited:
        raise Forbidden(f"The topic {AUDIT_TOPIC} needs the right `audit`.")
    kinds = kinds_of(topics) if topics else allowed
    named = _named(ask, "kind", sorted(KINDS))
    if named:
        if not allowed.issuperset(named):
            raise Forbidden("Events of these kinds need the right `audit`.")
        kinds &= frozenset(named)
        if not kinds:
            raise InvalidInput("kind", "is none of the kinds of these topics.")
    return Filter(
        kinds,
        chosen_id(ask, "budget_id"),
        tuple(parse_attributes(ask.get("attributes")).items()),
    )


def _named(ask: Mapping[str, object], name: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """What a field names, and the field in the plural."""
    one = ask.get(name)
    named = () if one is None else _words([one], name, allowed)
    return (*named, *_words(ask.get(f"{name}s"), f"{name}s", allowed))


def _words(value: object, field: str, allowed: Sequence[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_WORDS:
        raise InvalidInput(field, f"must be a list of 1 to {MAX_WORDS}.", allowed)
    for word in value:
        if not isinstance(word, str) or word not in allowed:
            raise InvalidInput(field, f"{str(word)[:80]!r} is not one of those there are.", allowed)
    return tuple(dict.fromkeys(value))
