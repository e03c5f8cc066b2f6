"""Exact counts: those of OpenAI's encodings, the bound for the rest, and what is said without."""

import os
import subprocess
import sys

import pytest
import toktok
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.errors import BudgetError
from budget.domain.estimating import input_tokens_bound
from budget.domain.text_tokens import text_tokens_bound
from budget.prices.exact_tokens import input_tokens, is_exact, text_tokens
from tests.support.token_corpus import cases

GPT = {"provider": "openai", "model": "gpt-4o"}
CLAUDE = {"provider": "anthropic", "model": "claude-sonnet-4-5"}


@pytest.mark.parametrize(
    ("text", "model", "tokens"),
    [
        # From OpenAI's cookbook on counting with tiktoken.
        ("tiktoken is great!", "gpt-4", 6),
        ("antidisestablishmentarianism", "gpt-4", 6),
        ("antidisestablishmentarianism", "gpt-4o", 6),
        ("2 + 2 = 4", "gpt-4", 7),
        ("お誕生日おめでとう", "gpt-4", 9),
        ("お誕生日おめでとう", "gpt-4o", 8),
        ("", "gpt-4o", 0),
    ],
)
def test_texts_for_openai_are_counted_exactly(text: str, model: str, tokens: int) -> None:
    assert text_tokens(text, provider="openai", model=model) == tokens


def test_texts_for_other_models_have_the_bound() -> None:
    assert text_tokens("Hello there", **CLAUDE) == text_tokens_bound("Hello there", "claude")
    assert is_exact(**GPT)
    assert not is_exact(**CLAUDE)


def test_a_request_has_its_texts_exact_and_the_rest_bounded() -> None:
    body = {
        "messages": [
            {"role": "user", "content": "tiktoken is great!"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]},
        ]
    }
    # 6 tokens in either encoding; 8 a request, 4 a message; 85 + 8 x 170 for the image
    assert input_tokens(body, **GPT) == 6 + 8 + 2 * 4 + 1445


def test_a_request_for_another_model_has_the_bound() -> None:
    body = [{"role": "user", "content": "How much is it?"}]
    assert input_tokens(body, **CLAUDE) == input_tokens_bound(body, **CLAUDE)


def test_marks_of_the_encoding_are_counted_as_the_text_they_are() -> None:
    assert text_tokens("<|endoftext|>", **GPT) > 1


@given(st.text(st.characters(), max_size=50))
def test_any_text_can_be_counted_half_pairs_too(text: str) -> None:
    assert 0 <= text_tokens(text, **GPT) <= 3 * len(text) + len(text.encode("utf-8", "replace"))


def test_a_short_text_has_in_this_thread_the_count_that_it_has_in_a_batch() -> None:
    text = "Say twenty words <|endoftext|>, please: \ud800 grün 日本語."
    long = f"{text} " * 200
    alone = text_tokens(text, provider="openai", model="gpt-4o")
    assert alone == text_tokens(text, provider="openai", model="gpt-4o")
    sound = text.replace("\ud800", "\ufffd")
    counted = toktok.batch_count([sound, long.replace("\ud800", "\ufffd")], "o200k_base", 1)
    assert alone == counted[0]
    assert text_tokens(long, provider="openai", model="gpt-4o") == counted[1]


def test_requests_of_the_corpus_are_at_most_their_bound() -> None:
    below = seen = 0
    for _, text in cases(7, 10):
        body = {"messages": [{"role": "user", "content": text}]}
        seen += 1
        below += input_tokens_bound(body, **GPT) < input_tokens(body, **GPT)
    assert seen > 500
    assert below == 0


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "toktok", None)
    with pytest.raises(BudgetError, match=r"pip install 'budgetd\[tokens\]'") as refused:
        text_tokens("Hello", **GPT)
    assert refused.value.code == "extra_missing"
    assert text_tokens("Hello", **CLAUDE) > 0


MANY_AT_ONCE = """
import threading
from pathlib import Path
from budget.prices.exact_tokens import text_tokens

def resident_mb():
    (line,) = (l for l in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in l)
    return int(line.split()[1]) / 1024

text = "So much that it takes a while to count. " * 100_000
def count():
    assert text_tokens(text, provider="openai", model="gpt-4o") == 1_000_001
count()
after_one_mb = resident_mb()
threads = [threading.Thread(target=count) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident_mb() - after_one_mb < 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory of a process")
def test_long_texts_that_are_counted_at_once_need_the_memory_of_one() -> None:
    # One arena: what glibc keeps for each thread is no matter here.
    done = subprocess.run(
        [sys.executable, "-c", MANY_AT_ONCE], capture_output=True, text=True, timeout=60,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )  # fmt: skip
    assert done.stdout == "True\n", done.stderr
