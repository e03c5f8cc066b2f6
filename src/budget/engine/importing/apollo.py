"""Apollo's token model: its default limits by tier, and policies and allocations of a file.

Each policy becomes what `set_limit` takes, each allocation that still holds something what
`allocate` takes; both may be taken over again, and nothing is made twice. Not here: files as such
(`files`), and that Apollo has no route to read them from (`neighbours.apollo`).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from budget.domain.allocations import MAX_TTL_SECONDS
from budget.domain.attributes import parse_value, scope_to_json
from budget.domain.budgets import Budget
from budget.domain.errors import InvalidInput
from budget.domain.money import MAX_TOKENS, format_usd
from budget.domain.policy_terms import parse_enforcement, parse_policy
from budget.domain.windows import parse_period
from budget.engine.importing.lines import Bad, money, text, time_us, whole
from budget.prices.tiers import LOCAL_LIGHTWEIGHT, LOCAL_MIDWEIGHT, REMOTE_HEAVYWEIGHT

NAME: Final = "Apollo"
PERIODS: Final = ("hourly", "daily", "per_session")
DEFAULT_LIMITS: Final[Mapping[str, tuple[int, int, int]]] = {
    LOCAL_LIGHTWEIGHT: (1_000_000, 10_000_000, 8_000),
    LOCAL_MIDWEIGHT: (500_000, 5_000_000, 16_000),
    REMOTE_HEAVYWEIGHT: (100_000, 1_000_000, 32_000),
}
"""Tokens by tier, in the order of `PERIODS`."""

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_WHO: Final = ("tier", "provider", "component", "task_type")
_BPS: Final = {"warning_threshold": "warning_bps", "action_threshold": "action_bps"}
_THRESHOLDS: Final = tuple(_BPS)
_TERMS: Final = ("period", "unit", "limit", "enforcement", *_THRESHOLDS)
DEFAULT_TYPE: Final = "warn"

Ask = dict[str, Any]


class Takeover(NamedTuple):
    """What is taken over: limits and holds to ask for, and what cannot be read."""

    limits: list[Ask]
    holds: list[Ask]
    bad: list[Bad]


def default_limits(enforcement: str = DEFAULT_TYPE) -> Takeover:
    """Apollo's own limits: by tier an hour's, a day's and a context's."""
    limits = [
        _limit({"tier": tier}, period, "tokens", limit, enforcement)
        for tier, some in DEFAULT_LIMITS.items()
        for period, limit in zip(PERIODS, some, strict=True)
    ]
    return Takeover(limits, [], [])


def read_takeover(file: Path, now_us: int, zone: str) -> Takeover:
    """What a file of JSON has: an object with `policies` and `allocations`, or a list of policies.

    Times that name no zone are of `zone`. InvalidInput for what is no such file.
    """
    told = _json(file)
    policies = told if isinstance(told, list) else told.get("policies", [])
    allocations = [] if isinstance(told, list) else told.get("allocations", [])
    takeover = Takeover([], [], [])
    for name, rows in (("policies", policies), ("allocations", allocations)):
        if not isinstance(rows, list):
            raise InvalidInput("FILE", f"{name} must be a list.")
        for n, row in enumerate(rows, 1):
            place = f"{name} {n}"
            try:
                if not isinstance(row, Mapping):
                    raise ValueError("is not an object")
                if name == "policies":
                    takeover.limits.extend(_limits_of(row))
                else:
                    takeover.holds.extend(_holds_of(row, now_us, zone))
            except (ValueError, InvalidInput) as error:
                takeover.bad.append(Bad(place, str(error)[:200]))
    return takeover


def would_do(ask: Ask, there: Iterable[Budget]) -> str:
    """What setting a limit would do beside the budgets that are there: `nothing` if it stands."""
    terms = {name: ask[name] for name in _TERMS if name in ask}
    wanted = parse_policy(terms, policy_id="", budget_id="", per=(), now_us=0)
    found = [
        policy
        for budget in there
        if budget.name == ask["name"] and scope_to_json(budget.scope) == ask["scope"]
        if budget.archived_us is None and not budget.per
        for policy in budget.live_policies
        if (policy.unit, policy.calendar.period) == (wanted.unit, wanted.calendar.period)
    ]
    if not found:
        return "would be set"
    asked = ("limit", "enforcement", *(_BPS[name] for name in _THRESHOLDS if name in ask))
    stands = all(getattr(found[0], name) == getattr(wanted, name) for name in asked)
    return "nothing" if stands else "would be changed"


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise InvalidInput("FILE", f"must have at most {MAX_FILE_BYTES} bytes.")
        told = json.loads(file.read_bytes(), parse_float=str)
    except OSError as error:
        raise InvalidInput("FILE", f"cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise InvalidInput("FILE", "is not JSON.") from None
    if not isinstance(told, list | dict):
        raise InvalidInput("FILE", "must be an object with policies and allocations.")
    return told


def _limits_of(row: Mapping[str, Any]) -> Iterator[Ask]:
    """The limits of a policy: in tokens, in money, or in both; a limit of 0 is none."""
    if row.get("enabled") in (False, 0):
        return
    enforcement = parse_enforcement(text(row.get("type")) or DEFAULT_TYPE, "type")
    period = parse_period(text(row.get("period")) or "daily").text
    scope = {key: parse_value(row[key], key) for key in _WHO if text(row.get(key))}
    more = {name: str(row[name]) for name in _THRESHOLDS if row.get(name) is not None}
    tokens = whole(row.get("token_limit"), "token_limit")
    nanos = money(row.get("cost_limit"), "cost_limit")
    if tokens > MAX_TOKENS * 1000:
        raise ValueError("token_limit is larger than any limit may be")
    if tokens:
        yield {**_limit(scope, period, "tokens", tokens, enforcement), **more}
    if nanos:
        yield {**_limit(scope, period, "usd", format_usd(nanos), enforcement), **more}


def _limit(
    scope: Mapping[str, str], period: str, unit: str, limit: int | str, enforcement: str
) -> Ask:
    whose = ", ".join(f"{key} {value}" for key, value in scope.items())
    return {
        "name": f"{NAME}: {whose}" if whose else NAME,
        "scope": dict(scope),
        "period": period,
        "unit": unit,
        "limit": limit,
        "enforcement": enforcement,
    }


def _holds_of(row: Mapping[str, Any], now_us: int, zone: str) -> Iterator[Ask]:
    """The hold of an allocation: what is left of it, for a day at most."""
    context = text(row.get("context_id"))
    if context is None:
        raise ValueError("context_id is missing")
    held = whole(row.get("tokens_allocated", row.get("allocated_tokens")), "tokens_allocated")
    left = held - whole(row.get("tokens_used"), "tokens_used")
    until = row.get("expiration_time", row.get("expiration"))
    over = until is not None and time_us(until, "expiration_time", zone) <= now_us
    if row.get("is_active") in (False, 0) or left <= 0 or over:
        return
    id = text(row.get("allocation_id")) or context
    ask: Ask = {
        "allocation_id": f"apollo-{hashlib.blake2b(id.encode(), digest_size=12).hexdigest()}",
        "context_id": context,
        "tokens": left,
        "ttl_seconds": MAX_TTL_SECONDS,
        **{key: parse_value(row[key], key) for key in (*_WHO, "model") if text(row.get(key))},
    }
    if row.get("priority"):  # Apollo's own begin at 0
        ask["priority"] = min(10, whole(row["priority"], "priority"))
    yield ask
