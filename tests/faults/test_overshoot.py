"""4N concurrent calls against room for exactly N admit exactly N: the ledger's first promise."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import admitted_beyond, misposted, read_books
from tests.support.races import draw_race
from tests.support.results import report
from tests.support.workers import Team, migrate

SEEDS = 20
COUNT = "tests.support.workers:count_troubles"


class Raced:
    """The sums of several races."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.limits: dict[str, int] = {}
        self.over = 0
        self.resent = 0
        self.wrong: list[str] = []


def run_races(team: Team, seeds: range, *, most_room: int = 24) -> Raced:
    """Race after race on the same books, each on budgets of its own."""
    raced = Raced()
    for seed in seeds:
        race = draw_race(seed, most_room=most_room)
        raced.limits |= team.workers[0].do("tests.support.races:create_budgets", race.budgets)
        before = team.make_calls(race.before, threads=8)
        assert {outcome.kind for outcome in before} <= {"ok"}, before
        how = ("threads", "loop")[seed // 2 % 2]
        outcomes = team.make_calls(race.calls, threads=32, how=how)
        kinds = Counter(outcome.kind for outcome in outcomes)
        raced.outcomes += kinds
        over = max(0, kinds["ok"] - race.room)
        raced.over += over
        line = (
            f"seed {seed}, {race.shape}, {how}: {len(race.calls)} calls, room {race.room}, "
            f"admitted {kinds['ok']}, refused {kinds['refused']}, over {over}"
        )
        if kinds != Counter(ok=race.room, refused=3 * race.room):
            strange = [o for o in outcomes if o.kind not in ("ok", "refused")][:3]
            raced.wrong.append(f"{line}, {dict(kinds)}, {strange}")
    raced.resent = team.resent
    return raced


@pytest.mark.parametrize("processes", [1, 3])
def test_four_times_as_many_calls_as_there_is_room_for_fill_it_exactly(
    databases: Databases, nursery: Nursery, folder: Path, processes: int, long_run: bool
) -> None:
    url = databases.new(migrate)
    seeds = range(10 * SEEDS if long_run else SEEDS)
    with Team(nursery, folder, processes).open(url) as team:
        raced = run_races(team, seeds, most_room=250 if long_run else 24)
        found = team.workers[0].do("tests.support.workers:verify")
    books = read_books(url)
    over = raced.over + admitted_beyond(books, raced.limits)
    report(
        f"overshoot, {databases.engine}, {processes} processes",
        seeds=len(seeds),
        admitted=raced.outcomes["ok"],
        refused=raced.outcomes["refused"],
        resent=raced.resent,
        over=over,
    )
    assert raced.wrong == []
    assert over == 0
    assert misposted(books) == []
    assert found == []


# --- Negative controls ---------------------------------------------------------------------------


def test_without_the_admission_check_the_races_overshoot(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    url = sqlite_databases.new(migrate)
    with Team(nursery, folder, 3, sabotage="admit everything").open(url) as team:
        raced = run_races(team, range(2))
    beyond = admitted_beyond(read_books(url), raced.limits)
    report("control: admission check taken out", seeds=2, over=raced.over, beyond=beyond)
    assert raced.over > 0
    assert beyond > 0


def test_without_locks_on_postgres_the_guard_on_versions_catches_the_collisions(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path
) -> None:
    url = postgres_databases.new(migrate)
    seed = over = collisions = 0
    with Team(nursery, folder, 3, sabotage="forget locks").open(url) as team:
        team.each(COUNT, [()] * 3)
        while not collisions and seed < 3 * SEEDS:
            over += run_races(team, range(seed, seed + 1)).over
            collisions = sum(sum(count.values()) for count in team.each(COUNT, [()] * 3))
            seed += 1
    report("control: locks taken out", seeds=seed, over=over, collisions=collisions)
    assert collisions > 0
    assert over == 0


def test_without_locks_and_versions_on_postgres_the_races_overshoot(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path
) -> None:
    url = postgres_databases.new(migrate)
    seed = over = 0
    with Team(nursery, folder, 3, sabotage="forget locks and versions").open(url) as team:
        while not over and seed < 3 * SEEDS:
            over += run_races(team, range(seed, seed + 1)).over
            seed += 1
    report("control: locks and versions taken out", seeds=seed, over=over)
    assert over > 0
