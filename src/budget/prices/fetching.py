"""Fetching a URL that somebody configured, without being turned against the network we stand in.

`fetch` knows nothing of prices: it takes a URL, limits and what the operator allows, and gives
bytes. It connects to the addresses that the guard has looked at and to no others, while the Host
header and TLS stay with the name. No redirects, no proxies, no cookies, one request a connection.

It stands on httpcore2, the lower half of httpx2: there the place to connect is ours to choose, and
no second parser reads the URL. Not here: what the bytes mean, and when to fetch.
"""

import ssl
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpcore2

from budget.domain.errors import InvalidInput, Unavailable
from budget.prices.guard import (
    PUBLIC_ONLY,
    RETRY_AFTER_SECONDS,
    Allow,
    Resolve,
    allowed_addresses,
    read_url,
    system_addresses,
)

MAX_VALIDATOR_CHARS: Final = 512
_OVERHEAD_BYTES: Final = 2**18


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long: `body_bytes` after decompression, `total_seconds` with the look-up.

    What travels, headers and framing included, is bounded by twice `body_bytes` and 256 KiB.
    """

    body_bytes: int = 10**6
    total_seconds: float = 10


DEFAULT_LIMITS: Final = Limits()


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
    resolve: Resolve = system_addresses,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """GET a URL, behind the guard. Blocks for at most `limits.total_seconds`.

    InvalidInput, field `url`: the URL, or an address its name has, is not allowed; nothing was
    sent. Unavailable: the network or the server failed. Neither repeats what a server said, or
    more of the URL than its host. `tls` replaces the authorities that the system trusts.
    """
    site = read_url(url)
    bounds = _Bounds(site.host, limits)
    addresses = allowed_addresses(site, allow, resolve, bounds.left_seconds())
    since = {"If-None-Match": _validator(etag), "If-Modified-Since": _validator(last_modified)}
    sent = {
        "Host": site.host_header,
        "User-Agent": "budget",
        "Accept": "*/*",
        "Accept-Encoding": "gzip",
        "Connection": "close",
        **{name: value for name, value in since.items() if value is not None},
    }
    target = httpcore2.URL(scheme=site.scheme, host=site.host, port=site.port, target=site.path)
    try:
        with (
            httpcore2.ConnectionPool(
                ssl_context=tls or httpcore2.default_ssl_context(),
                network_backend=_Backend(site.host, addresses, bounds),
            ) as pool,
            pool.stream("GET", target, headers=list(sent.items())) as answer,
        ):
            return _fetched(site.host, answer, limits, *since.values())
    except httpcore2.TimeoutException:
        raise bounds.late() from None
    except httpcore2.ConnectError as error:
        raise _not_reached(site.host, error) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError):
        # `from None`: a protocol error quotes the line that it stumbled over.
        raise _unavailable(f"{site.host} broke off, or did not speak HTTP.") from None


# The connection: to the addresses that were looked at, until the deadline, up to so many bytes.


class _Bounds:
    """What is left of the time and of the bytes of one fetch."""

    def __init__(self, host: str, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self._ends_at = time.monotonic() + limits.total_seconds
        self._left_bytes = 2 * limits.body_bytes + _OVERHEAD_BYTES

    def left_seconds(self) -> float:
        """More than nothing, or Unavailable."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise self.late()
        return left

    def count(self, came_bytes: int) -> None:
        """Unavailable if too much has come."""
        self._left_bytes -= came_bytes
        if self._left_bytes < 0:
            raise _too_long(self._host, self._limits)

    def late(self) -> Unavailable:
        seconds = self._limits.total_seconds
        return _unavailable(f"{self._host} had not answered in full after {seconds:g} s.")


class _Line(httpcore2.NetworkStream):
    """A connection within bounds. Each wait gets what is left, so that drops do not add up."""

    def __init__(self, stream: httpcore2.NetworkStream, bounds: _Bounds) -> None:
        self._stream = stream
        self._bounds = bounds

    def read(self, max_bytes: int, *_: Any, **__: Any) -> bytes:
        came = self._stream.read(max_bytes, self._bounds.left_seconds())
        self._bounds.count(len(came))
        return came

    def write(self, buffer: bytes, *_: Any, **__: Any) -> None:
        self._stream.write(buffer, self._bounds.left_seconds())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        *_: Any,
        **__: Any,
    ) -> httpcore2.NetworkStream:
        left_seconds = self._bounds.left_seconds()
        secured = self._stream.start_tls(ssl_context, server_hostname, left_seconds)
        return _Line(secured, self._bounds)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Connects to the addresses it is given; looks nothing up."""

    def __init__(self, host: str, addresses: Sequence[str], bounds: _Bounds) -> None:
        self._host = host
        self._addresses = addresses
        self._bounds = bounds

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore2.NetworkStream:
        assert host == self._host
        failed: Exception = httpcore2.ConnectError()
        for tried, address in enumerate(self._addresses):
            # An equal share of the time for each, lest the first one that is silent takes it all.
            share_seconds = self._bounds.left_seconds() / (len(self._addresses) - tried)
            try:
                stream = httpcore2.SyncBackend().connect_tcp(address, port, share_seconds)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return _Line(stream, self._bounds)
        raise failed


# The answer.


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
        raise _unavailable(
            f"{host} redirects to {new_host}. Redirects are not followed: name the new URL."
        )
    if answer.status != 200:
        raise _unavailable(f"{host} answered with status {answer.status}.")
    return Fetched(_body(host, answer, limits), told_etag, told_modified)


def _body(host: str, answer: httpcore2.Response, limits: Limits) -> bytes:
    """The body, decompressed, whole and within the limit; else Unavailable."""
    coding = (_header(answer, b"content-encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise _unavailable(f"{host} compressed its answer in a way that was not asked for.")
    length = _header(answer, b"content-length")
    if length is not None and length.isdecimal() and int(length) > limits.body_bytes:
        raise _too_long(host, limits)
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16) if coding == "gzip" else None
    if length is None and _header(answer, b"transfer-encoding") is None and inflater is None:
        # It ends where the connection does, so half of it would look like the whole.
        raise _unavailable(f"{host} does not say where its answer ends.")
    body = bytearray()
    try:
        for piece in answer.iter_stream():
            # One more than may come is enough to know; a bomb never unfolds.
            room_bytes = limits.body_bytes - len(body) + 1
            body += piece if inflater is None else inflater.decompress(piece, room_bytes)
            if len(body) > limits.body_bytes:
                raise _too_long(host, limits)
    except zlib.error:
        raise _unavailable(f"{host} sent what does not decompress.") from None
    if inflater is not None and (not inflater.eof or inflater.unused_data):
        raise _unavailable(f"{host} sent what does not decompress to its end.")
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


def _not_reached(host: str, error: httpcore2.ConnectError) -> Unavailable:
    # The pool cuts the chain of causes; what the socket said is still the argument.
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _unavailable(f"The certificate of {host} is not good: {cause.verify_message}.")
    if isinstance(cause, ssl.SSLError):
        return _unavailable(f"{host} could not be spoken to over TLS.")
    return _unavailable(f"{host} could not be reached.")


def _too_long(host: str, limits: Limits) -> Unavailable:
    return _unavailable(f"{host} sent more than {limits.body_bytes} bytes.")


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(detail, retry_after_seconds=RETRY_AFTER_SECONDS)
