"""What usage costs and what an estimate must hold, worked out by hand and against fractions."""

import json
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.errors import InvalidInput
from budget.domain.pricing import (
    MAX_RATE_PICO,
    UNLIMITED_TOKENS,
    Rate,
    Rates,
    cost_nanos,
    decode_rates,
    encode_rates,
    flat_rates,
    hold_nanos,
    input_rate_dearest,
    output_hold_nanos,
    output_rate_dearest,
    output_tokens_affordable,
    rate_at,
    token_hold_nanos,
    validated_rates,
)
from budget.domain.usage import OTHER_UNITS, UNITS, ZERO, Usage, units_of, validated

# 2.5 USD per million tokens is 2,500,000 pico-USD per token.
GPT_4O = Rates(2_500_000, 10_000_000, cache_read=1_250_000, provider="openai", model="gpt-4o")
CLAUDE = Rates(
    3_000_000, 15_000_000, cache_read=300_000, cache_write=3_750_000, cache_write_1h=6_000_000
)
GEMINI = Rates(
    ((0, 1_250_000), (200_001, 2_500_000)),
    ((0, 10_000_000), (200_001, 15_000_000)),
    cache_read=((0, 125_000), (200_001, 250_000)),
)
CHEAPER_WHEN_LONG = Rates(((0, 100), (1_000, 10)), ((0, 7), (500, 70), (1_000, 1)))

counts = st.integers(0, 10**12) | st.integers(0, 300_000)
picos = st.integers(0, MAX_RATE_PICO) | st.integers(0, 20_000)
tiers = st.lists(st.tuples(st.integers(1, 400_000), picos), max_size=3, unique_by=lambda t: t[0])
rate: st.SearchStrategy[Rate] = picos | st.builds(
    lambda first, more: ((0, first), *sorted(more)), picos, tiers
)
names = st.text(max_size=20)
any_rates = st.builds(
    Rates,
    rate, rate, *[st.none() | rate] * 4, st.integers(0, 10**6), names, names, names,
    units=st.dictionaries(st.sampled_from(UNITS), rate).map(lambda own: tuple(sorted(own.items()))),
)  # fmt: skip


@st.composite
def usages(draw: st.DrawFn, most_input: int = 10**12, most_output: int = 10**12) -> Usage:
    """A usage whose parts fit into its totals."""
    total = draw(st.integers(0, most_input) | st.just(most_input))
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=3, max_size=3)))
    most_output = min(most_output, 10**12 - total)
    output = draw(st.integers(0, most_output) | st.just(most_output))
    read, write, write_1h = cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]
    reasoning = draw(st.integers(0, output))
    requests = draw(st.integers(0, 1))
    parts = {
        "input_audio_tokens": draw(st.integers(0, total - cuts[2])),
        "cache_read_image_tokens": draw(st.integers(0, read)),
        "output_image_tokens": draw(st.integers(0, output - reasoning)),
    }
    others = draw(st.dictionaries(st.sampled_from(OTHER_UNITS), st.integers(0, 10**6)))
    units = units_of({**parts, **others}) if draw(st.booleans()) else ()
    return validated(Usage(total, output, read, write, write_1h, reasoning, requests, units))


def exact_nanos(rates: Rates, usage: Usage) -> Fraction:
    """The unrounded cost, kind by kind, as the definitions in `Rates` read."""

    def pico(*kinds: Rate | None) -> int:
        chosen = next(kind for kind in kinds if kind is not None)
        return rate_at(chosen, usage.input_tokens)

    used, own = dict(usage.units), dict(rates.units)
    audio = used.get("input_audio_tokens", 0)
    read_image, image = (used.get(f"{kind}_image_tokens", 0) for kind in ("cache_read", "output"))
    plain = usage.input_tokens - sum(usage[2:5]) - audio
    written = usage.output_tokens - usage.reasoning_tokens - image
    lines = [
        (plain, pico(rates.input)),
        (audio, pico(own.get("input_audio_tokens"), rates.input)),
        (read_image, pico(own.get("cache_read_image_tokens"), rates.cache_read, rates.input)),
        (image, pico(own.get("output_image_tokens"), rates.output)),
        *((count, pico(own.get(name), 0)) for name, count in usage.units if name in OTHER_UNITS),
        (usage.cache_read_tokens - read_image, pico(rates.cache_read, rates.input)),
        (usage.cache_write_tokens, pico(rates.cache_write, rates.input)),
        (
            usage.cache_write_1h_tokens,
            pico(rates.cache_write_1h, rates.cache_write, rates.input),
        ),
        (written, pico(rates.output)),
        (usage.reasoning_tokens, pico(rates.reasoning, rates.output)),
        (usage.requests, rates.request),
    ]
    return Fraction(sum(count * each for count, each in lines), 1_000)


def test_gpt_4o_costs_what_its_price_page_says() -> None:
    # 1000 x 2.5e-6 + 500 x 10e-6 = 0.0025 + 0.005 USD
    assert cost_nanos(GPT_4O, Usage(1_000, 500)) == 7_500_000
    # 600 x 2.5e-6 + 400 x 1.25e-6 + 500 x 10e-6 = 0.0015 + 0.0005 + 0.005 USD
    assert cost_nanos(GPT_4O, Usage(1_000, 500, cache_read_tokens=400)) == 7_000_000


def test_claude_prices_reads_and_both_kinds_of_write_apart() -> None:
    usage = Usage(10_000, 1_000, 4_000, 2_000, 1_000)
    # plain 3000 x 3 + read 4000 x 0.3 + 5 min 2000 x 3.75 + 1 h 1000 x 6 + out 1000 x 15
    #     =    9000  +        1200      +          7500     +        6000  +      15000  micro-USD
    assert cost_nanos(CLAUDE, usage) == 38_700_000


def test_a_kind_without_its_own_rate_is_priced_as_the_kind_it_is_part_of() -> None:
    bare = Rates(3_000, 15_000)
    assert cost_nanos(bare, Usage(100, 10, 30, 20, 10, 5)) == 100 * 3 + 10 * 15
    assert cost_nanos(bare._replace(cache_write=4_000), Usage(100, 0, 0, 0, 100)) == 400
    assert cost_nanos(bare._replace(reasoning=20_000), Usage(0, 10, 0, 0, 0, 4)) == 6 * 15 + 4 * 20


def test_a_kind_may_be_free_while_the_rest_is_not() -> None:
    assert cost_nanos(Rates(3_000, 0, cache_read=0), Usage(100, 9, 60)) == 40 * 3


def test_requests_cost_by_the_piece() -> None:
    sonar = Rates(1_000_000, 1_000_000, request=12 * 10**9)  # 12 USD per thousand requests
    assert cost_nanos(sonar, Usage(1_000, 1_000)) == 14_000_000  # 0.012 + 0.002 USD
    assert cost_nanos(sonar, Usage(0, 0, requests=3)) == 36_000_000
    assert cost_nanos(sonar, Usage(1_000, 1_000, requests=0)) == 2_000_000


def test_a_fraction_of_a_nano_is_rounded_up_once_per_record() -> None:
    assert cost_nanos(Rates(1, 1), Usage(1, 0)) == 1
    assert cost_nanos(Rates(1, 1), Usage(500, 500)) == 1
    assert cost_nanos(Rates(1, 1), Usage(500, 501)) == 2
    assert cost_nanos(Rates(1, 1), ZERO) == 0


def test_crossing_a_tier_reprices_every_token_of_the_call() -> None:
    # 200000 x 1.25e-6 + 1000 x 10e-6 = 0.25 + 0.01 USD
    assert cost_nanos(GEMINI, Usage(200_000, 1_000)) == 260_000_000
    # 200001 x 2.5e-6 + 1000 x 15e-6 = 0.5000025 + 0.015 USD
    assert cost_nanos(GEMINI, Usage(200_001, 1_000)) == 515_002_500
    # 100001 x 2.5e-6 + 100000 x 0.25e-6 = 0.2500025 + 0.025 USD: read tokens count for the tier
    assert cost_nanos(GEMINI, Usage(200_001, 0, 100_000)) == 275_002_500


def test_a_tier_begins_at_the_count_it_names() -> None:
    steps = ((0, 5), (10, 3), (20, 8))
    assert [rate_at(steps, count) for count in (0, 9, 10, 19, 20, 10**12)] == [5, 5, 3, 3, 8, 8]
    assert rate_at(4, 10**12) == 4


def test_the_largest_call_there_is_stays_exact() -> None:
    usage = Usage(10**12, 10**12, requests=10**12)
    assert cost_nanos(Rates(1, MAX_RATE_PICO, request=1), usage) == 10**24 + 2 * 10**9


@given(any_rates, usages())
def test_the_cost_is_the_exact_one_rounded_up(rates: Rates, usage: Usage) -> None:
    exact = exact_nanos(rates, usage)
    assert exact <= cost_nanos(rates, usage) < exact + 1


def test_a_hundred_thousand_calls_are_off_by_less_than_a_nano_each() -> None:
    chance = random.Random(8013)
    exact, booked, calls = Fraction(0), 0, 100_000
    for _ in range(calls):
        chosen = chance.choices(range(20_000_000), k=6)
        rates = Rates(**dict(zip(Rates._fields, chosen, strict=False)))  # type: ignore[arg-type]
        total, output = chance.randrange(400_000), chance.randrange(64_000)
        read, write = chance.randrange(total // 3 + 1), chance.randrange(total // 3 + 1)
        usage = Usage(
            total,
            output,
            read,
            write,
            chance.randrange(total // 3 + 1),
            chance.randrange(output + 1),
        )
        cost, true = cost_nanos(rates, usage), exact_nanos(rates, usage)
        assert true <= cost < true + 1
        exact += true
        booked += cost
    assert 0 <= booked - exact <= calls


def test_an_estimate_is_held_at_the_dearest_kind() -> None:
    assert input_rate_dearest(CLAUDE, 1_000) == 6_000_000  # everything may be a write for an hour
    assert input_rate_dearest(GPT_4O, 1_000) == 2_500_000  # a read is cheaper than a plain token
    assert output_rate_dearest(GPT_4O._replace(reasoning=12_000_000), 0) == 12_000_000
    # 1000 x 6e-6 + 100 x 15e-6 = 0.006 + 0.0015 USD
    assert hold_nanos(CLAUDE, 1_000, 100) == 7_500_000
    assert hold_nanos(Rates(1, 1, request=1_500), 0, 0) == 2
    assert hold_nanos(Rates(1, 1, request=1_500), 0, 0, requests=2) == 3
    assert hold_nanos(Rates(0, 0), 10**12, 10**12) == 0


def test_an_estimate_is_held_at_the_dearest_tier_it_can_reach() -> None:
    assert input_rate_dearest(GEMINI, 200_000) == 1_250_000
    assert input_rate_dearest(GEMINI, 200_001) == 2_500_000
    assert output_rate_dearest(GEMINI, 200_000) == 10_000_000
    assert output_rate_dearest(GEMINI, 200_001) == 15_000_000
    # A call may turn out shorter than estimated, where this model is dearer.
    assert input_rate_dearest(CHEAPER_WHEN_LONG, 5_000) == 100
    assert output_rate_dearest(CHEAPER_WHEN_LONG, 499) == 7
    assert output_rate_dearest(CHEAPER_WHEN_LONG, 5_000) == 70


def test_a_hold_of_tokens_counts_each_at_the_dearest_rate() -> None:
    assert token_hold_nanos(GPT_4O, 1_000) == 10_000_000  # 1000 x 10e-6 USD
    assert token_hold_nanos(Rates(9_000, 5_000, request=1_000), 10, requests=2) == 92
    assert token_hold_nanos(GEMINI, 200_001) == 3_000_015_000  # 200001 x 15e-6 USD


@given(any_rates, counts, counts, st.integers(1, 3), st.data())
def test_no_usage_within_the_estimate_costs_more_than_its_hold(
    rates: Rates, most_input: int, most_output: int, requests: int, data: st.DataObject
) -> None:
    usage = data.draw(usages(most_input, most_output))
    held = hold_nanos(rates, most_input, most_output, requests, usage.units)
    assert cost_nanos(rates, usage) <= held


@given(any_rates, counts, st.data())
def test_no_usage_within_a_token_hold_costs_more_than_it(
    rates: Rates, tokens: int, data: st.DataObject
) -> None:
    total = data.draw(st.integers(0, tokens))
    usage = data.draw(usages(total, tokens - total))._replace(units=())  # a hold of text
    assert cost_nanos(rates, usage) <= token_hold_nanos(rates, tokens)


def test_the_output_that_a_room_affords_is_counted_by_hand() -> None:
    # 0.0125 USD - 1000 x 2.5e-6 leaves 0.01, at 10e-6 each
    assert output_tokens_affordable(GPT_4O, 1_000, 12_500_000) == 1_000
    assert output_tokens_affordable(GPT_4O, 1_000, 12_499_999) == 999
    assert output_tokens_affordable(GPT_4O, 1_000, 2_500_000) == 0
    assert output_tokens_affordable(GPT_4O, 1_000, 2_499_999) == -1
    assert output_tokens_affordable(GPT_4O, 0, -1) == -1


def test_free_output_is_affordable_without_end_if_the_input_fits() -> None:
    assert output_tokens_affordable(Rates(1_000, 0), 5, 5) == UNLIMITED_TOKENS
    assert output_tokens_affordable(Rates(1_000, 0), 5, 4) == -1
    assert output_tokens_affordable(Rates(0, 0), 5, 0) == UNLIMITED_TOKENS
    assert output_tokens_affordable(Rates(0, 0), 5, -1) == -1
    assert output_tokens_affordable(Rates(0, 1), 5, 10**15) == UNLIMITED_TOKENS


@given(any_rates, counts, st.integers(-5, 10**18) | st.integers(-5, 10**6), st.integers(0, 3))
def test_the_affordable_output_is_the_most_that_fits(
    rates: Rates, input_tokens: int, room_nanos: int, requests: int
) -> None:
    most = output_tokens_affordable(rates, input_tokens, room_nanos, requests)
    if most >= 0:
        assert hold_nanos(rates, input_tokens, most, requests) <= room_nanos
    if most < UNLIMITED_TOKENS:
        assert hold_nanos(rates, input_tokens, most + 1, requests) > room_nanos


def test_rates_are_written_short_and_defaults_left_out() -> None:
    assert encode_rates(Rates(2_500_000, 0)) == '{"i":2500000,"o":0}'
    assert (
        encode_rates(Rates(((0, 1), (200_001, 2)), 3, cache_read=0, request=4, basis="b/1/2"))
        == '{"i":[[0,1],[200001,2]],"o":3,"r":0,"q":4,"b":"b/1/2"}'
    )


@given(any_rates)
def test_rates_come_back_from_their_text_as_they_were(rates: Rates) -> None:
    text = encode_rates(rates)
    assert decode_rates(text) == rates
    assert validated_rates(decode_rates(text)) == rates
    assert json.loads(text)["i"] is not None


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "3", "{", "{}", '{"i":1}', '{"i":1,"o":null}', '{"i":1,"o":-1}',
        '{"i":1,"o":1.5}', '{"i":1,"o":true}', '{"i":1,"o":2,"audio":3}', '{"i":"1","o":2}',
        '{"i":[],"o":2}', '{"i":[[1,5]],"o":2}', '{"i":[[0,5],[0,6]],"o":2}',
        '{"i":[[0,5],[9,6],[8,7]],"o":2}', '{"i":[[0]],"o":2}', '{"i":[0,5],"o":2}',
        '{"i":1,"o":2,"q":null}', '{"i":1,"o":2,"q":[[0,1]]}', '{"i":1,"o":2,"b":3}',
        '{"i":NaN,"o":2}', '{"i":1000000000000001,"o":2}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_text_that_is_no_rates_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_rates(text)


def test_a_budget_may_set_a_price_for_models_of_unknown_price() -> None:
    # 2.5 and 10 USD per million tokens, in nano-USD
    rates = flat_rates(2_500_000_000, 10_000_000_000)
    assert rates == Rates(2_500_000, 10_000_000, basis="budget/unpriced")
    assert flat_rates(0, 1_000) == Rates(0, 1, basis="budget/unpriced")


def test_a_price_finer_than_a_pico_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        flat_rates(1_000, 1_001)
    assert caught.value.field == "unpriced.output"
    with pytest.raises(InvalidInput) as caught:
        flat_rates(-1_000, 0, "rule")
    assert caught.value.field == "rule.input"


def test_more_of_a_long_call_is_held_at_the_rates_of_a_long_call() -> None:
    # beyond 200,000 input tokens an output token costs 15,000 nano-USD, not 10,000
    assert output_hold_nanos(GEMINI, 200_000, 3) == 30_000
    assert output_hold_nanos(GEMINI, 200_001, 3) == 45_000
    # and where the kind is not known: 3 more beside 200,000
    assert token_hold_nanos(GEMINI, 3, 0) == 30_000
    assert token_hold_nanos(GEMINI, 3, 0, beside_tokens=200_000) == 45_000
    assert output_hold_nanos(Rates(1, 1, request=1_000), 0, 0, 2) == 2
