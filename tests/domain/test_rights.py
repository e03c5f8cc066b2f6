"""Who is bound to attributes spends as these alone, and sees nothing of others."""

import pytest

from budget.domain.attributes import parse_scope
from budget.domain.budgets import Budget
from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.rights import (
    covers,
    forced,
    parse_bound,
    pinned,
    pins,
    sees_budget,
    sees_partition,
)

A = {"team": "a"}
ANN = {"team": "a", "user": "ann"}


def budget(scope: object, *per: str) -> Budget:
    return Budget("bud_1", "Acme", parse_scope(scope), per, 0, 0)


def test_attributes_left_out_are_added_and_others_are_forbidden() -> None:
    assert forced({"project": "x"}, A) == {"project": "x", "team": "a"}
    assert forced({"team": "a"}, ANN) == ANN
    with pytest.raises(Forbidden, match=r"attributes\.team: this key is bound to 'a'"):
        forced({"team": "b"}, A)
    assert forced({"team": "b"}, {}) == {"team": "b"}


def test_nobody_is_bound_to_what_is_called() -> None:
    assert parse_bound({"team": "a", "tag.region": "eu"}) == {"tag.region": "eu", "team": "a"}
    for name in ("key", "session", "task", "taskType", "tier", "provider", "model"):
        with pytest.raises(InvalidInput, match="says what is called"):
            parse_bound({name: "x"})


def test_a_provider_is_the_same_however_it_is_written() -> None:
    assert forced({"provider": "OpenAI"}, {"provider": "openai"}) == {"provider": "openai"}
    assert covers({"provider": "openai"}, {"provider": "OpenAI"})


@pytest.mark.parametrize(
    ("attributes", "covered"),
    [({"team": "a"}, True), ({"team": "a", "user": "bob"}, True), ({"team": "b"}, False),
     ({}, False), ({"user": "a"}, False), ({"team": "A"}, False)],
)  # fmt: skip
def test_a_call_is_covered_if_it_has_all_attributes(
    attributes: dict[str, str], covered: bool
) -> None:
    assert covers(A, attributes) is covered
    assert covers({}, attributes)


@pytest.mark.parametrize(
    ("scope", "pinned_down"),
    [({"team": "a"}, True), ({"team": ["a"]}, True), ({"team": "a", "user": "bob"}, True),
     ({"team": ["a", "b"]}, False), ({"team": "a*"}, False), ({}, False), ({"team": "b"}, False),
     ({"team": ["a", "a*"]}, False)],
)  # fmt: skip
def test_a_scope_pins_the_attributes_if_no_other_call_can_meet_it(
    scope: object, pinned_down: bool
) -> None:
    assert pins(A, parse_scope(scope)) is pinned_down


def test_a_scope_gets_the_attributes_that_it_lacks_and_may_have_no_others() -> None:
    assert pinned(parse_scope({"user": "bob"}), A) == parse_scope({"team": "a", "user": "bob"})
    assert pinned((), ANN) == parse_scope(ANN)
    assert pinned(parse_scope({"team": "a"}), A) == parse_scope({"team": "a"})
    assert pinned(parse_scope({"team": "b"}), {}) == parse_scope({"team": "b"})
    for wider in ({"team": "b"}, {"team": ["a", "b"]}, {"team": "a*"}, {"team": "*"}):
        with pytest.raises(Forbidden, match=r"scope\.team: this key is bound to 'a'"):
            pinned(parse_scope(wider), A)


@pytest.mark.parametrize(
    ("scope", "per", "seen", "partitions"),
    [
        ({"team": "a"}, (), True, {"{}": True}),
        ({"team": "a"}, ("user",), True, {'{"user":"bob"}': True, '{"user":null}': True}),
        ({}, ("team",), True, {'{"team":"a"}': True, '{"team":"b"}': False}),
        ({}, ("team",), True, {'{"team":null}': False}),
        ({"team": "a*"}, ("team",), True, {'{"team":"a"}': True, '{"team":"ab"}': False}),
        ({"team": "b*"}, ("team",), False, {'{"team":"b"}': False}),
        ({"team": ["a", "b"]}, (), False, {"{}": False}),
        ({}, (), False, {"{}": False}),
        ({"project": "x"}, ("user",), False, {'{"user":"ann"}': False}),
    ],
)  # fmt: skip
def test_a_budget_is_seen_if_it_is_of_the_team_or_split_by_it_and_then_its_partition(
    scope: object, per: tuple[str, ...], seen: bool, partitions: dict[str, bool]
) -> None:
    one = budget(scope, *per)
    assert sees_budget(A, one) is seen
    assert {text: sees_partition(A, one, text) for text in partitions} == partitions
    assert sees_budget({}, one)
    assert all(sees_partition({}, one, text) for text in partitions)


def test_of_two_attributes_one_may_be_pinned_and_the_other_split_by() -> None:
    one = budget({"team": "a"}, "user")
    assert sees_budget(ANN, one)
    assert sees_partition(ANN, one, '{"user":"ann"}')
    assert not sees_partition(ANN, one, '{"user":"bob"}')
