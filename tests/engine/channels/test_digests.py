"""Digests and quiet hours: what is told together, and later."""

import pytest

from budget.engine.budget import Budget as Books
from budget.engine.channels import outbox
from tests.engine.channels.post import Post, deliveries, hook, made
from tests.engine.opened import DAY, HOUR, SECOND, Clock
from tests.support.receivers import Receiver


def test_a_digest_gathers_notices_into_one_message_that_keeps_its_id(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    channel = hook(books, receiver, digest_seconds=60)
    clock.move(60 * SECOND - clock.now_us % (60 * SECOND))  # a whole minute
    made(books, "a", "b")
    assert post.turn() == 0
    clock.move(30 * SECOND)
    made(books, "c")
    assert post.turn() == 0
    receiver.status = lambda _: 503
    clock.move(30 * SECOND)
    assert post.turn() == 3
    made(books, "d")
    post.turn()
    receiver.status = lambda _: 200
    clock.move(60 * SECOND)
    post.turn()
    first, again, last = sorted(receiver.received, key=lambda r: len(r.told["data"]["notices"]) < 3)
    assert first.told["type"] == "digest"
    assert [n["data"]["detail"]["name"] for n in first.told["data"]["notices"]] == ["a", "b", "c"]
    assert (first.id, first.body) == (again.id, again.body)
    assert [n["data"]["detail"]["name"] for n in last.told["data"]["notices"]] == ["d"]
    assert last.id != first.id
    done = deliveries(books, channel)
    assert [d.status for d in done] == ["delivered"] * 4
    assert [d.digest_id for d in done] == [first.id] * 3 + [last.id]


def test_a_digest_that_is_tried_again_goes_out_whole(
    light: Books,
    light_post: Post,
    receiver: Receiver,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "MOST_CLAIMED", 2)
    hook(light, receiver, digest_seconds=60)
    receiver.status = lambda _: 503
    for _ in range(3):
        made(light, "a", "b")
        light_post.gather()
    clock.move(60 * SECOND)
    for _ in range(3):
        light_post.turn()
    receiver.status = lambda _: 200
    clock.move(6 * SECOND)
    for _ in range(3):
        light_post.turn()
    by_id: dict[str, set[bytes]] = {}
    for request in receiver.received:
        by_id.setdefault(request.id, set()).add(request.body)
    assert len(by_id) == 3
    assert all(len(bodies) == 1 for bodies in by_id.values())


def test_in_quiet_hours_a_notice_waits_for_their_end(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    day = clock.now_us - clock.now_us % DAY + DAY
    clock.now_us = day + 23 * HOUR
    quiet = {"from": "22:00", "to": "07:00"}
    channel = hook(books, receiver, quiet=quiet)
    made(books, "a")
    assert post.turn() == 0
    (waiting,) = deliveries(books, channel)
    assert waiting.due_us == day + DAY + 7 * HOUR
    clock.now_us = day + DAY + 7 * HOUR
    assert post.turn() == 1
    # By day one is told at once; what fails just before the night is tried again after it.
    clock.now_us = day + DAY + 22 * HOUR - SECOND
    receiver.status = lambda _: 500
    made(books, "b")
    assert post.turn() == 1
    assert deliveries(books, channel)[-1].due_us == day + 2 * DAY + 7 * HOUR


def test_quiet_hours_end_when_they_are_taken_away_for_what_comes_then(
    light: Books, light_post: Post, receiver: Receiver
) -> None:
    channel = hook(light, receiver, quiet={"from": "00:00", "to": "23:59", "min_severity": "never"})
    changed = light.change_channel(channel.channel_id, quiet={})
    assert changed.quiet is None
    made(light, "a")
    assert light_post.turn() == 1
