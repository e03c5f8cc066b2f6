"""Pages for people who log in: plain HTML without scripts, everything in it escaped.

Not here: when each is shown (`handlers`).
"""

from html import escape
from typing import Final

from budget.http.problems import Header, Reply

HTML: Final = b"text/html; charset=utf-8"

_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">{head}<title>Budget</title></head>
<body><main><h1>Budget</h1>
{body}
</main></body>
</html>
"""


def ask_to_log_in(token: str) -> Reply:
    """The page behind a link. It logs in by a button, which no preview of links presses."""
    return _page(
        200,
        f'<form method="post" action="/login?token={escape(token)}">'
        "<p>This link logs this browser in, once.</p>"
        "<button autofocus>Log in</button></form>",
    )


def how_to_log_in(oidc: bool) -> Reply:
    """The page without a link."""
    by_oidc = '<p><a href="/login/oidc">Log in with your organisation</a></p>' if oidc else ""
    return _page(
        200,
        f"{by_oidc}<p>A login link is made with an API key: "
        "<code>POST /api/v1/login-links</code>. It works once, for 5 minutes.</p>",
    )


def not_logged_in(status: int, words: str, *headers: Header) -> Reply:
    """The page of a login that did not work."""
    return _page(
        status, f'<p>{escape(words)}</p><p><a href="/login">How to log in</a></p>', *headers
    )


def logged_in(*headers: Header) -> Reply:
    """The page that leads on to the dashboard.

    Not a redirect: the browser would count that as the issuer's, and send no cookie along.
    """
    return _page(
        200,
        '<p>Logged in. <a href="/">Go on</a></p>',
        *headers,
        head='<meta http-equiv="refresh" content="0;url=/">',
    )


def _page(status: int, body: str, *headers: Header, head: str = "") -> Reply:
    return Reply(status, _PAGE.format(head=head, body=body).encode(), HTML, headers)
