"""Where a window leads, by a straight line through what is used so far."""

from budget.domain.windows import ALWAYS, Window
from budget.mcp.pace import Pace, projected

HOUR = 3_600_000_000
DAY = Window(10 * HOUR, 34 * HOUR)


def test_at_the_pace_of_six_hours_a_day_comes_to_four_times_as_much() -> None:
    # 30 in 6 of 24 hours: 120 in all; a limit of 100 is reached after 20 hours.
    assert projected(100, 30, DAY, 16 * HOUR) == Pace(120, 30 * HOUR, True)


def test_what_is_not_reached_in_the_window_is_not_reached() -> None:
    assert projected(200, 30, DAY, 16 * HOUR) == Pace(120, None, True)


def test_of_nothing_nothing_comes() -> None:
    assert projected(100, 0, DAY, 16 * HOUR) == Pace(0, None, True)


def test_what_is_reached_is_reached_now() -> None:
    assert projected(100, 100, DAY, 16 * HOUR).reached_us == 16 * HOUR
    assert projected(0, 0, DAY, 16 * HOUR).reached_us == 16 * HOUR


def test_early_in_a_window_a_pace_is_not_sure() -> None:
    # An eighth of 24 hours is 3.
    assert not projected(100, 10, DAY, 12 * HOUR).sure
    assert projected(100, 10, DAY, 13 * HOUR).sure


def test_at_the_very_start_nothing_breaks() -> None:
    assert projected(10**18, 5, DAY, 10 * HOUR).at_end == 5 * 24 * HOUR


def test_a_window_without_an_end_leads_nowhere() -> None:
    assert projected(100, 30, ALWAYS, 16 * HOUR) == Pace(None, None, False)
    assert projected(100, 130, ALWAYS, 16 * HOUR) == Pace(None, 16 * HOUR, False)
