"""Events as server-sent events."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from budget.http.live.guests import Limits
from tests.http.live.talking import spend
from tests.http.running import Json, Running, running
from tests.support.databases import SqliteDatabases

BEGINNING = "ent_0000000000000000"


@pytest.fixture
def streaming(sqlite_databases: SqliteDatabases) -> Iterator[Running]:
    """A service whose streams go on."""
    with running(sqlite_databases.new(), limits=Limits(round_seconds=0.05)) as service:
        yield service


@contextmanager
def following(
    service: Running, query: str = "", key: str = "", **headers: str
) -> Iterator[Iterator[tuple[str, Json]]]:
    """The ids and data of the events of a stream, as they come; the first has no data."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["X-API-Key"] = key or service.key
    with httpx2.stream(
        "GET", f"{service.url}/api/v1/events/stream{query}", headers=named, timeout=20,
        trust_env=False, verify=False,
    ) as answer:  # fmt: skip
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream"
        yield _told(answer)


def _told(answer: httpx2.Response) -> Iterator[tuple[str, Json]]:
    cursor, told = "", {}
    for line in answer.iter_lines():
        name, _, text = line.partition(": ")
        if name == "id":
            cursor = text
        elif name == "data":
            told = json.loads(text)
        elif not line and cursor:
            yield cursor, told
            cursor, told = "", {}


def test_events_come_as_they_happen_with_their_cursors_as_ids(streaming: Running) -> None:
    with following(streaming, "?topics=allocation_updates") as events:
        cursor, nothing = next(events)
        assert nothing == {}, "who hears nothing yet knows from where to go on"
        streaming.budget()
        (usage_id,) = spend(streaming)
        at, told = next(events)
        assert told["payload"]["usage_id"] == usage_id
        assert at == told["cursor"] > cursor


def test_a_reader_resumes_after_the_last_event_that_it_saw(streaming: Running) -> None:
    first, second = spend(streaming, 2)
    with following(streaming, "?team=a", Last_Event_ID=BEGINNING) as events:
        next(events)
        (mine,) = spend(streaming, team="a")
        assert next(events)[1]["payload"]["usage_id"] == mine
    topic = "?topics=allocation_updates"
    with following(streaming, topic, Last_Event_ID=BEGINNING) as events:
        assert next(events)[0] == BEGINNING
        at, told = next(events)
        assert told["payload"]["usage_id"] == first
    with following(streaming, f"{topic}&resume_from=x", Last_Event_ID=at) as events:
        next(events)
        assert next(events)[1]["payload"]["usage_id"] == second


def test_a_reader_needs_the_right_and_hears_of_its_own_alone(streaming: Running) -> None:
    made = streaming.post("/keys", {"name": "k", "scopes": ["read"], "bound": {"team": "a"}})
    spend(streaming, 3, team="b")
    (mine,) = spend(streaming, team="a")
    topic = "?topics=allocation_updates"
    with following(streaming, topic, made["key"], Last_Event_ID=BEGINNING) as events:
        next(events)
        told = next(events)[1]
        assert told["payload"]["usage_id"] == mine, told
    spender = streaming.post("/keys", {"name": "k", "scopes": ["spend"]})["key"]
    for query, key, status in (
        ("", "bud_wrong", 401), ("", spender, 403), ("?topics=audit_events", made["key"], 403),
        ("?topics=nothing", made["key"], 422), ("?resume_from=x", made["key"], 422),
    ):  # fmt: skip
        url = f"{streaming.url}/api/v1/events/stream{query}"
        assert httpx2.get(url, headers={"X-API-Key": key}).status_code == status


def test_a_reader_whose_key_is_revoked_is_shown_out(streaming: Running) -> None:
    made = streaming.post("/keys", {"name": "k", "scopes": ["read"]})
    with following(streaming, key=made["key"]) as events:
        next(events)
        assert streaming.client.delete(f"/api/v1/keys/{made['key_id']}").status_code == 200
        assert list(events) == []


def test_a_service_that_stops_does_not_wait_for_its_readers(
    sqlite_databases: SqliteDatabases,
) -> None:
    with running(sqlite_databases.new(), limits=Limits()) as service:
        opened = following(service)
        events = opened.__enter__()
        next(events)
    assert list(events) == []
    opened.__exit__(None, None, None)


def test_the_journal_is_chosen_by_topic_budget_allocation_and_attribute(service: Running) -> None:
    made = service.budget(scope={"team": "a"})["budget_id"]
    held = service.post("/allocations", {"usd": "1", "attributes": {"team": "a"}})
    spend(service, 5, team="b")

    def kinds(**query: str) -> list[str]:
        return [event["kind"] for event in service.get("/events", **query)["items"]]

    assert kinds(topic="budget_events") == ["budget_created"]
    assert kinds(budget_id=made) == ["budget_created", "placed"]
    assert kinds(allocation_id=held["allocation_id"]) == ["placed"]
    assert kinds(team="a", topic="allocation_updates") == ["placed"]
    assert kinds(team="b") == ["reported"] * 5
    reader = service.post("/keys", {"name": "k", "scopes": ["read"]})["key"]
    shown = httpx2.get(f"{service.url}/api/v1/events", headers={"X-API-Key": reader}).json()
    assert "key_created" not in {event["kind"] for event in shown["items"]}
    assert "key_created" in kinds()
