"""Posting to a URL that somebody configured: whether it was taken, and nothing of what came back.

Not here: how it is connected (`connecting`), what is posted and when it is tried again.
"""

import ssl
from collections.abc import Mapping
from typing import Final

from budget.outbound.connecting import Limits, asked
from budget.outbound.guard import PUBLIC_ONLY, Allow, Resolve, read_url, system_addresses

POST_LIMITS: Final = Limits(body_bytes=64 * 1024, total_seconds=10)
"""What an answer may have at most before it is given up; its body is never looked at."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    limits: Limits = POST_LIMITS,
    allow: Allow = PUBLIC_ONLY,
    resolve: Resolve = system_addresses,
    tls: ssl.SSLContext | None = None,
) -> int:
    """POST a body, behind the guard; the status of the answer, a redirect's too.

    Blocks for at most `limits.total_seconds`. InvalidInput, field `url`: the URL, or an address its
    name has, is not allowed; nothing was sent. Unavailable: the network or the server failed.
    """
    sent = {**headers, "Content-Length": str(len(body)), "Accept": "*/*"}
    with asked(
        "POST", read_url(url), sent, body, limits=limits, allow=allow, resolve=resolve, tls=tls
    ) as answer:
        status: int = answer.status
        return status
