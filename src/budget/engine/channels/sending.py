"""Sending: what was claimed goes out by webhook, mail or chat, and what came of it is written down.

No transaction is open while somebody is spoken to. A receiver that does not answer at all is not
asked for each of many notices: the others that were claimed with the first are put off with it. Not
here: what is due (`outbox`), and the thread that has it sent (`notifier`).
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import select

from budget.domain.answers_channels import OWNER, Channel, Delivery, Tested
from budget.domain.quiet import told_at_us
from budget.domain.wire import channels as channel_wire
from budget.engine.batch import Batch
from budget.engine.channels import chat, webhook
from budget.engine.channels.acts import disabling
from budget.engine.channels.notices import Notice, notices_of, trial_shape, trial_text
from budget.engine.channels.outbox import Claimed, Result, messages_of, wait_us
from budget.engine.channels.outcomes import MAX_ANSWER_CHARS, Outcome
from budget.engine.channels.rows import Signing, channel_of, signing_of
from budget.engine.channels.settings import ChannelSettings, is_address
from budget.engine.ids import new_id
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import channels

if TYPE_CHECKING:
    from budget.engine.books import Books

NOT_THEIRS: Final = Outcome("skipped", "The channel may not be told of it any more.")
FAILING: Final = "channel_failing"
"""The kind of alert that tells of what could not be told."""


class Receiver(NamedTuple):
    """A channel, the secrets that sign, and what the operator provides; `at_us` is now."""

    channel: Channel
    signing: Signing
    settings: ChannelSettings
    at_us: int


def receiver_of(database: Database, channel_id: str, settings: ChannelSettings) -> Receiver | None:
    """The channel as it is now; None if there is none."""
    now_us = database.now_us()
    wanted = select(channels).where(channels.c.channel_id == channel_id)
    with snapshot(database) as connection:
        row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        return None
    return Receiver(channel_of(row), signing_of(row, now_us), settings, now_us)


def work(
    books: "Books",
    claimed: Claimed,
    waits: Sequence[float],
    stopped: threading.Event | None = None,
) -> Iterator[list[Result]]:
    """Send what was claimed of one channel, in the order of the journal; what came of each message,
    as soon as it is known.
    """
    receiver = receiver_of(books.database, claimed.channel_id, books.channel_settings)
    bound = {} if receiver is None else receiver.channel.bound
    told = notices_of(books.database, claimed.deliveries, bound)
    notices = {notice.delivery.delivery_id: notice for notice in told}
    unreachable: Outcome | None = None
    gone: str | None = None
    for message_id, deliveries in messages_of(claimed).items():
        left = stopped is None or not stopped.is_set()
        if receiver is None or gone or not left or time.monotonic() > claimed.begin_before:
            yield [_later(delivery, books.database.now_us()) for delivery in deliveries]
            continue
        if unreachable is not None:
            yield _results(books, receiver, message_id, deliveries, unreachable, waits)
            continue
        receiver = receiver._replace(at_us=books.database.now_us())
        unseen = [d for d in deliveries if d.delivery_id not in notices]
        if unseen:
            yield _results(books, receiver, message_id, unseen, NOT_THEIRS, waits)
        message = [notices[d.delivery_id] for d in deliveries if d.delivery_id in notices]
        for part, outcome in _sent(receiver, message_id, message):
            yield _results(books, receiver, message_id, part, outcome, waits)
            if outcome.unreachable:
                unreachable = outcome
            if outcome.status == "gone":
                gone = outcome.answer
    if gone is not None:
        reason = f"The receiver wants nothing more ({gone})."
        books.ledger.do_change(disabling(claimed.channel_id, reason))


def try_out(receiver: Receiver) -> Tested:
    """Send a test notice now, whatever the hour."""
    channel, message_id = receiver.channel, new_id("test")
    to = channel.target.get("to")
    if to == OWNER:
        told = "Mail goes to the owners of budgets, and a test is about none."
        return Tested(channel.channel_id, False, told)
    body = _encoded(trial_shape(channel, receiver.at_us))
    title = f"Test of the channel {channel.name}"
    outcome = _spoken(receiver, message_id, body, title, trial_text(channel), to or ())
    answer = outcome.answer[:MAX_ANSWER_CHARS]
    return Tested(channel.channel_id, outcome.status == "delivered", answer)


# --- One message ---------------------------------------------------------------------------------


def _sent(
    receiver: Receiver, message_id: str, notices: Sequence[Notice]
) -> list[tuple[list[Delivery], Outcome]]:
    """Send one message, of mail to owners one to each; what came of it for which deliveries."""
    parts: defaultdict[tuple[str, ...], list[Notice]] = defaultdict(list)
    for notice in notices:
        parts[_recipients(receiver.channel, notice)].append(notice)
    return [
        (
            [notice.delivery for notice in part],
            _told(receiver, f"{message_id}.{at}" if at else message_id, part, to),
        )
        for at, (to, part) in enumerate(sorted(parts.items()))
    ]


def _recipients(channel: Channel, notice: Notice) -> tuple[str, ...]:
    to = channel.target.get("to", ())
    if to != OWNER:
        return tuple(to)
    return tuple(owner for owner in notice.owners if is_address(owner))


def _told(
    receiver: Receiver, message_id: str, notices: Sequence[Notice], to: Sequence[str]
) -> Outcome:
    shapes = [notice.shape for notice in notices]
    newest_us = max(notice.at_us for notice in notices)
    if receiver.channel.digest_seconds is None and len(notices) == 1:
        (notice,) = notices
        return _spoken(receiver, message_id, _encoded(shapes[0]), notice.title, notice.text, to)
    body = _encoded(channel_wire.digest(shapes, newest_us))
    title = f"{receiver.channel.name}: {len(notices)} notices" if notices[1:] else notices[0].title
    text = "\n\n".join(f"{notice.title}\n{notice.text}" for notice in notices)
    return _spoken(receiver, message_id, body, title, text, to)


def _spoken(
    receiver: Receiver, message_id: str, body: bytes, title: str, text: str, to: Sequence[str]
) -> Outcome:
    channel, settings, at_s = receiver.channel, receiver.settings, receiver.at_us // 1_000_000
    if channel.kind == "webhook":
        signing = receiver.signing.secrets
        return webhook.send(channel.target["url"], signing, message_id, at_s, body, settings)
    if channel.kind == "email":
        from budget.engine.channels import mail  # brings libraries that few processes need

        return mail.send(settings.mail, to, message_id, at_s, title, f"{title}\n\n{text}\n")
    return chat.send(channel.target["apprise_url"], title, text)


def _encoded(shape: Mapping[str, Any]) -> bytes:
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode()


# --- What follows --------------------------------------------------------------------------------


def _later(delivery: Delivery, due_us: int) -> Result:
    """Not tried: it is due again, as if nothing had been."""
    return Result(
        delivery.delivery_id, "pending", delivery.attempts, due_us, delivery.answer, False
    )


def _results(
    books: "Books",
    receiver: Receiver,
    message_id: str,
    deliveries: Sequence[Delivery],
    outcome: Outcome,
    waits: Sequence[float],
) -> list[Result]:
    now_us = books.database.now_us()
    answer = outcome.answer[:MAX_ANSWER_CHARS]
    if outcome.status in ("delivered", "skipped"):
        return [
            Result(d.delivery_id, outcome.status, d.attempts + 1, now_us, answer, True)
            for d in deliveries
        ]
    results = []
    for delivery in deliveries:
        attempts = delivery.attempts + 1
        left_us = None if outcome.status == "gone" else wait_us(message_id, attempts, waits)
        if left_us is None:
            results.append(Result(delivery.delivery_id, "dead", attempts, now_us, answer, True))
        else:
            due_us = told_at_us(receiver.channel.quiet, "info", now_us + left_us)
            results.append(Result(delivery.delivery_id, "pending", attempts, due_us, answer, False))
    dead = [result for result in results if result.status == "dead"]
    if dead and outcome.status != "gone":
        books.ledger.do_change(_alerting(receiver.channel, len(dead), answer))
    return results


def _alerting(channel: Channel, dead: int, answer: str) -> Any:
    """The change that raises an alert, once a day, of a channel whose notices die."""

    def raise_it(batch: Batch) -> None:
        detail = {"channel_id": channel.channel_id, "name": channel.name, "answer": answer,
                  "deliveries": dead}  # fmt: skip
        batch.alert_subject(FAILING, channel.channel_id, detail)
        batch.write([])

    return raise_it
