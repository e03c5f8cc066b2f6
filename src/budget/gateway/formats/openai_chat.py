"""Chunks of OpenAI's chat: put together to the answer that they would have been in one piece.

Legacy completions too. Source: OpenAI's API reference. Not here: which requests make them
(`openai`), and what their usage says (`domain.responses.openai_chat`).
"""

from collections.abc import Mapping, Set
from typing import Any, Final

import msgspec

from budget.gateway.formats.format import Body, Notice
from budget.gateway.formats.saying import Saying

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode

_SET_ONCE: Final = frozenset({"index", "type", "role", "id"})
_OWN: Final = frozenset({"choices", "usage", "object", "obfuscation"})
_TELLING: Final = frozenset({"response", "x_groq"})
_PLAIN: Final = frozenset({"index", "delta", "finish_reason", "logprobs"})


def is_usage_only(event: Body) -> bool:
    """Whether a chunk is the one with the usage, which comes after all choices."""
    return not event.get("choices", True) and event.get("usage") is not None


def is_last(event: Body) -> bool:
    """Whether a chunk ends a choice, or tells the usage."""
    if event.get("usage") is not None:
        return True
    choices = event.get("choices")
    if isinstance(choices, list):
        for one in choices:
            if isinstance(one, dict) and one.get("finish_reason") is not None:
                return True
    return False


def take_plain(transcript: object, event: Body) -> str | None:
    """Take a chunk that is like those before it, but for the piece of text that it brings."""
    if type(transcript) is not ChatTranscript or event.keys() != transcript.names:
        return None
    choices = event["choices"]
    if type(choices) is not list or len(choices) != 1 or event.get("usage") is not None:
        return None
    choice = choices[0]
    if type(choice) is not dict:
        return None
    delta = choice.get("delta")
    if type(delta) is not dict or len(delta) != 1 or not choice.keys() <= _PLAIN:
        return None
    text = delta.get("content")
    if type(text) is not str or choice.get("index") != 0:
        return None
    if choice.get("finish_reason") is not None or choice.get("logprobs") is not None:
        return None
    transcript.say(text)
    return text


class ChatTranscript(Saying):
    """The chunks of one answer, joined. `names` are the fields of those that may be plain."""

    __slots__ = ("_choices", "_top", "_usage", "names")

    def __init__(self) -> None:
        super().__init__()
        self.names: Set[str] = frozenset()
        self._top: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Any = None

    def take(self, event: Body) -> None:
        """Hear one more chunk."""
        self._join_said()
        for name, value in event.items():
            if name not in _OWN and (value is not None or name not in self._top):
                self._top[name] = value
        if event.get("usage") is not None:
            self._usage = event["usage"]
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, Mapping):
                self._choice(choice)
        alike = type(choices) is list and _TELLING.isdisjoint(event)
        self.names = frozenset(event) if alike else frozenset()

    def _take_said(self, text: str) -> None:
        self._choice({"index": 0, "delta": {"content": text}})

    def _choice(self, choice: Body) -> None:
        index = choice.get("index", 0)
        if not isinstance(index, int):
            return
        held = self._choices.setdefault(index, {"index": index, "finish_reason": None})
        for name, value in choice.items():
            if name == "delta":
                if isinstance(value, Mapping):
                    _join(held.setdefault("message", {"role": "assistant", "content": None}), value)
            elif name == "text":
                held["text"] = held.get("text", "") + str(value or "")
            elif name == "logprobs" and isinstance(value, Mapping):
                if held.get("logprobs") is None:
                    held["logprobs"] = {}
                _join(held["logprobs"], value)
            elif value is not None or name not in held:
                held[name] = value

    @property
    def _is_chat(self) -> bool:
        return not any("text" in choice for choice in self._choices.values())

    def whole(self) -> Body:
        """The answer as it would have come in one piece."""
        self._join_said()
        choices = [_without_places(self._choices[index]) for index in sorted(self._choices)]
        return {
            **self._top,
            "object": "chat.completion" if self._is_chat else "text_completion",
            "choices": choices,
            **({} if self._usage is None else {"usage": self._usage}),
        }

    def cut_short(self, notice: Notice) -> Body:
        """The same, with `length` as the reason to finish of what had not ended."""
        whole = dict(self.whole())
        whole["choices"] = [
            {**choice, "finish_reason": choice.get("finish_reason") or "length"}
            for choice in whole["choices"]
        ]
        return {**whole, "budget": dict(notice.told)}

    def ending(self, notice: Notice) -> bytes:
        """A last chunk with `length` for every choice that had not ended, and the end."""
        self._join_said()
        left = [
            index
            for index, choice in sorted(self._choices.items())
            if choice.get("finish_reason") is None
        ] or [0]
        empty: dict[str, Any] = {"delta": {}} if self._is_chat else {"text": ""}
        chunk = {
            **self._top,
            "object": "chat.completion.chunk" if self._is_chat else "text_completion",
            "choices": [
                {"index": index, **empty, "logprobs": None, "finish_reason": "length"}
                for index in left
            ],
            "budget": dict(notice.told),
        }
        return b"data: " + _encode(chunk) + b"\n\ndata: [DONE]\n\n"


def _join(held: dict[str, Any], delta: Body) -> None:
    """Add what a delta brings: texts one behind the other, lists by the index of their parts."""
    for name, value in delta.items():
        before = held.get(name)
        if value is None and name in held:
            continue
        if before is None:
            held[name] = _places([], value) if isinstance(value, list) else value
        elif isinstance(before, str) and isinstance(value, str):
            held[name] = before or value if name in _SET_ONCE else before + value
        elif isinstance(before, dict) and isinstance(value, Mapping):
            _join(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            _places(before, value)
        else:
            held[name] = value


def _places(held: list[Any], more: list[Any]) -> list[Any]:
    """Add parts to a list: those with an index to the part that has it, others at the end."""
    for part in more:
        if not isinstance(part, Mapping) or "index" not in part:
            held.append(part)
            continue
        same = next(
            (one for one in held if isinstance(one, dict) and one.get("index") == part["index"]),
            None,
        )
        if same is None:
            same = {}
            held.append(same)
        _join(same, part)
    return held


def _without_places(choice: Body) -> Body:
    """The choice; its calls of tools without their index, which only chunks have."""
    message = choice.get("message")
    if not isinstance(message, Mapping) or not isinstance(message.get("tool_calls"), list):
        return choice
    calls = [
        {name: value for name, value in call.items() if name != "index"}
        for call in message["tool_calls"]
        if isinstance(call, Mapping)
    ]
    return {**choice, "message": {**message, "tool_calls": calls}}
