"""A tracked client of OpenAI's SDK holds before each call, and books what its answer tells."""

import asyncio
import contextlib
import gc
from typing import Any

import openai
import pytest

import budget
from budget import Budget, BudgetRefused
from budget.domain.answers import UsageRecord
from tests.fakes.providers import Providers

ASKED: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Say five words."}]}

NOTHING: Any = {"period": "daily", "unit": "usd", "limit": "0"}


def _with(**headers: str) -> dict[str, str]:
    return {"x-fake": " ".join(f"{name}={value}" for name, value in headers.items())}


@pytest.fixture
def client(providers: Providers, books: Budget) -> Any:
    """A tracked client that does not repeat failed requests."""
    with openai.OpenAI(base_url=providers.openai_url, api_key="k", max_retries=0) as made:
        yield budget.track(made)


def _only(books: Budget) -> UsageRecord:
    assert not books.allocations(status="open").items
    (record,) = books.usage_records().items
    return record


def _same_as_billed(record: UsageRecord, providers: Providers) -> bool:
    (bill,) = providers.billed()
    counts = record.usage.input_tokens, record.usage.output_tokens
    return counts == (bill.input_tokens, bill.output_tokens)


def test_a_tracked_client_stays_what_it_is(client: Any) -> None:
    assert isinstance(client, openai.OpenAI)
    assert budget.track(client) is client


def test_a_whole_answer_is_booked_as_it_was_billed(
    client: Any, books: Budget, providers: Providers
) -> None:
    with budget.attributes(user="ann"):
        client.chat.completions.create(**ASKED)
    record = _only(books)
    assert _same_as_billed(record, providers)
    assert record.attributes["user"] == "ann"
    assert record.model == "gpt-4o"


def test_a_stream_is_booked_and_the_added_chunk_is_hidden(
    client: Any, books: Budget, providers: Providers
) -> None:
    chunks = list(client.chat.completions.create(**ASKED, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert providers.requests()[0][1]["stream_options"] == {"include_usage": True}
    assert _same_as_billed(_only(books), providers)


def test_who_asks_for_the_usage_of_a_stream_sees_it(client: Any, books: Budget) -> None:
    asked = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
    assert list(client.chat.completions.create(**asked))[-1].usage
    _only(books)


@pytest.mark.parametrize("how", ["stream helper", "raw", "raw stream", "with_options", "parse"])
def test_other_ways_to_call_are_booked_too(
    client: Any, books: Budget, providers: Providers, how: str
) -> None:
    completions = client.chat.completions
    if how == "stream helper":
        with completions.stream(**ASKED) as stream:
            stream.until_done()
    elif how == "raw":
        assert completions.with_raw_response.create(**ASKED).parse().choices
    elif how == "raw stream":
        with completions.with_streaming_response.create(**ASKED) as raw:
            assert raw.parse().choices
    elif how == "parse":
        assert completions.parse(**ASKED).choices
    else:
        client.with_options(timeout=20).chat.completions.create(**ASKED)
    assert _same_as_billed(_only(books), providers)


def test_responses_and_embeddings_are_booked(
    client: Any, books: Budget, providers: Providers
) -> None:
    client.responses.create(model="gpt-4o", input="Say five words.")
    list(client.responses.create(model="gpt-4o", input="Say five words.", stream=True))
    client.embeddings.create(model="text-embedding-3-small", input="five words")
    assert not books.allocations(status="open").items
    booked = sorted(record.usage[:2] for record in books.usage_records().items)
    assert booked == sorted((one.input_tokens, one.output_tokens) for one in providers.billed())


def test_an_error_of_the_provider_costs_nothing(client: Any, books: Budget) -> None:
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**ASKED, extra_headers=_with(status="429"))
    assert not books.usage_records().items
    assert [one.status for one in books.allocations().items] == ["released"]


def test_an_address_where_nobody_listens_costs_nothing(books: Budget) -> None:
    made = openai.OpenAI(base_url="http://127.0.0.1:9", api_key="k", max_retries=0)
    with made, pytest.raises(openai.APIConnectionError):
        budget.track(made).chat.completions.create(**ASKED)
    assert [one.status for one in books.allocations().items] == ["released"]


def test_retries_inside_the_sdk_count_once(providers: Providers, books: Budget) -> None:
    with openai.OpenAI(base_url=providers.openai_url, api_key="k", max_retries=2) as made:
        headers = {**_with(status="500", times="1"), "x-fake-id": "again"}
        budget.track(made).chat.completions.create(**ASKED, extra_headers=headers)
    assert _same_as_billed(_only(books), providers)


@pytest.mark.parametrize("left", ["closed", "dropped", "never read", "cut"])
def test_a_stream_that_is_not_read_to_its_end_is_not_free(
    client: Any, books: Budget, left: str
) -> None:
    headers = _with(words="40", cut="6") if left == "cut" else _with(words="40")
    stream = client.chat.completions.create(**ASKED, stream=True, extra_headers=headers)
    if left == "cut":
        with contextlib.suppress(openai.APIConnectionError):
            list(stream)
    elif left != "never read":
        for _ in range(4):
            next(stream)
    if left == "closed":
        stream.close()
    del stream
    gc.collect()
    while books.allocations(status="open").items:  # a dropped stream is booked beside us
        pass
    record = _only(books)
    assert record.usage.input_tokens > 0
    assert record.usage.output_tokens > 0
    assert '"estimated"' in record.metadata


def test_an_answer_without_usage_is_estimated(client: Any, books: Budget) -> None:
    client.chat.completions.create(**ASKED, extra_headers={"x-fake": "no_usage"})
    record = _only(books)
    assert record.usage.output_tokens >= 5
    assert '"estimated":"no_usage"' in record.metadata.replace(" ", "")


def test_what_may_not_go_is_refused_before_it_is_sent(
    client: Any, books: Budget, providers: Providers
) -> None:
    books.create_budget(name="small", policies=[NOTHING])
    with pytest.raises(BudgetRefused) as refused:
        client.chat.completions.create(**ASKED)
    assert refused.value.refusal.lines[0].balance.budget == "small"
    assert not providers.requests()


def test_under_a_hard_limit_the_grant_is_written_into_the_request(
    client: Any, books: Budget, providers: Providers
) -> None:
    books.create_budget(
        name="tokens", policies=[{"period": "daily", "unit": "output_tokens", "limit": 100}]
    )
    client.chat.completions.create(**ASKED)
    assert providers.requests()[0][1]["max_completion_tokens"] == 100


def test_without_a_hard_limit_the_request_stays_as_it_is(client: Any, providers: Providers) -> None:
    client.chat.completions.create(**ASKED)
    assert providers.requests()[0][1] == ASKED


def test_async_calls_and_streams_are_booked(providers: Providers, books: Budget) -> None:
    async def calls() -> None:
        async with openai.AsyncOpenAI(base_url=providers.openai_url, api_key="k") as made:
            client = budget.track(made)
            async with budget.attributes(user="ann"):
                await asyncio.gather(*(client.chat.completions.create(**ASKED) for _ in range(5)))
            async for chunk in await client.chat.completions.create(**ASKED, stream=True):
                assert chunk.choices

    asyncio.run(calls())
    assert not books.allocations(status="open").items
    booked = sorted(record.usage[:2] for record in books.usage_records().items)
    assert booked == sorted((one.input_tokens, one.output_tokens) for one in providers.billed())


def test_a_cancelled_call_is_booked_at_what_it_was_granted(
    providers: Providers, books: Budget
) -> None:
    async def call() -> None:
        async with openai.AsyncOpenAI(base_url=providers.openai_url, api_key="k") as made:
            client = budget.track(made)
            task = asyncio.create_task(
                client.chat.completions.create(
                    **ASKED, max_tokens=50, extra_headers={"x-fake": "hang"}
                )
            )
            while not providers.requests():  # noqa: ASYNC110 - the server is another thread's
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while books.allocations(status="open").items:  # noqa: ASYNC110 - booked in a thread
                await asyncio.sleep(0.01)

    asyncio.run(call())
    record = _only(books)
    assert record.usage.output_tokens == 50
    assert '"no_answer"' in record.metadata
