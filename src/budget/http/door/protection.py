"""Protection: the headers that tell browsers what no answer of ours may be used for.

Not here: `Strict-Transport-Security`, which the server adds where TLS is before it (`serve`).
"""

from typing import Final

from budget.http.problems import JSON, PROBLEM, Header, Reply

_ALWAYS: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_CSP: Final = b"content-security-policy"
_OWN_ONLY: Final = (
    b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
_NOTHING: Final[tuple[Header, ...]] = (
    *_ALWAYS,
    (b"referrer-policy", b"no-referrer"),
    (_CSP, b"default-src 'none'; frame-ancestors 'none'"),
)
_PAGE: Final[tuple[Header, ...]] = (
    *_ALWAYS,
    (b"referrer-policy", b"same-origin"),  # without one, a form would say of no origin that it came
    (b"cross-origin-opener-policy", b"same-origin"),
    (_CSP, _OWN_ONLY),
)
HSTS: Final = ("strict-transport-security", "max-age=31536000")


def protection_of(reply: Reply) -> tuple[Header, ...]:
    """The headers that an answer gets. A page may use what this service serves, and no script
    within itself; anything else nothing. What a reply says of itself stays.
    """
    if reply.media_type in (JSON, PROBLEM):
        return _NOTHING
    headers = _PAGE if reply.media_type.startswith(b"text/html") else _NOTHING
    said = {name for name, _ in reply.headers}
    return tuple(header for header in headers if header[0] not in said)
