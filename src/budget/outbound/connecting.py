"""Connecting to a URL that somebody configured, without being turned against our own network.

`asked` connects to the addresses that the guard has looked at and to no others, while the Host
header and TLS stay with the name. No redirects, no proxies, no cookies, one request a connection.

It stands on httpcore2, the lower half of httpx2: there the place to connect is ours to choose, and
no second parser reads the URL. Not here: which addresses may be asked (`guard`), and what is made
of an answer (`fetching`, `posting`).
"""

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpcore2

from budget.domain.errors import Unavailable
from budget.outbound.guard import RETRY_AFTER_SECONDS, Allow, Resolve, Site, allowed_addresses

_OVERHEAD_BYTES: Final = 2**18


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long: `body_bytes` after decompression, `total_seconds` with the look-up.

    What travels, headers and framing included, is bounded by twice `body_bytes` and 256 KiB.
    """

    body_bytes: int = 10**6
    total_seconds: float = 10


DEFAULT_LIMITS: Final = Limits()


@cache
def _system_tls() -> ssl.SSLContext:
    """The authorities of the system, read once: that takes 20 ms."""
    return httpcore2.default_ssl_context()


@contextmanager
def asked(
    method: str,
    site: Site,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    limits: Limits,
    allow: Allow,
    resolve: Resolve,
    tls: ssl.SSLContext | None,
) -> Iterator[httpcore2.Response]:
    """The answer to one request, while it arrives. Blocks for at most `limits.total_seconds`.

    InvalidInput, field `url`: an address is not allowed; nothing was sent. Unavailable: the network
    or the server failed. Neither repeats what a server said, or more of the URL than its host.
    """
    bounds = _Bounds(site.host, limits)
    addresses = allowed_addresses(site, allow, resolve, bounds.left_seconds())
    sent = {
        "Host": site.host_header,
        "User-Agent": "budget",
        **headers,
        "Connection": "close",
    }
    target = httpcore2.URL(scheme=site.scheme, host=site.host, port=site.port, target=site.path)
    try:
        with (
            httpcore2.ConnectionPool(
                ssl_context=tls or _system_tls(),
                network_backend=_Backend(site.host, addresses, bounds),
            ) as pool,
            pool.stream(method, target, headers=list(sent.items()), content=body) as answer,
        ):
            yield answer
    except httpcore2.TimeoutException:
        raise bounds.late() from None
    except httpcore2.ConnectError as error:
        raise _not_reached(site.host, error) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError):
        # `from None`: a protocol error quotes the line that it stumbled over.
        raise unavailable(f"{site.host} broke off, or did not speak HTTP.") from None


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
            raise too_long(self._host, self._limits)

    def late(self) -> Unavailable:
        seconds = self._limits.total_seconds
        return unavailable(f"{self._host} had not answered in full after {seconds:g} s.")


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


def _not_reached(host: str, error: httpcore2.ConnectError) -> Unavailable:
    # The pool cuts the chain of causes; what the socket said is still the argument.
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return unavailable(f"The certificate of {host} is not good: {cause.verify_message}.")
    if isinstance(cause, ssl.SSLError):
        return unavailable(f"{host} could not be spoken to over TLS.")
    return unavailable(f"{host} could not be reached.")


def too_long(host: str, limits: Limits) -> Unavailable:
    """That more came than may come."""
    return unavailable(f"{host} sent more than {limits.body_bytes} bytes.")


def unavailable(detail: str) -> Unavailable:
    """That it did not work this time."""
    return Unavailable(detail, retry_after_seconds=RETRY_AFTER_SECONDS)
