"""Explaining: why a call was admitted or refused, from the journal: every limit that it met, with
its figures just before.

Not here: calls that nobody made (`check` says what would become of one).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from budget.domain import cursors
from budget.domain.allocations import Held
from budget.domain.answers import BalanceView
from budget.domain.answers_trials import Explanation, MetLimit, Step
from budget.domain.attributes import partition_of, scope_matches
from budget.domain.balances import Balance
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import BudgetError, NotFound
from budget.domain.rights import UNBOUND, Bound, covers, sees_balance
from budget.domain.windows import Window
from budget.engine import rows
from budget.engine.balances import budgets_named, read_budgets, read_policies
from budget.engine.entry_places import Cells, Sums, around, live_since_us, sums_before
from budget.engine.pages import is_storable
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.database import Database
from budget.storage.unit import ALLOCATION_COLUMNS, USAGE_COLUMNS

_e, _a, _u, _h = schema.entries.c, schema.allocations.c, schema.usage.c, schema.heads.c
MAX_STEPS: Final = 1000
LAST_REFUSAL: Final = "last-refusal"
"""In place of an id: the last refusal that the caller may know of."""


class Met(NamedTuple):
    """A balance that a call met: which cell, and what was asked; `version` is that of its leg."""

    policy: Policy
    partition: str
    head_id: int
    cell_us: int
    requested: int | None
    version: int | None = None
    limit: int | None = None


def explain(database: Database, call_id: str, bound: Bound = UNBOUND) -> Explanation:
    """Explain an allocation, a usage record or a refusal (the cursor of its event), or
    the last refusal. NotFound for what is not there, or not the caller's.
    """
    with snapshot(database) as connection:
        if call_id == LAST_REFUSAL:
            return _refusal(connection, None, bound)
        if is_storable(call_id):
            held = connection.execute(
                _rows(schema.allocations, ALLOCATION_COLUMNS, call_id)
            ).first()
            if held is not None:
                return _allocation(connection, tuple(held), bound)
            used = connection.execute(_rows(schema.usage, USAGE_COLUMNS, call_id)).first()
            if used is not None:
                return _usage(connection, tuple(used), bound)
        try:
            entry_id = cursors.decode(call_id)
        except BudgetError:
            raise NotFound("call", str(call_id)[:80]) from None
        return _refusal(connection, entry_id, bound)


def _rows(table: Any, columns: Sequence[str], call_id: str) -> Any:
    return select(*(table.c[name] for name in columns)).where(table.c.id == call_id)


# --- Calls that were admitted --------------------------------------------------------------------


def _allocation(connection: Connection, row: tuple[Any, ...], bound: Bound) -> Explanation:
    holding = rows.holding_from_row(row)
    terms = holding.terms
    if not covers(bound, terms.attributes):
        raise NotFound("call", terms.allocation_id)
    updated_us = connection.scalar(select(_a.updated_us).where(_a.id == terms.allocation_id))
    entries = connection.execute(
        around(connection, terms.placed_us, updated_us or terms.placed_us)
        .where(_e.allocation_id == terms.allocation_id)
        .limit(MAX_STEPS)
    ).all()
    limits: tuple[MetLimit, ...] = ()
    if entries:
        met = _met_by(connection, entries[0])
        limits = _limits(connection, met, entries[0], bound)
        limits += _beside(connection, {one.head_id for one in met}, entries[1:], bound)
    return Explanation(
        "admitted", terms.placed_us, terms.actor, "", 1, terms.attributes, terms.allocation_id,
        None, None if terms.rates is None else terms.rates.basis, Held(*terms.first),
        terms.input_tokens, terms.first_granted_output_tokens, limits,
        _steps(connection, entries[1:]),
    )  # fmt: skip


def _beside(
    connection: Connection, held: set[int], entries: Sequence[Any], bound: Bound
) -> tuple[MetLimit, ...]:
    """The limits that usage of another model has met, and the hold has not, by the first such."""
    found: tuple[MetLimit, ...] = ()
    for entry in entries:
        if entry.usage_id is None:
            continue
        met = [one for one in _met_by(connection, entry) if one.head_id not in held]
        held |= {one.head_id for one in met}
        limits = _limits(connection, met, entry, bound) if met else ()
        found += tuple(one._replace(usage_id=entry.usage_id) for one in limits)
    return found


def _usage(connection: Connection, row: tuple[Any, ...], bound: Bound) -> Explanation:
    record = rows.usage_from_row(row)
    if not covers(bound, record.attributes):
        raise NotFound("call", record.usage_id)
    if record.allocation_id is not None:
        held = connection.execute(
            _rows(schema.allocations, ALLOCATION_COLUMNS, record.allocation_id)
        ).first()
        if held is not None:
            return _allocation(connection, tuple(held), bound)._replace(usage_id=record.usage_id)
    entry = connection.execute(select(schema.entries).where(_e.id == row[2])).first()
    limits: tuple[MetLimit, ...] = ()
    if entry is not None:
        limits = _limits(connection, _met_by(connection, entry), entry, bound)
    usage = record.usage
    return Explanation(
        "booked", record.recorded_us, record.actor, " ".join(record.flags), 1, record.attributes,
        None, record.usage_id, record.basis,
        Held(record.cost_nanos, usage.input_tokens + usage.output_tokens, usage.requests),
        usage.input_tokens, usage.output_tokens, limits,
    )  # fmt: skip


def _met_by(connection: Connection, entry: Any) -> list[Met]:
    """The balances that an entry's legs lie on, and what it moved on each."""
    legs = rows.postings_from_json(entry.legs)
    heads = {
        row.id: row
        for row in connection.execute(
            select(_h.id, _h.policy_id, _h.partition).where(_h.id.in_([leg[0] for leg in legs]))
        )
    }
    policies = read_policies(connection, {row.policy_id for row in heads.values()})
    return [
        Met(
            policies[heads[head_id].policy_id], heads[head_id].partition, head_id, cell_us,
            spent + reserved, version, limit,
        )
        for head_id, cell_us, spent, reserved, _, _, version, limit in legs
    ]  # fmt: skip


def _steps(connection: Connection, entries: Sequence[Any]) -> tuple[Step, ...]:
    """What later entries of a call tell."""
    ids = [one.usage_id for one in entries if one.usage_id]
    costs = dict(map(tuple, connection.execute(select(_u.id, _u.cost_nanos).where(_u.id.in_(ids)))))
    steps = []
    for one in entries:
        detail = json.loads(one.detail)
        steps.append(
            Step(
                one.at_us, one.kind, one.actor, one.usage_id, costs.get(one.usage_id),
                tuple(detail.get("flags") or ()), str(detail.get("reason") or ""),
            )
        )  # fmt: skip
    return tuple(steps)


# --- Calls that were refused ---------------------------------------------------------------------


def _refusal(connection: Connection, entry_id: int | None, bound: Bound) -> Explanation:
    wanted = select(schema.entries).where(_e.kind == "refused").order_by(_e.id.desc())
    if entry_id is not None:
        wanted = wanted.where(_e.id == entry_id)
    for entry in connection.execute(wanted):
        detail = json.loads(entry.detail)
        if covers(bound, detail.get("attributes") or {}):
            return _explained(connection, entry, detail, bound)
    if entry_id is None:
        raise NotFound("refusal", LAST_REFUSAL, "Nothing was refused yet.")
    raise NotFound("call", cursors.encode(entry_id))


def _explained(
    connection: Connection, entry: Any, detail: Mapping[str, Any], bound: Bound
) -> Explanation:
    attributes = detail.get("attributes") or {}
    together = connection.execute(
        select(schema.entries).where(
            _e.kind == "refused", _e.id.between(entry.id - 256, entry.id + 256),
            _e.at_us == entry.at_us, _e.actor == entry.actor,
        )
    ).all()  # fmt: skip
    told = {}
    for one in together:
        of = json.loads(one.detail)
        if one.policy_id and (of.get("attributes") or {}) == attributes:
            told[one.policy_id] = of
    met = _matching(connection, attributes, entry.at_us)
    limits = tuple(
        _as_refused(one, told[one.balance.policy.policy_id])
        if one.balance.policy.policy_id in told
        else one
        for one in _limits(connection, met, entry, bound)
    )
    return Explanation(
        "refused", entry.at_us, entry.actor, str(detail.get("code") or "over_limit"),
        int(detail.get("count", 1)), attributes, detail.get("parent_id"), None, None, None, None,
        None, tuple(sorted(limits, key=lambda one: not one.refused)),
    )  # fmt: skip


def _as_refused(one: MetLimit, told: Mapping[str, Any]) -> MetLimit:
    """A limit that refused, with the figures that were kept when it did."""
    kept = {name: told[name] for name in ("limit", "spent", "reserved", "assumed") if name in told}
    return MetLimit(
        one.balance._replace(**kept), told.get("requested"), True, told.get("shortfall", 0)
    )


def _matching(connection: Connection, attributes: Mapping[str, str], at_us: int) -> list[Met]:
    """The balances that such a call met: of policies that were in force then, as scopes are now."""
    budgets = read_budgets(connection, [tuple(row) for row in connection.execute(
        select(schema.budgets))])  # fmt: skip
    found = []
    for budget in budgets:
        if not scope_matches(budget.scope, attributes):
            continue
        for policy in budget.policies:
            if policy.created_us > at_us or (policy.archived_us or at_us + 1) <= at_us:
                continue
            partition = partition_of(policy.partition_by, attributes)
            head_id = connection.scalar(
                select(_h.id).where(_h.policy_id == policy.policy_id, _h.partition == partition)
            )
            balance = Balance(0, policy, partition)
            balance.open(at_us)
            found.append(Met(policy, partition, head_id or 0, balance.start_us, None))
    return found


# --- Figures -------------------------------------------------------------------------------------


def _limits(
    connection: Connection, met: Sequence[Met], entry: Any, bound: Bound
) -> tuple[MetLimit, ...]:
    """Each limit with its balance just before an entry; those that the caller may not see are not
    told.
    """
    budgets = budgets_named(connection, {one.policy.budget_id for one in met})
    seen = [
        one
        for one in met
        if sees_balance(bound, budgets[one.policy.budget_id], one.policy, one.partition)
    ]
    cells = [
        Cells(one.head_id, live_since_us(one.cell_us, one.policy.bucket_us), one.cell_us,
              one.version)
        for one in seen
        if one.head_id
    ]  # fmt: skip
    sums = sums_before(connection, cells, entry.id, entry.at_us)
    return tuple(_limit(one, sums.get(one.head_id, Sums()), budgets, entry.at_us) for one in seen)


def _limit(one: Met, sums: Sums, budgets: Mapping[str, Budget], at_us: int) -> MetLimit:
    policy = one.policy
    if policy.rolling:
        window = Window(
            live_since_us(one.cell_us, policy.bucket_us), one.cell_us + policy.bucket_us
        )
    else:
        window = policy.window_of(one.partition, one.cell_us)
    limit = one.limit
    if limit is None:
        limit = policy.limit_at(at_us) + policy.topped_up(one.partition, window, at_us)
    view = BalanceView(
        policy.terms, budgets[policy.budget_id].name, one.partition, window, limit, *sums
    )
    return MetLimit(view, one.requested)
