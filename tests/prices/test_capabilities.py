"""Capabilities: an operator's word before the sources', theirs before the table; and what fits."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from budget.domain.pricing import Rates
from budget.prices.book import PriceBook, bundled_book
from budget.prices.capabilities import Needs, fits, is_retired, merged, plain_model
from budget.prices.known_models import known_models
from budget.prices.listings import Capabilities
from budget.prices.own import book_with


def us(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc]


NOW_US = us(2026, 11, 25)


def test_of_each_capability_the_first_that_says_anything_counts() -> None:
    own = Capabilities(tools=False)
    source = Capabilities(tools=True, context_window=10)
    table = Capabilities(context_window=20, vision=True)
    assert merged([own, source, table]) == Capabilities(tools=False, context_window=10, vision=True)
    assert merged([]) == Capabilities()


def test_an_operators_word_counts_before_a_sources_and_that_before_the_table(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("models: [{model: gpt-4o, vision: no}, {provider: azure, model: gpt-4o, "
                    "batch: yes}]")  # fmt: skip
    from budget.prices.bundled import bundled_prices
    from budget.prices.own import read_own

    source = bundled_prices()
    sources = {("openai", "gpt-4o"): Capabilities(context_window=1_000, vision=True, audio=False)}
    book = PriceBook(source, own=read_own(file, source), capabilities=sources)
    for name in ("gpt-4o", "openai/GPT-4o"):
        assert book.capabilities(None, name) == Capabilities(
            context_window=1_000, max_output_tokens=16_384, mode="chat", tools=True, vision=False,
            audio=False, json=True, reasoning=False, retired_us=us(2027, 1, 14),
        )  # fmt: skip
    # By a dated name a source's word and the table's are found; an operator's goes by whole names.
    dated = book.capabilities("openai", "gpt-4o-2024-11-20")
    assert (dated.context_window, dated.vision) == (1_000, True)
    assert book.capabilities("azure", "gpt-4o").batch is True
    assert book.capabilities("azure", "gpt-4o").context_window == 128_000


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("gpt-4o-2024-11-20", "gpt-4o"),
        ("openai/gpt-4.1", "gpt-4-1"),
        ("regional.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("us.amazon.nova-pro-v1:0", "nova-pro"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku"),
        ("command-a-03-2025", "command-a"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
    ],
)
def test_the_table_is_read_by_plain_names(name: str, plain: str) -> None:
    assert plain_model(name) == plain
    assert plain in known_models()


def test_every_name_of_the_table_is_plain_and_says_a_window() -> None:
    for name, capabilities in known_models().items():
        assert plain_model(name) == name
        assert capabilities.context_window is not None


def test_the_bundled_prices_say_windows_and_what_is_deprecated() -> None:
    book = bundled_book()
    assert book.capabilities("aws", "us.anthropic.claude-3-haiku-20240307-v1:0").vision is True
    assert book.capabilities(None, "gemini-2.0-flash").deprecated is True
    assert book.capabilities(None, "text-embedding-3-small").mode == "embedding"
    assert book.capabilities(None, "unheard-of") == Capabilities()
    assert book.capabilities(None, "x" * 300) == Capabilities()


def test_a_model_is_retired_from_its_day_on_or_when_it_is_deprecated() -> None:
    ends = Capabilities(retired_us=us(2026, 1, 5))
    assert [is_retired(ends, us(2026, 1, 4)), is_retired(ends, us(2026, 1, 5))] == [False, True]
    assert is_retired(Capabilities(deprecated=True), 0)
    assert not is_retired(Capabilities(), NOW_US)


KNOWN = Capabilities(
    context_window=1_000, max_output_tokens=100, mode="chat", tools=True, vision=False
)


@pytest.mark.parametrize(
    ("capabilities", "needs", "answer"),
    [
        (KNOWN, Needs(), True),
        (KNOWN, Needs(900, 100), True),
        (KNOWN, Needs(901, 100), False),  # 1,001 tokens in a window of 1,000
        (KNOWN, Needs(0, 101), False),
        (KNOWN, Needs(tools=True), True),
        (KNOWN, Needs(vision=True), False),
        (KNOWN, Needs(json=True), None),
        (KNOWN, Needs(vision=True, json=True), False),
        (KNOWN, Needs(mode="chat"), True),
        (KNOWN, Needs(mode="embedding"), False),
        (Capabilities(), Needs(), True),
        (Capabilities(), Needs(1), None),
        (Capabilities(), Needs(mode="chat"), None),
        (KNOWN._replace(retired_us=NOW_US), Needs(), False),
        (KNOWN._replace(deprecated=True), Needs(), False),
    ],
)
def test_a_model_fits_does_not_or_may(
    capabilities: Capabilities, needs: Needs, answer: bool | None
) -> None:
    assert fits(capabilities, needs, NOW_US) is answer


def test_a_tier_of_an_operators_own_counts_before_the_table(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("models:\n - {model: gpt-4o-mini, tier: local_lightweight}\n"
                    " - {provider: groq, model: house.7b, tier: local_midweight}\n")  # fmt: skip
    book = book_with(file)
    assert book.tier_of("openai", "gpt-4o-mini") == "local_lightweight"
    assert book.tier_of(None, "openai/GPT-4o-mini") == "local_lightweight"
    assert book.tier_of("openai", "gpt-4o") == "remote_heavyweight"
    assert book.tier_of("groq", "house.7b") == "local_midweight"
    assert book.tier_of("other", "house.7b") == "remote_heavyweight"
    plain = PriceBook(None, {("acme", "m"): Rates(1, 1)})
    assert plain.tier_of("openai", "gpt-4o-mini") == "remote_heavyweight"
