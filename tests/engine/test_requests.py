"""Requests for top-ups: asked for, approved once, rejected, withdrawn, expired, seen by whom."""

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.domain.answers_requests import TopUpRequest
from budget.domain.budgets import Budget
from budget.domain.errors import Conflict, Forbidden, KeyReused, NotFound
from budget.domain.rights import sees_budget
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.requests.acts import MAX_PENDING, sees_request
from tests.engine.opened import DAY, HOUR, USD, Clock, open_books, refused, told, us

ANN = Caller("key_ann", manage=False)
BOB = Caller("key_bob")
EVE = Caller("key_eve", admin=True)


def budget_of(books: Books, *policies: Any, **given: Any) -> Budget:
    """A budget; without policies one of 10 USD a day, which refuses."""
    hard = {"unit": "usd", "period": "daily", "limit": "10", "enforcement": "hard_limit"}
    return books.create_budget(**{"name": "Search", "policies": policies or [hard], **given})


def asked(books: Books, budget: Budget, caller: Caller = ANN, **ask: Any) -> TopUpRequest:
    """A request of 5 USD for a release."""
    given = {"amount": "5", "reason": "release", **ask}
    return books.acting_as(caller).make_request(budget.budget_id, **given)


def limit_of(books: Books, budget: Budget) -> int:
    """The limit in force of the budget's one policy, for all."""
    policy = books.policy(budget.policies[0].policy_id)
    now_us = books.books.database.now_us()
    return policy.limit + sum(top.amount for top in policy.top_ups if top.until_us > now_us)


# --- From the request to the grant ---------------------------------------------------------------


def test_a_request_waits_until_somebody_else_approves_it_and_then_the_limit_is_raised(
    books: Books, clock: Clock
) -> None:
    budget = budget_of(books)
    made = asked(books, budget)
    assert (made.status, made.amount, made.actor) == ("pending", 5 * USD, "key_ann")
    assert made.expires_us == clock.now_us + 7 * DAY
    assert limit_of(books, budget) == 10 * USD
    approved = books.acting_as(BOB).approve_request(made.request_id, note="fine")
    assert (approved.status, approved.decided_by) == ("approved", "key_bob")
    assert (approved.granted, approved.granted_until_us) == (5 * USD, us("2026-05-16 00:00"))
    assert limit_of(books, budget) == 15 * USD
    assert books.request(made.request_id) == approved
    (top_up,) = books.policy(made.policy_id).top_ups
    assert (top_up.top_up_id, top_up.actor, top_up.reason) == (
        approved.top_up_id, "key_bob", "release",
    )  # fmt: skip


def test_the_grant_ends_by_itself_at_its_date(light: Books, clock: Clock) -> None:
    budget = budget_of(light)
    made = asked(light, budget, until="2026-05-18T00:00:00Z")
    light.acting_as(BOB).approve_request(made.request_id)
    ask: Any = {"usd": "12", "tokens": 0}
    assert light.check(**ask).__class__.__name__ == "Check"
    clock.move(2 * DAY)  # 17 May, the last window that starts before the date
    assert light.check(**ask).__class__.__name__ == "Check"
    clock.move(DAY)
    assert light.check(**ask).__class__.__name__ == "Refusal"


def test_less_may_be_granted_for_a_shorter_time_but_not_more(light: Books) -> None:
    budget = budget_of(light)
    made = asked(light, budget, until="2026-06-01T00:00:00Z")
    bob = light.acting_as(BOB)
    assert refused(bob.approve_request, made.request_id, amount="5.000000001").field == "amount"
    assert refused(bob.approve_request, made.request_id, amount="0").field == "amount"
    assert refused(bob.approve_request, made.request_id, until="2026-05-01T00:00:00Z").field == (
        "until"
    )
    approved = bob.approve_request(made.request_id, amount="2", until="2026-05-20T00:00:00Z")
    assert (approved.amount, approved.granted) == (5 * USD, 2 * USD)
    assert approved.granted_until_us == us("2026-05-20 00:00")


def test_every_step_is_told_in_the_journal(books: Books) -> None:
    budget = budget_of(books)
    policy_id = budget.policies[0].policy_id
    first = asked(books, budget, until="2026-06-01T00:00:00Z")
    second = asked(books, budget)
    third = asked(books, budget)
    books.acting_as(BOB).approve_request(first.request_id, amount="2", note="half")
    books.acting_as(BOB).reject_request(second.request_id, reason="not today")
    books.acting_as(ANN).withdraw_request(third.request_id)
    common = {"partition": None, "unit": "usd", "amount": "5.00"}
    assert told(books, "request_made")[0] == {
        "request_id": first.request_id, **common, "until": "2026-06-01T00:00:00Z",
        "reason": "release", "expires_at": "2026-05-22T12:00:00Z",
    }  # fmt: skip
    assert told(books, "request_approved") == [
        {
            "requested_by": "key_ann", "request_id": first.request_id, **common,
            "until": "2026-06-01T00:00:00Z", "granted_amount": "2.00", "note": "half",
            "top_up_id": books.request(first.request_id).top_up_id,
        }
    ]  # fmt: skip
    assert told(books, "request_rejected") == [
        {
            "requested_by": "key_ann", "request_id": second.request_id, **common,
            "until": None, "reason": "not today",
        }
    ]  # fmt: skip
    assert told(books, "request_withdrawn") == [
        {"request_id": third.request_id, **common, "until": None}
    ]
    (topped_up,) = told(books, "topped_up")
    assert topped_up["request_id"] == first.request_id
    for event in books.events(limit=1000).items:
        if event.kind.startswith("request_"):
            assert (event.budget_id, event.policy_id) == (budget.budget_id, policy_id)


# --- Who may -------------------------------------------------------------------------------------


def test_nobody_approves_what_they_asked_for_but_who_has_every_right(light: Books) -> None:
    budget = budget_of(light)
    made = asked(light, budget, BOB)
    with pytest.raises(Forbidden) as caught:
        light.acting_as(BOB).approve_request(made.request_id)
    assert caught.value.code == "own_request"
    assert light.request(made.request_id).status == "pending"
    own = asked(light, budget, EVE)
    assert light.acting_as(EVE).approve_request(own.request_id).status == "approved"


def test_who_does_not_manage_decides_nothing(light: Books) -> None:
    made = asked(light, budget_of(light))
    carl = light.acting_as(Caller("key_carl", manage=False))
    with pytest.raises(Forbidden):
        carl.approve_request(made.request_id)
    with pytest.raises(Forbidden):
        carl.reject_request(made.request_id, reason="no")
    with pytest.raises(Forbidden):
        carl.withdraw_request(made.request_id)
    assert light.request(made.request_id).status == "pending"


@pytest.mark.parametrize("decided", ["approved", "rejected", "withdrawn"])
def test_what_was_decided_is_not_decided_again(light: Books, decided: str) -> None:
    made = asked(light, budget_of(light))
    ann, bob = light.acting_as(ANN), light.acting_as(BOB)
    if decided == "approved":
        bob.approve_request(made.request_id)
    elif decided == "rejected":
        bob.reject_request(made.request_id, reason="no")
    else:
        ann.withdraw_request(made.request_id)
    acts: list[Callable[[], object]] = [
        lambda: bob.approve_request(made.request_id),
        lambda: bob.reject_request(made.request_id, reason="no"),
        lambda: ann.withdraw_request(made.request_id),
    ]
    for act in acts:
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "request_decided"
    assert light.request(made.request_id).status == decided


def test_what_nobody_decides_expires(books: Books, clock: Clock) -> None:
    budget = budget_of(books)
    made = asked(books, budget)
    soon = asked(books, budget, expires_in_seconds=3600)
    dated = asked(books, budget, until="2026-05-15T18:00:00Z")
    clock.move(HOUR)
    assert books.request(soon.request_id).status == "expired"
    clock.move(5 * HOUR)
    assert books.request(dated.request_id).status == "expired"
    clock.move(7 * DAY - 6 * HOUR)
    assert [one.request_id for one in books.requests(status="expired").items] == [
        dated.request_id, soon.request_id, made.request_id,
    ]  # fmt: skip
    assert books.requests(status="pending").items == []
    acts: list[Callable[[], object]] = [
        lambda: books.acting_as(BOB).approve_request(made.request_id),
        lambda: books.acting_as(BOB).reject_request(made.request_id, reason="no"),
        lambda: books.acting_as(ANN).withdraw_request(made.request_id),
    ]
    for act in acts:
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "request_expired"
    assert limit_of(books, budget) == 10 * USD


# --- Which limit, which partition ----------------------------------------------------------------


def test_without_a_policy_it_is_the_one_that_refuses_else_the_only_one(light: Books) -> None:
    hard = {"unit": "usd", "period": "daily", "limit": "10", "enforcement": "hard_limit"}
    soft = {"unit": "tokens", "period": "daily", "limit": 1000, "enforcement": "warn"}
    both = budget_of(light, soft, hard)
    assert asked(light, both).unit == "usd"
    alone = budget_of(light, soft)
    assert asked(light, alone, amount=7).amount == 7
    two = budget_of(light, hard, {**hard, "period": "monthly"})
    error = refused(asked, light, two)
    assert error.field == "policy_id"
    assert set(error.allowed) == {policy.policy_id for policy in two.policies}
    assert asked(light, two, policy_id=error.allowed[0]).policy_id == error.allowed[0]


def test_a_policy_of_another_budget_or_one_that_is_archived_is_not_to_be_raised(
    light: Books,
) -> None:
    budget, other = budget_of(light), budget_of(light)
    with pytest.raises(NotFound):
        asked(light, budget, policy_id=other.policies[0].policy_id)
    with pytest.raises(NotFound):
        asked(light, budget, policy_id="pol_none")
    made = asked(light, budget)
    light.archive_budget(budget.budget_id)
    with pytest.raises(Conflict):
        asked(light, budget)
    with pytest.raises(Conflict) as caught:
        light.acting_as(BOB).approve_request(made.request_id)
    assert caught.value.code == "archived"
    assert light.request(made.request_id).status == "pending"


def test_a_request_may_be_for_one_partition(light: Books) -> None:
    budget = budget_of(light, per=["user"])
    made = asked(light, budget, partition={"user": "ann"})
    assert made.partition == '{"user":"ann"}'
    light.acting_as(BOB).approve_request(made.request_id)
    (top_up,) = light.policy(made.policy_id).top_ups
    assert top_up.partition == '{"user":"ann"}'
    assert refused(asked, light, budget, partition={"team": "a"}).field == "partition.team"
    assert refused(asked, light, budget, partition=[]).field == "partition"


# --- Bound callers -------------------------------------------------------------------------------

TEAM_A = Caller("key_a", manage=False, bound={"team": "a"})
TEAM_B = Caller("key_b", manage=False, bound={"team": "b"})
LEAD_A = Caller("key_lead_a", bound={"team": "a"})


def test_a_bound_caller_asks_for_its_own_partition_whether_it_names_it_or_not(
    light: Books,
) -> None:
    budget = budget_of(light, per=["team"])
    assert asked(light, budget, TEAM_A).partition == '{"team":"a"}'
    assert asked(light, budget, TEAM_A, partition={"team": "a"}).partition == '{"team":"a"}'
    for other in ({"team": "b"}, {"team": None}):
        with pytest.raises(Forbidden):
            asked(light, budget, TEAM_A, partition=other)


def test_a_budget_of_others_is_as_one_that_is_not_there(light: Books) -> None:
    budget = budget_of(light, scope={"team": "b"})
    with pytest.raises(NotFound) as caught:
        asked(light, budget, TEAM_A)
    assert str(caught.value) == f"There is no budget {budget.budget_id!r}."
    with pytest.raises(NotFound):
        light.acting_as(TEAM_A).budget_requests(budget.budget_id)


def test_bound_callers_see_the_requests_of_their_own_and_no_others(books: Books) -> None:
    shared = budget_of(books, per=["team"])
    own = budget_of(books, scope={"team": "a"}, per=["user"])
    foreign = budget_of(books, scope={"team": "b"})
    seen = [
        asked(books, shared, TEAM_A), asked(books, own, TEAM_A),
        asked(books, own, partition={"user": "ann"}),
    ]  # fmt: skip
    hidden = [asked(books, shared, TEAM_B), asked(books, foreign, TEAM_B), asked(books, shared)]
    a, b = books.acting_as(TEAM_A), books.acting_as(TEAM_B)
    assert {one.request_id for one in a.requests().items} == {one.request_id for one in seen}
    assert [one.request_id for one in a.budget_requests(shared.budget_id).items] == [
        seen[0].request_id
    ]
    for one in seen:
        assert a.request(one.request_id).request_id == one.request_id
    for one in hidden:
        with pytest.raises(NotFound) as caught:
            a.request(one.request_id)
        assert str(caught.value) == f"There is no request {one.request_id!r}."
        with pytest.raises(NotFound):
            a.withdraw_request(one.request_id)
    assert {one.request_id for one in b.requests().items} == {
        hidden[0].request_id, hidden[1].request_id,
    }  # fmt: skip
    assert len(books.requests().items) == 6


def test_a_bound_manager_decides_on_budgets_of_its_own_alone(light: Books) -> None:
    shared = budget_of(light, per=["team"])
    own = budget_of(light, scope={"team": "a"})
    foreign = budget_of(light, scope={"team": "b"})
    lead = light.acting_as(LEAD_A)
    assert lead.approve_request(asked(light, own, TEAM_A).request_id).status == "approved"
    with pytest.raises(Forbidden):
        lead.approve_request(asked(light, shared, TEAM_A).request_id)
    with pytest.raises(Forbidden):
        lead.reject_request(asked(light, shared, TEAM_A).request_id, reason="no")
    with pytest.raises(NotFound):
        lead.approve_request(asked(light, foreign, TEAM_B).request_id)


TEAMS = st.sampled_from(["a", "b"])
SCOPES = st.dictionaries(
    st.sampled_from(["team", "user"]),
    st.one_of(TEAMS, st.just("a*"), st.just(["a", "b"])),
    max_size=2,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shapes=st.lists(
        st.tuples(SCOPES, st.lists(st.sampled_from(["team", "user"]), unique=True)),
        min_size=1, max_size=4,
    ),
    bound=st.dictionaries(st.sampled_from(["team", "user"]), TEAMS, min_size=1, max_size=2),
    values=st.lists(st.tuples(TEAMS, TEAMS), min_size=1, max_size=2),
)  # fmt: skip
def test_a_list_has_what_can_be_seen_one_by_one(
    light: Books, shapes: list[Any], bound: dict[str, str], values: list[tuple[str, str]]
) -> None:
    made: set[str] = set()
    seen: set[str] = set()
    for scope, per in shapes:
        budget = budget_of(light, scope=scope, per=per)
        named = [
            {k: v for k, v in (("team", team), ("user", user)) if k in per} for team, user in values
        ]
        for partition in (*named, None):
            one = asked(light, budget, partition=partition)
            made.add(one.request_id)
            if sees_request(bound, budget, one.partition):
                assert sees_budget(bound, budget)
                seen.add(one.request_id)
    caller = light.acting_as(Caller("key_x", bound=bound))
    assert {one.request_id for one in caller.requests(limit=1000).items} & made == seen
    for request_id in made - seen:
        with pytest.raises(NotFound):
            caller.request(request_id)


# --- Lists ---------------------------------------------------------------------------------------


def test_lists_are_paged_newest_first_and_filtered(books: Books, clock: Clock) -> None:
    budget, other = budget_of(books), budget_of(books)
    made = []
    for number in range(5):
        clock.move(HOUR)
        made.append(asked(books, budget if number % 2 else other, EVE if number == 4 else ANN))
    ids = [one.request_id for one in reversed(made)]
    first = books.requests(limit=2)
    rest = books.requests(limit=1000, cursor=first.next_cursor)
    assert [one.request_id for one in (*first.items, *rest.items)] == ids
    assert [one.request_id for one in books.budget_requests(budget.budget_id).items] == [
        made[3].request_id, made[1].request_id,
    ]  # fmt: skip
    assert [one.request_id for one in books.requests(actor="key_eve").items] == ids[:1]
    assert books.requests(policy_id="pol_none").items == []
    assert refused(books.requests, status="open").field == "status"
    assert refused(books.requests, limit=0).field == "limit"
    with pytest.raises(NotFound):
        books.budget_requests("bud_none")


# --- Exactly once --------------------------------------------------------------------------------


def test_the_same_key_asks_and_approves_once(books: Books) -> None:
    budget = budget_of(books)
    made = asked(books, budget, idempotency_key="k")
    again = asked(books, budget, idempotency_key="k")
    assert (again.request_id, again.replayed) == (made.request_id, True)
    with pytest.raises(KeyReused):
        asked(books, budget, amount="6", idempotency_key="k")
    bob = books.acting_as(BOB)
    first = bob.approve_request(made.request_id, idempotency_key="k")
    second = bob.approve_request(made.request_id, idempotency_key="k")
    assert (first.replayed, second.replayed) == (False, True)
    assert (second.top_up_id, second.granted) == (first.top_up_id, first.granted)
    assert limit_of(books, budget) == 15 * USD


def test_of_many_who_approve_at_once_one_makes_the_top_up(
    books: Books, books_url: str, clock: Clock
) -> None:
    budget = budget_of(books)
    made = asked(books, budget)
    outcomes: list[str] = []
    with open_books(books_url, clock) as other:

        def approve(there: Books, actor: str) -> None:
            try:
                there.acting_as(Caller(actor)).approve_request(made.request_id)
                outcomes.append("approved")
            except Conflict as error:
                outcomes.append(error.code)

        threads = [
            threading.Thread(target=approve, args=((books, other)[n % 2], f"key_{n}"))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["approved", *["request_decided"] * 7]
    assert len(books.policy(made.policy_id).top_ups) == 1
    assert len(told(books, "request_approved")) == 1


def decide(act: Callable[[], TopUpRequest], decided: list[str]) -> None:
    """Note what an act has made of a request, if it was the one that did."""
    with contextlib.suppress(Conflict):
        decided.append(act().status)


def test_of_all_who_decide_at_once_one_does(books: Books, books_url: str, clock: Clock) -> None:
    budget = budget_of(books)
    with open_books(books_url, clock) as other:
        for _ in range(6):
            request_id = asked(books, budget).request_id
            decided: list[str] = []
            acts = [
                partial(books.acting_as(BOB).approve_request, request_id),
                partial(other.acting_as(EVE).reject_request, request_id, reason="no"),
                partial(other.acting_as(ANN).withdraw_request, request_id),
            ]
            threads = [threading.Thread(target=decide, args=(act, decided)) for act in acts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert decided == [books.request(request_id).status]
    granted = len(books.policy(budget.policies[0].policy_id).top_ups)
    assert granted == len(told(books, "request_approved"))
    ends = ("request_approved", "request_rejected", "request_withdrawn")
    assert sum(len(told(books, kind)) for kind in ends) == 6


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"amount": None}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1000000001"}, "amount"),
        ({"reason": None}, "reason"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 1001}, "reason"),
        ({"until": "tomorrow"}, "until"),
        ({"until": "2026-05-15T12:00:00Z"}, "until"),
        ({"partition": {"user": "ann"}}, "partition.user"),
        ({"policy_id": 7}, "policy_id"),
        ({"expires_in_seconds": 59}, "expires_in_seconds"),
        ({"expires_in_seconds": 90 * 86_400 + 1}, "expires_in_seconds"),
        ({"expires_in_seconds": "1d"}, "expires_in_seconds"),
        ({"colour": "red"}, "colour"),
        ({"idempotency_key": ""}, "idempotency_key"),
    ],
)
def test_bad_input_is_named_and_asks_for_nothing(
    light: Books, ask: dict[str, Any], field: str
) -> None:
    budget = budget_of(light)
    assert refused(asked, light, budget, **ask).field == field
    assert light.requests().items == []
    assert told(light, "request_made") == []


def test_so_many_requests_of_one_maker_wait_on_a_budget_and_no_more(light: Books) -> None:
    budget = budget_of(light)
    last = asked(light, budget)
    for _ in range(MAX_PENDING - 1):
        asked(light, budget)
    with pytest.raises(Conflict) as caught:
        asked(light, budget)
    assert caught.value.code == "too_many_pending"
    asked(light, budget, EVE)
    light.acting_as(ANN).withdraw_request(last.request_id)
    asked(light, budget)


def test_an_id_that_no_request_has_is_not_found(light: Books) -> None:
    for request_id in ("req_none", "req\x00"):
        with pytest.raises(NotFound):
            light.request(request_id)
        with pytest.raises(NotFound):
            light.approve_request(request_id)
