"""The bundled prices: known figures by hand, every model against genai-prices itself."""

import random
import socket
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

import genai_prices
import pytest
from genai_prices import data_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from budget.domain.pricing import Rates, cost_nanos, decode_rates, encode_rates, validated_rates
from budget.domain.usage import Usage
from budget.prices.book import PriceBook, bundled_book
from budget.prices.bundled import bundled_prices, schedule_of

NOON_US = 12 * 3_600_000_000


def us(*date: int) -> int:
    """Microseconds of a UTC date, from the epoch."""
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[arg-type, misc]


AT = us(2026, 1, 15)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return bundled_book()


def rates_of(book: PriceBook, provider: str | None, model: str, at_us: int = AT) -> Rates:
    rates = book.lookup(provider, model, at_us)
    assert rates is not None, (provider, model)
    return rates


def test_gpt_4o_has_the_rates_of_its_price_page(book: PriceBook) -> None:
    rates = rates_of(book, "openai", "gpt-4o")
    # 2.50 USD in, 10 out, 1.25 cached, per million
    assert rates._replace(units=()) == Rates(
        2_500_000, 10_000_000, 1_250_000, provider="openai", model="gpt-4o", basis=book.basis
    )
    assert cost_nanos(rates, Usage(1_000, 500, 400)) == 7_000_000
    # A thousand web searches are 10 USD.
    assert cost_nanos(rates, Usage(0, 0, units=(("searches", 3),))) == 30_000_000


def test_audio_and_images_have_the_rates_of_their_price_pages(book: PriceBook) -> None:
    gemini = rates_of(book, "google", "gemini-2.5-flash")
    # 0.30 USD a million of text in, 1.00 of audio: 600 x 0.3e-6 + 400 x 1e-6
    heard = Usage(1_000, 0, units=(("input_audio_tokens", 400),))
    assert cost_nanos(gemini, heard) == 580_000
    image = dict(rates_of(book, "openai", "gpt-image-1").units)
    assert image == {"cache_read_image_tokens": 2_500_000, "input_image_tokens": 10_000_000}
    live = dict(rates_of(book, "openai", "gpt-4o-realtime-preview").units)
    assert live["output_audio_tokens"] == 80_000_000


def test_every_unit_of_the_bundled_prices_is_one_of_ours_and_sound(book: PriceBook) -> None:
    priced = [
        rates
        for provider, model in bundled_prices().models()
        if (rates := book.lookup(provider, model, AT)) is not None and rates.units
    ]
    assert len(priced) > 100
    for rates in priced:
        assert validated_rates(decode_rates(encode_rates(rates))) == rates


def test_claude_has_both_kinds_of_cache_write(book: PriceBook) -> None:
    rates = rates_of(book, "anthropic", "claude-3-5-sonnet-20241022")
    assert rates[:5] == (3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000)
    assert rates.model == "claude-3-5-sonnet"
    # 3000 x 3 + 4000 x 0.3 + 2000 x 3.75 + 1000 x 6 + 1000 x 15 = 38,700 micro-USD
    assert cost_nanos(rates, Usage(10_000, 1_000, 4_000, 2_000, 1_000)) == 38_700_000


def test_gemini_gets_dearer_above_200000_input_tokens(book: PriceBook) -> None:
    rates = rates_of(book, "google", "gemini-2.5-pro")
    assert rates.input == ((0, 1_250_000), (200_001, 2_500_000))
    assert cost_nanos(rates, Usage(200_000, 1_000)) == 260_000_000
    assert cost_nanos(rates, Usage(200_001, 1_000)) == 515_002_500


def test_requests_and_reasoning_are_priced_where_they_have_a_price(book: PriceBook) -> None:
    assert rates_of(book, "perplexity", "sonar").request == 12 * 10**9  # 12 USD per thousand
    assert rates_of(book, "perplexity", "sonar-deep-research").reasoning == 3_000_000


def test_an_embedder_has_no_output_to_pay_for(book: PriceBook) -> None:
    rates = rates_of(book, "openai", "text-embedding-3-small")
    assert (rates.input, rates.output) == (20_000, 0)


def test_a_price_changes_on_its_day(book: PriceBook) -> None:
    # o3 fell from 10 / 40 to 2 / 8 USD on 10 June 2025
    before = rates_of(book, "openai", "o3", us(2025, 6, 10) - 1)
    after = rates_of(book, "openai", "o3", us(2025, 6, 10))
    assert (before.input, before.output) == (10_000_000, 40_000_000)
    assert (after.input, after.output) == (2_000_000, 8_000_000)


def test_a_price_changes_with_the_time_of_day(book: PriceBook) -> None:
    # deepseek-chat: 0.27 USD from 00:30 to 16:30 UTC, half of it in the night
    day = us(2025, 8, 1)
    for minutes, pico in [(29, 135_000), (30, 270_000), (989, 270_000), (990, 135_000)]:
        at_us = day + minutes * 60_000_000
        assert rates_of(book, "deepseek", "deepseek-chat", at_us).input == pico, minutes


@pytest.mark.parametrize(
    ("provider", "model", "resolved"),
    [
        (None, "gpt-4o", ("openai", "gpt-4o")),
        (None, "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        ("openai", "gpt-4o-2024-05-13", ("openai", "gpt-4o-2024-05-13")),
        ("OpenAI", "GPT-4o", ("openai", "gpt-4o")),
        (None, "openai/gpt-4o", ("openai", "gpt-4o")),
        ("openai", "openai/gpt-4o", ("openai", "gpt-4o")),
        ("litellm", "openai/gpt-4o", ("openai", "gpt-4o")),
        ("openrouter", "openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        (None, "openrouter/openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        ("azure", "gpt-4o", ("azure", "gpt-4o")),
        ("azure.ai.openai", "gpt-4o", ("azure", "gpt-4o")),
        ("azure_ai", "gpt-4o", ("azure", "gpt-4o")),
        ("gemini", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("vertex_ai", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gcp.vertex_ai", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("gcp.gen_ai", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("vertex_ai", "claude-3-5-sonnet", ("google", "claude-3-5-sonnet")),
        ("xai", "grok-4-0709", ("x-ai", "grok-4-0709")),
        ("x_ai", "grok-4-0709", ("x-ai", "grok-4-0709")),
        (None, "xai/grok-4-0709", ("x-ai", "grok-4-0709")),
        ("mistral_ai", "mistral-large-2411", ("mistral", "mistral-large")),
        (
            "bedrock",
            "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            ("aws", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ),
        (
            "aws.bedrock",
            "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
            ("aws", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ),
    ],
)
def test_names_resolve_however_they_are_spelled(
    book: PriceBook, provider: str | None, model: str, resolved: tuple[str, str]
) -> None:
    rates = rates_of(book, provider, model)
    assert (rates.provider, rates.model) == resolved


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        (None, "no-such-model"), ("openai", "no-such-model"), ("no-such-provider", "gpt-4o"),
        ("ollama", "llama3"), (None, "ollama/llama3"), ("openai", "claude-3-5-sonnet"),
        (None, "openai/no-such-model"), (None, ""), ("", ""), ("azure", "no-such-model"),
        ("openai", "whisper-1"), ("openai", "tts-1"), ("mistral", "mistral-ocr-2505"),
        ("cerebras", "qwen-3-coder-480b"), ("openrouter", "google/lyria-3-pro-preview"),
    ],
)  # fmt: skip
def test_what_has_no_token_price_is_unpriced_not_free(
    book: PriceBook, provider: str | None, model: str
) -> None:
    assert book.lookup(provider, model, AT) is None


def test_a_model_that_its_provider_calls_free_costs_nothing(book: PriceBook) -> None:
    rates = rates_of(book, "openrouter", "qwen/qwen3-coder:free")
    assert cost_nanos(rates, Usage(10**6, 10**6, 10**5, 10**5, 10**5, 10**5)) == 0


def test_the_basis_names_package_version_and_content(book: PriceBook) -> None:
    package, found, digest = book.basis.split("/")
    assert (package, found) == ("genai-prices", genai_prices.__version__)
    assert len(digest) == 12
    assert int(digest, 16) >= 0


def test_lookups_need_no_network_and_ignore_prices_that_others_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    empty = data_snapshot.DataSnapshot(providers=[], from_auto_update=True)
    monkeypatch.setattr(data_snapshot, "_custom_snapshot", empty)
    bundled_prices.cache_clear()
    assert rates_of(bundled_book(), "openai", "gpt-4o").input == 2_500_000


def model_with(prices: ModelPrice | list[ConditionalPrice]) -> ModelInfo:
    return ModelInfo(id="m", match=ClauseEquals("m"), prices=prices)


def test_a_tier_begins_above_its_start_as_in_genai_prices() -> None:
    tiered = TieredPrices(base=Decimal(1), tiers=[Tier(199_999, Decimal(3)), Tier(100, Decimal(2))])
    schedule = schedule_of(model_with(ModelPrice(input_mtok=tiered)), "p", "b")
    assert schedule is not None
    rates, _, _ = schedule.at(0)
    assert rates is not None
    assert rates.input == ((0, 1_000_000), (101, 2_000_000), (200_000, 3_000_000))


def test_a_write_for_an_hour_without_a_price_costs_what_a_write_costs() -> None:
    prices = ModelPrice(
        input_mtok=Decimal(1), cache_write_mtok=Decimal(2), cache_write_5m_mtok=Decimal(3)
    )
    schedule = schedule_of(model_with(prices), "p", "b")
    assert schedule is not None
    rates, _, _ = schedule.at(0)
    assert rates is not None
    assert (rates.cache_write, rates.cache_write_1h) == (3_000_000, 2_000_000)


def test_a_price_between_two_picos_is_rounded_up() -> None:
    prices = ModelPrice(input_mtok=Decimal("0.0833333333333333"), output_mtok=Decimal("1E-9"))
    schedule = schedule_of(model_with(prices), "p", "b")
    assert schedule is not None
    rates, _, _ = schedule.at(0)
    assert rates is not None
    assert (rates.input, rates.output) == (83_334, 1)


@pytest.mark.parametrize("wrong", ["-1", "NaN", "Infinity", "1E10"])
def test_a_price_that_cannot_be_is_no_price(wrong: str) -> None:
    prices = ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(wrong))
    assert schedule_of(model_with(prices), "p", "b") is None


def test_a_daily_price_given_in_another_zone_holds_at_the_same_instants() -> None:
    beijing = timezone(timedelta(hours=8))
    constraint = TimeOfDateConstraint(time(7, 0, tzinfo=beijing), time(12, 0, tzinfo=beijing))
    model = model_with(
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))),
            ConditionalPrice(constraint, prices=ModelPrice(input_mtok=Decimal(2))),
            ConditionalPrice(
                StartDateConstraint(date(2030, 1, 1)), prices=ModelPrice(audio_hours=Decimal(3))
            ),
        ]
    )
    schedule = schedule_of(model, "p", "b")
    assert schedule is not None
    for hour in range(48):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour, minutes=hour % 2)
        rates, _, _ = schedule.at(int(moment.timestamp()) * 1_000_000)
        theirs = model.get_prices(moment).input_mtok
        assert isinstance(theirs, Decimal)
        assert rates is not None
        assert rates.input == int(theirs * 1_000_000), moment
    assert schedule.at(us(2030, 1, 1))[0] is None  # sold by the hour from then on


def a_usage(chance: random.Random) -> Usage:
    total = chance.choice([0, 1, 32_001, 128_000, 199_999, 200_000, 200_001, 272_001, 1_000_000])
    total = chance.choice([total, chance.randrange(400_000)])
    cuts = sorted(chance.randrange(total + 1) for _ in range(3))
    output = chance.randrange(64_000)
    return Usage(
        total,
        output,
        cuts[0],
        cuts[1] - cuts[0],
        cuts[2] - cuts[1],
        chance.randrange(output + 1),
    )


def their_usage(usage: Usage) -> genai_prices.Usage:
    return genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )


def in_whole_picos(prices: ModelPrice) -> bool:
    """Whether every token price is a whole number of pico-USD per token."""
    for key, price in vars(prices).items():
        if not key.endswith("_mtok") or price is None:
            continue
        tiered = isinstance(price, TieredPrices)
        each = [price.base, *(tier.price for tier in price.tiers)] if tiered else [price]
        if any(Fraction(value) * 10**6 % 1 for value in each):
            return False
    return True


def test_every_bundled_model_costs_exactly_what_genai_prices_computes(book: PriceBook) -> None:
    chance = random.Random(8013)
    compared = fractional = unpriced = 0
    for provider in data_snapshot._bundled_snapshot().providers:
        for model in provider.models:
            moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(
                minutes=chance.randrange(1_500_000)
            )
            prices = model.get_prices(moment)
            schedule = schedule_of(model, provider.id, book.basis)
            at_us = int(moment.timestamp()) * 1_000_000
            rates = None if schedule is None else schedule.at(at_us)[0]
            if rates is None:
                assert prices.input_mtok is None
                unpriced += 1
                continue
            assert validated_rates(decode_rates(encode_rates(rates))) == rates
            usage = a_usage(chance)
            theirs = model.calc_price(
                their_usage(usage), provider, genai_request_timestamp=moment
            ).total_price
            ours = cost_nanos(rates, usage)
            expected = int((theirs * 10**9).to_integral_value(ROUND_CEILING))
            if in_whole_picos(prices):
                assert ours == expected, (provider.id, model.id, moment, usage)
            else:
                # Each token may be a pico too dear, rounded up once more to a nano.
                assert (
                    0 <= ours - expected <= (usage.input_tokens + usage.output_tokens) // 1_000 + 1
                )
                fractional += 1
            compared += 1
    counted = f"{compared} models compared, {fractional} of them with prices between two picos; "
    sys.stdout.write(f"{counted}{unpriced} without a token price\n")  # seen with -s
    assert compared >= 1_500
    assert fractional <= compared // 50
    assert unpriced <= compared // 20


def test_names_resolve_to_what_genai_prices_resolves_them_to(book: PriceBook) -> None:
    chance = random.Random(8013)
    snapshot = data_snapshot._bundled_snapshot()
    listed = list(bundled_prices().models())
    differing = []
    for provider_id, model_id in chance.sample(listed, 400):
        rates = book.lookup(provider_id, model_id, AT)
        try:
            provider, model = snapshot.find_provider_model(model_id, None, provider_id, None)
        except LookupError:  # a few do not match their own id
            assert rates is None
            continue
        if rates is None:
            assert model.get_prices(datetime(2026, 1, 15, tzinfo=UTC)).input_mtok is None
        elif (rates.provider, rates.model) != (provider.id, model.id):
            differing.append((provider_id, model_id, rates.model, model.id))
    assert differing == []


# --- Price contexts ------------------------------------------------------------------------------

AUTUMN = us(2026, 11, 1)


def test_a_batch_costs_half_and_a_fast_answer_double(book: PriceBook) -> None:
    # 1 USD in and 5 out a million; in a batch half of that
    batch = book.lookup("anthropic", "claude-haiku-4-5", AUTUMN, (("processing", "batch"),))
    assert batch is not None
    assert (batch.input, batch.output) == (500_000, 2_500_000)
    assert (batch.cache_read, batch.cache_write_1h) == (50_000, 1_000_000)
    assert batch.context == "processing=batch"
    # What the variant does not price is priced as ever: 0.01 USD a search.
    usual = book.lookup("anthropic", "claude-haiku-4-5", AUTUMN)
    assert usual is not None
    assert (usual.context, dict(batch.units)) == ("", dict(usual.units))
    gpt_5 = book.lookup("openai", "gpt-5", AUTUMN, (("service_tier", "priority"),))
    assert gpt_5 is not None
    assert (gpt_5.input, gpt_5.output) == (2_500_000, 20_000_000)


def test_a_context_that_a_model_has_no_price_for_changes_nothing(book: PriceBook) -> None:
    for context in ((), (("speed", "fast"),), (("processing", "batch"), ("region", "eu"))):
        found = book.lookup("anthropic", "claude-haiku-4-5", us(2026, 1, 1), context)
        assert found is not None
        # Before October 2026 the bundled prices know of no batch, either.
        assert (found.input, found.output) == (1_000_000, 5_000_000)


def test_every_variant_costs_what_genai_prices_says_whenever(book: PriceBook) -> None:
    chance = random.Random(8013)
    compared = 0
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            for variant in model.price_variants or ():
                context = tuple(sorted(variant.when.items()))
                for _ in range(3):
                    at_us = us(2026, 1, 1) + chance.randrange(400) * 86_400_000_000
                    found = bundled_prices().schedule(provider.id, model.id, context)
                    if found is None:
                        continue
                    rates, from_us, until_us = found.at(at_us)
                    assert from_us <= at_us < until_us
                    if rates is None or not isinstance(rates.input, int):
                        continue
                    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
                    price = model.get_prices(moment, variant.when).input_mtok
                    assert isinstance(price, Decimal)
                    exact = price * 1_000_000
                    assert rates.input == int(exact.to_integral_value(ROUND_CEILING))
                    compared += 1
    assert compared > 300
