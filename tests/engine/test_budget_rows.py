"""Rows of budgets, policies and top-ups have the columns of their tables, in their order."""

import pytest
from sqlalchemy import Table

from budget.engine.budget_rows import BUDGET_COLUMNS, POLICY_COLUMNS, TOP_UP_COLUMNS
from budget.storage import schema


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (schema.budgets, BUDGET_COLUMNS),
        (schema.policies, POLICY_COLUMNS),
        (schema.top_ups, TOP_UP_COLUMNS),
    ],
)
def test_rows_have_the_columns_of_their_tables(table: Table, columns: tuple[str, ...]) -> None:
    assert tuple(column.name for column in table.columns) == columns
