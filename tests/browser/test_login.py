"""Logging in with a real browser, by a link and by an issuer; what another site's page can't do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from budget.engine.door_settings import DoorSettings
from tests.http.door.issuing import Issuing, issuing
from tests.http.running import Running, running
from tests.support.databases import SqliteTemplates, sqlite_url

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

BUDGET = {"name": "B", "policies": [{"unit": "usd", "period": "daily", "limit": "1"}]}

ASK = """async ([method, path, token, body]) => {
  const headers = {"Content-Type": "application/json"};
  if (token) headers["X-CSRF-Token"] = token;
  const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
  return [answer.status, await answer.json()];
}"""
ATTACK = """async ([url, method]) => {
  const body = method === "GET" ? undefined : "{}";
  try { await fetch(url, {method, mode: "no-cors", credentials: "include", body}); }
  catch { return "refused"; }
  return "sent";
}"""
FORM = """url => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  document.documentElement.append(form);
  form.submit();
}"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Issuing]:
    """An issuer on another site."""
    with issuing("localhost") as started:
        yield started


@pytest.fixture(scope="module")
def service(
    elsewhere: Issuing, tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """A service whose people log in there."""
    del sqlite_templates
    url = sqlite_url(tmp_path_factory.mktemp("login") / "budget.db")
    with running(url, door=DoorSettings(oidc=elsewhere.settings(), failures=1_000)) as started:
        yield started


@pytest.fixture
def context(browser: "Browser") -> "Iterator[BrowserContext]":
    """A browser with no cookies yet."""
    opened = browser.new_context()
    yield opened
    opened.close()


def logged_in(context: "BrowserContext", service: Running) -> "Page":
    """A page that has logged in by a link."""
    page = context.new_page()
    page.goto(service.post("/login-links")["url"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{service.url}/")
    page.goto(f"{service.url}/login")  # a page of ours, which may ask
    return page


def ask(page: "Page", method: str, path: str, token: str = "", body: Any = None) -> Any:
    """A request that a page makes: (status, JSON)."""
    return page.evaluate(ASK, [method, f"/api/v1{path}", token, body])


def test_a_link_logs_in_by_its_button_and_the_page_may_change_things(
    context: "BrowserContext", service: Running
) -> None:
    page = logged_in(context, service)
    status, told = ask(page, "GET", "/sessions/current")
    assert (status, told["scopes"]) == (200, ["admin"])
    assert ask(page, "POST", "/budgets", "", BUDGET)[0] == 403
    assert ask(page, "POST", "/budgets", told["csrf_token"], BUDGET)[0] == 201
    assert page.evaluate("document.cookie") == ""
    assert ask(page, "POST", "/logout", told["csrf_token"])[0] == 200
    assert context.cookies() == []
    assert ask(page, "GET", "/sessions/current")[0] == 401


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_site_or_port_does_nothing_with_the_cookie(
    context: "BrowserContext", service: Running, elsewhere: Issuing, host: str
) -> None:
    page = logged_in(context, service)
    token = ask(page, "GET", "/sessions/current")[1]["csrf_token"]
    before = service.written()
    there = context.new_page()
    for path in ("/api/v1/budgets", "/api/v1/logout", "/api/v1/login-links", "/api/v1/sessions"):
        for method in ("GET", "POST"):
            there.goto(f"{elsewhere.url.replace('localhost', host)}/jwks")
            there.evaluate(ATTACK, [f"{service.url}{path}", method])
        with there.expect_navigation(url=f"{service.url}{path}"):
            there.evaluate(FORM, f"{service.url}{path}")
    link = service.post("/login-links")["url"]
    there.goto(f"{elsewhere.url.replace('localhost', host)}/jwks")
    with there.expect_navigation(url=link):
        there.evaluate(FORM, link)
    assert "Another site" in there.content()
    # One link was made here, with the key; nothing else came to pass, and nobody was logged out.
    assert service.written()[0] == before[0] + 1
    assert ask(page, "POST", "/budgets", token, BUDGET)[0] == 201


def test_an_issuer_on_another_site_sends_somebody_back_logged_in(
    context: "BrowserContext", service: Running, elsewhere: Issuing
) -> None:
    page = context.new_page()
    page.goto(f"{service.url}/login")
    page.get_by_role("link", name="Log in with your organisation").click()
    page.wait_for_url(f"{service.url}/")
    assert elsewhere.refused == []
    assert [cookie["name"] for cookie in context.cookies(service.url)] == ["budget_session"]
    page.goto(f"{service.url}/login")
    status, told = ask(page, "GET", "/sessions/current")
    assert (status, told["actor"], told["bound"]) == (200, "oidc:ann", {"team": "search"})
