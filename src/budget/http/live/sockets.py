"""Sockets: the paths of WebSockets, the right that each needs, and the topic that it begins with.

Not here: what is said there (`conversation`).
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from budget.domain.events import TOPICS
from budget.http.route import SCOPES, Scope


class Socket(NamedTuple):
    """A path. `topic` None: nothing is followed before it is asked for."""

    path: str
    scope: Scope
    topic: str | None = None


SOCKETS: Final = (
    Socket("/ws", "read"),
    Socket("/ws/budget/updates", "read", "budget_events"),
    Socket("/ws/budget/alerts", "read", "budget_alerts"),
    Socket("/ws/budget/allocations", "read", "allocation_updates"),
    Socket("/ws/budget/prices", "read", "price_updates"),
)


def checked_sockets(sockets: Sequence[Socket] = SOCKETS) -> Mapping[str, Socket]:
    """The sockets by their paths; fails the start if one has no right, or is open to everybody."""
    for socket in sockets:
        if socket.scope not in SCOPES or socket.scope in ("open", "any"):
            raise ValueError(f"{socket.path} would be open to everybody")
        if socket.topic is not None and socket.topic not in TOPICS:
            raise ValueError(f"{socket.path} begins with a topic that there is not")
    return {socket.path: socket for socket in sockets}
