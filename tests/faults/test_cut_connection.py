"""The connection to PostgreSQL is cut at every point of an exchange: what is said of it is true."""

from collections import Counter
from typing import Any

import pytest

from budget.engine.budget import Budget
from budget.engine.writer import Writer
from tests.support import sabotage
from tests.support.databases import PostgresDatabases
from tests.support.oracle import misposted, read_books
from tests.support.proxy import Proxy
from tests.support.results import report
from tests.support.workers import Act, Outcome, attempt, migrate, verify

BUDGET: dict[str, Any] = {
    "name": "cut",
    "scope": {"org": "cut"},
    "policies": [{"unit": "tokens", "period": "total", "limit": 10**9}],
}


def acts_of(name: str) -> tuple[Act, Act]:
    """A hold, and what settles it."""
    return (
        ("allocate", {"allocation_id": name, "attributes": {"org": "cut"}, "tokens": 5}),
        ("settle", {"allocation_id": name, "input_tokens": 3, "output_tokens": 0, "cost": "0.01"}),
    )


def wrongly_told(cut: Outcome, again: Outcome) -> str | None:
    """What the first answer got wrong, seen from that to the same message sent again."""
    if again.kind != "ok":
        return f"sent again it is {again.kind} {again.code}"
    if cut.kind == "ok" and not again.replayed:
        return "it was acknowledged and is lost"
    if cut.kind == "unavailable" and again.replayed:
        return "nothing was booked, it was said, and it was"
    if cut.kind not in ("ok", "unavailable", "unknown"):
        return f"it was answered {cut.kind} {cut.code}: {cut.detail}"
    return None


class Cut:
    """What was told and what was true, over many cuts."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.booked: Counter[bool] = Counter()
        self.wrong: list[str] = []
        self.names: list[str] = []
        self.exchange_bytes = 0


def cut_everywhere(proxy: Proxy, budget: Budget, way: str, points: int) -> Cut:
    """Cut the connection after 0 bytes of a call, then after more, and send each message again."""
    done = Cut()
    passed = 0
    for act in (*acts_of("warm"), *acts_of("measured")):
        passed = proxy.passed[way]
        assert attempt(budget, act).kind == "ok"
    done.exchange_bytes = proxy.passed[way] - passed
    # One step more than the exchange: the answer has left by then, and the next call meets the cut.
    step = max(1, done.exchange_bytes // points)
    for after_bytes in range(0, done.exchange_bytes + step, step):
        name = f"h{after_bytes}"
        done.names.append(name)
        for act in acts_of(name):
            proxy.cut(way, after_bytes)
            cut = attempt(budget, act)
            proxy.heal()
            again = attempt(budget, act)
            done.told[cut.kind] += 1
            if cut.kind == "unknown":
                done.booked[again.replayed] += 1
            if words := wrongly_told(cut, again):
                done.wrong.append(f"{act[0]} cut after {after_bytes} bytes: {words}")
    return done


@pytest.mark.parametrize("way", ["to", "from"])
def test_a_connection_cut_after_any_byte_leaves_one_effect_and_true_answers(
    postgres_databases: PostgresDatabases, way: str, long_run: bool
) -> None:
    url = postgres_databases.new(migrate)
    with Proxy(url) as proxy, Budget.open(proxy.url, sweep=False) as budget:
        budget.create_budget(**BUDGET)
        done = cut_everywhere(proxy, budget, way, 1000 if long_run else 50)
        found = verify(budget)
        cuts = proxy.cuts
    books = read_books(url)
    report(
        f"connection cut, bytes {way} the server",
        cuts=cuts, exchange_bytes=done.exchange_bytes, acked=done.told["ok"],
        unavailable=done.told["unavailable"], unknown=done.told["unknown"],
        unknown_booked=done.booked[True], unknown_not_booked=done.booked[False],
        wrong=len(done.wrong),
    )  # fmt: skip
    assert done.wrong == []
    assert cuts > 50
    assert Counter(row[1] for row in books.entries)["settled"] == len(done.names) + 2
    assert {row[0] for row in books.allocations} == {*done.names, "warm", "measured"}
    assert misposted(books) == []
    assert found == []


def test_a_ledger_that_calls_the_unknown_a_failure_is_found_out(
    postgres_databases: PostgresDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Writer, "_run_batch", Writer._run_batch)  # to have it back afterwards
    sabotage.apply("call the unknown a failure")
    url = postgres_databases.new(migrate)
    with Proxy(url) as proxy, Budget.open(proxy.url, sweep=False) as budget:
        budget.create_budget(**BUDGET)
        done = cut_everywhere(proxy, budget, "from", 25)
    report("control: the unknown called a failure", cuts=2 * len(done.names), wrong=len(done.wrong))
    assert done.wrong
