"""Cookies: what a browser keeps of a login, and how it is told to.

Under TLS a name begins with `__Host-`, so that no other host of the domain can set it. Not here:
whom a cookie's token belongs to (`visits`).
"""

import re
from collections.abc import Mapping
from typing import Final

from budget.engine.sessions import SESSION_SECONDS, TOKEN_PATTERN

Header = tuple[bytes, bytes]

SESSION: Final = "budget_session"
LOGIN: Final = "budget_login"
"""What was sent to the issuer along with somebody, to be held against what comes back."""
LOGIN_SECONDS: Final = 600

_PAIR: Final = re.compile(r"\s*([^=;\s]+)=([^;]*)")


def name_of(name: str, tls: bool) -> str:
    """A cookie's name."""
    return f"__Host-{name}" if tls else name


def value_of(headers: Mapping[bytes, bytes], name: str, tls: bool) -> str | None:
    """The value of a cookie of ours; None without one, or with two."""
    given = headers.get(b"cookie")
    if given is None:
        return None
    wanted = name_of(name, tls)
    pairs = _PAIR.findall(given.decode("latin-1"))
    values = [value.strip() for one, value in pairs if one == wanted]
    return values[0] if len(values) == 1 else None


def session_token(headers: Mapping[bytes, bytes], tls: bool) -> str | None:
    """The token of a session, if the request carries what can be one."""
    value = value_of(headers, SESSION, tls)
    return value if value is not None and TOKEN_PATTERN.fullmatch(value) else None


def set_session(token: str, tls: bool) -> Header:
    """Let the browser keep a session. No other site's page makes it send this."""
    return _set(SESSION, token, "Strict", SESSION_SECONDS, tls)


def set_login(value: str, tls: bool) -> Header:
    """Let the browser keep a login on its way. It has to come back from the issuer's site."""
    return _set(LOGIN, value, "Lax", LOGIN_SECONDS, tls)


def forget(name: str, tls: bool) -> Header:
    """Let the browser forget a cookie."""
    return _set(name, "", "Strict", 0, tls)


def _set(name: str, value: str, same_site: str, seconds: int, tls: bool) -> Header:
    secure = "; Secure" if tls else ""
    text = (
        f"{name_of(name, tls)}={value}; Path=/; Max-Age={seconds}; HttpOnly; "
        f"SameSite={same_site}{secure}"
    )
    return b"set-cookie", text.encode("latin-1")
