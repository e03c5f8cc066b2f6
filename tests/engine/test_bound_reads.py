"""Reads of a caller that is bound to attributes: its own, and of others nothing at all.

Two teams spend side by side: `search`, which the caller is bound to, and `ads`. What is of ads must
look as if it were not there.
"""

from collections.abc import Callable
from typing import Any

import pytest

from budget.domain.asks_reading import SummaryAsk
from budget.domain.errors import Forbidden, NotFound
from budget.domain.rights import Bound
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import MILLI, Clock, allocated

DAILY: Any = {"unit": "usd", "period": "daily", "limit": "10"}
SEARCH, ADS = {"team": "search", "user": "ann"}, {"team": "ads", "user": "bob"}
CALL: dict[str, Any] = {"model": "m", "input_tokens": 100, "max_output_tokens": 0}


class World:
    """The books of both teams, seen by everybody and by search alone."""

    def __init__(self, books: Books) -> None:
        self.all = books
        self.own = bound_to(books, {"team": "search"})
        self.everything = self.budget("All")
        self.split = self.budget("Per team", per=["team"])
        self.search = self.budget("Search", scope={"team": "search"})
        self.ads = self.budget("Ads", scope={"team": "ads"})
        for name, attributes in (("search", SEARCH), ("ads", ADS)):
            allocated(books, allocation_id=f"{name}-open", attributes=attributes, **CALL)
            allocated(books, allocation_id=f"{name}-done", attributes=attributes, **CALL)
            books.settle(f"{name}-done", input_tokens=100, output_tokens=0, usage_id=name)
            policy_id = self.policy_of(self.split)
            books.top_up(policy_id, amount="1", reason=name, partition={"team": attributes["team"]})

    def budget(self, name: str, **more: Any) -> str:
        """A budget of 10 USD a day."""
        return self.all.create_budget(name=name, policies=[DAILY], **more).budget_id

    def policy_of(self, budget_id: str) -> str:
        """The only policy of a budget."""
        return self.all.budget(budget_id).policies[0].policy_id


def bound_to(books: Books, bound: Bound) -> Books:
    """The books as a caller who is bound sees them."""
    return books.acting_as(Caller("key_own", manage=False, bound=bound))


@pytest.fixture
def world(books: Books, clock: Clock) -> World:
    made = World(books)
    clock.move(1)  # what reads up to now is told of all this
    return made


@pytest.fixture
def on_sqlite(light: Books, clock: Clock) -> World:
    """The same on SQLite alone, for what is not told by SQL."""
    made = World(light)
    clock.move(1)
    return made


def told_missing(read: Callable[[str], Any], id: str, missing: str) -> None:
    """What may not be seen is told exactly as what is missing."""
    errors = []
    for one in (id, missing):
        with pytest.raises(NotFound) as caught:
            read(one)
        errors.append(str(caught.value).replace(one, "ID"))
    assert errors[0] == errors[1]


def test_what_is_of_others_is_missing(world: World) -> None:
    own, of_ads = world.own, world.policy_of(world.ads)
    of_all = world.policy_of(world.everything)
    for read, ids in (
        (own.budget, (world.ads, world.everything)),
        (own.budget_summary, (world.ads, world.everything)),
        (own.budget_policies, (world.ads, world.everything)),
        (own.budget_allocations, (world.ads, world.everything)),
        (lambda id: own.usage_summary(budget_id=id), (world.ads, world.everything)),
        (own.policy, (of_ads, of_all)),
        (own.top_ups, (of_ads, of_all)),
        (own.balances, (of_ads, of_all)),
        (own.allocation, ("ads-open", "ads-done")),
        (own.usage_record, ("ads",)),
    ):
        for id in ids:
            told_missing(read, id, "missing")


def test_lists_have_what_is_ones_own_and_nothing_else(world: World) -> None:
    own = world.own
    assert {b.budget_id for b in own.budgets().items} == {world.split, world.search}
    assert {p.budget_id for p in own.policies().items} == {world.split, world.search}
    assert own.policies(budget_id=world.ads).items == []
    assert {a.allocation_id for a in own.allocations().items} == {"search-open", "search-done"}
    assert own.allocations(attributes={"team": "ads"}).items == []
    assert [u.usage_id for u in own.usage_records().items] == ["search"]
    assert own.usage_records(attributes={"user": "bob"}).items == []
    assert {s.policy.budget_id for s in own.standings().items} == {world.split, world.search}


def test_of_an_allocation_only_the_legs_are_told_that_may_be_seen(on_sqlite: World) -> None:
    names = {leg.budget for leg in on_sqlite.all.allocation("search-open").legs}
    assert names == {"All", "Per team", "Search"}
    assert {leg.budget for leg in on_sqlite.own.allocation("search-open").legs} == {
        "Per team", "Search",
    }  # fmt: skip
    for one in on_sqlite.own.allocations().items:
        assert {leg.budget for leg in one.legs} == {"Per team", "Search"}


def test_of_a_budget_that_is_split_only_the_own_partition_is_told(on_sqlite: World) -> None:
    own, split = on_sqlite.own, on_sqlite.policy_of(on_sqlite.split)
    (balance,) = own.balances(split).items
    assert balance.partition == '{"team":"search"}'
    (top_up,) = own.policy(split).top_ups
    assert top_up.reason == "search"
    assert [t.reason for t in own.top_ups(split)[0].items] == ["search"]
    assert [t.reason for t in own.budget(on_sqlite.split).policies[0].top_ups] == ["search"]
    (standing,) = own.budget_summary(on_sqlite.split).items
    # Each team has spent 0.1 USD and holds as much.
    assert (standing.balances, standing.spent) == (1, 100 * MILLI)
    assert (standing.open_allocations, standing.requests) == (1, 1)
    (whole,) = on_sqlite.all.budget_summary(on_sqlite.split).items
    assert (whole.balances, whole.spent, whole.open_allocations) == (2, 200 * MILLI, 2)


def test_the_status_is_that_of_the_balances_that_may_be_seen(on_sqlite: World) -> None:
    shown = {(view.budget, view.partition) for view in on_sqlite.own.status()}
    assert shown == {("Per team", '{"team":"search"}'), ("Search", "{}")}
    assert {view.budget for view in on_sqlite.own.status(user="ann")} == {"Per team", "Search"}
    with pytest.raises(Forbidden, match="bound to 'search'"):
        on_sqlite.own.status(team="ads")
    assert len(on_sqlite.all.status()) == 5


def test_sums_are_of_the_own_calls(world: World) -> None:
    asks: list[SummaryAsk] = [
        {"period": "daily"},
        {"period": "daily", "group_by": "team"},
        {"period": "daily", "group_by": "session"},
        {"period": "daily", "bucket": "day"},
    ]
    for ask in asks:
        told = world.own.usage_summary(**ask)
        assert (told.total.records, told.total.cost_nanos) == (1, 100 * MILLI)
        assert [g.values for g in told.groups] in ([], [("search",)], [("",)])
    assert world.own.usage_summary(scope={"team": "ads"}).total.records == 0
    assert world.own.coverage().total.calls == 1
    assert world.all.coverage().total.calls == 2
    assert world.own.what_if(models={"m": "m"}).records == 1
    assert world.all.what_if(models={"m": "m"}).records == 2


def test_who_is_bound_by_a_tag_or_a_model_is_told_its_own_too(books: Books, clock: Clock) -> None:
    for number, tag in enumerate(("x", "y")):
        books.record_usage(
            model="m", provider="P", input_tokens=number + 1, output_tokens=0, usage_id=tag,
            attributes={"tag.job": tag, "session": tag},
        )  # fmt: skip
    clock.move(1)
    for bound, found in (
        ({"tag.job": "x"}, {"x"}),
        ({"session": "y"}, {"y"}),
        ({"provider": "p"}, {"x", "y"}),
        ({"model": "p/M", "tag.job": "y"}, {"y"}),
        ({"model": "other"}, set()),
    ):
        own = bound_to(books, bound)
        assert {u.usage_id for u in own.usage_records().items} == found, bound
        assert own.usage_summary(period="daily").total.records == len(found), bound
        assert own.coverage().total.calls == len(found), bound


def test_pages_are_full_however_much_lies_between(books: Books, clock: Clock) -> None:
    for number in range(7):
        for name, attributes in (("own", SEARCH), ("foreign", ADS)):
            clock.move(1)
            books.create_budget(name=f"{name} {number}", scope=attributes, policies=[DAILY])
            allocated(
                books, allocation_id=f"{name}-{number}", attributes=attributes, requests=1, usd="0"
            )
    own = bound_to(books, {"team": "search"})
    for read in (own.budgets, own.policies, own.allocations):
        sizes: list[int] = []
        seen: list[Any] = []
        cursor = None
        while True:
            page = read(limit=3, cursor=cursor)
            sizes.append(len(page.items))
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert sizes == [3, 3, 1]
        assert len({str(item) for item in seen}) == 7
