"""Filling: many calls at once into a limit that has room for a few, and what came of them.

Every wire format, asked over plain HTTP. Not here: what is to be expected (`test_exactness`, and
`benchmarks.exactness`, which fires more).
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import aiohttp

INPUT_TOKENS: Final = 40
PROMPT: Final = "word " * INPUT_TOKENS
"""As many input tokens for the fake providers as it has words."""


class Api(NamedTuple):
    """One API: its path, whole and streamed, the model, and prices in nano-USD per token.

    `cut` are the words in an answer by which one tells that it was cut; `limit` says where the
    most output tokens are written.
    """

    path: str
    streamed_path: str
    model: str
    prices: tuple[int, int]
    cut: tuple[str, ...]
    limit: tuple[str, ...]
    prompt: str
    """The field with the prompt."""


APIS: Final[Mapping[str, Api]] = {
    "chat": Api(
        "/openai/v1/chat/completions", "/openai/v1/chat/completions", "gpt-4o", (2_500, 10_000),
        ('"length"',), ("max_tokens",), "messages",
    ),
    "responses": Api(
        "/openai/v1/responses", "/openai/v1/responses", "gpt-4o", (2_500, 10_000),
        ('"max_output_tokens"}',), ("max_output_tokens",), "input",
    ),
    "messages": Api(
        "/anthropic/v1/messages", "/anthropic/v1/messages", "claude-haiku-4-5", (1_000, 5_000),
        ('"stop_reason":"max_tokens"', '"stop_reason": "max_tokens"'), ("max_tokens",), "messages",
    ),
    "gemini": Api(
        "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
        "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "gemini-2.5-flash", (300, 2_500), ("MAX_TOKENS",), ("generationConfig", "maxOutputTokens"),
        "contents",
    ),
    "ollama": Api(
        "/ollama/api/chat", "/ollama/api/chat", "llama3.2", (100, 400),
        ('"done_reason":"length"', '"done_reason": "length"'), ("options", "num_predict"),
        "messages",
    ),
}  # fmt: skip


OLLAMA: Final[Mapping[str, Any]] = {
    "provider": "ollama", "model": "llama3.2", "input": "0.10", "output": "0.40",
    "reason": "A machine of our own.",
}  # fmt: skip
"""What a model of one's own costs is for the operator to say."""


class Case(NamedTuple):
    """How calls are made: `how` is what the fake provider is told, `most_tokens` the limit."""

    api: str
    how: str
    streamed: bool = False
    most_tokens: int | None = None

    def body(self) -> dict[str, Any]:
        """The body of such a call."""
        api = APIS[self.api]
        said: dict[str, Any] = {"role": "user", "content": PROMPT}
        if api.prompt == "contents":
            said = {"role": "user", "parts": [{"text": PROMPT}]}
        body: dict[str, Any] = {"model": api.model, api.prompt: [said]}
        if self.most_tokens is not None:
            value: Any = self.most_tokens
            for name in reversed(api.limit):
                value = {name: value}
            body.update(value)
        if self.api == "ollama":
            body["stream"] = self.streamed  # unless it is said it streams
        elif self.streamed and api.prompt != "contents":
            body["stream"] = True
        return body

    def cost_nanos(self, output_tokens: int) -> int:
        """What such a call costs that writes so much."""
        each_in, each_out = APIS[self.api].prices
        return INPUT_TOKENS * each_in + output_tokens * each_out


class Filled(NamedTuple):
    """What came of the calls: how many were answered whole, cut, refused, or anything else."""

    whole: int
    cut: int
    refused: int
    others: tuple[int, ...]


async def fill(addresses: Sequence[str], key: str, case: Case, calls: int, at_once: int) -> Filled:
    """Make so many calls, so many of them at once, at the services in turn."""
    api = APIS[case.api]
    path = api.streamed_path if case.streamed else api.path
    headers = {
        "authorization": f"Bearer {key}", "x-fake": case.how, "content-type": "application/json",
    }  # fmt: skip
    body = json.dumps(case.body())
    room = asyncio.Semaphore(at_once)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(number: int) -> tuple[int, bool]:
            url = addresses[number % len(addresses)] + path
            async with room, session.post(url, data=body, headers=headers) as answer:
                text = await answer.text()
                return answer.status, any(word in text for word in api.cut)

        found = await asyncio.gather(*(one(number) for number in range(calls)))
    return Filled(
        sum(status == 200 and not cut for status, cut in found),
        sum(status == 200 and cut for status, cut in found),
        sum(status in (402, 429) for status, _ in found),
        tuple(sorted(status for status, _ in found if status not in (200, 402, 429))),
    )
