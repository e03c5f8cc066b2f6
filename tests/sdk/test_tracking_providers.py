"""Tracked clients of Anthropic's and Google's SDKs hold before each call, and book its answer."""

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from google import genai
from google.genai import errors as google_errors

import budget
from budget import Budget, BudgetRefused
from budget.domain.answers import UsageRecord
from tests.fakes.providers import Providers

CLAUDE: Any = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say five words."}],
}
GEMINI: Any = {"model": "gemini-2.5-flash", "contents": "Say five words."}
NOTHING: Any = {"period": "daily", "unit": "usd", "limit": "0"}
SDKS = ("anthropic", "google")


@pytest.fixture
def claude(providers: Providers, books: Budget) -> Iterator[Any]:
    """A tracked client of Anthropic's that does not repeat failed requests."""
    with anthropic.Anthropic(base_url=providers.url, api_key="k", max_retries=0) as made:
        yield budget.track(made)


@pytest.fixture
def gemini(providers: Providers, books: Budget) -> Iterator[Any]:
    """A tracked client of Google's."""
    with genai.Client(api_key="k", http_options={"base_url": providers.url}) as made:
        yield budget.track(made)


@pytest.fixture(params=SDKS)
def sdk(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """The name of an SDK, and a tracked client of it."""
    name: str = request.param
    return name, request.getfixturevalue("claude" if name == "anthropic" else "gemini")


def _ask(sdk: tuple[str, Any], how: str = "") -> Any:
    """One whole answer, behaving as `how` says."""
    name, client = sdk
    if name == "anthropic":
        return client.messages.create(**CLAUDE, extra_headers={"x-fake": how})
    return client.models.generate_content(**GEMINI, config=_config(how))


def _stream(sdk: tuple[str, Any], how: str = "") -> Any:
    """One answer as a stream, behaving as `how` says."""
    name, client = sdk
    if name == "anthropic":
        return client.messages.create(**CLAUDE, stream=True, extra_headers={"x-fake": how})
    return client.models.generate_content_stream(**GEMINI, config=_config(how))


def _config(how: str, **more: Any) -> Any:
    return {"http_options": {"headers": {"x-fake": how}}, "max_output_tokens": 100, **more}


def _wait(books: Budget) -> None:
    gc.collect()
    while books.allocations(status="open").items:  # what is dropped is booked beside us
        pass


def _only(books: Budget) -> UsageRecord:
    assert not books.allocations(status="open").items
    (record,) = books.usage_records().items
    return record


def _booked(books: Budget) -> list[tuple[int, int, int]]:
    used = (record.usage for record in books.usage_records().items)
    return sorted((u.input_tokens, u.output_tokens, u.cache_read_tokens) for u in used)


def _billed(providers: Providers) -> list[tuple[int, int, int]]:
    return sorted((b.input_tokens, b.output_tokens, b.cached_tokens) for b in providers.billed())


def test_tracked_clients_stay_what_they_are(claude: Any, gemini: Any) -> None:
    assert isinstance(claude, anthropic.Anthropic)
    assert isinstance(gemini, genai.Client)
    assert budget.track(claude) is claude
    assert budget.track(gemini) is gemini


@pytest.mark.parametrize("how", ["", "reasoning=3", "cached=2", "words=300", "filtered"])
def test_a_whole_answer_and_a_stream_are_booked_as_they_were_billed(
    sdk: tuple[str, Any], books: Budget, providers: Providers, how: str
) -> None:
    with budget.attributes(user="ann"):
        _ask(sdk, how)
        list(_stream(sdk, how))
    assert not books.allocations(status="open").items
    assert _booked(books) == _billed(providers)
    assert {record.attributes["user"] for record in books.usage_records().items} == {"ann"}
    assert {record.provider for record in books.usage_records().items} == {sdk[0]}
    assert all('"estimated"' not in record.metadata for record in books.usage_records().items)


@pytest.mark.parametrize("how", ["stream helper", "raw", "raw stream", "with_options", "beta"])
def test_other_ways_to_call_anthropic_are_booked_too(
    claude: Any, books: Budget, providers: Providers, how: str
) -> None:
    if how == "stream helper":
        with claude.messages.stream(**CLAUDE) as stream:
            assert "".join(stream.text_stream).split()
    elif how == "raw":
        assert claude.messages.with_raw_response.create(**CLAUDE).parse().content
    elif how == "raw stream":
        with claude.messages.with_streaming_response.create(**CLAUDE) as raw:
            assert raw.parse().content
    elif how == "beta":
        assert claude.beta.messages.create(**CLAUDE).content
    else:
        claude.with_options(timeout=20).messages.create(**CLAUDE)
    assert not books.allocations(status="open").items
    assert _booked(books) == _billed(providers)


def test_messages_may_be_an_iterator_and_hold_objects_of_the_sdk(
    claude: Any, books: Budget, providers: Providers
) -> None:
    said = claude.messages.create(**CLAUDE)
    turns = [*CLAUDE["messages"], {"role": "assistant", "content": said.content}]
    claude.messages.create(**{**CLAUDE, "messages": (turn for turn in turns)})
    assert providers.requests()[1][1]["messages"][1]["content"][0]["text"]
    assert _booked(books) == _billed(providers)


def test_chats_of_google_are_booked(gemini: Any, books: Budget, providers: Providers) -> None:
    chat = gemini.chats.create(model="gemini-2.5-flash")
    chat.send_message("Say five words.")
    assert [chunk.text for chunk in chat.send_message_stream("And five more.")]
    assert not books.allocations(status="open").items
    assert _booked(books) == _billed(providers)


def test_counting_tokens_holds_nothing(claude: Any, gemini: Any, books: Budget) -> None:
    asked = {name: CLAUDE[name] for name in ("model", "messages")}
    assert claude.messages.count_tokens(**asked).input_tokens == 7
    assert gemini.models.count_tokens(**GEMINI).total_tokens == 7
    assert not books.allocations().items


@pytest.mark.parametrize("call", [_ask, lambda *asked: list(_stream(*asked))])
def test_an_error_of_the_provider_costs_nothing(
    sdk: tuple[str, Any], books: Budget, call: Any
) -> None:
    with pytest.raises((anthropic.RateLimitError, google_errors.ClientError)):
        call(sdk, "status=429")
    assert not books.usage_records().items
    assert [one.status for one in books.allocations().items] == ["released"]


def test_retries_inside_the_sdk_count_once(providers: Providers, books: Budget) -> None:
    with anthropic.Anthropic(base_url=providers.url, api_key="k", max_retries=2) as made:
        headers = {"x-fake": "status=529 times=1", "x-fake-id": "again"}
        budget.track(made).messages.create(**CLAUDE, extra_headers=headers)
    assert not books.allocations(status="open").items
    assert _booked(books) == _billed(providers)


@pytest.mark.parametrize("left", ["closed", "dropped", "cut"])
def test_a_stream_that_is_not_read_to_its_end_is_not_free(
    sdk: tuple[str, Any], books: Budget, left: str
) -> None:
    stream = _stream(sdk, "words=40 cut=8" if left == "cut" else "words=40")
    if left == "cut":
        with contextlib.suppress(Exception):
            list(stream)
    else:
        for _ in range(6):
            next(stream)
    if left == "closed":
        stream.close()
    del stream
    _wait(books)
    record = _only(books)
    assert record.usage.input_tokens > 0
    assert 0 < record.usage.output_tokens < 100
    assert '"aborted"' in record.metadata


def test_a_stream_of_google_that_is_never_read_was_never_sent(
    gemini: Any, books: Budget, providers: Providers
) -> None:
    gemini.models.generate_content_stream(**GEMINI)
    assert not providers.requests()
    assert not books.allocations().items


def test_an_answer_without_usage_is_estimated(sdk: tuple[str, Any], books: Budget) -> None:
    _ask(sdk, "no_usage")
    list(_stream(sdk, "no_usage"))
    assert not books.allocations(status="open").items
    records = books.usage_records().items
    assert len(records) == 2
    assert all(record.usage.output_tokens >= 5 for record in records)
    assert all('"no_usage"' in record.metadata for record in records)


def test_a_connection_that_is_reset_is_booked_at_what_was_granted(
    sdk: tuple[str, Any], books: Budget
) -> None:
    with pytest.raises(Exception, match=r"."):
        _ask(sdk, "reset")
    record = _only(books)
    assert record.usage.output_tokens == 100
    assert '"no_answer"' in record.metadata


def test_what_may_not_go_is_refused_before_it_is_sent(
    sdk: tuple[str, Any], books: Budget, providers: Providers
) -> None:
    books.create_budget(name="small", policies=[NOTHING])
    with pytest.raises(BudgetRefused) as refused:
        _ask(sdk)
    with pytest.raises(BudgetRefused):
        list(_stream(sdk))
    assert refused.value.refusal.lines[0].balance.budget == "small"
    assert not providers.requests()


def test_under_a_hard_limit_the_grant_is_written_into_the_request(
    claude: Any, gemini: Any, books: Budget, providers: Providers
) -> None:
    books.create_budget(
        name="tokens", policies=[{"period": "daily", "unit": "output_tokens", "limit": 60}]
    )
    budget.track(claude, fit=True).messages.create(**CLAUDE)  # uses 5 of 60
    gemini.models.generate_content(**GEMINI)
    first, second = (body for _, body in providers.requests())
    assert first["max_tokens"] == 60
    assert second["generationConfig"]["maxOutputTokens"] == 55


def test_without_a_hard_limit_the_request_stays_as_it_is(
    sdk: tuple[str, Any], providers: Providers
) -> None:
    name, client = sdk
    if name == "anthropic":
        client.messages.create(**CLAUDE)
        assert providers.requests()[0][1] == CLAUDE
    else:
        client.models.generate_content(**GEMINI)
        assert not providers.requests()[0][1].get("generationConfig")


def test_async_calls_and_streams_are_booked(providers: Providers, books: Budget) -> None:
    async def anthropics() -> None:
        async with anthropic.AsyncAnthropic(base_url=providers.url, api_key="k") as made:
            client = budget.track(made)
            await asyncio.gather(*(client.messages.create(**CLAUDE) for _ in range(3)))
            async for _ in await client.messages.create(**CLAUDE, stream=True):
                pass
            async with client.messages.stream(**CLAUDE) as stream:
                assert (await stream.get_final_message()).content

    async def googles() -> None:
        made = genai.Client(api_key="k", http_options={"base_url": providers.url})
        async with budget.track(made).aio as client:
            await asyncio.gather(*(client.models.generate_content(**GEMINI) for _ in range(3)))
            async for _ in await client.models.generate_content_stream(**GEMINI):
                pass
            await client.chats.create(model="gemini-2.5-flash").send_message("Say five words.")
        made.close()

    asyncio.run(anthropics())
    asyncio.run(googles())
    assert not books.allocations(status="open").items
    assert len(_booked(books)) == 10
    assert _booked(books) == _billed(providers)


@pytest.mark.parametrize(
    ("name", "left"),
    [*((name, left) for name in SDKS for left in ("call", "stream")), ("anthropic", "unread")],
)  # Google's SDK sends nothing for a stream that nobody reads
def test_what_is_cancelled_is_not_free(
    providers: Providers, books: Budget, name: str, left: str
) -> None:
    how = "hang" if left == "call" else "words=50 delay_ms=5"

    async def call() -> None:
        claude = anthropic.AsyncAnthropic(base_url=providers.url, api_key="k", max_retries=0)
        google = genai.Client(api_key="k", http_options={"base_url": providers.url})
        sdk = name, budget.track(claude) if name == "anthropic" else budget.track(google).aio
        async with claude, google.aio:
            task = asyncio.create_task(_read(sdk, left, how))
            while not (task.done() or providers.requests()):  # noqa: ASYNC110 - in a thread
                await asyncio.sleep(0.01)
            if left == "stream":
                await asyncio.sleep(0.05)
            if left != "unread":
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            del task
            gc.collect()
            while books.allocations(status="open").items:  # noqa: ASYNC110 - booked in a thread
                await asyncio.sleep(0.01)
        google.close()

    asyncio.run(call())
    record = _only(books)
    assert record.usage.input_tokens > 0
    assert record.usage.output_tokens == 100 if left == "call" else True
    assert '"estimated"' in record.metadata


async def _read(sdk: tuple[str, Any], left: str, how: str) -> None:
    made = await (_ask if left == "call" else _stream)(sdk, how)
    if left == "stream":
        async for _ in made:
            pass
