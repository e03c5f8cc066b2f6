"""Cheaper: of the same provider, priced, fitting, the dearest first."""

from budget.domain.pricing import Rates
from budget.prices.book import PriceBook
from budget.prices.cheaper import cheaper_for_tokens, cheaper_models

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
