"""Who may call: a valid key lets in; whatever is wrong with another, the answer is the same."""

import http.client
import time

import httpx2
import pytest

from budget.engine import keys
from budget.http.routes import ROUTES
from tests.http.running import Running

ALL = [(route.method, route.path) for route in ROUTES if route.scope != "open"]


def ask(service: Running, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.get(f"{service.url}/api/v1/status", headers=named, trust_env=False, verify=False)


def test_a_key_lets_in_as_bearer_or_by_its_own_header(shared: Running) -> None:
    assert ask(shared, Authorization=f"Bearer {shared.key}").status_code == 200
    assert ask(shared, Authorization=f"bearer  {shared.key}").status_code == 200
    assert ask(shared, X_API_Key=shared.key).status_code == 200
    both = ask(shared, X_API_Key=shared.key, Authorization=f"Bearer {shared.key}")
    assert both.status_code == 200
    # A proxy's own scheme does not stand in the way of the key.
    basic = ask(shared, X_API_Key=shared.key, Authorization="Basic YTpi")
    assert basic.status_code == 200


def flipped(text: str) -> str:
    return text[:20] + ("x" if text[20] != "x" else "y") + text[21:]


def test_every_failure_is_the_same_401(shared: Running) -> None:
    known, unknown, revoked = shared.key, keys.make_key(), keys.make_key()
    keys.add_key(shared.books, revoked, name="old", scopes="admin")
    keys.revoke_key(shared.books, revoked.key_id)
    forged = keys.make_key()
    body = f"bud_{known[4:12]}_{forged.text[13:56]}"
    wrong_secret = body + keys._checksum(body)
    assert keys.read_key(wrong_secret) is not None
    answers = [
        ask(shared),
        ask(shared, Authorization=""),
        ask(shared, Authorization="Bearer"),
        ask(shared, Authorization="Basic YTpi"),
        ask(shared, Authorization=known),
        ask(shared, X_API_Key="sk-123"),
        ask(shared, X_API_Key=flipped(known)),
        ask(shared, X_API_Key=f"{known}x"),
        ask(shared, X_API_Key=unknown.text),
        ask(shared, X_API_Key=revoked.text),
        ask(shared, X_API_Key=wrong_secret),
        ask(shared, X_API_Key=known, Authorization=f"Bearer {unknown.text}"),
        ask(shared, X_API_Key="bud_' OR '1'='1"),
        ask(shared, X_API_Key="x" * 8_000),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="budget"'}
    problem = answers[0].json()
    assert answers[0].headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["status"]) == ("unauthorized", 401)


@pytest.mark.parametrize(("method", "path"), ALL)
def test_no_route_of_the_api_opens_without_a_key(shared: Running, method: str, path: str) -> None:
    for name in ("allocation_id", "usage_id", "budget_id", "policy_id"):
        path = path.replace(f"{{{name}}}", "any")
    before = shared.written()
    answer = httpx2.request(method, shared.url + path, json={"x": 1}, trust_env=False, verify=False)
    assert answer.status_code == 401
    assert shared.written() == before


def test_a_key_with_fewer_rights_is_let_in_only_where_they_suffice(shared: Running) -> None:
    reader = keys.make_key()
    keys.add_key(shared.books, reader, name="reader", scopes="read")
    assert ask(shared, X_API_Key=reader.text).status_code == 200
    for method, path, right in (
        ("POST", "/allocations", "spend"), ("POST", "/budgets", "manage"),
        ("DELETE", "/policies/p", "manage"),
    ):  # fmt: skip
        answer = httpx2.request(
            method, f"{shared.url}/api/v1{path}", headers={"X-API-Key": reader.text},
            trust_env=False, verify=False,
        )  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert f"`{right}`" in answer.json()["detail"]


def test_a_key_without_manage_may_not_use_a_high_priority(shared: Running) -> None:
    spender = keys.make_key()
    keys.add_key(shared.books, spender, name="spender", scopes="spend")
    answer = httpx2.post(
        f"{shared.url}/api/v1/allocations", headers={"X-API-Key": spender.text},
        json={"tokens": 1, "priority": 8}, trust_env=False, verify=False,
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (403, "priority_not_allowed")


def test_a_revoked_key_stops_working_within_a_second(shared: Running) -> None:
    key = keys.make_key()
    keys.add_key(shared.books, key, name="brief", scopes="admin")
    assert ask(shared, X_API_Key=key.text).status_code == 200
    keys.revoke_key(shared.books, key.key_id)
    time.sleep(keys.REMEMBERED_SECONDS)
    assert keys.REMEMBERED_SECONDS <= 1
    assert ask(shared, X_API_Key=key.text).status_code == 401


def test_what_needs_no_key_needs_none(shared: Running) -> None:
    for path in ("/", "/health", "/ready"):
        assert httpx2.get(shared.url + path, trust_env=False, verify=False).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//api/v1/status", "/api/v1/status/", "/api/v1//status", "/API/v1/status",
        "/health/../api/v1/status", "/api/v1/status%00", "/api/v1/status%2f", "/api/v1/%73tatus",
        "/health/..%2fapi/v1/status", "/api/v1/status;x", "/./api/v1/status", "/api/v1/status?x",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_past_the_key(shared: Running, path: str) -> None:
    host, port = shared.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest("GET", path)
    connection.putheader("X-Forwarded-Host", "/health")
    connection.putheader("X-Original-URL", "/health")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status in (400, 401, 404)
    connection.close()
