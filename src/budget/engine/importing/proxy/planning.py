"""Planning: which budgets and keys of ours take the place of a LiteLLM proxy's.

Pure, so that a plan can be looked at before anything is made. Not here: reading the proxy
(`tables`, `api`), and making what is planned (`moving`).
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from budget.domain.windows import to_rfc3339
from budget.engine.importing.lines import text, time_us
from budget.engine.importing.proxy.limits import Limit, limits_of
from budget.engine.importing.proxy.tables import Row, Tables

THIS_KEY: Final = "(its new key)"
"""Stands in a scope for a key of ours that is not made yet."""
_DASHBOARD: Final = "litellm-dashboard"
"""The team of the keys that LiteLLM's own pages make for themselves."""
_HASH_CHARS: Final = 8
_NAME_CHARS: Final = 120
_FIELDS: Final = (
    "max_budget", "soft_budget", "budget_duration", "tpm_limit", "rpm_limit", "tpd_limit",
    "model_max_budget", "max_parallel_requests", "allowed_models", "temp_budget_increase",
)  # fmt: skip


class PlannedKey(NamedTuple):
    """A key to be made. `source` is the hash that the proxy keeps of the one it replaces."""

    source: str
    alias: str
    name: str
    bound: Mapping[str, str]
    expires_at: str | None


class PlannedBudget(NamedTuple):
    """A budget to be made; `source` tells it again, `spent_nanos` by policy what is brought over.

    `key` is the source of the key that its scope names, where it is the budget of one.
    """

    source: str
    name: str
    scope: Mapping[str, str]
    policies: tuple[Mapping[str, Any], ...]
    spent_nanos: tuple[int | None, ...]
    key: str | None


class Plan(NamedTuple):
    """What is to be made, and what of the proxy has no counterpart.

    `keep_keys`: the keys stay those of the proxy, which stays before the models.
    """

    keep_keys: bool
    keys: tuple[PlannedKey, ...]
    budgets: tuple[PlannedBudget, ...]
    notes: tuple[str, ...]


class _Holder(NamedTuple):
    """A table of those who have limits: how they are told and which calls are theirs."""

    table: str
    word: str
    scope: Callable[[Row], dict[str, str]]
    alias: str


_HOLDERS: Final = (
    _Holder("organizations", "organization", lambda row: {"org": row["organization_id"]},
            "organization_alias"),
    _Holder("teams", "team", lambda row: {"team": row["team_id"]}, "team_alias"),
    _Holder("projects", "project", lambda row: {"project": row["project_id"]}, "project_alias"),
    _Holder("users", "user", lambda row: {"user": row["user_id"]}, "user_alias"),
    _Holder("end_users", "end user", lambda row: {"user": row["user_id"]}, "alias"),
    _Holder("org_members", "organization member",
            lambda row: {"org": row["organization_id"], "user": row["user_id"]}, ""),
    _Holder("members", "member", lambda row: {"team": row["team_id"], "user": row["user_id"]}, ""),
)  # fmt: skip
"""Keys are another matter; the most specific come last, for `moving` goes from there."""


def plan_of(tables: Tables, *, keep_keys: bool, now_us: int) -> Plan:
    """What to make of a proxy; ValueError for rows that are none of LiteLLM's."""
    notes: list[str] = []
    linked = {str(row.get("budget_id")): row for row in tables.get("budgets", [])}
    budgets: list[PlannedBudget] = []
    for holder in _HOLDERS:
        for row in tables.get(holder.table, []):
            named = _named(holder, row)
            budgets += _planned(named, f"{holder.word}:{named.id}", row, linked, notes)
    keys: list[PlannedKey] = []
    for row in tables.get("keys", []):
        made = _key(row, keep_keys=keep_keys, now_us=now_us, notes=notes)
        if made is None:
            continue
        keys.append(made)
        named = _Named(
            made.source,
            f"key {made.alias}",
            {"tag.litellm_key": made.alias} if keep_keys else {"key": THIS_KEY},
            made.source,
        )
        budgets += _planned(named, f"key:{made.source}", row, linked, notes)
    notes += [
        f"tag {text(row.get('tag_name'))!r}: its budget is left out; give calls a `tag.` attribute"
        for row in tables.get("tags", [])
        if row.get("budget_id")
    ]
    return Plan(keep_keys, tuple(keys), tuple(budgets), tuple(dict.fromkeys(notes)))


class _Named(NamedTuple):
    id: str
    name: str
    scope: dict[str, str]
    key: str | None = None


def _named(holder: _Holder, row: Row) -> _Named:
    try:
        scope = {key: text(value) or "" for key, value in holder.scope(row).items()}
    except KeyError as error:
        raise ValueError(f"a row of {holder.table} has no {error.args[0]}") from None
    number = "/".join(scope.values())
    alias = text(row.get(holder.alias)) or number
    return _Named(number, f"{holder.word} {alias}", scope)


def _planned(
    named: _Named, source: str, row: Row, linked: Mapping[str, Row], notes: list[str]
) -> Iterator[PlannedBudget]:
    """The budget of one holder, and one for each model that has limits of its own."""
    try:
        limits, found = limits_of(_whole(row, linked))
    except ValueError as error:
        notes.append(f"{named.name}: left out: {error}")
        return
    notes += [f"{named.name}: {note}" for note in found]
    models = dict.fromkeys(limit.model for limit in limits)
    for model in models:
        of_model = [limit for limit in limits if limit.model == model]
        yield PlannedBudget(
            source if model is None else f"{source}:{model}",
            _short("LiteLLM " + named.name + ("" if model is None else f": {model}")),
            named.scope if model is None else {**named.scope, "model": model},
            tuple(limit.policy for limit in _distinct(of_model)),
            tuple(limit.spent_nanos for limit in _distinct(of_model)),
            named.key,
        )


def _distinct(limits: list[Limit]) -> list[Limit]:
    """One limit for each unit and period: the first, which is the holder's own."""
    found: dict[tuple[Any, Any], Limit] = {}
    for limit in limits:
        found.setdefault((limit.policy["unit"], limit.policy["period"]), limit)
    return list(found.values())


def _whole(row: Row, linked: Mapping[str, Row]) -> Row:
    """A row, with what the budget that it names says where it says nothing itself."""
    budget = linked.get(str(row.get("budget_id")), {}) if row.get("budget_id") else {}
    more = {name: budget[name] for name in _FIELDS if budget.get(name) and not row.get(name)}
    return {**row, **more}


def _key(row: Row, *, keep_keys: bool, now_us: int, notes: list[str]) -> PlannedKey | None:
    """A key to be made in place of one; None where it works no more, or is LiteLLM's own."""
    source = text(row.get("token"))
    if source is None:
        raise ValueError("a row of keys has no token")
    alias = text(row.get("key_alias")) or (
        source if keep_keys else text(row.get("key_name")) or source[:_HASH_CHARS]
    )
    if row.get("team_id") == _DASHBOARD:
        return None
    expires_us = _time_us(row.get("expires"))
    if row.get("blocked") is True or (expires_us is not None and expires_us <= now_us):
        notes.append(f"key {alias}: left out, it is blocked or has expired")
        return None
    bound = {
        name: found
        for name, where in (
            ("org", "organization_id"), ("team", "team_id"), ("project", "project_id"),
            ("user", "user_id"),
        )
        if (found := text(row.get(where))) and found != "default_user_id"
    }  # fmt: skip
    name = f"{alias[: _NAME_CHARS - 20]} (litellm {source[:_HASH_CHARS]})"
    at = None if expires_us is None else to_rfc3339(expires_us)
    return PlannedKey(source, alias, name, bound, at)


def _time_us(value: Any) -> int | None:
    if value in (None, ""):
        return None
    if isinstance(value, datetime):
        at = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return time_us(at.isoformat(), "expires", "UTC")
    return time_us(value, "expires", "UTC")


def _short(name: str) -> str:
    return name[:_NAME_CHARS]
