"""Books: the open database, ledger and prices of a process, which every face stands on."""

from collections.abc import Callable
from typing import Self

from budget.engine.catalogue_rows import load_catalogue
from budget.engine.ledger import Ledger
from budget.prices.book import PriceBook, bundled_book
from budget.storage.database import Database, open_database


class Books:
    """The open database, ledger and prices of a process; what both facades stand on."""

    def __init__(self, database: Database, ledger: Ledger, prices: PriceBook) -> None:
        self.database = database
        self.ledger = ledger
        self.prices = prices

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Callable[[], int] | None = None,
        prices: PriceBook | None = None,
        sweep: bool = True,
    ) -> Self:
        """Open the books at `sqlite:///file.db` or `postgresql://…`, created or migrated as needed.

        `clock` gives microseconds since 1970 and stands in for the database's time. With `sweep`
        False holds only expire when a refusal asks for it. InvalidInput for any other URL.
        """
        database = open_database(url, clock=clock)
        database.migrate()
        ledger = Ledger(database.unit, load_catalogue, clock=clock, sweep=sweep)
        return cls(database, ledger, bundled_book() if prices is None else prices)

    def close(self) -> None:
        """Answer what is queued, stop the writer, let go of the database."""
        self.ledger.close()
        self.database.close()
