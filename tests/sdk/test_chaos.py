"""Whatever becomes of calls, no hold stays open and no usage that was told is lost."""

import asyncio
import contextlib
import gc
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import openai
import pytest
from google import genai

import budget
from budget import Budget, Facade
from budget.client import Client
from tests.fakes.providers import Providers
from tests.support.command import start_service, stop_service

# A call that is cancelled in the moment in which its connection opens leaves the socket to the
# collector: that is anyio's, below the SDKs. What this test is about is the books.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

HOWS = ("", "words=9", "reasoning=2", "cached=1", "status=429", "status=500", "reset", "no_usage",
        "words=9 cut=4", "words=9 delay_ms=1", "filtered")  # fmt: skip
SAID: Any = [{"role": "user", "content": "Say five words."}]
CLAUDE: Any = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": SAID}
GPT: Any = {"model": "gpt-4o", "max_tokens": 50, "messages": SAID}


def _calls(clients: tuple[Any, Any, Any], dice: random.Random) -> Any:
    """One call by one of the SDKs: an answer, a stream, or what is awaited for these."""
    gpt, claude, gemini = clients
    how, stream = dice.choice(HOWS), dice.random() < 0.5
    headers = {"x-fake": how}
    match dice.randrange(3):
        case 0:
            return gpt.chat.completions.create(**GPT, stream=stream, extra_headers=headers)
        case 1:
            return claude.messages.create(**CLAUDE, stream=stream, extra_headers=headers)
    models = gemini.models
    send = models.generate_content_stream if stream else models.generate_content
    config = {"http_options": {"headers": headers}, "max_output_tokens": 50}
    return send(model="gemini-2.5-flash", contents="Say five words.", config=config)


def _threaded(providers: Providers, count: int) -> None:
    gpt = openai.OpenAI(base_url=providers.openai_url, api_key="k", max_retries=0)
    claude = anthropic.Anthropic(base_url=providers.url, api_key="k", max_retries=0)
    gemini = genai.Client(api_key="k", http_options={"base_url": providers.url})
    clients = budget.track(gpt), budget.track(claude), budget.track(gemini)

    def call(seed: int) -> None:
        dice = random.Random(seed)
        with contextlib.suppress(Exception):
            answer = _calls(clients, dice)
            if hasattr(answer, "__next__"):
                for _ in range(dice.choice((1, 3, 1000))):
                    next(answer)

    with gpt, claude, gemini, ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(count)))


async def _looped(providers: Providers, count: int) -> None:
    gpt = openai.AsyncOpenAI(base_url=providers.openai_url, api_key="k", max_retries=0)
    claude = anthropic.AsyncAnthropic(base_url=providers.url, api_key="k", max_retries=0)
    gemini = genai.Client(api_key="k", http_options={"base_url": providers.url})
    clients = budget.track(gpt), budget.track(claude), budget.track(gemini).aio

    async def call(seed: int) -> None:
        dice = random.Random(seed)
        with contextlib.suppress(Exception, TimeoutError):
            async with asyncio.timeout(dice.choice((0.01, 0.05, 30))):
                answer = await _calls(clients, dice)
                if hasattr(answer, "__anext__"):
                    async for _ in answer:
                        pass

    async with gpt, claude, gemini.aio:
        for start in range(0, count, 20):
            await asyncio.gather(*(call(seed) for seed in range(start, min(start + 20, count))))
    gemini.close()


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.faults)])
def test_no_hold_is_leaked_and_no_usage_is_lost(
    providers: Providers, books: Budget, count: int
) -> None:
    _try(providers, books, count)


@pytest.mark.faults
def test_nor_through_a_service(providers: Providers, tmp_path: Path) -> None:
    served = start_service(tmp_path)
    try:
        with Client(served.url, served.key) as books:
            budget.configure(served.url, key=served.key)
            _try(providers, books, 2_000)
    finally:
        budget.configure()
        stop_service(served)


def _try(providers: Providers, books: Facade, count: int) -> None:
    """Make so many calls, and hold what is booked against the bills of the providers."""
    _threaded(providers, count // 2)
    asyncio.run(_looped(providers, count // 2))
    gc.collect()
    until = time.monotonic() + 10
    while books.allocations(status="open").items and time.monotonic() < until:
        time.sleep(0.05)  # what was dropped is booked beside us
    assert not books.allocations(status="open").items
    bills = {bill.response_id: bill for bill in providers.billed()}
    booked = list(_all_records(books))
    exact = [one for one in booked if one.named and not one.estimated]
    assert exact
    for one in exact:
        assert one.output_tokens == bills[one.named].output_tokens
    assert len({one.named for one in exact}) == len(exact)
    assert len(booked) >= sum(bill.told for bill in bills.values())


class _Booked(NamedTuple):
    named: str
    estimated: bool
    output_tokens: int


def _all_records(books: Facade) -> Iterator[_Booked]:
    """The id of the response, whether its usage is estimated, and what is booked, of each."""
    cursor = None
    while True:
        page = books.usage_records(cursor=cursor)
        for record in page.items:
            said = json.loads(record.metadata or "{}")
            named = said.get("response_id", "")
            yield _Booked(named, "estimated" in said, record.usage.output_tokens)
        cursor = page.next_cursor
        if cursor is None:
            return
