"""Attributes: who spends and on what; scopes that match them; partitions that split by them.

Not here: how ten thousand scopes are searched at once (`engine.catalogue`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final, TypeVar

from budget.domain.errors import InvalidInput
from budget.domain.models import bare_model

STANDARD: Final = (
    "org", "team", "project", "user", "key", "component", "agent",
    "session", "task", "task_type", "tier", "provider", "model",
)  # fmt: skip
"""The standard attribute keys; free ones are written `tag.<name>`."""

ROLLED_UP: Final = (
    "org", "team", "project", "user", "key", "component", "agent",
    "task_type", "tier", "provider", "model",
)  # fmt: skip
"""The dimensions of the hourly and daily rollups: the standard keys of bounded variety."""

CAMEL_CASE: Final[Mapping[str, str]] = {"taskType": "task_type"}
"""The other spelling of the standard keys that have one; free keys have only their own."""

MAX_VALUE_CHARS: Final = 256
MAX_TAGS: Final = 50
MAX_SCOPE_VALUES: Final = 1000

_FOLDED: Final = frozenset(("model", "provider"))
"""Whose values compare otherwise than they are written."""
_STANDARD_SET: Final = frozenset(STANDARD)
_TAG_KEY: Final = re.compile(r"tag\.[A-Za-z0-9_.-]{1,64}")
_FORBIDDEN_CHARS: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

Attributes = Mapping[str, str]
T = TypeVar("T")


def parse_key(key: object, field: str) -> str:
    """A known attribute key, in snake_case; or InvalidInput naming `field` and listing them."""
    if isinstance(key, str):
        if key in _STANDARD_SET or _TAG_KEY.fullmatch(key):
            return key
        if key in CAMEL_CASE:
            return CAMEL_CASE[key]
    raise InvalidInput(field, f"{str(key)[:80]!r} is not an attribute.", (*STANDARD, "tag.<name>"))


def parse_value(value: object, field: str) -> str:
    """An attribute's value: 1 to 256 characters, no control characters.

    Blanks around it are left away: no call escapes a scope by one.
    """
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a string; write numbers in quotes.")
    value = value.strip()
    if not 0 < len(value) <= MAX_VALUE_CHARS:
        raise InvalidInput(field, f"must have 1 to {MAX_VALUE_CHARS} characters.")
    if _FORBIDDEN_CHARS.search(value):
        raise InvalidInput(field, "must not contain control characters or lone surrogates.")
    return value


def put_once(parsed: dict[str, T], name: str, value: T, field: str) -> None:
    """Put what an attribute was given; InvalidInput if its other spelling was given another."""
    if parsed.setdefault(name, value) != value:
        raise InvalidInput(f"{field}.{name}", "is given in both spellings, with different values.")


def parse_attributes(given: object, field: str = "attributes") -> dict[str, str]:
    """The attributes of a call, keys checked, in the order of their keys.

    A value of null is the same as leaving the attribute out.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidInput(field, "must be an object of attribute: value.")
    parsed: dict[str, str] = {}
    for key, value in given.items():
        name = parse_key(key, field)
        if value is not None:
            put_once(parsed, name, parse_value(value, f"{field}.{name}"), field)
    if sum(key.startswith("tag.") for key in parsed) > MAX_TAGS:
        raise InvalidInput(field, f"at most {MAX_TAGS} tags.")
    return dict(sorted(parsed.items()))


def compared(key: str, value: str) -> str:
    """A value as scopes and partitions compare it: of a provider or model whatever its case, and
    of a model without the provider before it. So no spelling escapes a limit.
    """
    if key == "model":
        return bare_model(value)
    return value.lower() if key == "provider" else value


def spellings(key: str, value: str) -> tuple[str, ...]:
    """What of a call's value a scope may match: as it compares, and of a model all of it."""
    one = compared(key, value)
    whole = value.lower() if key == "model" else one
    return (one,) if whole == one else (one, whole)


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute's part of a scope: any of `exact`, or beginning with any of `prefixes`.

    They are kept as they were written; `wanted` are the same as they compare.
    """

    key: str
    exact: frozenset[str]
    prefixes: tuple[str, ...]

    def matches(self, value: str | None) -> bool:
        """Whether a call's value satisfies the condition; a missing one never does."""
        if value is None:
            return False
        if self.key not in _FOLDED:
            return value in self.exact or (bool(self.prefixes) and value.startswith(self.prefixes))
        exact, prefixes = self.wanted()
        return any(
            one in exact or (bool(prefixes) and one.startswith(prefixes))
            for one in spellings(self.key, value)
        )

    def wanted(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """The values and the prefixes as they compare with `spellings`."""
        return (self.exact, self.prefixes) if self.key not in _FOLDED else _wanted(self)


@lru_cache(maxsize=4096)
def _wanted(condition: Condition) -> tuple[frozenset[str], tuple[str, ...]]:
    key = condition.key
    return (
        frozenset(compared(key, text) for text in condition.exact),
        tuple(sorted({compared(key, start) for start in condition.prefixes})),
    )


Scope = tuple[Condition, ...]


def parse_scope(given: object, field: str = "scope") -> Scope:
    """A scope from `{attribute: value | [values] | "prefix*"}`; empty matches every call."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise InvalidInput(field, "must be an object of attribute: value.")
    conditions: dict[str, Condition] = {}
    for key, wanted in given.items():
        name = parse_key(key, field)
        path = f"{field}.{name}"
        values = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        if not 0 < len(values) <= MAX_SCOPE_VALUES:
            raise InvalidInput(path, f"must list 1 to {MAX_SCOPE_VALUES} values.")
        texts = [parse_value(value, path) for value in values]
        if any("*" in text[:-1] for text in texts):
            raise InvalidInput(path, "may have a * at its end only, where it stands for the rest.")
        condition = Condition(
            key=name,
            exact=frozenset(text for text in texts if not text.endswith("*")),
            prefixes=tuple(sorted({text[:-1] for text in texts if text.endswith("*")})),
        )
        put_once(conditions, name, condition, field)
    return tuple(sorted(conditions.values(), key=lambda condition: condition.key))


def scope_to_json(scope: Scope) -> dict[str, str | list[str]]:
    """The scope as a user writes it: one value bare, several as a list."""
    written: dict[str, str | list[str]] = {}
    for condition in scope:
        texts = [*sorted(condition.exact), *(prefix + "*" for prefix in condition.prefixes)]
        written[condition.key] = texts[0] if len(texts) == 1 else texts
    return written


def scope_matches(scope: Scope, attributes: Attributes) -> bool:
    """Whether a call with these attributes falls under the scope."""
    return all(condition.matches(attributes.get(condition.key)) for condition in scope)


def parse_per(given: object, field: str = "per") -> tuple[str, ...]:
    """The attributes a budget is split by, each once, in order of their names."""
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise InvalidInput(field, "must be a list of attributes.")
    names = [parse_key(key, field) for key in given]
    if len(set(names)) != len(names):
        raise InvalidInput(field, "names an attribute twice.")
    return tuple(sorted(names))


def partition_of(per: tuple[str, ...], attributes: Attributes) -> str:
    """The canonical name of a call's partition: a JSON object of the `per` attributes, as they
    compare.

    A missing attribute is null: all calls without it share that one partition.
    """
    if not per:
        return "{}"
    parts = []
    for key in per:
        value = attributes.get(key)
        text = "null" if value is None else encode_basestring(compared(key, value))
        parts.append(f'"{key}":{text}')
    return "{" + ",".join(parts) + "}"
