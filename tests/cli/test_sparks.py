"""Sparklines: a block for each value, as high as it is beside the greatest."""

from budget.cli.sparks import spark


def test_the_greatest_value_has_the_highest_block_and_none_at_all_the_lowest() -> None:
    assert spark([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"


def test_the_least_that_was_spent_is_seen_beside_the_greatest() -> None:
    assert spark([1, 0, 1_000_000_000]) == "▂▁█"


def test_where_nothing_was_spent_the_line_is_flat() -> None:
    assert spark([0, 0, 0]) == "▁▁▁"
    assert spark([]) == ""


def test_what_was_given_back_counts_as_nothing() -> None:
    assert spark([-5, 7]) == "▁█"


def test_more_values_than_cells_are_added_up_by_neighbours() -> None:
    # 7 values in 3 cells are runs of 3, the first of which is shorter: 1 | 0+0+0 | 1+3+3
    assert spark([1, 0, 0, 0, 1, 3, 3], cells=3) == "▂▁█"
    assert spark([1, 2], cells=5) == "▄█"
