"""The callback holds before each try and settles after it, in the order that LiteLLM calls it."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from budget import Budget, BudgetRefused
from budget.domain.errors import Forbidden, InvalidInput, Unavailable
from budget.neighbours.litellm.hooks import Hooks
from budget.sdk.booking import flush
from budget.sdk.tracking.core import Tracker
from tests.neighbours.litellm.conftest import asked, naming, statuses, used
from tests.neighbours.litellm.order import Log, ProviderError, attempt, routed, streamed

pytestmark = pytest.mark.anyio

ANSWER = {
    "id": "r1", "model": "gpt-4o", "choices": [{"finish_reason": "stop", "message": {}}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
}  # fmt: skip


class Chunk(SimpleNamespace):
    """A chunk of LiteLLM's: an object with fields that can be dumped."""

    def model_dump(self, **_how: Any) -> dict[str, Any]:
        return {**vars(self), "choices": [vars(one) for one in self.choices]}


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> Chunk:
    delta = SimpleNamespace(content=text)
    one = SimpleNamespace(delta=delta, finish_reason=finish, index=0)
    one.delta = {"content": text} if text else {}
    return Chunk(id="r1", model="gpt-4o", choices=[one], **more)


async def answers(_kwargs: Any) -> Any:
    return ANSWER


async def test_a_try_is_settled_with_what_its_answer_tells(hooks: Hooks, books: Budget) -> None:
    await attempt(hooks, answers, asked(Log()))
    assert statuses(books) == ["settled"]
    assert used(books) == [(12, 7)]


async def test_every_try_of_a_router_has_its_own_hold(hooks: Hooks, books: Budget) -> None:
    async def busy(_kwargs: Any) -> Any:
        raise ProviderError(429)

    async def silent(_kwargs: Any) -> Any:
        raise TimeoutError  # it was sent, and may be billed

    await routed(hooks, [busy, silent, answers], asked(Log()))
    assert statuses(books) == ["released", "settled", "settled"]
    assert (12, 7) in used(books)
    assert max(output for _, output in used(books)) == 50  # all that was granted


async def test_a_refusal_stops_the_try_and_no_other_is_made(hooks: Hooks, books: Budget) -> None:
    books.create_budget(name="none", policies=[{"unit": "usd", "period": "daily", "limit": "0"}])
    sent: list[int] = []

    async def send(_kwargs: Any) -> Any:
        sent.append(1)

    with pytest.raises(BudgetRefused) as refused:
        await routed(hooks, [send, send], asked(Log()))
    assert sent == []
    assert getattr(refused.value, "status_code", None) == 402


async def test_of_many_at_once_exactly_those_that_fit_are_sent(hooks: Hooks, books: Budget) -> None:
    books.create_budget(name="ten", policies=[{"unit": "requests", "period": "daily", "limit": 10}])

    async def call(number: int) -> str:
        try:
            await attempt(hooks, answers, asked(Log(f"call-{number}")))
        except BudgetRefused:
            return "refused"
        return "sent"

    came = Counter(await asyncio.gather(*(call(number) for number in range(24))))
    assert came == {"sent": 10, "refused": 14}


async def test_the_granted_limit_is_written_and_a_stream_asked_for_its_usage(
    hooks: Hooks, books: Budget
) -> None:
    books.create_budget(
        name="few", policies=[{"unit": "output_tokens", "period": "daily", "limit": 20}]
    )
    call = asked(Log(), stream=True)
    del call["max_tokens"]
    changed = await hooks.async_pre_call_deployment_hook(call, "acompletion")
    assert changed is not None
    assert changed["max_tokens"] == 20
    assert changed["stream_options"] == {"include_usage": True}
    await hooks.async_post_call_failure_deployment_hook(call, ProviderError(400), "acompletion")


async def stream_of(*chunks: Any) -> AsyncIterator[Any]:
    for one in chunks:
        yield one


USAGE = {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14}


async def test_a_stream_is_settled_at_its_end_and_its_usage_kept_from_who_did_not_ask(
    hooks: Hooks, books: Budget
) -> None:
    log = Log()
    call = asked(log, stream=True)

    async def send(_kwargs: Any) -> Any:
        return stream_of(chunk("a"), chunk("b"), chunk(finish="stop"), chunk(usage=USAGE))

    sent = await streamed(hooks, await attempt(hooks, send, call), call)
    assert len(sent) == 3
    await hooks.async_log_success_event(log.model_call_details, None, None, None)
    assert statuses(books) == ["settled"]
    assert used(books) == [(12, 2)]


async def test_a_stream_that_is_left_is_settled_by_what_was_sent_of_it(
    hooks: Hooks, books: Budget
) -> None:
    call = asked(Log(), stream=True)

    async def send(_kwargs: Any) -> Any:
        return stream_of(*(chunk("word ") for _ in range(20)))

    assert len(await streamed(hooks, await attempt(hooks, send, call), call, most=3)) == 3
    await _until_booked(books, 1)
    ((_, output),) = used(books)
    assert 3 <= output < 50
    assert statuses(books) == ["settled"]


async def test_events_of_messages_are_heard_as_they_are_sent(hooks: Hooks, books: Budget) -> None:
    log = Log()
    call = asked(log, stream=True, model="anthropic/claude-sonnet-4-5")
    start = b'data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":9}}}\n\n'
    end = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    rest = b'"usage":{"output_tokens":4}}\n\ndata: {"type":"message_stop"}\n\n'

    async def send(_kwargs: Any) -> Any:
        return stream_of(start, end, rest)

    chunks = await attempt(hooks, send, call, "anthropic_messages")
    assert await streamed(hooks, chunks, call) == [start, end, rest]
    await hooks.async_log_success_event(log.model_call_details, None, None, None)
    assert used(books) == [(9, 4)]


async def test_what_comes_from_litellms_cache_is_given_back(hooks: Hooks, books: Budget) -> None:
    log = Log()
    await hooks.async_pre_call_deployment_hook(asked(log), "acompletion")
    log.model_call_details["cache_hit"] = True
    await hooks.async_log_success_event(log.model_call_details, ANSWER, None, None)
    assert (statuses(books), used(books)) == (["released"], [])


async def test_a_try_that_is_forgotten_is_booked_at_what_it_was_granted(
    hooks: Hooks, books: Budget
) -> None:
    await asyncio.create_task(_abandoned(hooks))
    gc.collect()
    await _until_booked(books, 1)
    assert used(books)[0][1] == 50


async def _abandoned(hooks: Hooks) -> None:
    """A call whose task is cancelled while the provider works."""
    kwargs = asked(Log())

    async def hang(_kwargs: Any) -> Any:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await attempt(hooks, hang, kwargs)


async def test_a_call_answered_by_one_of_another_kind_is_held_once(
    hooks: Hooks, books: Budget
) -> None:
    log = Log()
    outer = asked(log, input="Is it?", max_output_tokens=50)
    told = {"id": "resp", "object": "response", "status": "completed", "output": [],
            "usage": {"input_tokens": 12, "output_tokens": 7, "total_tokens": 19}}  # fmt: skip

    async def by_chat(kwargs: dict[str, Any]) -> Any:
        await attempt(hooks, answers, asked(kwargs["litellm_logging_obj"]))
        return told

    await attempt(hooks, by_chat, outer, "aresponses")
    assert statuses(books) == ["settled"]
    assert used(books) == [(12, 7)]


async def test_googles_api_before_another_model_is_booked_once(hooks: Hooks, books: Budget) -> None:
    contents = [{"role": "user", "parts": [{"text": "Is it?"}]}]
    outer = asked(Log("outer"), contents=contents, config={"maxOutputTokens": 50})

    async def by_chat(_kwargs: dict[str, Any]) -> Any:
        await attempt(hooks, answers, asked(Log("inner"), model="gpt-4o"))
        return {"candidates": [], "usageMetadata": {"promptTokenCount": 12}}

    await attempt(hooks, by_chat, outer, "agenerate_content")
    assert statuses(books) == ["released", "settled"]
    assert used(books) == [(12, 7)]


async def test_cache_writes_are_booked_as_such(hooks: Hooks, books: Budget) -> None:
    details = {
        "cached_tokens": 3, "cache_creation_tokens": 4,
        "cache_creation_token_details": {"ephemeral_1h_input_tokens": 1},
    }  # fmt: skip
    usage = {**ANSWER["usage"], "prompt_tokens_details": details}  # type: ignore[dict-item]

    async def send(_kwargs: Any) -> Any:
        return {**ANSWER, "usage": usage}

    await attempt(hooks, send, asked(Log(), model="anthropic/claude-sonnet-4-5"))
    (record,) = books.usage_records().items
    assert record.usage[:5] == (12, 7, 3, 3, 1)


async def test_what_cannot_be_held_for_may_not_go_unless_told(books: Budget) -> None:
    with pytest.raises(Forbidden, match="BUDGET_LITELLM_UNMETERED"):
        await Hooks(Tracker(books), naming).async_pre_call_deployment_hook(
            asked(Log()), "aimage_generation"
        )
    lax = Hooks(Tracker(books), naming, unmetered=True)
    assert await lax.async_pre_call_deployment_hook(asked(Log()), "aimage_generation") is None
    assert await lax.async_pre_call_deployment_hook(asked(Log()), "aget_responses") is None


class Gone:
    """Books whose service does not answer while somebody wants to hold."""

    def __init__(self, books: Budget) -> None:
        self._books = books

    def allocate(self, **_ask: Any) -> Any:
        raise Unavailable("No service answers.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._books, name)


async def test_without_the_service_nothing_is_sent_unless_told(books: Budget) -> None:
    gone: Any = Gone(books)
    with pytest.raises(Unavailable):
        await attempt(Hooks(Tracker(gone), naming), answers, asked(Log()))
    assert used(books) == []
    lax = Hooks(Tracker(gone, on_unavailable="allow"), naming)
    await attempt(lax, answers, asked(Log()))
    assert (statuses(books), used(books)) == ([], [(12, 7)])


async def test_attributes_that_are_none_stop_the_call_with_their_name(hooks: Hooks) -> None:
    call = asked(Log(), metadata={"budget": {"projet": "p"}})
    with pytest.raises(InvalidInput, match="projet"):
        await attempt(hooks, answers, call)


async def test_a_call_that_is_not_async_is_booked_after_it(hooks: Hooks, books: Budget) -> None:
    kwargs = {"call_type": "completion", **asked(Log())}
    await asyncio.to_thread(hooks.log_success_event, kwargs, ANSWER, None, None)
    assert (statuses(books), used(books)) == ([], [(12, 7)])


async def _until_booked(books: Budget, count: int) -> None:
    for _ in range(1000):
        if len(used(books)) >= count:
            return
        await asyncio.sleep(0.01)
        flush(0.01)
    raise AssertionError("nothing was booked")
