"""Events of OpenAI's responses: put together, and ended in the middle as if the limit were reached.

Source: OpenAI's API reference (responses, streaming events). Not here: which requests make them
(`openai`), and what their usage says (`domain.responses.openai_responses`).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from budget.gateway.formats.format import Body, Notice
from budget.gateway.formats.saying import Saying

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode

ENDS: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
)
_TEXT: Final = "response.output_text.delta"
_GROWING: Final[Mapping[str, str]] = {
    _TEXT: "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "text",
}
"""Deltas of the parts of an item, and the part's field that they add to."""
_ARGUMENTS: Final = frozenset({
    "response.function_call_arguments.delta", "response.mcp_call_arguments.delta",
})  # fmt: skip


def take_plain(transcript: "ResponseTranscript", event: Body) -> str | None:
    """Take an event that brings text to a part that has begun, and nothing else."""
    if event.get("type") != _TEXT or "response" in event or "item" in event or "part" in event:
        return None
    text, number = event.get("delta"), event.get("sequence_number", 0)
    if type(text) is not str or type(number) is not int or event.get("usage") is not None:
        return None
    place = (event.get("output_index"), event.get("content_index"))
    return text if transcript.grows(place, text, number) else None


class ResponseTranscript(Saying):
    """The events of one response, joined."""

    __slots__ = ("_items", "_number", "_part_said", "_response")

    def __init__(self) -> None:
        super().__init__()
        self._response: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._number = 0
        self._part_said: dict[str, Any] = {}

    def grows(self, place: tuple[object, object], text: str, number: int) -> bool:
        """Hear more text of a part, by its item and its place there; False if it is not there."""
        at, within = place
        item = self._items.get(at) if type(at) is int else None
        parts = None if item is None else item.get("content")
        if type(parts) is not list or type(within) is not int or not 0 <= within < len(parts):
            return False
        if parts[within] is not self._part_said:
            self._join_said()
            self._part_said = parts[within]
        self._number = number or self._number
        self.say(text)
        return True

    def _take_said(self, text: str) -> None:
        part = self._part_said
        part["text"] = (part.get("text") or "") + text

    def take(self, event: Body) -> None:
        """Hear one more event."""
        self._join_said()
        kind = str(event.get("type"))
        number = event.get("sequence_number")
        if isinstance(number, int):
            self._number = number
        if isinstance(event.get("response"), Mapping):
            self._response = dict(event["response"])
            return
        at = event.get("output_index")
        if not isinstance(at, int):
            return
        if isinstance(event.get("item"), Mapping):
            self._items[at] = dict(event["item"])
        elif at in self._items:
            self._grow(self._items[at], kind, event)

    def _grow(self, item: dict[str, Any], kind: str, event: Body) -> None:
        delta, place = event.get("delta"), event.get("content_index")
        if isinstance(event.get("part"), Mapping) and isinstance(place, int):
            parts = list(item.get("content") or ())
            parts[place:] = [dict(event["part"])]
            item["content"] = parts
        elif not isinstance(delta, str):
            return
        elif kind in _ARGUMENTS:
            item["arguments"] = (item.get("arguments") or "") + delta
        elif kind in _GROWING and isinstance(place, int):
            parts = item.get("content") or []
            if place < len(parts):
                name = _GROWING[kind]
                parts[place][name] = (parts[place].get(name) or "") + delta

    def whole(self) -> Body:
        """The response as its last event tells it, which is the whole of it."""
        return self._response

    def cut_short(self, notice: Notice) -> Body:
        """The response as far as it came, incomplete for its most output tokens."""
        self._join_said()
        output = [
            {**self._items[at], "status": "incomplete"}
            if self._items[at].get("status") == "in_progress"
            else self._items[at]
            for at in sorted(self._items)
        ]
        return {
            **self._response,
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": output,
            "budget": dict(notice.told),
        }

    def ending(self, notice: Notice) -> bytes:
        """The event that says so."""
        event = {
            "type": "response.incomplete",
            "sequence_number": self._number + 1,
            "response": self.cut_short(notice),
        }
        return b"event: response.incomplete\ndata: " + _encode(event) + b"\n\n"
