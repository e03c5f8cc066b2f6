"""Contexts: what each used of what it was allocated, in figures that are worked out by hand."""

from typing import Any

import pytest

from budget.client.reading import contexts as read
from budget.domain.answers_contexts import Context
from budget.domain.errors import InvalidInput, NotFound
from budget.domain.wire import contexts as written
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from tests.engine.opened import MILLI, MINUTE, Clock, allocated

PER_SESSION: Any = {"unit": "tokens", "period": "per_session", "limit": 32_000}
DAILY: Any = {**PER_SESSION, "period": "daily"}
IN_USD: Any = {**PER_SESSION, "unit": "usd"}


def use(books: Books, session: str, input_tokens: int, output_tokens: int = 0, **who: Any) -> None:
    """A call of `m` that nobody reserved."""
    books.record_usage(
        context_id=session, model="m", input_tokens=input_tokens, output_tokens=output_tokens, **who
    )


def settle(books: Books, session: str, held: int, used: int, **who: Any) -> None:
    """A call that was held by tokens and used some."""
    hold = allocated(books, context_id=session, tokens=held, **who)
    books.settle(hold.allocation_id, input_tokens=used)


def names(books: Books, **ask: Any) -> list[str]:
    return [one.session for one in books.contexts(**ask).items]


def test_a_context_is_told_by_what_it_used_and_held(books: Books, clock: Clock) -> None:
    began = clock.now_us
    settle(books, "ctx", 1000, 600, component="rhetor", task_type="chat", model="m")
    clock.move(MINUTE)
    use(books, "ctx", 300, 100, component="apollo", task_type="coding")
    clock.move(MINUTE)
    allocated(books, context_id="ctx", component="rhetor", tokens=50)
    use(books, "other", 7)
    told = books.context("ctx")
    assert (told.first_us, told.last_us) == (began, began + 2 * MINUTE)
    assert (told.requests, told.input_tokens, told.output_tokens) == (2, 900, 100)
    assert told.cost_nanos == 900 * MILLI + 100 * 2 * MILLI
    assert (told.allocations, told.open_allocations, told.reserved_tokens) == (2, 1, 50)
    assert (told.allocated_tokens, told.used_tokens, told.efficiency_bps) == (1000, 600, 6000)
    assert told.fill_tokens == 400
    assert told.attributes["component"] == "apollo"  # of the newest call
    assert [(one.component, one.task_type, one.input_tokens) for one in told.by] == [
        ("rhetor", "chat", 600), ("apollo", "coding", 300),
    ]  # fmt: skip
    assert [(one.at_us, one.input_tokens, one.output_tokens) for one in told.uses] == [
        (began, 600, 0), (began + MINUTE, 300, 100),
    ]  # fmt: skip


def test_when_its_own_limit_is_used_up_is_foretold(books: Books, clock: Clock) -> None:
    scope: Any = {"tier": "remote_heavyweight"}
    books.create_budget(name="Contexts", scope=scope, policies=[PER_SESSION])
    books.create_budget(name="Daily", policies=[DAILY])
    for _ in range(4):
        use(books, "ctx", 3500, 500)
        clock.move(MINUTE)
    use(books, "other", 1)
    told = books.context("ctx")
    (limit,) = told.exhaustions  # not the day's, which others use too; and `m` tells no window
    assert (limit.of, limit.unit, limit.budget) == ("limit", "tokens", "Contexts")
    assert (limit.limit, limit.used, limit.left, limit.calls_left) == (32_000, 16_000, 16_000, 4)
    # 12,000 tokens after the first call in four minutes: 16,000 more in 5 1/3.
    assert limit.at_us == clock.now_us + 16 * MINUTE // 3
    assert told.soonest == limit


def test_what_is_held_counts_as_used_of_its_limit(light: Books) -> None:
    light.create_budget(name="Contexts", policies=[PER_SESSION])
    allocated(light, context_id="ctx", tokens=31_000)
    told = light.context("ctx")
    assert [(one.used, one.left) for one in told.exhaustions] == [(31_000, 1000)]
    assert [hint.kind for hint in told.hints] == ["limit"]


def test_a_correction_leaves_the_true_call(books: Books, clock: Clock) -> None:
    use(books, "ctx", 9000)
    clock.move(MINUTE)
    record = books.usage_records().items[0]
    books.correct(record.usage_id, reason="wrong", replacement={"input_tokens": 900})
    use(books, "gone", 5)
    record = books.usage_records(session="gone").items[0]
    books.correct(record.usage_id, reason="never happened")
    told = books.context("ctx")
    assert (told.input_tokens, told.requests) == (900, 1)
    assert [one.input_tokens for one in told.uses] == [900]
    gone = books.context("gone")
    assert (gone.input_tokens, gone.uses, gone.by) == (0, (), ())


def test_an_envelope_counts_by_its_calls(books: Books) -> None:
    run = allocated(books, context_id="ctx", envelope=True, tokens=5000)
    child = allocated(books, parent_id=run.allocation_id, tokens=1000)
    books.settle(child.allocation_id, input_tokens=800)
    told = books.context("ctx")
    assert (told.allocations, told.allocated_tokens, told.used_tokens) == (1, 1000, 800)


def test_contexts_come_in_pages_by_name(books: Books) -> None:
    for name in ("c", "a", "e", "b"):
        use(books, name, 1)
    allocated(books, context_id="d", tokens=5)  # of which nothing is used yet
    use(books, "b", 1)
    books.record_usage(model="m", input_tokens=1)  # of no context
    first = books.contexts(limit=2)
    assert [one.session for one in first.items] == ["a", "b"]
    second = books.contexts(limit=2, cursor=first.next_cursor)
    assert [one.session for one in second.items] == ["c", "d"]
    third = books.contexts(limit=2, cursor=second.next_cursor)
    assert ([one.session for one in third.items], third.next_cursor) == (["e"], None)
    assert books.context("d").attributes["session"] == "d"


def test_contexts_are_found_by_component_tier_task_type_and_time(
    books: Books, clock: Clock
) -> None:
    use(books, "one", 1, component="rhetor", tier="local_lightweight", task_type="chat")
    clock.move(MINUTE)
    use(books, "two", 1, component="rhetor", tier="remote_heavyweight", task_type="coding")
    use(books, "three", 1, component="athena", tier="remote_heavyweight", task_type="chat")
    assert names(books, component="rhetor") == ["one", "two"]
    assert names(books, tier="remote_heavyweight") == ["three", "two"]
    assert names(books, task_type="chat", component="athena") == ["three"]
    assert names(books, since="2026-05-15T12:01:00Z") == ["three", "two"]
    assert names(books, component="nobody") == []


def test_bad_input_names_its_field(light: Books) -> None:
    for ask, field in (
        ({"limit": 0}, "limit"), ({"cursor": "x"}, "cursor"), ({"since": "noon"}, "since"),
        ({"component": ""}, "attributes.component"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            light.contexts(**ask)
        assert caught.value.field == field
    for name in ("nobody", "a\x00b", "\ud800"):
        with pytest.raises(NotFound):
            light.context(name)


def test_who_is_bound_sees_its_own_calls_alone(books: Books) -> None:
    bound: Any = {"team": "search"}
    books.create_budget(name="All", policies=[PER_SESSION])
    mine: Any = {"team": "search"}
    use(books, "shared", 100, attributes=mine)
    use(books, "shared", 900, attributes={"team": "ads"})
    use(books, "theirs", 900, attributes={"team": "ads"})
    own = books.acting_as(Caller("key", manage=False, bound=bound))
    assert names(own) == ["shared"]
    told = own.context("shared")
    assert (told.input_tokens, told.exhaustions) == (100, ())
    with pytest.raises(NotFound):
        own.context("theirs")
    settle(books, "theirs", 1000, 10, attributes={"team": "ads"})
    settle(books, "shared", 1000, 500, attributes=mine)
    assert own.efficiency().total.used_tokens == 500
    assert [one.calls for one in own.sizes()] == [1]


def test_efficiency_is_told_by_attributes(books: Books, clock: Clock) -> None:
    settle(books, "one", 1000, 500, component="rhetor", task_type="chat")
    settle(books, "one", 1000, 1500, component="rhetor", task_type="chat")
    settle(books, "two", 4000, 1000, component="rhetor", task_type="coding")
    use(books, "two", 9999, component="rhetor")  # not held
    allocated(books, context_id="two", tokens=7, component="rhetor")  # not settled
    told = books.efficiency(group_by=["component", "task_type"])
    assert [(one.values, one.calls, one.allocated_tokens, one.used_tokens, one.overrun_tokens,
             one.efficiency_bps) for one in told.groups] == [
        (("rhetor", "coding"), 1, 4000, 1000, 0, 2500),
        (("rhetor", "chat"), 2, 2000, 2000, 500, 10_000),
    ]  # fmt: skip
    assert (told.total.calls, told.total.efficiency_bps) == (3, 5000)
    by_context = books.efficiency(group_by="context_id", task_type="chat")
    assert [(one.values, one.used_tokens) for one in by_context.groups] == [(("one",), 2000)]
    assert books.efficiency().group_by == ("component", "tier", "task_type")
    clock.move(MINUTE)
    assert books.efficiency(until="2026-05-15T12:00:00Z").groups == []
    assert books.efficiency(since="2026-05-15T12:00:01Z").total.efficiency_bps is None


def test_efficiency_refuses_what_it_cannot_group_by(light: Books) -> None:
    for ask, field in (
        ({"group_by": []}, "group_by"), ({"group_by": "a,b,c,d,e,f,g,h,i"}, "group_by"),
        ({"group_by": 7}, "group_by"), ({"group_by": "nothing"}, "group_by"),
        ({"since": "2026-05-15T12:00:00Z", "until": "2026-05-15T12:00:00Z"}, "since"),
        ({"odd": 1}, "odd"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            light.efficiency(**ask)
        assert caught.value.field == field


def test_what_is_written_is_read_back(books: Books, clock: Clock) -> None:
    books.create_budget(name="Contexts", policies=[PER_SESSION, IN_USD])
    for n in range(6):
        settle(books, "ctx", 9000, 100 + 200 * n, model="m")
        clock.move(MINUTE)
    told = books.context("ctx")
    assert {hint.kind for hint in told.hints} == {"input_growth", "size"}
    assert read.context(written.context_in_full(told)) == told
    brief: Context = books.contexts().items[0]
    assert read.context(written.context(brief)) == brief
    efficiency = books.efficiency()
    assert read.efficiencies(written.efficiencies(efficiency)) == efficiency
    sizes = books.sizes()
    assert read.sizes(written.sizes(sizes)) == sizes
