"""Door settings: the address that people know, how often a key may call, and OpenID Connect.

    BUDGET_PUBLIC_URL=https://budget.example.com  BUDGET_RATE_LIMIT=1000/2000

Not here: who comes in by which claims (`domain.people`), and the door itself (`http.door`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Self

from budget.domain.errors import InvalidInput
from budget.domain.people import Rule, parse_rules

MAX_RATE: Final = 1_000_000
MAX_FILE_BYTES: Final = 64 * 1024

_RATE: Final = re.compile(r"([0-9]{1,7})(?:/([0-9]{1,7}))?")
_PUBLIC_URL: Final = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")


class Rate(NamedTuple):
    """How many requests a second, and how many at once."""

    per_second: int
    burst: int


DEFAULT_RATE: Final = Rate(1_000, 2_000)
DEFAULT_FAILURES: Final = 20


class Written(NamedTuple):
    """What a variable says, or a file that it names: read when a service starts, not before."""

    variable: str
    text: str = ""
    file: Path | None = None

    def read(self) -> str:
        """The text; InvalidInput for a file that cannot be read."""
        if self.file is None:
            return self.text
        try:
            with self.file.open("rb") as file:
                return file.read(MAX_FILE_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError):
            raise InvalidInput(self.variable, "names a file that cannot be read.") from None


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Where people log in, as whom Budget asks there, and who may then do what.

    `origins` may be asked though they are not public, or not over https.
    """

    issuer: str
    client_id: str
    secret: Written = field(repr=False)
    people: Written
    origins: frozenset[str] = frozenset()

    def client_secret(self) -> str:
        """What proves to the issuer that it is us."""
        secret = self.secret.read()
        if not secret:
            raise InvalidInput(self.secret.variable, "is empty.")
        return secret

    def rules(self) -> tuple[Rule, ...]:
        """Who gets in."""
        return parse_rules(self.people.read(), self.people.variable)


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """What a process is told of its door at its start.

    `public_url`: scheme and host by which browsers reach the service; None: the address that it
    listens on. `rate` None: keys may call as often as they like. `failures`: how often an address
    may be wrong a minute; a key's id half as often. `allowed_origins`: other sites whose pages may
    follow events by WebSocket.
    """

    public_url: str | None = None
    rate: Rate | None = DEFAULT_RATE
    failures: int = DEFAULT_FAILURES
    oidc: OidcSettings | None = None
    allowed_origins: frozenset[str] = frozenset()

    @property
    def tls(self) -> bool:
        """Whether browsers speak TLS, with a proxy before us: cookies then never leave it."""
        return self.public_url is not None and self.public_url.startswith("https://")

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """Settings from BUDGET_PUBLIC_URL, BUDGET_RATE_LIMIT, BUDGET_FAILED_ATTEMPTS,
        BUDGET_ALLOWED_ORIGINS and BUDGET_OIDC_*; InvalidInput names the variable.
        """
        return cls(
            _public_url(env.get("BUDGET_PUBLIC_URL", "")),
            _rate(env.get("BUDGET_RATE_LIMIT", "")),
            _failures(env.get("BUDGET_FAILED_ATTEMPTS", "")),
            _oidc(env),
            _origins(env.get("BUDGET_ALLOWED_ORIGINS", "")),
        )


DEFAULT_DOOR: Final = DoorSettings()


def _origins(text: str) -> frozenset[str]:
    named = [one for one in text.split(",") if one.strip()]
    return frozenset(filter(None, (_public_url(one, "BUDGET_ALLOWED_ORIGINS") for one in named)))


def _public_url(text: str, variable: str = "BUDGET_PUBLIC_URL") -> str | None:
    url = text.strip().rstrip("/").lower()
    if not url:
        return None
    matched = _PUBLIC_URL.fullmatch(url)
    if matched is None:
        raise InvalidInput(variable, "must be a scheme and a host, as https://budget.example.com.")
    usual = {"https": ":443", "http": ":80"}[matched[1]]
    return url.removesuffix(usual) if matched[3] == usual else url


def _rate(text: str) -> Rate | None:
    text = text.strip().lower()
    if not text:
        return DEFAULT_RATE
    if text == "off":
        return None
    matched = _RATE.fullmatch(text)
    if matched is not None:
        rate = Rate(int(matched[1]), int(matched[2] or 2 * int(matched[1])))
        if 1 <= rate.per_second <= MAX_RATE and 1 <= rate.burst <= 2 * MAX_RATE:
            return rate
    raise InvalidInput(
        "BUDGET_RATE_LIMIT", "must be off, so many requests a second, or that and a burst: 100/200."
    )


def _failures(text: str) -> int:
    text = text.strip()
    if not text:
        return DEFAULT_FAILURES
    if not text.isdecimal() or not 2 <= int(text) <= MAX_RATE:
        raise InvalidInput("BUDGET_FAILED_ATTEMPTS", f"must be 2 to {MAX_RATE}, a minute.")
    return int(text)


# --- OpenID Connect ------------------------------------------------------------------------------


def _oidc(env: Mapping[str, str]) -> OidcSettings | None:
    issuer = env.get("BUDGET_OIDC_ISSUER", "").strip()
    if not issuer:
        return None
    from budget.outbound.guard import Allow, read_url  # not for those who need it not

    origins = frozenset(
        p.strip() for p in env.get("BUDGET_OIDC_ORIGINS", "").split(",") if p.strip()
    )
    try:
        Allow(origins=origins)
    except InvalidInput as error:
        raise InvalidInput("BUDGET_OIDC_ORIGINS", error.detail) from None
    read_url(issuer, "BUDGET_OIDC_ISSUER")
    client_id = env.get("BUDGET_OIDC_CLIENT_ID", "").strip()
    if not client_id:
        raise InvalidInput("BUDGET_OIDC_CLIENT_ID", "is required with BUDGET_OIDC_ISSUER.")
    secret = Written("BUDGET_OIDC_CLIENT_SECRET", env.get("BUDGET_OIDC_CLIENT_SECRET", ""))
    file = env.get("BUDGET_OIDC_CLIENT_SECRET_FILE", "")
    if not secret.text and file:
        secret = Written("BUDGET_OIDC_CLIENT_SECRET_FILE", file=Path(file).expanduser())
    elif not secret.text:
        raise InvalidInput(
            "BUDGET_OIDC_CLIENT_SECRET",
            "is required with BUDGET_OIDC_ISSUER; or name a file with it in "
            "BUDGET_OIDC_CLIENT_SECRET_FILE.",
        )
    rules = env.get("BUDGET_OIDC_RULES", "").strip()
    if not rules:
        raise InvalidInput("BUDGET_OIDC_RULES", "is required with BUDGET_OIDC_ISSUER.")
    people = Written("BUDGET_OIDC_RULES", rules)
    if rules.startswith("@"):
        people = Written("BUDGET_OIDC_RULES", file=Path(rules[1:]).expanduser())
    return OidcSettings(issuer, client_id, secret, people, origins)
