"""Tables: the same rows for people and for pipes."""

import pytest

from budget.cli.face import Face
from budget.cli.tables import Column, Row, bar, show

COLUMNS = (
    Column("Budget"),
    Column("Team", optional=True),
    Column("Spent", "amount"),
    Column("Resets"),
)
ROWS = [
    Row(("All", "", "8.0334744", "never")),
    Row(("Code", "", "12.50", "never"), "warn"),
    Row(("T", "", "1200", "never"), "over"),
]


def test_a_pipe_gets_plain_text_with_the_points_under_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Face(), COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "Budget  Team         Spent  Resets",
        "All              8.0334744  never",
        "Code            12.50       never",
        "T             1200          never",
    ]


def test_a_terminal_leaves_out_what_says_nothing_and_groups_digits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show(Face(no_color=True), COLUMNS, ROWS)
    shown = capsys.readouterr().out
    assert "Team" not in shown
    assert "1,200" in shown
    assert len({line.index(".") for line in shown.splitlines() if "." in line}) == 1


def test_a_bar_is_ten_cells_and_never_fuller_than_full() -> None:
    assert bar(0.0) == "░" * 10
    assert bar(0.62) == "██████░░░░"
    assert bar(7.5) == "█" * 10
