"""People log in with OpenID Connect, against a real issuer; whoever is not vouched for does not."""

import asyncio
import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import func, select

from budget.domain.errors import BudgetError, Unavailable
from budget.engine.door_settings import DoorSettings
from budget.engine.snapshots import snapshot
from budget.http.door import issuer as issuers
from budget.http.door.cookies import LOGIN, SESSION
from budget.http.door.issuer import Issuer
from budget.storage.key_tables import sessions
from tests.http.door.issuing import CLIENT_ID, CLIENT_SECRET, Issuing, Json, issuing, new_key
from tests.http.running import Running, running
from tests.support.databases import SqliteTemplates, sqlite_url


@pytest.fixture(scope="module")
def at() -> Iterator[Issuing]:
    """One issuer for the tests of this file."""
    with issuing() as started:
        yield started


@pytest.fixture(scope="module")
def started(
    at: Issuing, tmp_path_factory: pytest.TempPathFactory, sqlite_templates: SqliteTemplates
) -> Iterator[Running]:
    """A service whose people log in there."""
    url = sqlite_url(tmp_path_factory.mktemp("oidc") / "budget.db")
    with running(url, door=DoorSettings(oidc=at.settings(), failures=1_000_000)) as service:
        yield service


@pytest.fixture
def oidc(at: Issuing, started: Running) -> Running:
    """The same, with an issuer that twists nothing, until the test says so."""
    at.person, at.sign, at.published = {"sub": "ann", "groups": ["search"]}, None, []
    at.asked.clear()
    at.refused.clear()
    at.issued.clear()
    return started


@pytest.fixture
def browser(oidc: Running) -> Iterator[httpx2.Client]:
    """A browser that goes where it is sent only when it is told to."""
    with httpx2.Client(base_url=oidc.url, trust_env=False, verify=False, timeout=30) as client:
        yield client


def begun(service: Running) -> int:
    """How many sessions ever began."""
    with snapshot(service.books.database) as connection:
        return connection.execute(select(func.count()).select_from(sessions)).scalar_one()


def went(browser: httpx2.Client) -> str:
    """Go to the issuer and come as far as the address to come back to."""
    sent = browser.get("/login/oidc")
    assert sent.status_code == 302
    back = browser.get(sent.headers["location"])
    assert back.status_code == 302
    address: str = back.headers["location"]
    return address


def came_back(browser: httpx2.Client) -> httpx2.Response:
    """Log in."""
    return browser.get(went(browser))


# --- Getting in ----------------------------------------------------------------------------------


def test_somebody_whom_a_rule_lets_in_gets_a_session_with_its_rights(
    oidc: Running, at: Issuing, browser: httpx2.Client
) -> None:
    answer = came_back(browser)
    assert answer.status_code == 200
    # Not a redirect: with one a browser would not send the cookie along.
    assert 'content="0;url=/"' in answer.text
    set_cookies = answer.headers.get_list("set-cookie")
    assert any(c.startswith(f"{SESSION}=") and "SameSite=Strict" in c for c in set_cookies)
    assert any(c.startswith(f"{LOGIN}=;") and "Max-Age=0" in c for c in set_cookies)
    told = browser.get("/api/v1/sessions/current").json()
    assert (told["actor"], told["scopes"], told["bound"]) == (
        "oidc:ann", ["read"], {"team": "search"},
    )  # fmt: skip
    headers = {"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": told["csrf_token"]}
    assert browser.post("/api/v1/budgets", json={}, headers=headers).status_code == 403
    assert browser.post("/api/v1/login-links", headers=headers).status_code == 403
    entry = oidc.get("/events", limit=1000)["items"][-1]
    assert (entry["kind"], entry["actor"]) == ("session_started", "oidc:ann")
    assert at.refused == []


def test_what_is_sent_to_the_issuer_is_made_anew_each_time(
    oidc: Running, at: Issuing, browser: httpx2.Client
) -> None:
    sent = []
    for _ in range(2):
        answer = browser.get("/login/oidc")
        url = urlsplit(answer.headers["location"])
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{at.url}/authorize"
        assert query["redirect_uri"] == f"{oidc.url}/login/oidc/callback"
        (cookie,) = answer.headers.get_list("set-cookie")
        assert "SameSite=Lax" in cookie
        assert "HttpOnly" in cookie
        sent.append(query)
    for name in ("state", "nonce", "code_challenge"):
        assert sent[0][name] != sent[1][name]
    assert CLIENT_SECRET not in json.dumps(sent)


def test_metadata_and_keys_are_read_once(
    oidc: Running, at: Issuing, browser: httpx2.Client
) -> None:
    came_back(browser)
    at.asked.clear()
    assert came_back(browser).status_code == 200
    assert at.asked == ["token"]


# --- Staying outside -----------------------------------------------------------------------------


def kept_out(service: Running, answer: httpx2.Response, status: int = 401) -> bool:
    """Whether an answer begins no session and tells nothing of why."""
    assert answer.status_code == status, answer.text
    cookies = answer.headers.get_list("set-cookie")
    assert not [cookie for cookie in cookies if cookie.startswith(SESSION)]
    for secret in ("nonce", "state", "signature", "Error", "ey"):
        assert status == 403 or secret not in answer.text.replace("key", "")
    return True


def encoded(part: bytes) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def unsigned(issuer: Issuing, claims: Json) -> str:
    """A token of the algorithm none."""
    head = {"alg": "none", "typ": "JWT"}
    return ".".join([*(encoded(json.dumps(part).encode()) for part in (head, claims)), ""])


def by_secret(issuer: Issuing, claims: Json) -> str:
    """A token signed with a key that the client knows, in place of the issuer's."""
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET * 4))


def by_public_key(issuer: Issuing, claims: Json) -> str:
    """A token whose secret is the issuer's public key."""
    head = {"alg": "HS256", "kid": issuer.key.kid}
    said = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    secret = issuer.key.as_pem(private=False)
    return f"{said}.{encoded(hmac.digest(secret, said.encode(), 'sha256'))}"


def by_another(issuer: Issuing, claims: Json) -> str:
    """A token by somebody who says that they have the issuer's key."""
    return jwt.encode({"alg": "RS256", "kid": issuer.key.kid}, claims, new_key("first"))


def with_own_key(issuer: Issuing, claims: Json) -> str:
    """A token that brings the key to believe it by."""
    key = ECKey.generate_key("P-256")
    return jwt.encode({"alg": "ES256", "jwk": key.as_dict(private=False)}, claims, key)


def tampered(issuer: Issuing, claims: Json) -> str:
    """A good token with other claims put in."""
    head, _, signature = issuer.signed(claims).split(".")
    body = json.dumps({**claims, "groups": ["admins"]}).encode()
    return ".".join([head, encoded(body), signature])


def claiming(**changed: Any) -> Callable[[Issuing, Json], str]:
    """A well signed token with other claims; None leaves one out."""

    def sign(issuer: Issuing, claims: Json) -> str:
        merged = {**claims, **changed}
        return issuer.signed({name: v for name, v in merged.items() if v is not None})

    return sign


TWISTS: dict[str, Callable[[Issuing, Json], str]] = {
    "none": unsigned, "shared secret": by_secret, "public key as secret": by_public_key,
    "another key": by_another, "a key of its own": with_own_key, "tampered": tampered,
    "no token": lambda *_: "", "nonsense": lambda *_: "a.b.c",
    "too long": lambda *_: "x" * 100_000,
    "wrong nonce": claiming(nonce="x"), "no nonce": claiming(nonce=None),
    "wrong audience": claiming(aud="another"), "no audience": claiming(aud=None),
    "two audiences": claiming(aud=[CLIENT_ID, "another"], azp="another"),
    "another party": claiming(azp="another"),
    "wrong issuer": claiming(iss="https://evil.example"), "no issuer": claiming(iss=None),
    "expired": claiming(exp=1_000_000), "no expiry": claiming(exp=None),
    "not yet": claiming(nbf=9_999_999_999), "of the future": claiming(iat=9_999_999_999),
    "no subject": claiming(sub=None), "an odd subject": claiming(sub=7),
}  # fmt: skip


@pytest.mark.parametrize("twist", TWISTS)
def test_a_token_that_is_not_good_begins_nothing(
    oidc: Running, at: Issuing, browser: httpx2.Client, twist: str
) -> None:
    before = begun(oidc)
    at.sign = TWISTS[twist]
    assert kept_out(oidc, came_back(browser))
    assert len(at.issued) == 1
    assert begun(oidc) == before


@pytest.mark.parametrize(
    "person",
    [
        {"sub": "bob"}, {"sub": "bob", "groups": []}, {"sub": "bob", "groups": ["sales"]},
        {"sub": "bob", "groups": "SEARCH"}, {"sub": "bob", "roles": ["admins"]},
    ],
)  # fmt: skip
def test_whom_no_rule_meets_stays_outside(
    oidc: Running, at: Issuing, browser: httpx2.Client, person: Json
) -> None:
    before = begun(oidc)
    at.person = person
    assert kept_out(oidc, came_back(browser), 403)
    assert begun(oidc) == before


def changed(address: str, **query: str | None) -> str:
    """An address with other parameters; None leaves one out."""
    parts = urlsplit(address)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    merged = {name: value for name, value in {**given, **query}.items() if value is not None}
    return str(httpx2.URL(f"{parts.scheme}://{parts.netloc}{parts.path}", params=merged))


@pytest.mark.parametrize(
    "query",
    [
        {"state": "x" * 43}, {"state": None}, {"state": ""}, {"code": None}, {"code": "made-up"},
        {"iss": "https://evil.example"}, {"error": "access_denied"},
        {"error": "<script>alert(1)</script>"},
    ],
)  # fmt: skip
def test_what_comes_back_otherwise_than_it_went_begins_nothing(
    oidc: Running, browser: httpx2.Client, query: dict[str, str | None]
) -> None:
    before = begun(oidc)
    answer = browser.get(changed(went(browser), **query))
    assert "<script" not in answer.text
    if answer.status_code != 422:
        assert kept_out(oidc, answer)
    assert begun(oidc) == before


def test_another_browser_does_not_come_back_in_ones_place(
    oidc: Running, at: Issuing, browser: httpx2.Client
) -> None:
    """A link to come back, sent to somebody else, logs them in as nobody."""
    before = begun(oidc)
    address = went(browser)
    at.asked.clear()
    with httpx2.Client(base_url=oidc.url, trust_env=False, verify=False) as other:
        assert kept_out(oidc, other.get(address))
        other.get("/login/oidc")
        assert kept_out(oidc, other.get(address))
        for cookie in ("x", "a.b.c", ".".join(["x" * 43] * 3), ""):
            headers = {"Cookie": f"{LOGIN}={cookie}"}
            assert kept_out(
                oidc, httpx2.get(address, headers=headers, trust_env=False, verify=False)
            )
    assert at.asked == []  # the issuer was not troubled with it
    assert begun(oidc) == before


def test_one_comes_back_once(oidc: Running, at: Issuing, browser: httpx2.Client) -> None:
    address = went(browser)
    kept = browser.cookies[LOGIN]
    assert browser.get(address).status_code == 200
    assert LOGIN not in browser.cookies
    before = begun(oidc)
    browser.cookies.set(LOGIN, kept)
    assert kept_out(oidc, browser.get(address))
    assert at.refused == ["code"]
    assert begun(oidc) == before


def test_a_code_is_worth_nothing_with_another_verifier(
    oidc: Running, at: Issuing, browser: httpx2.Client
) -> None:
    address = went(browser)
    state, nonce, _ = browser.cookies[LOGIN].split(".")
    browser.cookies.clear()
    browser.cookies.set(LOGIN, f"{state}.{nonce}.{'x' * 43}")
    assert kept_out(oidc, browser.get(address))
    assert at.refused == ["verifier"]


# --- The issuer ----------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_keys_are_read_again_for_a_token_of_an_unknown_one_but_not_at_once(at: Issuing) -> None:
    clock = Clock()
    issuer = Issuer(at.settings(), "http://x/login/oidc/callback", clock)
    old, new = at.key, new_key("second")
    at.sign, at.published = None, [old]
    issuer._keys_of(issuers.REMEMBERED_SECONDS)
    at.key, at.published = new, [old, new]
    token = at.signed({"sub": "x"})
    try:
        with pytest.raises(Exception, match="kid"):
            issuer._signed(token)
        clock.now += issuers.MIN_AGE_SECONDS
        assert issuer._signed(token).claims == {"sub": "x"}
    finally:
        at.key, at.published = old, []


def test_metadata_of_another_issuer_is_not_believed() -> None:
    good = {
        "issuer": "https://a.example", "authorization_endpoint": "https://a.example/auth",
        "token_endpoint": "https://a.example/token", "jwks_uri": "https://a.example/jwks",
    }  # fmt: skip
    assert issuers._metadata(good, "https://a.example").secret_in_body is False
    post = {**good, "token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert issuers._metadata(post, "https://a.example").secret_in_body is True
    for wrong in (
        {"issuer": "https://a.example/"}, {"issuer": None}, {"jwks_uri": None},
        {"token_endpoint": "javascript:alert(1)"}, {"authorization_endpoint": "//evil"},
        {"authorization_endpoint": "https://a.example/\r\nSet-Cookie: x"},
    ):  # fmt: skip
        with pytest.raises(issuers.NotBelieved):
            issuers._metadata({**good, **wrong}, "https://a.example")


def test_an_issuer_on_a_private_network_is_asked_only_if_its_origin_is_named(
    at: Issuing, tmp_path: Path
) -> None:
    at.asked.clear()
    settings = replace(at.settings(), origins=frozenset())
    url = sqlite_url(tmp_path / "budget.db")
    with running(url, door=DoorSettings(oidc=settings)) as service:
        answer = httpx2.get(f"{service.url}/login/oidc", trust_env=False, verify=False)
        assert answer.status_code == 503
        assert "location" not in answer.headers
    assert at.asked == []


def test_an_issuer_that_does_not_answer_is_not_asked_again_at_once(at: Issuing) -> None:
    clock = Clock()
    settings = replace(at.settings(), issuer=f"{at.url}/nowhere")
    issuer = Issuer(settings, "http://x/login/oidc/callback", clock)
    with pytest.raises(Unavailable, match="status 404"):
        issuer.metadata()
    with pytest.raises(Unavailable, match="did not answer"):
        issuer.metadata()
    clock.now += issuers.FAILURE_SECONDS
    with pytest.raises(Unavailable, match="status 404"):
        issuer.metadata()


@pytest.mark.anyio
async def test_when_many_wait_for_an_issuer_that_hangs_nobody_else_does(at: Issuing) -> None:
    issuer = Issuer(at.settings(), "http://x/login/oidc/callback")
    hanging = threading.Event()
    asked = [asyncio.create_task(issuer.ask(hanging.wait, 30)) for _ in range(issuers.MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="Too many people"):
        await issuer.ask(hanging.wait, 30)
    assert await asyncio.to_thread(lambda: "at once") == "at once"
    hanging.set()
    assert await asyncio.gather(*asked) == [True] * issuers.MAX_WAITING
    assert await issuer.ask(hanging.wait, 30)


def test_without_the_extra_the_service_says_so_when_it_starts(
    at: Issuing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "find_spec", lambda _: None)
    with pytest.raises(BudgetError, match=r"budgetd\[oidc\]") as caught:
        Issuer(at.settings(), "http://x/login/oidc/callback")
    assert caught.value.code == "extra_missing"
