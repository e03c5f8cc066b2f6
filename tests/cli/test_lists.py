"""Long lists are put together from pages, as many items as are wanted."""

from pathlib import Path

import pytest

from budget.cli.face import Face
from budget.cli.lists import PAGE, gather, moment, spoken
from budget.domain.answers_pages import Page
from budget.domain.errors import InvalidInput
from budget.domain.windows import MAX_US


class Pages:
    """A list of so many numbers, read in pages of at most a few; what was asked for is kept."""

    def __init__(self, count: int, most: int) -> None:
        self.count, self.most = count, most
        self.asked: list[int] = []

    def read(self, limit: int, cursor: str | None) -> Page[int]:
        """A page."""
        self.asked.append(limit)
        start = int(cursor or 0)
        end = min(self.count, start + min(limit, self.most))
        return Page(list(range(start, end)), str(end) if end < self.count else None)


def test_all_pages_are_read() -> None:
    pages = Pages(7, 3)
    assert gather(pages.read) == Page(list(range(7)), None)
    assert pages.asked == [PAGE, PAGE, PAGE]


def test_no_more_is_read_than_is_wanted() -> None:
    pages = Pages(7, 3)
    assert gather(pages.read, 5) == Page([0, 1, 2, 3, 4], "5")
    assert pages.asked == [5, 2]
    assert gather(Pages(7, 3).read, 7).next_cursor is None


@pytest.mark.parametrize("most", [0, -1])
def test_a_limit_that_is_none_is_refused(most: int) -> None:
    with pytest.raises(InvalidInput, match="--limit: must be 1 or more"):
        gather(Pages(7, 3).read, most)


def test_an_instant_is_spoken_in_the_time_zone_of_the_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spoken(1_700_000_001_500_000) == "2023-11-14 22:13 UTC"
    monkeypatch.setenv("BUDGET_TIMEZONE", "Europe/Berlin")
    assert spoken(1_700_000_001_500_000) == "2023-11-14 23:13 CET"


def test_an_instant_is_whole_for_programs(home: Path) -> None:
    at_us = 1_700_000_001_500_000  # 2023-11-14 22:13:21.5 UTC
    assert moment(Face(), at_us) == "2023-11-14T22:13:21.500000Z"
    assert moment(Face(), None) == ""
    assert moment(Face(), MAX_US, "never") == "never"
