"""The bank: under mixed traffic the levels of a chain show the same totals, in any snapshot."""

import math
import threading
import time
from collections import Counter
from pathlib import Path

from tests.support.churn import Place
from tests.support.databases import Databases, SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import misposted, read_books, snapshot
from tests.support.results import report
from tests.support.workers import Team, migrate

PLACE = Place("bank", teams=3, users=4, chains=False)

# 1 + 3 + 12 balances. Every call names a team and a user, so all traffic passes every level.
LEVELS: list[list[str]] = [[], ["team"], ["team", "user"]]
NAMES = [f"bank level {level}" for level in range(len(LEVELS))]


def bank_budgets(usd: int) -> list[dict[str, object]]:
    """One budget a level, each with the same two limits; the first level meets its own first."""
    return [
        {
            "name": name,
            "scope": {"org": "bank"},
            "per": per,
            "policies": [
                {"unit": unit, "period": "total", "limit": limit}
                for unit, limit in (("usd", usd), ("tokens", 10**9))
            ],
        }
        for name, per in zip(NAMES, LEVELS, strict=True)
    ]


SUMS = """
    SELECT b.name, p.unit, sum(h.spent), sum(h.reserved), sum(h.assumed)
    FROM heads AS h
    JOIN policies AS p ON p.policy_id = h.policy_id
    JOIN budgets AS b ON b.budget_id = p.budget_id
    GROUP BY b.name, p.unit
"""

Sums = dict[tuple[str, str], tuple[int, int, int]]


def unequal_levels(sums: Sums) -> list[str]:
    """Units in which the levels differ, of sums by (budget, unit)."""
    found = []
    for unit in ("usd", "tokens"):
        levels = [sums.get((name, unit), (0, 0, 0)) for name in NAMES]
        if len(set(levels)) > 1:
            found.append(f"{unit}: {levels}")
    return found


def sums_in_one_snapshot(url: str) -> Sums:
    """The sums of each level, read in one transaction."""
    (found,) = snapshot(url, [SUMS])
    return {(row[0], row[1]): (int(row[2]), int(row[3]), int(row[4])) for row in found}


def sums_in_pieces(url: str) -> Sums:
    """The same, one snapshot a level: what an auditor must not do while others write."""
    sums: Sums = {}
    for name in NAMES:
        (found,) = snapshot(url, [SUMS])
        for row in found:
            if row[0] == name:
                sums[row[0], row[1]] = (int(row[2]), int(row[3]), int(row[4]))
        time.sleep(0.005)
    return sums


def sums_of_status(team: Team) -> Sums:
    """The sums of each level, as the last worker's `status` shows them."""
    found: Sums = team.workers[-1].do("tests.faults.test_bank:add_up_status")
    return found


def add_up_status(budget: object) -> Sums:
    """An errand: the balances of `status`, added up by budget and unit."""
    sums: Sums = {}
    for shown in budget.status(org="bank"):  # type: ignore[attr-defined]
        name = (shown.budget, shown.policy.unit)
        before = sums.get(name, (0, 0, 0))
        sums[name] = (
            before[0] + shown.spent, before[1] + shown.reserved, before[2] + shown.assumed
        )  # fmt: skip
    return sums


class Traffic:
    """Churn in all workers of a team but the last, who is left to look on."""

    def __init__(self, team: Team, seconds: float) -> None:
        self.outcomes: Counter[str] = Counter()
        self.surprises: list[str] = []
        team.workers[0].do("tests.support.races:create_budgets", bank_budgets(math.ceil(seconds)))
        self._busy = team.workers[:-1]
        for seed, worker in enumerate(self._busy):
            worker.start("tests.support.churn:churn", PLACE, seed, seconds, 8)
        self._waiter = threading.Thread(target=self._wait)
        self._waiter.start()

    def _wait(self) -> None:
        for worker in self._busy:
            told = worker.finish()
            self.outcomes.update(told["outcomes"])
            self.surprises += told["surprises"]

    @property
    def running(self) -> bool:
        """Whether any worker still writes."""
        return self._waiter.is_alive()


def test_every_snapshot_shows_the_same_totals_on_every_level(
    databases: Databases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    url = databases.new(migrate)
    looks = 0
    wrong: list[str] = []
    # SQLite is for one writing process; a second one is allowed, and tried here.
    with Team(nursery, folder, 3).open(url) as team:
        traffic = Traffic(team, 60.0 if long_run else 2.0)
        while traffic.running:
            wrong += unequal_levels(sums_in_one_snapshot(url))
            wrong += unequal_levels(sums_of_status(team))
            looks += 2
        found = team.workers[0].do("tests.support.workers:verify")
    last = sums_in_one_snapshot(url)
    report(
        f"bank, {databases.engine}",
        looks=looks,
        booked=traffic.outcomes["ok"],
        refused=traffic.outcomes["refused"],
        unequal=len(wrong),
    )
    assert wrong == []
    assert unequal_levels(last) == []
    assert min(figure for sums in last.values() for figure in sums) >= 0
    assert traffic.surprises == []
    assert looks >= 10
    assert traffic.outcomes["ok"] > 100
    assert misposted(read_books(url)) == []
    assert found == []


def test_read_in_pieces_the_levels_differ(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    url = sqlite_databases.new(migrate)
    wrong: list[str] = []
    with Team(nursery, folder, 2).open(url) as team:
        traffic = Traffic(team, 1.0)
        while traffic.running:
            wrong += unequal_levels(sums_in_pieces(url))
    report("control: levels read in pieces", unequal=len(wrong))
    assert wrong
