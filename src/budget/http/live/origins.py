"""Origins: whose pages may open a WebSocket, which browsers let any page try.

Not here: cookies and other requests (`door`).
"""

from collections.abc import Mapping

from budget.engine.door_settings import DoorSettings


def may_open(headers: Mapping[bytes, bytes], settings: DoorSettings) -> bool:
    """Whether who asks is no page at all, a page of this very host, or one that is allowed."""
    given = headers.get(b"origin")
    if given is None:
        return True
    origin = given.decode("latin-1").lower()
    host = headers.get(b"host", b"").decode("latin-1").lower()
    own = {f"http://{host}", f"https://{host}"} if host else set()
    return origin in own or origin == settings.public_url or origin in settings.allowed_origins
