"""Costs in lines: each kind by itself, adding up to what is booked."""

from hypothesis import given

from budget.domain.costs import CostLine, cost
from budget.domain.pricing import Rates, cost_nanos
from budget.domain.usage import ZERO, Usage
from tests.domain.test_pricing import CLAUDE, GEMINI, any_rates, usages


def test_each_kind_has_a_line_with_its_own_rate() -> None:
    told = cost(CLAUDE, Usage(10_000, 1_000, 4_000, 2_000, 1_000))
    # plain 3000 x 3, read 4000 x 0.3, 5 min 2000 x 3.75, 1 h 1000 x 6, out 1000 x 15, in micro-USD
    assert told.lines == (
        CostLine("input_tokens", 3_000, 3_000_000, 9_000_000_000, None),
        CostLine("cache_read_tokens", 4_000, 300_000, 1_200_000_000, None),
        CostLine("cache_write_tokens", 2_000, 3_750_000, 7_500_000_000, None),
        CostLine("cache_write_1h_tokens", 1_000, 6_000_000, 6_000_000_000, None),
        CostLine("output_tokens", 1_000, 15_000_000, 15_000_000_000, None),
    )
    assert told.cost_nanos == 38_700_000


def test_a_line_says_which_tier_its_rate_is_of() -> None:
    short, long = cost(GEMINI, Usage(200_000, 1)), cost(GEMINI, Usage(200_001, 1))
    assert [line.tier_from_tokens for line in short.lines] == [0, 0]
    assert [line.tier_from_tokens for line in long.lines] == [200_001, 200_001]
    assert long.lines[0].rate_pico == 2_500_000


def test_parts_are_taken_out_of_what_they_are_parts_of() -> None:
    rates = Rates(1_000, 2_000, units=(("input_audio_tokens", 9_000), ("searches", 50_000)))
    told = cost(
        rates, Usage(10, 0, units=(("input_audio_tokens", 4), ("pages", 7), ("searches", 2)))
    )
    assert told.lines == (
        CostLine("input_tokens", 6, 1_000, 6_000, None),
        CostLine("input_audio_tokens", 4, 9_000, 36_000, None),
        CostLine("searches", 2, 50_000, 100_000, None),
    )
    assert told.unpriced == ("pages",)
    assert told.cost_nanos == 142


def test_nothing_costs_nothing_and_has_no_lines() -> None:
    assert cost(CLAUDE, ZERO) == (0, (), ())


@given(any_rates, usages())
def test_the_lines_add_up_to_what_is_booked(rates: Rates, usage: Usage) -> None:
    told = cost(rates, usage)
    assert told.cost_nanos == cost_nanos(rates, usage)
    assert all(line.quantity > 0 for line in told.lines)
