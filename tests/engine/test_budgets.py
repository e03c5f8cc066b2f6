"""Budgets: created, read, changed and archived, on both engines."""

from decimal import Decimal
from typing import Any

import pytest

from budget.domain.answers import Refusal
from budget.domain.asks_budgets import BudgetAsk, PolicyAsk
from budget.domain.attributes import parse_scope
from budget.domain.errors import Conflict, Forbidden, InvalidInput, KeyReused, NotFound
from budget.domain.pricing import flat_rates
from budget.engine import budgets as acts
from budget.engine.budget import Budget as Books
from budget.engine.callers import LOCAL, Caller
from tests.engine.opened import (
    MILLI,
    MINUTE,
    USD,
    Clock,
    allocated,
    figures,
    open_books,
    refused,
    told,
)

TEN_A_MONTH: PolicyAsk = {"unit": "usd", "period": "monthly", "limit": "10"}


def a_budget(**more: Any) -> BudgetAsk:
    return {"name": "Team", "policies": [TEN_A_MONTH], **more}  # type: ignore[typeddict-item]


# --- creating ------------------------------------------------------------------------------------


def test_a_budget_is_read_as_it_was_created(books: Books, clock: Clock) -> None:
    made = books.create_budget(
        name="Team",
        description="All of it,\nand more",
        owner="ann",
        scope={"org": "acme", "model": ["gpt-*", "o3"]},
        per=["user", "tag.env"],
        unpriced={"input": "1", "output": "2.5"},
        policies=[
            TEN_A_MONTH,
            {"unit": "tokens", "period": "rolling:1h", "limit": 1000, "enforcement": "log"},
            {"unit": "requests", "period": "per_session", "limit": 5, "timezone": "Asia/Tokyo"},
        ],
        metadata={"cost_center": 7, "tags": ["a", None]},
    )
    assert books.budget(made.budget_id) == made
    assert books.budgets().items == [made]
    assert [books.policy(policy.policy_id) for policy in made.policies] == list(made.policies)
    assert (made.name, made.description, made.owner) == ("Team", "All of it,\nand more", "ann")
    assert made.scope == parse_scope({"org": "acme", "model": ["gpt-*", "o3"]})
    assert made.per == ("tag.env", "user")
    assert made.unpriced == flat_rates(USD, 25 * USD // 10)
    assert made.metadata == {"cost_center": 7, "tags": ["a", None]}
    assert (made.created_us, made.updated_us, made.archived_us) == (clock(), clock(), None)
    assert [policy.unit for policy in made.policies] == ["usd", "tokens", "requests"]
    assert [policy.partition_by for policy in made.policies] == [
        ("tag.env", "user"),
        ("tag.env", "user"),
        ("session", "tag.env", "user"),
    ]
    assert all(policy.created_us == clock() for policy in made.policies)
    assert made.policies[0].limits == ((clock(), 10 * USD),)


def test_a_budget_needs_no_more_than_a_name_and_a_policy(books: Books) -> None:
    made = books.create_budget(**a_budget())
    assert (made.description, made.owner, made.scope, made.per) == ("", "", (), ())
    assert (made.unpriced, made.unpriced_rule, made.metadata) == (None, "refuse", {})


def test_a_field_of_null_is_as_if_left_out(books: Books) -> None:
    nothing = dict.fromkeys(
        ["description", "owner", "scope", "per", "unpriced", "metadata", "backfill",
         "idempotency_key"]
    )  # fmt: skip
    made = books.create_budget(**a_budget(**nothing))
    assert books.change_budget(made.budget_id, **nothing) == made  # type: ignore[arg-type]


def test_names_may_repeat(books: Books) -> None:
    one, other = books.create_budget(**a_budget()), books.create_budget(**a_budget())
    assert one.name == other.name
    assert one.budget_id != other.budget_id
    assert len(allocated(books, model="m", input_tokens=5, max_output_tokens=0).legs) == 2


def test_the_other_names_of_a_hard_limit_refuse(books: Books) -> None:
    for alias in ("enforce", "block"):
        terms: PolicyAsk = {**TEN_A_MONTH, "limit": 0, "enforcement": alias}
        made = books.create_budget(**a_budget(policies=[terms]))
        assert made.policies[0].enforcement == "hard_limit"
        assert isinstance(books.allocate(usd="0.01"), Refusal)
        books.archive_budget(made.budget_id)


def test_the_journal_tells_what_was_created_and_by_whom(books: Books) -> None:
    ann = books.acting_as(Caller("ann"))
    made = ann.create_budget(**a_budget(per=["user"]))
    (event,) = books.events().items
    assert (event.kind, event.actor, event.budget_id) == ("budget_created", "ann", made.budget_id)
    (detail,) = told(books, "budget_created")
    assert detail["per"] == ["user"]
    assert list(detail["policies"]) == [made.policies[0].policy_id]
    assert detail["policies"][made.policies[0].policy_id]["limit"] == "10.00"


BAD = [
    ({"name": None}, "name"),
    ({"name": ""}, "name"),
    ({"name": "  "}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "a\x85b"}, "name"),
    ({"name": "\ud800"}, "name"),
    ({"name": 5}, "name"),
    ({"description": "x" * 2001}, "description"),
    ({"description": "a\x00b"}, "description"),
    ({"description": ["a"]}, "description"),
    ({"owner": "x" * 201}, "owner"),
    ({"owner": "a\tb"}, "owner"),
    ({"scope": {"customer": "c"}}, "scope"),
    ({"scope": {"user": []}}, "scope.user"),
    ({"scope": {"user": "a*b"}}, "scope.user"),
    ({"scope": "user=u"}, "scope"),
    ({"per": "user"}, "per"),
    ({"per": ["user", "user"]}, "per"),
    ({"per": ["nobody"]}, "per"),
    ({"unpriced": "deny"}, "unpriced"),
    ({"unpriced": {"input": "1"}}, "unpriced"),
    ({"unpriced": {"input": "-1", "output": "1"}}, "unpriced.input"),
    ({"metadata": "x"}, "metadata"),
    ({"metadata": {"a": "x" * 5000}}, "metadata"),
    ({"backfill": "yes"}, "backfill"),
    ({"idempotency_key": "a\nb"}, "idempotency_key"),
    ({"idempotency_key": ""}, "idempotency_key"),
    ({"idempotency_key": "x" * 256}, "idempotency_key"),
    ({"limit": "10"}, "limit"),
    ({"budget_id": "bud_1"}, "budget_id"),
]

BAD_POLICIES = [
    ({"policies": None}, "policies"),
    ({"policies": []}, "policies"),
    ({"policies": TEN_A_MONTH}, "policies"),
    ({"policies": [TEN_A_MONTH] * 51}, "policies"),
    ({"policies": ["10 USD"]}, "policies[0]"),
    ({"policies": [TEN_A_MONTH, {**TEN_A_MONTH, "limit": "-1"}]}, "policies[1].limit"),
    ({"policies": [{**TEN_A_MONTH, "limit": 1.5}]}, "policies[0].limit"),
    ({"policies": [{**TEN_A_MONTH, "limit": Decimal("NaN")}]}, "policies[0].limit"),
    ({"policies": [{**TEN_A_MONTH, "unit": "euro"}]}, "policies[0].unit"),
    ({"policies": [{**TEN_A_MONTH, "period": "rolling:0s"}]}, "policies[0].period"),
    ({"policies": [{**TEN_A_MONTH, "timezone": "Mars"}]}, "policies[0].timezone"),
    ({"policies": [{**TEN_A_MONTH, "reset_day": 31}]}, "policies[0].reset_day"),
    ({"policies": [{**TEN_A_MONTH, "backfill": True}]}, "policies[0].backfill"),
    ({"policies": [{"unit": "usd", "period": "daily"}]}, "policies[0].limit"),
]


@pytest.mark.parametrize(("given", "field"), BAD + BAD_POLICIES)
def test_bad_input_is_refused_before_it_is_queued(given: dict[str, Any], field: str) -> None:
    assert refused(acts.creating, {**a_budget(), **given}, LOCAL).field == field


@pytest.mark.parametrize(("given", "field"), [case for case in BAD if case[0] != {"name": None}])
def test_bad_input_of_a_change_is_too(given: dict[str, Any], field: str) -> None:
    assert refused(acts.changing, "bud_1", given, LOCAL).field == field


def test_an_unknown_field_is_answered_with_the_list_of_those_known() -> None:
    error = refused(acts.creating, {**a_budget(), "limit": "10"}, LOCAL)
    assert error.allowed == tuple(sorted(BudgetAsk.__annotations__))


def test_what_no_json_can_say_is_refused() -> None:
    assert isinstance(refused(acts.creating, {**a_budget(), "name": object()}, LOCAL), InvalidInput)


# --- changing ------------------------------------------------------------------------------------


def test_what_changes_in_place_keeps_the_policies_and_their_balances(
    books: Books, clock: Clock
) -> None:
    made = books.create_budget(**a_budget())
    allocated(books, usd="3")
    clock.move(MINUTE)
    changed = books.change_budget(
        made.budget_id, name="Crew", description="d", owner="bob", unpriced="allow",
        metadata={"a": 1},
    )  # fmt: skip
    assert (changed.name, changed.description, changed.owner) == ("Crew", "d", "bob")
    assert (changed.unpriced, changed.metadata) == ("allow", {"a": 1})
    assert changed.policies == made.policies
    assert (changed.created_us, changed.updated_us) == (clock() - MINUTE, clock())
    assert books.budget(made.budget_id) == changed
    assert figures(books, made.policies[0].policy_id) == {"{}": (0, 3 * USD, 0)}


def test_the_journal_tells_what_was_and_what_is(books: Books) -> None:
    made = books.create_budget(**a_budget(owner="ann"))
    books.acting_as(Caller("bob")).change_budget(made.budget_id, owner="bob", name="Team")
    assert told(books, "budget_changed") == [{"changes": {"owner": {"old": "ann", "new": "bob"}}}]
    assert books.events(kind="budget_changed").items[0].actor == "bob"


def test_a_change_that_changes_nothing_is_not_told(books: Books) -> None:
    made = books.create_budget(**a_budget(scope={"org": "acme"}))
    version = books.books.ledger.catalogue.version
    same = books.change_budget(
        made.budget_id, name="Team", scope={"org": ["acme"]}, idempotency_key="k"
    )
    assert same == made
    assert told(books, "budget_changed") == []
    assert books.books.ledger.catalogue.version == version
    # It took no key either.
    assert books.change_budget(made.budget_id, name="Crew", idempotency_key="k").name == "Crew"


def test_a_text_can_be_emptied(books: Books) -> None:
    made = books.create_budget(**a_budget(owner="ann", description="d", metadata={"a": 1}))
    changed = books.change_budget(made.budget_id, owner="", description="", metadata={})
    assert (changed.owner, changed.description, changed.metadata) == ("", "", {})


def test_policies_are_not_changed_through_their_budget(books: Books) -> None:
    made = books.create_budget(**a_budget())
    error = refused(books.change_budget, made.budget_id, policies=[TEN_A_MONTH])
    assert error.field == "policies"
    assert "/api/v1/policies" in error.detail


def test_another_scope_makes_successors_that_begin_at_zero(books: Books, clock: Clock) -> None:
    made = books.create_budget(
        **a_budget(
            scope={"org": "acme"},
            policies=[TEN_A_MONTH, {"unit": "tokens", "period": "daily", "limit": 500}],
        )
    )
    held = allocated(books, attributes={"org": "acme"}, model="m", input_tokens=100,
                     max_output_tokens=0)  # fmt: skip
    clock.move(MINUTE)
    changed = books.change_budget(made.budget_id, scope={"org": ["acme", "apex"]})
    old, new = changed.policies[:2], changed.policies[2:]
    assert changed.live_policies == new
    assert [policy.archived_us for policy in old] == [clock(), clock()]
    assert [policy.succeeds for policy in new] == [policy.policy_id for policy in old]
    assert [(policy.unit, policy.limit, policy.created_us) for policy in new] == [
        ("usd", 10 * USD, clock()),
        ("tokens", 500, clock()),
    ]
    assert books.budget(made.budget_id) == changed
    (detail,) = told(books, "budget_changed")
    assert detail["changes"] == {
        "scope": {"old": {"org": "acme"}, "new": {"org": ["acme", "apex"]}}
    }
    assert detail["successors"] == {o.policy_id: n.policy_id for o, n in zip(old, new, strict=True)}
    # The hold stays where it is: what it uses is spent there, and nowhere else.
    receipt = books.settle(held.allocation_id, input_tokens=100)
    assert {view.policy.policy_id for view in receipt.balances} == {p.policy_id for p in old}
    assert figures(books, new[0].policy_id) == {"{}": (0, 0, 0)}
    books.record_usage(attributes={"org": "apex"}, model="m", input_tokens=7)
    assert figures(books, new[0].policy_id) == {"{}": (7 * MILLI, 0, 0)}
    assert figures(books, new[1].policy_id) == {"{}": (7, 0, 0)}


def test_another_split_makes_successors_split_so(books: Books) -> None:
    made = books.create_budget(
        **a_budget(per=["user"], policies=[{**TEN_A_MONTH, "period": "per_session"}])
    )
    changed = books.change_budget(made.budget_id, per=["org"])
    assert changed.live_policies[0].partition_by == ("org", "session")
    assert changed.policies[0].partition_by == ("session", "user")


def test_a_policy_that_was_archived_before_has_no_successor(books: Books) -> None:
    made = books.create_budget(**a_budget(policies=[TEN_A_MONTH, TEN_A_MONTH]))
    books.archive_policy(made.policies[0].policy_id)
    changed = books.change_budget(made.budget_id, per=["user"])
    assert [policy.succeeds for policy in changed.live_policies] == [made.policies[1].policy_id]


# --- archiving -----------------------------------------------------------------------------------


def test_an_archived_budget_limits_nothing_but_its_books_stay(books: Books, clock: Clock) -> None:
    made = books.create_budget(**a_budget(policies=[{**TEN_A_MONTH, "limit": "1"}]))
    held = allocated(books, usd="1", model="m")
    assert isinstance(books.allocate(usd="1"), Refusal)
    clock.move(MINUTE)
    gone = books.archive_budget(made.budget_id)
    assert gone.archived_us == clock()
    assert [policy.archived_us for policy in gone.policies] == [clock()]
    assert gone.live_policies == ()
    assert books.budget(made.budget_id) == gone
    assert books.budgets().items == []
    assert books.budgets(archived=True).items == [gone]
    assert allocated(books, usd="1000").legs == ()
    receipt = books.settle(held.allocation_id, input_tokens=400)
    assert [(view.spent, view.reserved) for view in receipt.balances] == [(400 * MILLI, 0)]
    (detail,) = told(books, "budget_archived")
    assert detail == {"name": "Team", "policies": [made.policies[0].policy_id]}


def test_an_archived_budget_stays_as_it_is(books: Books) -> None:
    made = books.create_budget(**a_budget())
    gone = books.archive_budget(made.budget_id)
    assert books.archive_budget(made.budget_id) == gone
    for act in (
        lambda: books.change_budget(made.budget_id, name="Crew"),
        lambda: books.create_policy(made.budget_id, **TEN_A_MONTH),
        lambda: books.change_policy(made.policies[0].policy_id, limit="11"),
        lambda: books.top_up(made.policies[0].policy_id, amount="1", reason="r"),
    ):
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "archived"
    assert len(told(books, "budget_archived")) == 1


def test_what_is_not_there_is_named(books: Books) -> None:
    policy: list[Any] = [
        lambda: books.change_policy("pol_x", limit="1"),
        lambda: books.archive_policy("pol_x"),
        lambda: books.top_up("pol_x", amount="1", reason="r"),
    ]
    budget: list[Any] = [
        lambda: books.change_budget("bud_x", name="n"),
        lambda: books.archive_budget("bud_x"),
        lambda: books.create_policy("bud_x", **TEN_A_MONTH),
    ]
    for kind, ids, tried in (("policy", "pol_x", policy), ("budget", "bud_x", budget)):
        for act in tried:
            with pytest.raises(NotFound) as caught:
                act()
            assert (caught.value.kind, caught.value.id) == (kind, ids)


def test_only_a_caller_who_manages_may_change_budgets(books: Books) -> None:
    made = books.create_budget(**a_budget())
    spender = books.acting_as(Caller("key_1", manage=False))
    for act in (
        lambda: spender.create_budget(**a_budget()),
        lambda: spender.change_budget(made.budget_id, name="n"),
        lambda: spender.archive_budget(made.budget_id),
        lambda: spender.create_policy(made.budget_id, **TEN_A_MONTH),
        lambda: spender.change_policy(made.policies[0].policy_id, limit="11"),
        lambda: spender.archive_policy(made.policies[0].policy_id),
        lambda: spender.top_up(made.policies[0].policy_id, amount="1", reason="r"),
    ):
        with pytest.raises(Forbidden):
            act()
    assert books.budget(made.budget_id) == made


# --- once ----------------------------------------------------------------------------------------


def test_the_same_key_makes_one_budget_and_answers_with_it_as_it_is(books: Books) -> None:
    made = books.create_budget(**a_budget(idempotency_key="k"))
    changed = books.change_budget(made.budget_id, name="Crew")
    assert books.create_budget(**a_budget(idempotency_key="k")) == changed
    assert books.budgets().items == [changed]
    assert len(told(books, "budget_created")) == 1


def test_the_same_key_with_another_payload_is_refused(books: Books) -> None:
    made = books.create_budget(**a_budget(idempotency_key="k"))
    with pytest.raises(KeyReused):
        books.create_budget(**a_budget(idempotency_key="k", owner="ann"))
    # Keys are of one act and of one caller.
    books.change_budget(made.budget_id, name="Crew", idempotency_key="k")
    with pytest.raises(KeyReused):
        books.change_budget(made.budget_id, name="Gang", idempotency_key="k")
    other = books.acting_as(Caller("ann")).create_budget(**a_budget(idempotency_key="k"))
    assert other.budget_id != made.budget_id


def test_a_change_by_successors_happens_once_for_its_key(books: Books) -> None:
    made = books.create_budget(**a_budget())
    once = books.change_budget(made.budget_id, per=["user"], idempotency_key="k")
    assert books.change_budget(made.budget_id, per=["user"], idempotency_key="k") == once
    assert len(once.policies) == 2


def test_an_act_that_was_refused_takes_no_key(books: Books) -> None:
    made = books.create_budget(**a_budget())
    gone = books.create_budget(**a_budget())
    books.archive_budget(gone.budget_id)
    with pytest.raises(Conflict):
        books.change_budget(gone.budget_id, name="Crew", idempotency_key="k")
    assert books.change_budget(made.budget_id, name="Crew", idempotency_key="k").name == "Crew"


# --- several processes ---------------------------------------------------------------------------


def test_another_ledger_on_the_same_books_sees_a_change_in_its_next_batch(
    books_url: str, books: Books, clock: Clock
) -> None:
    with open_books(books_url, clock) as other:
        assert allocated(other, usd="5").legs == ()
        made = books.create_budget(**a_budget())
        assert [leg.limit for leg in allocated(other, usd="5").legs] == [10 * USD]
        other.change_policy(made.policies[0].policy_id, limit="5")
        assert isinstance(books.allocate(usd="1"), Refusal)
        books.archive_budget(made.budget_id)
        assert allocated(other, usd="5").legs == ()
        assert other.books.ledger.catalogue.version == books.books.ledger.catalogue.version


def test_what_a_change_left_in_the_ledger_is_what_a_fresh_one_loads(
    books_url: str, books: Books, clock: Clock
) -> None:
    made = books.create_budget(**a_budget(scope={"org": "acme"}, per=["user"]))
    policy_id = made.policies[0].policy_id
    books.change_policy(policy_id, limit="20", reserved_for_priority={"8": "10%"})
    books.top_up(policy_id, amount="1", reason="r", partition={"user": "u"})
    books.top_up(policy_id, amount="2", reason="r")
    books.create_policy(made.budget_id, unit="requests", period="rolling:1m", limit=3)
    books.change_budget(made.budget_id, unpriced={"input": "1", "output": "2"}, per=["team"])
    books.archive_budget(books.create_budget(**a_budget()).budget_id)
    with open_books(books_url, clock) as other:
        allocated(other, usd="1")
        assert other.books.ledger.catalogue.budgets == books.books.ledger.catalogue.budgets
        assert other.books.ledger.catalogue.version == books.books.ledger.catalogue.version
