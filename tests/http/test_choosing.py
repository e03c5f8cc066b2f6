"""Choosing fields: names are checked against the shape, and only what they name is told."""

from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.shapes import PageShape
from budget.http.choosing import choice_of, chosen
from budget.http.route import Route
from budget.http.routes import ROUTES


def route(path: str) -> Route:
    """The route that answers GET under a path."""
    return next(r for r in ROUTES if (r.method, r.path) == ("GET", f"/api/v1{path}"))


ALLOCATION = route("/allocations/{allocation_id}")


def test_names_lead_into_objects_and_lists() -> None:
    choice = choice_of(ALLOCATION, "status, legs.window.start ,records.attributes.team")
    assert choice == {
        "status": {},
        "legs": {"window": {"start": {}}},
        "records": {"attributes": {"team": {}}},
    }


@pytest.mark.parametrize("names", ["legs,legs.spent", "legs.spent,legs", "legs.spent,legs,legs"])
def test_who_asks_for_all_of_it_gets_all_of_it(names: str) -> None:
    assert choice_of(ALLOCATION, names) == {"legs": {}}


def test_names_may_be_spelt_in_camel_case() -> None:
    assert choice_of(ALLOCATION, "allocationId,legs.budgetId") == {
        "allocation_id": {}, "legs": {"budget_id": {}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("colour", "allocation_id"),
        ("legs.colour", "legs.spent"),
        ("", "status"),
        ("legs.", "legs."),
    ],
)
def test_a_name_that_there_is_not_is_told_with_those_that_there_are(names: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        choice_of(ALLOCATION, names)
    assert caught.value.field == "fields"
    assert any(one.startswith(told) for one in caught.value.allowed)


def test_of_a_page_the_items_are_cut_and_the_cursor_stays() -> None:
    body: Any = {
        "items": [{"a": 1, "b": {"c": 2, "d": 3}}, {"a": 4, "b": None}],
        "next_cursor": "x",
    }
    assert chosen(body, {"b": {"c": {}}}) == {
        "items": [{"b": {"c": 2}}, {"b": None}], "next_cursor": "x",
    }  # fmt: skip


def test_every_get_that_answers_json_takes_fields_and_every_page_knows_its_items() -> None:
    for one in ROUTES:
        if one.method != "GET" or one.answer is None:
            continue
        assert "fields" in one.query
        if one.answer is PageShape:
            with pytest.raises(InvalidInput) as caught:
                choice_of(one, "nothing_of_the_kind")
            assert caught.value.allowed, one.path
