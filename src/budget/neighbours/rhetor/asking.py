"""Asking Rhetor for words: generate and chat over HTTP, or its specialist's socket.

    said = await generate(Line("rhetor", url, timeout_seconds=PATIENCE_SECONDS), "Say hello.")

Rhetor sends on only the prompt, or the last message of a user, so what else is to be known is
written into that. Its counts are of words. Not here: money: whoever asks holds and settles.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from budget.domain.errors import InvalidInput
from budget.neighbours.calling import MAX_ANSWER_BYTES, Line, Unanswered, said_error

GENERATE: Final = "/api/v1/generate"
CHAT: Final = "/api/v1/chat"
PATIENCE_SECONDS: Final = 120.0
SPECIALIST_PORT: Final = "NUMA_AI_PORT"
DEFAULT_SPECIALIST_PORT: Final = 45016
_HOST: Final = "127.0.0.1"
_COMPONENT: Final = "budget"

Way = Literal["http", "socket"]


class Said(NamedTuple):
    """What was said, and how many words went in and came out, by Rhetor's count; None: not told.

    They are no tokens. Which model it was Rhetor does not tell.
    """

    text: str
    way: Way
    prompt_words: int | None = None
    said_words: int | None = None


class Message(NamedTuple):
    """One message of a chat; `role` is system, user or assistant."""

    role: str
    content: str


async def generate(
    line: Line,
    prompt: str,
    *,
    system_prompt: str | None = None,
    model: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    capability: str = "reasoning",
    component: str = _COMPONENT,
) -> Said:
    """The answer to a prompt, before which the system prompt is written. Unanswered without one."""
    text = prompt if system_prompt is None else f"{system_prompt}\n\n{prompt}"
    body = {"prompt": text, "capability": capability, "component": component}
    told = await line.ask("POST", GENERATE, body | _given(model, temperature, max_tokens))
    return _said(told, ("response", "content"))


async def chat(
    line: Line,
    messages: Sequence[Message],
    *,
    model: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    capability: str = "chat",
    component: str = _COMPONENT,
) -> Said:
    """The answer to a conversation, which is written into one message. No context is named, for
    Rhetor fails where one is.
    """
    whole = {"role": "user", "content": as_one(messages)}
    body = {"messages": [whole], "capability": capability, "component": component}
    told = await line.ask("POST", CHAT, body | _given(model, temperature, max_tokens))
    return _said(told, ("content", "response"))


def as_one(messages: Sequence[Message]) -> str:
    """A conversation as one text; a single message is itself."""
    if not messages:
        raise InvalidInput("messages", "must not be empty.")
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{one.role}: {one.content}" for one in messages)


async def ask_specialist(
    text: str, port: int = DEFAULT_SPECIALIST_PORT, *, timeout_seconds: float = PATIENCE_SECONDS
) -> Said:
    """The answer of the specialist whose socket is on this machine, for when Rhetor's HTTP gives
    none: a line of JSON each way. Unanswered without one.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            told = await _exchanged(port, {"type": "chat", "content": text})
    except TimeoutError:
        raise Unanswered(f"The specialist at port {port} did not answer in time.") from None
    except (OSError, ValueError) as error:
        raise Unanswered(f"The specialist at port {port} cannot be asked: {error}.") from None
    mistake = said_error(told)
    if mistake is not None:
        raise Unanswered(f"The specialist says: {mistake}")
    return _said(told, ("response", "content"))._replace(way="socket")


def read_specialist_port(env: Mapping[str, str]) -> int:
    """The port of the specialist's socket."""
    text = env.get(SPECIALIST_PORT) or str(DEFAULT_SPECIALIST_PORT)
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65_536:
        raise InvalidInput(SPECIALIST_PORT, f"{text[:80]!r} is no port.")
    return int(text)


async def _exchanged(port: int, asked: Mapping[str, str]) -> Any:
    reader, writer = await asyncio.open_connection(_HOST, port, limit=MAX_ANSWER_BYTES)
    try:
        writer.write(msgspec.json.encode(asked) + b"\n")
        await writer.drain()
        line = await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if not line.endswith(b"\n"):
        raise ValueError("it hung up")
    return msgspec.json.decode(line)


def _given(model: str | None, temperature: float | None, max_tokens: int | None) -> dict[str, Any]:
    given = {"model": model, "temperature": temperature, "max_tokens": max_tokens}
    return {name: value for name, value in given.items() if value is not None}


def _said(told: Any, places: tuple[str, str]) -> Said:
    found = told if isinstance(told, Mapping) else {}
    texts = (found.get(name) for name in places)
    text = next((one for one in texts if isinstance(one, str) and one.strip()), None)
    if text is None:
        raise Unanswered("rhetor answered, but said nothing.")
    usage = found.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    return Said(
        text, "http", _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
