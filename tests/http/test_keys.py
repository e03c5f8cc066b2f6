"""Keys over HTTP: made and shown once, revoked on every node within a second, found nowhere."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from sqlalchemy import MetaData, select

from budget.domain.errors import Unauthorized
from budget.engine import keys
from budget.engine.keys import Keyring, KeyRow
from budget.engine.snapshots import snapshot
from budget.http.auth import Gate
from budget.http.observing import Observer
from budget.storage import schema
from tests.http.running import Running, migrate, running
from tests.support.databases import Databases, SqliteDatabases

SHOWN = {
    "key_id", "name", "scopes", "bound", "max_priority", "status", "created_at", "created_by",
    "expires_at", "revoked_at", "last_used_at", "rotates",
}  # fmt: skip


def made(service: Running, **asked: Any) -> Any:
    return service.post("/keys", {"name": "ci", "scopes": ["read", "spend"], **asked})


def ask(service: Running, method: str, path: str, key: str, **more: Any) -> httpx2.Response:
    url = f"/api/v1{path}"
    return service.client.request(method, url, headers={"X-API-Key": key}, **more)


# --- Making, reading, changing -------------------------------------------------------------------


def test_a_key_is_made_used_changed_rotated_and_revoked(service: Running) -> None:
    first = made(
        service, bound={"team": "search"}, maxPriority=8, expiresAt="2126-01-01T00:00:00+01:00"
    )
    key, path = first.pop("key"), f"/keys/{first['key_id']}"
    assert set(first) == SHOWN
    assert first["expires_at"] == "2125-12-31T23:00:00Z"
    assert first["created_by"] == keys.read_key(service.key)[0]  # type: ignore[index]
    assert service.get(path) == first
    own = ask(service, "GET", "/keys/self", key)
    assert (own.status_code, own.json()) == (200, first)
    held = ask(service, "POST", "/allocations", key, json={"tokens": 1, "priority": 8})
    assert held.json()["attributes"] == {"key": first["key_id"], "team": "search"}
    changed = service.client.patch(f"/api/v1{path}", json={"scopes": ["read"], "name": "cd"})
    assert changed.json() == {**first, "scopes": ["read"], "name": "cd"}
    second = service.post(f"{path}/rotate", {"overlap_seconds": 3600})
    assert (second["rotates"], second["scopes"]) == (first["key_id"], ["read"])
    assert ask(service, "GET", "/keys/self", second["key"]).status_code == 200
    revoked = service.client.delete(f"/api/v1{path}")
    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    again = service.client.delete(f"/api/v1{path}")
    assert again.headers["idempotency-replayed"] == "true"
    listed = {one["key_id"] for one in service.get("/keys")["items"]}
    assert (second["key_id"] in listed, first["key_id"] in listed) == (True, False)
    everything = service.get("/keys", revoked="true", limit=1)
    assert everything["next_cursor"] is not None
    assert all("key" not in one for one in everything["items"])


def test_an_answer_that_is_given_again_does_not_show_the_key(fresh: Running) -> None:
    body = {"name": "ci", "scopes": ["read"]}
    headers = {"Idempotency-Key": "1"}
    first = fresh.client.post("/api/v1/keys", json=body, headers=headers).json()
    assert first["key"]
    again = fresh.client.post("/api/v1/keys", json=body, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**first, "key": None}
    other = fresh.client.post("/api/v1/keys", json={**body, "name": "x"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(fresh.get("/keys")["items"]) == 2


def test_any_key_may_ask_who_it_is_whatever_its_rights(fresh: Running) -> None:
    for scope in keys.SCOPES:
        one = made(
            fresh, scopes=[scope], bound={"tag.envelope": "run_1"} if scope == "draw" else {}
        )
        answer = ask(fresh, "GET", "/keys/self", one["key"])
        assert (answer.status_code, answer.json()["scopes"]) == (200, [scope])


def test_the_service_s_own_admin_key_cannot_lock_itself_out(fresh: Running) -> None:
    (own,) = fresh.get("/keys")["items"]
    answer = fresh.client.delete(f"/api/v1/keys/{own['key_id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin_key")
    assert fresh.get("/keys/self")["status"] == "live"


@pytest.mark.parametrize(
    ("field", "asked"),
    [("scopes[0]", {"scopes": ["root"]}), ("expires_at", {"expiresAt": "2020-01-01T00:00:00Z"}),
     ("bound.model", {"bound": {"model": "gpt-4o"}}), ("keyId", {"keyId": "key_12345678"}),
     ("secret_hash", {"secret_hash": "x"})],
)  # fmt: skip
def test_what_is_wrong_is_named(shared: Running, field: str, asked: Any) -> None:
    answer = shared.client.post("/api/v1/keys", json={"name": "x", "scopes": ["read"], **asked})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


# --- On every node -------------------------------------------------------------------------------


def test_a_revoked_key_stops_working_on_every_node_within_a_second(databases: Databases) -> None:
    target = databases.new(migrate)
    with running(target) as one, running(target) as other:
        doomed, kept = made(one), made(one)
        for node in (one, other):
            for key in (doomed, kept):
                assert ask(node, "GET", "/keys/self", key["key"]).status_code == 200
        one.client.delete(f"/api/v1/keys/{doomed['key_id']}").raise_for_status()
        narrowed = {"scopes": ["audit"]}
        one.client.patch(f"/api/v1/keys/{kept['key_id']}", json=narrowed).raise_for_status()
        assert keys.REMEMBERED_SECONDS <= 1
        time.sleep(keys.REMEMBERED_SECONDS)
        for node in (one, other):
            assert ask(node, "GET", "/keys/self", doomed["key"]).status_code == 401
            assert ask(node, "GET", "/budgets", kept["key"]).status_code == 403


def test_a_key_that_expires_is_not_believed_a_moment_longer() -> None:
    key = keys.make_key()
    now_us = [1_000_000]
    row = KeyRow(key.secret_hash, "read", expires_us=1_000_000 + 20_000)
    gate = Gate(Keyring(lambda _: row, now_us=lambda: now_us[0]))
    headers = {b"x-api-key": key.text.encode()}

    async def use() -> int:
        passed = 0
        ends = time.monotonic() + 0.02
        while True:
            now_us[0] = 1_020_000 - int((ends - time.monotonic()) * 1_000_000)
            try:
                await gate.key_of(headers)
            except Unauthorized:
                return passed
            passed += 1

    assert asyncio.run(use()) > 1


def test_whoever_passes_is_noted_and_others_are_not() -> None:
    key, other = keys.make_key(), keys.make_key()
    known = {key.key_id: KeyRow(key.secret_hash, "read")}
    noted: list[str] = []
    gate = Gate(Keyring(known.get), noted.append)

    async def use() -> None:
        for text in (key.text, other.text, key.text):
            try:
                await gate.key_of({b"x-api-key": text.encode()})
            except Unauthorized:
                assert text == other.text

    asyncio.run(use())
    assert noted == [key.key_id]  # a second use within a second says nothing new


# --- Nowhere to be found -------------------------------------------------------------------------


def dumped(service: Running) -> str:
    """Every table of the database, as text."""
    metadata: MetaData = schema.metadata
    with snapshot(service.books.database) as connection:
        return "".join(
            repr(connection.execute(select(table)).all()) for table in metadata.tables.values()
        )


def use_wrongly(service: Running, key: str) -> None:
    """Send a key where none belongs, and with requests that fail."""
    for path in (f"/keys/{key}", f"/budgets/{key}", f"/allocations?status={key}", f"/{key}"):
        ask(service, "GET", path, key)
    for body in ({"name": key, "x": key}, {"tokens": -1}, [key], key):
        ask(service, "POST", "/allocations", key, json=body)
    ask(service, "POST", "/allocations", f"{key}0", json={"tokens": 1})


def test_no_secret_is_found_in_the_books_or_in_the_logs(
    databases: Databases, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    target = databases.new(migrate)
    with (
        structlog.testing.capture_logs() as logged,
        running(target, observer=Observer("test", access=True)) as service,
    ):
        issued = [made(service, name=f"k{number}", scopes=["admin"]) for number in range(20)]
        issued += [service.post(f"/keys/{one['key_id']}/rotate", {}) for one in issued[:10]]
        issued += [made(service, bound={"team": one["key_id"]}) for one in issued[:10]]
        for one in issued[:15]:
            use_wrongly(service, one["key"])
        for one in issued[5:10]:
            service.client.delete(f"/api/v1/keys/{one['key_id']}").raise_for_status()
        secrets = [one["key"][13:56] for one in issued]
        hashes = [keys.read_key(one["key"])[1] for one in issued]  # type: ignore[index]
        told = repr(service.get("/events", limit=1000)) + repr(service.get("/audit", limit=1000))
        told += repr(logged) + "".join(capfd.readouterr())
        told += "".join(  # what the client of this test says is its own affair
            record.getMessage() for record in caplog.records if not record.name.startswith("http")
        )
        books = dumped(service)
        assert all(found in books for found in hashes)
        assert issued[0]["key_id"] in told
        for secret, hashed in zip(secrets, hashes, strict=True):
            assert secret not in books
            assert secret not in told
            assert hashed not in told


def test_no_secret_lies_in_the_bytes_of_the_file(sqlite_databases: SqliteDatabases) -> None:
    target = sqlite_databases.new(migrate)
    with running(target) as service:
        issued = [made(service)["key"] for _ in range(20)]
        file = Path(target.removeprefix("sqlite:///"))
        kept = b"".join(one.read_bytes() for one in file.parent.glob(f"{file.name}*"))
    assert b"key_created" in kept
    for key in issued:
        assert key[13:56].encode() not in kept
