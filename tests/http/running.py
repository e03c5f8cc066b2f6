"""A running service and what tests ask of it."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from sqlalchemy import func, select

from budget.engine import keys
from budget.engine.door_settings import DoorSettings
from budget.engine.jobs import Books
from budget.engine.price_book.settings import PriceSettings
from budget.engine.snapshots import snapshot
from budget.gateway.rules import Rules
from budget.gateway.upstreams import Upstream
from budget.http.app import App
from budget.http.live.guests import Limits
from budget.http.observing import Observer
from budget.http.serve import listen, make_app, make_server, url_of
from budget.prices.book import PriceBook
from budget.storage import schema
from budget.storage.database import open_database

Json = dict[str, Any]

PATIENT = DoorSettings(failures=1_000_000)
"""A door at which tests may be wrong as often as they like."""

SHORT = Limits(stream_seconds=0)
"""Streams of events end at once, so that tests of all routes need not know of them."""

PRICED = {"input": "2.50", "output": "10.00"}
"""USD per million tokens: 2,500 and 10,000 nanos a token."""

_WRITTEN: Final = select(
    *(
        select(func.count()).select_from(one).scalar_subquery()
        for one in (
            schema.entries, schema.allocations, schema.usage, schema.keys, schema.budgets,
            schema.policies, schema.top_ups,
        )
    )
)  # fmt: skip


@dataclass(frozen=True)
class Running:
    """A service that answers at `url`; `client` carries its admin key."""

    url: str
    key: str
    books: Books
    client: httpx2.Client
    app: App | None = None

    def post(self, path: str, body: Any = None, *, status: int = 201, **headers: str) -> Json:
        """POST under /api/v1, with the status expected; the answer's JSON."""
        answer = self.client.post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        told: Json = answer.json()
        return told

    def get(self, path: str, **query: Any) -> Json:
        """GET under /api/v1, which must succeed; the answer's JSON."""
        answer = self.client.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        told: Json = answer.json()
        return told

    def send(self, method: str, path: str, content: bytes | str, **headers: str) -> httpx2.Response:
        """Send bytes as they are; headers are written with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Content-Type", "application/json")
        return self.client.request(method, f"/api/v1{path}", content=content, headers=named)

    def budget(self, *policies: Json, **given: Any) -> Json:
        """A budget; without policies, one of 100 USD a day."""
        asked = {
            "name": "Acme",
            "policies": policies or [{"unit": "usd", "period": "daily", "limit": "100"}],
            "unpriced": PRICED,
            **given,
        }
        return self.post("/budgets", asked)

    def written(self) -> tuple[int, ...]:
        """How many rows lie in the tables that commands write."""
        with snapshot(self.books.database) as connection:
            return tuple(connection.execute(_WRITTEN).one())


def migrate(url: str) -> None:
    database = open_database(url)
    database.migrate()
    database.close()


@contextlib.contextmanager
def running(
    target: str,
    *,
    hosts: frozenset[str] | None = None,
    refusal_status: int | None = None,
    prices: PriceBook | None = None,
    price_settings: PriceSettings | None = None,
    door: DoorSettings = PATIENT,
    observer: Observer | None = None,
    http: type[asyncio.Protocol] | None = None,
    proxied: bool = False,
    docs: bool = True,
    limits: Limits | None = None,
    upstreams: Mapping[str, Upstream] | None = None,
    rules: Rules | None = None,
    port: int = 0,
    env: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """The service over a database. Without `prices` no model has a price but what a budget says.

    With `price_settings` prices are those of the database's price book.
    Nothing is swept, so that nothing is written but by what a test asks for. With `upstreams` there
    is a gateway; `env` names neighbours.
    """
    if price_settings is None:
        prices = prices or PriceBook(None)
    books = Books.open(target, prices=prices, price_settings=price_settings, sweep=False)
    key = keys.make_key()
    keys.add_key(books, key, name="test", scopes="admin")
    listener = listen("127.0.0.1", port)
    port = listener.getsockname()[1]
    app = make_app(
        books, port=port, instance="test", hosts=hosts, refusal_status=refusal_status,
        url=door.public_url or url_of("127.0.0.1", port), door=door,
        observer=observer, proxied=proxied, docs=docs, limits=limits, upstreams=upstreams,
        rules=rules, env=env,
    )  # fmt: skip
    server = make_server(app, tls=door.tls, http=http, last_seconds=(0, 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = url_of("127.0.0.1", port)
    try:
        while not server.started:
            time.sleep(0.001)
        # Plain HTTP: to read the system's certificates would be half of the cost of a start.
        with httpx2.Client(base_url=url, trust_env=False, verify=False, timeout=30) as client:
            client.headers["X-API-Key"] = key.text
            yield Running(url, key.text, books, client, app)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        books.close()
