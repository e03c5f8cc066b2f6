"""A running service and what tests ask of it."""

from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import func, select

from budget.engine.jobs import Books
from budget.engine.snapshots import snapshot
from budget.storage import schema

Json = dict[str, Any]

PRICED = {"input": "2.50", "output": "10.00"}
"""USD per million tokens: 2,500 and 10,000 nanos a token."""


@dataclass(frozen=True)
class Running:
    """A service that answers at `url`; `client` carries its admin key."""

    url: str
    key: str
    books: Books
    client: httpx2.Client

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
        tables = (
            schema.entries, schema.allocations, schema.usage, schema.keys, schema.budgets,
            schema.policies, schema.top_ups,
        )  # fmt: skip
        with snapshot(self.books.database) as connection:
            counts = select(
                *(select(func.count()).select_from(one).scalar_subquery() for one in tables)
            )
            return tuple(connection.execute(counts).one())
