"""Lists are found by attributes through a service as in-process: by one value, or by several."""

from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.domain.windows import to_rfc3339
from tests.client.ways import Ways

TEAMS = ("search", "ads", "a,b & c=d", "ädvice")
USAGE: dict[str, Any] = {"provider": "acme", "model": "m-1", "input_tokens": 1, "cost": "0.01"}


@pytest.fixture(scope="module")
def spent(both: Ways) -> Ways:
    """Books in which each team holds once and has spent once."""
    for team in TEAMS:
        attributes = {"team": team, "tag.env": "prod"}
        both.client.allocate(requests=1, attributes=attributes)
        both.client.record_usage(**USAGE, attributes=attributes)
    return both


def ids(name: str) -> Any:
    return lambda told: [getattr(one, name) for one in told.items]


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"team": "search"}, 1),
        ({"team": ["search"]}, 1),
        ({"team": ["search", "ads"]}, 2),
        ({"team": ("a,b & c=d", "ä*", "nobody")}, 2),
        ({"team": ["search", "ads"], "tag.env": "prod"}, 2),
        ({"team": ["search", "ads"], "tag.env": ["test", "dev"]}, 0),
        ({"model": ["m-1", "m-2"], "team": ["ads"]}, 1),
        ({}, 4),
        (None, 4),
    ],
)
def test_several_values_of_an_attribute_find_what_has_any_of_them(
    spent: Ways, attributes: Any, found: int
) -> None:
    records = spent.read(ids("usage_id"), "usage_records", attributes=attributes)
    assert len(records.items) == found
    spent.read(ids("allocation_id"), "allocations", attributes=attributes)


def test_several_values_go_on_over_pages(spent: Ways) -> None:
    asked: dict[str, Any] = {"attributes": {"team": ["search", "ads"]}, "limit": 1}
    first = spent.read(ids("usage_id"), "usage_records", **asked)
    second = spent.read(ids("usage_id"), "usage_records", **asked, cursor=first.next_cursor)
    assert len({one.usage_id for one in (*first.items, *second.items)}) == 2


def test_events_are_found_by_their_time(spent: Ways) -> None:
    placed = [one for one in spent.budget.events().items if one.kind == "placed"]
    from_second = {"kind": "placed", "since": to_rfc3339(placed[1].at_us)}
    told = spent.read(ids("cursor"), "events", **from_second)
    assert [one.cursor for one in told.items] == [one.cursor for one in placed[1:]]
    before = spent.read(ids("cursor"), "events", until=to_rfc3339(placed[0].at_us), kind="placed")
    assert before.items == []


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("events", {"since": "yesterday"}),
        ("events", {"until": "2026-01-01"}),
        ("usage_records", {"attributes": {"team": []}}),
        ("usage_records", {"attributes": {"team": 5}}),
        ("usage_records", {"attributes": {"team": ["search", None]}}),
        ("usage_records", {"attributes": {"limit": "1"}}),
        ("usage_records", {"attributes": ["team"]}),
        ("allocations", {"attributes": {"team": "a*b"}}),
        ("allocations", {"attributes": {"cursor": "x"}}),
        ("events", {"attributes": {"team": ["search", "ads"]}}),
        ("events", {"attributes": {"topic": "alerts"}}),
        ("status", {"team": ["search", "ads"]}),
        ("status", {"fields": "x"}),
    ],
)
def test_what_is_no_filter_is_refused_alike(spent: Ways, name: str, asked: dict[str, Any]) -> None:
    told = []
    for books in (spent.budget, spent.client):
        with pytest.raises(InvalidInput) as caught:
            getattr(books, name)(**asked)
        told.append((caught.value.field, str(caught.value)))
    assert told[0] == told[1]


def test_an_attribute_of_one_call_has_one_value_in_an_address(spent: Ways) -> None:
    for path, field in (
        ("/status?team=a&team=b", "team"),
        ("/usage?team=a&limit=1&limit=2", "limit"),
    ):
        answer = spent.service.send("GET", path, "")
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    answer = spent.service.send("GET", "/usage?team=search&team=ads", "")
    assert len(answer.json()["items"]) == 2
