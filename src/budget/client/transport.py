"""The transport: requests there and answers back, over connections that are kept."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from budget.client.judging import judged
from budget.client.request import Request
from budget.client.sending import DEFAULT_URL, Address, address, prepared
from budget.domain.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

TIMEOUT_SECONDS: Final = 10.0
RETRIES: Final = 3
CONNECT_SECONDS: Final = 2.0
PATIENT_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Terms:
    """Where to, and how long and how often to try."""

    address: Address
    timeout_seconds: float = TIMEOUT_SECONDS
    retries: int = RETRIES


def terms(url: str | None, key: str | None, timeout_seconds: float, retries: int) -> Terms:
    """The terms of a client, with what the environment says where nothing is given."""
    if timeout_seconds <= 0:
        raise InvalidInput("timeout_seconds", "must be more than 0.")
    if retries < 0:
        raise InvalidInput("retries", "must be 0 or more.")
    at = url or os.environ.get("BUDGET_TARGET") or DEFAULT_URL
    return Terms(address(at, key or os.environ.get("BUDGET_KEY") or None), timeout_seconds, retries)


class Transport:
    """For threads."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._http: httpx2.Client | None = None

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()

    def run(self, request: Request[T]) -> T:
        """Ask, and wait for the answer."""
        import httpx2

        at = self._terms.address
        if self._http is None:
            self._http = httpx2.Client(base_url=at.url, headers=at.headers, trust_env=not at.near)
        sent = prepared(request)
        seconds = PATIENT_SECONDS if request.patient else self._terms.timeout_seconds
        try:
            answer = self._http.request(
                sent.method, sent.target, content=sent.content, headers=sent.headers,
                timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS),
            )  # fmt: skip
        except httpx2.TransportError as error:
            raise Unavailable(f"No service answers at {at.url} ({error}).") from None
        return judged(request, at.url, answer.status_code, answer.content)


class AsyncTransport:
    """For event loops."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._http: httpx2.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def run(self, request: Request[T]) -> T:
        """Ask, and wait for the answer."""
        import httpx2

        at = self._terms.address
        if self._http is None:
            self._http = httpx2.AsyncClient(
                base_url=at.url, headers=at.headers, trust_env=not at.near
            )
        sent = prepared(request)
        seconds = PATIENT_SECONDS if request.patient else self._terms.timeout_seconds
        try:
            answer: Any = await self._http.request(
                sent.method, sent.target, content=sent.content, headers=sent.headers,
                timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS),
            )  # fmt: skip
        except httpx2.TransportError as error:
            raise Unavailable(f"No service answers at {at.url} ({error}).") from None
        return judged(request, at.url, answer.status_code, answer.content)
