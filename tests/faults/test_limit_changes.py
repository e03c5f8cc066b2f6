"""A limit is lowered, raised and topped up while three processes spend: each admission meets the
limit in force then.
"""

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.databases import Databases, PostgresDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import Books, misposted, read_books
from tests.support.results import report
from tests.support.workers import Team, attempt, in_threads, migrate

BUDGET = {
    "name": "elastic",
    "scope": {"org": "elastic"},
    "policies": [{"unit": "tokens", "period": "total", "limit": 30}],
}
STALE = "go on with an old catalogue"


def hold_and_release(budget: Any, seed: int, seconds: float) -> dict[str, int]:
    """An errand: six threads hold tokens and return them, so that there is always demand."""
    told: list[Counter[str]] = [Counter() for _ in range(6)]
    until = time.monotonic() + seconds

    def run(n: int) -> None:
        rng = random.Random(f"{seed}-{n}")
        held: list[str] = []
        while time.monotonic() < until:
            ask = {"attributes": {"org": "elastic"}, "tokens": rng.randint(1, 3)}
            outcome = attempt(budget, ("allocate", ask))
            told[n][outcome.kind] += 1
            if outcome.kind == "ok":
                held.append(outcome.id)
            if held and (outcome.kind != "ok" or len(held) > 4):
                attempt(budget, ("release", {"allocation_id": held.pop(0)}))

    in_threads(run, range(6))
    total: Counter[str] = Counter()
    for one in told:
        total += one
    return dict(total)


def move_the_limit(budget: Any, policy_id: str, seconds: float) -> list[tuple[str, int]]:
    """An errand: ("limit", tokens) and ("top-up", tokens), one after the other, as acknowledged."""
    rng = random.Random(1)
    moves: list[tuple[str, int]] = []
    limit = 30
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if rng.random() < 0.3:
            move = ("top-up", rng.randint(1, 3))
            ask = {"amount": move[1], "reason": "drawn at random"}
            outcome = attempt(budget, ("top_up", {"policy_id": policy_id, **ask}))
        else:
            move = ("limit", rng.choice([tokens for tokens in (5, 10, 20, 40) if tokens != limit]))
            ask = {"policy_id": policy_id, "limit": move[1]}
            outcome = attempt(budget, ("change_policy", ask))
            limit = move[1] if outcome.kind == "ok" else limit
        if outcome.kind == "ok":
            moves.append(move)
        time.sleep(0.02)
    return moves


def beyond_the_limit_then(books: Books, moves: list[tuple[str, int]]) -> tuple[int, int]:
    """Admissions, and those that left the balance above the limit in force when they were made."""
    limit, topped_up = 30, 0
    waiting = list(moves)
    limits: dict[int, int] = {}
    postings = []
    for id_, kind, _, _, legs in sorted(books.entries):
        if kind in ("policy_changed", "topped_up"):
            move, amount = waiting.pop(0)
            assert move == ("limit" if kind == "policy_changed" else "top-up")
            limit, topped_up = (amount, topped_up) if move == "limit" else (
                limit, topped_up + amount
            )  # fmt: skip
        limits[id_] = limit + topped_up
        for _, _, spent, reserved, assumed, _, version, _ in json.loads(legs):
            postings.append((version, id_, kind, spent + reserved + assumed))
    assert not waiting, "a change was acknowledged and is not in the journal"
    total = admitted = beyond = 0
    for _, id_, kind, amount in sorted(postings):
        total += amount
        if kind == "placed":
            admitted += 1
            beyond += total > limits[id_]
    return admitted, beyond


def run_elastic(team: Team, seconds: float) -> tuple[list[tuple[str, int]], Counter[str]]:
    """Move the limit in the first process while the others spend."""
    (policy_id,) = team.workers[0].do("tests.support.races:create_budgets", [BUDGET])
    here = "tests.faults.test_limit_changes"
    mover, *spenders = team.workers
    for seed, spender in enumerate(spenders):
        spender.start(f"{here}:hold_and_release", seed, seconds)
    moves: list[tuple[str, int]] = mover.do(f"{here}:move_the_limit", policy_id, seconds)
    outcomes: Counter[str] = Counter()
    for spender in spenders:
        outcomes.update(spender.finish())
    return moves, outcomes


def test_every_admission_meets_the_limit_in_force_while_the_limit_moves(
    databases: Databases, nursery: Nursery, folder: Path, long_run: bool
) -> None:
    url = databases.new(migrate)
    with Team(nursery, folder, 3).open(url) as team:
        moves, outcomes = run_elastic(team, 60.0 if long_run else 1.5)
        found = team.workers[0].do("tests.support.workers:verify")
    books = read_books(url)
    admitted, beyond = beyond_the_limit_then(books, moves)
    report(
        f"limit moved under load, {databases.engine}",
        moves=len(moves), admitted=admitted, refused=outcomes["refused"], over=beyond,
    )  # fmt: skip
    assert beyond == 0
    assert outcomes.keys() <= {"ok", "refused", "unavailable"}
    assert admitted == outcomes["ok"]
    assert len(moves) > 5
    assert misposted(books) == []
    assert found == []


def test_processes_that_go_on_with_an_old_catalogue_are_found_out(
    postgres_databases: PostgresDatabases, nursery: Nursery, folder: Path
) -> None:
    url = postgres_databases.new(migrate)
    with Team(nursery, folder, 3, sabotage=STALE).open(url) as team:
        moves, _ = run_elastic(team, 1.0)
    _, beyond = beyond_the_limit_then(read_books(url), moves)
    report("control: old catalogue", moves=len(moves), over=beyond)
    assert beyond > 0
