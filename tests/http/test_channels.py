"""Channels over HTTP: the shapes, both spellings of names, rights, and what is told to whom."""

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from budget.engine.channels.notifier import Notifier
from budget.engine.channels.settings import ChannelSettings
from tests.http.running import Running
from tests.support.receivers import Receiver, receiving


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def reaching(shared: Running, receiver: Receiver) -> Running:
    """The service, allowed to reach the receiver."""
    shared.books.channel_settings = ChannelSettings(frozenset({receiver.origin}))
    receiver.received.clear()
    return shared


def made(service: Running, receiver: Receiver, **ask: Any) -> dict[str, Any]:
    return service.post("/channels", {"name": "x", "kind": "webhook", "url": receiver.url, **ask})


def test_a_channel_lives_through_all_its_routes(reaching: Running, receiver: Receiver) -> None:
    asked = {
        "wanted": {"topics": ["budget_events"], "attributes": {"tag.Env": "prod"}},
        "quiet": {"from": "22:00", "to": "07:00", "minSeverity": "warning"},
        "digestSeconds": 60,
    }
    channel = made(reaching, receiver, **asked)
    secret = channel.pop("secret")
    assert secret.startswith("whsec_")
    assert channel.pop("replayed") is False
    assert channel == {
        "channel_id": channel["channel_id"],
        "name": "x",
        "kind": "webhook",
        "url": receiver.url,
        "to": None,
        "apprise_url": None,
        "wanted": {
            "topics": ["budget_events"], "kinds": [], "severities": [], "budget_id": None,
            "owner": None, "attributes": {"tag.Env": "prod"},
        },
        "quiet": {
            "from": "22:00", "to": "07:00", "timezone": "UTC",
            "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "min_severity": "warning",
        },
        "digest_seconds": 60,
        "enabled": True,
        "bound": {},
        "created_by": channel["created_by"],
        "created_at": channel["created_at"],
        "updated_at": channel["created_at"],
        "archived_at": None,
        "former_secret_until": None,
    }  # fmt: skip
    path = f"/channels/{channel['channel_id']}"
    assert reaching.get(path) == channel
    assert channel in reaching.get("/channels")["items"]
    changed = reaching.client.patch(f"/api/v1{path}", json={"digest_seconds": 0}).json()
    assert (changed["digest_seconds"], changed["secret"]) == (None, None)
    rotated = reaching.post(f"{path}/rotate-secret", status=200)
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != secret
    assert rotated["former_secret_until"] is not None
    tested = reaching.post(f"{path}/test", status=200)
    assert tested == {
        "channel_id": channel["channel_id"], "delivered": True, "answer": "HTTP 204",
    }  # fmt: skip
    (request,) = receiver.received
    for one in (secret, rotated["secret"]):
        assert Webhook(one).verify(request.body, request.headers)["type"] == "test"
    archived = reaching.client.delete(f"/api/v1{path}").json()
    assert archived["archived_at"] is not None
    assert channel["channel_id"] not in str(reaching.get("/channels"))
    assert channel["channel_id"] in str(reaching.get("/channels", archived="true"))


def test_a_threshold_that_is_crossed_reaches_the_receiver_as_an_alert(
    reaching: Running, receiver: Receiver
) -> None:
    channel = made(reaching, receiver)
    notifier = Notifier(reaching.books, every_seconds=0.02).start()
    budget = reaching.budget(name="Acme")
    reaching.post("/usage", {"model": "x", "input_tokens": 40_000_000})  # 100.00 of 100 USD
    receiver.wait_for(lambda: len(receiver.received) == 4)
    notifier.close()
    read = [
        Webhook(channel["secret"]).verify(request.body, request.headers)
        for request in receiver.received
    ]
    assert {told["type"] for told in read} == {"alert.raised"}
    assert {told["data"]["budget_id"] for told in read} == {budget["budget_id"]}
    alerts = {told["data"]["detail"]["alert"] for told in read}
    assert alerts == {"warning", "action", "limit", "unreserved"}
    path = f"/channels/{channel['channel_id']}"
    page = reaching.get(f"{path}/deliveries", status="delivered", limit=2)
    assert len(page["items"]) == 2
    newest = page["items"][0]
    assert newest == {
        "delivery_id": receiver.received[-1].id,
        "channel_id": channel["channel_id"],
        "cursor": receiver.cursors[-1],
        "kind": "alert_raised",
        "status": "delivered",
        "attempts": 1,
        "due_at": None,
        "created_at": newest["created_at"],
        "done_at": newest["done_at"],
        "answer": "HTTP 204",
        "digest_id": None,
    }
    rest = reaching.get(f"{path}/deliveries", cursor=page["next_cursor"])
    assert len(rest["items"]) == len(read) - 2
    again = reaching.post(f"{path}/deliveries/{newest['delivery_id']}/replay", status=200)
    assert (again["status"], again["attempts"], again["answer"]) == ("pending", 0, None)
    replayed = reaching.post(f"{path}/replay", {"since": receiver.cursors[0]}, status=200)
    assert replayed == {
        "channel_id": channel["channel_id"],
        "after": receiver.cursors[0],
        "deliveries": len(read) - 1,
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret"),
        ("GET", "/deliveries"), ("POST", "/deliveries/dlv_x/replay"), ("POST", "/replay"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_404_in_every_way(reaching: Running, method: str, path: str) -> None:
    body = '{"since": "2026-01-01T00:00:00Z"}' if path == "/replay" else "{}"
    answer = reaching.send(method, f"/channels/chan_unknown{path}", body)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no channel 'chan_unknown'."


def test_a_chat_shows_no_more_than_its_scheme(reaching: Running) -> None:
    url = "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV"
    channel = reaching.post("/channels", {"name": "x", "kind": "chat", "appriseUrl": url})
    assert channel["apprise_url"] == "discord://…"
    assert channel["secret"] is None
    assert "JHMHI8" not in str(reaching.get("/channels"))
    assert "JHMHI8" not in str(reaching.get("/events", limit=1000))


BAD_BODIES = [
    ("/channels", "[]"),
    ("/channels", '{"kind": {"a": 1}, "name": "x"}'),
    ("/channels", '{"name": "x", "kind": "webhook", "url": "http://169.254.169.254/"}'),
    ("/channels", '{"name": "x", "kind": "webhook", "url": "https://x.example/", "foo": 1}'),
    ("/channels", '{"name": "x", "kind": "chat", "apprise_url": "json://127.0.0.1"}'),
    ("/channels", '{"name": "x", "kind": "email", "to": "a@b.example"}'),
    ("/channels", '{"kind": "webhook", "wanted": {"budgetId": "a", "budget_id": ""}}'),
    ("/channels", '{"name": "x", "kind": "webhook", "quiet": [1]}'),
    ("/channels/{id}/replay", "{}"),
    ("/channels/{id}/replay", '{"since": {}}'),
    ("/channels/{id}/replay", '{"since": "ent_ffffffffffffffff"}'),
    ("/channels/{id}/rotate-secret", '{"secret": "whsec_x"}'),
    ("/channels/{id}/test", '{"url": "https://x.example/"}'),
]  # fmt: skip


def test_bad_input_is_422_and_changes_nothing(reaching: Running, receiver: Receiver) -> None:
    channel = made(reaching, receiver)
    before = reaching.written()
    for path, body in BAD_BODIES:
        answer = reaching.send("POST", path.replace("{id}", channel["channel_id"]), body)
        assert answer.status_code == 422, (path, body, answer.text)
    for query in ("status=lost", "limit=0", "cursor=x", "foo=1"):
        path = f"/channels/{channel['channel_id']}/deliveries?{query}"
        assert reaching.send("GET", path, "").status_code == 422
    assert reaching.written() == before
    assert receiver.received == []
