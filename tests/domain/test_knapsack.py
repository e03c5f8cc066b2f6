"""The knapsack: the choice of ways is the best there is, and says so only when it is."""

import random
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.knapsack import Rooms, Wanted, Way, best


def test_what_is_worth_most_within_a_limit_is_chosen() -> None:
    # Of 10: the first and the last are worth 5 + 4; either with the second is too much.
    tasks = [_task(5, (5, 6)), _task(5, (6, 7)), _task(5, (4, 4))]
    found = best(tasks, [{5: 10}])
    assert found.ways == (0, None, 0)
    assert found.values == {5: 9}
    assert found.is_best


def test_a_higher_priority_goes_before_any_value_of_a_lower_one() -> None:
    tasks = [_task(1, (1_000_000, 6)), _task(8, (1, 6))]
    found = best(tasks, [{1: 10, 8: 10}])
    assert found.ways == (None, 0)
    assert found.values == {8: 1, 1: 0}


def test_the_dearer_way_is_taken_where_it_is_worth_more_and_fits() -> None:
    assert best([_task(5, (1, 2), (3, 9))], [{5: 9}]).ways == (1,)
    assert best([_task(5, (1, 2), (3, 9))], [{5: 8}]).ways == (0,)
    assert best([_task(5, (1, 2), (3, 9))], [{5: 1}]).ways == (None,)


def test_of_ways_that_are_worth_the_same_the_cheapest_is_taken() -> None:
    assert best([_task(5, (3, 9), (3, 2), (3, 4))], [{5: 100}]).ways == (1,)


def test_what_takes_nothing_of_a_limit_is_done_though_that_is_exceeded() -> None:
    free = Wanted(5, [Way(1, 0, {0: 0})])
    assert best([free], [{5: -7}]).ways == (0,)
    assert best([_task(5, (1, 1))], [{5: -7}]).ways == (None,)


def test_a_share_kept_for_higher_priorities_is_left_alone_by_lower_ones() -> None:
    tasks = [_task(8, (1, 6)), _task(1, (1, 3)), _task(1, (1, 2))]
    # 8 may take 10; with the 6 that it takes, priority 1 has 8 - 6 = 2 left.
    assert best(tasks, [{8: 10, 1: 8}]).ways == (0, None, 0)


def test_every_limit_holds_at_once() -> None:
    both = [Wanted(5, [Way(2, 4, {0: 4, 1: 100})]), Wanted(5, [Way(1, 4, {0: 4})])]
    assert best(both, [{5: 8}, {5: 100}]).ways == (0, 0)
    assert best(both, [{5: 8}, {5: 99}]).ways == (None, 0)
    assert best(both, [{5: 7}, {5: 100}]).ways == (0, None)


def test_tasks_without_a_way_are_not_done_and_nothing_is_an_answer() -> None:
    assert best([Wanted(5, [])], []).ways == (None,)
    assert best([], []).ways == ()


def test_it_is_best_in_two_hundred_small_cases() -> None:
    for seed in range(200):
        tasks, rooms = _case(random.Random(seed))
        found = best(tasks, rooms)
        assert found.is_best
        assert _worth(tasks, rooms, found.ways) == _best_of_all(tasks, rooms), seed


@pytest.mark.faults
def test_it_is_best_in_ten_thousand_small_cases() -> None:
    for seed in range(200, 10_200):
        tasks, rooms = _case(random.Random(seed))
        found = best(tasks, rooms)
        assert found.is_best
        assert _worth(tasks, rooms, found.ways) == _best_of_all(tasks, rooms), seed


AMOUNTS = st.integers(0, 12)
WAYS = st.builds(Way, st.integers(1, 5), AMOUNTS, st.dictionaries(st.integers(0, 1), AMOUNTS))
TASKS = st.lists(
    st.builds(Wanted, st.sampled_from([1, 5, 10]), st.lists(WAYS, max_size=3)), max_size=4
)
ROOM = st.integers(-1, 25).map(lambda room: {10: room, 5: room - 2, 1: room - 4})


@given(TASKS, st.tuples(ROOM, ROOM))
def test_it_is_best_whatever_is_asked(tasks: list[Wanted], rooms: Rooms) -> None:
    found = best(tasks, rooms)
    assert found.is_best
    assert found.at_most == found.values
    assert _worth(tasks, rooms, found.ways) == _best_of_all(tasks, rooms)


def test_what_it_cannot_search_to_the_end_still_fits_and_tells_how_much_it_may_miss() -> None:
    tasks, rooms = _large(random.Random(27), count=12)
    hurried, full = best(tasks, rooms, most_steps=1), best(tasks, rooms)
    worth, most = _worth(tasks, rooms, hurried.ways), _worth(tasks, rooms, full.ways)
    assert worth is not None
    assert most is not None
    assert full.is_best
    assert not hurried.is_best
    assert worth[0] <= most[0] <= tuple(hurried.at_most.values())


def _task(priority: int, *ways: tuple[int, int]) -> Wanted:
    """A task with ways of (value, amount), the amount being what it costs and takes of limit 0."""
    return Wanted(priority, [Way(value, amount, {0: amount}) for value, amount in ways])


def _case(chance: random.Random) -> tuple[list[Wanted], Rooms]:
    tasks = []
    for _ in range(chance.randint(1, 6)):
        ways = []
        for _ in range(chance.randint(0, 3)):
            cost = chance.randint(0, 30)
            met = [limit for limit in range(3) if chance.random() < 0.7]
            takes = {limit: cost if limit else chance.randint(0, 12) for limit in met}
            ways.append(Way(chance.randint(1, 9), cost, takes))
        tasks.append(Wanted(chance.choice([1, 5, 8]), ways))
    rooms = []
    for _ in range(3):
        room, kept = chance.randint(-2, 60), chance.randint(0, 10)
        rooms.append({8: room, 5: room - kept, 1: room - 2 * kept})
    return tasks, rooms


def _large(chance: random.Random, count: int) -> tuple[list[Wanted], Rooms]:
    tasks = []
    for _ in range(count):
        cost, value = chance.randint(100, 10_000), chance.randint(1, 100)
        takes = [{0: cost * 3**n, chance.randint(1, 2): cost * 3**n} for n in range(3)]
        ways = [Way(value + 5 * n, cost * 3**n, takes[n]) for n in range(3)]
        tasks.append(Wanted(5, ways))
    room = sum(task.ways[0].cost_nanos for task in tasks)
    return tasks, [{5: room}, {5: room // 2}, {5: room // 2}]


Worth = tuple[tuple[int, ...], int]


def _worth(tasks: Sequence[Wanted], rooms: Rooms, chosen: Sequence[int | None]) -> Worth | None:
    """The value by priority, the highest first, and minus the cost; None: it does not fit."""
    values = dict.fromkeys(sorted({task.priority for task in tasks}, reverse=True), 0)
    used, cost = [0] * len(rooms), 0
    in_order = sorted(zip(tasks, chosen, strict=True), key=lambda one: -one[0].priority)
    for task, number in in_order:
        if number is None:
            continue
        way = task.ways[number]
        for limit, amount in way.takes.items():
            used[limit] += amount
            if amount and used[limit] > rooms[limit][task.priority]:
                return None
        values[task.priority] += way.value
        cost += way.cost_nanos
    return tuple(values.values()), -cost


def _best_of_all(tasks: Sequence[Wanted], rooms: Rooms) -> Worth | None:
    every = product(*((None, *range(len(task.ways))) for task in tasks))
    return max(filter(None, (_worth(tasks, rooms, chosen) for chosen in every)))
