"""A key may call so often a second; then it waits, and no other key does."""

import httpx2
import pytest

from budget.engine import keys
from budget.engine.door_settings import DoorSettings, Rate
from budget.http.door import rates
from budget.http.door.rates import Rates
from budget.http.problems import TooMany
from tests.http.running import running
from tests.support.databases import SqliteDatabases


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def spent(bucket: Rates, name: str, times: int) -> int:
    """How many of so many requests pass."""
    passed = 0
    for _ in range(times):
        try:
            bucket.spend(name)
        except TooMany:
            continue
        passed += 1
    return passed


def test_a_bucket_is_full_at_first_and_filled_by_time() -> None:
    clock = Clock()
    bucket = Rates(Rate(10, 25), clock)
    assert spent(bucket, "a", 40) == 25
    clock.now += 0.5
    assert spent(bucket, "a", 40) == 5
    assert spent(bucket, "b", 40) == 25
    clock.now += 1000
    assert spent(bucket, "a", 40) == 25


def test_what_is_refused_takes_nothing_and_says_how_long() -> None:
    clock = Clock()
    bucket = Rates(Rate(1, 3), clock)
    assert spent(bucket, "a", 1_000) == 3
    with pytest.raises(TooMany) as caught:
        bucket.spend("a")
    assert (caught.value.code, caught.value.retry_after_seconds) == ("rate_limited", 1)
    clock.now += 1
    assert spent(bucket, "a", 10) == 1


def test_buckets_are_kept_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_NAMES", 100)
    bucket = Rates(Rate(1, 1), Clock())
    for at in range(1_000):
        assert spent(bucket, str(at), 2) == 1
    assert len(bucket._full_at) == 100


def test_a_key_that_calls_too_fast_is_told_when_to_come_back(
    sqlite_databases: SqliteDatabases,
) -> None:
    with running(sqlite_databases.new(), door=DoorSettings(rate=Rate(1, 5))) as service:
        one, other = keys.make_key(), keys.make_key()
        for key in (one, other):
            keys.add_key(service.books, key, name="x", scopes="read")

        def ask(key: str) -> httpx2.Response:
            return service.client.get("/api/v1/status", headers={"X-API-Key": key})

        answers = [ask(one.text) for _ in range(20)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:5] == [200] * 5
        assert 429 in statuses
        late = answers[statuses.index(429)]
        assert late.json()["code"] == "rate_limited"
        assert late.headers["retry-after"] == "1"
        assert ask(other.text).status_code == 200
        # The admin, who would have to mend it, is never kept out.
        assert {ask(service.key).status_code for _ in range(20)} == {200}
