"""Limits of requirements are budgets here, and limits of budgets requirements there."""

from typing import Any

import pytest

from budget.domain.attributes import scope_to_json
from tests.neighbours.telos.conftest import HARD, Beside

pytestmark = pytest.mark.anyio

SOFT: Any = {"unit": "tokens", "period": "daily", "limit": 5000, "enforcement": "soft_limit"}


def hard(limit: str) -> Any:
    return {**HARD, "limit": limit}


async def test_a_constraint_with_limits_becomes_a_budget_of_its_project(beside: Beside) -> None:
    requirement = beside.limit(title="At most 100 a month")
    await beside.look()
    (budget,) = beside.budgets()
    assert budget.name == "At most 100 a month"
    assert scope_to_json(budget.scope) == {"project": beside.project}
    assert (beside.policy.limit, beside.policy.enforcement) == (100 * 10**9, "hard_limit")
    told = beside.metadata(requirement)
    assert (told["budget_id"], told["budget_state"]) == (budget.budget_id, "in force")
    assert told["owner"] == "ann"
    assert beside.telos.contact.facts == {"projects": "1", "limits": "1"}


async def test_a_round_in_which_nothing_changed_writes_nothing(beside: Beside) -> None:
    beside.limit()
    await beside.look()
    before = len(beside.fake.writes())
    await beside.look()
    await beside.look()
    assert len(beside.fake.writes()) == before
    assert len(beside.budgets()) == 1


async def test_tags_carry_limits_too_and_a_scope_may_be_the_requirement(beside: Beside) -> None:
    requirement = beside.limit(
        tags=["budget:usd:monthly:2.50:enforce", "budget:tokens:rolling:5h:1000"],
        metadata={"budget": {"scope": "requirement"}},
    )
    await beside.look()
    (budget,) = beside.budgets()
    assert scope_to_json(budget.scope) == {
        "project": beside.project, "tag.requirement": requirement,
    }  # fmt: skip
    assert {(p.unit, p.calendar.period.text, p.limit, p.enforcement)
            for p in budget.live_policies} == {
        ("usd", "monthly", 2_500_000_000, "hard_limit"),
        ("tokens", "rolling:5h", 1000, "hard_limit"),
    }  # fmt: skip


async def test_what_is_changed_on_one_side_is_changed_on_the_other(beside: Beside) -> None:
    requirement = beside.limit(hard("100"), SOFT)
    await beside.look()
    beside.change(requirement, hard("40"))  # another limit, and one less
    await beside.look()
    assert beside.policy.limit == 40 * 10**9
    beside.books.change_policy(beside.policy.policy_id, limit="30", enforcement="warn")
    (budget,) = beside.budgets()
    beside.books.create_policy(budget.budget_id, **SOFT)
    await beside.look()
    assert beside.metadata(requirement)["budget"]["limits"] == [
        SOFT, {**HARD, "limit": "30.00", "enforcement": "warn"},
    ]  # fmt: skip
    assert beside.metadata(requirement)["owner"] == "ann"
    assert not beside.books.alerts(kind="requirement_limits").items


async def test_limits_of_tags_move_to_the_metadata_when_they_are_changed_here(
    beside: Beside,
) -> None:
    requirement = beside.limit(tags=["budget:usd:daily:5", "legal"], metadata={})
    await beside.look()
    beside.books.change_policy(beside.policy.policy_id, limit="4")
    await beside.look()
    told = beside.fake.requirement(beside.project, requirement)
    assert told["tags"] == ["legal", "budget"]
    assert [one["limit"] for one in told["metadata"]["budget"]["limits"]] == ["4.00"]
    await beside.look()
    assert beside.policy.limit == 4 * 10**9


async def test_where_both_sides_changed_the_stricter_stands_and_an_alert_tells(
    beside: Beside,
) -> None:
    requirement = beside.limit(hard("100"))
    await beside.look()
    beside.change(requirement, hard("80"))
    beside.books.change_policy(beside.policy.policy_id, limit="90", enforcement="warn")
    await beside.look()
    assert (beside.policy.limit, beside.policy.enforcement) == (80 * 10**9, "hard_limit")
    assert "both changed" in beside.alerted()
    assert "80.00 USD monthly (hard_limit)" in beside.alerted()
    assert "both changed" in beside.metadata(requirement)["budget_note"]


async def test_a_hard_limit_that_is_made_less_strict_there_is_told_of(beside: Beside) -> None:
    requirement = beside.limit(hard("100"))
    await beside.look()
    beside.change(requirement, hard("200"))
    await beside.look()
    assert beside.policy.limit == 200 * 10**9
    assert "100.00 USD monthly (hard_limit) became 200.00 USD monthly" in beside.alerted()


async def test_another_title_and_scope_are_followed_and_told(beside: Beside) -> None:
    requirement = beside.limit(hard("100"))
    beside.books.record_usage(
        model="m", input_tokens=3000, attributes={"project": beside.project, "team": "a"}
    )
    await beside.look()
    metadata = {"budget": {"limits": [hard("100")], "scope": {"team": "a"}}}
    beside.fake.change(beside.project, requirement, title="Of team a", metadata=metadata)
    await beside.look()
    (budget,) = beside.budgets()
    assert budget.name == "Of team a"
    assert scope_to_json(budget.scope) == {"project": beside.project, "team": "a"}
    (balance,) = beside.books.balances(budget.live_policies[0].policy_id).items
    assert balance.spent == 3 * 10**9
    assert "moved the hard limits" in beside.alerted()


WRONG: Any = [
    ({"budget": {"limits": [{**HARD, "limit": "-1"}]}}, "budget.limits.0.limit"),
    ({"budget": {"limits": [{**HARD, "unit": "euro"}]}}, "budget.limits.0.unit"),
    ({"budget": {"limits": [{**HARD, "period": "fortnightly"}]}}, "budget.limits.0.period"),
    ({"budget": {"limits": [HARD, HARD]}}, "budget.limits.1"),
    ({"budget": {"limits": [{**HARD, "colour": 1}]}}, "budget.limits.0.colour"),
    ({"budget": {"limits": ["100 a month"]}}, "budget.limits.0"),
    ({"budget": {"limits": "all"}}, "budget.limits"),
    ({"budget": {**HARD, "scope": "galaxy"}}, "budget.scope"),
    ({"budget": {**HARD, "scope": {"project": "another"}}}, "budget.scope.project"),
    ({"budget": {**HARD, "scope": {"colour": "red"}}}, "budget.scope"),
    ({"budget": 7}, "budget"),
    ({}, "budget"),
]


async def test_limits_that_cannot_be_are_told_there_and_nothing_is_done(beside: Beside) -> None:
    good = beside.limit()
    bad = {beside.limit(metadata=metadata): field for metadata, field in WRONG}
    await beside.look()
    for requirement, field in bad.items():
        assert beside.metadata(requirement)["budget_error"].startswith(f"{field}: ")
    assert len(beside.budgets()) == 1
    assert beside.metadata(good)["budget_state"] == "in force"
    assert beside.telos.contact.facts["wrong"].startswith(f"{len(WRONG)}: A limit of Atlas")
    before = len(beside.fake.writes())
    await beside.look()
    assert len(beside.fake.writes()) == before
    mended = next(iter(bad))
    beside.change(mended, hard("7"))
    await beside.look()
    assert beside.metadata(mended)["budget_error"] is None
    assert len(beside.budgets()) == 2


async def test_a_mistake_leaves_the_limit_that_was_in_force(beside: Beside) -> None:
    requirement = beside.limit(hard("100"))
    await beside.look()
    beside.change(requirement, hard("lots"))
    await beside.look()
    assert beside.policy.limit == 100 * 10**9
    assert "budget.limits.0.limit" in beside.metadata(requirement)["budget_error"]


async def test_only_constraints_carry_limits(beside: Beside) -> None:
    functional = beside.limit(requirement_type="functional")
    await beside.look()
    assert beside.budgets() == []
    assert "requirement_type" in beside.metadata(functional)["budget_error"]


async def test_what_is_deleted_there_is_archived_here(beside: Beside) -> None:
    gone, stays = beside.limit(title="Gone"), beside.limit(title="Stays")
    await beside.look()
    del beside.fake.projects[beside.project]["requirements"][gone]
    await beside.look()
    assert [one.name for one in beside.budgets()] == ["Stays"]
    beside.fake.change(beside.project, stays, status="rejected")
    await beside.look()
    assert beside.budgets() == []
    assert beside.metadata(stays)["budget_state"] == "archived"
    beside.fake.change(beside.project, stays, status="accepted")
    await beside.look()
    assert [one.name for one in beside.budgets()] == ["Stays"]


async def test_what_is_archived_here_is_not_made_again_until_it_is_changed_there(
    beside: Beside,
) -> None:
    requirement = beside.limit(hard("100"))
    await beside.look()
    (budget,) = beside.budgets()
    beside.books.archive_budget(budget.budget_id)
    await beside.look()
    await beside.look()
    assert beside.budgets() == []
    assert beside.metadata(requirement)["budget_state"] == "archived"
    beside.change(requirement, hard("60"))
    await beside.look()
    assert beside.policy.limit == 60 * 10**9
    assert beside.metadata(requirement)["budget_state"] == "in force"


async def test_a_budget_of_ours_that_asks_for_it_becomes_a_requirement(beside: Beside) -> None:
    flagged = beside.books.create_budget(
        name="Ours", scope={"project": beside.project}, policies=[hard("50")],
        metadata={"telos": {"project": beside.project}},
    )  # fmt: skip
    await beside.look()
    await beside.look()
    ((requirement, told),) = beside.fake.projects[beside.project]["requirements"].items()
    assert (told["title"], told["requirement_type"]) == ("Ours", "constraint")
    assert told["tags"] == ["budget"]
    assert told["metadata"]["budget_id"] == flagged.budget_id
    assert len(beside.budgets()) == 1
    beside.books.change_policy(beside.policy.policy_id, limit="45")
    await beside.look()
    assert beside.metadata(requirement)["budget"]["limits"][0]["limit"] == "45.00"
    beside.change(requirement, hard("20"))
    await beside.look()
    assert beside.policy.limit == 20 * 10**9


async def test_a_hard_limit_of_ours_is_not_made_less_strict_from_there(beside: Beside) -> None:
    beside.books.create_budget(
        name="Ours", policies=[hard("50")], metadata={"telos": {"project": beside.project}}
    )
    await beside.look()
    (requirement,) = beside.fake.projects[beside.project]["requirements"]
    for limit in (hard("5000"), {**HARD, "limit": "50", "enforcement": "warn"}):
        beside.change(requirement, limit)
        await beside.look()
        assert (beside.policy.limit, beside.policy.enforcement) == (50 * 10**9, "hard_limit")
        (there,) = beside.metadata(requirement)["budget"]["limits"]
        assert (there["limit"], there["enforcement"]) == ("50.00", "hard_limit")
    assert "Budget made it" in beside.metadata(requirement)["budget_note"]
    del beside.fake.projects[beside.project]["requirements"][requirement]
    await beside.look()
    assert beside.policy.limit == 50 * 10**9
    assert beside.fake.projects[beside.project]["requirements"] == {}


async def test_a_requirement_cannot_take_hold_of_a_budget_by_naming_it(beside: Beside) -> None:
    mine = beside.books.create_budget(name="Mine", policies=[hard("10")])
    beside.limit(metadata={"budget_id": mine.budget_id, "budget": hard("99999")}, title="A thief")
    await beside.look()
    assert sorted(one.name for one in beside.budgets()) == ["A thief", "Mine"]
    assert beside.books.budget(mine.budget_id).live_policies[0].limit == 10 * 10**9


async def test_a_copy_of_a_requirement_of_ours_makes_no_budget(beside: Beside) -> None:
    beside.books.create_budget(
        name="Ours", policies=[hard("50")], metadata={"telos": {"project": beside.project}}
    )
    await beside.look()
    ((_, told),) = beside.fake.projects[beside.project]["requirements"].items()
    copy = beside.limit(metadata=told["metadata"])
    await beside.look()
    assert [one.name for one in beside.budgets()] == ["Ours"]
    assert beside.metadata(copy)["budget_error"].startswith("budget_id: ")


async def test_a_status_of_their_own_is_no_mistake(beside: Beside) -> None:
    beside.limit(status="failed")
    beside.limit(status="error")
    await beside.look()
    assert len(beside.budgets()) == 2


async def test_lost_notes_do_no_harm(beside: Beside) -> None:
    requirement = beside.limit(hard("100"))
    beside.books.create_budget(
        name="Ours", policies=[hard("50")], metadata={"telos": {"project": beside.project}}
    )
    await beside.look()
    noted = await beside.telos._notes.all()
    await beside.telos._notes.put_all(dict.fromkeys(noted))
    await beside.look()
    assert sorted(one.name for one in beside.budgets()) == ["A limit", "Ours"]
    assert len(beside.fake.projects[beside.project]["requirements"]) == 2
    assert beside.metadata(requirement)["budget_state"] == "in force"
