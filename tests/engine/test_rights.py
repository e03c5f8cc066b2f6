"""What a caller may do: bound to a team it spends as that team and meets nothing of others.

What is missing and what is another team's get the same answer, whatever is asked of them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from budget.domain.answers import Allocation, Receipt, Refusal
from budget.domain.asks_budgets import PolicyAsk
from budget.domain.attributes import scope_to_json
from budget.domain.errors import BudgetError, Conflict, Forbidden, NotFound
from budget.domain.wire import refusal as refusal_shape
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import allocated

ADMIN = Caller("key_admin000", admin=True)
MANAGER_A = Caller("key_manage0a", bound={"team": "a"})
MANAGER_B = Caller("key_manage0b", bound={"team": "b"})
SPENDER = Caller("key_spend000", manage=False, max_priority=5)
SPENDER_A = SPENDER._replace(actor="key_spend00a", bound={"team": "a"})
SPENDER_B = SPENDER._replace(actor="key_spend00b", bound={"team": "b"})


def limit(unit: str, amount: int | str, period: str = "monthly") -> PolicyAsk:
    return {"unit": unit, "period": period, "limit": amount}


def told(act: Callable[[], object]) -> tuple[type[BudgetError], str, str]:
    """What an act that fails says."""
    with pytest.raises(BudgetError) as caught:
        act()
    return type(caught.value), caught.value.code, caught.value.detail


# --- The attributes of calls ---------------------------------------------------------------------


def test_a_bound_caller_has_its_attributes_stated_or_not(light: Books) -> None:
    of_a = light.acting_as(SPENDER_A)
    one = allocated(of_a, tokens=1)
    assert one.attributes == {"key": "key_spend00a", "team": "a"}
    two = allocated(of_a, tokens=1, attributes={"team": "a", "user": "ann"})
    assert two.attributes == {"key": "key_spend00a", "team": "a", "user": "ann"}
    booked = of_a.record_usage(input_tokens=1)
    assert light.usage_record(booked.usage_id).attributes == one.attributes
    bulk = of_a.record_bulk(records=[{"input_tokens": 1, "usage_id": "u1"}])
    assert bulk.accepted == 1
    assert light.usage_record("u1").attributes == one.attributes
    acts: list[Callable[..., object]] = [of_a.allocate, of_a.check, of_a.record_usage]
    for act in acts:
        with pytest.raises(Forbidden, match="bound to 'a'"):
            act(
                attributes={"team": "b"},
                **({} if act != of_a.record_usage else {"input_tokens": 1}),
            )
    (failed,) = of_a.record_bulk(
        records=[{"input_tokens": 1, "usage_id": "u2", "attributes": {"team": "b"}}]
    ).results
    assert isinstance(failed, Forbidden)


def test_top_level_names_are_attributes_too(light: Books) -> None:
    of_ann = light.acting_as(SPENDER._replace(bound={"user": "ann", "component": "chat"}))
    with pytest.raises(Forbidden, match="bound to 'ann'"):
        of_ann.allocate(tokens=1, user_id="bob")
    with pytest.raises(Forbidden, match="bound to 'chat'"):
        of_ann.allocate(tokens=1, component="search")
    held = allocated(of_ann, tokens=1, user_id="ann")
    assert (held.attributes["user"], held.attributes["component"]) == ("ann", "chat")


def test_only_who_manages_may_name_another_key(light: Books) -> None:
    spender, manager = light.acting_as(SPENDER), light.acting_as(ADMIN)
    assert allocated(spender, tokens=1).attributes == {"key": SPENDER.actor}
    named = {"key": SPENDER.actor}
    assert allocated(spender, tokens=1, attributes=named).attributes == named
    other = {"key": "key_other000"}
    assert allocated(manager, tokens=1, attributes=other).attributes == other
    acts: list[Callable[..., object]] = [
        lambda: spender.allocate(tokens=1, attributes=other),
        lambda: spender.check(tokens=1, attributes=other),
        lambda: spender.record_usage(input_tokens=1, attributes=other),
    ]
    for act in acts:
        with pytest.raises(Forbidden, match=r"attributes\.key"):
            act()


def test_a_key_uses_no_priority_above_its_own(light: Books) -> None:
    low = light.acting_as(SPENDER._replace(max_priority=3))
    assert allocated(low, tokens=1).priority == 3
    assert allocated(low, tokens=1, priority=1).priority == 1
    assert told(lambda: low.allocate(tokens=1, priority=4)) == (
        Forbidden, "priority_not_allowed", "This key may not use a priority above 3.",
    )  # fmt: skip
    assert allocated(light.acting_as(SPENDER), tokens=1).priority == 5
    assert allocated(light, tokens=1, priority=10).priority == 10


def test_a_call_within_an_envelope_has_the_key_of_the_envelope(light: Books) -> None:
    spender, other = light.acting_as(SPENDER), light.acting_as(SPENDER_A)
    envelope = allocated(spender, tokens=10, envelope=True, attributes={"team": "a"})
    child = allocated(other, tokens=1, parent_id=envelope.allocation_id)
    assert child.attributes == {"key": SPENDER.actor, "team": "a"}
    own = {"key": SPENDER_A.actor}
    child = allocated(other, tokens=1, parent_id=envelope.allocation_id, attributes=own)
    assert child.attributes == {"key": SPENDER_A.actor, "team": "a"}


def test_a_caller_that_is_not_bound_goes_on_with_what_another_placed(light: Books) -> None:
    one, two = light.acting_as(SPENDER), light.acting_as(SPENDER._replace(actor="key_spend001"))
    held = allocated(one, tokens=5)
    two.record(held.allocation_id, input_tokens=1)
    assert isinstance(two.extend(held.allocation_id, tokens=1), Allocation)
    assert two.release(held.allocation_id).status == "released"


# --- What belongs to others ----------------------------------------------------------------------


def test_an_allocation_of_others_is_as_if_it_did_not_exist(books: Books) -> None:
    of_b = books.acting_as(SPENDER_B)
    held = allocated(books.acting_as(SPENDER_A), tokens=10, envelope=True)
    teamless = allocated(books, tokens=10, envelope=True)
    entries = len(books.events().items)
    for foreign in (held.allocation_id, teamless.allocation_id):
        acts: list[Callable[[str], object]] = [
            lambda id: of_b.settle(id, input_tokens=1),
            lambda id: of_b.settle(id, input_tokens=1, usage_id="mine", idempotency_key="k"),
            lambda id: of_b.record(id, input_tokens=1),
            lambda id: of_b.extend(id, tokens=1),
            of_b.release,
            lambda id: of_b.allocate(tokens=1, parent_id=id),
            lambda id: of_b.check(tokens=1, parent_id=id),
        ]
        for act in acts:
            seen, missing = (told(partial(act, id)) for id in (foreign, "missing"))
            assert seen[0] is NotFound
            assert (seen[1], seen[2].replace(foreign, "missing")) == missing[1:]
    (failed,) = of_b.record_bulk(
        records=[{"allocation_id": held.allocation_id, "input_tokens": 1, "usage_id": "x"}]
    ).results
    assert isinstance(failed, NotFound)
    assert len(books.events().items) == entries
    assert books.allocation(held.allocation_id).status == "open"


def test_an_id_that_others_chose_is_taken_and_nothing_of_it_is_shown(books: Books) -> None:
    of_a, of_b = books.acting_as(SPENDER_A), books.acting_as(SPENDER_B)
    allocated(of_a, tokens=10, allocation_id="chosen", attributes={"user": "ann"})
    of_a.record_usage(input_tokens=1, usage_id="told")
    assert told(lambda: of_b.allocate(tokens=10, allocation_id="chosen")) == (
        Conflict, "id_taken", "This allocation_id is taken; choose another.",
    )  # fmt: skip
    assert told(lambda: of_b.record_usage(input_tokens=1, usage_id="told")) == (
        Conflict, "id_taken", "This usage_id is taken; choose another.",
    )  # fmt: skip


def test_usage_of_others_is_not_corrected(books: Books) -> None:
    booked = books.acting_as(SPENDER_A).record_usage(input_tokens=5)
    of_b, of_a = books.acting_as(MANAGER_B), books.acting_as(MANAGER_A)
    with_replacement: dict[str, Any] = {"replacement": {"input_tokens": 1}}
    for more in ({}, with_replacement):
        seen, missing = (
            told(partial(of_b.correct, id, reason="why", **more))
            for id in (booked.usage_id, "missing")
        )
        assert seen[0] is NotFound
        assert seen[2].replace(booked.usage_id, "missing") == missing[2]
    assert of_a.correct(booked.usage_id, reason="why").reversal_id


# --- Budgets, policies, top-ups ------------------------------------------------------------------


def test_a_bound_manager_makes_budgets_of_its_attributes(books: Books) -> None:
    of_a = books.acting_as(MANAGER_A)
    made = of_a.create_budget(name="ours", policies=[limit("usd", "5")])
    assert scope_to_json(made.scope) == {"team": "a"}
    more = of_a.create_budget(name="x", scope={"project": "x"}, policies=[limit("usd", "5")])
    assert scope_to_json(more.scope) == {"project": "x", "team": "a"}
    for scope in ({"team": "b"}, {"team": ["a", "b"]}, {"team": "*"}):
        with pytest.raises(Forbidden, match=r"scope\.team"):
            of_a.create_budget(name="x", scope=scope, policies=[limit("usd", "5")])
        with pytest.raises(Forbidden, match=r"scope\.team"):
            of_a.change_budget(made.budget_id, scope=scope)
    changed = of_a.change_budget(made.budget_id, scope={"user": "ann"})
    assert scope_to_json(changed.scope) == {"team": "a", "user": "ann"}


def acts_on(books: Books, budget_id: str, policy_id: str) -> list[Callable[[], object]]:
    """Every change of a budget and a policy of it; archiving comes last."""
    return [
        lambda: books.change_budget(budget_id, name="new"),
        lambda: books.create_policy(budget_id, unit="tokens", period="daily", limit=5),
        lambda: books.change_policy(policy_id, limit=7),
        lambda: books.top_up(policy_id, amount=5, reason="why"),
        lambda: books.archive_policy(policy_id),
        lambda: books.archive_budget(budget_id),
    ]


def test_a_bound_manager_changes_its_own_and_neither_sees_nor_changes_those_of_others(
    books: Books,
) -> None:
    own = books.create_budget(name="a", scope={"team": "a"}, policies=[limit("tokens", 9)])
    shared = books.create_budget(name="all", per=["team"], policies=[limit("tokens", 9)])
    foreign = books.create_budget(name="b", scope={"team": "b"}, policies=[limit("tokens", 9)])
    of_all = books.create_budget(name="org", policies=[limit("tokens", 9)])
    of_a = books.acting_as(MANAGER_A)
    missing = [told(act) for act in acts_on(of_a, "missing", "missing")]
    before = len(books.events(limit=1000).items)
    for hidden in (foreign, of_all):
        policy_id = hidden.policies[0].policy_id
        for act, (kind, code, detail) in zip(
            acts_on(of_a, hidden.budget_id, policy_id), missing, strict=True
        ):
            seen = told(act)
            assert seen[:2] == (kind, code) == (NotFound, "not_found")
            plain = seen[2].replace(hidden.budget_id, "missing").replace(policy_id, "missing")
            assert plain == detail
    for act in acts_on(of_a, shared.budget_id, shared.policies[0].policy_id):
        with pytest.raises(Forbidden, match="shared with others"):
            act()
    assert len(books.events(limit=1000).items) == before
    for act in acts_on(of_a, own.budget_id, own.policies[0].policy_id):
        act()


# --- What answers show ---------------------------------------------------------------------------


def names(views: tuple[Any, ...]) -> list[str]:
    return sorted(view.budget for view in views)


def test_answers_leave_out_the_balances_of_budgets_that_are_not_seen(books: Books) -> None:
    books.create_budget(name="a", scope={"team": "a"}, policies=[limit("tokens", 100)])
    books.create_budget(name="all", per=["team"], policies=[limit("tokens", 100)])
    books.create_budget(name="org", policies=[limit("tokens", 100)])
    of_a, seen = books.acting_as(SPENDER_A), ["a", "all"]
    held = allocated(of_a, tokens=10)
    assert names(held.legs) == seen
    checked = of_a.check(tokens=10)
    assert not isinstance(checked, Refusal)
    assert names(checked.legs) == seen
    extended = of_a.extend(held.allocation_id, tokens=1)
    assert isinstance(extended, Allocation)
    assert names(extended.legs) == seen
    used = of_a.record(held.allocation_id, input_tokens=1)
    assert names(used.balances) == seen
    assert names(of_a.settle(held.allocation_id, input_tokens=1).balances) == seen
    booked = of_a.record_usage(input_tokens=1)
    assert names(booked.balances) == seen
    (bulk,) = of_a.record_bulk(records=[{"input_tokens": 1, "usage_id": "u"}]).results
    assert isinstance(bulk, Receipt)
    assert names(bulk.balances) == seen
    assert names(of_a.release(allocated(of_a, tokens=1).allocation_id).legs) == seen
    with pytest.raises(Forbidden, match="not of this key's attributes alone"):
        books.acting_as(MANAGER_A).correct(booked.usage_id, reason="why")
    whole = books.settle(allocated(of_a, tokens=1).allocation_id, input_tokens=1)
    assert names(whole.balances) == ["a", "all", "org"]


HIDDEN = {
    "budget", "budget_id", "policy", "policy_id", "partition", "period", "limit", "spent",
    "reserved", "assumed", "overrun", "remaining", "requested", "shortfall", "enforcement",
    "warning_threshold", "action_threshold", "window",
}  # fmt: skip


def test_a_refusal_by_a_limit_that_is_not_seen_tells_its_unit_and_when_it_resets(
    books: Books,
) -> None:
    secret = books.create_budget(name="Secret", policies=[limit("tokens", 50)])
    books.create_budget(name="ours", scope={"team": "a"}, policies=[limit("tokens", 70, "daily")])
    of_a = books.acting_as(SPENDER_A)
    allocated(of_a, tokens=40)
    refused = of_a.allocate(tokens=20)
    assert isinstance(refused, Refusal)
    shape = refusal_shape(refused)
    (line,) = shape["refused_by"]
    assert {name for name, value in line.items() if value is None} == HIDDEN
    assert (line["unit"], line["resets_at"]) == ("tokens", "2026-06-01T00:00:00Z")
    assert line["retry_after_seconds"] == 16 * 86_400 + 12 * 3600  # from noon of 15 May
    assert (shape["code"], shape["unit"]) == ("over_limit", "tokens")
    for text in ("Secret", secret.budget_id, secret.policies[0].policy_id):
        assert text not in repr(refused)
    # Our own limit refuses too; the other one resets later and stands first.
    both = of_a.check(tokens=50)
    assert isinstance(both, Refusal)
    shape = refusal_shape(both)
    assert [line["budget"] for line in shape["refused_by"]] == [None, "ours"]
    assert shape["limit"] is None
    assert "Secret" not in repr(shape)
    # Who is not bound sees all of it.
    whole = books.check(tokens=50, attributes={"team": "a"})
    assert isinstance(whole, Refusal)
    assert [line.balance.budget for line in whole.lines] == ["Secret", "ours"]


def test_a_refusal_by_the_caller_s_own_limit_is_told_in_full(books: Books) -> None:
    books.create_budget(name="org", policies=[limit("tokens", 70, "daily")])
    books.create_budget(name="ours", scope={"team": "a"}, policies=[limit("tokens", 50)])
    refused = books.acting_as(SPENDER_A).allocate(tokens=60)
    assert isinstance(refused, Refusal)
    assert (refused.hidden, len(refused.lines)) == ((), 1)
    assert refused.detail.startswith("Budget 'ours' has 50 tokens of its monthly 50 tokens left")


def test_an_unpriced_model_is_refused_without_the_name_of_a_budget(books: Books) -> None:
    books.create_budget(name="Secret", policies=[limit("usd", "5")])
    refused = books.acting_as(SPENDER_A).allocate(model="no-such-model", tokens=5)
    assert isinstance(refused, Refusal)
    assert refused.code == "model_unpriced"
    assert "Secret" not in repr(refused)


def test_an_envelope_that_is_empty_is_told_to_whom_it_belongs(books: Books) -> None:
    of_a = books.acting_as(SPENDER_A)
    envelope = allocated(of_a, tokens=5, envelope=True)
    refused = of_a.allocate(tokens=6, parent_id=envelope.allocation_id)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.shortfall) == ("envelope_exhausted", 1)


# --- What concerns all ---------------------------------------------------------------------------


def test_what_concerns_all_is_not_for_who_is_bound(light: Books) -> None:
    of_a = light.acting_as(MANAGER_A._replace(admin=True))
    acts: list[Callable[[], object]] = [
        lambda: of_a.set_price(provider="x", model="y", input="1", output="1", reason="why"),
        lambda: of_a.end_price("over_1", reason="why"),
        of_a.update_prices,
        lambda: of_a.accept_price("upd_1", reason="why"),
        lambda: of_a.reject_price("upd_1", reason="why"),
        lambda: of_a.rerate(since="2026-01-01T00:00:00Z"),
        lambda: of_a.rerate(since="2026-01-01T00:00:00Z", apply=True, reason="why"),
        of_a.verify,
        of_a.seal,
        of_a.audit,
    ]
    for act in acts:
        with pytest.raises(Forbidden, match="bound to team=a"):
            act()
