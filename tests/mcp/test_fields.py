"""What a tool is given is read by name and by kind, and nothing is rounded or guessed."""

from decimal import Decimal
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.mcp.fields import flag, obj, read_arguments, text, usd, whole

FIELDS = (
    text("context_id", "Which.", required=True),
    text("tier", "Tier.", "small", "large"),
    whole("amount", "How many."),
    usd("max_cost", "At most."),
    flag("fit", "Whether."),
    obj("attributes", "More."),
)


def read(**given: Any) -> dict[str, Any]:
    return read_arguments(FIELDS, {"context_id": "c", **given})


def test_both_spellings_will_do() -> None:
    assert read_arguments(FIELDS, {"contextId": "c", "maxCost": "1"}) == {
        "context_id": "c", "max_cost": "1",
    }  # fmt: skip


def test_null_is_as_if_left_out() -> None:
    assert read(amount=None) == {"context_id": "c"}
    with pytest.raises(InvalidInput, match=r"^context_id: is required"):
        read_arguments(FIELDS, {"context_id": None})


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read(amount=1200.0)["amount"] == read(amount=Decimal("1.2e3"))["amount"] == 1200
    assert type(read(amount=1200.0)["amount"]) is int


def test_money_is_the_decimal_that_was_written() -> None:
    assert read(max_cost=0.1)["max_cost"] == Decimal("0.1")
    assert read(max_cost="0.1")["max_cost"] == "0.1"
    assert read(attributes={"a": [0.1]})["attributes"] == {"a": [Decimal("0.1")]}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("context_id", 5, "must be a text"),
        ("tier", "huge", "'huge' is not known. Allowed: small, large"),
        ("amount", "12", "must be a whole number"),
        ("amount", 1.5, "must be a whole number"),
        ("amount", True, "must be a whole number"),
        ("amount", float("nan"), "must be a whole number"),
        ("amount", float("inf"), "must be a whole number"),
        ("amount", Decimal("1e999999999"), "must be a whole number"),
        ("amount", [], "must be a whole number"),
        ("max_cost", {}, "must be an amount in USD"),
        ("max_cost", False, "must be an amount in USD"),
        ("fit", "yes", "must be true or false"),
        ("attributes", "a=b", "must be an object"),
        ("colour", "red", "is not an argument of this tool. Allowed: amount, attributes"),
    ],
)
def test_what_is_of_another_kind_is_told_of_by_its_name(name: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: {said}"):
        read(**{name: value})


def test_the_same_argument_in_both_spellings_is_one_too_many() -> None:
    with pytest.raises(InvalidInput, match=r"^max_cost: is given twice"):
        read(max_cost="1", maxCost="2")
