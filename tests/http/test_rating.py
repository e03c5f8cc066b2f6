"""History priced again over HTTP: who may, what comes back, and what bad input gets."""

from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest

from budget.domain.pricing import Rates
from budget.engine import keys
from budget.engine.budget import Budget
from budget.http.routes import ROUTES
from budget.prices.book import PriceBook
from tests.http.running import Running, migrate, running
from tests.support.databases import SqliteDatabases

SINCE: Final = "2026-01-01T00:00:00Z"
_RATES: Final[dict[tuple[str | None, str], Rates]] = {
    (None, "m"): Rates(1_000_000_000, 2_000_000_000),
    (None, "half"): Rates(500_000_000, 1_000_000_000),
}


@pytest.fixture
def used(sqlite_databases: SqliteDatabases) -> Iterator[Running]:
    """A service whose books have usage of `m`, some of it from when it had no price."""
    url = sqlite_databases.new(migrate)
    body: dict[str, Any] = {"model": "m", "input_tokens": 10, "output_tokens": 5}
    policy: Any = {"unit": "usd", "period": "daily", "limit": "100"}
    with Budget.open(url, prices=PriceBook(None), sweep=False) as books:
        books.create_budget(name="Acme", policies=[policy], unpriced="allow")
        assert books.record_usage(**body).cost_nanos is None
    with running(url, prices=PriceBook(None, _RATES)) as service:
        assert service.post("/usage", body)["cost"] == "0.02"
        yield service


def with_rights(service: Running, *scopes: str) -> httpx2.Client:
    key = keys.make_key()
    keys.add_key(service.books, key, name="other", scopes=" ".join(scopes))
    return httpx2.Client(
        base_url=service.url, headers={"X-API-Key": key.text}, trust_env=False, verify=False
    )


def test_usage_is_re_rated_once_and_the_books_stay_clean(used: Running) -> None:
    looked = used.post("/prices/rerate", {"since": SINCE}, status=200)
    assert (looked["examined"], looked["changed"], looked["difference"]) == (2, 1, "0.02")
    assert (looked["applied"], looked["booked"]) == (False, 0)
    ask = {"since": SINCE, "model": "M", "apply": True, "reason": "m has a price now"}
    told = used.post("/prices/rerate", ask, status=200)
    assert (told["booked"], told["old_cost"], told["new_cost"]) == (1, "0.02", "0.04")
    (record,) = told["largest"]
    assert (record["old_cost"], record["new_cost"], record["old_basis"]) == (None, "0.02", None)
    assert told["models"][0]["model"] == "m"
    again = used.post("/prices/rerate", ask, status=200)
    assert (again["changed"], again["booked"]) == (0, 0)
    (balance,) = used.get("/status")["balances"]
    assert balance["spent"] == "0.04"
    assert used.get("/verify")["clean"] is True


def test_what_if_says_what_another_model_would_cost(used: Running) -> None:
    told = used.post("/prices/whatif", {"since": SINCE, "models": {"m": "half"}}, status=200)
    assert (told["records"], told["old_cost"], told["new_cost"]) == (2, "0.04", "0.02")
    assert (told["percent"], told["exchanges"][0]["instead"]) == ("-50.0", "half")
    assert len(told["days"]) == 1
    camel = used.post("/prices/whatif", {"models": {"m": "half"}, "atNow": True}, status=200)
    assert camel["at_now"] is True


def test_coverage_says_what_has_a_price(used: Running) -> None:
    told = used.get("/prices/coverage", since=SINCE)
    assert (told["total"]["calls"], told["own"]["calls_share"], told["without_cost"]) == (2, "1", 1)


def test_each_act_needs_its_right(used: Running) -> None:
    ask = {"since": SINCE, "apply": True, "reason": "r"}
    with with_rights(used, "read") as reader, with_rights(used, "spend") as spender:
        assert reader.post("/api/v1/prices/rerate", json=ask).status_code == 403
        assert reader.post("/api/v1/prices/whatif", json={"models": {"m": "half"}}).is_success
        assert reader.get("/api/v1/prices/coverage").is_success
        assert spender.post("/api/v1/prices/whatif", json={}).status_code == 403
        assert spender.get("/api/v1/prices/coverage").status_code == 403
    assert used.get("/prices/coverage")["without_cost"] == 1


WRONG: Final[tuple[tuple[str, dict[str, Any], int, str | None], ...]] = (
    ("/prices/rerate", {}, 422, "since"),
    ("/prices/rerate", {"since": "2027-01-01T00:00:00Z"}, 422, "since"),
    ("/prices/rerate", {"since": 5}, 422, "since"),
    ("/prices/rerate", {"since": SINCE, "apply": True}, 422, "reason"),
    ("/prices/rerate", {"since": SINCE, "apply": 1}, 422, "apply"),
    ("/prices/rerate", {"since": SINCE, "scope": []}, 422, "scope"),
    ("/prices/rerate", {"since": SINCE, "scope": {"team": {"a": 1}}}, 422, "scope.team"),
    ("/prices/rerate", {"since": SINCE, "book": "/etc/passwd"}, 422, "book"),
    ("/prices/whatif", {}, 422, "models"),
    ("/prices/whatif", {"models": {"m": None}}, 422, "models.m"),
    ("/prices/whatif", {"models": {"m": {"x": 1}}}, 422, "models.m"),
    ("/prices/whatif", {"models": {"m": "nothing"}}, 404, None),
    ("/prices/whatif", {"models": {"m": "half"}, "until": "x"}, 422, "until"),
)


def test_bad_input_is_refused_by_name_and_books_nothing(used: Running) -> None:
    before = used.written()
    for path, body, status, field in WRONG:
        answer = used.client.post(f"/api/v1{path}", json=body)
        assert answer.status_code == status, (body, answer.text)
        assert answer.json().get("field") == field, (body, answer.text)
    assert used.client.get("/api/v1/prices/coverage", params={"since": "x"}).status_code == 422
    assert used.written() == before


def test_only_who_manages_reaches_the_act_that_books() -> None:
    (scope,) = {route.scope for route in ROUTES if route.path.endswith("/rerate")}
    assert scope == "manage"
