"""The envelope: whether a body is one message of JSON-RPC, and in a sentence what is wrong if not.

Not here: whether what the message asks for is there (`server`).
"""

import json
from typing import Any, Final, NamedTuple

_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600
_ONE: Final = "is one JSON-RPC message, an object"


class Flaw(NamedTuple):
    """What is wrong with a body: its code in JSON-RPC, and a sentence."""

    code: int
    detail: str

    @property
    def answer(self) -> bytes:
        """The error that is answered."""
        error = {"code": self.code, "message": self.detail}
        return json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()


def flaw_of(body: bytes) -> Flaw | None:
    """What is wrong with a body; None if it is one message."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return Flaw(_PARSE_ERROR, f"The body is not JSON; a body {_ONE}.")
    if isinstance(message, list):
        return Flaw(_INVALID_REQUEST, f"A body {_ONE}; send messages one by one, not as a list.")
    if not isinstance(message, dict):
        return Flaw(_INVALID_REQUEST, f"A body {_ONE}.")
    wrong = _wrong(message)
    return None if wrong is None else Flaw(_INVALID_REQUEST, wrong)


def _wrong(message: dict[str, Any]) -> str | None:
    if message.get("jsonrpc") != "2.0":
        return 'A message has "jsonrpc": "2.0".'
    if "method" not in message and not message.keys() & {"result", "error"}:
        return 'A message has a "method", such as "tools/list".'
    if not isinstance(message.get("method", ""), str):
        return 'The "method" of a message is a text, such as "tools/list".'
    if not isinstance(message.get("params") or {}, dict):
        return 'The "params" of a message are an object.'
    if not isinstance(message.get("id", 0), str | int | None) or message.get("id") is True:
        return 'The "id" of a message is a text or a whole number.'
    return None
