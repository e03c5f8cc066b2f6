"""Live events over WebSocket: what is said, who may hear it, and when it ends."""

import json
import socket
import threading
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from budget.engine.door_settings import DoorSettings
from budget.http.live.guests import Limits
from tests.http.live.talking import Talker, kinds, spend, talking
from tests.http.running import Running, running
from tests.support.databases import SqliteDatabases

BEGINNING = "ent_0000000000000000"


def a_key(service: Running, *scopes: str, **more: Any) -> tuple[str, str]:
    """A key with these rights: its id and its text."""
    made = service.post("/keys", {"name": "k", "scopes": list(scopes), **more})
    return made["key_id"], made["key"]


# --- Topics --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        ("/ws/budget/updates", "budget_events"),
        ("/ws/budget/alerts", "budget_alerts"),
        ("/ws/budget/allocations", "allocation_updates"),
        ("/ws/budget/prices", "price_updates"),
        ("/ws", "budget_events"),
    ],
)
def test_whoever_connects_is_greeted(shared: Running, path: str, topic: str) -> None:
    with talking(shared, path) as client:
        hello = client.hear()
        assert (hello["type"], hello["topic"]) == ("budget_update", topic)
        assert set(hello) == {"type", "topic", "payload", "timestamp"}
        assert hello["payload"]["message"].startswith("Connected")
        assert ("cursor" in hello["payload"]) == (path != "/ws")


def test_an_event_comes_as_the_journal_shows_it(service: Running) -> None:
    with talking(service, "/ws/budget/updates") as client:
        hello = client.hear()
        made = service.budget()
        (told,) = client.events(1)
        (event,) = service.get("/events", after=hello["payload"]["cursor"])["items"]
        assert told == {
            "type": "budget_update", "topic": "budget_events", "cursor": event["cursor"],
            "payload": event, "timestamp": event["at"],
        }  # fmt: skip
        assert event["budget_id"] == made["budget_id"]


def test_many_topics_come_over_one_connection_in_the_order_of_their_cursors(
    service: Running,
) -> None:
    with talking(service) as client:
        client.hear()
        answer = client.ask("subscription", topics=["budget_events", "allocation_updates"])
        assert answer["payload"]["success"] is True
        assert answer["payload"]["topics"] == ["budget_events", "allocation_updates"]
        assert client.ask("subscription", "policy_updates")["topic"] == "policy_updates"
        made = service.budget()
        held = service.post("/allocations", {"usd": "1", "attributes": {"team": "a"}})
        service.post(f"/policies/{made['policies'][0]['policy_id']}/top-ups",
                     {"amount": "1", "reason": "more"})  # fmt: skip
        service.post(f"/allocations/{held['allocation_id']}/release", {}, status=200)
        told = client.events(4)
        assert kinds(told) == ["budget_created", "placed", "topped_up", "released"]
        cursors = [one["cursor"] for one in told]
        assert cursors == sorted(cursors)


def test_events_are_chosen_by_kind_by_budget_and_by_attribute(service: Running) -> None:
    mine = service.budget(name="mine", scope={"team": "a"})["budget_id"]
    service.budget(name="other", scope={"team": "b"})
    with talking(service) as by_kind, talking(service) as by_budget, talking(service) as by_tag:
        for client in (by_kind, by_budget, by_tag):
            client.hear()
        by_kind.ask("subscription", kinds=["reported"])
        by_budget.ask("subscription", "allocation_updates", budgetId=mine)
        by_tag.ask("subscription", "allocation_updates", attributes={"tag.env": "prod"})
        spend(service, team="b")
        service.post("/allocations", {"usd": "1", "attributes": {"team": "b"}})
        spend(service, team="a")
        spend(service, 1, **{"team": "b", "tag.env": "prod"})
        assert kinds(by_kind.events(3)) == ["reported"] * 3
        assert len(by_budget.events(1)) == 1
        assert len(by_tag.events(1)) == 1
        for client in (by_kind, by_budget, by_tag):
            client.nothing_before_a_heartbeat()


def test_who_is_no_longer_subscribed_hears_no_more(shared: Running) -> None:
    with talking(shared, "/ws/budget/updates") as client:
        client.hear()
        client.ask("subscription", "allocation_updates")
        answer = client.ask("unsubscription", "budget_events")
        assert answer["payload"] == {
            "success": True, "topic": "budget_events", "topics": ["budget_events"],
        }  # fmt: skip
        shared.budget()
        spend(shared)
        assert kinds(client.events(1)) == ["reported"]


# --- Resuming ------------------------------------------------------------------------------------


def test_who_resumes_hears_the_past_then_what_comes_each_once(service: Running) -> None:
    spend(service, 30)
    with talking(service, "/ws/budget/allocations") as client:
        client.hear()
        spend(service, 3)
        assert len(client.events(3)) == 3
        # The path follows already: what was told is not told again, what was before it is.
        client.say("subscription", "allocation_updates", resumeFrom=BEGINNING)
        assert client.hear()["payload"]["cursor"] == BEGINNING
        past = client.events(30)
        spend(service, 2)
        told = client.events(2)
        everything = [event["cursor"] for event in service.get("/events", limit=100)["items"]
                      if event["kind"] == "reported"]  # fmt: skip
        assert [one["cursor"] for one in past] == everything[:30]
        assert [one["cursor"] for one in told] == everything[33:]
        client.nothing_before_a_heartbeat()


def test_a_client_that_is_cut_off_and_resumes_100_times_sees_every_event_once(
    service: Running,
) -> None:
    stop = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            written.extend(spend(service))

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[str] = []
    cursor = BEGINNING
    try:
        for at in range(100):
            with talking(service) as client:
                client.hear()
                client.ask("subscription", "allocation_updates", resume_from=cursor)
                for told in client.events(1 + at % 3):
                    seen.append(told["payload"]["usage_id"])
                    cursor = told["cursor"]
                if at % 2:
                    client.connection.socket.shutdown(socket.SHUT_RDWR)  # without a word
    finally:
        stop.set()
        writer.join()
    assert seen == written[: len(seen)]
    assert len(seen) == 199


def test_a_cursor_ahead_of_this_node_waits_for_it(shared: Running) -> None:
    spend(shared)
    last = shared.get("/events", limit=1000)["next_cursor"]
    ahead = f"ent_{int(last[4:], 16) + (1 << 13):016x}"  # the one after the next transaction's
    with talking(shared) as client:
        client.hear()
        client.ask("subscription", "allocation_updates", resume_from=ahead)
        first, second = spend(shared, 2)
        (told,) = client.events(1)
        assert told["payload"]["usage_id"] == second != first


@pytest.mark.parametrize("clients", [50])
def test_fifty_clients_hear_200_events_each_none_lost_and_none_out_of_order(
    fresh: Running, clients: int
) -> None:
    opened = [talking(fresh, "/ws/budget/allocations") for _ in range(clients)]
    talkers = [one.__enter__() for one in opened]
    try:
        for talker in talkers:
            talker.hear()
        written = []
        for start in range(0, 200, 50):
            records = [{"usage_id": f"u-{start + at}", "requests": 1} for at in range(50)]
            answer = fresh.client.post("/api/v1/usage/batch", json={"records": records})
            written += [result["usage_id"] for result in answer.json()["results"]]
        for talker in talkers:
            assert [one["payload"]["usage_id"] for one in talker.events(200)] == written
    finally:
        for one in opened:
            one.__exit__(None, None, None)


# --- Who comes in --------------------------------------------------------------------------------


def refused(service: Running, path: str = "/ws", key: str | None = None, **headers: str) -> int:
    with pytest.raises(InvalidStatus) as caught, talking(service, path, key, **headers):
        pass
    return caught.value.response.status_code


def test_a_key_may_come_as_the_first_message(shared: Running) -> None:
    with talking(shared, key="") as client:
        early = client.ask("subscription", "budget_events")
        assert (early["type"], early["payload"]["code"]) == ("error", "unauthorized")
        assert client.ask("authentication", apiKey=shared.key)["payload"] == {"success": True}
        assert client.hear()["type"] == "budget_update"
        assert client.ask("authentication", api_key=shared.key)["payload"] == {"success": True}


def test_a_wrong_key_is_told_so_and_the_connection_is_closed(shared: Running) -> None:
    with talking(shared, key="") as client:
        assert client.ask("authentication", api_key="bud_wrong")["payload"]["success"] is False
        assert client.closed()[0] == 4401
    assert refused(shared, key="bud_wrong") == 401
    assert refused(shared, f"/ws?api_key={shared.key}", key="bud_wrong") == 401


def test_who_tells_no_key_in_time_is_closed(sqlite_databases: SqliteDatabases) -> None:
    limits = Limits(authenticate_seconds=0.2)
    with (
        running(sqlite_databases.new(), limits=limits) as service,
        talking(service, f"/ws?api_key={service.key}", key="") as client,
    ):
        code, heard = client.closed()
        assert (code, [told["payload"]["code"] for told in heard]) == (4401, ["unauthorized"])


def test_a_key_needs_the_right_to_read(shared: Running) -> None:
    _, text = a_key(shared, "spend")
    assert refused(shared, key=text) == 403
    with talking(shared, key="") as client:
        client.say("authentication", api_key=text)
        assert client.closed()[0] == 4403


def test_what_is_done_to_keys_is_heard_with_the_right_audit_alone(shared: Running) -> None:
    _, reader = a_key(shared, "read")
    _, auditor = a_key(shared, "read", "audit")
    with talking(shared, key=reader) as client:
        client.hear()
        for asked in ({"topic": "audit_events"}, {"kinds": ["key_created"]}):
            assert client.ask("subscription", **asked)["payload"]["code"] == "forbidden"
    with talking(shared, key=auditor) as client:
        client.hear()
        client.ask("subscription", "audit_events")
        a_key(shared, "read")
        (told,) = client.events(1)
        assert (told["type"], told["payload"]["kind"]) == ("audit_event", "key_created")
        assert "secret" not in json.dumps(told)


def test_a_bound_key_hears_of_its_own_alone(service: Running) -> None:
    service.budget(name="a", scope={"team": "a"})
    service.budget(name="all")
    _, text = a_key(service, "read", bound={"team": "a"})
    with talking(service, key=text) as client:
        client.hear()
        client.ask("subscription", topics=["allocation_updates", "budget_events", "price_updates"],
                   resume_from=BEGINNING)  # fmt: skip
        (budget,) = client.events(1)
        assert budget["payload"]["detail"]["name"] == "a"
        spend(service, 20, team="b")
        (mine,) = spend(service, team="a")
        service.budget(name="b", scope={"team": "b"})
        (told,) = client.events(1)
        assert told["payload"]["usage_id"] == mine
        assert len(told["payload"]["legs"]) == 1, "the balance that all share is not shown"
        client.nothing_before_a_heartbeat()


def test_a_revoked_key_is_shown_out_within_seconds(shared: Running) -> None:
    key_id, text = a_key(shared, "read")
    with talking(shared, key=text) as client:
        client.hear()
        assert shared.client.delete(f"/api/v1/keys/{key_id}").status_code == 200
        code, heard = client.closed()
        assert (code, heard[-1]["payload"]["code"]) == (4401, "unauthorized")


def hostile(host: str) -> list[str]:
    port = host.rpartition(":")[2]
    names = (
        "evil.example", "localhost.evil.example", f"evil.example:{port}", "127.0.0.1.nip.io",
        f"127.0.0.1.evil.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.2:{port}",
        f"0.0.0.0:{port}", f"[::1]:{port}", f"localhost:{port}", f"{host}.evil.example",
        f"{host}@evil.example", f"evil.example#{host}", f"evil.example/{host}", f"{host}/",
        f"{host}%00", f"xn--{host}", "budget.example.com.evil.example",
        "sub.budget.example.com", "budget.example.com:8443", "budgetexample.com",
    )  # fmt: skip
    whole = ("null", "", "*", "file://", f"ws://{host}", f"ftp://{host}", "about:blank", host)
    return [f"{scheme}://{name}" for scheme in ("http", "https") for name in names] + list(whole)


def test_pages_of_other_origins_may_not_connect(sqlite_databases: SqliteDatabases) -> None:
    door = DoorSettings(
        failures=1_000_000, allowed_origins=frozenset({"https://budget.example.com"})
    )
    with running(sqlite_databases.new(), door=door) as service:
        host = service.url.removeprefix("http://")
        origins = hostile(host)
        assert len(origins) >= 50
        handshake = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        for origin in origins:
            answer = httpx2.get(
                f"{service.url}/ws", headers={**handshake, "X-API-Key": service.key,
                                              "Origin": origin},
            )  # fmt: skip
            assert answer.status_code == 403, origin
            assert answer.json()["code"] == "cross_site"
        for origin in (f"http://{host}", f"https://{host}", "https://budget.example.com"):
            with talking(service, Origin=origin) as client:
                client.hear()


def test_there_are_no_other_sockets(shared: Running) -> None:
    assert refused(shared, "/ws/budget/assistant") == 404
    assert refused(shared, "/ws", Host="evil.example:1") in (400, 421, 403)


def test_a_key_may_have_so_many_connections(sqlite_databases: SqliteDatabases) -> None:
    with running(sqlite_databases.new(), limits=Limits(of_key=2)) as service:
        with talking(service), talking(service):
            assert refused(service) == 429
            with talking(service, key="") as third:
                third.say("authentication", api_key=service.key)
                assert third.closed()[0] == 4429
        with talking(service) as again:
            assert again.hear()["type"] == "budget_update"


# --- Frames --------------------------------------------------------------------------------------

BAD = (
    "", "{", "[]", "null", '"text"', "{}", '{"type": 1}', '{"type": "budget_update"}',
    '{"type": "heartbeat", "more": 1}', '{"type": "heartbeat", "topic": 1}',
    '{"type": "heartbeat", "payload": []}', '{"type": "heartbeat", "payload": {"x": 1}}',
    '{"type": "subscription", "payload": {"topic": "nothing"}}',
    '{"type": "subscription", "payload": {"topic": 1}}',
    '{"type": "subscription", "payload": {"topics": []}}',
    '{"type": "subscription", "payload": {"topics": [[]]}}',
    '{"type": "subscription", "payload": {"topics": "budget_events"}}',
    '{"type": "subscription", "payload": {"kinds": ["nothing"]}}',
    '{"type": "subscription", "payload": {"kinds": ["placed"], "topic": "budget_events"}}',
    '{"type": "subscription", "payload": {"resume_from": "x"}}',
    '{"type": "subscription", "payload": {"resume_from": "a", "resumeFrom": "b"}}',
    '{"type": "subscription", "payload": {"budget_id": "\\u0000"}}',
    '{"type": "subscription", "payload": {"budget_id": {}}}',
    '{"type": "subscription", "payload": {"attributes": {"nothing": "x"}}}',
    '{"type": "subscription", "payload": {"attributes": []}}',
    '{"type": "unsubscription", "payload": {"topic": "nothing"}}',
    '{"type": "unsubscription", "payload": {"topics": [1]}}',
    '{"type": "authentication"}', '{"type": "authentication", "payload": {"api_key": 1}}',
    '{"type": "authentication", "payload": {"api_key": "\\u20ac"}}',
    "[" * 200, '{"type": "heartbeat", "type": "heartbeat"}',
)  # fmt: skip


def test_a_bad_frame_is_answered_with_what_is_wrong_and_the_connection_stays(
    sqlite_databases: SqliteDatabases,
) -> None:
    limits = Limits(bad_a_second=1000, messages_a_second=1000)
    with (
        running(sqlite_databases.new(), limits=limits) as service,
        talking(service) as client,
    ):
        client.hear()
        for text in BAD:
            client.connection.send(text)
            told = client.hear()
            assert (told["type"], told["topic"]) == ("error", "error"), text
            assert told["payload"]["code"]
            assert "Traceback" not in told["payload"]["error"]
        client.connection.send(b"\xff\xfe")
        assert client.hear()["type"] == "error"
        client.nothing_before_a_heartbeat()


@pytest.mark.parametrize(
    ("limits", "text"),
    [(Limits(bad_a_second=3), "{"), (Limits(messages_a_second=3), '{"type":"heartbeat"}')],
)
def test_who_says_too_much_in_a_second_is_closed(
    sqlite_databases: SqliteDatabases, limits: Limits, text: str
) -> None:
    with (
        running(sqlite_databases.new(), limits=limits) as service,
        talking(service) as client,
    ):
        with suppress(ConnectionClosed):
            for _ in range(20):
                client.connection.send(text)
        code, heard = client.closed()
        assert (code, heard[-1]["payload"]["code"]) == (4429, "too_many_messages")


def test_a_message_may_have_64_kilobytes(shared: Running) -> None:
    with talking(shared) as client:
        client.hear()
        client.connection.send("x" * 64 * 1024)
        assert client.hear()["type"] == "error"
        client.connection.send("x" * (64 * 1024 + 1))
        assert client.closed()[0] == 1009


def test_a_heartbeat_tells_from_where_one_could_resume(shared: Running) -> None:
    with talking(shared, "/ws/budget/prices") as client:
        client.hear()
        spend(shared)
        last = shared.get("/events", limit=1000)["next_cursor"]
        heard = client.ask("heartbeat")
        while heard["payload"]["cursor"] != last:  # of events of other topics too
            heard = client.ask("heartbeat")
        assert heard["type"] == "heartbeat"


def test_the_service_tells_that_it_stops(sqlite_databases: SqliteDatabases) -> None:
    with running(sqlite_databases.new()) as service:
        opened = talking(service, "/ws/budget/updates")
        client: Talker = opened.__enter__()
        client.hear()
    code, heard = client.closed()
    assert (code, heard[-1]["payload"]["code"]) == (1012, "stopping")
