"""The service ends, or its books cannot be had, while calls are under way: nothing is lost."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from budget import Budget
from budget.storage.sqlite_database import SqliteDatabase
from tests.fakes.providers import Providers
from tests.gateway.through import Through
from tests.support.databases import SqliteDatabases
from tests.support.nursery import Nursery, shared
from tests.support.services import Service

ASKED: Final[Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Say five words."}],
    "max_tokens": 40,
}
CHAT: Final = "/openai/v1/chat/completions"
SLOWLY: Final = "words=40 delay_ms=25"
POLICY: Final[Any] = {
    "unit": "usd", "period": "daily", "limit": "1", "enforcement": "hard_limit"
}  # fmt: skip


@pytest.fixture(scope="module")
def nursery() -> Nursery:
    """Forks services that need no start-up time."""
    return shared()


@pytest.fixture
def service(
    sqlite_databases: SqliteDatabases, nursery: Nursery, providers: Providers, tmp_path: Path
) -> Iterator[Service]:
    """The real service, `budget serve`, whose gateway leads to the fake providers."""
    environment = {"BUDGET_GATEWAY_OPENAI_BASE_URL": providers.openai_url, "OPENAI_API_KEY": "sk-1"}
    made = Service(nursery, tmp_path, sqlite_databases.new(), environment=environment)
    made.start()
    with Budget.open(made.target, sweep=False) as books:
        books.create_budget(name="Everything", policies=[POLICY])
    yield made
    made.stop()


class Caller(threading.Thread):
    """One call, in a thread: what has come of its answer, and whether that was all."""

    def __init__(
        self, url: str, key: str, *, streamed: bool, how: str = SLOWLY, limit: int | None = 40
    ) -> None:
        super().__init__(daemon=True)
        self.came = b""
        self.status = 0
        self.is_whole = False
        self._asked = (url + CHAT, {**ASKED, "stream": streamed, "max_tokens": limit})
        self._headers = {"Authorization": f"Bearer {key}", "X-Fake": how}

    def run(self) -> None:
        url, body = self._asked
        try:
            with httpx2.stream(
                "POST",
                url,
                json=body,
                headers=self._headers,
                trust_env=False,
                verify=False,
                timeout=30,
            ) as answer:
                self.status = answer.status_code
                for piece in answer.iter_bytes():
                    self.came += piece
            self.is_whole = True
        except httpx2.HTTPError:
            pass  # it was cut


def wait_for(condition: Any) -> None:
    """Wait until it is so."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "it never was so"
        time.sleep(0.01)


def test_calls_under_way_are_answered_to_their_end_when_the_service_is_told_to_stop(
    service: Service, providers: Providers
) -> None:
    url = f"http://127.0.0.1:{service.port}"
    callers = [Caller(url, service.key, streamed=streamed) for streamed in (True, False)]
    for caller in callers:
        caller.start()
    wait_for(lambda: len(providers.requests()) == 2 and b"word" in callers[0].came)
    assert service.terminate() == 0
    for caller in callers:
        caller.join(30)
        assert caller.is_whole
        assert caller.status == 200
        assert caller.came.count(b"word ") >= 40
    assert b"[DONE]" in callers[0].came
    with Budget.open(service.target, sweep=False) as books:
        records = books.usage_records(limit=10).items
        assert [one.usage.output_tokens for one in records] == [40, 40]
        assert books.allocations(status="open").items == []
        assert books.verify().clean


@pytest.mark.faults
def test_an_answer_that_outlasts_the_grace_is_booked_as_far_as_it_came(
    service: Service, providers: Providers
) -> None:
    """The service waits thirty seconds for calls under way; this one would take sixty."""
    url = f"http://127.0.0.1:{service.port}"
    how = "words=600 delay_ms=100"
    caller = Caller(url, service.key, streamed=True, how=how, limit=600)
    caller.start()
    wait_for(lambda: b"word" in caller.came)
    assert service.terminate() == 0
    caller.join(30)
    assert not caller.is_whole
    with Budget.open(service.target, sweep=False) as books:
        (record,) = books.usage_records(limit=10).items
        assert 200 < record.usage.output_tokens < 600
        assert abs(record.usage.output_tokens - caller.came.count(b"word ")) <= 3
        assert books.allocations(status="open").items == []
        assert books.verify().clean


def test_after_a_kill_the_hold_stays_until_its_time_is_up(
    service: Service, providers: Providers
) -> None:
    """Nobody knows any more what the call used: the ledger keeps what was held for it."""
    caller = Caller(f"http://127.0.0.1:{service.port}", service.key, streamed=True)
    caller.start()
    wait_for(lambda: b"word" in caller.came)
    service.kill()
    caller.join(30)
    assert not caller.is_whole
    service.start()
    with Budget.open(service.target, sweep=False) as books:
        (held,) = books.allocations(status="open").items
        assert 0 < held.expires_us - time.time_ns() // 1000 <= 15 * 60 * 1_000_000
        assert books.usage_records(limit=10).items == []
        (policy,) = books.budgets().items[0].policies
        (balance,) = books.balances(policy_id=policy.policy_id).items
        assert balance.reserved >= 40 * 10_000
        assert books.verify().clean
    providers.forget()
    again = Caller(f"http://127.0.0.1:{service.port}", service.key, streamed=True)
    again.start()
    again.join(30)
    assert again.is_whole


# --- Books that cannot be had --------------------------------------------------------------------


def locked(gateway: Through) -> sqlite3.Connection:
    """A connection that has the write lock of its books, until it is closed."""
    database = gateway.running.books.database
    assert isinstance(database, SqliteDatabase)
    connection = sqlite3.connect(database.path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_while_the_books_cannot_be_had_nothing_is_sent(gateway: Through) -> None:
    gateway.limit("1")
    assert gateway.key
    with closing(locked(gateway)):
        answer = gateway.post(CHAT, ASKED, status=503)
    assert answer.json()["error"]["type"] == "api_error"
    assert gateway.providers.requests() == []
    gateway.post(CHAT, ASKED)
    assert len(gateway.records()) == 1


def test_what_was_used_is_booked_later_if_the_books_cannot_be_had_at_the_end(
    gateway: Through,
) -> None:
    gateway.limit("1")
    caller = Caller(gateway.url, gateway.key, streamed=True)
    caller.start()
    wait_for(lambda: b"word" in caller.came)
    with closing(locked(gateway)):
        caller.join(30)
        assert caller.is_whole
        assert b"[DONE]" in caller.came
        assert gateway.records() == []
    wait_for(lambda: gateway.records())
    (record,) = gateway.records()
    assert (record.usage.input_tokens, record.usage.output_tokens) == (3, 40)
    assert gateway.open_holds() == 0


def test_an_answer_for_which_no_more_can_be_held_ends_there_with_a_reason(
    gateway: Through,
) -> None:
    """The provider keeps to no limit; the books are locked before what is held is used up."""
    gateway.limit("1")
    how = "words=3000 delay_ms=6 unlimited"
    caller = Caller(gateway.url, gateway.key, streamed=True, how=how, limit=None)
    caller.start()
    wait_for(lambda: b"word" in caller.came)
    with closing(locked(gateway)):
        caller.join(30)
        assert caller.is_whole
        assert b'"code":"unavailable"' in caller.came
    wait_for(lambda: gateway.records())
    (record,), (billed,) = gateway.records(), gateway.providers.billed()
    assert 200 <= record.usage.output_tokens <= billed.output_tokens < 3000
    assert gateway.open_holds() == 0


def test_when_the_caller_has_gone_its_answer_is_read_a_while_and_then_let_go(
    gateway: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budget.gateway.attempt.DRAIN_SECONDS", 0.2)
    gateway.limit("1")
    how = "words=3000 delay_ms=5"
    body = {**ASKED, "max_tokens": 3000, "stream": True}
    with httpx2.stream(
        "POST", gateway.url + CHAT, json=body, trust_env=False, verify=False,
        headers={"Authorization": f"Bearer {gateway.key}", "X-Fake": how},
    ) as answer:  # fmt: skip
        next(answer.iter_bytes())
    wait_for(lambda: gateway.records())
    wait_for(lambda: gateway.providers.billed()[0].output_tokens < 3000)
    (record,), (billed,) = gateway.records(), gateway.providers.billed()
    assert 0 < record.usage.output_tokens <= billed.output_tokens + 1
    assert '"usage_source":"counted"' in record.metadata
    assert gateway.open_holds() == 0
