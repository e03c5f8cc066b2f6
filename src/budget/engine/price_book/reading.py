"""Price reading: where the bytes of a source come from: a URL, a file, or what is installed.

Not here: what they mean (`prices.sources`), and what they change (`applying`).
"""

import gzip
import hashlib
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from budget.domain.errors import InvalidInput, Unavailable
from budget.engine.price_book.applying import Reading
from budget.engine.price_book.rows import Snapshot, SourceRow
from budget.engine.price_book.settings import INSTALLED, PriceSettings, is_url
from budget.prices.listings import Feed
from budget.prices.trust import MAIN

MAX_BYTES: Final = 64 * 2**20
MAX_SECONDS: Final = 60.0


class Unchanged(Exception):
    """The source says what it said: nothing is to be done."""

    def __init__(self, place: str | None) -> None:
        super().__init__("The source says nothing new.")
        self.place = place


def feed_of(stored: Snapshot) -> Feed:
    """What a stored snapshot says."""
    from budget.prices.sources import ADAPTERS

    return ADAPTERS[stored.source].read(stored.data, stored.version)


def read_source(row: SourceRow, settings: PriceSettings) -> Reading:
    """A source read from where it is configured; Unchanged if it has nothing new.

    Unavailable if it cannot be had, InvalidInput (BadFeed among it) if it is no such thing.
    """
    from budget.prices.sources import ADAPTERS

    name = row.source
    place = settings.sources.get(name)
    if place == INSTALLED or (name == MAIN and name not in settings.sources):
        return installed(name)
    if place is not None and not is_url(place):
        return read_file(name, Path(place).expanduser())._replace(origin="feed")
    return _fetched(row, place or ADAPTERS[name].url, settings)


def _fetched(row: SourceRow, url: str, settings: PriceSettings) -> Reading:
    from budget.outbound.fetching import Limits, fetch
    from budget.outbound.guard import Allow
    from budget.prices.sources import ADAPTERS

    same = row.place == url and row.basis is not None and row.error is None
    fetched = fetch(
        url,
        limits=Limits(body_bytes=MAX_BYTES, total_seconds=MAX_SECONDS),
        allow=Allow(origins=settings.origins),
        etag=row.etag if same else None,
        last_modified=row.last_modified if same else None,
    )
    if fetched.not_modified:
        raise Unchanged(url)
    feed = ADAPTERS[row.source].read(fetched.body, today())
    return Reading(feed, fetched.body, "feed", url, fetched.etag, fetched.last_modified)


def read_file(name: str, path: Path) -> Reading:
    """A source read from a file of this machine."""
    from budget.prices.sources import ADAPTERS

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no name of a file"
        raise InvalidInput("file", f"{path} cannot be read: {why}.") from error
    if len(data) > MAX_BYTES:
        raise InvalidInput("file", f"{path} has more than {MAX_BYTES} bytes.")
    return Reading(ADAPTERS[name].read(data, today()), data, "file", str(path))


def installed(name: str) -> Reading:
    """A source read from the package that is installed beside Budget."""
    from budget.prices.sources import ADAPTERS
    from budget.prices.sources.litellm import installed_map

    if name == MAIN:
        return bundled_reading()
    data = installed_map() if name == "litellm" else None
    if data is None:
        raise Unavailable(f"{name} is not installed here; name a URL or a file for it.")
    try:
        told = version(name)
    except PackageNotFoundError:
        told = today()
    return Reading(ADAPTERS[name].read(data, told), data, INSTALLED, INSTALLED)


def bundled_reading() -> Reading:
    """The prices of the installed genai-prices, as a feed of theirs."""
    from budget.prices.bundled import bundled_snapshot
    from budget.prices.sources.genai_prices import bundled_feed

    return Reading(bundled_feed(), bundled_snapshot(), "bundled", INSTALLED)


def bundled_snapshot() -> Snapshot:
    """The prices of the installed genai-prices as they are stored, without reading them."""
    from budget.prices.bundled import bundled_prices, bundled_snapshot, bundled_version

    data, prices = bundled_snapshot(), bundled_prices()
    models = {(provider.lower(), model.lower()) for provider, model in prices.models()}
    return Snapshot(
        prices.basis, MAIN, bundled_version(), hashlib.sha256(data).hexdigest(), len(models), 0,
        "bundled", "applied", gzip.compress(data, 6, mtime=0),
    )  # fmt: skip


def today() -> str:
    """The day, in UTC: the version of what has none of its own."""
    return datetime.now(UTC).strftime("%Y-%m-%d")
