"""The route table: complete, guarded, and answered in problems where it ends."""

import dataclasses
import json
import re
from typing import Any

import httpx2
import pytest
import structlog

from budget import __version__
from budget.domain.errors import BudgetError, InvalidInput, OutcomeUnknown, Unavailable
from budget.http import problems
from budget.http.bodies import ClientGone, read_body
from budget.http.calls import Answered, Call
from budget.http.problems import STATUSES, status_of
from budget.http.route import SCOPES, check_routes
from budget.http.routes import ROUTES
from budget.http.serve import _hosts, make_app
from tests.http.running import Running


def concrete(path: str) -> str:
    for name in ("allocation_id", "usage_id", "budget_id", "policy_id"):
        path = path.replace(f"{{{name}}}", "some-id")
    return path


SAFE = {
    "sqlite": {"journal_mode": "wal", "synchronous": "full"},
    "postgresql": {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"},
}
"""What a database is told about disks."""

METHODS: dict[str, set[str]] = {}
for route in ROUTES:
    METHODS.setdefault(route.path, set()).add(route.method)


def test_every_route_has_a_right_and_says_what_it_does() -> None:
    check_routes(ROUTES)
    for route in ROUTES:
        assert route.scope in SCOPES
        assert route.doc.endswith(".") or "." in route.doc


@pytest.mark.parametrize("change", [{"scope": "nobody"}, {"scope": ""}, {"scope": None}])
def test_a_route_without_a_right_fails_the_start(change: dict[str, Any]) -> None:
    wrong = dataclasses.replace(ROUTES[0], path="/api/v1/new", **change)
    with pytest.raises(ValueError, match="POST /api/v1/new says not who may call it"):
        check_routes((*ROUTES, wrong))


def test_an_open_route_of_the_api_a_wordless_and_a_double_one_fail_the_start() -> None:
    with pytest.raises(ValueError, match="open to everybody"):
        check_routes((dataclasses.replace(ROUTES[0], scope="open"),))
    with pytest.raises(ValueError, match="twice"):
        check_routes((ROUTES[0], ROUTES[0]))

    async def wordless(call: Call) -> Answered:
        return Answered(call.ask)

    with pytest.raises(ValueError, match="says not what it does"):
        check_routes((dataclasses.replace(ROUTES[0], handle=wordless),))


# --- Methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", METHODS)
def test_a_method_that_a_path_does_not_take_is_405_with_those_it_does(
    shared: Running, path: str
) -> None:
    taken = METHODS[path] | {"OPTIONS"} | ({"HEAD"} if "GET" in METHODS[path] else set())
    url = shared.url + concrete(path)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "PROPFIND"):
        if method in taken:
            continue
        answer = shared.client.request(method, url)
        assert answer.status_code == 405, method
        assert set(answer.headers["allow"].split(", ")) == taken
        if method != "HEAD":
            assert answer.json()["code"] == "method_not_allowed"
    options = httpx2.options(url, trust_env=False, verify=False)
    assert (options.status_code, options.content) == (204, b"")
    assert set(options.headers["allow"].split(", ")) == taken


def test_head_is_get_without_the_body(shared: Running) -> None:
    for path in ("/health", "/api/v1/budgets", "/api/v1/nothing", "/api/v1/budgets/nothing"):
        got, head = shared.client.get(path), shared.client.head(path)
        assert head.status_code == got.status_code
        assert head.content == b""
        assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(
    "path", ["/nope", "/api", "/api/v2/status", "/api/v1/budgets/", "//", "/%00"]
)
def test_an_unknown_path_is_404_in_a_problem(shared: Running, path: str) -> None:
    answer = httpx2.post(shared.url + path, content=b"{", trust_env=False, verify=False)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:budget:problem:no_route",
        "title": "No route",
        "status": 404,
        "detail": "Nothing is here; GET /api/v1/discovery, with a key, lists what there is.",
        "code": "no_route",
    }


def test_answers_are_not_stored_nor_sniffed(shared: Running) -> None:
    for path in ("/", "/nope", "/api/v1/status"):
        headers = shared.client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


# --- The service itself --------------------------------------------------------------------------


def test_the_root_says_what_this_is(shared: Running) -> None:
    told = shared.client.get("/").json()
    assert (told["component"], told["version"], told["status"]) == (
        "budget", __version__, "running",
    )  # fmt: skip
    assert told["description"]


def test_health_says_what_runs_and_on_what(service: Running) -> None:
    """The server of PostgreSQL that tests share may not wait for its disk, which is then told."""
    told = service.client.get("/health").json()
    safe = told["database"]["settings"] == SAFE[service.books.database.dialect]
    assert safe or service.books.database.dialect == "postgresql"
    assert (told["status"], told["component"]) == ("healthy" if safe else "degraded", "budget")
    assert told["version"] == __version__
    assert told["timestamp"].endswith("Z")
    assert f":{told['port']}" in service.url
    assert told["database"]["engine"] == service.books.database.dialect
    assert told["database"]["library"]
    assert told["database"]["reachable"] is True
    assert told["database"]["durable"] is safe
    assert told["writer"] == {
        "alive": True, "writing": True, "queue_depth": 0, "expiry_paused": False,
    }  # fmt: skip
    assert told["queue_depth"] == 0
    assert told["uptime_seconds"] >= 0
    assert service.client.get("/ready").json()["ready"] is True


def test_health_shows_neither_where_the_database_lies_nor_who_opens_it(service: Running) -> None:
    told = service.client.get("/health").text
    for secret in service.books.database.describe().values():
        if "/" in secret:
            assert secret not in told


# --- Errors --------------------------------------------------------------------------------------


def kinds(base: type[BudgetError]) -> list[type[BudgetError]]:
    return [base, *(kind for sub in base.__subclasses__() for kind in kinds(sub))]


def test_every_error_has_a_status_of_its_own_or_of_its_base() -> None:
    for kind in kinds(BudgetError):
        # Of what a service does; OpenTelemetry's door tells its own in the words of its protocol.
        if re.match(r"budget\.(?!cli|client|sdk|neighbours\.otel)", kind.__module__):
            known = any(base in STATUSES for base in kind.__mro__)
            assert known or kind.__name__ in ("BudgetError", "BudgetRefused"), kind


def test_what_can_be_tried_again_says_when() -> None:
    reply = problems.reply_to(Unavailable("Busy.", retry_after_seconds=7))
    assert reply.status == 503
    assert (b"retry-after", b"7") in reply.headers
    told = json.loads(reply.body)
    assert (told["code"], told["retry_after_seconds"]) == ("unavailable", 7)
    unknown = json.loads(problems.reply_to(OutcomeUnknown("?")).body)
    assert (unknown["status"], unknown["code"]) == (503, "outcome_unknown")
    assert status_of(OutcomeUnknown("?")) == 503


def test_bad_input_names_its_field_and_what_would_do() -> None:
    told = json.loads(problems.reply_to(InvalidInput("unit", "is no unit.", ("usd",))).body)
    assert (told["status"], told["field"], told["allowed"]) == (422, "unit", ["usd"])


def test_an_error_nobody_foresaw_is_a_500_that_tells_nothing_but_an_id(
    shared: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: object) -> Any:
        raise RuntimeError("the secret plans")

    monkeypatch.setattr(type(shared.books.database), "describe", burst)
    with structlog.testing.capture_logs() as logged:
        answer = shared.client.get("/health")
    assert answer.status_code == 500
    told = answer.json()
    assert set(told) == {"type", "title", "status", "detail", "code", "trace_id"}
    assert told["code"] == "internal_error"
    assert "secret" not in answer.text
    (entry,) = (one for one in logged if one.get("trace_id") == told["trace_id"])
    assert str(entry["exc_info"]) == "the secret plans"


# --- Hosts ---------------------------------------------------------------------------------------


async def one(shared: Running, host: bytes) -> int:
    app = make_app(shared.books, hosts=_hosts("127.0.0.1"))
    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "root_path": "",
        "headers": [(b"host", host)],
    }  # fmt: skip
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    return statuses[0]


@pytest.mark.anyio
async def test_a_service_for_this_machine_answers_to_its_own_names_only(shared: Running) -> None:
    for host in (b"127.0.0.1:8013", b"localhost", b"LOCALHOST:1", b"[::1]:8013", b"[::1]"):
        assert await one(shared, host) == 200
    for host in (b"evil.example", b"127.0.0.1.evil.example", b"", b"[::2]:1", b"\xff", b"a:b:c"):
        assert await one(shared, host) == 421


@pytest.mark.anyio
async def test_an_answer_to_a_client_that_left_is_no_error(shared: Running) -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        await read_body(gone, {})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("team", "; put it into attributes"), ("prompt_tokens", "; perhaps it is input_tokens"),
        ("max_tokens", "; perhaps it is max_output_tokens"), ("colour", ""),
    ],
)  # fmt: skip
def test_a_field_that_has_another_name_here_is_told_it(
    shared: Running, name: str, hint: str
) -> None:
    told = shared.post("/allocations", {name: 1}, status=422)
    assert told["detail"].startswith(f"{name}: is not a field here{hint}. Allowed: ")
