"""Making, changing and archiving channels: what is checked, who may, and what the journal tells."""

from typing import Any

import pytest

from budget.domain.errors import BudgetError, Conflict, Forbidden, InvalidInput, NotFound
from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.channels import acts
from tests.engine.channels.post import Post, deliveries, hook, made
from tests.engine.opened import Clock, told
from tests.support.receivers import Receiver

Json = dict[str, Any]

SEARCH = Caller("key_search", bound={"team": "search"})
OTHER = Caller("key_other", bound={"team": "other"})
READER = Caller("key_reader", manage=False)


def test_a_channel_is_made_changed_and_archived(books: Books, receiver: Receiver) -> None:
    made_now = hook(books, receiver, "placed", quiet={"from": "22:00", "to": "07:00"})
    assert (made_now.kind, made_now.enabled, made_now.created_by) == ("webhook", True, "local")
    found = books.channel(made_now.channel_id)
    assert found.secret is None
    assert (found.wanted, found.quiet) == (made_now.wanted, made_now.quiet)
    changed = books.change_channel(
        made_now.channel_id, name="other", quiet={}, digest_seconds=60, wanted={}
    )
    assert (changed.name, changed.quiet, changed.digest_seconds) == ("other", None, 60)
    assert changed.wanted.kinds == ("alert_raised",)
    assert changed.secret is None
    same = books.change_channel(made_now.channel_id, name="other")
    assert same.updated_us == changed.updated_us
    assert books.change_channel(made_now.channel_id, digest_seconds=0).digest_seconds is None
    archived = books.archive_channel(made_now.channel_id)
    assert archived.archived_us is not None
    assert not archived.enabled
    assert books.archive_channel(made_now.channel_id).replayed
    assert books.channels().items == []
    assert [c.channel_id for c in books.channels(archived=True).items] == [made_now.channel_id]
    with pytest.raises(Conflict) as caught:
        books.change_channel(made_now.channel_id, name="x")
    assert caught.value.code == "archived"
    kinds = [e.kind for e in books.events(limit=100).items]
    assert kinds == ["channel_created", *["channel_changed"] * 2, "channel_archived"]
    assert told(books, "channel_changed")[1]["changes"] == {
        "digest_seconds": {"old": 60, "new": None}
    }


def test_what_waits_is_not_sent_once_a_channel_is_archived(
    books: Books, post: Post, receiver: Receiver
) -> None:
    channel = hook(books, receiver)
    made(books, "a")
    post.gather()
    books.archive_channel(channel.channel_id)
    assert post.turn() == 0
    assert [d.status for d in deliveries(books, channel)] == ["skipped"]
    assert receiver.received == []


def test_the_same_request_makes_one_channel_and_tells_its_secret_once(
    books: Books, receiver: Receiver
) -> None:
    ask: dict[str, Any] = {
        "name": "x", "kind": "webhook", "url": receiver.url, "idempotency_key": "k",
    }  # fmt: skip
    first = books.create_channel(**ask)
    again = books.create_channel(**ask)
    assert (again.channel_id, again.replayed, again.secret) == (first.channel_id, True, None)
    assert first.secret is not None
    rotated = books.rotate_channel_secret(first.channel_id, idempotency_key="r")
    repeated = books.rotate_channel_secret(first.channel_id, idempotency_key="r")
    assert rotated.secret is not None
    assert (repeated.replayed, repeated.secret) == (True, None)
    assert len(told(books, "channel_secret_rotated")) == 1


def test_a_test_is_sent_at_once_and_told_in_the_journal(books: Books, receiver: Receiver) -> None:
    channel = hook(books, receiver, quiet={"from": "00:00", "to": "23:59"}, enabled=False)
    tested = books.test_channel(channel.channel_id)
    assert (tested.delivered, tested.answer) == (True, "HTTP 204")
    receiver.status = lambda _: 500
    assert not books.test_channel(channel.channel_id).delivered
    assert [r.told["type"] for r in receiver.received] == ["test", "test"]
    assert told(books, "channel_tested") == [
        {"channel_id": channel.channel_id, "delivered": True, "answer": "HTTP 204"},
        {"channel_id": channel.channel_id, "delivered": False, "answer": "HTTP 500"},
    ]


def test_there_are_so_many_channels_and_no_more(
    light: Books, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "MAX_CHANNELS", 2)
    first = hook(light, receiver)
    hook(light, receiver)
    with pytest.raises(Conflict) as caught:
        hook(light, receiver)
    assert caught.value.code == "too_many_channels"
    light.archive_channel(first.channel_id)
    hook(light, receiver)


# --- Who may -------------------------------------------------------------------------------------


def doings(books: Books, channel_id: str, delivery_id: str) -> list[Any]:
    """Everything that can be done with one channel."""
    return [
        lambda: books.channel(channel_id),
        lambda: books.change_channel(channel_id, name="y"),
        lambda: books.archive_channel(channel_id),
        lambda: books.rotate_channel_secret(channel_id),
        lambda: books.test_channel(channel_id),
        lambda: books.deliveries(channel_id),
        lambda: books.replay_delivery(channel_id, delivery_id),
        lambda: books.replay_channel(channel_id, since="2026-01-01T00:00:00Z"),
    ]


def error_of(doing: Any) -> BudgetError:
    with pytest.raises(BudgetError) as caught:
        doing()
    return caught.value


def test_who_may_not_manage_may_not_even_look(light: Books, receiver: Receiver) -> None:
    channel = hook(light, receiver)
    reader = light.acting_as(READER)
    for doing in [
        *doings(reader, channel.channel_id, "dlv_x"),
        reader.channels,
        lambda: hook(reader, receiver),
    ]:
        assert isinstance(error_of(doing), Forbidden)


def test_who_is_bound_sees_channels_of_the_same_attributes_and_no_others(
    books: Books, post: Post, receiver: Receiver
) -> None:
    search, other = books.acting_as(SEARCH), books.acting_as(OTHER)
    everybodys = hook(books, receiver)
    searchs = hook(search, receiver)
    made(books, "mine", scope={"team": "search"})
    post.turn()
    (delivery,) = deliveries(books, searchs)
    assert [c.channel_id for c in search.channels().items] == [searchs.channel_id]
    assert other.channels().items == []
    assert len(books.channels().items) == 2
    for channel_id in (everybodys.channel_id, searchs.channel_id, "chan_unknown"):
        errors = [error_of(doing) for doing in doings(other, channel_id, delivery.delivery_id)]
        assert {str(error) for error in errors} == {f"There is no channel {channel_id!r}."}
        assert all(isinstance(error, NotFound) for error in errors)
    assert search.channel(searchs.channel_id).bound == {"team": "search"}
    assert len(search.deliveries(searchs.channel_id).items) == 1
    (unbound,) = deliveries(books, everybodys)
    missing = error_of(lambda: search.replay_delivery(searchs.channel_id, unbound.delivery_id))
    assert str(missing) == f"There is no delivery {unbound.delivery_id!r}."


def test_a_budget_that_may_not_be_seen_is_as_one_that_is_not_there(
    light: Books, receiver: Receiver
) -> None:
    search = light.acting_as(SEARCH)
    (foreign,) = made(light, "x", scope={"team": "other"})
    (own,) = made(light, "y", scope={"team": "search"})
    errors = [
        str(error_of(lambda name=name: hook(search, receiver, wanted={"budget_id": name})))
        for name in (foreign, "bud_unknown")
    ]
    assert errors == ["wanted.budget_id: is not the id of a budget."] * 2
    assert hook(search, receiver, wanted={"budget_id": own}).wanted.budget_id == own


def test_what_is_done_to_keys_is_told_only_to_who_has_every_right(
    light: Books, receiver: Receiver
) -> None:
    manager = light.acting_as(Caller("key_manager"))
    assert isinstance(error_of(lambda: hook(manager, receiver, "key_created")), Forbidden)
    channel = hook(manager, receiver)
    change: Json = {"wanted": {"kinds": ["settings_changed"]}}
    refused = error_of(lambda: manager.change_channel(channel.channel_id, **change))
    assert isinstance(refused, Forbidden)
    assert hook(light, receiver, "key_created").wanted.kinds == ("key_created",)


# --- Bad input -----------------------------------------------------------------------------------

WEBHOOK: Json = {"name": "x", "kind": "webhook", "url": "https://hooks.example.com/"}
MAIL: Json = {"name": "x", "kind": "email", "to": "a@example.com"}

INCOMPLETE: list[tuple[Json, str]] = [
    ({}, "kind"),
    ({"kind": "webhook"}, "name"),
    ({"kind": "pigeon", "name": "x"}, "kind"),
    ({"kind": [], "name": "x"}, "kind"),
    ({"kind": "webhook", "name": "x"}, "url"),
]
OF_WEBHOOKS: list[tuple[Json, str]] = [
    ({"url": 1}, "url"),
    ({"url": "http://127.0.0.1/"}, "url"),
    ({"to": "a@b.example"}, "to"),
    ({"apprise_url": "slack://a/b/c"}, "apprise_url"),
    ({"secret": "whsec_x"}, "secret"),
    ({"bound": {}}, "bound"),
    ({"name": ""}, "name"),
    ({"name": "  "}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": "a\ud800b"}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": 1}, "name"),
    ({"enabled": "yes"}, "enabled"),
    ({"enabled": 1}, "enabled"),
    ({"digest_seconds": 9}, "digest_seconds"),
    ({"digest_seconds": -1}, "digest_seconds"),
    ({"digest_seconds": 10**9}, "digest_seconds"),
    ({"digest_seconds": "60"}, "digest_seconds"),
    ({"digest_seconds": False}, "digest_seconds"),
    ({"digest_seconds": 60.0}, "digest_seconds"),
    ({"quiet": []}, "quiet"),
    ({"quiet": {"from": "1:00"}}, "quiet.from"),
    ({"wanted": []}, "wanted"),
    ({"wanted": {"topic": []}}, "wanted.topic"),
    ({"wanted": {"topics": "budget_alerts"}}, "wanted.topics"),
    ({"wanted": {"topics": ["alerts"]}}, "wanted.topics[0]"),
    ({"wanted": {"topics": [{}]}}, "wanted.topics[0]"),
    ({"wanted": {"kinds": ["Alert Raised"]}}, "wanted.kinds[0]"),
    ({"wanted": {"kinds": [1]}}, "wanted.kinds[0]"),
    ({"wanted": {"kinds": ["x"] * 101}}, "wanted.kinds"),
    ({"wanted": {"severities": ["fatal"]}}, "wanted.severities[0]"),
    ({"wanted": {"budget_id": 1}}, "wanted.budget_id"),
    ({"wanted": {"budget_id": "bud_unknown"}}, "wanted.budget_id"),
    ({"wanted": {"owner": "a\nb"}}, "wanted.owner"),
    ({"wanted": {"owner": ""}}, "wanted.owner"),
    ({"wanted": {"attributes": "team"}}, "wanted.attributes"),
    ({"wanted": {"attributes": {"shoe": "x"}}}, "wanted.attributes"),
    ({"idempotency_key": "\n"}, "idempotency_key"),
]
OF_MAIL: list[tuple[Json, str]] = [
    ({"to": "a@b.example\nBcc: c@d.example"}, "to[0]"),
    ({"to": []}, "to"),
    ({"to": ["a@b.example", "x"]}, "to[1]"),
    ({"to": ["a@b.example"] * 21}, "to"),
    ({"to": {"a@b.example": 1}}, "to"),
    ({"to": "Owner"}, "to[0]"),
    ({"url": "https://hooks.example.com/"}, "url"),
]


def test_mistakes_are_named_and_nothing_is_made(light: Books) -> None:
    asks = [
        *INCOMPLETE,
        *(({**WEBHOOK, **bad}, field) for bad, field in OF_WEBHOOKS),
        *(({**MAIL, **bad}, field) for bad, field in OF_MAIL),
    ]
    for ask, field in asks:
        error = error_of(lambda ask=ask: light.create_channel(**ask))
        assert isinstance(error, InvalidInput), ask
        assert error.field == field, ask
    assert light.channels().items == []
    assert light.events().items == []


def test_a_change_is_checked_in_the_same_way(light: Books, receiver: Receiver) -> None:
    mail = light.create_channel(**MAIL).channel_id
    web = hook(light, receiver).channel_id
    asks = [(web, *one) for one in OF_WEBHOOKS] + [(mail, *one) for one in OF_MAIL]
    for channel_id, ask, field in asks:
        error = error_of(lambda id=channel_id, ask=ask: light.change_channel(id, **ask))
        assert isinstance(error, InvalidInput), ask
        assert error.field == field, ask
    assert len(light.events(limit=100).items) == 2


def test_a_kind_stays(light: Books, receiver: Receiver) -> None:
    channel = hook(light, receiver)
    error = error_of(lambda: light.change_channel(channel.channel_id, kind="email"))
    assert isinstance(error, InvalidInput)
    assert error.field == "kind"
    assert light.change_channel(channel.channel_id, kind="webhook", name="y").name == "y"


def test_mail_needs_a_server(light_url: str, clock: Clock) -> None:
    with Books.open(light_url, clock=clock, sweep=False) as books:
        error = error_of(lambda: books.create_channel(**MAIL))
    assert "BUDGET_SMTP_URL" in str(error)


def test_only_webhooks_have_a_secret(light: Books) -> None:
    channel = light.create_channel(**MAIL)
    assert channel.secret is None
    assert isinstance(error_of(lambda: light.rotate_channel_secret(channel.channel_id)), Conflict)


@pytest.mark.parametrize("since", [None, "", "yesterday", "ent_x", 1, "2026-05-15"])
def test_a_replay_begins_at_a_time_or_a_cursor(
    light: Books, receiver: Receiver, since: Any
) -> None:
    channel = hook(light, receiver)
    error = error_of(lambda: light.replay_channel(channel.channel_id, since=since))
    assert isinstance(error, InvalidInput)
    assert error.field == "since"
