"""Planning: which of several tasks are done, and by which model, within the limits as they stand.

Every call is priced as `allocate` would hold it, and meets the hard limits that it would meet. Not
here: the search for the best (`domain.knapsack`), which ways a task has (`task_ways`), what people
are told of it (`plan_words`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import select

from budget.domain.answers_plans import (
    Lack,
    MovedTask,
    OneMore,
    Plan,
    PlannedLimit,
    PlannedTask,
    PlannedValue,
)
from budget.domain.balances import Balance
from budget.domain.knapsack import MOST_STEPS, Found, Wanted, Way, best
from budget.domain.money import NANOS_PER_USD
from budget.domain.rights import Bound, sees_balance
from budget.engine import rows
from budget.engine.balances import heads_of, read_budgets
from budget.engine.catalogue import Catalogue
from budget.engine.plan_words import Lacking, why_done, why_undone
from budget.engine.snapshots import snapshot
from budget.engine.task_ways import Candidate, Task
from budget.storage import schema
from budget.storage.database import Database

_LIVE: Final = select(schema.budgets).where(schema.budgets.c.archived_us.is_(None))


class Limit(NamedTuple):
    """A hard limit that a task meets; `budget` is its name, None if the caller may not see it."""

    balance: Balance
    budget: str | None


class Limits:
    """The hard limits of the books at one moment, each as soon as a call meets it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._places: dict[tuple[str, str], int] = {}
        self.met: list[Balance] = []

    def takes(self, candidate: Candidate) -> dict[int, int]:
        """What a way takes of which limit."""
        taken = {}
        for policy, partition in self._catalogue.match(candidate.attributes).policies:
            if policy.hard:
                name = (policy.policy_id, partition)
                place = self._places.setdefault(name, len(self.met))
                if place == len(self.met):
                    self.met.append(Balance(0, policy, partition))
                taken[place] = candidate.amounts[policy.unit_index] or 0
        return taken

    def seen(self, bound: Bound) -> list[Limit]:
        """All that were met, as the caller may know them."""
        budgets = self._catalogue.budgets
        return [
            Limit(one, budgets[one.policy.budget_id].name
                  if sees_balance(bound, budgets[one.policy.budget_id], one.policy, one.partition)
                  else None)
            for one in self.met
        ]  # fmt: skip


def plan(database: Database, tasks: Sequence[Task], bound: Bound) -> Plan:
    """The plan of tasks that is worth most."""
    now_us = database.now_us()
    with snapshot(database) as connection:
        found = [tuple(row) for row in connection.execute(_LIVE)]
        limits = Limits(Catalogue(0, read_budgets(connection, found)))
        wanted = [_wanted(task, limits) for task in tasks]
        places = {(one.policy.policy_id, one.partition): n for n, one in enumerate(limits.met)}
        for row in heads_of(connection, {policy_id for policy_id, _ in places}):
            place = places.get((row[1], row[2]))
            if place is not None:
                limits.met[place] = rows.balance_from_row(row, limits.met[place].policy)
    for balance in limits.met:
        balance.open(now_us)
    return _planned(tasks, wanted, limits.seen(bound), now_us)


def _wanted(task: Task, limits: Limits) -> Wanted:
    return Wanted(
        task.priority,
        [Way(one.value, one.hold_nanos, limits.takes(one)) for one in task.candidates],
    )


def _planned(
    tasks: Sequence[Task], wanted: Sequence[Wanted], limits: Sequence[Limit], now_us: int
) -> Plan:
    priorities = sorted({task.priority for task in tasks})
    rooms = [{one: limit.balance.room(one) for one in priorities} for limit in limits]
    found = best(wanted, rooms)
    taken = _taken(wanted, found, len(limits))
    planned = tuple(
        _undone(task, ways, taken, limits) if way is None else _done(task, task.candidates[way])
        for task, ways, way in zip(tasks, wanted, found.ways, strict=True)
    )
    return Plan(
        now_us,
        found.is_best,
        sum(task.hold_nanos for task in planned),
        _values(found),
        planned,
        tuple(
            PlannedLimit(limit.balance.policy.terms, limit.budget, limit.balance.partition,
                         limit.balance.limit, max(0, limit.balance.room(10)), takes)
            for limit, takes in zip(limits, taken, strict=True)
            if limit.budget is not None
        ),
        _one_more(tasks, wanted, found, limits, rooms),
    )  # fmt: skip


def _taken(wanted: Sequence[Wanted], found: Found, limits: int) -> list[int]:
    taken = [0] * limits
    for task, way in zip(wanted, found.ways, strict=True):
        if way is not None:
            for limit, amount in task.ways[way].takes.items():
                taken[limit] += amount
    return taken


def _values(found: Found) -> tuple[PlannedValue, ...]:
    return tuple(
        PlannedValue(priority, value, max(value, found.at_most[priority]))
        for priority, value in found.values.items()
    )


def _one_more(
    tasks: Sequence[Task],
    wanted: Sequence[Wanted],
    found: Found,
    limits: Sequence[Limit],
    rooms: Iterable[Mapping[int, int]],
) -> OneMore | None:
    """What one more USD buys, where money is what keeps something from being done (better)."""
    if not any(limit.balance.policy.unit == "usd" for limit in limits):
        return None
    raised = [
        {one: room + NANOS_PER_USD * (limit.balance.policy.unit == "usd")
         for one, room in of_limit.items()}
        for limit, of_limit in zip(limits, rooms, strict=True)
    ]  # fmt: skip
    more = best(wanted, raised, MOST_STEPS // 3)
    moved = [
        MovedTask(task.task_id, _model(task, before), _model(task, after))
        for task, before, after in zip(tasks, found.ways, more.ways, strict=True)
        if before != after
    ]
    # Where the search is cut short, more room may find less.
    is_more = tuple(more.values.values()) > tuple(found.values.values())
    return OneMore(_values(more), tuple(moved)) if is_more else OneMore(_values(found), ())


def _model(task: Task, way: int | None) -> str | None:
    return None if way is None else task.candidates[way].name


def _done(task: Task, chosen: Candidate) -> PlannedTask:
    return _told(task, why_done(task, chosen))._replace(
        value=chosen.value,
        provider=chosen.provider,
        model=chosen.model,
        tier=chosen.tier,
        hold_nanos=chosen.hold_nanos,
        tokens=chosen.amounts.tokens or 0,
    )


def _undone(
    task: Task, wanted: Wanted, taken: Sequence[int], limits: Sequence[Limit]
) -> PlannedTask:
    """A task that is not done, with what the way that is nearest to fitting lacks."""
    if not wanted.ways:
        return _told(task, why_undone(task, None, (), is_crowded_out=False))
    rooms = [limit.balance.room(task.priority) for limit in limits]
    left = [room - amount for room, amount in zip(rooms, taken, strict=True)]
    nearest = min(
        zip(wanted.ways, task.candidates, strict=True),
        key=lambda one: (len(_lacking(one[0], left, limits)), one[0].cost_nanos),
    )
    way, candidate = nearest
    alone = _lacking(way, rooms, limits)
    lacking = alone or _lacking(way, left, limits)
    words = why_undone(task, candidate, lacking, is_crowded_out=not alone)
    return _told(task, words)._replace(lacks=tuple(one.lack for one in lacking))


def _lacking(way: Way, free: Sequence[int], limits: Sequence[Limit]) -> list[Lacking]:
    """What a way lacks of which limits."""
    found = []
    for place, amount in way.takes.items():
        there = max(0, free[place])
        if amount > there:
            found.append(Lacking(_lack(limits[place], amount - there), amount, there))
    return found


def _lack(limit: Limit, amount: int) -> Lack:
    if limit.budget is None:
        return Lack(None, None, None)
    return Lack(limit.balance.policy.terms, limit.budget, amount)


def _told(task: Task, why: str) -> PlannedTask:
    return PlannedTask(
        task.task_id, task.priority, 0, task.most_value, None, None, None, task.calls,
        task.input_tokens, task.max_output_tokens, 0, 0, why, (), len(task.candidates),
        task.excluded,
    )  # fmt: skip
