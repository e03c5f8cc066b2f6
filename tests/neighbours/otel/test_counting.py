"""Metrics of calls as usage: what each series grew by, once, whatever fails in between."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from budget.domain.errors import Unavailable
from budget.engine.budget import AsyncBudget
from budget.engine.callers import LOCAL, Caller
from budget.neighbours.otel import counting
from budget.neighbours.otel.booking import Taken, book_asks
from budget.neighbours.otel.counting import Counting
from budget.neighbours.otel.encodings import encoding_of
from budget.prices.book import PriceBook
from tests.http.running import migrate
from tests.neighbours.otel.saying import (
    CHAT,
    DELTA,
    Json,
    attributes,
    counter,
    histogram,
    json_encoding,
    metrics,
    metrics_in_protobuf,
)
from tests.support.databases import SqliteDatabases

pytestmark = pytest.mark.anyio

SAID = {name: value for name, value in CHAT.items() if "usage" not in name}
USAGE = "gen_ai.client.inference.usage"
START = 1_795_000_000 * 10**9
SECOND = 10**9
NOWHERE: frozenset[tuple[str, int]] = frozenset()


@pytest.fixture
async def budget(sqlite_databases: SqliteDatabases) -> AsyncIterator[AsyncBudget]:
    opened = await AsyncBudget.open(
        sqlite_databases.new(migrate), prices=PriceBook(None), sweep=False
    )
    yield opened
    await opened.close()


def point(value: int, seconds: int, said: Mapping[str, str] = {}, *, start: int = START) -> Json:
    """A point of a counter, so long after the first start."""
    return {
        "attributes": attributes({**SAID, **said}), "asInt": str(value),
        "startTimeUnixNano": str(start), "timeUnixNano": str(START + seconds * SECOND),
    }  # fmt: skip


def old(kind: str, total: int, count: int, seconds: int) -> Json:
    """A point of the older histogram."""
    return {
        "attributes": attributes({**SAID, "gen_ai.token.type": kind}), "sum": total,
        "count": str(count), "startTimeUnixNano": str(START),
        "timeUnixNano": str(START + seconds * SECOND),
    }  # fmt: skip


def both(read: int, made: int, seconds: int, *, start: int = START, temporality: int = 2) -> Json:
    """Counters of input and output."""
    return metrics(
        counter(f"{USAGE}.input_tokens", [point(read, seconds, start=start)], temporality),
        counter(f"{USAGE}.output_tokens", [point(made, seconds, start=start)], temporality),
    )


async def take(
    counted: Counting, request: Json, caller: Caller = LOCAL, *, protobuf: bool = False
) -> Taken:
    if protobuf:
        encoding = encoding_of("application/x-protobuf")
        assert encoding is not None
        return await counted.take(metrics_in_protobuf(request), encoding, caller, NOWHERE)
    return await counted.take(json.dumps(request).encode(), json_encoding(), caller, NOWHERE)


async def booked(budget: AsyncBudget) -> list[tuple[int, int, int]]:
    """Input, output and requests of the usage records, the first first."""
    page = await budget.usage_records(limit=100)
    rows = [(one.usage.input_tokens, one.usage.output_tokens, one.usage.requests)
            for one in page.items]  # fmt: skip
    return rows[::-1]


async def total(budget: AsyncBudget) -> tuple[int, int]:
    found = await booked(budget)
    return sum(one[0] for one in found), sum(one[1] for one in found)


async def test_a_cumulative_series_is_booked_by_what_it_grew(budget: AsyncBudget) -> None:
    counted = Counting(budget)
    assert (await take(counted, both(100, 10, 1))).booked == 1
    assert (await take(counted, both(100, 10, 2))).booked == 0
    assert (await take(counted, both(150, 30, 3), protobuf=True)).booked == 1
    assert await booked(budget) == [(100, 10, 0), (50, 20, 0)]
    (first, *_) = (await budget.usage_records()).items
    assert (first.provider, first.model) == ("openai", "gpt-4o")
    assert first.attributes["component"] == "app"


async def test_what_comes_again_or_out_of_order_counts_nothing(budget: AsyncBudget) -> None:
    counted = Counting(budget)
    for request in (both(100, 10, 2), both(100, 10, 2), both(60, 5, 1)):
        await take(counted, request)
    assert (await take(counted, both(100, 10, 2))).before == 1
    assert await total(budget) == (100, 10)


async def test_who_starts_anew_counts_from_nothing_also_beside_others(budget: AsyncBudget) -> None:
    counted, again = Counting(budget), START + 5 * SECOND
    await take(counted, both(100, 10, 1))
    await take(counted, both(30, 3, 6, start=again))
    await take(counted, both(110, 11, 7))  # the first one still lives: two of one name
    await take(counted, both(40, 4, 8, start=again))
    assert await total(budget) == (150, 15)


async def test_a_figure_that_falls_without_a_new_start_began_anew(budget: AsyncBudget) -> None:
    counted = Counting(budget)
    await take(counted, both(100, 10, 1))
    await take(counted, both(20, 2, 2))
    assert await total(budget) == (120, 12)


async def test_a_restart_of_ours_counts_nothing_twice(budget: AsyncBudget) -> None:
    await take(Counting(budget), both(100, 10, 1))
    await take(Counting(budget), both(100, 10, 1))
    await take(Counting(budget), both(130, 13, 2))
    assert await total(budget) == (130, 13)


@pytest.mark.parametrize("booked_first", [False, True])
async def test_a_crash_between_noting_and_booking_loses_and_doubles_nothing(
    budget: AsyncBudget, monkeypatch: pytest.MonkeyPatch, booked_first: bool
) -> None:
    async def crash(*told: Any) -> Any:
        if booked_first:
            await book_asks(*told)
        raise Unavailable("The database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(counting, "book_asks", crash)
        with pytest.raises(Unavailable):
            await take(Counting(budget), both(100, 10, 1))
    await take(Counting(budget), both(130, 13, 2))  # another run, and a later point
    assert await total(budget) == (130, 13)


async def test_when_the_books_are_away_what_grew_is_booked_by_the_next_request(
    budget: AsyncBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Any:
        raise Unavailable("The database does not answer.")

    counted = Counting(budget)
    with monkeypatch.context() as patch:
        patch.setattr("budget.neighbours.notes.Notes.put_all", away)
        with pytest.raises(Unavailable):
            await take(counted, both(100, 10, 1))
    await take(counted, both(130, 13, 2))
    assert await total(budget) == (130, 13)


async def test_deltas_are_known_by_their_window(budget: AsyncBudget) -> None:
    counted = Counting(budget)
    for request in (
        both(100, 10, 1, temporality=DELTA),
        both(100, 10, 1, temporality=DELTA),
        both(100, 10, 2, start=START + SECOND, temporality=DELTA),
    ):
        await take(counted, request)
        await take(Counting(budget), request)
    assert await booked(budget) == [(100, 10, 0), (100, 10, 0)]


async def test_the_older_histogram_counts_where_the_counters_are_not_there(
    budget: AsyncBudget,
) -> None:
    counted = Counting(budget)
    sums = histogram(
        "gen_ai.client.token.usage", [old("input", 300, 3, 1), old("output", 30, 3, 1)]
    )
    await take(counted, metrics(sums))
    assert await booked(budget) == [(300, 30, 3)]
    newer = both(400, 40, 2)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    later = histogram(
        "gen_ai.client.token.usage", [old("input", 400, 4, 2), old("output", 40, 4, 2)]
    )
    other = metrics(*newer, later, about={"service.name": "other"})
    await take(counted, other, protobuf=True)
    assert await booked(budget) == [(300, 30, 3), (400, 40, 4)]


async def test_calls_are_counted_by_their_durations_and_sounds_are_told_apart(
    budget: AsyncBudget,
) -> None:
    spoken = point(80, 1, {"gen_ai.token.modality": "audio"})
    written = point(20, 1, {"gen_ai.token.modality": "text"})
    took = {**old("", 9, 7, 1), "attributes": attributes(SAID)}
    await take(Counting(budget), metrics(
        counter(f"{USAGE}.input_tokens", [spoken, written]),
        histogram("gen_ai.client.operation.duration", [took]),
    ))  # fmt: skip
    (one,) = (await budget.usage_records()).items
    assert (one.usage.input_tokens, one.usage.requests) == (100, 7)
    assert dict(one.usage.units) == {"input_audio_tokens": 80}


async def test_calls_are_counted_by_the_histogram_for_each_where_no_duration_is_told(
    budget: AsyncBudget,
) -> None:
    each = [
        {**old("", 80, 3, 1), "attributes": attributes({**SAID, "gen_ai.token.modality": how})}
        for how in ("text", "audio")
    ]
    await take(Counting(budget), metrics(
        counter(f"{USAGE}.input_tokens", [point(80, 1)]),
        histogram("gen_ai.client.inference.operation.input_tokens", each),
    ))  # fmt: skip
    assert await booked(budget) == [(80, 0, 3)]


async def test_what_is_no_usage_is_left_out_and_what_cannot_be_is_rejected(
    budget: AsyncBudget,
) -> None:
    counted = Counting(budget)
    agent = [point(5, 1, {"gen_ai.operation.name": "invoke_agent"})]
    taken = await take(counted, metrics(
        counter(f"{USAGE}.input_tokens", agent),
        counter("http.requests", [point(5, 1)]),
        counter(f"{USAGE}.output_tokens", [point(-1, 1, {"gen_ai.agent.name": "x"})]),
    ))  # fmt: skip
    assert (taken.booked, taken.rejected) == (0, 1)
    assert taken.left == {"no call of a model": 1}
    ours = both(100, 10, 1)
    ours["resourceMetrics"][0]["resource"]["attributes"] += attributes({"budget.instance": "i"})
    assert (await take(counted, ours)).left == {"booked already": 1}
    assert await booked(budget) == []


async def test_what_a_key_is_bound_to_is_so_after_a_crash_too(
    budget: AsyncBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> Any:
        raise Unavailable("The database does not answer.")

    blue = Caller("key_blue", manage=False, bound={"team": "blue"})
    with monkeypatch.context() as patch:
        patch.setattr(counting, "book_asks", crash)
        with pytest.raises(Unavailable):
            await take(Counting(budget), both(100, 10, 1), blue)
    await take(Counting(budget), metrics())
    (one,) = (await budget.usage_records()).items
    assert (one.attributes["team"], one.attributes["key"]) == ("blue", "key_blue")


async def test_only_so_many_series_are_followed(
    budget: AsyncBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MAX_SERIES", 2)
    points = [point(5, 1, {"gen_ai.agent.name": f"a{at}"}) for at in range(4)]
    taken = await take(Counting(budget), metrics(counter(f"{USAGE}.input_tokens", points)))
    assert (taken.booked, taken.rejected) == (2, 2)
