"""Writing: the body that is sent: the caller's bytes where nothing is changed, else JSON anew.

What is priced is what is sent: a name that comes twice in an object could mean one thing here and
another to the provider, so such a body is always written anew. Not here: the changes (`formats`).
"""

import json
from typing import Any, Final

import msgspec

from budget.gateway.formats.format import Body
from budget.gateway.formats.multipart import is_form, with_model

_QUICKLY_READ_BYTES: Final = 64 * 1024
"""Longer ones are written anew rather than looked through: that takes a hundredth of the time."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def sent_body(raw: bytes, body: Body, written: Body, content_type: bytes = b"") -> bytes:
    """What to send for a body that came as `raw`, was read as `body` and is now `written`."""
    if is_form(content_type):
        return raw if written == body else with_model(raw, content_type, written["model"])
    anew = _encode(written)
    if anew == raw or written != body:  # SDKs write JSON as it is written here
        return anew
    return raw if len(raw) <= _QUICKLY_READ_BYTES and _is_plain(raw) else anew


def _is_plain(raw: bytes) -> bool:
    """Whether no name comes twice in an object."""
    try:
        _read(raw.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError


_read: Final = json.JSONDecoder(object_pairs_hook=_once).decode
