"""LangChain: callbacks that hold before a model is called and settle after it.

    model.invoke("Hello", config={"callbacks": [BudgetCallback()]})

A refusal is raised out of the call as BudgetRefused, before anything is sent. Needs the extra
`langchain`. Not here: what is held and booked of a call (`tracking.core`).
"""
# ruff: noqa: ARG002 - the signatures are those of LangChain

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import BaseMessage, convert_to_openai_messages
from langchain_core.outputs import LLMResult

from budget.sdk.books import Books
from budget.sdk.tracking.core import Call, Passage, Tracker

_API: Final = "chat"
_PROVIDERS: Final = {"google_genai": "google", "google_vertexai": "google", "azure": "openai"}
_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")


class _Runs:
    """The calls that are under way, by the id of their run."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._open: dict[UUID, Passage] = {}
        self._lock = Lock()

    def begin(self, run_id: UUID, passage: Passage) -> None:
        with self._lock:
            self._open[run_id] = passage

    def end(self, run_id: UUID) -> Passage | None:
        """The call of this run, which is under way no longer; None for one that never was."""
        with self._lock:
            return self._open.pop(run_id, None)


class BudgetCallback(BaseCallbackHandler):
    """Holds and settles calls of models that are invoked, batched or streamed without async.

    `books` None: the process's own. `attributes` are those of every call; those of the block win.
    """

    raise_error = True
    run_inline = True

    def __init__(
        self, *, books: Books | None = None, attributes: Mapping[str, str] | None = None
    ) -> None:
        self._runs = _Runs(Tracker(books, attributes=dict(attributes or {})))

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **rest: Any,
    ) -> None:
        """Hold for the call of a chat model."""
        self._runs.begin(run_id, self._runs.tracker.place(_call(_chat(messages), rest)))

    def on_llm_start(
        self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **rest: Any
    ) -> None:
        """Hold for the call of a model that completes texts."""
        self._runs.begin(run_id, self._runs.tracker.place(_call(_texts(prompts), rest)))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **rest: Any) -> None:
        """Settle with what the answer tells."""
        passage = self._runs.end(run_id)
        if passage is not None:
            passage.hear(_answer(response, passage.call))
            passage.close()

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **rest: Any) -> None:
        """Release what was held, unless the call may have been billed."""
        passage = self._runs.end(run_id)
        if passage is not None:
            _hear_part(passage, rest)
            passage.close(error)


class AsyncBudgetCallback(AsyncCallbackHandler):
    """The same for models that are called by `ainvoke`, `abatch` and `astream`."""

    raise_error = True
    run_inline = True

    def __init__(
        self, *, books: Books | None = None, attributes: Mapping[str, str] | None = None
    ) -> None:
        self._runs = _Runs(Tracker(books, attributes=dict(attributes or {})))

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **rest: Any,
    ) -> None:
        """Hold for the call of a chat model."""
        call = _call(_chat(messages), rest)
        self._runs.begin(run_id, await self._runs.tracker.place_async(call))

    async def on_llm_start(
        self, serialized: dict[str, Any], prompts: list[str], *, run_id: UUID, **rest: Any
    ) -> None:
        """Hold for the call of a model that completes texts."""
        call = _call(_texts(prompts), rest)
        self._runs.begin(run_id, await self._runs.tracker.place_async(call))

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **rest: Any) -> None:
        """Settle with what the answer tells."""
        passage = self._runs.end(run_id)
        if passage is not None:
            passage.hear(_answer(response, passage.call))
            await passage.close_async()

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **rest: Any) -> None:
        """Release what was held, unless the call may have been billed."""
        passage = self._runs.end(run_id)
        if passage is not None:
            _hear_part(passage, rest)
            await passage.close_async(error)


def _chat(messages: Sequence[Sequence[BaseMessage]]) -> list[Any]:
    return [one for batch in messages for one in convert_to_openai_messages(list(batch))]


def _texts(prompts: Sequence[str]) -> list[Any]:
    return [{"role": "user", "content": prompt} for prompt in prompts]


def _call(messages: list[Any], rest: Mapping[str, Any]) -> Call:
    """The call as LangChain tells it: the model in the metadata, else in the parameters."""
    metadata = rest.get("metadata") or {}
    params = rest.get("invocation_params") or {}
    model = metadata.get("ls_model_name") or params.get("model") or params.get("model_name")
    provider = str(metadata.get("ls_provider") or "openai")
    limits = [metadata.get("ls_max_tokens"), *(params.get(name) for name in _LIMITS)]
    request: dict[str, Any] = {"model": model, "messages": messages}
    if params.get("tools"):
        request["tools"] = params["tools"]
    limit = next((one for one in limits if isinstance(one, int)), None)
    if limit is not None:
        request["max_tokens"] = limit
    return Call(_PROVIDERS.get(provider, provider), _API, model, request)


def _answer(response: LLMResult, call: Call) -> dict[str, Any]:
    """The answer in the form of a chat completion, whoever gave it: LangChain counts like that."""
    found = [one for batch in response.generations for one in batch]
    answer: dict[str, Any] = {
        "object": "chat.completion",
        "model": call.model,
        "choices": [
            {"index": at, "finish_reason": "stop", "message": {"content": one.text}}
            for at, one in enumerate(found)
        ],
    }
    usage = _usage(found, response.llm_output or {})
    return answer if usage is None else {**answer, "usage": usage}


def _usage(found: Sequence[Any], output: Mapping[str, Any]) -> dict[str, Any] | None:
    """The sum of what the messages tell, else what was told for all of them; None: nothing."""
    told = [getattr(getattr(one, "message", None), "usage_metadata", None) for one in found]
    counts = [one for one in told if one]
    if not counts:
        return output.get("token_usage") or output.get("usage")

    def total(name: str, detail: str | None = None) -> int:
        if detail is None:
            return sum(one.get(name) or 0 for one in counts)
        return sum((one.get(name) or {}).get(detail) or 0 for one in counts)

    return {
        "prompt_tokens": total("input_tokens"),
        "completion_tokens": total("output_tokens"),
        "total_tokens": total("input_tokens") + total("output_tokens"),
        "prompt_tokens_details": {
            "cached_tokens": total("input_token_details", "cache_read"),
            "cache_write_tokens": total("input_token_details", "cache_creation"),
        },
        "completion_tokens_details": {
            "reasoning_tokens": total("output_token_details", "reasoning")
        },
    }


def _hear_part(passage: Passage, rest: Mapping[str, Any]) -> None:
    """Hear what a stream told before it broke."""
    partial = rest.get("response")
    if isinstance(partial, LLMResult) and any(partial.generations):
        passage.hear(_answer(partial, passage.call))
