"""People: what somebody may do who logs in by OpenID Connect, by the claims of the issuer.

    [{"when": {"groups": "budget-admins"}, "scopes": ["admin"]},
     {"when": {"groups": "search"}, "scopes": ["read"], "bound": {"team": "search"}}]

The first rule all of whose claims hold decides; whom no rule meets stays outside. Not here: whether
claims are genuine (`http.door.issuer`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from budget.domain.errors import InvalidInput
from budget.domain.rights import Bound, parse_bound

SCOPES: Final = ("read", "spend", "manage", "audit", "admin")
MAX_RULES: Final = 1_000
MAX_PRIORITY: Final = 10
NORMAL_PRIORITY: Final = 5
MAX_NAME_CHARS: Final = 100

_FIELDS: Final = ("when", "scopes", "bound", "max_priority")
_NAMES: Final = ("preferred_username", "name", "email", "sub")


@dataclass(frozen=True, slots=True)
class Rule:
    """Whoever has all these claims may do this. A claim that is a list has each of its values."""

    when: Mapping[str, str]
    scopes: tuple[str, ...]
    bound: Bound
    max_priority: int


class Person(NamedTuple):
    """Somebody who logged in: how they are called, and what they may do."""

    subject: str
    name: str
    scopes: tuple[str, ...]
    bound: Bound
    max_priority: int


def person_of(claims: Mapping[str, Any], rules: tuple[Rule, ...]) -> Person | None:
    """Who somebody with these claims is here; None whom no rule lets in."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        return None
    for rule in rules:
        if all(_has(claims, claim, value) for claim, value in rule.when.items()):
            name = next(c for one in _NAMES if isinstance(c := claims.get(one), str) and c)
            return Person(subject, _plain(name), rule.scopes, rule.bound, rule.max_priority)
    return None


def _has(claims: Mapping[str, Any], claim: str, value: str) -> bool:
    if claim == "email" and claims.get("email_verified") is not True:
        return False  # anybody can claim another's address
    given = claims.get(claim)
    return value in given if isinstance(given, list) else given == value


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isprintable())[:MAX_NAME_CHARS] or "somebody"


# --- Reading rules -------------------------------------------------------------------------------


def parse_rules(text: str, field: str) -> tuple[Rule, ...]:
    """Rules as they are written in JSON; InvalidInput says what is wrong with which."""
    try:
        given = json.loads(text)
    except ValueError:
        raise InvalidInput(field, "must be a list of rules, in JSON.") from None
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_RULES:
        raise InvalidInput(field, f"must be a list of 1 to {MAX_RULES} rules, in JSON.")
    return tuple(_rule(one, f"{field}[{at}]") for at, one in enumerate(given))


def _rule(given: object, field: str) -> Rule:
    if not isinstance(given, dict):
        raise InvalidInput(field, "must be an object.", _FIELDS)
    for name in given:
        if name not in _FIELDS:
            raise InvalidInput(f"{field}.{name[:80]}", "is not a field here.", _FIELDS)
    priority = given.get("max_priority", NORMAL_PRIORITY)
    if type(priority) is not int or not 1 <= priority <= MAX_PRIORITY:
        raise InvalidInput(f"{field}.max_priority", "must be 1 to 10.")
    bound = parse_bound(given.get("bound") or {}, f"{field}.bound")
    return Rule(_when(given.get("when"), f"{field}.when"), _scopes(given, field), bound, priority)


def _when(given: object, field: str) -> dict[str, str]:
    if not isinstance(given, dict) or not given:
        raise InvalidInput(field, "must be an object of claim: value, one or more.")
    for claim, value in given.items():
        if not isinstance(value, str) or not value:
            raise InvalidInput(f"{field}.{claim[:80]}", "must be a string.")
    return given


def _scopes(given: dict[str, Any], field: str) -> tuple[str, ...]:
    scopes = given.get("scopes")
    if not isinstance(scopes, list) or not scopes:
        raise InvalidInput(f"{field}.scopes", "must be a list of one right or more.", SCOPES)
    for scope in scopes:
        if scope not in SCOPES:
            raise InvalidInput(f"{field}.scopes", f"{str(scope)[:80]!r} is no right.", SCOPES)
    return tuple(sorted(set(scopes)))
