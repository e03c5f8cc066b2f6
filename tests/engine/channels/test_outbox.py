"""The outbox: what is gathered from the journal, sent, tried again and given up."""

import json
from typing import Any

import pytest

from budget.engine.budget import Budget as Books
from budget.engine.callers import Caller
from budget.engine.channels import outbox, webhook
from budget.engine.channels.outbox import JITTER_BPS, WAITS_SECONDS, wait_us
from budget.engine.channels.outcomes import Outcome
from tests.engine.channels.post import Post, deliveries, hook, made, names
from tests.engine.opened import DAY, HOUR, SECOND, Clock, told
from tests.support.receivers import Receiver

# --- Gathering -----------------------------------------------------------------------------------


def test_a_channel_hears_in_order_of_what_it_wants_since_it_was_made(
    books: Books, post: Post, receiver: Receiver
) -> None:
    made(books, "before")
    channel = hook(books, receiver)
    made(books, "a", "b", "c")
    books.allocate(requests=1)  # not of a kind that it wants
    assert post.turn() == 3
    assert names(receiver) == ["a", "b", "c"]
    assert [d.status for d in deliveries(books, channel)] == ["delivered"] * 3
    assert post.turn() == 0
    made(books, "d")
    assert post.turn() == 1
    assert names(receiver) == ["a", "b", "c", "d"]


def test_what_was_gathered_is_not_gathered_again_by_a_process_that_starts(
    books: Books, post: Post, receiver: Receiver
) -> None:
    hook(books, receiver)
    made(books, "a", "b")
    assert post.gather() == 2
    with Post(books) as another:
        assert another.gather() == 0
        made(books, "c")
        assert another.gather() == 1
        assert post.gather() == 0  # its own place is behind, but not the one that is stored
        assert another.turn() == 3
    assert names(receiver) == ["a", "b", "c"]


def test_the_place_of_a_channel_that_wants_nothing_is_written_down_once_a_minute(
    light: Books, light_post: Post, receiver: Receiver, clock: Clock
) -> None:
    channel = hook(light, receiver)
    made(light, "x")
    light_post.turn()
    stored = light.channel(channel.channel_id).after
    light.allocate(requests=1)
    light_post.gather()
    assert light.channel(channel.channel_id).after == stored
    clock.move(61 * SECOND)
    light.allocate(requests=1)
    light_post.gather()
    assert light.channel(channel.channel_id).after == light.events().items[-1].cursor > stored


def test_more_than_a_page_is_gathered_at_once(
    light: Books, light_post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PAGE", 3)
    hook(light, receiver)
    hook(light, receiver, "placed")
    made(light, *"abcdefgh")
    assert light_post.gather() == 8


def test_topics_kinds_owners_budgets_and_attributes_choose(
    books: Books, post: Post, receiver: Receiver
) -> None:
    policy = {"unit": "usd", "period": "daily", "limit": "10"}
    (mine,) = made(books, "mine", owner="me@example.com", scope={"team": "a"}, policies=[policy])
    (other,) = made(books, "other", owner="you@example.com", per=["team"], policies=[policy])
    wants: dict[str, dict[str, Any]] = {
        "topic": {"topics": ["allocation_updates"]},
        "owner": {"topics": ["allocation_updates"], "owner": "me@example.com"},
        "budget": {"topics": ["allocation_updates"], "budget_id": other},
        "team": {"topics": ["allocation_updates"], "attributes": {"team": "a"}},
        "kinds": {"kinds": ["released"], "topics": ["budget_events"]},
        "alerts": {},
    }
    channels = {
        name: books.create_channel(name=name, kind="webhook", url=receiver.url, wanted=wanted)
        for name, wanted in wants.items()
    }
    books.allocate(usd="1", attributes={"team": "a"}, allocation_id="a")
    books.allocate(usd="1", attributes={"team": "b"}, allocation_id="b")
    books.release("a")
    books.change_budget(mine, name="ours")
    post.gather()
    heard = {
        name: [d.kind for d in deliveries(books, channel)] for name, channel in channels.items()
    }
    assert heard == {
        "topic": ["placed", "placed", "released"],
        "owner": ["placed", "released"],  # team b does not meet that budget
        "budget": ["placed", "placed", "released"],
        "team": ["placed", "released"],
        "kinds": ["released", "budget_changed"],
        "alerts": [],
    }


def test_a_bound_channel_hears_only_of_what_is_its_own(
    books: Books, post: Post, receiver: Receiver
) -> None:
    policy = {"unit": "usd", "period": "daily", "limit": "1"}
    made(books, "all", policies=[policy | {"enforcement": "warn"}])
    made(books, "split", per=["team"], policies=[policy])
    made(books, "search's", scope={"team": "search"}, policies=[policy])
    bound = books.acting_as(Caller("key", bound={"team": "search"}))
    wanted = {
        "topics": ["allocation_updates", "budget_alerts", "budget_events", "policy_updates",
                   "price_updates"]
    }  # fmt: skip
    mine = bound.create_channel(name="x", kind="webhook", url=receiver.url, wanted=wanted)
    assert mine.bound == {"team": "search"}
    books.allocate(usd="0.9", attributes={"team": "search"}, allocation_id="mine")
    books.allocate(usd="0.9", attributes={"team": "other"}, allocation_id="theirs")
    books.allocate(usd="0.9", allocation_id="nobodys")
    books.settle("mine", model="m", input_tokens=900)  # 0.90 USD: warning, on three budgets
    books.settle("theirs", model="m", input_tokens=900)
    for attributes in ({"team": "search"}, {"team": "other"}):
        books.allocate(usd="0.5", attributes=attributes)  # refused
    made(books, "new and all's")
    made(books, "new and search's", scope={"team": "search"})
    post.turn()
    for request in receiver.received:
        event = request.told["data"]
        assert "theirs" not in json.dumps(event)
        assert "nobodys" not in json.dumps(event)
        assert "all's" not in json.dumps(event)
        assert '"team":"other"' not in json.dumps(event).replace(" ", "").replace("\\", "")
    told_of = [(r.told["type"], r.told["data"]["allocation_id"]) for r in receiver.received]
    assert ("placed", "mine") in told_of
    assert ("settled", "mine") in told_of
    assert [kind for kind, _ in told_of].count("budget_created") == 1


# --- Sending again -------------------------------------------------------------------------------


def test_what_is_not_taken_is_sent_again_later_with_the_same_id_and_then_is_dead(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    receiver.status = lambda _: 500
    channel = hook(books, receiver)
    made(books, "a")
    post.turn()
    (waiting,) = deliveries(books, channel)
    assert (waiting.status, waiting.attempts, waiting.answer) == ("pending", 1, "HTTP 500")
    # 5 seconds and at most 8% more.
    assert 5 * SECOND <= waiting.due_us - clock.now_us <= 5.4 * SECOND
    clock.move(5 * SECOND - 1)
    assert post.turn() == 0
    clock.move(SECOND)
    assert post.turn() == 1
    (waiting,) = deliveries(books, channel)
    assert 30 * SECOND <= waiting.due_us - clock.now_us <= 32.4 * SECOND
    clock.move(33 * SECOND)
    assert post.turn() == 1
    (dead,) = deliveries(books, channel, "dead")
    assert (dead.attempts, dead.answer, dead.done_us) == (3, "HTTP 500", clock.now_us)
    clock.move(DAY)
    assert post.turn() == 0
    assert {request.id for request in receiver.received} == {dead.delivery_id}
    assert len({request.body for request in receiver.received}) == 1
    alert = next(a for a in alerts(books) if a["kind"] == "channel_failing")
    assert alert["partition"] == channel.channel_id


def alerts(books: Books) -> list[dict[str, object]]:
    """All alerts there are, with their kinds and subjects."""
    from sqlalchemy import select

    from budget.engine.snapshots import snapshot
    from budget.storage.schema import alerts as table

    with snapshot(books.books.database) as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def test_the_waits_grow_and_end_within_three_days() -> None:
    waits = [wait_us("dlv_x", n, WAITS_SECONDS) for n in range(1, len(WAITS_SECONDS) + 1)]
    for wait, seconds in zip(waits, WAITS_SECONDS, strict=True):
        assert wait is not None
        assert seconds * SECOND <= wait <= seconds * SECOND * (10_000 + JITTER_BPS) // 10_000
    assert wait_us("dlv_x", len(WAITS_SECONDS) + 1, WAITS_SECONDS) is None
    longest = sum(WAITS_SECONDS) * (10_000 + JITTER_BPS) // 10_000 * SECOND
    assert 2 * DAY < longest < 3 * DAY
    assert len({wait_us(f"dlv_{n}", 5, WAITS_SECONDS) for n in range(100)}) > 50


def test_a_receiver_that_is_not_there_is_asked_once_for_all_that_waits(
    light: Books, light_post: Post, receiver: Receiver, clock: Clock
) -> None:
    asked: list[str] = []
    channel = hook(light, receiver, url=receiver.url)
    made(light, "a", "b", "c")
    light_post.gather()
    (claimed,) = light_post.claim()

    def nobody(url: str, *_: object) -> Outcome:
        asked.append(url)
        return Outcome("failed", "127.0.0.1 could not be reached.", unreachable=True)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(webhook, "send", nobody)
        assert light_post.send(claimed) == 3
    assert len(asked) == 1
    assert [(d.status, d.attempts) for d in deliveries(light, channel)] == [("pending", 1)] * 3
    clock.move(6 * SECOND)
    light_post.turn()
    assert names(receiver) == ["a", "b", "c"]


def test_410_switches_the_channel_off_and_says_so_in_the_journal(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    channel = hook(books, receiver)
    receiver.status = lambda _: 410
    made(books, "a", "b")
    post.turn()
    assert len(receiver.received) == 1
    assert not books.channel(channel.channel_id).enabled
    first, second = deliveries(books, channel)
    assert (first.status, first.answer) == ("dead", "HTTP 410")
    assert (second.status, second.attempts) == ("pending", 0)
    (entry,) = told(books, "channel_changed")
    assert entry["changes"] == {"enabled": {"old": True, "new": False}}
    assert "410" in entry["reason"]
    made(books, "while it is off")
    clock.move(HOUR)
    assert post.turn() == 0
    receiver.status = lambda _: 200
    books.change_channel(channel.channel_id, enabled=True)
    made(books, "c")
    post.turn()
    assert names(receiver)[1:] == ["b", "c"]


def test_a_redirect_is_not_followed(light: Books, light_post: Post, receiver: Receiver) -> None:
    receiver.status = lambda _: 307
    channel = hook(light, receiver)
    made(light, "a")
    light_post.turn()
    assert len(receiver.received) == 1
    assert [d.answer for d in deliveries(light, channel)] == ["HTTP 307"]


def test_what_a_killed_sender_had_taken_is_due_again_when_its_lease_ends(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    hook(books, receiver)
    made(books, "a")
    post.gather()
    (lost,) = post.claim()
    assert post.claim() == []
    clock.move(int(outbox.LEASE_SECONDS * SECOND))
    assert post.turn() == 1
    assert [request.id for request in receiver.received] == [lost.deliveries[0].delivery_id]


def test_what_another_has_taken_meanwhile_is_left_to_that_one(
    books: Books, post: Post, receiver: Receiver, clock: Clock
) -> None:
    channel = hook(books, receiver)
    receiver.status = lambda _: 500
    made(books, "a")
    post.gather()
    (slow,) = post.claim()
    clock.move(int(outbox.LEASE_SECONDS * SECOND))
    (mine,) = post.claim()
    post.send(slow)
    (waiting,) = deliveries(books, channel)
    assert (waiting.due_us, waiting.attempts) == (mine.until_us, 0)
    receiver.status = lambda _: 200
    post.send(slow)  # that it has arrived is true, whoever says so
    assert [d.status for d in deliveries(books, channel)] == ["delivered"]


def test_nothing_is_begun_that_might_outlast_its_lease(
    light: Books, light_post: Post, receiver: Receiver
) -> None:
    channel = hook(light, receiver)
    made(light, "a")
    light_post.gather()
    (claimed,) = light_post.claim()
    light_post.send(claimed._replace(begin_before=0.0))
    assert receiver.received == []
    assert [(d.status, d.attempts) for d in deliveries(light, channel)] == [("pending", 0)]
    assert light_post.turn() == 1


# --- Two nodes -----------------------------------------------------------------------------------


def test_two_senders_never_take_the_same_delivery(
    books: Books, post: Post, receiver: Receiver
) -> None:
    import threading

    hook(books, receiver)
    hook(books, receiver)
    made(books, *"abcdefghijklmnopqrst")
    post.gather()
    taken: list[str] = []
    posts = [Post(books) for _ in range(4)]
    ready = threading.Barrier(4)

    def take(mine: Post) -> None:
        ready.wait()
        mine.gather()
        for claimed in mine.claim():
            taken.extend(d.delivery_id for d in claimed.deliveries)

    threads = [threading.Thread(target=take, args=(one,)) for one in posts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in posts:
        one.unit.close()
    assert len(taken) == len(set(taken)) == 40
