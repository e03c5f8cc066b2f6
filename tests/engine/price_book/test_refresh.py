"""Sources read over HTTP, by command and by the clock; the installed prices and newer ones."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from budget.domain.errors import NotFound
from budget.engine.books import Books
from budget.engine.budget import Budget
from budget.engine.price_book import acts as price_acts
from budget.engine.price_book.refresh import PriceRefresh
from budget.engine.price_book.settings import PriceSettings
from budget.prices.bundled import bundled_prices, bundled_snapshot
from tests.engine.opened import Clock
from tests.outbound.test_fetching import Server, answer, raw, serving
from tests.support.priced import FOUR, litellm_map, nanos, updated

USD = 10**9


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of LiteLLM's map with four models."""
    with serving(answer(litellm_map(FOUR), 'ETag: "1"')) as found:
        yield found


def open_books(url: str, clock: Clock, server: Server, refresh: str = "off") -> Budget:
    """Books that read that server."""
    settings = PriceSettings.read(
        {
            "BUDGET_PRICE_SOURCES": f"litellm={server.url}",
            "BUDGET_PRICE_ORIGINS": f"http://127.0.0.1:{server.port}",
            "BUDGET_PRICE_REFRESH": refresh,
        }
    )
    return Budget(Books.open(url, clock=clock, price_settings=settings, sweep=False))


def test_a_feed_is_fetched_applied_and_asked_for_news_only(
    sqlite_url: str, clock: Clock, server: Server
) -> None:
    with open_books(sqlite_url, clock, server) as books:
        assert updated(books).status == "applied"
        assert nanos(books, "a") == 1 * USD
        server.script = raw("304 Not Modified", 'ETag: "1"')
        clock.move(1)
        assert updated(books).status == "unchanged"
        assert '\r\nIf-None-Match: "1"\r\n' in server.requests[1]
        (told,) = [one for one in books.price_sources() if one.source == "litellm"]
        assert (told.checked_us, told.error) == (clock.now_us, None)
        assert told.place == f"http://127.0.0.1:{server.port}"  # no path: it may hold a secret
        server.script = answer(litellm_map({**FOUR, "a": ("1.5", "2")}), 'ETag: "2"')
        assert updated(books).changed == 1
        assert nanos(books, "a") == 1.5 * USD


def test_a_feed_that_fails_is_recorded_and_asked_for_in_full_the_next_time(
    sqlite_url: str, clock: Clock, server: Server
) -> None:
    with open_books(sqlite_url, clock, server) as books:
        updated(books)
        for script in (
            answer(b"no", status="500 Oops"), answer(b"<html>"),
            answer(litellm_map(FOUR)[:-9], length=10_000),
        ):  # fmt: skip
            server.script = script
            report = updated(books)
            assert report.status == "failed"
            (told,) = [one for one in books.price_sources() if one.source == "litellm"]
            assert told.error == report.error
        server.script = answer(litellm_map(FOUR))
        assert updated(books).status == "unchanged"
        assert "If-None-Match" not in server.requests[-1]
        assert nanos(books, "a") == 1 * USD


def test_a_url_on_this_network_is_not_asked_unless_it_is_allowed(
    sqlite_url: str, clock: Clock, server: Server
) -> None:
    settings = PriceSettings.read({"BUDGET_PRICE_SOURCES": f"litellm={server.url}"})
    with Budget(Books.open(sqlite_url, clock=clock, price_settings=settings)) as books:
        assert updated(books).status == "failed"
    assert server.requests == []


def test_the_clock_refreshes_what_is_due_once_for_all_processes(
    sqlite_url: str, clock: Clock, server: Server
) -> None:
    with open_books(sqlite_url, clock, server, "daily") as books:
        refreshes = [PriceRefresh(books.books, first_seconds=0) for _ in range(2)]
        for refresh in refreshes:
            refresh.start()
        for _ in range(200):
            if books.books.prices.lookup("groq", "a", clock()) is not None:
                break
            threading.Event().wait(0.02)
        for refresh in refreshes:
            refresh.close()
        assert nanos(books, "a") == 1 * USD
        assert len(books.events(kind="price_update").items) == 1


def test_nothing_is_refreshed_unless_it_is_asked_for(
    sqlite_url: str, clock: Clock, server: Server
) -> None:
    with open_books(sqlite_url, clock, server) as books:
        refresh = PriceRefresh(books.books, first_seconds=0)
        refresh.start()
        refresh.close()
        with pytest.raises(NotFound):
            nanos(books, "a")
    assert server.requests == []


# --- The installed prices ------------------------------------------------------------------------


def newer_feed(path: Path, **prices: str) -> None:
    """genai-prices' feed as it is installed, but for the input prices of some models of OpenAI."""
    providers = json.loads(bundled_snapshot())
    (openai,) = [one for one in providers if one["id"] == "openai"]
    for model in openai["models"]:
        if model["id"] in prices:
            model["prices"] = {"input_mtok": float(prices[model["id"]]), "output_mtok": 10}
    path.write_text(json.dumps(providers))


def test_a_newer_feed_of_the_bundled_prices_applies_and_the_bundled_ones_can_return(
    sqlite_url: str, clock: Clock, tmp_path: Path
) -> None:
    feed = tmp_path / "data.json"
    newer_feed(feed, **{"gpt-4o": "3", "gpt-4o-mini": "900"})
    with Budget(Books.open(sqlite_url, clock=clock, sweep=False)) as books:

        def cost(model: str) -> int:
            return books.calculate(model=model, input_tokens=10**6).cost.cost_nanos

        price_acts.keep_bundled(books.books.database, books.books.ledger, books.books.shelf)
        mini = cost("gpt-4o-mini")
        (told,) = books.update_prices(sources=["genai-prices"], file=feed).sources
        assert (told.status, told.quarantined, told.dropped) == (
            "applied",
            5,
            0,
        )  # the model in its five contexts
        assert cost("gpt-4o-2024-11-20") == 3 * USD  # names match as in the package
        assert cost("gpt-4o-mini") == mini
        assert books.current_price("gpt-4o").rates.basis == told.basis
    with Budget(Books.open(sqlite_url, clock=clock, sweep=False)) as books:
        assert cost("gpt-4o") == 3 * USD  # the feed stays in force after a restart
        (told,) = books.update_prices(sources=["genai-prices"]).sources
        assert told.status == "applied"
        assert told.basis == bundled_prices().basis
        assert cost("gpt-4o") == 2.5 * USD


def test_installed_prices_of_a_newer_version_apply_like_any_feed(
    sqlite_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Budget(Books.open(sqlite_url, clock=clock, sweep=False)) as books:
        former = bundled_prices().basis
        price_acts.keep_bundled(books.books.database, books.books.ledger, books.books.shelf)
    # As if the database had last been opened by an older version of Budget.
    older = json.loads(bundled_snapshot())
    (openai,) = [one for one in older if one["id"] == "openai"]
    (model,) = [one for one in openai["models"] if one["id"] == "gpt-4o"]
    model["prices"]["input_mtok"] = 2.0
    newer = json.dumps(older).encode()
    from budget.prices import bundled
    from budget.prices.sources import genai_prices

    for module in (bundled, genai_prices):
        monkeypatch.setattr(module, "bundled_snapshot", lambda: newer)
        monkeypatch.setattr(module, "bundled_version", lambda: "9.9.9")
    feed = genai_prices.bundled_feed()
    prices = genai_prices.price_source(newer, "9.9.9")
    monkeypatch.setattr(bundled, "bundled_prices", lambda: prices)
    with Budget(Books.open(sqlite_url, clock=clock, sweep=False)) as books:
        clock.move(1)
        price_acts.keep_bundled(books.books.database, books.books.ledger, books.books.shelf)
        view = books.current_price("gpt-4o")
        assert (view.rates.input, view.rates.basis) == (2_000_000, feed.basis)
        changed = books.price_updates(model="gpt-4o", status="applied").items
        (change,) = [one for one in changed if not one.context]
        assert (change.old_basis, change.change_bps) == (former, -2_000)
