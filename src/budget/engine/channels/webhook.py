"""Webhooks: a notice signed as Standard Webhooks asks, and posted behind the address guard.

    webhook-id         of the delivery or the digest: the same however often it is tried
    webhook-timestamp  when this attempt was made, in seconds since 1970
    webhook-signature  v1,<base64 of HMAC-SHA256 over "id.timestamp.body">, one for each secret

Not here: what is sent (`notices`), and when it is tried again (`outbox`).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from budget.domain.errors import InvalidInput, Unavailable
from budget.engine.channels.outcomes import Outcome
from budget.engine.channels.settings import ChannelSettings

if TYPE_CHECKING:
    from budget.outbound.guard import Allow

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
GONE: Final = 410


def new_secret() -> str:
    """A secret of 256 random bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """The signature of a message by one secret."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{at_s}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(signing: Sequence[str], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers that let a receiver verify a message."""
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(
            signature(secret, message_id, at_s, body) for secret in signing
        ),
    }


def check_url(url: str, settings: ChannelSettings) -> str:
    """The URL, if it may be posted to as far as can be told without a look-up; InvalidInput."""
    from budget.outbound.guard import check_site, read_url

    check_site(read_url(url), _allow(settings))
    return url


def send(
    url: str,
    signing: Sequence[str],
    message_id: str,
    at_s: int,
    body: bytes,
    settings: ChannelSettings,
) -> Outcome:
    """Post a message; what came of it, in words that repeat nothing of what the receiver said."""
    from budget.outbound.posting import post

    told = headers(signing, message_id, at_s, body)
    try:
        status = post(url, body, told, allow=_allow(settings))
    except (InvalidInput, Unavailable) as error:
        return Outcome("failed", error.detail, unreachable=True)
    if 200 <= status < 300:
        return Outcome("delivered", f"HTTP {status}")
    return Outcome("gone" if status == GONE else "failed", f"HTTP {status}")


def _allow(settings: ChannelSettings) -> "Allow":
    from budget.outbound.guard import Allow

    return Allow(origins=settings.origins, setting="BUDGET_WEBHOOK_ORIGINS")
