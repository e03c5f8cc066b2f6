"""Summaries: what usage adds up to, exact to the microsecond, whatever it is read from."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.domain.answers_usage import Figures, UsageSummary
from budget.domain.asks_reading import SummaryAsk
from budget.domain.errors import InvalidInput
from budget.domain.windows import Window, to_rfc3339
from budget.engine import summaries
from budget.engine.budget import Budget as Books
from budget.engine.summing import Part, parts_of
from tests.engine.opened import DAY, HOUR, MILLI, MINUTE, Clock, allocated, refused, us

NOON = us("2026-05-15 12:00")


def spend(books: Books, at_us: int, tokens: int, **attributes: str) -> str:
    """Usage of so many input tokens of `m`, a thousandth of a dollar each."""
    booked = books.record_usage(
        model="m", input_tokens=tokens, output_tokens=0, occurred_at=to_rfc3339(at_us),
        attributes={name.replace("__", "."): value for name, value in attributes.items()},
    )  # fmt: skip
    return booked.usage_id


def groups(told: UsageSummary) -> dict[tuple[str, ...], tuple[int, int]]:
    """(records, cost in thousandths of a dollar) by group."""
    return {
        group.values: (group.figures.records, group.figures.cost_nanos // MILLI)
        for group in told.groups
    }


def times(window: tuple[str, str]) -> dict[str, Any]:
    return dict(zip(("since", "until"), window, strict=True))


# --- Parts ---------------------------------------------------------------------------------------


def test_a_span_is_cut_into_edges_hours_and_days() -> None:
    since, until = us("2026-05-01 10:30"), us("2026-05-04 02:15")
    assert parts_of(Window(since, until), rolled_up=True) == [
        Part("records", since, us("2026-05-01 11:00")),
        Part("hour", us("2026-05-01 11:00"), us("2026-05-02 00:00")),
        Part("day", us("2026-05-02 00:00"), us("2026-05-04 00:00")),
        Part("hour", us("2026-05-04 00:00"), us("2026-05-04 02:00")),
        Part("records", us("2026-05-04 02:00"), until),
    ]
    assert parts_of(Window(since, until), rolled_up=False) == [Part("records", since, until)]
    assert parts_of(Window(0, DAY), rolled_up=True) == [Part("day", 0, DAY)]
    assert parts_of(Window(HOUR, 3 * HOUR), rolled_up=True) == [Part("hour", HOUR, 3 * HOUR)]
    assert parts_of(Window(1, HOUR), rolled_up=True) == [Part("records", 1, HOUR)]


@given(since=st.integers(0, 5 * DAY), length=st.integers(1, 5 * DAY))
def test_parts_touch_and_cover_the_span(since: int, length: int) -> None:
    parts = parts_of(Window(since, since + length), rolled_up=True)
    at = since
    for part in parts:
        assert part.start_us == at < part.end_us
        at = part.end_us
        if part.grain != "records":
            width = {"hour": HOUR, "day": DAY}[part.grain]
            assert part.start_us % width == part.end_us % width == 0
    assert at == since + length


# --- Sums ----------------------------------------------------------------------------------------


def test_the_sum_is_of_the_span_to_the_microsecond(books: Books) -> None:
    for at_us, tokens in ((NOON - DAY, 1), (NOON - HOUR, 2), (NOON - 1, 4), (NOON, 8)):
        spend(books, at_us, tokens)
    for since_us, until_us, tokens in (
        (NOON - DAY, NOON, 7),
        (NOON - DAY + 1, NOON + 1, 14),
        (NOON - HOUR, NOON - 1, 2),
        (NOON - 2 * DAY, NOON + HOUR, 15),
        (NOON + 1, NOON + HOUR, 0),
    ):
        window = (to_rfc3339(since_us), to_rfc3339(until_us))
        grouped: list[SummaryAsk] = [{}, {"group_by": ["team"]}, {"group_by": ["session"]}]
        for how in grouped:
            told = books.usage_summary(**times(window), **how)
            assert told.total.input_tokens == tokens
            assert told.total.cost_nanos == tokens * MILLI


def test_a_corrected_record_counts_once_as_it_is_now(books: Books) -> None:
    usage_id = spend(books, NOON, 10, team="a")
    books.correct(usage_id, reason="counted wrong", replacement={"input_tokens": 3})
    gone = spend(books, NOON, 5, team="b")
    books.correct(gone, reason="never happened")
    for group_by in ("team", "team,session"):
        told = books.usage_summary(period="daily", group_by=group_by)
        assert (told.total.records, told.total.input_tokens) == (1, 3)
        assert [group.values[0] for group in told.groups] == ["a"]
        assert told.other is None


def test_unpriced_usage_is_counted_and_costs_nothing(light: Books) -> None:
    light.record_usage(model="unknown", input_tokens=7, output_tokens=1)
    told = light.usage_summary(period="hourly")
    assert told.total == Figures(records=1, requests=1, input_tokens=7, output_tokens=1, unpriced=1)
    by_model = told.by["model"]
    assert [(group.values, group.figures.unpriced) for group in by_model] == [(("unknown",), 1)]


def test_groups_beyond_the_most_are_summed_as_other(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "MAX_GROUPS", 2)
    for number in range(1, 5):
        spend(books, NOON, number, team=f"t{number}", session=f"s{number}")
    for key in ("team", "session"):
        told = books.usage_summary(period="daily", group_by=[key], bucket="hour")
        assert [group.values[0][1:] for group in told.groups] == ["4", "3"]
        assert told.other is not None
        assert (told.other.records, told.other.input_tokens) == (2, 3)
        busy = [bucket for bucket in told.buckets if bucket.figures.records]
        assert [bucket.other for bucket in busy] == [told.other]
        assert [sum(one.input_tokens for one in group.buckets) for group in told.groups] == [4, 3]


def test_days_are_those_of_the_zone_also_where_it_is_off_by_half_an_hour(books: Books) -> None:
    # 18:30 UTC is midnight in Kolkata, 18:15 in Kathmandu; Berlin is two hours ahead in May.
    spend(books, us("2026-05-14 18:20"), 1)
    spend(books, us("2026-05-14 18:40"), 2)
    spend(books, us("2026-05-14 22:30"), 4)
    for zone, tokens in (
        ("UTC", [7, 0]), ("Asia/Kolkata", [1, 6]), ("Asia/Kathmandu", [0, 7]),
        ("Europe/Berlin", [3, 4]),
    ):  # fmt: skip
        told = books.usage_summary(
            since="2026-05-14T12:00:00Z", until="2026-05-15T12:00:00Z", bucket="day",
            timezone=zone,
        )  # fmt: skip
        assert [bucket.figures.input_tokens for bucket in told.buckets] == tokens, zone
        assert told.buckets[0].window.start_us == us("2026-05-14 12:00")
        assert told.buckets[-1].window.end_us == NOON


def test_weeks_begin_on_monday_and_months_on_the_first(light: Books, clock: Clock) -> None:
    week = light.usage_summary(period="weekly").window
    assert week == (us("2026-05-11 00:00"), us("2026-05-18 00:00"))
    told = light.usage_summary(
        since="2026-05-06T00:00:00Z", until="2026-05-20T00:00:00Z", bucket="week"
    )
    assert [bucket.window.start_us for bucket in told.buckets] == [
        us("2026-05-06 00:00"), us("2026-05-11 00:00"), us("2026-05-18 00:00"),
    ]  # fmt: skip
    month = light.usage_summary(period="monthly", timezone="Europe/Berlin").window
    assert month == (us("2026-04-30 22:00"), us("2026-05-31 22:00"))


def test_the_usage_of_a_budget_is_what_its_scope_meets(books: Books) -> None:
    made = books.create_budget(
        name="GPT", scope={"model": ["M", "x*"], "team": "a*"},
        policies=[{"unit": "usd", "period": "daily", "limit": "1", "enforcement": "warn"}],
    )  # fmt: skip
    spend(books, NOON, 1, team="ab")
    spend(books, NOON, 2, team="b")
    assert books.usage_summary(period="daily", budget_id=made.budget_id).total.input_tokens == 1
    for wanted in ("m", "P/M", "m*", "*"):
        assert books.usage_summary(period="daily", model=wanted).total.records == 2, wanted
    assert books.usage_summary(period="daily", model="other").total == Figures()


RECORDS = st.lists(
    st.tuples(
        st.integers(0, 2 * DAY - 1), st.integers(0, 50), st.sampled_from(["", "a", "b"]),
        st.sampled_from(["", "x", "y"]), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=RECORDS, cut=st.tuples(st.integers(0, DAY), st.integers(DAY + 1, 2 * DAY)))
def test_every_way_to_group_adds_up_to_the_records(
    light: Books, clock: Clock, records: list[Any], cut: tuple[int, int]
) -> None:
    clock.now_us += 4 * DAY  # what examples before have booked lies before this one
    base = clock.now_us - clock.now_us % DAY - 2 * DAY
    for offset, tokens, team, tag, wrong in records:
        named = {name: value for name, value in (("team", team), ("tag__x", tag)) if value}
        usage_id = spend(light, base + offset, tokens, **named)
        if wrong:
            light.correct(usage_id, reason="drawn")
    since_us, until_us = base + cut[0], base + cut[1]
    expected: Counter[tuple[str, str]] = Counter()
    for offset, tokens, team, tag, wrong in records:
        if since_us <= base + offset < until_us and not wrong:
            expected[team, tag] += tokens
    window = times((to_rfc3339(since_us), to_rfc3339(until_us)))
    buckets: list[SummaryAsk] = [{}, {"bucket": "day"}]
    for size, parts in product(("team", "tag.x", "team,tag.x", "team,model"), buckets):
        told = light.usage_summary(**window, group_by=size, **parts)
        assert told.total.input_tokens == sum(expected.values())
        assert sum(group.figures.input_tokens for group in told.groups) == sum(expected.values())
        if parts:
            assert sum(b.figures.input_tokens for b in told.buckets) == sum(expected.values())
            for group in told.groups:
                assert sum(b.input_tokens for b in group.buckets) == group.figures.input_tokens
    both = light.usage_summary(**window, group_by="team,tag.x")
    found = {group.values: group.figures.input_tokens for group in both.groups}
    assert {key: n for key, n in found.items() if n} == {k: n for k, n in expected.items() if n}


# --- Input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"period": "minute"}, "period"),
        ({"period": 7}, "period"),
        ({"bucket": "year"}, "bucket"),
        ({"bucket": "hour", "period": "yearly"}, "bucket"),
        ({"bucket": "day", "period": "total"}, "bucket"),
        ({"group_by": []}, "group_by"),
        ({"group_by": ["team", 7]}, "group_by"),
        ({"group_by": {"team": 1}}, "group_by"),
        ({"group_by": "task_type,taskType"}, "group_by"),
        ({"timezone": "UTC+1"}, "timezone"),
        ({"since": "x"}, "since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since"),
        ({"since": "2026-01-01T00:00:00Z", "start_time": "2026-01-01T00:00:00Z"}, "since"),
        ({"scope": {"colour": "red"}}, "scope"),
        ({"scope": "red"}, "scope"),
        ({"provider": 7}, "scope.provider"),
        ({"budget_id": 7}, "budget_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_summed_is_told_by_its_name(
    light: Books, ask: dict[str, Any], field: str
) -> None:
    error = refused(light.usage_summary, **ask)
    assert isinstance(error, InvalidInput)
    assert error.field == field


def test_an_hour_of_records_is_not_counted_twice(light: Books) -> None:
    for minute in range(0, 180, 30):
        spend(light, NOON - 3 * HOUR + minute * MINUTE, 1, team="a")
    told = light.usage_summary(
        since=to_rfc3339(NOON - 3 * HOUR - MINUTE), until=to_rfc3339(NOON - MINUTE),
        group_by="team",
    )  # fmt: skip
    assert groups(told) == {("a",): (6, 6)}


def test_the_sums_are_those_of_the_balances_and_of_the_proof(books: Books) -> None:
    made = books.create_budget(
        name="All", per=["team"], policies=[{"unit": "usd", "period": "daily", "limit": "1"}]
    )
    for number, team in enumerate(("a", "b", "a"), start=1):
        held = allocated(
            books, model="m", input_tokens=10, max_output_tokens=0, attributes={"team": team}
        )
        books.settle(held.allocation_id, input_tokens=number, output_tokens=0)
    told = books.usage_summary(period="daily", group_by="team")
    by_team = {
        view.partition: view.spent for view in books.balances(made.policies[0].policy_id).items
    }
    assert by_team == {'{"team":"a"}': 4 * MILLI, '{"team":"b"}': 2 * MILLI}
    assert groups(told) == {("a",): (2, 4), ("b",): (1, 2)}
    proof = books.verify()
    assert (proof.violations, proof.usage_records) == ((), told.total.records)
