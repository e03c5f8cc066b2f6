"""Cheaper: of the same provider, priced, fitting, the dearest first."""

from budget.domain.pricing import Rates
from budget.prices.book import PriceBook
from budget.prices.cheaper import cheaper_models

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
