"""Simulating: limits tried on calls of the past, by the very rules that decide of calls now.

Each call asks for what it held, when it was placed; what it used in the end takes the place of that
when it ended. One that would have been refused uses nothing. Nothing is booked. Windows are counted
from the beginning of the time on. Not here: reading the calls (`past_calls`).
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

from budget.domain.allocations import Held
from budget.domain.answers_trials import (
    Counted,
    Fullest,
    Simulation,
    TriedCall,
    TriedDay,
    TriedGroup,
    TriedLimit,
)
from budget.domain.asks_trials import SimulateAsk
from budget.domain.attributes import parse_per, parse_scope
from budget.domain.balances import Balance, Posting
from budget.domain.budgets import MAX_POLICIES, Budget, Policy
from budget.domain.decide import Refused, place
from budget.domain.errors import InvalidInput
from budget.domain.policy_terms import parse_policy
from budget.domain.rights import UNBOUND, Bound, sees_budget
from budget.domain.windows import MAX_US
from budget.engine import rows
from budget.engine.balances import read_budgets
from budget.engine.catalogue import Catalogue
from budget.engine.fields import chosen_id, only_fields
from budget.engine.past import Progress, span
from budget.engine.past_calls import PastCall, past_calls
from budget.engine.reports.budgets import budget_of
from budget.engine.snapshots import snapshot
from budget.storage import schema
from budget.storage.database import Database

GROUPED_BY: Final = ("user", "team", "component", "model")
MAX_GROUPS: Final = 10
"""How many values of each attribute are told."""

_FIELDS: Final = frozenset(SimulateAsk.__annotations__)


class Asked(NamedTuple):
    """Of which time, which limits (None: those in force), and whose calls."""

    since_us: int
    until_us: int
    proposed: Budget | None
    budget_id: str | None
    bound: Bound


def parse_simulate(ask: Mapping[str, Any], now_us: int, bound: Bound = UNBOUND) -> Asked:
    """What a caller wrote, checked."""
    only_fields(ask, _FIELDS)
    since_us, until_us = span(ask, now_us)
    budget_id = chosen_id(ask, "budget_id")
    policies = ask.get("policies")
    if policies is None:
        for name in ("scope", "per"):
            if ask.get(name) is not None:
                raise InvalidInput(name, "needs policies to try.")
        return Asked(since_us, until_us, None, budget_id, bound)
    if budget_id is not None:
        raise InvalidInput("budget_id", "names the limits in force; leave out policies.")
    return Asked(since_us, until_us, _proposed(ask, policies, since_us), None, bound)


def _proposed(ask: Mapping[str, Any], policies: object, since_us: int) -> Budget:
    if not isinstance(policies, list | tuple) or not 0 < len(policies) <= MAX_POLICIES:
        raise InvalidInput("policies", f"must be a list of 1 to {MAX_POLICIES} policies.")
    per = () if ask.get("per") is None else parse_per(ask["per"])
    return Budget(
        budget_id="proposed",
        name="Proposed",
        scope=parse_scope(ask.get("scope")),
        per=per,
        created_us=since_us,
        updated_us=since_us,
        policies=tuple(
            parse_policy(
                given, policy_id=f"proposed_{number}", budget_id="proposed", per=per,
                now_us=since_us, path=f"policies.{number}.",
            )
            for number, given in enumerate(policies)
        ),
    )  # fmt: skip


def simulate(database: Database, asked: Asked, progress: Progress | None = None) -> Simulation:
    """Try the limits on every call of the time; NotFound for a budget that is not seen."""
    budgets = [asked.proposed] if asked.proposed else _in_force(database, asked)
    trial = Trial(budgets)
    for call in past_calls(database, asked.since_us, asked.until_us, asked.bound, progress):
        trial.take(call)
    return trial.answer(asked.since_us, asked.until_us)


def _in_force(database: Database, asked: Asked) -> list[Budget]:
    table = schema.budgets
    with snapshot(database) as connection:
        if asked.budget_id is not None:
            budget_of(connection, asked.budget_id, asked.bound)
        wanted = table.select().where(table.c.archived_us.is_(None))
        if asked.budget_id is not None:
            wanted = wanted.where(table.c.budget_id == asked.budget_id)
        found = read_budgets(connection, [tuple(row) for row in connection.execute(wanted)])
    return [budget for budget in found if sees_budget(asked.bound, budget)]


class Trial:
    """Limits under trial: takes calls by time and counts what becomes of them."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self._catalogue = Catalogue(0, budgets)
        self._balances: dict[tuple[str, str], Balance] = {}
        self._by_head: dict[int, Balance] = {}
        self._ending: list[tuple[int, int, PastCall, list[Posting]]] = []
        self._taken = 0
        self._total = _Sum()
        self._limits = {
            policy.policy_id: _Limit(policy, budget.name)
            for budget in budgets
            for policy in budget.live_policies
        }
        self._days: dict[int, _Sum] = {}
        self._groups: dict[tuple[str, str], _Sum] = {}
        self._first: TriedCall | None = None

    def take(self, call: PastCall) -> None:
        """Let a call ask; those that ended before it have ended."""
        self._taken += 1
        while self._ending and self._ending[0][0] <= call.at_us:
            _, _, ended, postings = heappop(self._ending)
            self._end(ended, postings)
        balances = self._met(call)
        over = [one for one in balances if _is_over(one, call)]
        decided = place(
            call.asked, _NOTHING_HELD, balances, priority=call.priority, ttl_us=0,
            now_us=call.at_us,
        )  # fmt: skip
        refused: set[str] = set()
        if isinstance(decided, Refused):
            refused = {short.balance.policy.policy_id for short in decided.shortfalls}
            self._first = self._first or _first(call, decided)
        else:
            postings = decided[1]
            for posting in postings:
                balance = self._by_head[posting.head_id]
                balance.post(posting)
                self._limits[balance.policy.policy_id].see(balance, call.at_us)
            if call.ends_us < MAX_US:
                heappush(self._ending, (call.ends_us, self._taken, call, postings))
        self._count(call, balances, refused, {one.policy.policy_id for one in over})

    def _met(self, call: PastCall) -> list[Balance]:
        met = []
        for policy, partition in self._catalogue.match(call.attributes).policies:
            name = (policy.policy_id, partition)
            balance = self._balances.get(name)
            if balance is None:
                balance = self._balances[name] = Balance(len(self._balances), policy, partition)
                self._by_head[balance.id] = balance
            balance.open(call.at_us)
            met.append(balance)
        return met

    def _end(self, call: PastCall, postings: Iterable[Posting]) -> None:
        """What it used takes the place of what it held."""
        for head_id, cell_us, _, held, _, _ in postings:
            balance = self._by_head[head_id]
            policy = balance.policy
            spent = call.used[policy.unit_index] or 0
            assumed = held - spent if call.kept and policy.on_expiry == "assume" else 0
            balance.post(Posting(head_id, cell_us, spent, -held, max(0, assumed)))
            self._limits[policy.policy_id].see(balance, call.ends_us)

    def _count(
        self, call: PastCall, balances: Iterable[Balance], refused: set[str], over: set[str]
    ) -> None:
        cost, any_refused = call.cost_nanos, bool(refused)
        any_over = bool(over) and not any_refused
        self._total.add(cost, any_refused, any_over)
        day_us = call.at_us - call.at_us % rows.DAY_US
        if day_us not in self._days:
            self._days[day_us] = _Sum()
        self._days[day_us].add(cost, any_refused, any_over)
        for balance in balances:
            policy_id = balance.policy.policy_id
            is_over = policy_id in over and not any_refused
            self._limits[policy_id].sum.add(cost, policy_id in refused, is_over)
        for key in GROUPED_BY:
            value = call.attributes.get(key)
            if value is not None:
                group = self._groups.get((key, value))
                if group is None:
                    group = self._groups[key, value] = _Sum()
                group.add(cost, any_refused, any_over)

    def answer(self, since_us: int, until_us: int) -> Simulation:
        """What became of the calls; those under way at the end have ended too."""
        while self._ending and self._ending[0][0] < until_us:
            _, _, ended, postings = heappop(self._ending)
            self._end(ended, postings)
        return Simulation(
            since_us,
            until_us,
            self._total.counted,
            tuple(one.answer() for one in self._limits.values()),
            tuple(TriedDay(day_us, one.counted) for day_us, one in sorted(self._days.items())),
            tuple(self._worst()),
            self._first,
        )

    def _worst(self) -> Iterable[TriedGroup]:
        for wanted in GROUPED_BY:
            groups = [
                TriedGroup(key, value, one.counted)
                for (key, value), one in self._groups.items()
                if key == wanted and (one.refused or one.over)
            ]
            groups.sort(key=lambda one: (-one.counted.refused, -one.counted.over, one.value))
            yield from groups[:MAX_GROUPS]


class _Sum:
    """`Counted`, as it grows."""

    __slots__ = ("calls", "cost", "over", "over_cost", "refused", "refused_cost")

    def __init__(self) -> None:
        self.calls = self.cost = self.refused = self.refused_cost = self.over = self.over_cost = 0

    def add(self, cost_nanos: int, refused: bool, over: bool) -> None:
        self.calls += 1
        self.cost += cost_nanos
        if refused:
            self.refused += 1
            self.refused_cost += cost_nanos
        elif over:
            self.over += 1
            self.over_cost += cost_nanos

    @property
    def counted(self) -> Counted:
        return Counted(
            self.calls, self.cost, self.refused, self.refused_cost, self.over, self.over_cost
        )


class _Limit:
    """A limit under trial: the calls that it met, and its fullest moment so far."""

    def __init__(self, policy: Policy, budget: str) -> None:
        self.policy = policy
        self.budget = budget
        self.sum = _Sum()
        self._fullest: Fullest | None = None

    def see(self, balance: Balance, at_us: int) -> None:
        """Note how full a balance is, if no other was so full before."""
        used, best = balance.total, self._fullest
        if used > 0 and (best is None or used * best.limit > best.used * balance.limit):
            self._fullest = Fullest(at_us, balance.partition, balance.window, balance.limit, used)

    def answer(self) -> TriedLimit:
        policy = self.policy
        return TriedLimit(policy.terms, self.budget, policy.limit, self.sum.counted, self._fullest)


_NOTHING_HELD: Final = Held()


def _is_over(balance: Balance, call: PastCall) -> bool:
    """Whether a call goes beyond a limit that refuses nothing."""
    policy = balance.policy
    asked = call.asked[policy.unit_index] or 0
    return bool(asked) and not policy.hard and asked > balance.room(call.priority)


def _first(call: PastCall, refused: Refused) -> TriedCall:
    short = refused.shortfalls[0]
    return TriedCall(
        call.at_us, call.call_id, call.attributes, short.balance.policy.policy_id,
        short.balance.partition, short.limit, short.spent, short.reserved, short.assumed,
        short.requested, short.short,
    )  # fmt: skip
