"""History: what each policy was at each moment of the journal, told from its row and from the
journal.

Changes of the catalogue run alone, so an entry's id tells exactly which of them came before it,
whatever the clocks said. Limits and top-ups are told twice, in their tables and in the journal;
both must agree.
"""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from budget.domain.windows import Calendar, Window, parse_period, window_at
from budget.engine.audit.findings import Findings, stream
from budget.storage import schema

UNITS: Final = ("usd", "tokens", "input_tokens", "output_tokens", "requests")
BUCKETS: Final = 60
LIMITS_KEPT: Final = 1000
"""How many limits a policy's row remembers; entries from before those are held against the oldest.
"""

_CHANGES: Final = ("budget_created", "policy_created", "policy_changed", "topped_up")


class Granted(NamedTuple):
    """A top-up, and the entry that tells of it."""

    entry_id: int
    partition: str | None
    amount: int
    at_us: int
    until_us: int


class Policy:
    """A policy and its past. `limits` are (since_us, limit); `limit_entries` tell of all but the
    first.
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
        self.limits: list[tuple[int, int]] = [(s, v) for s, v in json.loads(row.limits)]
        self.limit_entries: list[int] = []
        self.top_ups: list[Granted] = []
        # What a flag was before each change of it, and what it is now.
        self.hard = _Flag(row.enforcement == "hard_limit")
        self.rollover = _Flag(bool(row.rollover))

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
    told: dict[str, list[int]] = defaultdict(list)
    granted: dict[str, int] = {}
    for entry_id, kind, policy_id, detail in _changes(connection):
        if kind == "topped_up":
            granted[detail["top_up_id"]] = entry_id
            continue
        for name, limit, changes in _limits_told(kind, policy_id, detail):
            policy = policies.get(name)
            if policy is None:
                findings.add("I2", name, f"entry {entry_id} tells of a policy that is not there")
                continue
            if limit is not None:
                told[name].append(_amount(limit, policy.unit))
                if kind == "policy_changed":
                    policy.limit_entries.append(entry_id)
            if "hard_limit" in changes.get("enforcement", {}).values():
                policy.hard.change(entry_id)
            if "rollover" in changes:
                policy.rollover.change(entry_id)
    for policy in policies.values():
        _check_limits(policy, told[policy.policy_id], findings)
    _read_top_ups(connection, policies, granted, findings)
    return policies


def _changes(connection: Connection) -> Iterator[tuple[int, str, str | None, dict[str, Any]]]:
    table = schema.entries
    changes = (
        select(table.c.id, table.c.kind, table.c.policy_id, table.c.detail)
        .where(table.c.kind.in_(_CHANGES))
        .order_by(table.c.id)
    )
    for entry_id, kind, policy_id, detail in stream(connection, changes):
        yield entry_id, kind, policy_id, json.loads(detail)


def _limits_told(
    kind: str, policy_id: str | None, detail: dict[str, Any]
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(policy_id, its limit from then on or None, what changed) of an entry of the catalogue."""
    if kind == "budget_created":
        for name, written in detail["policies"].items():
            yield name, written["limit"], {}
    elif kind == "policy_created":
        yield str(policy_id), detail["limit"], {}
    elif "successor" not in detail:
        changes = detail["changes"]
        limit = changes["limit"]["new"] if "limit" in changes else None
        yield str(policy_id), limit, changes


def _amount(written: Any, unit: int) -> int:
    return int(Decimal(written) * 10**9) if unit == 0 else int(written)


def _check_limits(policy: Policy, told: list[int], findings: Findings) -> None:
    """The limits of the row against those of the journal, and against the one in force."""
    kept = [limit for _, limit in policy.limits]
    if not kept:
        findings.add("I2", policy.policy_id, "the policy has no history of limits")
        policy.limits = [(policy.created_us, policy.limit)]
        policy.limit_entries = []
        return
    if kept[-1] != policy.limit:
        findings.add(
            "I2",
            policy.policy_id,
            f"the policy's limit is {policy.limit}, the last of its history {kept[-1]}",
        )
    # A successor's first limit is told by the entry of the policy that it succeeds.
    compared = min(len(told), len(kept))
    if kept[len(kept) - compared :] != told[len(told) - compared :]:
        findings.add("I2", policy.policy_id, f"its limits are {kept}, the journal tells {told}")
    changes = len(kept) - 1
    if len(policy.limit_entries) > changes:
        if len(kept) < LIMITS_KEPT:
            findings.add(
                "I2",
                policy.policy_id,
                f"the journal tells {len(policy.limit_entries)} changes of its limit, "
                f"its history has {changes}",
            )
        policy.limit_entries = policy.limit_entries[len(policy.limit_entries) - changes :]
    elif len(policy.limit_entries) < changes:
        findings.add(
            "I2",
            policy.policy_id,
            f"its limit has changed {changes} times, "
            f"the journal tells {len(policy.limit_entries)} of them",
        )
        policy.limits = policy.limits[: 1 + len(policy.limit_entries)]


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
