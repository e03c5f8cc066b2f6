"""Requirements as Telos has them, and the limits that one carries in its tags and metadata.

Not here: what becomes of them (`step`).
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from budget.domain.attributes import Scope, parse_scope, parse_value
from budget.domain.budgets import ENFORCEMENTS, Enforcement, Policy, Unit, amount_to_json
from budget.domain.errors import InvalidInput
from budget.domain.policy_terms import POLICY_FIELDS, parse_policy
from budget.engine.progress import REQUIREMENT

TAG: Final = "budget"
"""A constraint with this tag carries limits; so do tags that begin with it and a colon."""
KIND: Final = "constraint"
METADATA: Final = "budget"
MAX_LIMITS: Final = 20
MAX_ID_CHARS: Final = 200

_ID: Final = re.compile(rf"[^\x00-\x1f\x7f/?#\\]{{1,{MAX_ID_CHARS}}}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")

Key = tuple[Unit, str]
"""What a limit is of: its unit and its period."""


class Limit(NamedTuple):
    """How much, and how strictly; nano-USD for `usd`, else a count."""

    amount: int
    enforcement: Enforcement

    def is_looser_than(self, other: "Limit") -> bool:
        """Whether it allows anything that the other does not."""
        return self.amount > other.amount or _strictness(self) < _strictness(other)

    def with_stricter(self, other: "Limit") -> "Limit":
        """What allows only what both allow."""
        strict = max(self, other, key=_strictness)
        return Limit(min(self.amount, other.amount), strict.enforcement)


def _strictness(limit: Limit) -> int:
    return ENFORCEMENTS.index(limit.enforcement)


Limits = Mapping[Key, Limit]
Written = tuple[str, Mapping[str, Any]]
"""Where a limit stands, and how it is written there."""


class Requirement(NamedTuple):
    """A requirement of a project."""

    project: str
    requirement: str
    title: str
    kind: str
    status: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]

    @property
    def carries(self) -> bool:
        """Whether it says that it carries limits, and still holds."""
        tagged = any(one == TAG or one.startswith(f"{TAG}:") for one in map(str.lower, self.tags))
        return tagged and self.status != "rejected"


class Terms(NamedTuple):
    """What a requirement says of a budget: whose calls, and the limits; `policies` as written."""

    scope: Scope
    limits: Limits
    policies: Mapping[Key, Mapping[str, Any]]


def is_id(text: object) -> bool:
    """Whether Telos's id of something can be put into an address, and into an attribute."""
    if not isinstance(text, str) or text != text.strip() or not text.strip("."):
        return False
    return _ID.fullmatch(text) is not None


def read_requirement(project: str, told: Any) -> Requirement | None:
    """A requirement as Telos tells of it; None if that cannot be read."""
    if not isinstance(told, Mapping) or not is_id(told.get("requirement_id")):
        return None
    tags, metadata = told.get("tags"), told.get("metadata")
    return Requirement(
        project,
        told["requirement_id"],
        line(told.get("title")) or told["requirement_id"],
        str(told.get("requirement_type", "")).lower(),
        line(told.get("status")).lower(),
        tuple(one for one in tags if isinstance(one, str)) if isinstance(tags, list) else (),
        metadata if isinstance(metadata, Mapping) else {},
    )


def line(text: object, most: int = 200) -> str:
    """A text of theirs as one line that we can keep."""
    return _CONTROL.sub(" ", text).strip()[:most].strip() if isinstance(text, str) else ""


# --- Limits --------------------------------------------------------------------------------------


def read_terms(requirement: Requirement) -> Terms:
    """The limits that it carries; InvalidInput names what is wrong of them."""
    if requirement.kind != KIND:
        raise InvalidInput("requirement_type", f"must be {KIND} for a requirement with limits.")
    written = requirement.metadata.get(METADATA)
    if written is None:
        written = {}
    if not isinstance(written, Mapping):
        raise InvalidInput("budget", "must be an object.")
    policies: dict[Key, Mapping[str, Any]] = {}
    limits: dict[Key, Limit] = {}
    for field, given in (*_in_metadata(written), *_in_tags(requirement.tags)):
        policy = _policy(given, field)
        key = key_of(policy)
        if key in limits:
            raise InvalidInput(field, f"says again what the limit of {key[0]} {key[1]} is.")
        policies[key], limits[key] = _exact(given), limit_of(policy)
    if not limits:
        raise InvalidInput("budget", "carries no limit: give unit, period and limit.")
    return Terms(_scope(requirement, written.get("scope")), limits, policies)


def _policy(given: Mapping[str, Any], field: str) -> Policy:
    return parse_policy(
        _exact(given), policy_id="", budget_id="", per=(), now_us=0, path=f"{field}."
    )


def _exact(given: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers with a point as the decimals that they were written as."""
    return {
        name: Decimal(repr(value)) if isinstance(value, float) else value
        for name, value in given.items()
    }


def key_of(policy: Policy) -> Key:
    """What a policy is of."""
    return policy.unit, policy.calendar.period.text


def limit_of(policy: Policy) -> Limit:
    """How much a policy allows, and how strictly."""
    return Limit(policy.limit, policy.enforcement)


def _in_metadata(written: Mapping[str, Any]) -> list[Written]:
    """The limits that metadata carry: one, or a list of them; and where each stands."""
    listed = written.get("limits")
    if listed is None:
        one = {name: value for name, value in written.items() if name in POLICY_FIELDS}
        return [("budget", one)] if one else []
    if not isinstance(listed, list) or len(listed) > MAX_LIMITS:
        raise InvalidInput("budget.limits", f"must be a list of at most {MAX_LIMITS} limits.")
    found: list[Written] = []
    for number, one in enumerate(listed):
        field = f"budget.limits.{number}"
        if not isinstance(one, Mapping):
            raise InvalidInput(field, "must be an object of unit, period and limit.")
        for name in one:
            if name not in POLICY_FIELDS:
                raise InvalidInput(f"{field}.{str(name)[:80]}", "is not known.", POLICY_FIELDS)
        found.append((field, one))
    return found


def _in_tags(tags: Sequence[str]) -> list[Written]:
    """The limits that tags carry, as in budget:usd:monthly:100:hard_limit."""
    found: list[Written] = []
    for tag in tags:
        parts = tag.strip().split(":")
        if parts[0].lower() != TAG or len(parts) == 1:
            continue
        field = f"tags.{line(tag, 80)}"
        if len(parts) > 3 and parts[2] == "rolling":
            parts[2:4] = [":".join(parts[2:4])]
        if not 4 <= len(parts) <= 5:
            raise InvalidInput(field, "must be budget:unit:period:limit, perhaps :enforcement.")
        _, unit, period, limit, *enforcement = parts
        counted = int(limit) if unit != "usd" and limit.isascii() and limit.isdigit() else limit
        given = {"unit": unit, "period": period, "limit": counted}
        found.append((field, given | ({"enforcement": enforcement[0]} if enforcement else {})))
    return found


def is_limit_tag(tag: str) -> bool:
    """Whether a tag says a limit by itself."""
    return tag.strip().lower().startswith(f"{TAG}:")


def _scope(requirement: Requirement, given: Any) -> Scope:
    """Whose calls its limits are of: those of the project, or of the requirement; perhaps of some
    attributes only.
    """
    scope: dict[str, Any] = {}
    if isinstance(given, Mapping):
        scope = dict(given)
        of = scope.pop("requirement", None)
        if of is not None:
            scope[REQUIREMENT] = parse_value(of, "budget.scope.requirement")
    elif given == "requirement":
        scope = {REQUIREMENT: requirement.requirement}
    elif given not in (None, "project"):
        raise InvalidInput(
            "budget.scope", "is not known.", ("project", "requirement", "{attribute: value}")
        )
    if scope.get("project", requirement.project) != requirement.project:
        raise InvalidInput("budget.scope.project", "must be the project of the requirement.")
    return parse_scope({**scope, "project": requirement.project}, "budget.scope")


def written_limits(limits: Limits, before: Mapping[Key, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Limits as metadata carry them, with all else that was said of them before."""
    return [
        {
            **before.get(key, {}),
            "unit": key[0],
            "period": key[1],
            "limit": amount_to_json(limit.amount, key[0]),
            "enforcement": limit.enforcement,
        }
        for key, limit in sorted(limits.items())
    ]


def noted_limits(limits: Limits) -> list[list[Any]]:
    """Limits as notes keep them."""
    return [[*key, *limit] for key, limit in sorted(limits.items())]


def recalled_limits(noted: Any) -> Limits | None:
    """Limits from notes; None if nothing was noted."""
    if noted is None:
        return None
    return {(unit, period): Limit(amount, how) for unit, period, amount, how in noted}
