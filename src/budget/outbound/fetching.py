"""Fetching a URL that somebody configured: its bytes, whole and within limits, or a reason.

It takes a URL, limits and what the operator allows, and knows nothing of what the bytes mean. Not
here: how it is connected (`connecting`), and when to fetch.
"""

import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httpcore2

from budget.domain.errors import InvalidInput
from budget.outbound.connecting import DEFAULT_LIMITS, Limits, asked, too_long, unavailable
from budget.outbound.guard import PUBLIC_ONLY, Allow, Resolve, read_url, system_addresses

__all__ = ["DEFAULT_LIMITS", "Fetched", "Limits", "fetch"]

MAX_VALIDATOR_CHARS: Final = 512


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: its body, decompressed, and what to send along next time to get only news.

    `not_modified`: the server has nothing newer than `etag` or `last_modified`; `body` is empty.
    """

    body: bytes = field(repr=False)
    etag: str | None
    last_modified: str | None
    not_modified: bool = False


def fetch(
    url: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow: Allow = PUBLIC_ONLY,
    etag: str | None = None,
    last_modified: str | None = None,
    headers: Mapping[str, str] | None = None,
    resolve: Resolve = system_addresses,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """GET a URL, with more `headers` if given, behind the guard. Blocks for at most
    `limits.total_seconds`.

    InvalidInput, field `url`: the URL, or an address its name has, is not allowed; nothing was
    sent. Unavailable: the network or the server failed. Neither repeats what a server said, or
    more of the URL than its host. `tls` replaces the authorities that the system trusts.
    """
    site = read_url(url)
    since = {"If-None-Match": _validator(etag), "If-Modified-Since": _validator(last_modified)}
    sent = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip",
        **{name: value for name, value in since.items() if value is not None},
        **(headers or {}),
    }
    with asked(
        "GET", site, sent, None, limits=limits, allow=allow, resolve=resolve, tls=tls
    ) as answer:
        return _fetched(site.host, answer, limits, *since.values())


def _fetched(
    host: str,
    answer: httpcore2.Response,
    limits: Limits,
    etag: str | None,
    last_modified: str | None,
) -> Fetched:
    told_etag = _validator(_header(answer, b"etag"))
    told_modified = _validator(_header(answer, b"last-modified"))
    if answer.status == 304 and (etag or last_modified):
        return Fetched(b"", told_etag or etag, told_modified or last_modified, not_modified=True)
    if answer.status in (301, 302, 303, 307, 308):
        new_host = _redirected_to(_header(answer, b"location"))
        raise unavailable(
            f"{host} redirects to {new_host}. Redirects are not followed: name the new URL."
        )
    if answer.status != 200:
        raise unavailable(f"{host} answered with status {answer.status}.")
    return Fetched(_body(host, answer, limits), told_etag, told_modified)


def _body(host: str, answer: httpcore2.Response, limits: Limits) -> bytes:
    """The body, decompressed, whole and within the limit; else Unavailable."""
    coding = (_header(answer, b"content-encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise unavailable(f"{host} compressed its answer in a way that was not asked for.")
    length = _header(answer, b"content-length")
    if length is not None and length.isdecimal() and int(length) > limits.body_bytes:
        raise too_long(host, limits)
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16) if coding == "gzip" else None
    if length is None and _header(answer, b"transfer-encoding") is None and inflater is None:
        # It ends where the connection does, so half of it would look like the whole.
        raise unavailable(f"{host} does not say where its answer ends.")
    body = bytearray()
    try:
        for piece in answer.iter_stream():
            # One more than may come is enough to know; a bomb never unfolds.
            room_bytes = limits.body_bytes - len(body) + 1
            body += piece if inflater is None else inflater.decompress(piece, room_bytes)
            if len(body) > limits.body_bytes:
                raise too_long(host, limits)
    except zlib.error:
        raise unavailable(f"{host} sent what does not decompress.") from None
    if inflater is not None and (not inflater.eof or inflater.unused_data):
        raise unavailable(f"{host} sent what does not decompress to its end.")
    return bytes(body)


def _header(answer: httpcore2.Response, name: bytes) -> str | None:
    values = [value for key, value in answer.headers if key.lower() == name]
    return b", ".join(values).decode("latin-1") if values else None


def _validator(value: str | None) -> str | None:
    """An ETag or a date as it may be stored and sent back; one that is odd counts as none."""
    if (
        not value
        or len(value) > MAX_VALIDATOR_CHARS
        or not (value.isascii() and value.isprintable())
    ):
        return None
    return value


def _redirected_to(location: str | None) -> str:
    """The host a redirect leads to, in words of ours if it is not one the guard could read."""
    if location is None:
        return "nowhere"
    whole = f"https:{location}" if location.startswith("//") else location
    if "://" not in whole:
        return "another path"
    try:
        return read_url(whole.partition("#")[0]).host
    except InvalidInput:
        return "somewhere odd"
