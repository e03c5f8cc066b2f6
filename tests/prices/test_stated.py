"""Prices as they are stated: numbers that are too small, too large, or none."""

from decimal import Decimal

import pytest

from budget.domain.errors import InvalidInput
from budget.prices.stated import pico


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("1.6e-268", "at most 6 decimals"), ("1e-99999999", "at most 6 decimals"),
        ("1e-39", "at most 6 decimals"), ("1e99", "price in USD"), ("1e99999999", "price in USD"),
        ("NaN", "price in USD"), ("Infinity", "price in USD"), ("-1", "price in USD"),
    ],
)  # fmt: skip
def test_a_number_that_is_no_price_is_refused_with_what_is_wrong(number: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        pico(Decimal(number), "input", 6)


@pytest.mark.parametrize(("number", "amount"), [("0e-500", 0), ("2.5", 2_500_000), ("1e2", 10**8)])
def test_a_number_is_read_exactly_however_it_is_spelled(number: str, amount: int) -> None:
    assert pico(Decimal(number), "input", 6) == amount
