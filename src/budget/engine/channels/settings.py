"""Channel settings: what an operator allows and provides for notices, told at the start.

    BUDGET_SMTP_URL="smtps://user:password@mail.example.com"
    BUDGET_SMTP_FROM="budget@example.com"
    BUDGET_WEBHOOK_ORIGINS="http://127.0.0.1:9000"

Not here: channels themselves, which are made while Budget runs (`acts`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import unquote

from budget.domain.errors import InvalidInput

SCHEMES: Final = ("smtp", "smtps", "smtp+starttls")
_PORTS: Final = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_URL: Final = re.compile(
    r"(?P<scheme>[a-z+]+)://(?:(?P<user>[^:@/]+):(?P<password>[^@/]*)@)?"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?/?"
)
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
MAX_ADDRESS_CHARS: Final = 254


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and as whom.

    `smtps` speaks TLS from the first byte, `smtp+starttls` after asking for it, `smtp` if the
    server offers it.
    """

    scheme: str
    host: str
    port: int
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """`origins` are receivers of webhooks that may be on a private network, or without TLS."""

    origins: frozenset[str] = frozenset()
    mail: MailServer | None = None

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """Settings from BUDGET_WEBHOOK_ORIGINS, BUDGET_SMTP_URL and BUDGET_SMTP_FROM; InvalidInput
        names the variable.
        """
        return cls(
            _origins(env.get("BUDGET_WEBHOOK_ORIGINS", "")),
            _mail(env.get("BUDGET_SMTP_URL", ""), env.get("BUDGET_SMTP_FROM", "")),
        )


DEFAULT_CHANNELS: Final = ChannelSettings()
"""Public receivers over https alone, and no mail."""


def is_address(text: object) -> bool:
    """Whether a text is one plain e-mail address, in ASCII, without a name or comments."""
    return (
        isinstance(text, str)
        and len(text) <= MAX_ADDRESS_CHARS
        and _ADDRESS.fullmatch(text) is not None
    )


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(part.strip() for part in text.split(",") if part.strip())
    if origins:
        from budget.outbound.guard import Allow

        try:
            Allow(origins=origins)
        except InvalidInput as error:
            raise InvalidInput("BUDGET_WEBHOOK_ORIGINS", error.detail) from None
    return origins


def _mail(url: str, sender: str) -> MailServer | None:
    if not url.strip():
        return None
    if not is_address(sender.strip()):
        raise InvalidInput("BUDGET_SMTP_FROM", "must be the address that mail comes from.")
    read = _URL.fullmatch(url.strip())
    # What was written is not repeated: it may hold a password.
    if read is None or read["scheme"] not in SCHEMES or int(read["port"] or 1) > 65_535:
        raise InvalidInput(
            "BUDGET_SMTP_URL",
            "must be such as smtps://user:password@mail.example.com:465, with %XX for what is odd.",
            tuple(f"{scheme}://" for scheme in SCHEMES),
        )
    scheme = read["scheme"]
    return MailServer(
        scheme,
        read["host"].strip("[]"),
        int(read["port"] or _PORTS[scheme]),
        sender.strip(),
        None if read["user"] is None else unquote(read["user"]),
        None if read["password"] is None else unquote(read["password"]),
    )
