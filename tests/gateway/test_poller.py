"""What goes on at a provider is booked though nobody but the gateway asks about it."""

import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest

from budget import Budget
from budget.domain.answers import Allocation
from budget.domain.errors import InvalidInput
from budget.gateway.poller import VARIABLE, read_first_seconds, wait_seconds
from budget.gateway.rules import Rules
from budget.gateway.works import open_works
from tests.fakes.providers import Providers
from tests.fakes.works import BEHIND, IN_BATCH
from tests.gateway.test_batches import OF_EACH, begun, booked, client_of, lines
from tests.gateway.through import REAL_KEY, Through, through

AT_ONCE = Rules(ask_seconds=0.02)
NEVER = Rules(ask_seconds=0)
OF_BEHIND = BEHIND[0] * 2_500 + BEHIND[1] * 10_000
OF_MESSAGES = IN_BATCH[0] * 500 + IN_BATCH[1] * 2_500
"""claude-haiku-4-5 in a batch: 0.50 USD per million input tokens, 2.50 of output."""


def await_true(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until it is so; whoever asked sees it if that fails."""
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)


def think(gateway: Through, **headers: Any) -> str:
    """Have an answer made in the background; its id."""
    asked = {"model": "gpt-4o", "input": "Think", "background": True, "max_output_tokens": 100}
    return str(gateway.post("/openai/v1/responses", asked, **headers).json()["id"])


def begin_each(gateway: Through) -> None:
    """A batch of OpenAI's, an answer in the background, and a batch of Anthropic's."""
    with client_of(gateway) as client:
        begun(client, lines(2, max_tokens=10))
    think(gateway)
    params: Any = {
        "model": "claude-haiku-4-5", "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}],
    }  # fmt: skip
    with anthropic.Anthropic(
        base_url=f"{gateway.url}/anthropic", api_key=gateway.key, max_retries=0
    ) as client:
        client.messages.batches.create(requests=[{"custom_id": "a", "params": params}])


def costs(gateway: Through) -> list[int]:
    """What each work cost, in nanos."""
    return sorted(record.cost_nanos or 0 for record in booked(gateway))


EACH = sorted([2 * OF_EACH, OF_BEHIND, OF_MESSAGES])


def test_what_ends_at_a_provider_is_booked_though_nobody_asks(
    sqlite_url: str, providers: Providers
) -> None:
    with through(sqlite_url, providers, rules=AT_ONCE) as gateway:
        gateway.limit("1")
        begin_each(gateway)
        asked = ("/v1/batches/batch_1", "/v1/responses/response_2", "/v1/messages/batches/")
        await_true(lambda: all(any(p.startswith(a) for p in paths(providers)) for a in asked))
        assert (gateway.open_holds(), booked(gateway)) == (3, [])
        providers.works.end()
        gateway.await_settled()
        assert costs(gateway) == EACH
        known = gateway.running.books.database
        assert open_works(known, 0) == []
    keys = [heads for heads in providers.headers() if "content-length" not in heads]
    assert {heads.get("x-api-key", "") for heads in keys} == {"", REAL_KEY}
    assert {heads.get("anthropic-version", "") for heads in keys} == {"", "2023-06-01"}
    assert {heads.get("authorization", "") for heads in keys} == {"", f"Bearer {REAL_KEY}"}


def paths(providers: Providers) -> list[str]:
    return [path for path, _ in providers.requests()]


def test_what_was_begun_before_a_restart_is_found_in_the_books_and_by_two_nodes_booked_once(
    sqlite_url: str, providers: Providers
) -> None:
    with through(sqlite_url, providers, rules=NEVER) as before:
        before.limit("1")
        begin_each(before)
    providers.works.end()
    with (
        through(sqlite_url, providers, rules=AT_ONCE) as gateway,
        through(sqlite_url, providers, rules=AT_ONCE) as other,
    ):
        gateway.await_settled()
        assert costs(gateway) == costs(other) == EACH
        assert gateway.books.verify().clean


def test_a_work_that_cannot_be_seen_just_now_is_asked_about_again(
    sqlite_url: str, providers: Providers
) -> None:
    with through(sqlite_url, providers, rules=AT_ONCE) as gateway:
        gateway.limit("1")
        think(gateway)
        providers.works.end()
        providers.works.is_away = True
        await_true(lambda: paths(providers).count("/v1/responses/response_1") >= 2)
        assert gateway.open_holds() == 1
        providers.works.is_away = False
        gateway.await_settled()
        assert costs(gateway) == [OF_BEHIND]


def test_a_hold_that_ends_before_its_work_is_held_for_another_day(
    sqlite_url: str, providers: Providers
) -> None:
    asked = {"model": "gpt-4o", "input": "Think", "background": True}
    httpx2.post(f"{providers.openai_url}/responses", json=asked, trust_env=False)
    with Budget.open(sqlite_url, sweep=False) as books:
        for work_id in ("response_1", "response_deleted"):
            notes = {"later": "responses", "upstream": "openai"}
            held = books.allocate(requests=1, ttl_seconds=600, metadata=notes)
            assert isinstance(held, Allocation)
            marker = f"use_later_{work_id}"
            books.record(held.allocation_id, usage_id=marker, input_tokens=0, requests=0)
    with through(sqlite_url, providers, rules=AT_ONCE) as gateway:

        def left_seconds() -> list[int]:
            held = gateway.books.allocations(sort="placed_at").items
            return [(one.expires_us - one.placed_us) // 1_000_000 for one in held]

        await_true(lambda: left_seconds()[0] > 600)
        kept, deleted = left_seconds()
        assert kept >= 86_400
        assert 600 <= deleted < 900


def test_what_a_caller_began_with_a_key_of_its_own_only_that_caller_can_ask_about(
    sqlite_url: str, providers: Providers
) -> None:
    with through(sqlite_url, providers, rules=NEVER) as gateway:
        think(gateway, X_Budget_Key=gateway.key, Authorization="Bearer sk-mine")
        (held,) = gateway.books.allocations(status="open").items
        assert held.metadata == '{"later":"responses"}'
        think(gateway)
        database = gateway.running.books.database
        (work,) = open_works(database, 0)
        assert (work.work_id, work.kind, work.upstream) == ("response_2", "responses", "openai")
        assert open_works(database, database.now_us() + 1) == []


def test_what_callers_of_the_api_write_into_holds_leads_nowhere(gateway: Through) -> None:
    written: list[tuple[str, dict[str, Any]]] = [
        ("..", {"later": "responses", "upstream": "openai"}),
        ("a", {"later": "responses", "upstream": 7}),
        ("b", {"later": ["batch"], "upstream": "openai"}),
        ("c", {}),
    ]
    for number, (work_id, metadata) in enumerate(written):
        held = gateway.books.allocate(requests=1, metadata=metadata)
        assert isinstance(held, Allocation)
        gateway.books.record(held.allocation_id, usage_id=f"use_later_{work_id}", input_tokens=0)
        assert open_works(gateway.running.books.database, 0) == [], number


def test_what_is_open_is_found_on_both_engines(database_url: str) -> None:
    with Budget.open(database_url, sweep=False) as books:
        notes = {"later": "batch", "upstream": "openai"}
        for number in range(3):
            held = books.allocate(requests=1, metadata=notes)
            assert isinstance(held, Allocation)
            books.record(
                held.allocation_id, usage_id=f"use_later_batch_{number}", input_tokens=0,
                final=number == 1,
            )  # fmt: skip
        found = open_works(books.books.database, 0)
        assert [work.work_id for work in found] == ["batch_0", "batch_2"]


def test_the_longer_a_work_goes_on_the_less_often_it_is_asked_about() -> None:
    assert wait_seconds(0, 5, 0.5) == 5
    assert wait_seconds(80, 5, 0.5) == 10
    assert wait_seconds(8 * 3600, 5, 0.5) == 3600
    assert wait_seconds(1e9, 5, 0.5) == 3600
    assert wait_seconds(80, 5, 0) == 7.5
    assert wait_seconds(80, 5, 1) == 12.5


def test_when_it_is_first_asked_about_is_for_the_operator_to_say() -> None:
    assert read_first_seconds({}) == 5
    assert read_first_seconds({VARIABLE: "0"}) == 0
    assert read_first_seconds({VARIABLE: "3600"}) == 3600
    for text in ("-1", "3601", "soon", "1.5", "²"):
        with pytest.raises(InvalidInput, match=VARIABLE):
            read_first_seconds({VARIABLE: text})
