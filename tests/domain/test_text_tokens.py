"""Text in tokens: the bound is above the true count, and not far above, on a corpus of our own."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toktok import batch_count

from budget.domain.text_tokens import FAMILIES, LOOKED_AT, bare_name, family_of, text_tokens_bound
from tests.support.token_corpus import Case, cases

ENCODINGS = {"cl100k": "cl100k_base", "o200k": "o200k_base"}
PYTHON_AND_PROSE = {"english", "python", "json", "chinese", "emoji"}


@pytest.fixture(scope="module")
def corpus() -> list[Case]:
    return list(cases(20261125, 60))


def ratios(corpus: list[Case], family: str, encoding: str) -> Iterator[tuple[str, int, int]]:
    """Kind, bound and true count of each case."""
    true = batch_count([text for _, text in corpus], encoding, 1)
    for (kind, text), tokens in zip(corpus, true, strict=True):
        yield kind, text_tokens_bound(text, family), tokens


def middle(numbers: list[int]) -> int:
    return sorted(numbers)[len(numbers) // 2]


def test_the_bound_is_below_the_true_count_in_under_one_of_a_thousand_cases(
    corpus: list[Case],
) -> None:
    below = seen = 0
    per_mille: list[int] = []
    for family, encoding in ENCODINGS.items():
        own: list[int] = []
        for _, bound, tokens in ratios(corpus, family, encoding):
            seen += 1
            below += bound < tokens
            own.append(bound * 1000 // max(1, tokens))
        sys.stdout.write(f"{family}: {middle(own)} per mille at the median of {len(own)} cases\n")
        assert middle(own) <= 1600
        per_mille += own
    sys.stdout.write(f"below: {below} of {seen}; overall median {middle(per_mille)} per mille\n")
    assert seen > 6000
    assert below * 1000 < seen
    assert middle(per_mille) <= 1600


@pytest.mark.parametrize("family", ENCODINGS)
def test_what_requests_are_mostly_made_of_has_a_tight_bound(
    corpus: list[Case], family: str
) -> None:
    by_kind: dict[str, list[int]] = {}
    for kind, bound, tokens in ratios(corpus, family, ENCODINGS[family]):
        if kind in PYTHON_AND_PROSE and tokens > 100:
            by_kind.setdefault(kind, []).append(bound * 1000 // tokens)
    assert set(by_kind) == PYTHON_AND_PROSE
    for kind, per_mille in by_kind.items():
        assert 1000 <= middle(per_mille) <= 1600, kind


def test_four_characters_a_token_are_no_bound(corpus: list[Case]) -> None:
    """The negative control: the usual rule of thumb fails on the same corpus."""
    true = batch_count([text for _, text in corpus], "o200k_base", 1)
    below = sum(-(-len(text) // 4) < tokens for (_, text), tokens in zip(corpus, true, strict=True))
    assert below > len(corpus) // 2


def test_the_bound_of_a_text_can_be_worked_out_by_hand() -> None:
    # `The` 1050, ` answer` 1100, ` is` 1050, ` ` 1000, `42` 1000 and `.` 1000 thousandths; two of
    # three words are common, so the 3 letters of ` answer` beyond its third cost 120 each; 2 more.
    # 1050 + 1100 + 1050 + 1000 + 1000 + 1000 + 360 = 6560 thousandths: 7, and 2 are 9.
    assert text_tokens_bound("The answer is 42.", "o200k") == 9


def test_digits_share_a_token_by_threes_or_are_alone() -> None:
    assert text_tokens_bound("1234567", "o200k") == 3 + 2
    # 7 digits, half as much again where nothing is known: 10.5
    assert text_tokens_bound("1234567", "unknown") == 11 + 2


def test_an_empty_text_has_no_tokens() -> None:
    assert [text_tokens_bound("", family) for family in FAMILIES] == [0] * len(FAMILIES)


def test_a_family_that_nobody_knows_has_the_bound_of_the_unknown() -> None:
    assert text_tokens_bound("How much?", "klingon") == text_tokens_bound("How much?", "unknown")


def test_what_is_beyond_the_longest_text_looked_at_counts_by_its_bytes() -> None:
    looked_at = text_tokens_bound(" " * LOOKED_AT, "o200k")
    # 1,000 letters of two bytes each
    assert text_tokens_bound(" " * LOOKED_AT + "é" * 1000, "o200k") == looked_at + 2000


@given(st.text(), st.sampled_from(sorted(FAMILIES)))
def test_any_text_has_a_bound_that_is_at_most_six_tokens_a_byte(text: str, family: str) -> None:
    bound = text_tokens_bound(text, family)
    assert 0 <= bound <= 6 * len(text.encode("utf-8", "surrogatepass")) + 2


@given(st.text(st.characters(categories=["Cs"]), min_size=1))
def test_half_pairs_do_not_stop_it(text: str) -> None:
    assert text_tokens_bound(text, "o200k") > len(text)


@pytest.mark.parametrize(
    ("provider", "model", "family"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", "o200k"),
        ("openai", "gpt-5.2", "o200k"),
        ("azure", "gpt-4.1", "o200k"),
        ("openai", "o3-pro", "o200k"),
        ("openai", "gpt-4-turbo", "cl100k"),
        ("openai", "gpt-3.5-turbo", "cl100k"),
        ("openai", "text-embedding-3-small", "cl100k"),
        ("openai", "gpt-9", "unknown"),
        ("anthropic", "claude-3-5-haiku-20241022", "claude"),
        ("anthropic", "claude-sonnet-4-20250514", "claude"),
        ("anthropic", "claude-opus-4-6", "claude"),
        ("anthropic", "claude-opus-4-7", "claude-new"),
        ("anthropic", "claude-sonnet-5", "claude-new"),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude"),
        ("anthropic", "something-new", "claude-new"),
        ("google", "models/gemini-2.5-pro", "gemini"),
        ("ollama", "llama3.3:70b", "llama"),
        ("openrouter", "Qwen/Qwen3-32B", "qwen"),
        ("nobody", "nothing", "unknown"),
    ],
)
def test_models_belong_to_the_family_of_their_encoding(
    provider: str, model: str, family: str
) -> None:
    assert family_of(provider, model) == family


def test_a_bare_name_is_without_who_serves_it() -> None:
    assert bare_name("us.anthropic.claude-x") == "claude-x"
    assert bare_name("openrouter/anthropic/Claude-X") == "claude-x"
    assert bare_name("sentence-openai.model") == "sentence-openai.model"


def test_a_newer_claude_counts_more_than_an_older_one() -> None:
    text = "Before the call we estimate what it will cost." * 10
    older, newer = text_tokens_bound(text, "claude"), text_tokens_bound(text, "claude-new")
    assert newer * 10 >= older * 13 - 20  # its makers say 30%; 2 tokens of slack do not grow
