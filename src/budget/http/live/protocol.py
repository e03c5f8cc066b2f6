"""The connection beneath a WebSocket: uvicorn's, through which frames made before can be written.

An event is encoded once, with its frame's header, and written as it is to all who follow it; so
nothing is compressed. Not here: what is said over it (`socket`).
"""

import logging
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION: Final = "budget.frames"
"""In a scope's extensions: the connection."""
MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Of a message that a client sends."""
CLOSE_SECONDS: Final = 10.0
PING: Final = b"\x89\x00"
TEXT: Final = 0x81
_SHORT: Final = 126
_MEDIUM: Final = 1 << 16

_quiet = logging.getLogger("budget.websocket")
"""uvicorn tells its log of each path with its query, where a careless client may have put a key."""
_quiet.setLevel(logging.ERROR)


class LiveProtocol(WebSocketsSansIOProtocol):
    """A WebSocket whose application may write frames itself."""

    heard_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _quiet

    def data_received(self, data: bytes) -> None:
        """Read on; whoever sends anything is there."""
        self.heard_at = self.loop.time()
        super().data_received(data)

    def handle_connect(self, event: Any) -> None:
        """Somebody asks for a WebSocket."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: Any = self.scope["extensions"]
            extensions[EXTENSION] = self

    async def send(self, message: Any) -> None:
        """Send what the application says. One that answers with no WebSocket has said all."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # else uvicorn tells the log that it was forgotten

    @property
    def open(self) -> bool:
        """Whether frames may still be written."""
        return self.handshake_complete and not (
            self.close_sent or self.disconnected or self.transport.is_closing()
        )

    @property
    def waiting_bytes(self) -> int:
        """What was written and is not sent yet."""
        return self.transport.get_write_buffer_size()

    def write(self, frames: bytes) -> None:
        """Write whole frames, unless the connection is closing."""
        if self.open:
            self.transport.write(frames)

    async def drained(self) -> None:
        """Return once most of what was written is sent, or the connection is lost."""
        await self.writable.wait()

    def end(self, code: int, reason: str) -> None:
        """Close it; what was written before is sent first, if that takes no longer than 10 s."""
        if not self.open:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        # The application ends now; what was written is sent all the same, as long as this runs.
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)


def text_frame(payload: bytes) -> bytes:
    """A whole text message of a server: header and payload."""
    size = len(payload)
    if size < _SHORT:
        return bytes((TEXT, size)) + payload
    if size < _MEDIUM:
        return bytes((TEXT, _SHORT)) + size.to_bytes(2) + payload
    return bytes((TEXT, _SHORT + 1)) + size.to_bytes(8) + payload
