"""Simulating: limits tried on the past hinder what they would have hindered, and book nothing."""

import random
from typing import Any

import pytest

from budget.domain.answers import Allocation
from budget.domain.answers_trials import Counted, Simulation
from budget.domain.wire.trials import simulation as as_json
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import DAY, HOUR, MILLI, MINUTE, SECOND, Clock, allocated, refused, us

NOON = us("2026-05-15 12:00")
DAILY: dict[str, Any] = {"unit": "usd", "period": "daily"}


def simulate(books: Books, *policies: dict[str, Any], **ask: Any) -> Simulation:
    return books.simulate(since="2026-05-01T00:00:00Z", policies=list(policies), **ask)


def use(books: Books, input_tokens: int, **attributes: str) -> None:
    """Usage of `m` that nobody reserved: 0.001 USD a token."""
    books.record_usage(model="m", input_tokens=input_tokens, attributes=attributes)


@pytest.fixture
def used(light: Books, clock: Clock) -> Books:
    """Ann uses 0.4, 0.5 and 0.3 USD on a day and 0.2 on the next; Bob 0.6 on the first."""
    for user, tokens, wait_us in (
        ("ann", 400, HOUR), ("bob", 600, HOUR), ("ann", 500, HOUR), ("ann", 300, DAY),
        ("ann", 200, HOUR),
    ):  # fmt: skip
        use(light, tokens, user=user)
        clock.move(wait_us)
    return light


def test_a_hard_limit_refuses_what_does_not_fit_and_that_is_not_spent(used: Books) -> None:
    found = simulate(used, {**DAILY, "limit": "1"})
    # 0.4 and 0.6 fit, 0.5 and 0.3 do not; the next day 0.2 fits.
    assert found.total == Counted(5, 2000 * MILLI, 2, 800 * MILLI)
    first_day, second_day = found.days
    assert first_day.counted == Counted(4, 1800 * MILLI, 2, 800 * MILLI)
    assert second_day.counted == Counted(1, 200 * MILLI)
    assert second_day.day_us == us("2026-05-16 00:00")
    assert found.first is not None
    assert (found.first.at_us, found.first.attributes["user"]) == (NOON + 2 * HOUR, "ann")
    assert (found.first.spent, found.first.requested, found.first.shortfall) == (
        1000 * MILLI, 500 * MILLI, 500 * MILLI,
    )  # fmt: skip
    (limit,) = found.limits
    assert limit.fullest is not None
    assert (limit.fullest.at_us, limit.fullest.used) == (NOON + HOUR, 1000 * MILLI)
    by = {(one.key, one.value): one.counted.refused for one in found.groups}
    assert by == {("user", "ann"): 2, ("model", "m"): 2}


def test_each_partition_has_the_limit_for_itself(used: Books) -> None:
    found = simulate(used, {**DAILY, "limit": "0.95"}, per=["user"])
    # Ann: 0.4 and 0.5 fit, 0.3 does not; Bob's 0.6 does.
    assert (found.total.refused, found.total.refused_nanos) == (1, 300 * MILLI)
    assert found.first is not None
    assert found.first.partition == '{"user":"ann"}'


def test_a_scope_chooses_which_calls_it_meets(used: Books) -> None:
    found = simulate(used, {**DAILY, "limit": "0.5"}, scope={"user": "bob"})
    assert (found.total.calls, found.total.refused) == (5, 1)
    (limit,) = found.limits
    assert (limit.counted.calls, limit.counted.refused, limit.fullest) == (1, 1, None)


def test_what_goes_beyond_a_limit_that_refuses_nothing_is_spent_all_the_same(used: Books) -> None:
    found = simulate(used, {**DAILY, "limit": "1", "enforcement": "warn"})
    assert found.total == Counted(5, 2000 * MILLI, 0, 0, 2, 800 * MILLI)
    assert found.first is None
    assert as_json(found)["limits"][0]["fullest"] == {
        "at": "2026-05-15T15:00:00Z", "partition": {},
        "window": {"start": "2026-05-15T00:00:00Z", "end": "2026-05-16T00:00:00Z"},
        "limit": "1.00", "used": "1.80", "used_fraction": "1.8",
    }  # fmt: skip


def test_a_call_asks_for_what_it_held_and_holds_it_until_it_ends(
    light: Books, clock: Clock
) -> None:
    slow = allocated(light, model="m", input_tokens=600, max_output_tokens=0)  # holds 0.6
    clock.move(MINUTE)
    quick = allocated(light, model="m", input_tokens=500, max_output_tokens=0)  # 0.5 beside it
    light.settle(quick.allocation_id, input_tokens=10, output_tokens=0)
    clock.move(MINUTE)
    light.settle(slow.allocation_id, input_tokens=100, output_tokens=0)
    clock.move(MINUTE)
    allocated(light, model="m", input_tokens=700, max_output_tokens=0)  # 0.7 beside 0.1 spent
    found = simulate(light, {**DAILY, "limit": "1"}, until="2026-05-16T00:00:00Z")
    assert (found.total.calls, found.total.refused) == (3, 1)
    assert found.first is not None
    assert found.first.call_id == quick.allocation_id
    assert (found.first.reserved, found.first.spent) == (600 * MILLI, 0)


def test_rolling_limits_and_counts_are_tried_too(used: Books) -> None:
    found = simulate(
        used,
        {"unit": "requests", "period": "rolling:2h", "limit": 2},
        {"unit": "input_tokens", "period": "total", "limit": 10**9},
    )
    # At 12, 13, 14 and 15 h: of any three within two hours the third is refused, so 14 h is.
    assert [one.counted.refused for one in found.limits] == [1, 0]
    assert found.first is not None
    assert found.first.at_us == NOON + 2 * HOUR


def test_an_infinite_limit_refuses_nothing(used: Books) -> None:
    found = simulate(used, {**DAILY, "limit": 10**9}, per=["user"])
    assert (found.total.refused, found.total.over) == (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_the_limits_in_force_refuse_nothing_that_was_admitted_under_them(
    light: Books, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    policies: Any = [
        {**DAILY, "limit": "2"},
        {"unit": "tokens", "period": "rolling:1h", "limit": 1500},
        {"unit": "requests", "period": "hourly", "limit": 6},
    ]
    light.create_budget(name="All", per=["user"], policies=policies)
    open_ids: list[str] = []
    admitted = turned_down = 0
    for _ in range(120):
        clock.move(chance.randrange(1, 10 * MINUTE // SECOND) * SECOND)
        answer = light.allocate(
            model="m", input_tokens=chance.randrange(1, 400), max_output_tokens=50,
            attributes={"user": chance.choice("ab")}, ttl_seconds=3600,
        )  # fmt: skip
        if isinstance(answer, Allocation):
            admitted += 1
            open_ids.append(answer.allocation_id)
        else:
            turned_down += 1
        while len(open_ids) > chance.randrange(4):
            clock.move(SECOND)
            ended = open_ids.pop(chance.randrange(len(open_ids)))
            if chance.random() < 0.2:
                light.release(ended)
            else:  # at times more than it held
                light.settle(ended, input_tokens=chance.randrange(1, 450), output_tokens=10)
        if chance.random() < 0.1:
            light.sweep()
    found = light.simulate()
    assert turned_down > 0
    assert (found.total.calls, found.total.refused) == (admitted, 0)


def test_who_is_bound_tries_on_its_own_calls_alone(used: Books) -> None:
    bound = used.acting_as(Caller("key_1", manage=False, bound={"user": "bob"}))
    assert simulate(bound, {**DAILY, "limit": "0.5"}).total == Counted(
        1, 600 * MILLI, 1, 600 * MILLI
    )


def test_progress_tells_how_many_calls_there_are(used: Books) -> None:
    heard: list[tuple[int, int]] = []
    used.simulate(progress=lambda done, total: heard.append((done, total)))
    assert heard == [(0, 5)]


@pytest.mark.parametrize(
    ("ask", "named"),
    [
        ({"policies": []}, "policies"),
        ({"policies": "5"}, "policies"),
        ({"policies": [5]}, "policies.0"),
        ({"policies": [{**DAILY, "limit": "-1"}]}, "policies.0.limit"),
        ({"policies": [{**DAILY}]}, "policies.0.limit"),
        ({"policies": [{**DAILY, "limit": 1, "colour": 1}]}, "policies.0.colour"),
        ({"policies": [{**DAILY, "limit": 1}], "per": "user"}, "per"),
        ({"policies": [{**DAILY, "limit": 1}], "scope": 1}, "scope"),
        ({"policies": [{**DAILY, "limit": 1}], "budget_id": "bud_1"}, "budget_id"),
        ({"scope": {"user": "x"}}, "scope"),
        ({"since": "soon"}, "since"),
        ({"since": "2026-05-02T00:00:00Z", "until": "2026-05-01T00:00:00Z"}, "since"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_asks_name_their_field(light: Books, ask: dict[str, Any], named: str) -> None:
    assert str(refused(light.simulate, **ask)).startswith(f"{named}: ")
