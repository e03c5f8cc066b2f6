"""The agreement with LiteLLM's map: comparing, on a small map, and what the checked-in files say
of our prices. No LiteLLM is needed."""

import json
from typing import Any, Final

import pytest

from benchmarks.agreement import (
    EXPLAINED,
    KINDS,
    REASONS,
    VERDICTS,
    Difference,
    Reason,
    compared,
    explanations,
    faults,
    in_usd,
    main,
    our_rates,
    reasons,
)
from budget.domain.pricing import Rates
from budget.prices.book import PriceBook, bundled_book
from budget.prices.combined import context_of
from budget.prices.listings import Feed, Listed
from budget.prices.sources import litellm

OURS: Final = {
    ("openai", "talker"): Rates(
        ((0, 2_000_000), (200_001, 4_000_000)), 8_000_000, 500_000, provider="openai",
        model="talker",
    ),
    ("openai", "quiet"): Rates(1_000_000, 1_000_000, provider="openai", model="quiet"),
}  # fmt: skip


def entry(**prices: float) -> dict[str, Any]:
    """A model of OpenAI in LiteLLM's map, at these prices."""
    return {"litellm_provider": "openai", "mode": "chat", **prices}


def feed(**models: dict[str, Any]) -> Feed:
    return litellm.read(json.dumps(models).encode(), "1")


def test_equal_prices_agree_whatever_their_form() -> None:
    theirs = feed(
        talker=entry(
            input_cost_per_token=2e-6, input_cost_per_token_above_200k_tokens=4e-6,
            output_cost_per_token=8e-6, cache_read_input_token_cost=5e-7,
        )
    )  # fmt: skip
    found = compared(PriceBook(None, OURS), theirs)
    assert found.differences == ()
    assert found.counts == {"models": 1, "prices that agree": 3}


def test_each_price_that_differs_is_a_difference_and_one_that_is_missing_is_none() -> None:
    theirs = feed(
        talker=entry(input_cost_per_token=2e-6, output_cost_per_token=9e-6),
        stranger=entry(input_cost_per_token=1e-6, output_cost_per_token=1e-6),
    )
    found = compared(PriceBook(None, OURS), theirs, listed_by_us=OURS)
    assert found.differences == (
        Difference("openai", "talker", "", "input", "2, from 200001 4", "2"),
        Difference("openai", "talker", "", "output", "8", "9"),
    )
    assert found.counts == {
        "models": 1, "models only theirs": 1, "models only ours, of every mode": 1,
        "prices only one side has": 1, "prices that differ": 2,
    }  # fmt: skip


def test_only_models_that_talk_and_only_first_parties_are_compared() -> None:
    prices = {"input_cost_per_token": 7e-6, "output_cost_per_token": 7e-6}
    theirs = feed(
        talker={**entry(**prices), "mode": "embedding"},
        quiet={**entry(**prices), "litellm_provider": "groq"},
    )
    assert compared(PriceBook(None, OURS), theirs).counts == {}


def test_a_context_is_compared_where_both_have_one() -> None:
    theirs = feed(**{
        "gpt-4o": entry(
            input_cost_per_token=2.5e-6, output_cost_per_token=1e-5,
            input_cost_per_token_batches=1.25e-6, output_cost_per_token_batches=6e-6,
            input_cost_per_token_flex=1e-6,
        )
    })  # fmt: skip
    found = compared(bundled_book(), theirs)
    batch = Difference("openai", "gpt-4o", "processing=batch", "output", "5", "6")
    assert found.differences == (batch,)
    assert found.counts["only theirs, in a context"] == 1  # OpenAI has no flex for it


@pytest.mark.parametrize(
    ("rate", "told"),
    [(0, "0"), (1, "0.000001"), (2_500_000, "2.5"), (((0, 10**6), (9, 2)), "1, from 9 0.000002")],
)
def test_rates_are_told_in_usd_per_million(rate: Any, told: str) -> None:
    assert in_usd(rate) == told


def test_what_is_not_as_it_should_be_is_told() -> None:
    one, other = (Difference("p", name, "", "input", "1", "2") for name in ("one", "other"))
    good, bad = Reason("dated", "why", "where"), Reason("we are wrong", "why", "where")
    assert list(faults([one], {one: "r"}, {"r": good})) == []
    assert list(faults([one], {}, {})) == ["unexplained: p, one, , input, 1, 2"]
    assert list(faults([], {other: "r"}, {"r": good})) == [
        "explained, but there is no such difference: p, other, , input, 1, 2"
    ]
    assert list(faults([one], {one: "r"}, {})) == ["there is no reason 'r'"]
    assert list(faults([one], {one: "r"}, {"r": bad})) == ["we are wrong: r"]
    odd = Reason("perhaps", "why", "where")
    assert list(faults([one], {one: "r"}, {"r": odd})) == [
        "the reason 'r' has no verdict but 'perhaps'"
    ]


def test_the_command_fails_on_a_map_that_is_not_the_explained_one(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "map.json"
    file.write_text(
        json.dumps({"gpt-4o": entry(input_cost_per_token=1e-6, output_cost_per_token=1e-5)})
    )
    assert main([str(file)]) == 1
    heard = capsys.readouterr().out
    assert "unexplained: openai, gpt-4o, , input, 2.5, 1" in heard
    assert "explained, but there is no such difference: x-ai, " in heard


# --- What is checked in --------------------------------------------------------------------------


def test_our_figures_in_the_explanations_are_what_the_book_says() -> None:
    book = bundled_book()
    explained = explanations(EXPLAINED.read_text())
    assert len(explained) > 100
    for one in explained:
        assert one.kind in KINDS
        rates = our_rates(book, Listed(one.provider, one.model, (), context_of(one.context)),
                          1_795_608_000_000_000)  # fmt: skip
        assert rates is not None, one
        assert in_usd(getattr(rates, one.kind)) == one.ours, one
        assert one.ours != one.theirs


def test_every_difference_has_a_reason_with_a_verdict_and_a_source_and_none_is_ours() -> None:
    explained, known = explanations(EXPLAINED.read_text()), reasons(REASONS.read_text())
    assert list(faults(explained, explained, known)) == []
    assert set(explained.values()) == known.keys()
    for reason in known.values():
        assert reason.verdict in VERDICTS
        assert len(reason.why) > 20
        assert reason.source.startswith("<https://")


def test_the_document_counts_the_verdicts() -> None:
    explained, text = explanations(EXPLAINED.read_text()), REASONS.read_text()
    known = reasons(text)
    counted = [
        f"{verdict} {sum(known[name].verdict == verdict for name in explained.values())}"
        for verdict in ("they are wrong", "dated", "ambiguous", "we are wrong")
    ]
    assert f"| prices that differ | {len(explained)}: {', '.join(counted)} |" in text
