"""Apollo's token model: its limits, and policies and allocations of a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from budget.domain.errors import InvalidInput
from budget.engine.importing.apollo import Takeover, default_limits, read_takeover
from tests.engine.opened import us

NOW = us("2026-05-15 12:00")


def read(folder: Path, told: Any, zone: str = "UTC") -> Takeover:
    """What a file that says so has."""
    file = folder / "apollo.json"
    file.write_text(told if isinstance(told, str) else json.dumps(told))
    return read_takeover(file, NOW, zone)


def test_its_own_limits_are_three_of_each_tier() -> None:
    told = default_limits()
    found = [(one["scope"]["tier"], one["period"], one["limit"]) for one in told.limits]
    assert found == [
        ("local_lightweight", "hourly", 1_000_000), ("local_lightweight", "daily", 10_000_000),
        ("local_lightweight", "per_session", 8_000),
        ("local_midweight", "hourly", 500_000), ("local_midweight", "daily", 5_000_000),
        ("local_midweight", "per_session", 16_000),
        ("remote_heavyweight", "hourly", 100_000), ("remote_heavyweight", "daily", 1_000_000),
        ("remote_heavyweight", "per_session", 32_000),
    ]  # fmt: skip
    assert {(one["unit"], one["enforcement"]) for one in told.limits} == {("tokens", "warn")}


def test_a_policy_is_a_limit_in_tokens_in_money_or_in_both(tmp_path: Path) -> None:
    both = {
        "type": "enforce", "period": "daily", "tier": "local_midweight", "component": "rhetor",
        "token_limit": 5000, "cost_limit": 2.5, "warning_threshold": 0.7, "enabled": True,
    }  # fmt: skip
    none = {"type": "warn", "period": "weekly", "token_limit": 0, "cost_limit": None}
    off = {**both, "enabled": False}
    told = read(tmp_path, {"policies": [both, none, off]})
    common = {
        "name": "Apollo: tier local_midweight, component rhetor",
        "scope": {"tier": "local_midweight", "component": "rhetor"},
        "period": "daily", "enforcement": "hard_limit", "warning_threshold": "0.7",
    }  # fmt: skip
    assert told.limits == [
        {**common, "unit": "tokens", "limit": 5000}, {**common, "unit": "usd", "limit": "2.50"},
    ]  # fmt: skip
    assert read(tmp_path, [both]).limits == told.limits
    assert read(tmp_path, {"policies": [{"token_limit": 1}]}).limits[0]["name"] == "Apollo"


def test_an_allocation_is_a_hold_of_what_is_left_of_it(tmp_path: Path) -> None:
    row = {
        "allocation_id": "7c1e", "context_id": "ctx-1", "component": "rhetor", "priority": 8,
        "task_type": "chat", "model": "claude-3-haiku", "tokens_allocated": 4000,
        "tokens_used": 1500, "expiration_time": "2026-05-15T14:30:00", "is_active": True,
    }  # fmt: skip
    others: list[dict[str, Any]] = [
        {**row, "is_active": False}, {**row, "tokens_used": 4000},
        {**row, "expiration_time": "2026-05-15T11:59:59"},
    ]  # fmt: skip
    (hold,) = read(tmp_path, {"allocations": [row, *others]}).holds
    assert (hold["context_id"], hold["tokens"], hold["priority"]) == ("ctx-1", 2500, 8)
    assert (hold["component"], hold["model"], hold["ttl_seconds"]) == (
        "rhetor", "claude-3-haiku", 86_400,
    )  # fmt: skip
    # In Berlin it is already 14:00, in Bucharest 15:00: there it is over.
    assert len(read(tmp_path, {"allocations": [row]}, "Europe/Berlin").holds) == 1
    assert read(tmp_path, {"allocations": [row]}, "Europe/Bucharest").holds == []
    # Apollo's own are by context, begin at priority 0, and say `allocated_tokens`.
    (own,) = read(
        tmp_path, {"allocations": [{"context_id": "c", "allocated_tokens": 5, "priority": 0}]}
    ).holds
    assert (own["tokens"], "priority" in own) == (5, False)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"policies": [{"type": "odd", "token_limit": 1}]}, "type"),
        ({"policies": [{"period": "often", "token_limit": 1}]}, "period"),
        ({"policies": [{"token_limit": -1}]}, "token_limit"),
        ({"policies": [{"token_limit": 1.5}]}, "token_limit"),
        ({"policies": [{"cost_limit": "NaN"}]}, "cost_limit"),
        ({"policies": ["odd"]}, "is not an object"),
        ({"allocations": [{"tokens_allocated": 1}]}, "context_id"),
        ({"allocations": [{"context_id": "c", "tokens_allocated": "many"}]}, "tokens_allocated"),
        ({"allocations": [{"context_id": "c", "tokens_allocated": 1, "expiration_time": "soon"}]},
         "expiration_time"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_place(
    tmp_path: Path, row: dict[str, Any], why: str
) -> None:
    (kind,) = row
    told = read(tmp_path, row)
    assert (told.limits, told.holds) == ([], [])
    assert told.bad[0].place == f"{kind} 1"
    assert why in told.bad[0].why


@pytest.mark.parametrize("told", ["not JSON", "7", '{"policies": 7}', "[" * 100_000])
def test_what_is_no_such_file_is_refused(tmp_path: Path, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, told)
    assert caught.value.field == "FILE"
    with pytest.raises(InvalidInput):
        read_takeover(tmp_path / "nowhere", NOW, "UTC")
