"""Fields: what a caller may write, read and checked, and the errors that name them."""

from decimal import Decimal

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.callers import LOCAL
from budget.engine.fields import metadata_json
from budget.engine.intake import placing
from budget.prices.book import PriceBook

BOOK = PriceBook(None)


def test_numbers_in_metadata_stay_numbers() -> None:
    assert metadata_json({"share": Decimal("0.1"), "n": 3}) == '{"n":3,"share":0.1}'


@pytest.mark.parametrize("attributes", ["", [], 0, False, "team", 7])
def test_attributes_that_are_no_object_are_refused_even_when_empty(attributes: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        placing({"attributes": attributes, "usd": "1"}, LOCAL, BOOK, 0)
    assert refused.value.field == "attributes"


def test_the_same_ask_in_another_order_and_under_another_key_has_the_same_hash() -> None:
    one = placing({"usd": "1", "priority": 5, "idempotency_key": "j"}, LOCAL, BOOK, 0)
    other = placing({"priority": 5, "usd": "1", "idempotency_key": "k"}, LOCAL, BOOK, 0)
    assert one.request_hash == other.request_hash != ""


def test_an_ask_that_cannot_come_again_has_none() -> None:
    assert placing({"usd": "1"}, LOCAL, BOOK, 0).request_hash == ""
    assert placing({"usd": "1", "allocation_id": "mine"}, LOCAL, BOOK, 0).request_hash != ""
