"""Storms: many calls at once through a gateway, most of which something happens to.

The caller leaves at some byte, the provider breaks off, resets, falls silent, answers with an
error, is slow, or tells no usage. What each came to is compared with the provider's own bill. Not
here: what must hold afterwards (`test_faults`).
"""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from tests.fakes.providers import Billed
from tests.gateway.through import Through

PROMPT_WORDS: Final = 800
"""So many input tokens for the fake providers, which count words."""
CALM: Final = 33
"""So many calls come first to which nothing happens: three of each kind."""
LOOKED_AT_BYTES: Final = 65_536


class Spoken(NamedTuple):
    """One way to ask one provider: where, and with which body. `limit` is the path of its limit."""

    path: str
    body: Mapping[str, Any]
    limit: tuple[str, ...]


_MESSAGES: Final = [{"role": "user", "content": "word " * PROMPT_WORDS}]
_CONTENTS: Final = {"contents": [{"role": "user", "parts": [{"text": "word " * PROMPT_WORDS}]}]}
_CHAT: Final = {"model": "gpt-4o", "messages": _MESSAGES}
_RESPONSE: Final = {"model": "gpt-4o", "input": _MESSAGES}
_CLAUDE: Final = {"model": "claude-haiku-4-5", "messages": _MESSAGES}
_OLLAMA: Final = {"model": "llama3.2", "messages": _MESSAGES}
_GEMINI: Final = "/gemini/v1beta/models/gemini-2.5-flash"

SPOKEN: Final = (
    Spoken("/openai/v1/chat/completions", _CHAT, ("max_tokens",)),
    Spoken("/openai/v1/chat/completions", {**_CHAT, "stream": True}, ("max_completion_tokens",)),
    Spoken("/openai/v1/responses", _RESPONSE, ("max_output_tokens",)),
    Spoken("/openai/v1/responses", {**_RESPONSE, "stream": True}, ("max_output_tokens",)),
    Spoken("/anthropic/v1/messages", _CLAUDE, ("max_tokens",)),
    Spoken("/anthropic/v1/messages", {**_CLAUDE, "stream": True}, ("max_tokens",)),
    Spoken(f"{_GEMINI}:generateContent", _CONTENTS, ("generationConfig", "maxOutputTokens")),
    Spoken(
        f"{_GEMINI}:streamGenerateContent?alt=sse", _CONTENTS,
        ("generationConfig", "maxOutputTokens"),
    ),
    Spoken(
        f"{_GEMINI}:streamGenerateContent", _CONTENTS, ("generationConfig", "maxOutputTokens")
    ),
    Spoken("/ollama/api/chat", _OLLAMA, ("options", "num_predict")),
    Spoken("/ollama/api/chat", {**_OLLAMA, "stream": False}, ("options", "num_predict")),
)  # fmt: skip


class Case(NamedTuple):
    """One call: how the provider behaves, the most output tokens, and when the caller leaves.

    `sent` is the share of the request's bytes that are sent, `heard` how many bytes of the answer
    are read before the caller leaves; None: it stays to the end. `abrupt`: it leaves with a reset.
    """

    number: int
    spoken: Spoken
    fake: str
    limit: int | None
    sent: float | None = None
    heard: int | None = None
    abrupt: bool = False


TROUBLES: Final = (
    "none", "none", "no usage", "no usage", "cut", "cut without usage", "reset", "hang", "status",
    "slow", "left before it asked", "left at once", "left in the middle", "left at the end",
    "left without usage",
)  # fmt: skip


def case_of(number: int, dice: random.Random) -> Case:
    """The case of this number."""
    if number < CALM:
        return Case(number, SPOKEN[number % len(SPOKEN)], "words=100", 100)
    trouble = TROUBLES[number % len(TROUBLES)]
    words = dice.randrange(60, 140)
    fake = f"words={words}"
    case = Case(number, dice.choice(SPOKEN), fake, words, abrupt=dice.random() < 0.5)
    if case.spoken.limit != ("max_tokens",) and dice.random() < 0.5:
        case = case._replace(limit=None)
    match trouble:
        case "no usage":
            return case._replace(fake=f"{fake} no_usage")
        case "cut":
            return case._replace(fake=f"{fake} cut={dice.randrange(words)}")
        case "cut without usage":
            return case._replace(fake=f"{fake} no_usage cut={dice.randrange(words)}")
        case "reset" | "hang":
            return case._replace(fake=f"{fake} {trouble}", limit=words)
        case "status":
            return case._replace(fake=f"{fake} status={dice.choice((400, 401, 429, 500, 503))}")
        case "slow":
            return case._replace(fake=f"words={words} delay_ms=2")
        case "left before it asked":
            return case._replace(sent=dice.random())
        case "left at once":
            return case._replace(heard=0)
        case "left in the middle":
            return case._replace(heard=dice.randrange(20_000))
        case "left at the end":
            return case._replace(heard=LOOKED_AT_BYTES)
        case "left without usage":
            return case._replace(fake=f"{fake} no_usage", heard=dice.randrange(20_000))
    return case


def request_of(through: Through, case: Case) -> bytes:
    """The bytes of a call."""
    body = dict(case.spoken.body)
    if case.limit is not None:
        *outer, name = case.spoken.limit
        held: dict[str, Any] = {name: case.limit}
        body |= {outer[0]: held} if outer else held
    content = json.dumps(body).encode()
    head = (
        f"POST {case.spoken.path} HTTP/1.1\r\nhost: {urlsplit(through.url).netloc}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
        f"x-budget-key: {through.key}\r\nx-budget-tag-call: {case.number}\r\n"
        f"x-fake: {case.fake}\r\nx-fake-id: {case.number}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content


async def _call(through: Through, case: Case) -> None:
    parts = urlsplit(through.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    request = request_of(through, case)
    if case.sent is not None:
        request = request[: int(len(request) * case.sent)]
    try:
        writer.write(request)
        await writer.drain()
        if case.sent is None and case.heard is None:
            await reader.read(-1)
        elif case.sent is None and case.heard == LOOKED_AT_BYTES:
            await reader.readuntil(b"\r\n\r\n")
        elif case.heard:
            await reader.read(case.heard)
    except (OSError, asyncio.IncompleteReadError):
        pass  # it is the books that are looked at
    finally:
        if case.abrupt:
            writer.transport.abort()
        writer.close()


def storm(through: Through, calls: int, *, at_once: int, seed: int) -> None:
    """So many calls; returns when all have ended, and the gateway has settled them."""
    dice = random.Random(seed)

    async def run() -> None:
        free = asyncio.Semaphore(at_once)

        async def one(case: Case) -> None:
            async with free:
                await _call(through, case)

        for numbers in (range(CALM), range(CALM, calls)):
            await asyncio.gather(*(one(case_of(number, dice)) for number in numbers))

    asyncio.run(run())


class Tokens(NamedTuple):
    """Input and output tokens."""

    input: int = 0
    output: int = 0

    def plus(self, input_tokens: int, output_tokens: int) -> "Tokens":
        """The sum."""
        return Tokens(self.input + input_tokens, self.output + output_tokens)


class Compared(NamedTuple):
    """One call in the books and on the bill. `told`: the provider told all its figures."""

    booked: Tokens
    billed: Tokens
    told: bool
    where: str


def compared(through: Through) -> dict[str, Compared]:
    """Every call by its number."""
    booked: dict[str, Tokens] = defaultdict(Tokens)
    why: dict[str, str] = defaultdict(str)
    for record in _records(through):
        call = record.attributes["tag.call"]
        usage = record.usage
        booked[call] = booked[call].plus(usage.input_tokens, usage.output_tokens)
        why[call] += f"{record.attributes.get('provider')} {record.metadata} "
    bills: dict[str, list[Billed]] = defaultdict(list)
    for bill in through.providers.billed():
        bills[bill.call_id].append(bill)
    found = {}
    for call in booked.keys() | bills.keys():
        billed = Tokens()
        for bill in bills[call]:
            billed = billed.plus(bill.input_tokens, bill.output_tokens)
        told = all(bill.told for bill in bills[call])
        found[call] = Compared(booked[call], billed, told, why[call])
    return found


def _records(through: Through) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page = through.books.usage_records(limit=500, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
