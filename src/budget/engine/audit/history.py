"""History: what each policy was at each moment of the journal, told from its row and from the
journal.

Changes of the catalogue run alone, so an entry's id tells exactly which of them came before it,
whatever the clocks said. Limits and top-ups are told twice, in their tables and in the journal;
both must agree.
"""

import json
from bisect import bisect_left
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from budget.domain.windows import Calendar, Window, parse_period, window_at
from budget.engine.audit.findings import Findings, stream
from budget.storage import schema

UNITS: Final = ("usd", "tokens", "input_tokens", "output_tokens", "requests")
BUCKETS: Final = 60
LIMITS_KEPT: Final = 1000
"""How many limits a policy's row remembers; the journal tells of all."""

UNBORN: Final = 2**63
Scope = dict[str, str | list[str]]
"""The attributes a call must have: a value, several, or a beginning and `*`."""

_e: Final = schema.entries.c
_CHANGES: Final = (
    select(_e.id, _e.at_us, _e.kind, _e.budget_id, _e.policy_id, _e.detail)
    .where(
        _e.kind.in_(
            (
                "budget_created", "budget_changed", "budget_archived", "policy_created",
                "policy_changed", "policy_archived", "topped_up",
            )
        )
    )
    .order_by(_e.id)
)  # fmt: skip


class Granted(NamedTuple):
    """A top-up, and the entry that tells of it."""

    entry_id: int
    partition: str | None
    amount: int
    at_us: int
    until_us: int


class Policy:
    """A policy and its past.

    `limits` are (since_us, limit) as the journal tells them, all but the first in `limit_entries`.
    It is in force after the entry `born` and before the entry `gone`, all the while with the same
    scope.
    """

    def __init__(self, row: Any) -> None:
        self.policy_id: str = row.policy_id
        self.unit = UNITS.index(row.unit)
        reset_day = row.reset_day if row.reset_day == "last" else int(row.reset_day)
        self.calendar = Calendar(parse_period(row.period), row.timezone, reset_day)
        self.rolling = self.calendar.period.kind == "rolling"
        self.bucket_us = -(-self.calendar.period.length_us // BUCKETS)
        self.created_us: int = row.created_us
        self.limit: int = row.limit_amount
        self.kept: list[tuple[int, int]] = [(s, v) for s, v in json.loads(row.limits)]
        self.limits: list[tuple[int, int]] = []
        self.limit_entries: list[int] = []
        self.top_ups: list[Granted] = []
        self.partition_by: list[str] = json.loads(row.partition_by)
        self.scope: Scope = {}
        self.born = self.gone = UNBORN
        # What a flag was before each change of it, and what it is now.
        self.hard = _Flag(row.enforcement == "hard_limit")
        self.rollover = _Flag(bool(row.rollover))

    @property
    def holds_envelopes(self) -> bool:
        """Whether an envelope holds here at all: not in a minute, not in rolling buckets."""
        return not self.rolling and self.calendar.period.kind != "minute"

    def known(self, entry_id: int) -> int:
        """How many of its limits an entry could know of."""
        if not self.limit_entries:
            return 1
        return 1 + bisect_left(self.limit_entries, entry_id)

    def limit_in_force(self, entry_id: int) -> int:
        """The limit, without top-ups and carry, as of an entry."""
        return self.limits[self.known(entry_id) - 1][1]

    def limit_at(self, at_us: int, entry_id: int) -> int:
        """The limit that was in force at an instant, as far as an entry could know."""
        known = self.limits[: self.known(entry_id)]
        limit = known[0][1]
        for since_us, value in known:
            if since_us > at_us:
                break
            limit = value
        return limit

    def topped_up(self, partition: str, window: Window, now_us: int, entry_id: int) -> int:
        """The top-ups that raise the limit in a window (rolling: at `now_us`), as of an entry."""
        raised = 0
        for top_up in self.top_ups:
            if top_up.entry_id > entry_id or top_up.partition not in (None, partition):
                continue
            if self.rolling:
                counts = top_up.at_us <= now_us < top_up.until_us
            else:
                counts = window.end_us > top_up.at_us and window.start_us < top_up.until_us
            raised += top_up.amount if counts else 0
        return raised

    def window(self, partition: str, at_us: int) -> Window:
        """The calendar window of a partition; without its session (task) that of the day."""
        calendar = self.calendar
        kind = calendar.period.kind
        split_by = kind.removeprefix("per_") if kind.startswith("per_") else None
        if split_by is not None and json.loads(partition).get(split_by) is None:
            calendar = Calendar(parse_period("daily"), calendar.zone)
        return window_at(calendar, at_us)


class _Flag:
    """Something that is true or not, and the entries at which that changed."""

    __slots__ = ("_changed", "_now")

    def __init__(self, now: bool) -> None:
        self._now = now
        self._changed: list[int] = []

    def change(self, entry_id: int) -> None:
        self._changed.append(entry_id)

    def as_of(self, entry_id: int) -> bool:
        if not self._changed:
            return self._now
        later = len(self._changed) - bisect_left(self._changed, entry_id)
        return self._now ^ bool(later % 2)


def read_policies(connection: Connection, findings: Findings) -> dict[str, Policy]:
    """Every policy with its past, checked against what the journal tells of it."""
    policies = {row.policy_id: Policy(row) for row in connection.execute(select(schema.policies))}
    journal = _Journal(policies, findings)
    for row in stream(connection, _CHANGES):
        journal.take(row)
    for policy in policies.values():
        _check_limits(policy, findings)
        if policy.born == UNBORN:
            findings.add("I9", policy.policy_id, "the journal does not tell how it came to be")
    _read_top_ups(connection, policies, journal.top_ups, findings)
    return policies


class _Journal:
    """What the entries of the catalogue tell, read in order."""

    def __init__(self, policies: dict[str, Policy], findings: Findings) -> None:
        self._policies = policies
        self._findings = findings
        self._scopes: dict[str | None, Scope] = {}
        self.top_ups: dict[str, int] = {}

    def take(self, row: Any) -> None:
        """Read one entry."""
        entry_id, at_us, kind, budget_id, policy_id, text = row
        detail = json.loads(text)
        changes = detail.get("changes", {})
        if kind == "topped_up":
            self.top_ups[detail["top_up_id"]] = entry_id
        elif kind == "budget_created":
            self._scopes[budget_id] = detail["scope"]
            for name, written in detail["policies"].items():
                self._bear(entry_id, at_us, budget_id, name, written["limit"])
        elif kind == "policy_created":
            self._bear(entry_id, at_us, budget_id, policy_id, detail["limit"])
        elif kind == "budget_changed":
            if "scope" in changes:
                self._scopes[budget_id] = changes["scope"]["new"]
            for name, successor in detail.get("successors", {}).items():
                self._end(entry_id, name)
                self._succeed(entry_id, at_us, budget_id, name, successor, {})
        elif kind == "policy_changed" and "successor" in detail:
            self._end(entry_id, policy_id)
            self._succeed(entry_id, at_us, budget_id, policy_id, detail["successor"], changes)
        elif kind == "policy_changed":
            self._change(entry_id, at_us, policy_id, changes)
        elif kind == "policy_archived":
            self._end(entry_id, policy_id)
        elif kind == "budget_archived":
            for name in detail["policies"]:
                self._end(entry_id, name)

    def _policy(self, entry_id: int, name: str) -> Policy | None:
        policy = self._policies.get(name)
        if policy is None:
            self._findings.add("I9", name, f"entry {entry_id} tells of a policy that is not there")
        return policy

    def _bear(
        self, entry_id: int, at_us: int, budget_id: str, name: str, limit: Any
    ) -> Policy | None:
        policy = self._policy(entry_id, name)
        if policy is not None:
            policy.born = entry_id
            policy.scope = self._scopes.get(budget_id, {})
            if limit is not None:
                policy.limits.append((at_us, _amount(limit, policy.unit)))
        return policy

    def _succeed(
        self,
        entry_id: int,
        at_us: int,
        budget_id: str,
        name: str,
        successor: str,
        changes: dict[str, Any],
    ) -> None:
        """A successor begins with the limit of the policy before it, unless that changes too."""
        changed = changes.get("limit", {}).get("new")
        new = self._bear(entry_id, at_us, budget_id, successor, changed)
        old = self._policies.get(name)
        if new is not None and changed is None and old is not None and old.limits:
            new.limits.append((at_us, old.limits[-1][1]))

    def _end(self, entry_id: int, name: str) -> None:
        policy = self._policy(entry_id, name)
        if policy is not None:
            policy.gone = entry_id

    def _change(self, entry_id: int, at_us: int, name: str, changes: dict[str, Any]) -> None:
        policy = self._policy(entry_id, name)
        if policy is None:
            return
        if "limit" in changes:
            policy.limit_entries.append(entry_id)
            since_us = max([at_us, *(since_us for since_us, _ in policy.limits[-1:])])
            policy.limits.append((since_us, _amount(changes["limit"]["new"], policy.unit)))
        if "hard_limit" in changes.get("enforcement", {}).values():
            policy.hard.change(entry_id)
        if "rollover" in changes:
            policy.rollover.change(entry_id)


def _amount(written: Any, unit: int) -> int:
    return int(Decimal(written) * 10**9) if unit == 0 else int(written)


def _check_limits(policy: Policy, findings: Findings) -> None:
    """The limits of the row against those of the journal, and against the one in force."""
    told = policy.limits
    if policy.kept != told[-LIMITS_KEPT:]:
        findings.add("I2", policy.policy_id, f"its limits are {policy.kept}, the journal's {told}")
    if not policy.kept or policy.kept[-1][1] != policy.limit:
        findings.add(
            "I2",
            policy.policy_id,
            f"the policy's limit is {policy.limit}, its history ends with {policy.kept[-1:]}",
        )
    if len(told) != 1 + len(policy.limit_entries):  # the journal does not tell how it came to be
        policy.limits = [(policy.created_us, policy.limit)]
        policy.limit_entries = []


def _read_top_ups(
    connection: Connection,
    policies: dict[str, Policy],
    granted: dict[str, int],
    findings: Findings,
) -> None:
    for row in connection.execute(select(schema.top_ups)):
        entry_id = granted.get(row.top_up_id)
        if entry_id is None or row.policy_id not in policies:
            findings.add("I2", row.top_up_id, "the journal tells nothing of this top-up")
            continue
        policies[row.policy_id].top_ups.append(
            Granted(entry_id, row.partition, row.amount, row.at_us, row.until_us)
        )
