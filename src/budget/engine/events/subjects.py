"""Subjects: whose and what an entry of the journal is about, and who may know of it.

An entry of a call has the call's attributes, and the balances that its legs lie on; one of a
budget, a policy or an alert has that budget, and perhaps one partition. Not here: which events are
read (`reading`), and what a channel wants of them (`channels.wanting`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from budget.domain.answers import Event
from budget.domain.budgets import Budget
from budget.domain.rights import Bound, covers, sees_budget, sees_partition
from budget.domain.windows import MAX_US
from budget.engine.budget_rows import budget_from_row
from budget.engine.rows import to_json
from budget.storage.schema import allocations, budgets, heads, policies, usage

REQUESTS: Final = frozenset(
    {"request_made", "request_approved", "request_rejected", "request_withdrawn"}
)
ALERTS: Final = "alert_"
"""How the kinds of entries about alerts begin."""


class Place(NamedTuple):
    """A budget that an entry is about, and the partition, if it is about one alone.

    `past`: it is of a policy that was archived, or from before the budget's policies in force; the
    budget may have been somebody else's then.
    """

    budget: Budget
    partition: str | None = None
    past: bool = False


class Subject(NamedTuple):
    """What an entry is about: a call with attributes, or places, or neither where it is global."""

    attributes: Mapping[str, str] | None
    places: tuple[Place, ...]
    severity: str


def subjects_of(connection: Connection, events: Sequence[Event]) -> dict[int, Subject]:
    """What each of some entries is about, by its id; all of it read as it is now."""
    attributes = _attributes_by_id(
        connection, allocations, {e.allocation_id for e in events if e.allocation_id}
    ) | _attributes_by_id(connection, usage, {e.usage_id for e in events if e.usage_id})
    named = {event.cursor: _named(event) for event in events}
    legs = {event.cursor: [leg[0] for leg in json.loads(event.legs)] for event in events}
    met = _heads(connection, {head_id for ids in legs.values() for head_id in ids})
    policy_ids = {policy_id for policy_id, _ in met.values()}
    policy_ids |= {name.policy_id for name in named.values() if name.policy_id}
    of_policy = _policies(connection, policy_ids)
    budget_ids = {policy.budget_id for policy in of_policy.values()}
    budget_ids |= {name.budget_id for name in named.values() if name.budget_id}
    found = _budgets(connection, budget_ids)
    since = _since(connection, budget_ids)

    def places(event: Event) -> Iterable[Place]:
        for head_id in legs[event.cursor]:
            policy_id, partition = met[head_id]
            policy = of_policy[policy_id]
            yield Place(found[policy.budget_id], partition, policy.past)
        name = named[event.cursor]
        own = of_policy.get(name.policy_id or "")
        budget = found.get((name.budget_id if own is None else own.budget_id) or "")
        if budget is None:
            return
        if own is not None:
            past = own.past
        else:
            before = event.at_us < since.get(budget.budget_id, MAX_US)
            past = before and event.kind != "budget_archived"
        yield Place(budget, name.partition, past)

    return {
        event.cursor: Subject(
            attributes.get(event.allocation_id or "") or attributes.get(event.usage_id or ""),
            tuple(places(event)),
            severity_of(event),
        )
        for event in events
    }


def severity_of(event: Event) -> str:
    """How severe it is: of alerts as they say, of all else not at all."""
    if not event.kind.startswith(ALERTS):
        return "info"
    told = json.loads(event.detail).get("severity")
    return told if told in ("info", "warning", "error") else "info"


def sees(bound: Bound, subject: Subject) -> bool:
    """Whether who is bound to attributes may know of an entry: all that it is about must be theirs.

    What is about nothing in particular, such as a change of prices, is for those who see all.
    """
    if not bound:
        return True
    if subject.attributes is not None:
        return covers(bound, subject.attributes)
    return bool(subject.places) and all(sees_place(bound, place) for place in subject.places)


def sees_place(bound: Bound, place: Place) -> bool:
    """Whether who is bound to attributes may know of what happened to a budget."""
    if place.past:
        return not bound
    if place.partition is None:
        return sees_budget(bound, place.budget)
    return sees_partition(bound, place.budget, place.partition)


def _attributes_by_id(
    connection: Connection, table: Any, ids: Iterable[str]
) -> dict[str, Mapping[str, str]]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    found = connection.execute(select(table.c.id, table.c.attributes).where(table.c.id.in_(wanted)))
    return {id: json.loads(attributes) for id, attributes in found}


def _heads(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    of = heads.c
    found = connection.execute(select(of.id, of.policy_id, of.partition).where(of.id.in_(wanted)))
    return {id: (policy_id, partition) for id, policy_id, partition in found}


class _Policy(NamedTuple):
    budget_id: str
    past: bool


def _policies(connection: Connection, ids: Iterable[str]) -> dict[str, _Policy]:
    """The budgets of policies, and whether these are archived."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    of = policies.c
    read = select(of.policy_id, of.budget_id, of.archived_us).where(of.policy_id.in_(wanted))
    return {
        id: _Policy(budget, ended is not None) for id, budget, ended in connection.execute(read)
    }


def _since(connection: Connection, ids: Iterable[str]) -> dict[str, int]:
    """Since when each budget has had its oldest policy in force."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    of = policies.c
    read = (
        select(of.budget_id, func.min(of.created_us))
        .where(of.budget_id.in_(wanted), of.archived_us.is_(None))
        .group_by(of.budget_id)
    )
    return dict(map(tuple, connection.execute(read)))


def _budgets(connection: Connection, ids: Iterable[str]) -> dict[str, Budget]:
    """Budgets, without their policies."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    found = connection.execute(select(budgets).where(budgets.c.budget_id.in_(wanted)))
    return {row.budget_id: budget_from_row(tuple(row), ()) for row in found}


class _Named(NamedTuple):
    """What an entry says itself that it is about."""

    policy_id: str | None
    budget_id: str | None
    partition: str | None


def _named(event: Event) -> _Named:
    detail = json.loads(event.detail)
    partition = detail.get("partition")
    if isinstance(partition, Mapping):
        partition = to_json(partition)
    elif not isinstance(partition, str) or not partition.startswith("{"):
        # Who was refused, or asks for more, is somebody in particular, though the entry may not say
        # who: nobody's.
        partition = "{}" if event.kind == "refused" or event.kind in REQUESTS else None
    return _Named(
        event.policy_id or detail.get("policy_id") or None,
        event.budget_id or detail.get("budget_id") or None,
        partition,
    )
