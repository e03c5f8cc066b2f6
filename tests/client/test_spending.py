"""Spending is the same through a service as in-process: holds, refusals, usage, sums."""

from typing import Any, Unpack

import pytest

from budget.domain import wire
from budget.domain.answers import Allocation, Check, Receipt, Refusal
from budget.domain.asks import AllocationAsk
from budget.domain.asks_budgets import PolicyAsk
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.wire.usage import usage_summary
from tests.client.ways import Ways
from tests.http.running import PRICED


def page(shape: Any) -> Any:
    return lambda told: [[shape(one) for one in told.items], told.next_cursor]


def a_limit(both: Ways, team: str, most: str = "1", **given: Unpack[PolicyAsk]) -> str:
    """A budget of one team; models cost 2,500 and 10,000 nanos a token."""
    made = both.client.create_budget(
        name=team,
        scope={"team": team},
        unpriced=PRICED,
        policies=[{"unit": "usd", "period": "daily", **given, "limit": most}],
    )
    return made.budget_id


def test_a_call_is_held_and_settled_alike(both: Ways) -> None:
    budget_id = a_limit(both, "search")
    attributes = {"team": "search", **both.key}
    held = both.act(
        wire.allocation, "allocate", attributes=attributes, model="m", input_tokens=1000,
        max_output_tokens=100, metadata={"z": 1, "a": [None, 0.5, "é"]}, context_id="s/1",
    )  # fmt: skip
    assert isinstance(held, Allocation)
    # 1,000 x 2,500 + 100 x 10,000
    assert held.reserved.usd == 3_500_000
    more = both.act(wire.allocation, "extend", held.allocation_id, usd="0.5")
    assert more.reserved.usd == 503_500_000
    part = both.act(wire.receipt, "record", held.allocation_id, input_tokens=10, output_tokens=1)
    assert (part.cost_nanos, part.status) == (35_000, "open")
    both.read(wire.allocation_in_full, "allocation_of_context", "s/1")
    told = both.act(
        wire.receipt, "record_in_context", context_id="s/1", model="m", input_tokens=4,
        output_tokens=0, request_id="r/1",
    )  # fmt: skip
    assert told.allocation_id == held.allocation_id
    booked = both.act(
        wire.receipt, "settle", held.allocation_id, input_tokens=4, output_tokens=0,
        units={"searches": 2},
    )  # fmt: skip
    assert (booked.cost_nanos, booked.status) == (10_000, "settled")
    found = both.read(wire.allocation_in_full, "allocation", held.allocation_id)
    assert [record.final for record in found.records] == [False, False, True]
    both.read(page(wire.allocation), "allocations", attributes={"team": "search"}, limit=1)
    both.read(page(wire.allocation), "budget_allocations", budget_id, session="s/1")
    record = both.read(wire.usage_record, "usage_record", booked.usage_id)
    assert record.usage.units == (("searches", 2),)
    told = both.act(
        wire.correction, "correct", booked.usage_id, reason="r", replacement={"input_tokens": 8}
    )
    assert told.cost_nanos == 20_000
    both.read(page(wire.usage_record), "usage_records", attributes={"team": "search"}, sort="-cost")
    both.read(usage_summary, "usage_summary", period="daily", group_by=["team"], bucket="hour")
    both.read(usage_summary, "usage_summary", period="daily", scope={"team": "search"})
    both.read(lambda views: [wire.balance(one) for one in views], "status", team="search")


def test_a_refusal_is_the_same_value(both: Ways) -> None:
    a_limit(both, "full", "0.5")
    a_limit(both, "full", "0.25", enforcement="hard_limit", period="minute")
    asked: AllocationAsk = {"attributes": {"team": "full", **both.key}, "usd": "0.75"}
    refused = both.client.allocate(**asked)
    assert isinstance(refused, Refusal)
    here = both.budget.allocate(**asked)
    assert isinstance(here, Refusal)

    def timeless(told: Any) -> Any:
        found: Any = wire.refusal(told)
        lines = [found, *found["refused_by"]]
        return [{k: v for k, v in one.items() if k not in TIMES} for one in lines]

    assert timeless(refused) == timeless(here)
    assert [line.shortfall for line in refused.lines] == [250_000_000, 500_000_000]
    assert [line.soon for line in refused.lines] == [False, True]
    checked = both.client.check(**asked)
    assert isinstance(checked, Refusal)
    assert isinstance(both.client.check(attributes=asked["attributes"], usd="0.1"), Check)
    envelope = both.client.allocate(
        attributes={"team": "other"}, envelope=True, usd="1", requests=1, tokens=5
    )
    assert isinstance(envelope, Allocation)
    empty = both.client.allocate(parent_id=envelope.allocation_id, usd="2")
    assert isinstance(empty, Refusal)
    assert (empty.code, empty.shortfall, empty.unit) == (
        "envelope_exhausted", 1_000_000_000, "usd",
    )  # fmt: skip


TIMES = ("at", "retry_after_seconds", "refused_by", "resets_at", "window")


def test_usage_is_reported_one_by_one_and_in_bulk(both: Ways) -> None:
    a_limit(both, "bulk")
    attributes = {"team": "bulk", **both.key}
    both.act(
        wire.receipt, "record_usage", attributes=attributes, model="m", input_tokens=1,
        output_tokens=1, occurred_at="2026-01-02T03:04:05.000006Z",
    )  # fmt: skip
    told = both.client.record_bulk(
        records=[
            {"attributes": attributes, "model": "m", "input_tokens": 2, "output_tokens": 0},
            {"attributes": attributes, "model": "m", "input_tokens": -2, "output_tokens": 0},
        ]
    )
    good, bad = told.results
    assert isinstance(good, Receipt)
    assert good.cost_nanos == 5_000
    assert isinstance(bad, InvalidInput)
    assert "input_tokens" in bad.field
    assert told.accepted == 1


def test_what_a_call_costs_is_told_line_by_line(both: Ways) -> None:
    with pytest.raises(NotFound):
        both.client.calculate(model="no-such-model", input_tokens=1, output_tokens=1)


@pytest.mark.parametrize(
    ("name", "ids", "asked", "field"),
    [
        ("allocate", (), {"usd": 0.1}, "usd"),
        ("allocate", (), {"usd": "-1"}, "usd"),
        ("allocate", (), {"input_tokens": "5"}, "input_tokens"),
        ("allocate", (), {"attributes": {"a": 1}}, "attributes"),
        ("allocate", (), {"metadata": {"a": object()}}, "metadata"),
        ("allocate", (), {"usd": "1", "priority": 99}, "priority"),
        ("usage_records", (), {"since": "yesterday"}, "since"),
        ("usage_records", (), {"attributes": {"team": 5.5}}, "attributes"),
        ("allocations", (), {"status": "gone"}, "status"),
        ("usage_summary", (), {"period": "sometimes"}, "period"),
    ],
)
def test_bad_input_names_its_field(
    both: Ways, name: str, ids: tuple[str, ...], asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as there:
        getattr(both.client, name)(*ids, **asked)
    assert there.value.field.startswith(field)
