"""Books: the open database, ledger and prices of a process, which every face stands on."""

from collections.abc import Callable
from typing import Self

from budget.domain.errors import Conflict
from budget.engine.catalogue_rows import load_catalogue
from budget.engine.channels.settings import DEFAULT_CHANNELS, ChannelSettings
from budget.engine.factors import Factors
from budget.engine.ledger import Ledger
from budget.engine.price_book.settings import PriceSettings
from budget.engine.price_book.shelf import PriceShelf
from budget.engine.sizes import Sizes
from budget.prices.book import PriceBook
from budget.prices.layers import OwnPrices
from budget.storage.database import Database, open_database


class Books:
    """The open database, ledger and prices; what both facades stand on.

    Prices are a book that somebody gave, or the one on the shelf, which the database keeps.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        prices: PriceBook | None = None,
        shelf: PriceShelf | None = None,
        channel_settings: ChannelSettings = DEFAULT_CHANNELS,
    ) -> None:
        assert (prices is None) != (shelf is None), "prices come from one place"
        self.database = database
        self.ledger = ledger
        self.factors = Factors(database)
        self.sizes = Sizes(database)
        self.channel_settings = channel_settings
        self._prices = prices
        self._shelf = shelf

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Callable[[], int] | None = None,
        prices: PriceBook | None = None,
        price_settings: PriceSettings | None = None,
        channel_settings: ChannelSettings = DEFAULT_CHANNELS,
        sweep: bool = True,
    ) -> Self:
        """Open the books at `sqlite:///file.db` or `postgresql://…`, created or migrated as needed.

        `clock` gives microseconds since 1970 and stands in for the database's time. With `prices`
        calls are priced by that book alone; without, by the database's price book, to which
        `price_settings` may add the operator's own file. With `sweep` False holds only expire when
        a refusal asks for it. `channel_settings` tell what channels may reach. InvalidInput for
        any other URL, and for a mistake in the file.
        """
        settings = price_settings or PriceSettings()
        # A mistake in the file is told before there is a database.
        own = _own_file(settings) if prices is None else None
        database = open_database(url, clock=clock)
        database.migrate()
        if prices is not None:
            ledger = Ledger(database.unit, load_catalogue, clock=clock, sweep=sweep)
            return cls(database, ledger, prices, channel_settings=channel_settings)
        from budget.engine.price_book.acts import keep_bundled

        shelf = PriceShelf(database, settings, own)
        ledger = Ledger(
            database.unit, load_catalogue, clock=clock, sweep=sweep, noticed=shelf.notice
        )
        shelf.start(lambda: keep_bundled(database, ledger, shelf))
        return cls(database, ledger, shelf=shelf, channel_settings=channel_settings)

    @property
    def prices(self) -> PriceBook:
        """The prices of now."""
        return self.shelf.book if self._prices is None else self._prices

    @property
    def shelf(self) -> PriceShelf:
        """The database's price book; Conflict where calls are priced by a book that was given."""
        if self._shelf is None:
            raise Conflict(
                "These books were opened with prices of their own, which nothing here changes.",
                code="prices_given",
            )
        return self._shelf

    @property
    def shelved(self) -> bool:
        """Whether prices are those of the database's price book."""
        return self._shelf is not None

    def close(self) -> None:
        """Answer what is queued, stop the writer, let go of the database."""
        if self._shelf is not None:
            self._shelf.close()
        self.ledger.close()
        self.database.close()


def _own_file(settings: PriceSettings) -> OwnPrices | None:
    """The operator's price file; the bundled prices tell how it calls the providers named."""
    if settings.own is None:
        return None
    from budget.prices.bundled import bundled_prices
    from budget.prices.own import read_own

    return read_own(settings.own, bundled_prices())
