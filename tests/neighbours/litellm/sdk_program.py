"""A program with LiteLLM's SDK and our callback, run in LiteLLM's own venv; prints what came.

python sdk_program.py http://127.0.0.1:9000/v1
"""

import asyncio
import gc
import json
import sys
from typing import Any

import litellm  # type: ignore[import-not-found,unused-ignore]

from budget.domain.errors import BudgetRefused
from budget.neighbours import litellm as ours
from budget.sdk.booking import flush

SAID: Any = {
    "model": "openai/gpt-4o", "messages": [{"role": "user", "content": "one two three"}],
    "api_base": sys.argv[1], "api_key": "k", "max_tokens": 50, "num_retries": 2,
}  # fmt: skip


async def calls() -> dict[str, Any]:
    came: dict[str, Any] = {}
    answer = await litellm.acompletion(**SAID)
    came["answer"] = answer.usage.completion_tokens
    came["stream"] = len([1 async for _ in await litellm.acompletion(**SAID, stream=True)])
    stream = await litellm.acompletion(**SAID, stream=True, extra_headers={"x-fake": "words=40"})
    await anext(stream)
    await stream.aclose()
    del stream
    gc.collect()
    failing = {"x-fake": "status=500", "x-fake-id": "failing"}
    try:
        await litellm.acompletion(**SAID, extra_headers=failing)
    except litellm.InternalServerError:
        came["failed"] = True
    try:
        await litellm.acompletion(**SAID, metadata={"budget": {"project": "none"}})
    except BudgetRefused as error:
        came["refused"] = error.refusal.code
    await asyncio.sleep(1)
    return came


litellm.callbacks = [ours.callback]
told = asyncio.run(calls())
told["sync"] = litellm.completion(**{**SAID, "num_retries": 0}).usage.completion_tokens
gc.collect()
flush(10)
sys.stdout.write(json.dumps(told) + "\n")
