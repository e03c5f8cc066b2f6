"""Budgets, policies and limits are the same values through a service as in-process."""

from decimal import Decimal
from typing import Any

import pytest

from budget.domain import wire
from budget.domain.asks_budgets import PolicyAsk
from budget.domain.errors import Conflict, InvalidInput, NotFound
from budget.domain.wire.limits import limit_set
from budget.domain.wire.usage import standing
from tests.client.ways import Ways
from tests.http.running import PRICED

DAILY: PolicyAsk = {"unit": "usd", "period": "daily", "limit": "100"}


def page(shape: Any) -> Any:
    return lambda told: [[shape(one) for one in told.items], told.next_cursor]


def test_a_budget_with_everything_is_made_and_read_alike(both: Ways) -> None:
    made = both.act(
        wire.changed_budget,
        "create_budget",
        name="Küche – «Ω»",
        description="d",
        owner="o",
        scope={"team": ["search", "ads*"], "model": "gpt-4o"},
        per=["user", "project"],
        unpriced=PRICED,
        degrade=["gpt-4o-mini", "refuse"],
        metadata={"a": [1, {"b": None}], "c": "é"},
        policies=[
            {"unit": "usd", "period": "monthly", "limit": "0.000000001", "reset_day": "last",
             "timezone": "Europe/Berlin", "reserved_for_priority": {"8": "12.5%", "10": "5%"}},
            {"unit": "tokens", "period": "rolling:1h", "limit": 10**18, "enforcement": "warn"},
            {"unit": "requests", "period": "per_session", "limit": 7,
             "enforcement": "soft_limit", "warning_threshold": "0.5", "on_expiry": "assume"},
            {"unit": "usd", "period": "weekly", "limit": Decimal("1E+3"),
             "rollover": "unused", "enforcement": "ignore"},
        ],
    )  # fmt: skip
    assert made.name == "Küche – «Ω»"
    assert [policy.limit for policy in made.policies] == [1, 10**18, 7, 1000 * 10**9]
    assert made.policies[2].partition_by == ("project", "session", "user")
    assert made.degrade == ("gpt-4o-mini", "refuse")
    both.read(wire.budget, "budget", made.budget_id)
    both.read(page(wire.budget), "budgets", name="Küche", archived=True, sort="-created_at")
    both.read(page(wire.policy), "policies", budget_id=made.budget_id, unit="usd", limit=1)
    both.read(page(wire.policy), "budget_policies", made.budget_id, enforcement="warn")
    found = both.read(wire.policy, "policy", made.policies[0].policy_id)
    assert found.reserved_for_priority == ((8, 1250), (10, 500))
    assert found.calendar == made.policies[0].calendar
    both.read(page(standing), "standings", period="weekly")
    both.read(page(standing), "budget_summary", made.budget_id)


def test_budgets_and_policies_are_changed_and_archived_alike(both: Ways) -> None:
    made = both.client.create_budget(name="A", policies=[DAILY])
    changed = both.act(wire.changed_budget, "change_budget", made.budget_id, name="B", owner="x")
    assert (changed.name, changed.owner) == ("B", "x")
    policy = both.act(
        wire.changed_policy, "create_policy", made.budget_id,
        unit="usd", period="daily", limit="5",
    )  # fmt: skip
    raised = both.act(wire.changed_policy, "change_policy", policy.policy_id, limit="6.5")
    assert raised.limit == 6_500_000_000
    assert both.client.archive_policy(policy.policy_id).archived_us is not None
    assert both.client.archive_budget(made.budget_id).archived_us is not None
    both.read(wire.budget, "budget", made.budget_id)
    assert made.budget_id not in {one.budget_id for one in both.client.budgets().items}


def test_top_ups_tell_the_unit_of_their_policy(both: Ways) -> None:
    made = both.client.create_budget(
        name="A",
        per=["team"],
        policies=[
            {"unit": "usd", "period": "daily", "limit": "5"},
            {"unit": "tokens", "period": "daily", "limit": 5},
        ],
    )
    usd, tokens = (policy.policy_id for policy in made.policies)

    def shape(told: Any) -> Any:
        found, unit = told
        return [unit, [wire.top_up(one, unit) for one in found.items]]

    both.read(shape, "top_ups", tokens)
    both.act(
        lambda told: wire.made_top_up(told, "usd"), "top_up", usd,
        amount="2.25", reason="more", until="2099-01-01T00:00:00Z", partition={"team": None},
    )  # fmt: skip
    found, unit = both.read(shape, "top_ups", usd)
    assert (unit, found.items[0].amount, found.items[0].partition) == (
        "usd", 2_250_000_000, '{"team":null}',
    )  # fmt: skip
    assert both.client.top_up(tokens, amount=3, reason="r").amount == 3


def test_a_limit_is_set_in_one_call_alike(both: Ways) -> None:
    told = both.client.set_limit(period="daily", limit="5", scope={"team": "search"})
    assert told.did == "created_budget"
    again = both.read(limit_set, "set_limit", period="daily", limit="5", scope={"team": "search"})
    assert (again.did, again.policy.limit) == ("nothing", 5_000_000_000)


@pytest.mark.parametrize(
    ("name", "ids", "asked", "error"),
    [
        ("budget", ("bud_nope",), {}, NotFound),
        ("budget", ("",), {}, NotFound),
        ("budget", ("..",), {}, NotFound),
        ("budget", ("a/b?c#d%00\ud800",), {}, NotFound),
        ("create_budget", (), {"name": ""}, InvalidInput),
        ("create_budget", (), {"name": "x", "policies": [{"unit": "usd"}]}, InvalidInput),
        ("create_budget", (), {"name": "x", "no_such_field": 1}, InvalidInput),
        ("create_budget", (), {"name": object()}, InvalidInput),
        ("create_budget", (), {"name": "\ud800"}, InvalidInput),
        ("set_limit", (), {"period": "daily", "limit": 0.1}, InvalidInput),
        ("set_limit", (), {"period": "daily", "limit": float("nan")}, InvalidInput),
        ("budgets", (), {"limit": 0}, InvalidInput),
        ("budgets", (), {"cursor": "nope"}, InvalidInput),
        ("policies", (), {"period": "sometimes"}, InvalidInput),
        ("top_ups", ("pol_nope",), {}, NotFound),
    ],
)  # fmt: skip
def test_what_is_wrong_is_the_same_error(
    both: Ways, name: str, ids: tuple[str, ...], asked: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as here:
        getattr(both.budget, name)(*ids, **asked)
    with pytest.raises(error) as there:
        getattr(both.client, name)(*ids, **asked)
    if isinstance(here.value, InvalidInput):
        assert isinstance(there.value, InvalidInput)
        assert there.value.field.split(".")[0] == here.value.field.split(".")[0]
    assert "Traceback" not in str(there.value)


def test_a_conflict_is_told_with_its_code(both: Ways) -> None:
    made = both.client.create_budget(name="A", policies=[DAILY])
    both.client.archive_budget(made.budget_id)
    with pytest.raises(Conflict) as here:
        both.budget.change_budget(made.budget_id, name="B")
    with pytest.raises(Conflict) as there:
        both.client.change_budget(made.budget_id, name="B")
    assert (there.value.code, there.value.detail) == (here.value.code, here.value.detail)


def test_the_balances_of_a_policy_are_told_alike(alone: Ways) -> None:
    made = alone.client.create_budget(name="Per user", per=["user"], policies=[DAILY])
    for user in ("ann", "bob"):
        alone.client.allocate(usd="1.25", attributes={"user": user})
    policy_id = made.policies[0].policy_id
    told = alone.read(page(wire.balance), "balances", policy_id)
    assert [one.reserved for one in told.items] == [1_250_000_000] * 2
    first = alone.read(page(wire.balance), "balances", policy_id, limit=1)
    rest = alone.read(page(wire.balance), "balances", policy_id, cursor=first.next_cursor)
    assert [*first.items, *rest.items] == told.items
