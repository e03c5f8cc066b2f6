"""The door: who makes a request, by the key it carries or the session that its cookie names.

    visitor = await door.admit("POST", headers, client)

A key wins over a cookie, and no key is ever taken from one. Not here: what makes a key valid
(`engine.keys`), a session (`engine.sessions`), and which route needs which right (`routes`).
"""

import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple

from budget.domain.answers_sessions import Session
from budget.domain.errors import Forbidden, Unauthorized
from budget.engine.door_settings import DoorSettings
from budget.engine.keys import ADMIN, Key, read_key, unauthorized
from budget.engine.sessions import key_of
from budget.http.auth import BEARER, Gate, carried_key
from budget.http.door import cookies
from budget.http.door.attempts import Attempts, address_of, too_many
from budget.http.door.issuer import Issuer
from budget.http.door.rates import Rates
from budget.http.door.visits import Visits, csrf_token

Client = tuple[str, int] | None
Headers = Mapping[bytes, bytes]

MAX_KNOWN: Final = 10_000
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Visitor(NamedTuple):
    """Who makes a request: what they may do, and the session and its token if a cookie said so."""

    key: Key
    session: Session | None = None
    token: str = ""


class Door:
    """Lets visitors in; remembers who was wrong how often, and who calls how fast."""

    def __init__(
        self,
        gate: Gate,
        visits: Visits,
        settings: DoorSettings,
        *,
        issuer: Issuer | None = None,
        proxied: bool = False,
    ) -> None:
        self.settings = settings
        self.visits = visits
        self.issuer = issuer
        self._gate = gate
        self._proxied = proxied
        self._of_address = Attempts(settings.failures)
        self._of_key = Attempts(settings.failures // 2)
        self._rates = None if settings.rate is None else Rates(settings.rate)
        # Keys that have been valid here: about these the books are asked, whoever else was wrong.
        self._known: dict[str, None] = {}

    async def admit(self, method: str, headers: Headers, client: Client) -> Visitor:
        """Who makes a request. Unauthorized, in the same words whatever is wrong; TooMany for an
        address or a key that was wrong too often, or a key that calls too fast; Forbidden for what
        another site's page sent.
        """
        token = None
        if b"cookie" in headers and not _says_key(headers):
            token = cookies.session_token(headers, self.settings.tls)
        if token is not None:
            visitor = await self._visit(token, method, headers, client)
            self._spend(visitor.key)
            return visitor
        if self._of_address.anybody:  # nearly always nobody was wrong lately
            self._check_key(headers, client)
        try:
            key = await self._gate.key_of(headers)
        except Unauthorized:
            raise self._failed(headers, client) from None
        self._spend(key)
        return Visitor(key)

    async def still_in(self, visitor: Visitor) -> bool:
        """Whether who came in and stays may stay, with what they could do then."""
        if visitor.session is None:
            return await self._gate.still_good(visitor.key)
        session = await self.visits.find(visitor.token)
        return session is not None and key_of(session) == visitor.key

    def check_attempts(self, headers: Headers, client: Client) -> None:
        """TooMany for an address that was wrong too often."""
        wait = self._of_address.wait_seconds(self._address(headers, client))
        if wait:
            raise too_many(wait)

    def count_failure(self, headers: Headers, client: Client) -> None:
        """Note that somebody was wrong."""
        self._of_address.fail(self._address(headers, client))

    def _spend(self, key: Key) -> None:
        """Remember that a key is good, and count its request; TooMany if it calls too fast."""
        actor = key.caller.actor
        if actor not in self._known:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[actor] = None
        if self._rates is not None and ADMIN not in key.scopes:
            self._rates.spend(actor)

    def _check_key(self, headers: Headers, client: Client) -> None:
        """TooMany for a key from an address that was wrong too often, unless it was good before."""
        if not _says_key(headers):
            return
        wait = self._of_address.wait_seconds(self._address(headers, client))
        if wait:
            presented = read_key(carried_key(headers))
            if presented is None or presented.key_id not in self._known:
                raise too_many(wait)

    def _failed(self, headers: Headers, client: Client) -> Exception:
        if not _says_key(headers):  # who brings nothing has not tried anything
            return unauthorized()
        waits = [self._of_address.fail(self._address(headers, client))]
        presented = read_key(carried_key(headers))
        if presented is not None:
            waits.append(self._of_key.fail(presented.key_id))
        return too_many(max(waits)) if any(waits) else unauthorized()

    async def _visit(self, token: str, method: str, headers: Headers, client: Client) -> Visitor:
        self._check_site(token, method, headers)
        remembered = self.visits.recalls(token)
        if not (remembered or self.visits.was_good(token)) and self._of_address.anybody:
            self.check_attempts(headers, client)
        session = await self.visits.find(token)
        if session is None:
            if not remembered:  # a page left open asks again and again with the same cookie
                self.count_failure(headers, client)
            raise unauthorized()
        return Visitor(key_of(session), session, token)

    def _check_site(self, token: str, method: str, headers: Headers) -> None:
        """Forbidden unless a page of ours, or the person themselves, made the browser ask."""
        if not _from_here(headers, self.settings.public_url, navigating=method in SAFE):
            raise _cross_site()
        if method not in SAFE:
            given = headers.get(b"x-csrf-token", b"").decode("latin-1")
            if not hmac.compare_digest(given.encode(), csrf_token(token).encode()):
                raise Forbidden(
                    "A change by cookie needs the header X-CSRF-Token, with the `csrf_token` of "
                    "GET /api/v1/sessions/current.",
                    code="cross_site",
                )

    def check_own_page(self, headers: Headers) -> None:
        """Forbidden unless a page of ours made the browser send a form."""
        if not _from_here(headers, self.settings.public_url, navigating=False):
            raise _cross_site()

    def _address(self, headers: Headers, client: Client) -> str:
        return address_of(client, headers, self._proxied)


def _cross_site() -> Forbidden:
    return Forbidden(
        "Another site's page made this request, or nothing says that one of ours did: browsers say "
        "so with Sec-Fetch-Site or Origin.",
        code="cross_site",
    )


def _says_key(headers: Headers) -> bool:
    """Whether a request says that it carries a key, good or not."""
    if b"x-api-key" in headers:
        return True
    return headers.get(b"authorization", b"").lstrip()[: len(BEARER)].lower() == BEARER


def _from_here(headers: Headers, public_url: str | None, *, navigating: bool) -> bool:
    """Whether the browser says that a page of this very origin asks.

    `navigating`: an address that a person typed will do too. Where the browser says nothing of the
    site, the origin decides; where it says nothing of that either, only `navigating` will do.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin" or (navigating and site == b"none")
    origin = headers.get(b"origin")
    if origin is None:
        return navigating
    if public_url is not None:
        return origin.decode("latin-1").lower() == public_url
    return origin.lower() == b"http://" + headers.get(b"host", b"").lower()
