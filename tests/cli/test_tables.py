"""Tables: the same rows for people and for pipes, on terminals wide and narrow."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest
from rich.cells import cell_len

from budget.cli import replay_report, status
from budget.cli.face import Face
from budget.cli.tables import Column, Row, bar, show
from budget.engine.budget import Budget
from tests.support.command import clean_environ, command

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


def test_a_pipe_gets_plain_text_with_points_under_each_other_and_counts_at_the_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Face(), COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "Budget  Team       Spent  Resets",
        "All            8.0334744  never",
        "Code          12.50       never",
        "T                   1200  never",
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


# --- Terminals that are too narrow ---------------------------------------------------------------

LONG = "Default Budget (provider openai, component code)"
BALANCES = [
    Row((LONG, "", "daily", "usd", "4.033474401", "0.25", "0.00", "5.00", "0.716525599", "80.6",
         "████████░░", "2026-11-26 00:00 UTC, in 4 h 39 min"), "warn"),
    Row(("Sample", "session=replay-0123456789abcdef", "monthly", "input_tokens", "1234567", "0",
         "0", "2000000", "765433", "61.7", "██████░░░░", "2026-12-01 00:00 UTC, in 5 d")),
]  # fmt: skip
POLICIES = [
    Row((LONG, "", "daily", "usd", "4.033474401", "5.00", "0.716525599", "1234", "0.000000001")),
    Row(("Sample", "", "monthly", "usd", "9.999999999", "10.00", "0.000000001", "0", "0")),
]
AMOUNTS = {
    "status": ("4.033474401", "5.00", "1,234,567", "2,000,000"),
    "replay": ("4.033474401", "5.00", "1,234", "0.000000001", "9.999999999", "10.00"),
}


def look(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Whoever prints believes that a person looks, at so many columns."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("columns", [20, 60, 80, 100, 140, 200])
@pytest.mark.parametrize("table", ["status", "replay"])
def test_no_amount_is_cut_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: str, columns: int
) -> None:
    look(monkeypatch, columns)
    if table == "status":
        show(Face(no_color=True), status.COLUMNS, BALANCES)
    else:
        show(Face(no_color=True), replay_report.COLUMNS, POLICIES)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in shown
    for amount in AMOUNTS[table]:
        assert amount in shown
    if "──" in shown:
        assert max(cell_len(line.rstrip()) for line in shown.splitlines()) <= columns


def narrowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> tuple[list[str], str]:
    """The lines of a table of one row on a terminal of so many columns, and what was left out."""
    look(monkeypatch, columns)
    made = (
        Column("Budget", folds=True),
        Column("Spent", "amount"),
        Column("Used", "amount", rank=1),
        Column("Resets", rank=2),
    )
    show(Face(no_color=True), made, [Row(("A budget with a long name", "12.345", "50.0", "never"))])
    heard = capsys.readouterr()
    return [line.rstrip() for line in heard.out.splitlines()], heard.err


def test_first_the_name_is_folded_then_columns_go_then_each_row_is_a_block(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # 25 for the name, 6, 4 and 6 for the others, 2 between each.
    whole, left_out = narrowed(monkeypatch, capsys, 47)
    assert whole[2:] == ["A budget with a long name  12.345  50.0  never"]
    folded, left_out = narrowed(monkeypatch, capsys, 46)
    assert folded[2:] == ["A budget with a long      12.345  50.0  never", "name"]
    assert left_out == ""
    # Without the last column 16 for the name: 16 + 2 + 6 + 2 + 4.
    fewer, left_out = narrowed(monkeypatch, capsys, 30)
    assert fewer[2:] == ["A budget with a   12.345  50.0", "long name"]
    assert left_out == "Too narrow for: Resets.\n"
    block, left_out = narrowed(monkeypatch, capsys, 19)
    assert block == [
        "A budget with a long name",
        "  Spent   12.345",
        "  Used    50.0",
        "  Resets  never",
    ]
    assert left_out == ""


def test_what_status_shows_on_a_terminal_of_80_columns_can_be_read(tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'budget.db'}"
    with Budget.open(target, sweep=False) as books:
        for name, period, limit in (("Sample", "monthly", "10"), (LONG, "daily", "5")):
            books.create_budget(
                name=name,
                policies=[{"unit": "usd", "period": period, "limit": limit, "enforcement": "warn"}],
            )
        books.record_usage(model="unknown-model", input_tokens=1, cost="4.033474401")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    environ = {**clean_environ(tmp_path), "TERM": "xterm", "NO_COLOR": "1"}
    for name in ("COLUMNS", "LINES"):
        environ.pop(name, None)
    with subprocess.Popen(
        [*command(), "status", "--target", target],
        stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environ,
    ) as process:  # fmt: skip
        assert process.wait(30) == 0
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    assert "…" not in shown
    for amount in ("4.033474401", "10.00", " 5.00", "80.6", "40.3", "Resets"):
        assert amount in shown
