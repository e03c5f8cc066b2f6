"""The issuer: where people log in by OpenID Connect, asked in three requests and believed in one.

Its metadata and keys are remembered for an hour; its keys are read again when a token is signed by
one that is not among them. All that is asked of it goes through the address guard, in two threads
of its own: one that hangs keeps nobody waiting but who logs in. Not here: cookies and pages
(`oidc`), and who gets in (`domain.people`).

What asks and what checks tokens is imported where it is used: services without an issuer start
without it.
"""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar
from urllib.parse import quote, urlencode

from budget.domain.errors import BudgetError, InvalidInput, Unauthorized, Unavailable
from budget.engine.door_settings import OidcSettings
from budget.outbound.guard import Allow, read_url, system_addresses

P = ParamSpec("P")
T = TypeVar("T")

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512")
"""Signatures that are believed: none by a shared secret, and never none."""
REMEMBERED_SECONDS: Final = 3600
MIN_AGE_SECONDS: Final = 60
"""How old keys are before they are read again for a token of an unknown one."""
FAILURE_SECONDS: Final = 5
"""How long an issuer that did not answer is not asked for its metadata again."""
MAX_WAITING: Final = 20
LEEWAY_SECONDS: Final = 60
MAX_TOKEN_CHARS: Final = 64 * 1024
SCOPE: Final = "openid profile email"


class NotBelieved(Unauthorized):
    """What came back from the issuer does not show who somebody is; the detail is for the log."""


class Challenge(NamedTuple):
    """What we send along with somebody, and hold against what comes back."""

    state: str
    nonce: str
    verifier: str


class Metadata(NamedTuple):
    """Where the issuer does what, and how it wants our secret."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    secret_in_body: bool


class Issuer:
    """The issuer of the settings, and what it has said of itself. `rules` say who gets in."""

    def __init__(
        self, settings: OidcSettings, redirect_uri: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        _require_extra()
        self._settings = settings
        self._secret = settings.client_secret()
        self.rules = settings.rules()
        self._redirect_uri = redirect_uri
        self._allow = Allow(origins=settings.origins)
        self._clock = clock
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="issuer")
        self._waiting = 0
        self._failed_at: float | None = None
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, Any] | None = None

    @property
    def name(self) -> str:
        """The URL by which the issuer is known."""
        return self._settings.issuer

    async def ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one of the functions below, which block; Unavailable if too many people wait."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many people log in at once.", retry_after_seconds=10)
        self._waiting += 1
        try:
            asking = partial(function, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self._threads, asking)
        finally:
            self._waiting -= 1

    def login_url(self, challenge: Challenge) -> str:
        """Where to send somebody who wants to log in."""
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPE,
            "state": challenge.state,
            "nonce": challenge.nonce,
            "code_challenge": create_s256_code_challenge(challenge.verifier),
            "code_challenge_method": "S256",
        }
        endpoint = self.metadata().authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def claims(self, code: str, challenge: Challenge) -> Mapping[str, Any]:
        """Who came back with this code, as the issuer says; NotBelieved."""
        return self._verified(self._exchanged(code, challenge.verifier), challenge.nonce)

    def metadata(self) -> Metadata:
        """What the issuer says of itself; Unavailable if it does not answer."""
        with self._lock:
            remembered = self._metadata
            if remembered is not None and self._clock() - remembered[0] < REMEMBERED_SECONDS:
                return remembered[1]
            failed_at = self._failed_at
            if failed_at is not None and self._clock() - failed_at < FAILURE_SECONDS:
                raise Unavailable("The issuer did not answer.", retry_after_seconds=FAILURE_SECONDS)
            issuer = self._settings.issuer
            try:
                told = self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                read = _metadata(told, issuer)
            except BudgetError:
                self._failed_at = self._clock()
                raise
            self._metadata = (self._clock(), read)
            return read

    # --- The token -------------------------------------------------------------------------------

    def _exchanged(self, code: str, verifier: str) -> str:
        """The id token that the issuer gives for a code."""
        metadata = self.metadata()
        fields = {
            "grant_type": "authorization_code", "code": code,
            "redirect_uri": self._redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        client_id, secret = self._settings.client_id, self._secret
        if metadata.secret_in_body:
            fields |= {"client_id": client_id, "client_secret": secret}
        else:
            pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        told = self._posted(metadata.token_endpoint, urlencode(fields).encode(), headers)
        token = told.get("id_token")
        if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS:
            raise NotBelieved("no id token came for the code")
        return token

    def _posted(self, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        from budget.outbound.connecting import DEFAULT_LIMITS, asked

        sent = {**headers, "Content-Length": str(len(body))}
        with (
            _only_where_allowed(),
            asked(
                "POST", read_url(url), sent, body, limits=DEFAULT_LIMITS, allow=self._allow,
                resolve=system_addresses, tls=None,
            ) as answer,
        ):  # fmt: skip
            if answer.status != 200:
                raise NotBelieved(f"the issuer answered {answer.status} to the code")
            told = bytearray()
            for piece in answer.iter_stream():
                told += piece
                if len(told) > DEFAULT_LIMITS.body_bytes:
                    raise NotBelieved("the issuer's answer is too long")
        return _object(bytes(told))

    def _verified(self, token: str, nonce: str) -> Mapping[str, Any]:
        """The claims of an id token that the issuer signed for us, for this very login, lately."""
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        client_id = self._settings.client_id
        try:
            signed = self._signed(token)
            claims = CodeIDToken(
                signed.claims,
                signed.header,
                {
                    "iss": {"essential": True, "value": self._settings.issuer},
                    "aud": {"essential": True, "value": client_id},
                },
                {"nonce": nonce, "client_id": client_id},
            )
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise NotBelieved(f"the id token is not good: {type(error).__name__}") from None
        return dict(claims)

    def _signed(self, token: str) -> Any:
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError

        keys = self._keys_of(REMEMBERED_SECONDS)
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (InvalidKeyIdError, BadSignatureError):
            newer = self._keys_of(MIN_AGE_SECONDS)
            if newer is keys:
                raise
            return jwt.decode(token, newer, algorithms=ALGORITHMS)

    def _keys_of(self, most_seconds: float) -> Any:
        """The issuer's keys, read no longer ago than that."""
        from joserfc.jwk import KeySet

        url = self.metadata().jwks_uri
        with self._lock:
            remembered = self._keys
            if remembered is not None and self._clock() - remembered[0] < most_seconds:
                return remembered[1]
            keys = KeySet.import_key_set(self._json(url))  # type: ignore[arg-type]
            self._keys = (self._clock(), keys)
            return keys

    def _json(self, url: str) -> dict[str, Any]:
        from budget.outbound.fetching import fetch

        with _only_where_allowed():
            return _object(fetch(url, allow=self._allow).body)


@contextmanager
def _only_where_allowed() -> Iterator[None]:
    """What the guard refuses is the operator's to mend, not a mistake of who logs in."""
    try:
        yield
    except InvalidInput as error:
        raise Unavailable(f"The issuer may not be asked. {error.detail}") from error


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise NotBelieved("the issuer's answer is no JSON object")
    return told


def _metadata(told: Mapping[str, Any], issuer: str) -> Metadata:
    if told.get("issuer") != issuer:
        raise NotBelieved("the metadata is of another issuer")
    ways = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    in_body = "client_secret_basic" not in ways and "client_secret_post" in ways
    return Metadata(
        _endpoint(told, "authorization_endpoint"),
        _endpoint(told, "token_endpoint"),
        _endpoint(told, "jwks_uri"),
        in_body,
    )


def _endpoint(told: Mapping[str, Any], name: str) -> str:
    url = told.get(name)
    if not isinstance(url, str):
        raise NotBelieved(f"the metadata has no {name}")
    try:
        read_url(url, name)
    except InvalidInput as error:
        raise NotBelieved(error.detail) from None
    return url


def _require_extra() -> None:
    if find_spec("authlib") is None or find_spec("joserfc") is None:
        raise BudgetError(
            "BUDGET_OIDC_ISSUER needs the extra `oidc`: pip install 'budgetd[oidc]'.",
            code="extra_missing",
        )
