"""A database that is locked or gone: 503 with a time to come again, and no restart needed."""

import fcntl
import os
import sqlite3
import time
from contextlib import closing

from budget.engine import keys
from tests.http.running import Running, migrate, running
from tests.support.postgres import Cluster

BACK_SECONDS = 15


def file_of(service: Running) -> str:
    path: str = service.books.database.describe()["path"]
    return path


def check_unavailable(service: Running, name: str) -> None:
    answer = service.client.post(
        "/api/v1/allocations", json={"allocation_id": name, "tokens": 1}, timeout=30
    )
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    problem = answer.json()
    assert problem["code"] in ("unavailable", "outcome_unknown")
    assert problem["retry_after_seconds"] == int(answer.headers["retry-after"])


def check_recovered(service: Running, names: list[str]) -> None:
    """The same calls go through, each once, and the books add up."""
    until = time.monotonic() + BACK_SECONDS
    for name in names:
        while True:
            answer = service.client.post(
                "/api/v1/allocations", json={"allocation_id": name, "tokens": 1}, timeout=30
            )
            if answer.status_code == 201:
                break
            assert answer.status_code == 503
            assert time.monotonic() < until
            time.sleep(0.1)
    (balance,) = service.get("/status")["balances"]
    assert balance["reserved"] == len(names)
    assert service.get("/verify")["clean"] is True
    while service.client.get("/ready").status_code != 200:  # it asks once a second
        assert time.monotonic() < until + 2
        time.sleep(0.1)


def test_while_another_process_holds_the_file_calls_are_503(fresh: Running) -> None:
    fresh.budget({"unit": "tokens", "period": "total", "limit": 10})
    lock = os.open(f"{file_of(fresh)}.lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check_unavailable(fresh, "call-1")
        # Reading goes on, and the service says that it lives.
        assert fresh.get("/status")["balances"]
        health = fresh.client.get("/health").json()
        assert (health["status"], health["database"]["reachable"]) == ("degraded", True)
        assert health["writer"]["writing"] is False
        assert fresh.client.get("/ready").status_code == 503
    finally:
        os.close(lock)
    check_recovered(fresh, ["call-1", "call-2"])


def test_while_somebody_elses_transaction_is_open_calls_are_503(fresh: Running) -> None:
    fresh.budget({"unit": "tokens", "period": "total", "limit": 10})
    with closing(sqlite3.connect(file_of(fresh), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        check_unavailable(fresh, "call-1")
        other.execute("ROLLBACK")
    check_recovered(fresh, ["call-1"])


def test_while_postgresql_is_gone_everything_is_503_and_then_goes_on(
    postgres_cluster: Cluster,
) -> None:
    migrate(postgres_cluster.url)
    with running(postgres_cluster.url) as service:
        service.budget({"unit": "tokens", "period": "total", "limit": 10})
        service.post("/allocations", {"allocation_id": "before", "tokens": 1})
        health = service.client.get("/health").json()
        assert (health["status"], health["database"]["durable"]) == ("healthy", True)
        postgres_cluster.stop(crash=True)
        check_unavailable(service, "call-1")
        time.sleep(keys.REMEMBERED_SECONDS)  # from now on the key is asked for, too
        check_unavailable(service, "call-2")
        for path in ("/api/v1/status", "/api/v1/budgets", "/api/v1/verify", "/ready"):
            answer = service.client.get(path)
            assert (answer.status_code, "retry-after" in answer.headers) == (503, True), path
        health = service.client.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert health.json()["database"]["reachable"] is False
        postgres_cluster.start()
        check_recovered(service, ["before", "call-1", "call-2"])
