"""Usage and the sweeper meet at the instant a hold expires: it is charged once, whoever wins."""

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from budget.domain.answers import Allocation, Refusal
from budget.engine.budget import Budget
from budget.storage.errors import Transient
from budget.storage.sqlite_unit import SqliteUnit
from tests.support.databases import Databases, SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import balances, misposted, read_books
from tests.support.results import report
from tests.support.workers import Act, Team, in_threads, migrate, verify

START_US = 1_790_000_000_000_000
TTL_US = 60_000_000


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us


def limited(unit: str, limit: int, on_expiry: str) -> dict[str, object]:
    """A budget with one hard limit."""
    policy = {
        "unit": unit, "period": "total", "limit": limit, "enforcement": "hard_limit",
        "on_expiry": on_expiry,
    }  # fmt: skip
    return {"name": f"{unit} {on_expiry}", "scope": {"org": "race"}, "policies": [policy]}


def hold(budget: Budget, name: str, tokens: int) -> Allocation | Refusal:
    """Hold tokens for one minute."""
    return budget.allocate(
        allocation_id=name, attributes={"org": "race"}, tokens=tokens, ttl_seconds=60
    )


def only_balance(url: str) -> tuple[int, int, int]:
    """(spent, reserved, assumed) of the only balance there is."""
    (found,) = balances(read_books(url)).values()
    return found


@pytest.mark.parametrize("on_expiry", ["assume", "release"])
def test_settling_at_the_instant_of_expiry_races_the_sweeper_and_charges_once(
    databases: Databases, on_expiry: str
) -> None:
    """One microsecond before, at, and one after: only before is it sure who wins."""
    url = databases.new(migrate)
    clock = Clock()
    flags: dict[str, tuple[str, ...]] = {}
    with Budget.open(url, clock=clock, sweep=False) as budget:
        budget.create_budget(**limited("tokens", 10**6, on_expiry))  # type: ignore[arg-type]
        for when, off_us in (("before", -1), ("at", 0), ("after", 1)):
            names = [f"{when}-{n}" for n in range(24)]
            for name in names:
                hold(budget, name, 100)
            clock.now_us += TTL_US + off_us
            race_to_settle(budget, names, flags)
        found = verify(budget)
    books = read_books(url)
    expired = {row[2] for row in books.entries if row[1] == "expired"}
    late = {name for name, told in flags.items() if "late" in told}
    report(
        f"settle at expiry, {on_expiry}, {databases.engine}",
        holds=len(flags), expired=len(expired), late=len(late),
    )  # fmt: skip
    assert late == expired
    assert not any(name.startswith("before") for name in expired)
    assert Counter(row[1] for row in books.allocations) == Counter(settled=72)
    assert only_balance(url) == (72 * 70, 0, 0)
    assert misposted(books) == []
    assert found == []


def race_to_settle(budget: Budget, names: list[str], flags: dict[str, tuple[str, ...]]) -> None:
    """Six threads settle every hold while two of them sweep."""

    def act(n: int) -> None:
        if n < 2:
            for _ in range(5):
                budget.sweep()
        for name in names[n::6]:
            receipt = budget.settle(name, input_tokens=70, output_tokens=0, cost="0")
            flags[name] = receipt.flags

    in_threads(act, range(6))


def test_two_sweeping_processes_and_late_callers_charge_each_call_once(
    databases: Databases, nursery: Nursery, folder: Path
) -> None:
    """The real clock: holds of one second, settled from 0.2 s before to 1 s after their end."""
    url = databases.new(migrate)
    rng = random.Random(7)
    with Team(nursery, folder, 2).open(url) as team:
        team.workers[0].do(
            "tests.support.races:create_budgets", [limited("tokens", 10**6, "assume")]
        )
        names = [f"h{n}" for n in range(60)]
        places: list[Act] = [
            ("allocate", {"allocation_id": n, "attributes": {"org": "race"}, "tokens": 100,
                          "ttl_seconds": 1})
            for n in names
        ]  # fmt: skip
        assert {o.kind for o in team.make_calls(places, threads=8)} == {"ok"}
        rng.shuffle(names)
        settles: list[Act] = [
            ("settle", {"allocation_id": n, "input_tokens": 70, "output_tokens": 0, "cost": 0})
            for n in names
        ]
        time.sleep(0.8)
        outcomes = []
        for start in range(0, 60, 5):  # while each process sweeps once or twice
            outcomes += team.make_calls(settles[start : start + 5], threads=3)
            time.sleep(0.1)
        found = team.workers[0].do("tests.support.workers:verify")
    books = read_books(url)
    expired = sum(row[1] == "expired" for row in books.entries)
    late = sum("late" in o.code for o in outcomes)
    report(f"expiry race, 2 processes, {databases.engine}", holds=60, expired=expired, late=late)
    assert Counter(o.kind for o in outcomes) == Counter(ok=60)
    assert late == expired
    assert only_balance(url) == (60 * 70, 0, 0)
    assert found == []


def test_a_call_that_only_due_holds_stand_against_is_admitted_after_their_sweep(
    databases: Databases,
) -> None:
    url = databases.new(migrate)
    clock = Clock()
    with Budget.open(url, clock=clock, sweep=False) as budget:
        budget.create_budget(**limited("tokens", 100, "release"))  # type: ignore[arg-type]
        assert isinstance(hold(budget, "first", 100), Allocation)
        clock.now_us += TTL_US - 1
        assert isinstance(hold(budget, "too-early", 100), Refusal)
        clock.now_us += 1
        admitted: list[str] = []
        refused: list[str] = []

        def act(n: int) -> None:
            answer = hold(budget, f"next-{n}", 50)
            (admitted if isinstance(answer, Allocation) else refused).append(f"next-{n}")

        in_threads(act, range(8))
    report(f"set aside, {databases.engine}", admitted=len(admitted), refused=len(refused), over=0)
    assert (len(admitted), len(refused)) == (2, 6)
    assert only_balance(url) == (0, 100, 0)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_batch_that_must_be_run_again_still_sets_aside_and_sweeps(
    sqlite_databases: SqliteDatabases, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The batch that sets the call aside collides, or the one after it, which sweeps."""
    url = sqlite_databases.new(migrate)
    clock = Clock()
    commits = 0
    commit = SqliteUnit.commit

    def collide(unit: SqliteUnit) -> None:
        nonlocal commits
        commits += 1
        if commits == failing:
            raise Transient("as when a deadlock was found")
        commit(unit)

    with Budget.open(url, clock=clock, sweep=False) as budget:
        budget.create_budget(**limited("tokens", 100, "release"))  # type: ignore[arg-type]
        hold(budget, "first", 100)
        clock.now_us += TTL_US
        monkeypatch.setattr(SqliteUnit, "commit", collide)
        answer = hold(budget, "next", 100)
    assert isinstance(answer, Allocation)
    assert commits >= 3


def test_duplicates_that_come_after_the_hold_has_expired_change_nothing(
    databases: Databases,
) -> None:
    url = databases.new(migrate)
    clock = Clock()
    with Budget.open(url, clock=clock, sweep=False) as budget:
        budget.create_budget(**limited("tokens", 1000, "assume"))  # type: ignore[arg-type]
        first = hold(budget, "h", 100)
        clock.now_us += TTL_US
        assert budget.sweep() == 1
        again = hold(budget, "h", 100)
        settled = [budget.settle("h", input_tokens=7, output_tokens=0, cost="0") for _ in range(3)]
        last = hold(budget, "h", 100)
        found = verify(budget)
    assert isinstance(first, Allocation)
    assert isinstance(again, Allocation)
    assert isinstance(last, Allocation)
    assert (again.replayed, again.status, again.reserved) == (True, "expired", first.reserved)
    assert [receipt.flags for receipt in settled] == [("late",)] * 3
    assert [receipt.replayed for receipt in settled] == [False, True, True]
    assert (last.replayed, last.status) == (True, "settled")
    assert only_balance(url) == (7, 0, 0)
    assert found == []


def test_a_call_stays_refused_when_the_due_holds_are_assumed_spent(databases: Databases) -> None:
    url = databases.new(migrate)
    clock = Clock()
    with Budget.open(url, clock=clock, sweep=False) as budget:
        budget.create_budget(**limited("tokens", 100, "assume"))  # type: ignore[arg-type]
        hold(budget, "first", 100)
        clock.now_us += TTL_US
        answer = hold(budget, "next", 1)
    assert isinstance(answer, Refusal)
    assert only_balance(url) == (0, 0, 100)


@pytest.mark.parametrize(
    ("on_expiry", "after_expiry", "after_usage"),
    [("assume", (0, 0, 100), (130, 0, 0)), ("release", (0, 0, 0), (130, 0, 0))],
)
def test_usage_that_comes_after_expiry_is_charged_in_full_and_flagged(
    databases: Databases,
    on_expiry: str,
    after_expiry: tuple[int, int, int],
    after_usage: tuple[int, int, int],
) -> None:
    url = databases.new(migrate)
    clock = Clock()
    with Budget.open(url, clock=clock, sweep=False) as budget:
        budget.create_budget(**limited("tokens", 120, on_expiry))  # type: ignore[arg-type]
        hold(budget, "first", 100)
        clock.now_us += TTL_US
        assert budget.sweep() == 1
        assert only_balance(url) == after_expiry
        receipt = budget.settle("first", input_tokens=130, output_tokens=0, cost="0")
        again = budget.settle("first", input_tokens=130, output_tokens=0, cost="0")
        found = verify(budget)
    # 130 used against a limit of 120: 10 beyond it, which only a fact may do.
    assert receipt.flags == ("late", "overrun")
    assert [view.overrun for view in receipt.balances] == [10]
    assert again.replayed
    assert only_balance(url) == after_usage
    assert found == []


def test_many_callers_and_sweepers_find_each_due_hold_expired_once(databases: Databases) -> None:
    url = databases.new(migrate)
    clock = Clock()
    swept = Counter[int]()
    lock = threading.Lock()
    with Budget.open(url, clock=clock, sweep=False) as budget:
        budget.create_budget(**limited("tokens", 10**6, "release"))  # type: ignore[arg-type]
        for n in range(40):
            hold(budget, f"h{n}", 1)
        clock.now_us += TTL_US

        def act(n: int) -> None:
            count = budget.sweep()
            with lock:
                swept[n] += count

        in_threads(act, range(8))
    books = read_books(url)
    assert sum(row[1] == "expired" for row in books.entries) == 40
    assert sum(swept.values()) == 40
    assert only_balance(url) == (0, 0, 0)
