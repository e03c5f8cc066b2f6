"""The client of a service: `Client` for threads and `AsyncClient` for event loops.

Their methods are those of `domain.facade`, with the same parameters, values and errors as the
in-process `Budget`. What each asks for is written in `client.calls`, how that is sent in
`client.transport`.
"""

from collections.abc import AsyncIterator, Iterator
from typing import TypeVar, Unpack

from budget.client.calls import Calls
from budget.client.following import awaiting, following
from budget.client.request import request_of
from budget.client.retrying import RETRIES, TIMEOUT_SECONDS, terms
from budget.client.transport import AsyncTransport, Transport
from budget.domain.acts.act import Act
from budget.domain.answers import Event
from budget.domain.asks_reading import FollowAsk
from budget.domain.facade import AsyncFacade, Facade

T = TypeVar("T")


class Client(Facade):
    """The books behind a service, for code that runs in threads. Any thread may call any method.

    `url` is that of BUDGET_TARGET unless given, else http://127.0.0.1:8013; `key` that of
    BUDGET_KEY. A call takes at most `timeout_seconds`, with its retries.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        self._transport = Transport(terms(url, key, timeout_seconds, retries))
        self.acts = Calls()

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._transport.terms.address.url

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def run(self, act: Act[T]) -> T:
        """Ask, and wait for the answer."""
        return self._transport.run(request_of(act))

    def follow(self, **ask: Unpack[FollowAsk]) -> Iterator[Event]:
        """Events as they come, without end: those after a cursor, or from now on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice, though
        connections break.
        """
        return following(self._transport, ask)


class AsyncClient(AsyncFacade):
    """The books behind a service, for code on an event loop; otherwise as `Client`."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        self._transport = AsyncTransport(terms(url, key, timeout_seconds, retries))
        self.acts = Calls()

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._transport.terms.address.url

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def run(self, act: Act[T]) -> T:
        """Ask, and wait for the answer."""
        return await self._transport.run(request_of(act))

    def follow(self, **ask: Unpack[FollowAsk]) -> AsyncIterator[Event]:
        """Events as they come, without end: those after a cursor, or from the first step on.

        Of these topics, kinds, budget and attributes. None is skipped and none comes twice, though
        connections break.
        """
        return awaiting(self._transport, ask)
