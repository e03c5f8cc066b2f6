"""A browser logs in by a link, once; what it may do by its cookie no other site makes it do."""

import itertools
import time
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from budget.engine import keys
from budget.engine.door_settings import DoorSettings
from budget.engine.keys import REMEMBERED_SECONDS
from budget.http.door.cookies import SESSION
from budget.http.observing import Observer
from tests.http.door.browser import OWN, Browser
from tests.http.running import Running, migrate, running
from tests.support.databases import Databases, SqliteDatabases

BUDGET = {"name": "B", "policies": [{"unit": "usd", "period": "daily", "limit": "1"}]}


def new_key(service: Running, scopes: str) -> keys.NewKey:
    key = keys.make_key()
    keys.add_key(service.books, key, name="somebody", scopes=scopes)
    return key


def cookie(answer: httpx2.Response) -> Any:
    """The one cookie that an answer sets."""
    (text,) = answer.headers.get_list("set-cookie")
    return SimpleCookie(text)


def logged_out(browser: Browser) -> bool:
    """Whether a browser is, once what was remembered of its session is old."""
    ends = time.monotonic() + 30
    while browser.ask("GET", "/status").status_code != 401:
        assert time.monotonic() < ends
        time.sleep(0.05)
    return True


# --- Logging in ----------------------------------------------------------------------------------


def test_a_browser_logs_in_by_a_link_and_out_again(service: Running) -> None:
    with Browser(service) as browser:
        answer = browser.log_in()
        assert answer.headers["location"] == "/"
        told = browser.ask("GET", "/sessions/current").json()
        assert told["session"]["key_id"] == told["actor"]
        assert told["scopes"] == ["admin"]
        assert browser.ask("POST", "/budgets", BUDGET).status_code == 201
        (listed,) = browser.ask("GET", "/sessions").json()["items"]
        assert listed == told["session"]
        assert browser.ask("GET", f"/sessions/{listed['session_id']}").json() == listed
        out = browser.ask("POST", "/logout")
        assert out.json()["ended_at"] is not None
        assert cookie(out)[SESSION]["max-age"] == "0"
        browser.client.cookies.set(SESSION, answer.cookies[SESSION])
        assert browser.ask("GET", "/sessions/current").status_code == 401
    kinds = [event["kind"] for event in service.get("/events")["items"]]
    assert kinds == ["login_link_made", "session_started", "budget_created", "session_ended"]


def test_a_look_at_a_link_uses_nothing_up(shared: Running) -> None:
    url = shared.post("/login-links")["url"]
    before = shared.written()
    for method in ("GET", "HEAD", "GET"):
        answer = httpx2.request(method, url, trust_env=False, verify=False)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "set-cookie" not in answer.headers
    assert shared.written() == before
    page = httpx2.get(url, trust_env=False, verify=False).text
    assert f'action="{url.removeprefix(shared.url)}"' in page
    assert "<script" not in page
    assert httpx2.post(url, headers=OWN, trust_env=False, verify=False).status_code == 303
    again = httpx2.post(url, headers=OWN, trust_env=False, verify=False)
    assert again.status_code == 401
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize(
    "token",
    ["", "x", "x" * 43, "x" * 44, "<script>alert(1)</script>", "'--", "%00", "%ff", "a" * 3000],
)
def test_what_is_no_link_logs_nobody_in_and_comes_back_in_no_page(
    shared: Running, token: str
) -> None:
    before = shared.written()
    for method in ("GET", "POST"):
        answer = httpx2.request(
            method, f"{shared.url}/login?token={token}", headers=OWN, trust_env=False, verify=False
        )
        assert answer.status_code in (401, 422) or (method == "GET" and token == "x" * 43)
        assert "<script" not in answer.text
        assert "set-cookie" not in answer.headers
    assert shared.written() == before


def test_without_a_link_the_page_says_how_to_get_one(shared: Running) -> None:
    page = httpx2.get(f"{shared.url}/login", trust_env=False, verify=False)
    assert page.status_code == 200
    assert "/api/v1/login-links" in page.text
    assert "oidc" not in page.text
    for path in ("/login/oidc", "/login/oidc/callback?code=x&state=y"):
        answer = httpx2.get(f"{shared.url}{path}", trust_env=False, verify=False)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_route")
        assert "BUDGET_OIDC_ISSUER" in answer.json()["detail"]


def test_another_sites_form_logs_nobody_in(shared: Running) -> None:
    url = shared.post("/login-links")["url"]
    for headers in (
        {}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
    ):  # fmt: skip
        answer = httpx2.post(url, headers=headers, trust_env=False, verify=False)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    old_browser = httpx2.post(url, headers={"Origin": shared.url}, trust_env=False, verify=False)
    assert old_browser.status_code == 303


def test_a_session_makes_no_links(shared: Running) -> None:
    with Browser(shared) as browser:
        browser.log_in()
        assert browser.ask("POST", "/login-links").status_code == 403


# --- The cookie ----------------------------------------------------------------------------------


def test_a_cookie_on_this_machine_is_kept_from_scripts_and_other_sites(shared: Running) -> None:
    with Browser(shared) as browser:
        kept = cookie(browser.log_in())[SESSION]
    assert kept["httponly"] is True
    assert kept["samesite"] == "Strict"
    assert kept["path"] == "/"
    assert kept["max-age"] == "43200"
    assert kept["domain"] == ""
    assert kept["secure"] == ""


def test_behind_tls_a_cookie_belongs_to_this_host_and_travels_secured(
    sqlite_databases: SqliteDatabases,
) -> None:
    door = DoorSettings(public_url="https://budget.example.com", failures=1_000)
    with running(sqlite_databases.new(), door=door, proxied=True) as service:
        url = service.post("/login-links")["url"]
        assert url.startswith("https://budget.example.com/login?token=")
        path = url.removeprefix("https://budget.example.com")
        wrong = httpx2.post(
            service.url + path, headers={"Origin": service.url}, trust_env=False, verify=False
        )
        assert wrong.status_code == 403
        answer = httpx2.post(
            service.url + path,
            headers={"Origin": "https://budget.example.com"},
            trust_env=False,
            verify=False,
        )
        kept = cookie(answer)
        secured = kept[f"__Host-{SESSION}"]
        assert secured["secure"] is True
        assert secured["path"] == "/"
        assert secured["domain"] == ""
        assert "max-age=" in answer.headers["strict-transport-security"]
        token = secured.value
        for name, status in ((f"__Host-{SESSION}", 200), (SESSION, 401)):
            asked = httpx2.get(
                f"{service.url}/api/v1/sessions/current",
                headers={"Cookie": f"{name}={token}"},
                trust_env=False,
                verify=False,
            )
            assert asked.status_code == status


def test_no_key_is_taken_from_a_cookie_and_a_key_wins_over_one(shared: Running) -> None:
    reader = new_key(shared, "read")
    with Browser(shared) as browser:
        for name in ("X-API-Key", "Authorization", "api_key", SESSION, "key"):
            for value in (shared.key, f"Bearer {shared.key}"):
                answer = browser.ask("GET", "/status", Cookie=f"{name}={value}")
                assert answer.status_code == 401
        browser.log_in()
        by_key = browser.ask("GET", "/sessions/current", X_API_Key=reader.text).json()
        assert (by_key["actor"], by_key["session"], by_key["csrf_token"]) == (
            reader.key_id, None, None,
        )  # fmt: skip
        assert browser.ask("POST", "/budgets", BUDGET, X_API_Key=reader.text).status_code == 403
        for headers in (
            {"X_API_Key": "bad"}, {"Authorization": "Bearer bad"}, {"X_API_Key": ""},
            {"X_API_Key": shared.key, "Authorization": f"Bearer {reader.text}"},
        ):  # fmt: skip
            assert browser.ask("GET", "/status", **headers).status_code == 401
        proxied = browser.ask("GET", "/status", Authorization="Basic YTpi")
        assert proxied.status_code == 200


@pytest.mark.parametrize("spelt", ["{0}; {0}", "{0}x", "{0}; budget_session=", "x{0}", '"{0}"'])
def test_a_cookie_that_is_not_quite_one_is_none(shared: Running, spelt: str) -> None:
    with Browser(shared) as browser:
        token = browser.log_in().cookies[SESSION]
        browser.client.cookies.clear()
        answer = browser.ask("GET", "/status", Cookie=spelt.format(f"{SESSION}={token}"))
        assert answer.status_code == 401


# --- Other sites ---------------------------------------------------------------------------------

SITES = [None, "same-origin", "same-site", "cross-site", "none", "nonsense"]
ORIGINS = [None, "own", "null", "https://evil.example", "http://localhost.evil.example", "other"]
TOKENS = ["right", "wrong", None]
CHANGES = [
    ("POST", "/budgets", BUDGET), ("POST", "/allocations", {"tokens": 1}),
    ("POST", "/usage", {"model": "m", "input_tokens": 1, "output_tokens": 1}),
    ("POST", "/policies", {"budget_id": "bud_x", "unit": "usd", "period": "daily", "limit": 1}),
    ("DELETE", "/budgets/bud_x", None), ("PATCH", "/budgets/bud_x", {"name": "x"}),
    ("POST", "/login-links", None),
]  # fmt: skip


def test_no_other_site_makes_a_browser_change_anything(shared: Running) -> None:
    """A matrix of where a request began, by which origin, with which token: 0 effects."""
    with Browser(shared) as browser:
        browser.log_in()
        before = shared.written()
        tried = 0
        for site, origin, token, (method, path, body) in itertools.product(
            SITES, ORIGINS, TOKENS, CHANGES
        ):
            said = {"own": shared.url, "other": f"{shared.url}0"}.get(origin or "", origin)
            from_here = site == "same-origin" or (site is None and origin == "own")
            if from_here and token == "right":
                continue
            headers = {
                "Sec-Fetch-Site": site, "Origin": said,
                "X-CSRF-Token": {"right": browser.csrf, "wrong": "0" * 64}.get(token or ""),
            }  # fmt: skip
            answer = browser.client.request(
                method, f"/api/v1{path}", json=body,
                headers={name: value for name, value in headers.items() if value is not None},
            )  # fmt: skip
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), headers
            tried += 1
        # From a page of ours (6 origins), or an old browser's (1), with the right token: not tried.
        assert tried == (6 * 6 * 3 - 7) * len(CHANGES) == 707
        assert shared.written() == before
        assert browser.ask("POST", "/budgets", BUDGET).status_code == 201
        old = browser.client.post(
            "/api/v1/budgets", json=BUDGET,
            headers={"Origin": shared.url, "X-CSRF-Token": browser.csrf},
        )  # fmt: skip
        assert old.status_code == 201


def test_other_sites_read_nothing_by_a_cookie(shared: Running) -> None:
    with Browser(shared) as browser:
        browser.log_in()
        for site, status in (
            ("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403),
        ):  # fmt: skip
            answer = browser.client.get("/api/v1/budgets", headers={"Sec-Fetch-Site": site})
            assert answer.status_code == status
        evil = {"Origin": "https://evil.example"}
        assert browser.client.get("/api/v1/budgets", headers=evil).status_code == 403
        asked = browser.client.options(
            "/api/v1/budgets", headers={**evil, "Access-Control-Request-Method": "POST"}
        )
        assert not [name for name in asked.headers if name.startswith("access-control")]


def test_the_token_of_one_session_is_none_of_another(shared: Running) -> None:
    with Browser(shared) as one, Browser(shared) as other:
        one.log_in()
        other.log_in()
        assert one.csrf != other.csrf
        answer = one.ask("POST", "/budgets", BUDGET, X_CSRF_Token=other.csrf)
        assert answer.status_code == 403


# --- Rights and ends -----------------------------------------------------------------------------


def test_a_session_has_the_rights_of_its_key_and_no_more(shared: Running) -> None:
    reader = new_key(shared, "read")
    with Browser(shared) as browser, Browser(shared) as admin:
        browser.log_in(reader.text)
        admin.log_in()
        assert browser.ask("GET", "/status").status_code == 200
        assert browser.ask("POST", "/budgets", BUDGET).status_code == 403
        (own,) = browser.ask("GET", "/sessions").json()["items"]
        assert own["actor"] == reader.key_id
        listed = admin.ask("GET", "/sessions").json()["items"]
        assert own in listed
        (of_admin,) = [one for one in listed if one["actor"] != reader.key_id][:1]
        for method, session_id in itertools.product(
            ("GET", "DELETE"), (of_admin["session_id"], "sess_none")
        ):
            answer = browser.ask(method, f"/sessions/{session_id}")
            assert answer.status_code == 404
            assert answer.json()["detail"] == f"There is no session {session_id!r}."
        assert admin.ask("DELETE", f"/sessions/{own['session_id']}").status_code == 200
        assert logged_out(browser)


def test_a_session_ends_within_a_second_of_its_key(shared: Running) -> None:
    key = new_key(shared, "read")
    with Browser(shared) as browser:
        browser.log_in(key.text)
        assert browser.ask("GET", "/status").status_code == 200
        keys.revoke_key(shared.books, key.key_id)
        assert REMEMBERED_SECONDS <= 1
        assert logged_out(browser)


def test_a_session_is_one_on_every_node(databases: Databases) -> None:
    target = databases.new(migrate)
    with (
        running(target) as one, running(target) as other,
        Browser(one) as browser, Browser(other) as elsewhere,
    ):  # fmt: skip
        browser.log_in()
        elsewhere.client.cookies.update(browser.client.cookies)
        elsewhere.csrf = browser.csrf
        assert elsewhere.ask("POST", "/budgets", BUDGET).status_code == 201
        assert browser.ask("POST", "/logout").status_code == 200
        assert browser.ask("GET", "/status").status_code == 401
        assert logged_out(elsewhere)


def test_no_token_is_told_to_the_log(sqlite_databases: SqliteDatabases) -> None:
    observer = Observer("test", access=True)
    with (
        running(sqlite_databases.new(), observer=observer) as service,
        capture_logs() as logged,
        Browser(service) as browser,
    ):
        answer = browser.log_in()
        token = answer.cookies[SESSION]
        browser.client.get(f"/login?token={token}")
        browser.client.post(f"/login?token={token}")
        browser.ask("GET", f"/sessions/{token}")
        browser.ask("GET", f"/nothing/{token}")
        browser.ask("POST", "/budgets", {"name": token}, X_CSRF_Token="wrong")
    told = repr(logged)
    assert "/login" in told
    for secret in (token, browser.csrf, service.key):
        assert secret not in told


def test_a_key_is_told_that_it_is_no_session(shared: Running) -> None:
    answer = shared.client.post("/api/v1/logout")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_session")
    told = shared.get("/sessions/current")
    assert told["session"] is None
