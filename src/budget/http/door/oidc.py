"""Logging in with OpenID Connect: the code flow, with PKCE, state and nonce, and no state of ours.

What was sent along with somebody lies in a cookie of their browser until they come back. Not here:
what is asked of the issuer and why it is believed (`issuer`), and who gets in (`domain.people`).
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

import structlog

from budget.domain.answers_sessions import LoggedIn
from budget.domain.errors import Forbidden, Unauthorized, Unavailable
from budget.domain.people import Person, person_of
from budget.engine import sessions
from budget.engine.job import Job
from budget.http.calls import Call
from budget.http.door import cookies, pages
from budget.http.door.issuer import Challenge, Issuer, NotBelieved
from budget.http.problems import NoRoute, Reply, TooMany

COME_BACK: Final = "/login/oidc/callback"

_CHALLENGE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})")

log = structlog.get_logger("budget.door")


async def go(call: Call) -> Reply:
    """Send somebody to the issuer to log in there."""
    issuer = _issuer(call)
    challenge = Challenge(*(secrets.token_urlsafe(32) for _ in range(3)))
    try:
        call.service.door.check_attempts(call.carried.headers, call.carried.client)
        url = await issuer.ask(issuer.login_url, challenge)
    except (TooMany, Unavailable, NotBelieved) as error:
        return _failed(call, error)
    kept = cookies.set_login(".".join(challenge), call.service.door.settings.tls)
    return Reply(302, b"", headers=((b"location", url.encode("latin-1")), kept))


async def come_back(call: Call) -> Reply:
    """Begin a session for somebody whom the issuer sends back, if a rule lets them in."""
    issuer = _issuer(call)
    door, carried = call.service.door, call.carried
    try:
        door.check_attempts(carried.headers, carried.client)
        challenge = _challenge(call)
        code = _code(call.query, challenge, issuer)
        person = _person(await issuer.ask(issuer.claims, code, challenge), issuer)
    except (TooMany, Unavailable, Unauthorized, Forbidden) as error:
        return _failed(call, error)
    begun = await call.run(Job[LoggedIn](change=sessions.beginning(person)))
    tls = door.settings.tls
    return pages.logged_in(
        cookies.set_session(begun.token, tls), cookies.forget(cookies.LOGIN, tls)
    )


def _issuer(call: Call) -> Issuer:
    issuer = call.service.door.issuer
    if issuer is None:
        raise NoRoute("Nobody logs in with OpenID Connect here: BUDGET_OIDC_ISSUER is not set.")
    return issuer


def _challenge(call: Call) -> Challenge:
    """What this browser was sent away with."""
    tls = call.service.door.settings.tls
    kept = _CHALLENGE.fullmatch(cookies.value_of(call.carried.headers, cookies.LOGIN, tls) or "")
    if kept is None:
        raise NotBelieved("this browser has no login under way")
    return Challenge(*kept.groups())


def _code(query: Mapping[str, Any], challenge: Challenge, issuer: Issuer) -> str:
    """The code, if it comes from the issuer and in answer to what we sent."""
    if not hmac.compare_digest(query.get("state", "").encode(), challenge.state.encode()):
        raise NotBelieved("the state is another one")
    if query.get("iss", issuer.name) != issuer.name:
        raise NotBelieved("it comes from another issuer")
    if "error" in query:
        raise NotBelieved(f"the issuer says {query['error'][:80]!r}")
    if "code" not in query:
        raise NotBelieved("there is no code")
    code: str = query["code"]
    return code


def _person(claims: Mapping[str, Any], issuer: Issuer) -> Person:
    person = person_of(claims, issuer.rules)
    if person is None:
        raise Forbidden("You are known to the issuer, but no rule lets you in here.")
    return person


def _failed(call: Call, error: Unauthorized | Unavailable | Forbidden | TooMany) -> Reply:
    """A page that says no more than need be; the log says why."""
    door, carried = call.service.door, call.carried
    forget = cookies.forget(cookies.LOGIN, door.settings.tls)
    if isinstance(error, TooMany | Unavailable):
        wait = (b"retry-after", str(error.retry_after_seconds).encode())
        status = 429 if isinstance(error, TooMany) else 503
        return pages.not_logged_in(status, error.detail, wait)
    log.warning("login_failed", reason=error.detail)
    if isinstance(error, Forbidden):
        return pages.not_logged_in(403, error.detail, forget)
    door.count_failure(carried.headers, carried.client)
    return pages.not_logged_in(401, "The login did not work. Begin anew.", forget)
