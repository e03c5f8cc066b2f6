"""Fates: what an error says of the call that it ended - was it sent, and may it be billed?

Errors are told by their names and fields, for no provider's SDK is loaded here. Not here: what is
booked then (`core`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from budget.domain.errors import BudgetError
from budget.domain.responses import Told, usage_of

Fate = Literal["not_sent", "refused", "sent"]
"""It never left; the provider answered with an error, which it does not bill; it may be billed."""

NOT_SENT: Final = frozenset((
    "ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol",
    "LocalProtocolError", "InvalidURL", "ConnectionRefusedError", "gaierror",
    "ClientConnectorError",
))  # fmt: skip
"""What goes wrong before a request is on its way (httpx, aiohttp, sockets)."""


def fate_of(error: BaseException) -> Fate:
    """What became of the call. Where that cannot be told, it counts as sent: it is not free."""
    for one in _chain(error):
        if isinstance(one, BudgetError) or NOT_SENT.intersection(_names(one)):
            return "not_sent"
        if _status_of(one) >= 400:
            return "refused"
    return "sent"


def usage_in(error: BaseException) -> Told | None:
    """The usage that an error tells, as those do that come with a whole answer; else None."""
    for name in ("completion", "response", "body"):
        found = getattr(error, name, None)
        dump = getattr(found, "model_dump", None)
        held: Any = dump() if callable(dump) else found
        if isinstance(held, Mapping):
            told = usage_of(held)
            if told.usage is not None:
                return told
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, at most ten steps."""
    one: BaseException | None = error
    for _ in range(10):
        if one is None:
            return
        yield one
        one = one.__cause__ or one.__context__


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _status_of(error: BaseException) -> int:
    """The HTTP status of the provider's answer; 0 if it has none."""
    for name in ("status_code", "code", "status"):
        value = getattr(error, name, None)
        if type(value) is int and 100 <= value <= 599:
            return value
    return 0
