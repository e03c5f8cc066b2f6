"""A small issuer of OpenID Connect: it keeps no passwords, and says of anybody what it is told to.

It checks what a client sends as a strict one would, and signs with keys that it makes. What it says
can be twisted by a test.
"""

import base64
import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from budget.engine.door_settings import OidcSettings, Written
from budget.http.serve import listen

CLIENT_ID = "budget"
CLIENT_SECRET = "a secret: & more"
RULES = """[
  {"when": {"groups": "admins"}, "scopes": ["admin"]},
  {"when": {"groups": "search"}, "scopes": ["read"], "bound": {"team": "search"}}
]"""

Json = dict[str, Any]


def new_key(kid: str) -> RSAKey:
    """A key to sign with."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, auto_kid=False)


@dataclass
class Issuing:
    """An issuer: who is logged in there, and how it twists what it says."""

    url: str = ""
    key: RSAKey = field(default_factory=lambda: new_key("first"))
    published: list[RSAKey] = field(default_factory=list)
    person: Json = field(default_factory=lambda: {"sub": "ann", "groups": ["search"]})
    sign: Callable[["Issuing", Json], str] | None = None
    codes: dict[str, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)

    def settings(self) -> OidcSettings:
        """Settings of a service whose people log in here."""
        secret, rules = Written("SECRET", CLIENT_SECRET), Written("RULES", RULES)
        return OidcSettings(self.url, CLIENT_ID, secret, rules, frozenset({self.url}))

    def signed(self, claims: Json, **header: Any) -> str:
        """An id token, as it should be."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid, **header}, claims, self.key)

    # --- What it answers -------------------------------------------------------------------------

    def metadata(self, _: Request) -> Response:
        self.asked.append("metadata")
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            }
        )

    def jwks(self, _: Request) -> Response:
        self.asked.append("jwks")
        keys = self.published or [self.key]
        return JSONResponse({"keys": [key.as_dict(private=False) for key in keys]})

    def authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.url, "session_state": "x"}
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(back)}", 302)

    async def token(self, request: Request) -> Response:
        self.asked.append("token")
        form = dict([part.split("=", 1) for part in (await request.body()).decode().split("&")])
        sent = {name: unquote(value) for name, value in form.items()}
        asked = self.codes.pop(sent.get("code", ""), None)
        wrong = self._wrong(request.headers.get("authorization", ""), sent, asked)
        if wrong is not None or asked is None:
            self.refused.append(wrong or "")
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.person,
        }  # fmt: skip
        token = self.signed(claims) if self.sign is None else self.sign(self, claims)
        self.issued.append(token)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _wrong(self, authorization: str, sent: Json, asked: Json | None) -> str | None:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if [unquote(part) for part in pair.split(":")] != [CLIENT_ID, CLIENT_SECRET]:
            return "client"
        if asked is None:
            return "code"
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return "verifier"
        return None if sent["redirect_uri"] == asked["redirect_uri"] else "redirect_uri"


@contextlib.contextmanager
def issuing(host: str = "127.0.0.1") -> Iterator[Issuing]:
    """An issuer on a free port of this machine. To a browser `localhost` is another site."""
    issuer = Issuing()
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", issuer.metadata),
            Route("/jwks", issuer.jwks),
            Route("/authorize", issuer.authorize),
            Route("/token", issuer.token, methods=["POST"]),
        ]
    )
    listener = listen("127.0.0.1", 0)
    issuer.url = f"http://{host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.001)
        yield issuer
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
