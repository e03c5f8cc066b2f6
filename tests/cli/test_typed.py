"""What is typed is read exactly; an error names the option, not the field of the API."""

import pytest

from budget.cli import typed
from budget.cli.limit_typed import parse_limits
from budget.domain.errors import InvalidInput, NotFound

OPTIONS = {
    "limit": "--limit", "policies": "--limit", "reset_day": "--reset-day", "scope": "--scope",
    "until": "--until", "input_tokens": "--input-tokens",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "detail", "told"),
    [
        ("limit", "must not be negative.", "--limit: must not be negative."),
        ("policies[3].reset_day", "must be 1 to 28.", "--reset-day: must be 1 to 28."),
        ("policies[0].colour", "is not a field.", "--limit: is not a field."),
        ("policies[0]", "must be an object.", "--limit: must be an object."),
        ("scope.team", "must have 1 character.", "--scope team: must have 1 character."),
        ("limit", "needs input_tokens.", "--limit: needs --input-tokens."),
        ("limit", "needs --input-tokens.", "--limit: needs --input-tokens."),
        ("other", "is required.", "other: is required."),
        (
            "until",
            "must be an RFC 3339 time with its offset.",
            "--until: must be a day, or a time with its offset.",
        ),
    ],
)
def test_an_error_of_a_field_is_told_of_its_option(field: str, detail: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught, typed.typed_as(**OPTIONS):
        raise InvalidInput(field, detail)
    assert caught.value.detail == told


def test_an_error_of_no_field_stays_as_it_is() -> None:
    with pytest.raises(NotFound) as caught, typed.typed_as(**OPTIONS):
        raise NotFound("budget", "x")
    assert caught.value.detail == "There is no budget 'x'."


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("7", 7)],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: int) -> None:
    assert typed.parse_seconds(text, "--ttl") == seconds
    assert typed.is_duration(text) == (text != "7")


@pytest.mark.parametrize("text", ["", "1y", "-5m", "1.5h", "h", "12345678901s", "\u0661\u0662s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"--ttl: .* is not a duration such as"):
        typed.parse_seconds(text, "--ttl")


@pytest.mark.parametrize("text", ["5$", "$5", "1,5", "1_000", "5 USD", "5eur", "5€"])
def test_money_as_it_is_written_elsewhere_is_told_how_to_type_it(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"LIMIT: .* type USD as digits alone, such as 12\.50"):
        typed.parse_amount(text, "usd", "LIMIT")


def test_a_day_that_is_typed_is_its_midnight_and_a_word_is_none() -> None:
    assert typed.parse_instant("1970-01-02", "--from") == 86_400_000_000
    with pytest.raises(InvalidInput) as caught:
        typed.parse_instant("yesterday", "--from")
    assert caught.value.detail.startswith("--from: must be a day, or a time with its offset")


def test_amounts_are_exact() -> None:
    assert typed.parse_amount("0.000000001", "usd", "AMOUNT") == "0.000000001"
    assert typed.parse_amount(" 12.5 ", "usd", "AMOUNT") == "12.50"
    assert typed.parse_amount("12", "tokens", "AMOUNT") == 12
    for text, unit in (("1e3", "usd"), ("1.5", "tokens"), ("-1", "tokens"), ("9" * 20, "tokens")):
        with pytest.raises(InvalidInput, match="AMOUNT"):
            typed.parse_amount(text, unit, "AMOUNT")  # type: ignore[arg-type]


def test_pairs_are_attributes_and_a_partition_may_be_of_calls_without_one() -> None:
    words = ("team=a=b", "tag.x= y ")
    assert typed.parse_pairs(words, "--attribute") == {"team": "a=b", "tag.x": "y"}
    assert typed.parse_partition(("user=", "team=a")) == {"user": None, "team": "a"}
    for bad in (("team",), ("team=",), ("colour=red",), ("team=a", "team=b")):
        with pytest.raises(InvalidInput, match="--attribute"):
            typed.parse_pairs(bad, "--attribute")


@pytest.mark.parametrize(
    ("word", "limit", "period", "unit", "enforcement"),
    [
        ("100/monthly", "100.00", "monthly", "usd", "warn"),
        ("0.5/daily:hard", "0.50", "daily", "usd", "hard_limit"),
        ("2000000/daily/tokens:soft", 2_000_000, "daily", "tokens", "soft_limit"),
        ("1/rolling:1h", "1.00", "rolling:1h", "usd", "warn"),
        ("1/rolling:1h:block", "1.00", "rolling:1h", "usd", "hard_limit"),
        ("9/rolling:5m/requests:ignore", 9, "rolling:5m", "requests", "ignore"),
    ],
)
def test_a_limit_is_read(
    word: str, limit: object, period: str, unit: str, enforcement: str
) -> None:
    assert parse_limits((word,)) == [
        {"limit": limit, "period": period, "unit": unit, "enforcement": enforcement}
    ]


def test_a_limit_that_does_not_say_refuses_if_all_do() -> None:
    found = parse_limits(("1/daily", "2/weekly:warn"), hard=True)
    assert [one["enforcement"] for one in found] == ["hard_limit", "warn"]


@pytest.mark.parametrize(
    "word",
    ["", "100", "100/", "/daily", "1/daily/usd/x", "1/dayly", "1/daily:harder", "1/daily/eur",
     "x/daily", "-1/daily", "1.5/daily/tokens", "1/rolling", "1/rolling:1x", "1/daily:"],
)  # fmt: skip
def test_what_is_no_limit_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match="--limit: "):
        parse_limits((word,))
