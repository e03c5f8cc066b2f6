"""Frameworks as clients of the gateway: LangChain, and LiteLLM's own client.

LiteLLM lies in an environment of its own, which LITELLM_VENV names; else its tests are skipped.
"""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.gateway.through import Through

ASKED: Final = "Say a few words."
COST_NANOS: Final = 4 * 2_500 + 5 * 10_000
"""gpt-4o: 4 tokens of input at 2.50 USD a million, 5 of output at 10."""


def chain(gateway: Through, how: str = "words=5", **given: Any) -> ChatOpenAI:
    """LangChain's model of OpenAI, with nothing changed but its address and its key."""
    return ChatOpenAI(
        model="gpt-4o", base_url=f"{gateway.url}/openai/v1", api_key=SecretStr(gateway.key),
        max_retries=0, default_headers={"x-fake": how}, **given,
    )  # fmt: skip


def test_langchain_is_answered_whole_as_a_stream_and_on_an_event_loop(gateway: Through) -> None:
    gateway.limit("1")
    model = chain(gateway)
    whole = model.invoke(ASKED)
    streamed = list(model.stream(ASKED))
    awaited = asyncio.run(chain(gateway).ainvoke(ASKED))
    assert whole.content == awaited.content == "word word word word word "
    assert "".join(str(chunk.content) for chunk in streamed) == whole.content
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] == 5
    assert [one.cost_nanos for one in gateway.records()] == [COST_NANOS] * 3
    assert gateway.open_holds() == 0


def test_langchain_raises_the_error_of_openai_when_the_money_is_spent(gateway: Through) -> None:
    gateway.limit("0.00001")
    with pytest.raises(openai.APIStatusError) as raised:
        chain(gateway).invoke(ASKED)
    assert (raised.value.status_code, raised.value.code) == (402, "over_limit")
    assert gateway.providers.requests() == []


def test_langchain_is_told_that_an_answer_was_cut(gateway: Through) -> None:
    gateway.limit("0.002")  # 196 tokens of output beside the input
    answer = chain(gateway, "words=2000 delay_ms=1 unlimited").invoke(ASKED)
    assert answer.response_metadata["finish_reason"] == "length"
    spent = sum(one.cost_nanos or 0 for one in gateway.records())
    assert 0 < spent <= 2_000_000


LITELLM: Final = """
import json, sys
import litellm
url, key, how = sys.argv[1:]
asked = [{"role": "user", "content": "Say a few words."}]
litellm.suppress_debug_info = True
told = []
for model, base in (("openai/gpt-4o", "/openai/v1"), ("anthropic/claude-haiku-4-5", "/anthropic")):
    for streamed in (False, True):
        try:
            answer = litellm.completion(
                model, messages=asked, api_base=url + base, api_key=key, max_retries=0,
                num_retries=0, stream=streamed, max_tokens=20, extra_headers={"x-fake": how},
            )
            if streamed:
                text = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
            else:
                text = answer.choices[0].message.content
            told.append(text)
        except Exception as error:
            told.append(f"{getattr(error, 'status_code', None)} {error}")
print(json.dumps(told))
"""


def litellm(gateway: Through) -> list[str]:
    """What LiteLLM's client was told by two providers, whole and as a stream."""
    python = Path(os.environ.get("LITELLM_VENV", "/nowhere")) / "bin" / "python"
    if not python.exists():
        pytest.skip("LITELLM_VENV names no environment with LiteLLM")
    said = subprocess.run(
        [python, "-c", LITELLM, gateway.url, gateway.key, "words=5"],
        capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    told: list[str] = json.loads(said.stdout.splitlines()[-1])
    return told


@pytest.mark.faults
def test_litellm_is_answered_and_every_call_is_booked(gateway: Through) -> None:
    gateway.limit("1")
    assert [text.strip() for text in litellm(gateway)] == ["word word word word word"] * 4
    assert len(gateway.records()) == 4
    assert gateway.open_holds() == 0


@pytest.mark.faults
def test_litellm_is_refused_with_the_sentence_of_the_budget(gateway: Through) -> None:
    gateway.limit("0.00001")
    for text in litellm(gateway):
        assert "Everything" in text
    assert gateway.providers.requests() == []
