"""Routes of logging in to the dashboard, and of who is logged in."""

from typing import Final

from budget.domain import shapes
from budget.domain.shapes_sessions import CurrentSessionShape, LoginLinkShape, SessionShape
from budget.domain.wire.sessions import session
from budget.engine.jobs import Jobs
from budget.http.calls import act
from budget.http.door import handlers, oidc
from budget.http.handlers import page_of
from budget.http.queries import Lenient, flag, text
from budget.http.route import PAGED, V1, Route

session_page = page_of(session)

SESSIONS: Final[tuple[Route, ...]] = (
    Route("POST", f"{V1}/login-links", "read", handlers.make_link,
          answer=LoginLinkShape, status=201),
    Route("POST", f"{V1}/logout", "any", handlers.log_out, answer=SessionShape),
    Route("GET", f"{V1}/sessions", "any", act(Jobs.sessions, session_page),
          answer=shapes.PageShape, query={**PAGED, "ended": flag}),
    Route("GET", f"{V1}/sessions/current", "any", handlers.current, answer=CurrentSessionShape),
    Route("GET", f"{V1}/sessions/{{session_id}}", "any", act(Jobs.session, session),
          answer=SessionShape),
    Route("DELETE", f"{V1}/sessions/{{session_id}}", "any", act(Jobs.end_session, session),
          answer=SessionShape),
    Route("GET", "/login", "open", handlers.login_page, query={"token": text}),
    Route("POST", "/login", "open", handlers.log_in, query={"token": text}),
    Route("GET", "/login/oidc", "open", oidc.go),
    Route("GET", oidc.COME_BACK, "open", oidc.come_back,
          query=Lenient(code=text, state=text, iss=text, error=text)),
)  # fmt: skip
