"""A file read by the standard library alone shows what the books show."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from budget import Budget
from budget.domain.asks_budgets import PolicyAsk
from budget.engine import budget_rows
from budget.engine.standing_file import standing_of_file
from budget.storage import schema

ATTRIBUTES: list[dict[str, str]] = [{}, {"team": "red"}, {"team": "blue", "user": "ann"}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with budgets, some of them split, raised and archived, and calls on them."""
    path = tmp_path / "books.db"
    with Budget.open(f"sqlite:///{path}") as books:
        limits: list[PolicyAsk] = [
            {"unit": "usd", "period": "daily", "limit": "10"},
            {"unit": "tokens", "period": "rolling:1h", "limit": 5000},
        ]
        made = books.create_budget(name="Zoo", policies=limits)
        books.create_budget(name="Red", scope={"team": "red"}, per=["user"], policies=limits)
        gone = books.create_budget(name="Gone", policies=limits)
        books.top_up(made.policies[0].policy_id, amount="2.5", reason="a fair")
        books.archive_budget(gone.budget_id)
        for user in ("ann", "bob"):
            attributes = {"team": "red", "user": user}
            books.allocate(usd="0.5", tokens=100, attributes=attributes)
    return path


@pytest.mark.parametrize("attributes", ATTRIBUTES, ids=str)
def test_it_shows_what_the_books_show(path: Path, attributes: dict[str, str]) -> None:
    with Budget.open(f"sqlite:///{path}") as books:
        shown = books.status(**attributes)
    assert shown
    assert standing_of_file(path, attributes) == shown


def test_its_columns_are_those_of_the_tables() -> None:
    for columns, table in (
        (budget_rows.BUDGET_COLUMNS, schema.budgets),
        (budget_rows.POLICY_COLUMNS, schema.policies),
        (budget_rows.TOP_UP_COLUMNS, schema.top_ups),
    ):
        assert columns == tuple(column.name for column in table.columns)


def test_a_file_of_another_release_is_left_to_others(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE budget_revision SET version_num = '0003'")
    connection.close()
    assert standing_of_file(path, {}) is None


def test_what_is_no_ledger_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "words.db").write_text("no database at all" * 100)
    assert standing_of_file(tmp_path / "words.db", {}) is None
    assert standing_of_file(tmp_path / "missing.db", {}) is None
    assert not (tmp_path / "missing.db").exists()


def test_neither_the_schema_nor_its_library_is_loaded() -> None:
    code = (
        "import sys; import budget.engine.standing_file; "
        "sys.exit(any(name.startswith(('sqlalchemy', 'alembic')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
