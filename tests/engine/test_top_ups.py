"""Top-ups: a limit raised for a while, on both engines."""

from typing import Any

import pytest

from budget.domain.answers import Refusal
from budget.domain.budgets import Policy
from budget.domain.errors import KeyReused
from budget.domain.windows import MAX_US
from budget.engine import top_ups as acts
from budget.engine.budget import Budget as Books
from budget.engine.callers import LOCAL, Caller
from tests.engine.opened import DAY, HOUR, MINUTE, USD, Clock, allocated, refused, told, us


def a_policy(books: Books, per: list[str] | None = None, **terms: Any) -> Policy:
    ask: Any = {"unit": "usd", "period": "daily", "limit": "10", **terms}
    made = books.create_budget(name="Team", per=per or [], policies=[ask])
    return made.policies[0]


def limits(books: Books, **attributes: str) -> list[int]:
    """The limit in force that a call with these attributes meets, in whole USD."""
    return [view.limit // USD for view in books.status(**attributes)]


def test_a_top_up_raises_the_limit_of_the_window_it_is_given_in(books: Books, clock: Clock) -> None:
    policy = a_policy(books)
    allocated(books, usd="10")
    assert isinstance(books.allocate(usd="5"), Refusal)
    made = books.acting_as(Caller("ann")).top_up(policy.policy_id, amount="5", reason="release day")
    assert (made.amount, made.partition, made.actor, made.reason) == (
        5 * USD, None, "ann", "release day",
    )  # fmt: skip
    assert made.at_us == clock()
    assert [leg.limit for leg in allocated(books, usd="5").legs] == [15 * USD]
    clock.move(DAY)
    assert [leg.limit for leg in allocated(books, usd="1").legs] == [10 * USD]
    assert books.policy(policy.policy_id).top_ups == (made,)
    assert books.policy(policy.policy_id).limit == 10 * USD


def test_the_journal_tells_who_gave_it_and_why(books: Books) -> None:
    policy = a_policy(books, ["user"])
    made = books.acting_as(Caller("ann")).top_up(
        policy.policy_id, amount="5", reason="release day", until="2026-05-20T00:00:00Z",
        partition={"user": "u"},
    )  # fmt: skip
    (event,) = books.events(kind="topped_up").items
    assert (event.actor, event.budget_id, event.policy_id) == (
        "ann", policy.budget_id, policy.policy_id,
    )  # fmt: skip
    assert told(books, "topped_up") == [
        {
            "top_up_id": made.top_up_id,
            "partition": '{"user":"u"}',
            "unit": "usd",
            "amount": "5.00",
            "until": "2026-05-20T00:00:00Z",
            "reason": "release day",
        }
    ]


def test_a_top_up_until_a_date_counts_in_every_window_that_starts_before_it(
    books: Books, clock: Clock
) -> None:
    policy = a_policy(books)
    books.top_up(policy.policy_id, amount="5", reason="r", until="2026-05-17T12:00:00Z")
    for day, limit in (("15", 15), ("16", 15), ("17", 15), ("18", 10)):
        clock.now_us = us(f"2026-05-{day} 23:59")
        assert limits(books) == [limit]


def test_a_top_up_is_given_to_one_partition_or_to_all(books: Books) -> None:
    policy = a_policy(books, ["user", "org"])
    books.top_up(policy.policy_id, amount="5", reason="r", partition={"user": "u", "org": None})
    books.top_up(policy.policy_id, amount="1", reason="r")
    assert limits(books, user="u", org="acme") == [11]
    assert [
        leg.limit // USD
        for user in ("u", "v")
        for leg in allocated(books, usd="1", attributes={"user": user}).legs
    ] == [16, 11]


def test_top_ups_add_up(books: Books) -> None:
    policy = a_policy(books)
    for amount in ("1", "2", "4"):
        books.top_up(policy.policy_id, amount=amount, reason="r")
    assert limits(books) == [17]


def test_on_a_rolling_policy_a_top_up_counts_for_one_period(books: Books, clock: Clock) -> None:
    policy = a_policy(books, period="rolling:1h")
    made = books.top_up(policy.policy_id, amount="5", reason="r")
    assert made.until_us == clock() + HOUR
    assert limits(books) == [15]
    clock.move(HOUR - 1)
    assert limits(books) == [15]
    clock.move(1)
    assert limits(books) == [10]


def test_on_a_rolling_policy_a_date_is_an_instant(books: Books, clock: Clock) -> None:
    policy = a_policy(books, period="rolling:1h")
    books.top_up(policy.policy_id, amount="5", reason="r", until="2026-05-15T18:00:00Z")
    clock.now_us = us("2026-05-15 18:00") - 1
    assert limits(books) == [15]
    clock.move(1)
    assert limits(books) == [10]


def test_a_top_up_of_what_never_ends_stays(books: Books, clock: Clock) -> None:
    policy = a_policy(books, period="total")
    books.top_up(policy.policy_id, amount="5", reason="r")
    clock.move(1000 * DAY)
    assert limits(books) == [15]


def test_a_top_up_is_in_the_unit_of_its_policy(books: Books) -> None:
    policy = a_policy(books, unit="tokens", limit=100)
    assert books.top_up(policy.policy_id, amount=50, reason="r").amount == 50
    assert isinstance(books.allocate(tokens=151), Refusal)
    allocated(books, tokens=150)


def test_unused_top_ups_roll_over_too_up_to_one_limit(books: Books, clock: Clock) -> None:
    policy = a_policy(books, rollover="unused")
    books.top_up(policy.policy_id, amount="5", reason="r")
    allocated(books, usd="9")
    clock.move(DAY)
    assert limits(books) == [16]  # 10 + (10 + 5 - 9)


def test_a_top_up_is_given_once_for_its_key(books: Books, clock: Clock) -> None:
    policy = a_policy(books)
    made = books.top_up(policy.policy_id, amount="5", reason="r", idempotency_key="k")
    clock.move(MINUTE)
    again = books.top_up(policy.policy_id, amount="5", reason="r", idempotency_key="k")
    assert again == made
    assert limits(books) == [15]
    with pytest.raises(KeyReused):
        books.top_up(policy.policy_id, amount="6", reason="r", idempotency_key="k")
    with pytest.raises(KeyReused):  # the same key for another policy is another request
        books.top_up(a_policy(books).policy_id, amount="5", reason="r", idempotency_key="k")


def test_a_successor_does_not_take_top_ups_over(books: Books) -> None:
    policy = a_policy(books)
    books.top_up(policy.policy_id, amount="5", reason="r", until="2026-06-01T00:00:00Z")
    books.change_policy(policy.policy_id, period="monthly")
    assert limits(books) == [10]


GOOD = {"amount": "5", "reason": "r"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": None}, "amount"),
        ({"reason": None}, "reason"),
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 1001}, "reason"),
        ({"reason": 5}, "reason"),
        ({"until": "tomorrow"}, "until"),
        ({"until": "2026-05-20"}, "until"),
        ({"until": 5}, "until"),
        ({"partition": "u"}, "partition"),
        ({"partition": {"customer": "c"}}, "partition"),
        ({"partition": {"user": 5}}, "partition.user"),
        ({"partition": {"user": ""}}, "partition.user"),
        ({"who": "ann"}, "who"),
    ],
)
def test_bad_input_is_refused_before_it_is_queued(given: dict[str, Any], field: str) -> None:
    assert refused(acts.topping_up, "pol_1", {**GOOD, **given}, LOCAL).field == field


def test_what_only_the_policy_can_tell_is_refused_by_it(books: Books) -> None:
    policy = a_policy(books, ["user"])
    cases: list[tuple[dict[str, Any], str]] = [
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": "1000000001"}, "amount"),
        ({"until": "2026-05-15T12:00:00Z"}, "until"),
        ({"until": "1999-01-01T00:00:00Z"}, "until"),
        ({"partition": {}}, "partition.user"),
        ({"partition": {"org": "acme"}}, "partition.org"),
        ({"partition": {"user": "u", "org": "acme"}}, "partition.org"),
    ]
    for given, field in cases:
        error = refused(books.top_up, policy.policy_id, **{**GOOD, **given})
        assert error.field == field
    assert books.policy(policy.policy_id) == policy


def test_a_partition_may_name_its_attributes_in_camel_case(books: Books) -> None:
    policy = a_policy(books, ["task_type"])
    made = books.top_up(policy.policy_id, amount="5", reason="r", partition={"taskType": "chat"})
    assert made.partition == '{"task_type":"chat"}'
    assert limits(books, taskType="chat") == [15]
    error = refused(
        books.top_up, policy.policy_id, amount="5", reason="r",
        partition={"taskType": "chat", "task_type": None},
    )  # fmt: skip
    assert error.field == "partition.task_type"


def test_what_a_partition_may_name_is_listed(books: Books) -> None:
    policy = a_policy(books, ["user"])
    error = refused(
        books.top_up, policy.policy_id, amount="5", reason="r", partition={"org": "acme"}
    )
    assert error.allowed == ("user",)


def test_a_policy_without_partitions_has_the_one_without_a_name(books: Books) -> None:
    policy = a_policy(books)
    books.top_up(policy.policy_id, amount="5", reason="r", partition={})
    assert limits(books) == [15]


def test_a_top_up_without_a_date_says_when_its_window_ends(books: Books, clock: Clock) -> None:
    def until(period: str, partition: dict[str, str | None] | None = None) -> int:
        policy: Any = {"unit": "tokens", "period": period, "limit": 1}
        made = books.create_budget(name=period, policies=[policy])
        return books.top_up(
            made.policies[0].policy_id, amount=1, reason="r", partition=partition
        ).until_us

    tomorrow = us("2026-05-16 00:00")
    assert until("daily") == tomorrow
    assert until("rolling:10m") == clock() + 10 * MINUTE
    assert until("total") == MAX_US
    assert until("per_session", {"session": "s"}) == MAX_US
    # Calls without a session have the day as their window, so a top-up of all ends with that.
    assert until("per_session") == until("per_session", {"session": None}) == tomorrow
