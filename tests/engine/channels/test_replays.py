"""Sending anew what was sent, or never was; and forgetting it."""

import pytest

from budget.domain.errors import Conflict
from budget.engine.budget import Budget as Books
from budget.engine.channels import outbox
from tests.engine.channels.post import Post, deliveries, hook, made, names
from tests.engine.opened import DAY, HOUR, SECOND, Clock, told
from tests.support.receivers import Receiver


def test_one_delivery_is_sent_again_with_its_id(
    books: Books, post: Post, receiver: Receiver
) -> None:
    channel = hook(books, receiver)
    made(books, "a", "b")
    post.turn()
    first, _ = deliveries(books, channel)
    answer = books.replay_delivery(channel.channel_id, first.delivery_id)
    assert (answer.status, answer.attempts) == ("pending", 0)
    assert post.turn() == 1
    assert [r.id for r in receiver.received].count(first.delivery_id) == 2
    assert told(books, "delivery_replayed") == [
        {"channel_id": channel.channel_id, "delivery_id": first.delivery_id}
    ]


def test_a_replay_sends_what_was_sent_and_what_never_was(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    made(books, "long before")
    clock.move(HOUR)
    since_us = clock.now_us
    made(books, "before")
    channel = hook(books, receiver)
    made(books, "after")
    post.turn()
    assert names(receiver) == ["after"]
    from budget.domain.windows import to_rfc3339

    replay = books.replay_channel(channel.channel_id, since=to_rfc3339(since_us))
    assert replay.deliveries == 1
    post.turn()
    assert sorted(names(receiver)) == ["after", "after", "before"]
    ids = [r.id for r in receiver.received if b'"after"' in r.body]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert post.turn() == 0


def test_a_replay_from_a_cursor_begins_after_it(
    light: Books, light_post: Post, receiver: Receiver
) -> None:
    channel = hook(light, receiver)
    made(light, "a", "b", "c")
    light_post.turn()
    light.replay_channel(channel.channel_id, since=receiver.cursors[0])
    light_post.turn()
    assert names(receiver) == ["a", "b", "c", "b", "c"]


def test_a_channel_that_is_off_sends_nothing_again(light: Books, receiver: Receiver) -> None:
    channel = hook(light, receiver, enabled=False)
    with pytest.raises(Conflict):
        light.replay_channel(channel.channel_id, since="2026-01-01T00:00:00Z")


def test_what_was_done_with_a_month_ago_is_forgotten(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    channel = hook(books, receiver)
    made(books, "a", "b")
    post.turn()
    receiver.status = lambda _: 500
    made(books, "c")
    post.turn()
    database = books.books.database
    clock.move(30 * DAY)
    assert outbox.prune(database, post.unit) == 0
    clock.move(SECOND)
    assert outbox.prune(database, post.unit) == 2
    assert [d.status for d in deliveries(books, channel)] == ["pending"]
