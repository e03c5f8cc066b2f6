"""Each message arrives one to five times, in any order, from several threads and two processes."""

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Databases, SqliteDatabases
from tests.support.nursery import Nursery
from tests.support.oracle import Books, balances, misposted, read_books
from tests.support.results import report
from tests.support.workers import Act, Outcome, Team, migrate, shuffled

CALLS = 40
COUNT = "tests.support.workers:count_troubles"
ATTRIBUTES = {"org": "echo", "task": "t1"}

# Warn, so that nothing is refused: what is looked for is how often things happen.
BUDGET = {
    "name": "echo",
    "scope": {"org": "echo"},
    "policies": [
        {"unit": "usd", "period": "total", "limit": 1000, "enforcement": "hard_limit"},
        {"unit": "requests", "period": "total", "limit": 10**6, "enforcement": "warn"},
    ],
}


def messages(rng: random.Random) -> dict[str, Act]:
    """Every message by a name of its own; (n + 1) tokens and 0.01 x (n + 1) USD for call n."""
    found: dict[str, Act] = {}
    for n in range(CALLS):
        hold = f"hold-{n}"
        ask: dict[str, Any] = {"attributes": ATTRIBUTES, "usd": "1", "allocation_id": hold}
        if rng.random() < 0.5:
            ask["idempotency_key"] = f"key {hold}"
        found[f"{n} place"] = ("allocate", ask)
        usage: dict[str, Any] = {
            "allocation_id": hold, "input_tokens": n + 1, "output_tokens": 0,
            "cost": f"{(n + 1) / 100:.2f}",
        }  # fmt: skip
        # Four ways to say that a message is the same: its id, a key, both, or its content.
        if n % 4 in (0, 2):
            usage["usage_id"] = f"use-{n}"
        if n % 4 in (1, 2):
            usage["idempotency_key"] = f"key use-{n}"
        found[f"{n} settle"] = ("settle", usage)
        if n % 5 == 4:
            found[f"{n} free"] = (
                "record_usage",
                {
                    "attributes": ATTRIBUTES, "input_tokens": 1, "output_tokens": 0, "cost": "0.1",
                    "idempotency_key": f"key free-{n}",
                },
            )  # fmt: skip
    for n in range(CALLS, CALLS + 10):
        hold = f"hold-{n}"
        found[f"{n} place"] = (
            "allocate",
            {"attributes": ATTRIBUTES, "usd": "1", "allocation_id": hold},
        )
        found[f"{n} release"] = (
            "release",
            {"allocation_id": hold, "idempotency_key": f"key release-{n}"},
        )
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_a_message_that_comes_up_to_five_times_has_one_effect(
    databases: Databases, nursery: Nursery, folder: Path, seed: int
) -> None:
    rng = random.Random(seed)
    sent = messages(rng)
    mail = shuffled(
        [(name, {}) for name in sent for _ in range(rng.randint(1, 5))],
        seed,
    )
    url = databases.new(migrate)
    with Team(nursery, folder, 2).open(url) as team:
        team.workers[0].do("tests.support.races:create_budgets", [BUDGET])
        outcomes = team.make_calls([sent[name] for name, _ in mail], threads=8)
        heard: dict[str, list[Outcome]] = defaultdict(list)
        for (name, _), outcome in zip(mail, outcomes, strict=True):
            heard[name].append(outcome)
        # What came before its hold was turned away (404): its sender tries once more.
        again = team.make_calls(list(sent.values()), threads=1)
        for name, outcome in zip(sent, again, strict=True):
            heard[name].append(outcome)
        late = team.make_calls(list(sent.values()), threads=1)
        changes = [_changed(act) for act in sent.values() if _named(act)]
        changed = team.make_calls(changes, threads=8)
        found = team.workers[0].do("tests.support.workers:verify")
    books = read_books(url)
    done = {name: [o for o in told if o.kind == "ok"] for name, told in heard.items()}
    firsts = {name: sum(not o.replayed for o in told) for name, told in done.items()}
    ids = {name: {o.id for o in told} for name, told in done.items()}
    strange = [o for told in heard.values() for o in told if (o.kind, o.code) not in EXPECTED]
    report(
        f"duplicates, {databases.engine}, seed {seed}",
        messages=len(sent),
        sent=len(mail) + 2 * len(sent),
        effects=sum(firsts.values()),
        dup=sum(max(0, count - 1) for count in firsts.values()),
        lost=sum(count == 0 for count in firsts.values()),
    )
    assert strange == []
    assert {name: count for name, count in firsts.items() if count != 1} == {}
    assert {name: found for name, found in ids.items() if len(found) != 1} == {}
    assert [o for o in late if not (o.kind == "ok" and o.replayed)] == []
    assert {(o.kind, o.code) for o in changed} <= {("error", "idempotency_key_reused")}
    assert_books_hold_each_effect_once(books)
    assert misposted(books) == []
    assert found == []


EXPECTED = {
    ("ok", "open"), ("ok", "settled"), ("ok", "released"), ("ok", ""), ("ok", "unreserved"),
    ("error", "not_found"),
}  # fmt: skip


def _named(act: Act) -> bool:
    return bool({"idempotency_key", "usage_id"} & act[1].keys()) and act[0] != "release"


def _changed(act: Act) -> Act:
    """The same key or id with another payload."""
    name, ask = act
    return name, {**ask, "metadata": {"changed": True}}


def assert_books_hold_each_effect_once(books: Books) -> None:
    """50 holds, 40 settled and 10 released; 40 + 8 records; money to the nano."""
    assert Counter(row[1] for row in books.allocations) == Counter(settled=40, released=10)
    assert len(books.usage) == 48
    assert Counter(row[1] for row in books.entries if row[1] in ("settled", "released")) == Counter(
        settled=40, released=10
    )
    figures = sorted(balances(books).values())
    # 0.01 x (1 + 2 + ... + 40) = 8.20 USD settled, 8 x 0.10 reported; 40 + 8 requests.
    assert figures == [(48, 0, 0), (9_000_000_000, 0, 0)]


def test_two_processes_that_choose_the_same_id_at_once_hear_of_one_effect(
    databases: Databases, nursery: Nursery, folder: Path
) -> None:
    """Neither sees the other's row until it is committed: who comes second must look again."""
    names = [f"same-{n}" for n in range(60)]
    acts: list[Act] = []
    for name in names:
        usage = {"attributes": ATTRIBUTES, "input_tokens": 1, "output_tokens": 0, "cost": "0.1"}
        place: Act = ("allocate", {"allocation_id": name, "attributes": ATTRIBUTES, "usd": "0.1"})
        acts += [place, place, *[("record_usage", {**usage, "usage_id": name})] * 2]
    url = databases.new(migrate)
    with Team(nursery, folder, 2).open(url) as team:
        team.workers[0].do("tests.support.races:create_budgets", [BUDGET])
        team.each(COUNT, [()] * 2)
        # Dealt in turn: each process gets one of each pair.
        outcomes = team.make_calls(acts, threads=1, patient=False)
        collisions = sum(sum(count.values()) for count in team.each(COUNT, [()] * 2))
    books = read_books(url)
    report(
        f"the same id at once, {databases.engine}", sent=len(acts), collisions=collisions,
        effects=len(books.allocations) + len(books.usage),
    )  # fmt: skip
    assert [o for o in outcomes if o.kind != "ok"] == []
    for first, second in zip(outcomes[::2], outcomes[1::2], strict=True):
        assert first.id == second.id
        assert first.replayed + second.replayed == 1
    assert len(books.allocations) == len(books.usage) == len(names)


def test_a_ledger_that_forgets_keys_books_some_messages_twice(
    sqlite_databases: SqliteDatabases, nursery: Nursery, folder: Path
) -> None:
    act: Act = (
        "record_usage",
        {
            "attributes": ATTRIBUTES, "input_tokens": 1, "output_tokens": 0, "cost": "0.1",
            "idempotency_key": "the same",
        },
    )  # fmt: skip
    url = sqlite_databases.new(migrate)
    with Team(nursery, folder, 2, sabotage="forget keys").open(url) as team:
        team.workers[0].do("tests.support.races:create_budgets", [BUDGET])
        outcomes = team.make_calls([act] * 10, threads=3)
    effects = len(read_books(url).usage)
    report("control: keys forgotten", sent=10, effects=effects)
    assert {outcome.kind for outcome in outcomes} == {"ok"}
    assert effects > 1
