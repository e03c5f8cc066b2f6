"""Values of feeds: prices exact or odd, JSON read without floats, names that can be kept."""

from decimal import Decimal

import pytest

from budget.domain.usage import MAX_TOKENS
from budget.prices.sources.adapter import BadFeed
from budget.prices.sources.parsing import (
    PER_MTOK,
    TWICE,
    Odd,
    count_of,
    day_us,
    name_of,
    pico_of,
    read_json,
    retired_us,
    stated,
    tiered,
    usd_of,
)


@pytest.mark.parametrize(
    ("usd", "units", "pico"),
    [
        ("2.5", PER_MTOK, 2_500_000),
        ("0.0000025", 1, 2_500_000),
        ("1.25e-07", 1, 125_000),
        ("0.0833333333333333", PER_MTOK, 83_334),  # 83,333.3 pico, rounded up
        ("1e-13", 1, 1),  # a tenth of a pico, rounded up
        ("0.0001", 1_000, 100_000),  # a second's price for a millisecond
        ("3.0000000000000004e-06", 1, 3_000_000),  # a double's noise in its 17th digit
        ("2.9999999999999997e-06", 1, 3_000_000),
        ("0", 1, 0),
        ("-0.0", 1, 0),
        ("1000", 1, 10**15),  # the dearest that a token may be
    ],
)
def test_a_price_is_exact_and_a_fraction_of_a_pico_is_rounded_up(
    usd: str, units: int, pico: int
) -> None:
    assert pico_of(Decimal(usd), units) == pico


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Decimal("-0.1"), "negative"), (-1, "negative"), (Decimal("NaN"), "not finite"),
        (Decimal("-Infinity"), "not finite"), (Decimal("1e30"), "beyond all bounds"),
        (Decimal("1e999999"), "beyond all bounds"), (1001, "beyond all bounds"),
        (Decimal("1e-999999"), "too small"), (True, "not a number"), ("free", "not a number"),
        ("2.5", "not a number"), (None, "not a number"), ([], "not a number"),
        (TWICE, "given twice"),
    ],
)  # fmt: skip
def test_what_is_no_price_is_odd(value: object, why: str) -> None:
    with pytest.raises(Odd, match=why):
        pico_of(value)


def test_a_price_written_as_text_is_read_only_where_the_source_writes_so() -> None:
    assert pico_of(usd_of("0.0000025")) == 2_500_000
    assert pico_of(usd_of("1E-7")) == 100_000
    assert usd_of(5) == 5
    for odd in ("", "free", "1,5", "0x1", " 1", "1_0", "NaN", "1e999", "9" * 50):
        with pytest.raises(Odd, match="not a number"):
            usd_of(odd)


def test_json_comes_without_floats_however_long_its_numbers_are() -> None:
    long = "9" * 5_000
    found = read_json(
        "s", f'{{"a": 0.1, "b": 3, "c": 1e999999999999999999999, "d": {long}}}'.encode()
    )
    assert isinstance(found, dict)
    assert found["a"] == Decimal("0.1")
    assert type(found["b"]) is int
    for name in ("c", "d"):
        with pytest.raises(Odd, match="a price is"):
            pico_of(found[name])
    assert read_json("s", b"\xef\xbb\xbf[]") == []  # with a byte order mark


def test_a_name_that_an_object_has_twice_has_no_value_unless_both_are_equal() -> None:
    assert read_json("s", b'{"a": 1, "a": 2, "b": [1], "b": [1], "c": 1, "c": true}') == {
        "a": TWICE,
        "b": [1],
        "c": TWICE,
    }


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", "{}".encode("utf-16"), b"[1] x", b"'a'"])
def test_what_is_no_json_is_a_bad_feed(data: bytes) -> None:
    with pytest.raises(BadFeed, match="not JSON in UTF-8"):
        read_json("s", data)


def test_json_that_nests_too_deep_is_a_bad_feed() -> None:
    with pytest.raises(BadFeed, match="nests too deep"):
        read_json("s", b"[" * 200_000)


@pytest.mark.parametrize("name", ["", " ", "a" * 257, "a\nb", "a\0", "\ud800", "\u202eb", 1, None])
def test_a_name_that_could_not_be_kept_or_shown_is_odd(name: object) -> None:
    with pytest.raises(Odd, match="its name"):
        name_of(name)


def test_a_name_loses_the_blanks_around_it() -> None:
    assert name_of("  Some Lab/Model 9 ") == "Some Lab/Model 9"


def test_a_tier_holds_above_its_count_and_one_that_changes_nothing_is_none() -> None:
    assert tiered(5, {}) == 5
    assert tiered(5, {200_000: 7, 100_000: 5}) == ((0, 5), (200_001, 7))
    for odd in (0, -1, MAX_TOKENS):
        with pytest.raises(Odd, match="no count of tokens"):
            tiered(5, {odd: 7})


def test_a_zero_beside_a_price_is_not_believed() -> None:
    assert stated(0) is None
    assert stated(((0, 0), (10, 0))) is None
    assert stated(((0, 0), (10, 3))) == ((0, 0), (10, 3))
    assert stated(3) == 3


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (128_000, 128_000), (Decimal("256000.0"), 256_000), (0, None), (-1, None), (True, None),
        (Decimal("0.5"), None), (Decimal("NaN"), None), (10**13, None), ("5", None), (None, None),
        (Decimal("1e999999"), None),
    ],
)  # fmt: skip
def test_a_count_is_a_whole_number_above_zero_or_nothing(value: object, count: int | None) -> None:
    assert count_of(value) == count


def test_a_day_begins_at_midnight_utc() -> None:
    assert day_us("1970-01-02") == 86_400_000_000
    assert retired_us("2026-12-11") == 1_796_947_200_000_000
    for odd in ("2026-02-30", "2026-1-1", "soon", "", None, 20260101, "2026-01-01T00:00:00Z"):
        assert retired_us(odd) is None
        with pytest.raises(Odd, match="no day"):
            day_us(odd)
