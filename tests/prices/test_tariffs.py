"""Tariffs: Gemini's tiers of service, by the rule of Google's page on them."""

import pytest

from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import Usage
from budget.prices.book import bundled_book

NOV_2026 = 1_764_028_800_000_000 + 365 * 86_400_000_000


def rates(model: str, **context: str) -> Rates:
    found = bundled_book().lookup("google", model, NOV_2026, tuple(sorted(context.items())))
    assert found is not None
    return found


def test_priority_costs_four_fifths_more() -> None:
    # 2.5 Pro: 1.25 and 10 USD per million, so 2.25 and 18; a million of each.
    found = rates("gemini-2.5-pro", service_tier="priority")
    assert cost_nanos(found, Usage(100_000, 100_000)) == 225_000_000 + 1_800_000_000
    assert found.context == "service_tier=priority"
    assert found.basis.endswith("+tariffs")


def test_flex_costs_half_but_for_what_is_read_from_the_cache() -> None:
    # 2.5 Pro: 0.625 and 5 USD per million, 0.125 for what the cache holds.
    found = rates("gemini-2.5-pro", service_tier="flex")
    usage = Usage(100_000, 100_000, cache_read_tokens=40_000)
    assert cost_nanos(found, usage) == 37_500_000 + 500_000_000 + 5_000_000


def test_a_long_context_is_dearer_in_every_tier() -> None:
    # 2.5 Pro above 200,000: 2.50 and 15 USD per million.
    found = rates("gemini-2.5-pro", service_tier="priority")
    assert cost_nanos(found, Usage(300_000, 1_000)) == 1_350_000_000 + 27_000_000


def test_sound_is_dearer_too_and_searches_are_not() -> None:
    usual, found = rates("gemini-2.5-flash"), rates("gemini-2.5-flash", service_tier="priority")
    before, after = dict(usual.units), dict(found.units)
    assert before["input_audio_tokens"] == 1_000_000
    assert after["input_audio_tokens"] == 1_800_000
    assert after["searches"] == before["searches"]


@pytest.mark.parametrize("context", [{"service_tier": "default"}, {"region": "eu"}, {}])
def test_other_contexts_have_no_tariff(context: dict[str, str]) -> None:
    assert "tariffs" not in rates("gemini-2.5-pro", **context).basis


def test_models_with_prices_of_their_own_for_a_tier_keep_them() -> None:
    found = bundled_book().lookup("openai", "gpt-5.4", NOV_2026, (("service_tier", "flex"),))
    assert found is not None
    assert "tariffs" not in found.basis
