"""Amounts are read exactly or refused, and written back as the same amount."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budget.domain.errors import InvalidInput
from budget.domain.money import (
    MAX_HOLD_NANOS,
    MAX_LIMIT_NANOS,
    MAX_TOKENS,
    NANOS_PER_USD,
    PICOS_PER_NANO,
    ceil_div,
    format_fraction,
    format_usd,
    parse_count,
    parse_fraction_bps,
    parse_percent_bps,
    parse_usd,
)


def test_the_constants_are_the_figures_of_the_design() -> None:
    assert NANOS_PER_USD == 1_000_000_000
    assert PICOS_PER_NANO == 1_000
    assert MAX_HOLD_NANOS == 1_000_000_000_000_000  # 1e6 USD
    assert MAX_LIMIT_NANOS == 1_000_000_000_000_000_000  # 1e9 USD, within int64
    assert MAX_TOKENS == 1_000_000_000_000
    assert MAX_LIMIT_NANOS < 2**63


# --- USD -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "nanos"),
    [
        ("0", 0),
        ("0.00", 0),
        ("2.5", 2_500_000_000),
        ("0.001234", 1_234_000),
        ("0.000000001", 1),
        ("0.1", 100_000_000),
        ("007.50", 7_500_000_000),
        ("1.000000001000", 1_000_000_001),
        ("1000000", MAX_HOLD_NANOS),
        (0, 0),
        (3, 3_000_000_000),
        (Decimal("0.1"), 100_000_000),
        (Decimal("1e-3"), 1_000_000),
        (Decimal("1E+3"), 1_000_000_000_000),
        (Decimal("1e-9"), 1),
        (Decimal("2.5000000000000"), 2_500_000_000),
        (Decimal("0e-20"), 0),
        (Decimal("123456.123456789"), 123_456_123_456_789),
    ],
)
def test_an_amount_is_read_to_the_nano(value: object, nanos: int) -> None:
    assert parse_usd(value, "usd") == nanos


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "-0",
        "+1",
        "1e5",
        "1E-3",
        "1_000",
        "1,000",
        "1,5",
        " 1",
        "1 ",
        "1\n",
        ".5",
        "5.",
        "1.2.3",
        "0x10",
        "$1",
        "NaN",
        "Infinity",
        "-inf",
        "\u0661\u0662",  # Arabic-Indic 12
        "1.\u0662",
        "\uff11",  # full-width 1
        "\u00b2",  # superscript 2
        "1\x00",
        "12345678901234567",
    ],
)
def test_a_string_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^limits\.usd: ") as caught:
        parse_usd(text, "limits.usd")
    assert caught.value.field == "limits.usd"


@pytest.mark.parametrize(
    "number",
    [
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-NaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
        Decimal("-0.01"),
        Decimal("-0"),
        Decimal("1e-10"),
        Decimal("1.0000000001"),
        -1,
    ],
)
def test_a_number_that_is_no_amount_is_refused(number: object) -> None:
    with pytest.raises(InvalidInput, match=r"^usd: "):
        parse_usd(number, "usd")


@pytest.mark.parametrize("value", [None, True, False, [], {}, b"1", 1 + 0j])
def test_what_is_neither_text_nor_number_is_no_amount(value: object) -> None:
    with pytest.raises(InvalidInput, match="must be a decimal as a string"):
        parse_usd(value, "usd")


@pytest.mark.parametrize("value", [0.1, 0.0, float("nan"), float("inf")])
def test_a_float_is_refused_with_the_advice_to_send_a_string(value: float) -> None:
    with pytest.raises(InvalidInput, match="send it as a string"):
        parse_usd(value, "usd")


@pytest.mark.parametrize("value", ["1.0000000001", Decimal("1.0000000001"), "0.0000000005"])
def test_a_tenth_decimal_is_refused_rather_than_rounded(value: object) -> None:
    with pytest.raises(InvalidInput, match="at most 9 decimals"):
        parse_usd(value, "usd")


@pytest.mark.parametrize("value", ["1000000.000000001", 1_000_001, Decimal("1e7")])
def test_an_amount_above_the_maximum_is_refused_with_the_maximum(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"at most 1000000\.00 USD"):
        parse_usd(value, "usd")
    assert parse_usd(value, "usd", maximum_nanos=MAX_LIMIT_NANOS) > MAX_HOLD_NANOS


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(Decimal("1e999999999"), id="huge exponent"),
        pytest.param(Decimal("1e-999999999"), id="tiny exponent"),
        pytest.param(Decimal("9" * 100_000), id="long Decimal"),
        pytest.param(10**100_000, id="long int"),
        pytest.param("9" * 1_000_000, id="long whole part"),
        pytest.param("0." + "1" * 1_000_000, id="long decimals"),
        pytest.param("x" * 1_000_000, id="long nonsense"),
    ],
)
def test_a_monstrous_number_is_refused_at_once_and_not_repeated(value: object) -> None:
    begun = time.perf_counter()
    with pytest.raises(InvalidInput) as caught:
        parse_usd(value, "usd")
    assert time.perf_counter() - begun < 0.5
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [Decimal("0e999999999"), Decimal("0e-999999999")])
def test_a_zero_is_a_zero_whatever_its_exponent(value: Decimal) -> None:
    assert parse_usd(value, "usd") == 0


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (10, "0.00000001"),
        (1_234_000, "0.001234"),
        (10_000_000, "0.01"),
        (100_000_000, "0.10"),
        (123_000_000, "0.123"),
        (999_999_999, "0.999999999"),
        (1_000_000_000, "1.00"),
        (2_500_000_000, "2.50"),
        (10_000_000_000, "10.00"),
        (-1, "-0.000000001"),
        (-1_500_000_000, "-1.50"),
        (-2_000_000_000, "-2.00"),
        (MAX_LIMIT_NANOS, "1000000000.00"),
    ],
)
def test_an_amount_is_written_in_full_and_no_longer_than_it_must(nanos: int, text: str) -> None:
    assert format_usd(nanos) == text


@given(st.integers(0, MAX_LIMIT_NANOS))
def test_an_amount_written_and_read_again_is_the_same(nanos: int) -> None:
    text = format_usd(nanos)
    assert parse_usd(text, "usd", maximum_nanos=MAX_LIMIT_NANOS) == nanos
    assert parse_usd(Decimal(text), "usd", maximum_nanos=MAX_LIMIT_NANOS) == nanos
    assert Decimal(text) * NANOS_PER_USD == nanos


@given(st.integers(-MAX_LIMIT_NANOS, MAX_LIMIT_NANOS))
def test_a_written_amount_is_exact_with_at_least_two_decimals(nanos: int) -> None:
    whole, decimals = format_usd(nanos).split(".")
    assert int(whole + decimals.ljust(9, "0")) == nanos
    assert len(decimals) == 2 or not decimals.endswith("0")


@given(st.decimals(min_value=0, max_value=10**6, allow_nan=False))
def test_a_json_number_is_read_exactly_or_refused_never_rounded(number: Decimal) -> None:
    exact = all(digit == 0 for digit in number.as_tuple().digits[_digits_up_to_the_nano(number) :])
    if number.is_signed() or not exact:
        with pytest.raises(InvalidInput):
            parse_usd(number, "usd")
    else:
        assert parse_usd(number, "usd") == int(number * NANOS_PER_USD)


def _digits_up_to_the_nano(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, len(number.as_tuple().digits) + exponent + 9)


@given(st.one_of(st.text(), st.decimals(), st.floats(), st.integers(), st.none(), st.binary()))
def test_whatever_comes_in_is_an_amount_or_invalid_input(value: object) -> None:
    try:
        nanos = parse_usd(value, "usd")
    except InvalidInput:
        return
    assert 0 <= nanos <= MAX_HOLD_NANOS


# --- counts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (1200, 1200),
        (10**12, 10**12),
        (Decimal(7), 7),
        (Decimal("7.00"), 7),
        (Decimal("1e3"), 1000),
    ],
)
def test_a_count_is_a_whole_number(value: object, count: int) -> None:
    found = parse_count(value, "tokens")
    assert found == count
    assert type(found) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        "12",
        1.0,
        [],
        -1,
        10**12 + 1,
        Decimal("0.5"),
        Decimal("1e-999999999"),
        Decimal("1e999999999"),
        Decimal("-0"),
        Decimal(-1),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        pytest.param(10**100_000, id="long int"),
    ],
)
def test_what_is_no_whole_number_in_range_is_no_count(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"^usage\.input_tokens: "):
        parse_count(value, "usage.input_tokens")


def test_a_count_above_its_own_maximum_is_refused_with_that_maximum() -> None:
    assert parse_count(10, "requests", maximum=10) == 10
    with pytest.raises(InvalidInput, match="at most 10"):
        parse_count(11, "requests", maximum=10)


# --- basis points --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bps"),
    [("0%", 0), ("10%", 1000), ("12.5%", 1250), ("0.01%", 1), ("5.250%", 525), ("100%", 10_000)],
)
def test_a_percentage_is_read_as_basis_points(text: str, bps: int) -> None:
    assert parse_percent_bps(text, "headroom") == bps


@pytest.mark.parametrize(
    "value",
    [
        *("", "%", "10", "-5%", "100.01%", "101%", "0.001%", "10 %", " 10%", "10%%", "1e1%"),
        *("\u0661\u0660%", 10, 0.1, Decimal("0.1"), None),
    ],
)
def test_what_is_no_percentage_up_to_100_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"^headroom: "):
        parse_percent_bps(value, "headroom")


@pytest.mark.parametrize(
    ("value", "bps", "text"),
    [
        ("0.8", 8000, "0.8"),
        (Decimal("0.95"), 9500, "0.95"),
        (Decimal("5e-2"), 500, "0.05"),
        ("0.0125", 125, "0.0125"),
        ("0.0001", 1, "0.0001"),
        ("0.80000", 8000, "0.8"),
        ("1.00", 10_000, "1"),
        (0, 0, "0"),
        (1, 10_000, "1"),
    ],
)
def test_a_fraction_is_read_as_basis_points_and_written_as_short_as_it_can_be(
    value: object, bps: int, text: str
) -> None:
    assert parse_fraction_bps(value, "warning_threshold") == bps
    assert format_fraction(bps) == text


@pytest.mark.parametrize(
    "value",
    [
        *("0.80001", "1.0001", "2", "80%", "", 2, -1, 0.8, True, None),
        *(Decimal("1e-5"), Decimal("1e99"), Decimal("NaN")),
    ],
)
def test_what_is_no_fraction_up_to_1_in_four_decimals_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"^warning_threshold: "):
        parse_fraction_bps(value, "warning_threshold")


def test_every_fraction_written_is_read_again_as_the_same() -> None:
    for bps in range(10_001):
        assert parse_fraction_bps(format_fraction(bps), "threshold") == bps


# --- rounding ------------------------------------------------------------------------------------


def test_a_division_rounds_up() -> None:
    assert ceil_div(0, 1000) == 0
    assert ceil_div(1, 1000) == 1
    assert ceil_div(1000, 1000) == 1
    assert ceil_div(1001, 1000) == 2
    assert ceil_div(-1, 1000) == 0
    assert ceil_div(10**30 + 1, 10**15) == 10**15 + 1  # beyond what a float could tell
