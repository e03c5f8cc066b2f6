"""Ids are unique, and sort in the order they were made in, whatever the clock does."""

import itertools
import time

import pytest

from budget.engine.ids import new_id, new_ids_down
from tests.support.workers import in_threads


def test_ids_made_one_after_another_sort_in_that_order() -> None:
    made = [new_id("use") for _ in range(20_000)]
    assert made == sorted(set(made))


@pytest.mark.parametrize("step_ns", [0, -1_000_000_000])
def test_the_order_holds_while_the_clock_stands_or_is_set_back(
    monkeypatch: pytest.MonkeyPatch, step_ns: int
) -> None:
    times = itertools.count(time.time_ns(), step_ns)
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    made = [new_id("use") for _ in range(1_000)]
    assert made == sorted(set(made))
    assert {len(one) for one in made} == {len("use_") + 32}


def test_threads_make_no_two_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    made: list[list[str]] = [[] for _ in range(8)]

    def make(n: int) -> None:
        made[n].extend(new_id("use") for _ in range(2_000))

    in_threads(make, range(8))
    assert len({one for some in made for one in some}) == 16_000


def test_ids_of_one_moment_come_the_highest_first() -> None:
    made = new_ids_down("pu", 10)
    assert made == sorted(made, reverse=True)
