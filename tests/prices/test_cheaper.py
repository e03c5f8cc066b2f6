"""Cheaper: of the same provider, priced, fitting, the dearest first."""

import pytest

from budget.domain.pricing import Rates, hold_nanos
from budget.prices.book import PriceBook, bundled_book
from budget.prices.capabilities import Needs, is_retired
from budget.prices.cheaper import cheaper_for_tokens, cheaper_models, fitting
from budget.prices.listings import Capabilities

AT_US = 1_790_000_000_000_000
BOOK = PriceBook(
    None,
    overrides={
        ("acme", "large"): Rates(10_000_000, 40_000_000),  # 10 and 40 USD a million
        ("acme", "medium"): Rates(2_000_000, 8_000_000),
        ("acme", "small"): Rates(500_000, 1_000_000),
        ("acme", "free"): Rates(0, 0),
        ("acme", "embed"): Rates(20_000, 0),
        ("other", "small"): Rates(400_000, 900_000),
        ("toll", "large"): Rates(10_000_000, 40_000_000),
        ("toll", "fee"): Rates(100_000, 100_000, request=3_000_000_000),  # and 0.003 USD a request
    },
)


def named(room_nanos: int, output_tokens: int = 500) -> tuple[str, ...]:
    asked = BOOK.lookup("acme", "large", AT_US)
    assert asked is not None
    return cheaper_models(BOOK, asked, 1000, output_tokens, room_nanos, AT_US)


def test_models_that_fit_are_named_the_dearest_first() -> None:
    # medium: 1000 x 0.000002 + 500 x 0.000008 = 0.006 USD; small: 0.0005 + 0.0005 = 0.001 USD
    assert named(6_000_000) == ("medium", "small")
    assert named(5_999_999) == ("small",)


def test_nothing_is_named_when_nothing_fits() -> None:
    assert named(999_999) == ()


def test_what_was_asked_for_is_not_cheaper_than_itself() -> None:
    assert "large" not in named(10**12)


def test_free_models_models_without_output_and_other_providers_are_left_out() -> None:
    assert set(named(10**12)) == {"medium", "small"}


def test_a_call_without_output_may_go_to_an_embedding_model() -> None:
    assert "embed" in named(10**12, output_tokens=0)


def test_every_request_of_an_estimate_is_counted() -> None:
    asked = BOOK.lookup("toll", "large", AT_US)
    assert asked is not None
    for requests, room_nanos in ((1, 3_150_000), (4, 12_150_000)):
        # 1500 x 0.0000001 = 0.00015 USD, and 0.003 USD for each request
        for room, models in ((room_nanos, ("fee",)), (room_nanos - 1, ())):
            found = cheaper_models(BOOK, asked, 1000, 500, room, AT_US, requests=requests)
            assert found == models


def for_tokens(model: str, room_nanos: int, *, provider: str = "acme", **more: int) -> object:
    asked = BOOK.lookup(provider, model, AT_US)
    assert asked is not None
    return cheaper_for_tokens(BOOK, asked, 2000, room_nanos, AT_US, **more)


def test_tokens_of_unknown_kind_are_compared_at_the_dearest_rate_of_each_model() -> None:
    # medium: 2000 x 0.000008 = 0.016 USD; small: 2000 x 0.000001 = 0.002 USD
    assert for_tokens("large", 16_000_000) == ("medium", "small")
    assert for_tokens("large", 15_999_999) == ("small",)
    assert for_tokens("large", 1_999_999) == ()
    assert for_tokens("medium", 10**12) == ("small",)


def test_tokens_of_a_model_that_only_reads_may_go_to_another_that_only_reads() -> None:
    book = PriceBook(None, {("acme", "embed"): Rates(20_000, 0), ("acme", "less"): Rates(9_000, 0)})
    asked = book.lookup("acme", "embed", AT_US)
    assert asked is not None
    assert cheaper_for_tokens(book, asked, 2000, 10**12, AT_US) == ("less",)


def test_every_request_beside_tokens_is_counted() -> None:
    # 2000 x 0.0000001 = 0.0002 USD, and 0.003 USD for each request
    assert for_tokens("large", 3_200_000, provider="toll") == ("fee",)
    assert for_tokens("large", 3_199_999, provider="toll") == ()
    assert for_tokens("large", 9_200_000, provider="toll", requests=3) == ("fee",)
    assert for_tokens("large", 9_199_999, provider="toll", requests=3) == ()
    assert for_tokens("large", 200_000, provider="toll", requests=0) == ("fee",)


# --- What models can do --------------------------------------------------------------------------

CHAT = Capabilities(context_window=10_000, max_output_tokens=1_000, mode="chat")
MADE = {
    "large": CHAT,
    "known": CHAT,
    "retired": CHAT._replace(retired_us=AT_US),
    "ending": CHAT._replace(retired_us=AT_US + 1),
    "deprecated": CHAT._replace(deprecated=True),
    "narrow": CHAT._replace(context_window=1_499),
    "short": CHAT._replace(max_output_tokens=499),
    "voice": CHAT._replace(mode="audio"),
    "seeing": CHAT._replace(vision=True),
    "blind": CHAT._replace(vision=False),
}


def described(**more: Rates) -> PriceBook:
    """A book in which `large` costs twice what each of the others does; `unknown` says nothing."""
    prices = {("acme", name): Rates(10_000_000, 10_000_000) for name in (*MADE, "unknown")}
    prices["acme", "large"] = Rates(20_000_000, 20_000_000)
    prices |= {("acme", name): rates for name, rates in more.items()}
    capabilities = {("acme", name): said for name, said in MADE.items()}
    return PriceBook(None, prices, capabilities=capabilities)


def test_retired_models_and_those_that_the_call_would_not_go_into_are_not_named() -> None:
    book = described()
    asked = book.lookup("acme", "large", AT_US)
    assert asked is not None
    # 1,000 tokens in and 500 out: 1,500 do not go into `narrow`, nor 500 out of `short`.
    found = cheaper_models(book, asked, 1_000, 500, 10**12, AT_US)
    assert found == ("blind", "ending", "known", "seeing", "unknown")
    assert "ending" not in cheaper_models(book, asked, 1_000, 500, 10**12, AT_US + 1)
    assert set(cheaper_models(book, asked, 999, 500, 10**12, AT_US)) >= {"narrow"}


def test_a_model_of_which_too_little_is_known_comes_after_the_others() -> None:
    book = described(dearer=Rates(15_000_000, 15_000_000))
    asked = book.lookup("acme", "large", AT_US)
    assert asked is not None
    found = cheaper_models(book, asked, 1_000, 500, 10**12, AT_US)
    assert found == ("blind", "ending", "known", "seeing", "dearer")


def test_a_call_with_images_goes_only_to_models_that_may_see() -> None:
    book = described()
    asked = book.lookup("acme", "large", AT_US)
    assert asked is not None
    units = (("input_image_tokens", 100),)
    found = cheaper_models(book, asked, 1_000, 500, 10**12, AT_US, units=units)
    assert found == ("seeing", "ending", "known", "unknown")
    assert "blind" not in found


def test_tokens_of_unknown_kind_must_go_into_the_window() -> None:
    book = described()
    asked = book.lookup("acme", "large", AT_US)
    assert asked is not None
    assert "narrow" in cheaper_for_tokens(book, asked, 1_499, 10**12, AT_US)
    found = cheaper_for_tokens(book, asked, 1_500, 10**12, AT_US)
    assert found == ("blind", "ending", "known", "seeing", "short")


def test_the_models_that_will_do_are_found_without_money() -> None:
    book = described()
    found = {
        offer.rates.model: offer.is_known
        for offer in fitting(book, "acme", Needs(100, 100, vision=True, mode="chat"), AT_US)
    }
    assert found == {
        "ending": False, "known": False, "large": False, "narrow": False, "seeing": True,
        "short": False, "unknown": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-5"), ("anthropic", "claude-opus-4-5"), ("google", "gemini-2.5-pro")],
)
def test_of_the_bundled_prices_only_models_that_answer_are_named(provider: str, model: str) -> None:
    book, at_us = bundled_book(), 1_796_000_000_000_000  # 2026-11-30
    asked = book.lookup(provider, model, at_us)
    assert asked is not None
    room_nanos = hold_nanos(asked, 10_000, 2_000) - 1
    found = cheaper_models(book, asked, 10_000, 2_000, room_nanos, at_us)
    assert found
    for name in found:
        capabilities = book.capabilities(provider, name)
        assert not is_retired(capabilities, at_us), name
        assert capabilities.mode == "chat", name


def test_bedrock_models_are_named_as_they_are_called() -> None:
    book, at_us = bundled_book(), 1_795_000_000_000_000
    asked = book.lookup("aws", "anthropic.claude-sonnet-4-5-20250929-v1:0", at_us)
    assert asked is not None
    for name in cheaper_models(book, asked, 1_000, 500, 10**12, at_us):
        assert not name.startswith("regional.")
        assert book.lookup("aws", name, at_us) is not None
