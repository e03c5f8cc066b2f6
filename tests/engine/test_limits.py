"""Limits: one act finds or makes the budget and its policy, exactly once, for its own callers."""

import threading
from typing import Any

import pytest

from budget.domain.answers_limits import LimitSet
from budget.domain.attributes import scope_to_json
from budget.domain.errors import Forbidden, NotFound
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import Clock, open_books, told


def set_limit(books: Books, **ask: Any) -> LimitSet:
    """A limit of 5 USD a day unless it is said otherwise."""
    return books.set_limit(**{"period": "daily", "limit": "5", **ask})


def test_the_key_is_taken_also_where_nothing_had_to_be_done(books: Books) -> None:
    set_limit(books)
    assert set_limit(books, idempotency_key="k").did == "nothing"
    set_limit(books, limit="6")
    again = set_limit(books, idempotency_key="k")
    assert (again.replayed, again.policy.limit) == (True, 6_000_000_000)
    assert len(told(books, "policy_changed")) == 1


def test_of_many_who_set_the_same_limit_at_once_one_makes_the_budget(
    books: Books, books_url: str, clock: Clock
) -> None:
    did: list[str] = []
    with open_books(books_url, clock) as other:
        threads = [
            threading.Thread(target=lambda there=there: did.append(set_limit(there).did))
            for there in (books, other) * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(did) == ["created_budget", *["nothing"] * 7]
    assert len(books.budgets().items) == 1


def test_another_zone_gives_the_policy_a_successor(light: Books) -> None:
    made = set_limit(light)
    changed = set_limit(light, timezone="Europe/Berlin")
    assert changed.did == "changed_policy"
    assert changed.policy.succeeds == made.policy.policy_id


def test_an_archived_budget_is_not_found_again(light: Books) -> None:
    made = set_limit(light)
    light.archive_budget(made.budget.budget_id)
    anew = set_limit(light)
    assert anew.did == "created_budget"
    assert anew.budget.budget_id != made.budget.budget_id


def test_the_name_says_whose_calls_count(light: Books) -> None:
    scope = {"team": ["b", "a"], "component": "x", "provider": "openai"}
    made = set_limit(light, scope=scope)
    assert made.budget.name == "Default Budget (provider openai, component x, team a or b)"
    assert set_limit(light, scope={**scope, "team": ["a", "b"]}).did == "nothing"


def test_a_bound_caller_sets_limits_on_its_own_calls(light: Books) -> None:
    lead = light.acting_as(Caller("key_lead", bound={"team": "a"}))
    made = set_limit(lead)
    assert scope_to_json(made.budget.scope) == {"team": "a"}
    assert made.budget.name == "Default Budget (team a)"
    assert set_limit(lead, limit="6").did == "changed_policy"
    of_all = set_limit(light)
    assert (of_all.did, of_all.budget.name) == ("created_budget", "Default Budget")
    with pytest.raises(NotFound):
        set_limit(lead, budget_id=of_all.budget.budget_id)
    shared = light.create_budget(
        name="Shared", per=["team"], policies=[{"unit": "usd", "period": "daily", "limit": "9"}]
    )
    with pytest.raises(Forbidden):
        set_limit(lead, budget_id=shared.budget_id)


def test_who_does_not_manage_sets_none(light: Books) -> None:
    with pytest.raises(Forbidden):
        set_limit(light.acting_as(Caller("key_1", manage=False)))
    assert light.budgets().items == []
