"""Where standings are read from: a database by its engine, with the schema.

Not here: what is made of it (`standing`), and a file read without the schema (`standing_file`).
"""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, select

from budget.domain.answers import BalanceView
from budget.domain.budgets import Budget
from budget.domain.rights import UNBOUND, Bound
from budget.engine.balances import heads_of, read_budgets
from budget.engine.snapshots import snapshot
from budget.engine.standing import standing
from budget.prices.book import PriceBook
from budget.storage import schema
from budget.storage.database import Database
from budget.storage.unit import Row


class _Tables:
    """The books as a connection sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def budgets(self) -> list[Budget]:
        table = schema.budgets
        wanted = select(table).where(table.c.archived_us.is_(None))
        found = self._connection.execute(wanted.order_by(table.c.name, table.c.budget_id))
        return read_budgets(self._connection, [tuple(row) for row in found])

    def heads(self, policy_ids: Iterable[str]) -> Iterator[Row]:
        return heads_of(self._connection, policy_ids)


def status(
    database: Database,
    attributes: Mapping[str, str],
    prices: PriceBook | None = None,
    bound: Bound = UNBOUND,
) -> list[BalanceView]:
    """`standing.standing` of a database, now."""
    with snapshot(database) as connection:
        return standing(_Tables(connection), database.now_us(), attributes, prices, bound)
