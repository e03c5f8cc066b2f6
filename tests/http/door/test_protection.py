"""Browsers are told what no answer may be used for; no spelling of Host or path opens a door."""

import itertools
import socket

import httpx2
import pytest

from budget.engine.door_settings import DoorSettings
from budget.http.routes import ROUTES
from budget.http.serve import _hosts
from tests.http.running import Running, running
from tests.support.databases import SqliteDatabases, SqliteTemplates, sqlite_url

NOTHING = "default-src 'none'; frame-ancestors 'none'"


def check(answer: httpx2.Response) -> None:
    """The headers that every answer has."""
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "cache-control" in headers
    csp = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in csp
    assert "unsafe" not in csp.replace("'unsafe-inline'", "") or "script" not in csp
    if headers.get("content-type", "").startswith("text/html"):
        assert "default-src 'self'" in csp
        assert "form-action 'self'" in csp
    elif headers.get("content-type") in ("application/json", "application/problem+json"):
        assert csp == NOTHING
        assert headers["referrer-policy"] == "no-referrer"
    for name in ("server", "x-powered-by", "access-control-allow-origin"):
        assert name not in headers


@pytest.mark.parametrize("key", [True, False])
def test_every_answer_says_what_it_may_not_be_used_for(shared: Running, key: bool) -> None:
    headers = {"X-API-Key": shared.key} if key else {}
    asked = 0
    with httpx2.Client(base_url=shared.url, trust_env=False, verify=False) as client:
        for path in {route.path for route in ROUTES} | {"/nowhere", "/api/v1/nothing"}:
            if "stream" in path:
                continue
            for method in ("GET", "DELETE", "OPTIONS", "TRACE"):
                check(client.request(method, path, headers=headers))
                asked += 1
    assert asked > 100


def test_behind_tls_browsers_are_told_to_stay_there(sqlite_databases: SqliteDatabases) -> None:
    door = DoorSettings(public_url="https://budget.example.com")
    with running(sqlite_databases.new(), door=door) as service:
        for path in ("/health", "/nowhere", "/login"):
            answer = service.client.get(path)
            assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_without_tls_nothing_is_said_of_it(shared: Running) -> None:
    assert "strict-transport-security" not in shared.client.get("/health").headers


# --- Host and path -------------------------------------------------------------------------------

HOSTS = [
    "evil.example", "localhost.evil.example", "evil.example:8013", "127.0.0.1.evil.example",
    "127.0.0.1@evil.example", "evil.example#127.0.0.1", "evil.example/localhost", "", " ", "::1",
    "[::1", "[::2]", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "localhost.", "local host",
    "evil.example\tlocalhost", "budget.internal", "169.254.169.254", "[::ffff:127.0.0.1]",
    "/health", "?", "localhost/../..", "xn--localhost", "LOCALHOST.EVIL",
]  # fmt: skip
PATHS = [
    "/api/v1/budgets", "http://localhost/api/v1/budgets", "http://evil.example/api/v1/budgets",
    "//localhost/api/v1/budgets", "/health/../api/v1/budgets", "/api/v1/budgets?x=/health",
    "/health%2f..%2fapi%2fv1%2fbudgets", "/login/../api/v1/budgets",
]  # fmt: skip


def raw(service: Running, request: bytes) -> int:
    """The status of an answer to bytes."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(request)
        return int(line.recv(4096).split(b" ")[1])


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates) -> object:
    """A service for this machine alone, which answers to its own names."""
    url = sqlite_url(tmp_path_factory.mktemp("named") / "budget.db")
    with running(url, hosts=_hosts("127.0.0.1")) as started:
        yield started


def test_no_host_or_path_gets_past_the_key_or_the_name(named: Running) -> None:
    """More than 200 variants, without a key and with one under another's name: none gets in."""
    tried = 0
    for host, path in itertools.product(HOSTS, PATHS):
        for extra in ("", f"X-API-Key: {named.key}\r\n"):
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n"
            assert raw(named, request.encode("latin-1")) in (400, 421), (host, path)
            tried += 1
    for path in PATHS:
        for forged in (
            "X-Forwarded-Host",
            "X-Host",
            "Forwarded",
            "X-Original-URL",
            "X-Rewrite-URL",
        ):
            request = (
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{forged}: /health\r\n"
                "X-Forwarded-Prefix: /health\r\nConnection: close\r\n\r\n"
            )
            assert raw(named, request.encode()) in (401, 404), path
            tried += 1
    assert tried >= 400


@pytest.mark.parametrize(
    "hosts",
    [
        b"Host: localhost\r\nHost: evil.example\r\n", b"Host: evil.example\r\nHost: localhost\r\n",
        b"Host: localhost\r\nHost: localhost\r\n", b"",
    ],
)  # fmt: skip
def test_a_request_names_its_host_once(named: Running, hosts: bytes) -> None:
    key = b"X-API-Key: " + named.key.encode() + b"\r\n"
    request = b"GET /api/v1/budgets HTTP/1.1\r\n" + hosts + key + b"\r\n"
    assert raw(named, request) == 421


def test_its_own_names_open_it(named: Running) -> None:
    for host in ("localhost", "127.0.0.1", "LocalHost", "[::1]", "localhost:1", "127.0.0.1:9"):
        answer = named.client.get("/api/v1/budgets", headers={"Host": host})
        assert answer.status_code == 200
