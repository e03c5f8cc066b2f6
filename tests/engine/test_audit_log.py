"""The audit log: who changed what, from what to what, and nothing of what calls did."""

import json
import re
from typing import Any

import pytest

from budget.domain.errors import Forbidden, InvalidInput
from budget.domain.events import AUDITED_KINDS, KINDS
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.storage.schema import AUDITED
from tests.engine.opened import HOUR, Clock, allocated

DAILY: Any = {"unit": "usd", "period": "daily", "limit": "10"}


def test_it_tells_every_change_newest_first_and_no_call(books: Books, clock: Clock) -> None:
    made = books.create_budget(name="Firm", policies=[DAILY], unpriced={"input": 1, "output": 1})
    policy_id = made.policies[0].policy_id
    clock.move(HOUR)
    admin = books.acting_as(Caller("key_adm1"))
    admin.change_policy(policy_id, limit="12")
    admin.top_up(policy_id, amount="1", reason="release")
    held = allocated(books, model="m", input_tokens=10, max_output_tokens=1)
    books.settle(held.allocation_id, input_tokens=10, output_tokens=1)
    books.allocate(usd="500", tokens=1)
    books.archive_budget(made.budget_id)
    records = books.audit().items
    assert [(one.kind, one.actor) for one in records] == [
        ("budget_archived", "local"),
        ("topped_up", "key_adm1"),
        ("policy_changed", "key_adm1"),
        ("budget_created", "local"),
    ]
    changed = json.loads(records[2].detail)
    assert changed["changes"]["limit"] == {"old": "10.00", "new": "12.00"}
    assert records[2].policy_id == policy_id


def test_it_is_filtered_and_paged(books: Books, clock: Clock) -> None:
    ids = []
    for hour in range(5):
        made = books.acting_as(Caller(f"key_{hour % 2}")).create_budget(
            name=f"B{hour}", policies=[DAILY]
        )
        ids.append(made.budget_id)
        clock.move(HOUR)
    first = books.audit(limit=2)
    second = books.audit(limit=2, cursor=first.next_cursor)
    third = books.audit(limit=2, cursor=second.next_cursor)
    told = [one.budget_id for page in (first, second, third) for one in page.items]
    assert told == ids[::-1]
    assert third.next_cursor is None
    assert [one.budget_id for one in books.audit(actor="key_1").items] == [ids[3], ids[1]]
    assert [one.budget_id for one in books.audit(budget_id=ids[2]).items] == [ids[2]]
    assert books.audit(kind="topped_up").items == []
    window = books.audit(since="2026-05-15T13:00:00Z", until="2026-05-15T15:00:00Z").items
    assert [one.budget_id for one in window] == [ids[2], ids[1]]


def test_a_caller_that_is_bound_may_not_read_it(light: Books) -> None:
    with pytest.raises(Forbidden, match="bound to team=a"):
        light.acting_as(Caller("key_a", bound={"team": "a"})).audit()


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"since": "yesterday"}, "since"), ({"until": "1"}, "until"), ({"limit": 0}, "limit"),
        ({"kind": "placed"}, "kind"), ({"cursor": "x"}, "cursor"), ({"actor": "a\x00"}, "actor"),
        ({"kind": "\ud800"}, "kind"),
    ],
)  # fmt: skip
def test_bad_filters_are_named(light: Books, ask: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        light.audit(**ask)
    assert caught.value.field == field


def test_the_kinds_of_the_log_are_those_of_its_index() -> None:
    left_out = set(re.findall(r"'(\w+)'", str(AUDITED)))
    assert left_out == KINDS - AUDITED_KINDS
