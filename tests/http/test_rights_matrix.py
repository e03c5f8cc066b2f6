"""Every route, asked with every right, for one's own, for another team's and for no team's.

The table of routes is asked as it is: a new one is in the matrix. Where its path names a thing that
no test here has made, or it concerns all, the failure says in which table to put it.
"""

import asyncio
import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import pytest

from budget.domain.pricing import Rates
from budget.engine import key_jobs
from budget.engine.acts import before
from budget.engine.door_settings import DoorSettings
from budget.engine.jobs import Books
from budget.engine.keys import Key
from budget.http.app import App
from budget.http.route import Route
from budget.http.routes import ROUTES
from budget.http.serve import make_app
from budget.prices.book import PriceBook
from tests.http.running import SHORT
from tests.http.tenants import DEAD, MARK, Answer, Asker, ask, make_askers, own_everything
from tests.support.databases import sqlite_url
from tests.support.results import report

MISSING: Final = "missing-0"

OF_NOBODY: Final = {
    "override_id": "over_0", "update": "update_0", "provider": "acme", "model": "m",
    "period": "daily", "file": "docs.css", "tool": "no_tool",
}  # fmt: skip
"""What paths name that belongs to no team, and need not be there."""

OF_ALL: Final = {
    "PUT /api/v1/prices", "POST /api/v1/prices/overrides/{override_id}/end",
    "POST /api/v1/prices/updates/{update:path}/accept",
    "POST /api/v1/prices/updates/{update:path}/reject", "POST /api/v1/prices/update",
    "POST /api/v1/prices/rerate", "GET /api/v1/verify", "POST /api/v1/verify",
    "POST /api/v1/clock/confirm",
    "GET /api/v1/audit", "GET /api/v1/settings", "PUT /api/v1/settings",
    "GET /api/v1/alerts/settings", "PUT /api/v1/alerts/settings", "GET /metrics",
    "GET /api/v1/neighbours", "GET /api/v1/neighbours/rhetor/models",
    "GET /api/v1/neighbours/apollo",
}  # fmt: skip
"""What concerns all of the books: 403 for whoever is bound to a team."""

ADMINS_ALONE: Final = {"session_id"}
"""Things that their maker and who has every right may see; the team is not enough."""

MAKERS_ALONE: Final = {"POST /api/v1/requests/{request_id}/withdraw"}
"""What only the key may do that made the thing: 403 for others who see it."""

BODIES: Final[dict[str, Any]] = {
    "POST /api/v1/allocations": {"tokens": 1},
    "POST /api/v1/allocations/{allocation_id}/usage": {"input_tokens": 1, "final": False},
    "POST /api/v1/allocations/{allocation_id}/extend": {"tokens": 1},
    "POST /api/v1/check": {"tokens": 1},
    "POST /api/check": {"tokens": 1},
    "POST /api/record": {"input_tokens": 1},
    "POST /api/v1/usage": {"input_tokens": 1},
    "POST /api/v1/usage/record": {"input_tokens": 1},
    "POST /api/v1/usage/{usage_id}/correct": {"reason": "why"},
    "POST /api/v1/usage/summary": {},
    "POST /api/v1/budgets": {
        "name": "new", "policies": [{"unit": "tokens", "period": "daily", "limit": 1_000_000_000}],
    },
    "PATCH /api/v1/budgets/{budget_id}": {"description": "new"},
    "PUT /api/v1/budgets/{budget_id}": {"description": "newer"},
    "POST /api/v1/policies": {
        "budget_id": "{budget_id}", "unit": "requests", "period": "yearly", "limit": 5,
        "enforcement": "warn",
    },
    "PATCH /api/v1/policies/{policy_id}": {"limit": 1_000_000_001},
    "PUT /api/v1/policies/{policy_id}": {"limit": 1_000_000_002},
    "POST /api/v1/policies/{policy_id}/top-ups": {"amount": 1, "reason": "why"},
    "POST /api/v1/budgets/{budget_id}/requests": {
        "amount": 1, "reason": "why", "policy_id": "{policy_id}",
    },
    "POST /api/v1/requests/{request_id}/reject": {"reason": "why"},
    "POST /api/v1/limits": {
        "budget_id": "{budget_id}", "unit": "tokens", "period": "yearly", "limit": 1_000_000_000,
    },
    "POST /api/limits": {"unit": "tokens", "period": "monthly", "limit": 1_000_000_003},
    "POST /api/v1/prices/recommendations": {"provider": "acme", "model": "m"},
    "POST /api/v1/prices/calculate": {"model": "m", "input_tokens": 1},
    "POST /api/v1/channels": {
        "name": "new", "kind": "webhook", "url": "https://hooks.example.com", "enabled": False,
    },
    "PATCH /api/v1/channels/{channel_id}": {"name": MARK},
    "POST /api/v1/channels/{channel_id}/replay": {"since": "2026-01-01T00:00:00Z"},
    "POST /api/v1/keys": {"name": "new", "scopes": ["read"]},
    "PATCH /api/v1/keys/{key_id}": {"name": MARK},
}  # fmt: skip
"""Bodies that would succeed; routes that are not here get an empty one."""


TOOLS_CALLED: Final[Sequence[tuple[Any, str, dict[str, Any]]]] = (
    ("spend", "AllocateBudget", {"context_id": "c", "component": "x", "amount": 1}),
    ("spend", "CheckBudget", {"provider": "acme", "model": "m", "input_tokens": 1}),
    ("spend", "RecordUsage", {"provider": "acme", "model": "m", "input_tokens": 1,
                              "output_tokens": 1, "allocation_id": "{allocation_id}"}),
    ("spend", "budget_request_top_up", {"budget_id": "{budget_id}", "amount": 1, "reason": "r",
                                        "policy_id": "{policy_id}"}),
    ("read", "GetBudgetStatus", {"period": "monthly"}),
    ("read", "GetUsageAnalytics", {"budget_id": "{budget_id}"}),
    ("read", "budget_forecast", {"budget_id": "{budget_id}"}),
    ("read", "budget_get_anomalies", {}),
    ("read", "budget_get_allocation", {"allocation_id": "{envelope_id}"}),
    ("read", "budget_explain_refusal", {"call_id": "{call_id}"}),
    ("read", "budget_get_top_up_request", {"request_id": "{request_id}"}),
)  # fmt: skip
"""Tools that are called by a route that asks for no right itself: each with its own."""


class Row(NamedTuple):
    """One row of the matrix: a route, and what is asked of it. Names of things stand in braces."""

    route: Route
    body: Any = None
    query: str = ""

    @property
    def name(self) -> str:
        """How the tables and failures call it."""
        return f"{self.route.method} {self.route.path}"


PRICES: Final = PriceBook(
    None, {("acme", "m"): Rates(10**9, 10**9), (None, "m"): Rates(10**9, 10**9)}
)


def rows() -> list[Row]:
    """Every route once, those that end something last; then things named in bodies and queries."""
    found = [Row(route, BODIES.get(f"{route.method} {route.path}", {})) for route in ROUTES]
    ending = re.compile("DELETE|/logout|/revoke|/rotate|/approve|/reject|/release|/dismiss")
    found.sort(key=lambda row: bool(ending.search(row.name)))
    return [*_named_elsewhere(), *found]


def _named_elsewhere() -> Iterator[Row]:
    by_name = {f"{route.method} {route.path}": route for route in ROUTES}
    for name, body in (
        ("POST /api/v1/allocations", {"tokens": 1, "parent_id": "{envelope_id}"}),
        ("POST /api/v1/check", {"tokens": 1, "parent_id": "{envelope_id}"}),
        ("POST /api/v1/usage/batch",
         {"records": [{"input_tokens": 1, "allocation_id": "{allocation_id}", "usage_id": "u"}]}),
        ("POST /api/v1/usage/summary", {"budget_id": "{budget_id}"}),
    ):  # fmt: skip
        yield Row(by_name[name], body)
    for name, query in (
        ("GET /api/v1/allocations", "parent_id={envelope_id}"),
        ("GET /api/v1/usage", "allocation_id={allocation_id}"),
        ("GET /api/v1/usage/summary", "budget_id={budget_id}"),
        ("GET /api/v1/policies", "budget_id={budget_id}"),
        ("GET /api/v1/requests", "budget_id={budget_id}"),
        ("GET /api/v1/requests", "policy_id={policy_id}"),
        ("GET /api/v1/alerts", "budget_id={budget_id}&status=all"),
        ("GET /api/v1/keys", "revoked=true"),
        ("GET /api/v1/sessions", "ended=true"),
        ("GET /api/v1/channels", "archived=true"),
        ("GET /api/v1/budgets", "archived=true"),
    ):
        yield Row(by_name[name], None, query)
    for right, tool, arguments in TOOLS_CALLED:
        called = dataclasses.replace(by_name["POST /api/mcp/process"], scope=right)
        yield Row(called, {"tool_name": tool, "arguments": arguments})


# --- Asking --------------------------------------------------------------------------------------


class Matrix:
    """The running application, what somebody owns in it, and what was found wrong so far."""

    def __init__(self, app: App, owner: str, own: dict[str, str]) -> None:
        self.app = app
        self.owner = owner
        self.own = own
        self.cells = 0
        self.statuses: Counter[int] = Counter()
        self.shown_to_owner = 0
        self.wrong: list[str] = []

    async def fill(self, row: Row, askers: list[Asker]) -> None:
        """Ask for one row with every key."""
        for name in _parameters(row.route.path):
            if name not in self.own and name not in OF_NOBODY:
                self.wrong.append(
                    f"{row.name}: make a {name!r} in own_everything (tests/http/tenants.py), or "
                    "say in OF_NOBODY that it belongs to no team"
                )
                return
        for asker in askers:
            self.cells += 1
            answer = await self.send(row, asker, self.own)
            self.statuses[answer.status] += 1
            shown = any(id in answer.body for id in self.own.values()) or MARK in answer.body
            self.shown_to_owner += asker.team == self.owner and answer.status < 300 and shown
            complaint = await self.complaint(row, asker, answer)
            if complaint:
                told = f"{answer.status} {answer.body[:200]}"
                self.wrong.append(f"{row.name} {row.query} as {asker.name}: {complaint}: {told}")

    async def send(self, row: Row, asker: Asker, ids: dict[str, str]) -> Answer:
        """Ask with these ids in the places of the names in braces."""
        path = re.sub(r"\{(\w+)(?::path)?\}", lambda m: (ids | OF_NOBODY)[m[1]], row.route.path)
        body = None if row.route.method in ("GET", "DELETE") else _filled(row.body, ids)
        query = _filled(row.query, ids)
        return await ask(self.app, row.route.method, path, asker.text, query, body)

    async def complaint(self, row: Row, asker: Asker, answer: Answer) -> str:
        """What is wrong with an answer; empty if nothing is."""
        route, status = row.route, answer.status
        if status >= 500:
            return "must not fail"
        if route.scope == "open":
            kept_out = status == 401 or "lacks the right" in answer.body
            return "is open to all" if kept_out else ""
        if asker.scope in DEAD:
            return "" if status == 401 else "must be 401"
        if not _allows(asker, route):
            lacks = f"lacks the right `{route.scope}`" in answer.body
            return "" if status == 403 and lacks else f"must be 403 for want of {route.scope}"
        if row.name in OF_ALL and asker.team != "none":
            bound = "bound to team=" in answer.body
            return "" if status == 403 and bound else "concerns all, so must be 403"
        if self.is_foreign(row, asker):
            return await self.leak(row, asker, answer)
        return _refused(row, status, answer.body)

    def is_foreign(self, row: Row, asker: Asker) -> bool:
        """Whether what is asked for is not the asker's."""
        alone = ADMINS_ALONE.intersection(_parameters(row.route.path))
        other = asker.team not in (self.owner, "none")
        return other or (bool(alone) and asker.scope != "admin")

    async def leak(self, row: Row, asker: Asker, answer: Answer) -> str:
        """What tells that something of the owner's is there, to whom it must not be told."""
        named = set(_parameters(f"{row.route.path} {row.body} {row.query}")) & self.own.keys()
        shown = [name for name, id in self.own.items() if id in answer.body and name not in named]
        if answer.status < 300 and (shown or MARK in _without(answer.body, self.own, named)):
            return f"shows {shown or 'a name'} of the owner's"
        if not named:
            return _refused(row, answer.status, answer.body)
        if named & set(_parameters(row.route.path)) and answer.status not in (404, 422):
            return "is another's, so must be 404"
        if row.name in BODIES and answer.status == 422:
            return "has a body in BODIES that does not succeed"
        missing = await self.send(row, asker, dict.fromkeys(self.own, MISSING))
        same = (answer.status, _without(answer.body, self.own, named)) == (
            missing.status, missing.body,
        )  # fmt: skip
        return (
            "" if same else f"differs from what is missing: {missing.status} {missing.body[:200]}"
        )


def _allows(asker: Asker, route: Route) -> bool:
    return Key(None, frozenset({asker.scope})).allows(route.scope)  # type: ignore[arg-type]


def _refused(row: Row, status: int, body: str) -> str:
    """Whether somebody who may was not let in."""
    if status == 401 or (status == 403 and not (row.name in MAKERS_ALONE and "Only the" in body)):
        return "must be let in (or said in OF_ALL to concern all)"
    of_nobody = OF_NOBODY.keys() & set(_parameters(row.route.path))
    return "must be found" if status == 404 and not of_nobody else ""


def _parameters(text: str) -> list[str]:
    return re.findall(r"\{(\w+)(?::path)?\}", text)


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda match: ids[match[1]], value)
    if isinstance(value, dict):
        return {name: _filled(one, ids) for name, one in value.items()}
    return [_filled(one, ids) for one in value] if isinstance(value, list) else value


def _without(text: str, own: dict[str, str], named: set[str]) -> str:
    """A text with the ids that were named in the question as if nothing had been there."""
    for name in sorted(named, key=lambda name: -len(own[name])):
        text = text.replace(own[name], MISSING)
    return text


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """Open books on SQLite: rights are decided above the database."""
    opened = Books.open(sqlite_url(tmp_path / "budget.db"), prices=PRICES, sweep=False)
    yield opened
    opened.close()


def filled(books: Books, asked: Sequence[Row], owner: str = "a") -> Matrix:
    """The matrix of these rows, and of things that team `a`, or none, owns."""
    askers = make_askers(books)
    app = make_app(books, door=DoorSettings(failures=1_000_000, rate=None), limits=SHORT)
    matrix = Matrix(app, owner, own_everything(books, askers, owner))

    async def fill() -> None:
        for row in asked:
            await matrix.fill(row, askers)

    asyncio.run(fill())
    return matrix


def test_every_route_lets_in_whom_it_may_and_shows_nobody_what_is_another_s(books: Books) -> None:
    matrix = filled(books, rows())
    assert not matrix.wrong, "\n".join([f"{len(matrix.wrong)} cells:", *matrix.wrong])
    assert matrix.cells >= 2_000
    succeeded = sum(count for status, count in matrix.statuses.items() if status < 300)
    assert succeeded >= 400
    # What is looked for with team b is really there to be seen, and its owner sees it.
    assert matrix.shown_to_owner >= 40
    report("rights matrix", cells=matrix.cells, rows=len(rows()), succeeded=succeeded)


def test_what_belongs_to_no_team_is_not_there_for_one_that_is_bound(books: Books) -> None:
    named = [row for row in rows() if _parameters(f"{row.route.path} {row.body} {row.query}")]
    matrix = filled(books, named, owner="none")
    assert not matrix.wrong, "\n".join([f"{len(matrix.wrong)} cells:", *matrix.wrong])
    assert matrix.cells >= 1_000
    assert matrix.shown_to_owner >= 20
    report("rights matrix, of no team", cells=matrix.cells, rows=len(named))


# --- The matrix itself would notice --------------------------------------------------------------


def test_a_route_that_names_a_thing_nobody_has_made_is_told_of(books: Books) -> None:
    new = Route("GET", "/api/v1/things/{thing_id}", "read", ROUTES[0].handle)
    assert "make a 'thing_id' in own_everything" in filled(books, [Row(new)]).wrong[0]


@pytest.mark.parametrize(
    ("guard", "name", "body"),
    [
        (before, "POST /api/v1/allocations/{allocation_id}/extend", {"tokens": 1}),
        (key_jobs, "GET /api/v1/keys/{key_id}", None),
    ],
)
def test_an_act_that_does_not_look_at_whose_a_thing_is_is_complained_of(
    books: Books, monkeypatch: pytest.MonkeyPatch, guard: ModuleType, name: str, body: Any
) -> None:
    monkeypatch.setattr(guard, "covers", lambda *_: True)
    route = next(route for route in ROUTES if f"{route.method} {route.path}" == name)
    wrong = filled(books, [Row(route, body)]).wrong
    assert wrong
    assert all("/b: shows" in told or "/b: is another's" in told for told in wrong)


def test_a_route_that_asks_for_too_small_a_right_is_complained_of(books: Books) -> None:
    route = next(route for route in ROUTES if route.path == "/api/v1/keys")
    wrong = filled(
        books, [Row(dataclasses.replace(route, scope="audit"), BODIES["POST /api/v1/keys"])]
    )
    assert any("as audit/none: must be let in" in told for told in wrong.wrong)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_who_is_wrongly_kept_out_is_complained_of(status: int) -> None:
    row = Row(next(route for route in ROUTES if route.path == "/api/v1/budgets/{budget_id}"))
    assert _refused(row, status, "")
    assert not _refused(row, 422, "")
