"""Progress: what a project and its requirements have cost, and how their limits stand.

Calls are of a project by their attribute `project`, of a requirement by `tag.requirement`. Not
here: how requirements become known (`neighbours.telos`), which leaves notes of them.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from budget.domain.answers_progress import (
    LimitProgress,
    ProjectProgress,
    RequirementProgress,
    Spent,
)
from budget.domain.attributes import Condition, parse_value
from budget.domain.balances import Balance
from budget.domain.budgets import Budget, Policy
from budget.domain.errors import Forbidden, NotFound
from budget.domain.rights import UNBOUND, Bound, forced, sees_balance, sees_budget
from budget.domain.windows import MAX_US, Window
from budget.engine import rows, summing
from budget.engine.balances import heads_of, read_budgets
from budget.engine.reports.filters import Calls
from budget.engine.reports.usage import value_of
from budget.engine.snapshots import snapshot
from budget.engine.views import view
from budget.storage import schema
from budget.storage.database import Database

REQUIREMENT: Final = "tag.requirement"
NOTED_BY: Final = "telos"
"""Whose notes tell the titles and states of requirements."""

_OWN: Final = frozenset(("project", REQUIREMENT))
_u, _t, _n = schema.usage.c, schema.usage_tags.c, schema.neighbour_notes.c
_LIVE: Final = select(schema.budgets).where(schema.budgets.c.archived_us.is_(None))


def note_of(project: str, requirement: str | None = None) -> str:
    """Under which name a project, or a requirement of it, is noted."""
    named = f"project/{project}"
    return named if requirement is None else f"{named}/requirement/{requirement}"


Sums = Mapping[str, Spent]
"""What requirements have cost, by their ids."""


def project_progress(
    database: Database,
    project: object,
    bound: Bound = UNBOUND,
    sums: Callable[[Connection, Spent], Sums] | None = None,
) -> ProjectProgress:
    """How a project stands; NotFound if nothing is known of it.

    `sums` may know what its requirements have cost, given what all of it has: to sum that up reads
    every record that names one.
    """
    name, now_us = parse_value(project, "project"), database.now_us()
    try:
        forced({"project": name}, bound)
    except Forbidden:
        raise NotFound("project", name) from None
    with snapshot(database) as connection:
        notes = _notes(connection, name)
        limits = list(_limits(connection, name, bound, now_us))
        total = project_spent(connection, name, bound, now_us)
        spent = sums(connection, total) if sums else requirements_spent(connection, name, bound)
    noted = {} if bound else {of: told for of, told in notes.items() if of is not None}
    if not limits and total == Spent() and (bound or not notes):
        raise NotFound("project", name)
    known = sorted({*noted, *spent, *(one.requirement for one in limits if one.requirement)})
    given = Spent._make(map(sum, zip(Spent(), *spent.values(), strict=True)))
    return ProjectProgress(
        name,
        now_us,
        None if bound else notes.get(None, {}).get("name"),
        total,
        tuple(one.progress for one in limits if one.requirement is None),
        tuple(
            RequirementProgress(
                of,
                noted.get(of, {}).get("title"),
                noted.get(of, {}).get("status"),
                spent.get(of, Spent()),
                tuple(one.progress for one in limits if one.requirement == of),
            )
            for of in known
        ),
        total.minus(given),
    )


# --- Usage ---------------------------------------------------------------------------------------


def _of(project: str) -> tuple[Condition, ...]:
    return (Condition("project", frozenset((project,)), ()),)


def project_spent(
    connection: Connection, project: str, bound: Bound = UNBOUND, now_us: int = MAX_US
) -> Spent:
    """What a project's calls used in all; quick."""
    until_us = min(now_us, MAX_US - 1) + 1
    found = summing.Sums(connection, Calls(_of(project), bound)).total(Window(0, until_us))
    return Spent(found.cost_nanos, found.input_tokens + found.output_tokens, found.requests)


def requirements_spent(
    connection: Connection, project: str, bound: Bound = UNBOUND
) -> dict[str, Spent]:
    """What the calls for each requirement of a project used, by its id."""
    dialect = connection.dialect.name
    wanted = (
        select(
            _t.value,
            func.sum(summing.COST),
            func.sum(_u.input_tokens + _u.output_tokens),
            func.sum(_u.requests),
        )
        .select_from(schema.usage_tags.join(schema.usage, _u.id == _t.usage_id))
        .where(_t.name == REQUIREMENT)
        .where(Calls(_of(project), bound).in_sql(lambda key: value_of(key, dialect)))
        .group_by(_t.value)
    )
    return {of: Spent._make(map(int, sums)) for of, *sums in connection.execute(wanted)}


def _notes(connection: Connection, project: str) -> dict[str | None, Mapping[str, Any]]:
    """What is noted of a project, under None, and of its requirements."""
    whole, prefix = note_of(project), note_of(project, "")
    wanted = select(_n.name, _n.value).where(
        _n.neighbour == NOTED_BY,
        (_n.name == whole) | _n.name.startswith(prefix, autoescape=True),
    )
    return {
        None if name == whole else name[len(prefix) :]: json.loads(value)
        for name, value in connection.execute(wanted)
    }


# --- Limits --------------------------------------------------------------------------------------


class _Limit(NamedTuple):
    """A limit of a project; `requirement` None: of all of it."""

    requirement: str | None
    progress: LimitProgress


def _limits(connection: Connection, project: str, bound: Bound, now_us: int) -> Iterator[_Limit]:
    """The limits that are of a project, or of requirements of it, by budget and policy."""
    found = [tuple(row) for row in connection.execute(_LIVE.order_by(schema.budgets.c.name))]
    budgets = {
        budget.budget_id: budget
        for budget in read_budgets(connection, found)
        if sees_budget(bound, budget) and _may_be_of(budget, project)
    }
    policies = {
        policy.policy_id: policy
        for budget in budgets.values()
        for policy in budget.live_policies
        if set(policy.partition_by) <= _OWN
    }
    for balance in _balances(connection, policies, now_us):
        policy = balance.policy
        budget = budgets[policy.budget_id]
        if not sees_balance(bound, budget, policy, balance.partition):
            continue
        named = _named(budget, balance.partition)
        if named.get("project", project) == project:
            yield _Limit(named.get(REQUIREMENT), _progress(balance, budgets, now_us))


def _may_be_of(budget: Budget, project: str) -> bool:
    condition = next((one for one in budget.scope if one.key == "project"), None)
    if condition is None:
        return "project" in budget.per
    return condition.matches(project) and ("project" in budget.per or _is_one(condition))


def _is_one(condition: Condition) -> bool:
    return len(condition.exact) == 1 and not condition.prefixes


def _named(budget: Budget, partition: str) -> dict[str, str | None]:
    """The project and requirement that a balance is of, where it says so."""
    named: dict[str, str | None] = {
        one.key: min(one.exact) for one in budget.scope if one.key in _OWN and _is_one(one)
    }
    return {**named, **json.loads(partition)}


def _balances(
    connection: Connection, policies: Mapping[str, Policy], now_us: int
) -> Iterable[Balance]:
    unmet = {policy_id for policy_id, one in policies.items() if not one.partition_by}
    found = []
    for row in heads_of(connection, policies):
        unmet.discard(row[1])
        found.append(rows.balance_from_row(row, policies[row[1]]))
    found += [Balance(0, policies[policy_id], "{}") for policy_id in unmet]
    for balance in found:
        balance.open(now_us)
    order = {policy_id: place for place, policy_id in enumerate(policies)}
    return sorted(found, key=lambda one: (order[one.policy.policy_id], one.partition))


def _progress(balance: Balance, budgets: Mapping[str, Budget], now_us: int) -> LimitProgress:
    shown, policy = view(balance, budgets), balance.policy
    spent = shown.spent + shown.assumed
    since_us = max(shown.window.start_us, policy.created_us)
    elapsed_us = now_us - since_us
    if policy.rolling or not spent or elapsed_us <= 0:
        return LimitProgress(shown, None, None)
    ends_us = shown.window.end_us
    left_us = max(0, ends_us - now_us)
    forecast = None if ends_us >= MAX_US else spent + spent * left_us // elapsed_us
    lasts_us = max(0, shown.limit - spent) * elapsed_us // spent
    exhausted_us = now_us + lasts_us if lasts_us < left_us else None
    return LimitProgress(shown, forecast, exhausted_us)
