"""Handlers of logging in and out: links, pages, sessions.

Not here: logging in with OpenID Connect (`oidc`).
"""

import asyncio
from typing import Final

from budget.domain.answers_sessions import LoggedIn, Session
from budget.domain.errors import Conflict, Forbidden, Unauthorized
from budget.domain.windows import to_rfc3339
from budget.domain.wire.sessions import session as session_shape
from budget.engine import sessions
from budget.engine.job import Job
from budget.http.calls import Answered, Call
from budget.http.door import cookies, pages
from budget.http.door.door import Visitor
from budget.http.door.visits import csrf_token
from budget.http.problems import Reply, TooMany

HOME: Final = (b"location", b"/")


def visitor_of(call: Call) -> Visitor:
    """Who makes a call; the routes of sessions are open to nobody."""
    assert call.carried.visitor is not None
    return call.carried.visitor


# --- Logging in ----------------------------------------------------------------------------------


async def make_link(call: Call) -> Answered:
    """Make a link that logs a browser in once, within 5 minutes, with the rights of the key."""
    if visitor_of(call).session is not None:
        raise Forbidden("A link is made with an API key; this is a browser's session.")
    link = await call.run(call.jobs.login_link())
    url = f"{call.service.url}/login?token={link.token}"
    return Answered({"url": url, "expires_at": to_rfc3339(link.expires_us)})


async def login_page(call: Call) -> Reply:
    """Show a page whose button logs in. To look at it uses nothing up, and asks no database."""
    token = call.query.get("token")
    if token is None:
        return pages.how_to_log_in(call.service.door.issuer is not None)
    if not sessions.TOKEN_PATTERN.fullmatch(token):
        return pages.not_logged_in(401, sessions.no_such_link().detail)
    return pages.ask_to_log_in(token)


async def log_in(call: Call) -> Reply:
    """Use a login link up, and begin a session, which a cookie keeps."""
    door, carried = call.service.door, call.carried
    try:
        door.check_own_page(carried.headers)
        door.check_attempts(carried.headers, carried.client)
        token = call.query.get("token", "")
        database = call.service.budget.books.database
        if not sessions.TOKEN_PATTERN.fullmatch(token) or not await asyncio.to_thread(
            sessions.link_is_good, database, token
        ):
            raise sessions.no_such_link()
        begun = await call.run(Job[LoggedIn](change=sessions.logging_in(token)))
    except Forbidden as error:
        return pages.not_logged_in(403, error.detail)
    except TooMany as error:
        wait = str(error.retry_after_seconds).encode()
        return pages.not_logged_in(429, error.detail, (b"retry-after", wait))
    except Unauthorized as error:
        door.count_failure(carried.headers, carried.client)
        return pages.not_logged_in(401, error.detail)
    return Reply(303, b"", headers=(HOME, cookies.set_session(begun.token, door.settings.tls)))


# --- Sessions ------------------------------------------------------------------------------------


async def current(call: Call) -> Answered:
    """Say who asks, and, to a browser, what it sends along with changes as X-CSRF-Token."""
    visitor = visitor_of(call)
    session: Session | None = visitor.session
    return Answered(
        {
            "actor": call.caller.actor,
            "scopes": sorted(visitor.key.scopes),
            "bound": dict(call.caller.bound),
            "session": None if session is None else session_shape(session),
            "csrf_token": None if session is None else csrf_token(visitor.token),
        }
    )


async def log_out(call: Call) -> Answered:
    """End the session that makes this request, and let the browser forget it."""
    visitor, door = visitor_of(call), call.service.door
    if visitor.session is None:
        raise Conflict("This request comes with a key, not by a session.", code="no_session")
    session_id = visitor.session.session_id
    ended = await call.run(call.jobs.end_session(session_id))
    door.visits.forget(visitor.token)
    forget = cookies.forget(cookies.SESSION, door.settings.tls)
    return Answered(session_shape(ended), headers=(forget,))
