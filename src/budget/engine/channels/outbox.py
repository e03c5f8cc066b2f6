"""The outbox: which entries each channel is still to be told of, and what came of telling.

The journal is where notices come from. `gather` reads it below the point where nothing can still
appear, and writes a delivery for each entry that a channel wants in the same transaction as the
channel's place, so a process may be killed at any instant and nothing is lost. `claim` takes what
is due for one sender alone, by pushing it ahead: should the sender be killed, it is due again. Its
transactions stand beside the ledger's and keep no call waiting. Not here: sending (`sending`).
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from budget.domain.answers import Event
from budget.domain.answers_channels import Channel, Delivery
from budget.domain.quiet import told_at_us
from budget.engine.beside import transaction
from budget.engine.channels.rows import SELECT_DELIVERIES, channel_of, delivery_of
from budget.engine.channels.topics import TOPICS
from budget.engine.channels.wanting import wants
from budget.engine.events.subjects import Subject, subjects_of
from budget.engine.ids import new_id
from budget.engine.journal import settled_below
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import channels, deliveries, entries
from budget.storage.unit import Unit

SECOND_US: Final = 1_000_000
PAGE: Final = 500
"""Entries that are looked at at once."""
MOST_CLAIMED: Final = 50
"""Deliveries of one channel that are taken at once."""
PLACE_KEPT_US: Final = 60 * SECOND_US
"""How often the place of a channel that wants nothing is written down."""
LEASE_SECONDS: Final = 20.0
BEGINNING: Final = 0.4
"""The share of a lease in which messages are begun: the longest takes 10 of 20 seconds."""
WAITS_SECONDS: Final = (
    5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 22 * 3600, 22 * 3600,
)  # fmt: skip
"""How long to wait after each attempt that failed; after the last of them it is dead. With the most
that chance adds they are less than three days.
"""
JITTER_BPS: Final = 800

KEPT_US: Final = 30 * 86_400 * SECOND_US
"""How long deliveries that are done with can be looked at."""
MOST_PRUNED: Final = 5_000

PENDING: Final = deliveries.c.status == literal_column("'pending'")
"""In the words of the index, so that it is used."""
IN_FORCE: Final = (channels.c.enabled == 1) & channels.c.archived_us.is_(None)


class Place(NamedTuple):
    """Up to which entry a channel was looked after: as it is stored, and as this process knows."""

    stored: int
    read: int
    kept_us: int


Places = dict[str, Place]
"""By the ids of channels. It belongs to one process, and may be forgotten at any time."""


class Claimed(NamedTuple):
    """Deliveries that a sender has for itself until the lease ends, at `until_us`.

    `begin_before`, of the monotonic clock: later no message may be begun, or it might outlast that.
    """

    channel_id: str
    deliveries: tuple[Delivery, ...]
    until_us: int
    begin_before: float


class Result(NamedTuple):
    """What became of a delivery: its status, when it is tried next, and what was answered."""

    delivery_id: str
    status: str
    attempts: int
    due_us: int
    answer: str | None
    done: bool


# --- From the journal ----------------------------------------------------------------------------


def gather(database: Database, unit: Unit, places: Places) -> int:
    """Write deliveries for all that happened since; how many."""
    found = 0
    with snapshot(database) as connection:
        live = [channel_of(row) for row in connection.execute(_live()).mappings()]
        top = _top(connection)
    now_us = database.now_us()
    for channel in live:
        place = places.get(channel.channel_id)
        if place is None or place.stored != channel.after:
            places[channel.channel_id] = Place(channel.after, channel.after, now_us)
    for gone in places.keys() - {channel.channel_id for channel in live}:
        del places[gone]
    while live and (low := min(place.read for place in places.values())) < top:
        found += _gather_page(database, unit, places, live, low, top)
    return found


def _live() -> Any:
    return select(channels).where(IN_FORCE).order_by(channels.c.channel_id)


def _top(connection: Connection) -> int:
    """The newest entry before which nothing can still appear."""
    newest = select(func.max(entries.c.id))
    below = settled_below(connection)
    if below is not None:
        newest = newest.where(entries.c.id < below)
    top = connection.execute(newest).scalar_one()
    return -1 if top is None else int(top)


def _gather_page(
    database: Database, unit: Unit, places: Places, live: Sequence[Channel], low: int, top: int
) -> int:
    kinds = {channel.channel_id: kinds_of(channel) for channel in live}
    wanted = (
        select(entries)
        .where(
            entries.c.id > low,
            entries.c.id <= top,
            entries.c.kind.in_(sorted(frozenset[str]().union(*kinds.values()))),
        )
        .order_by(entries.c.id)
        .limit(PAGE)
    )
    with snapshot(database) as connection:
        page = [Event(*row) for row in connection.execute(wanted)]
        subjects = subjects_of(connection, page) if page else {}
    upto = page[-1].cursor if len(page) == PAGE else top
    now_us = database.now_us()
    due: dict[str, list[Event]] = {}
    for channel in live:
        place = places[channel.channel_id]
        mine = [
            event
            for event in page
            if event.cursor > place.read
            and wants(channel, kinds[channel.channel_id], event, subjects[event.cursor])
        ]
        if upto > place.read and (mine or now_us - place.kept_us >= PLACE_KEPT_US):
            due[channel.channel_id] = mine
        elif upto > place.read:
            places[channel.channel_id] = place._replace(read=upto)
    if due:
        _write(database, unit, places, due, {c.channel_id: c for c in live}, subjects, upto)
    return sum(map(len, due.values()))


def kinds_of(channel: Channel) -> frozenset[str]:
    """The kinds of entries that a channel is told of."""
    wanted = channel.wanted
    return frozenset(wanted.kinds).union(*(TOPICS[topic] for topic in wanted.topics))


def _write(
    database: Database,
    unit: Unit,
    places: Places,
    due: Mapping[str, Sequence[Event]],
    live: Mapping[str, Channel],
    subjects: Mapping[int, Subject],
    upto: int,
) -> None:
    """Deliveries and places, together; where a place is not as it was, another was there first."""
    with transaction(unit, database) as now_us:
        rows: list[dict[str, Any]] = []
        moved: list[str] = []
        for channel_id in sorted(due):
            place = places.pop(channel_id)
            of = channels.c.channel_id == channel_id
            after = select(channels.c.after).where(of, IN_FORCE).with_for_update()
            if unit.execute(after) != [(place.stored,)]:
                continue
            known = _known(unit, channel_id, due[channel_id])
            rows += [
                _delivery(live[channel_id], event, subjects[event.cursor], now_us)
                for event in due[channel_id]
                if event.cursor not in known
            ]
            if upto > place.stored:
                unit.execute(update(channels).where(of).values(after=upto))
            moved.append(channel_id)
        if rows:
            unit.execute(insert(deliveries), rows)
    for channel_id in moved:
        places[channel_id] = Place(upto, upto, now_us)
    for channel_id in due.keys() - set(moved):  # looked at anew in the next round
        places[channel_id] = Place(-2, upto, now_us)


def _known(unit: Unit, channel_id: str, events: Sequence[Event]) -> set[int]:
    """Of these entries those that the channel has deliveries for; whoever replays makes some."""
    if not events:
        return set()
    ids = [event.cursor for event in events]
    of = deliveries.c
    wanted = select(of.entry_id).where(of.channel_id == channel_id, of.entry_id.in_(ids))
    return {row[0] for row in unit.execute(wanted)}


def _delivery(channel: Channel, event: Event, subject: Subject, now_us: int) -> dict[str, Any]:
    due_us = now_us
    if channel.digest_seconds is not None:
        step_us = channel.digest_seconds * SECOND_US
        due_us = now_us - now_us % step_us + step_us
    return {
        "delivery_id": new_id("dlv"),
        "channel_id": channel.channel_id,
        "entry_id": event.cursor,
        "status": "pending",
        "attempts": 0,
        "due_us": told_at_us(channel.quiet, subject.severity, due_us),
        "created_us": now_us,
    }


# --- To whoever sends ----------------------------------------------------------------------------


def claim(
    database: Database, unit: Unit, busy: Collection[str], lease_seconds: float = LEASE_SECONDS
) -> list[Claimed]:
    """What is due, for each channel that is not `busy`, oldest first; nobody else takes it now."""
    of = deliveries.c
    due_now = exists().where(
        of.channel_id == channels.c.channel_id, PENDING, of.due_us <= database.now_us()
    )
    with snapshot(database) as connection:
        # A look first, for it costs no lock: nearly always there is nothing.
        ids = connection.scalars(select(channels.c.channel_id).where(IN_FORCE, due_now))
        waiting = sorted(set(ids) - set(busy))
    if not waiting:
        return []
    claimed: list[Claimed] = []
    begin_before = time.monotonic() + lease_seconds * BEGINNING
    with transaction(unit, database) as now_us:
        until_us = now_us + int(lease_seconds * SECOND_US)
        for channel_id in waiting:
            found = _claim_of(unit, channel_id, now_us, until_us)
            if found:
                claimed.append(Claimed(channel_id, found, until_us, begin_before))
    return claimed


def _claim_of(unit: Unit, channel_id: str, now_us: int, until_us: int) -> tuple[Delivery, ...]:
    locked = select(channels.c.digest_us).where(channels.c.channel_id == channel_id, IN_FORCE)
    found = unit.execute(locked.with_for_update())
    if not found:
        return ()
    of = deliveries.c
    due = (of.channel_id == channel_id) & PENDING & (of.due_us <= now_us)
    oldest = (
        select(of.delivery_id, of.digest_id)
        .where(due)
        .order_by(of.due_us, of.entry_id)
        .limit(MOST_CLAIMED)
    )
    rows = unit.execute(oldest)
    if not rows:
        return ()
    # A digest that was tried before goes out whole again, for it has an id already.
    again = sorted({digest_id for _, digest_id in rows if digest_id is not None})
    if again:
        whole = select(of.delivery_id, of.digest_id).where(due, of.digest_id.in_(again))
        rows += unit.execute(whole)
    mine = of.delivery_id.in_(sorted({delivery_id for delivery_id, _ in rows}))
    if found[0][0] is not None:
        new = update(deliveries).where(mine, of.digest_id.is_(None))
        unit.execute(new.values(digest_id=new_id("dig")))
    unit.execute(update(deliveries).where(mine).values(due_us=until_us))
    names = (*deliveries.columns.keys(), "kind")
    taken = unit.execute(SELECT_DELIVERIES.where(mine).order_by(of.entry_id))
    return tuple(delivery_of(dict(zip(names, row, strict=True))) for row in taken)


_FINISH: Final = (
    update(deliveries)
    .where(deliveries.c.delivery_id == bindparam("of"), PENDING)
    .values(
        status=bindparam("to_status"), attempts=bindparam("to_attempts"),
        due_us=bindparam("to_due_us"), done_us=bindparam("to_done_us"),
        answer=bindparam("to_answer"),
    )
)  # fmt: skip


_PUT_OFF: Final = _FINISH.where(deliveries.c.due_us == bindparam("lease_us"))


def finish(database: Database, unit: Unit, results: Sequence[Result], until_us: int) -> None:
    """Write down what came of deliveries that were claimed. One that is still to be told is left to
    whoever has it now if the lease, to `until_us`, was not kept.
    """
    if not results:
        return
    with transaction(unit, database) as now_us:
        done = [_written(result, now_us) for result in results if result.done]
        later = [
            {**_written(result, None), "lease_us": until_us}
            for result in results
            if not result.done
        ]
        if done:
            unit.execute(_FINISH, done)
        if later:
            unit.execute(_PUT_OFF, later)


def _written(result: Result, done_us: int | None) -> dict[str, Any]:
    return {
        "of": result.delivery_id, "to_status": result.status, "to_attempts": result.attempts,
        "to_due_us": result.due_us, "to_done_us": done_us, "to_answer": result.answer,
    }  # fmt: skip


def prune(database: Database, unit: Unit) -> int:
    """Forget deliveries that were done with long ago, some of each channel; how many."""
    with transaction(unit, database) as now_us:
        of = deliveries.c
        old = (of.created_us < now_us - KEPT_US) & (of.status != "pending")
        pruned = 0
        for (channel_id,) in unit.execute(select(channels.c.channel_id)):
            wanted = select(of.delivery_id).where(of.channel_id == channel_id, old)
            ids = [row[0] for row in unit.execute(wanted.limit(MOST_PRUNED))]
            if ids:
                unit.execute(delete(deliveries).where(of.delivery_id.in_(ids), old))
            pruned += len(ids)
    return pruned


def wait_us(message_id: str, attempts: int, waits: Sequence[float]) -> int | None:
    """How long to wait after so many attempts that failed; None when there were enough.

    A little is added, by chance that the message's id decides, so that not all come at once.
    """
    if attempts > len(waits):
        return None
    drawn = hashlib.blake2b(f"{message_id}{attempts}".encode(), digest_size=4).digest()
    added_bps = int.from_bytes(drawn) % (JITTER_BPS + 1)
    base_us = int(waits[attempts - 1] * SECOND_US)
    return base_us + base_us * added_bps // 10_000


def messages_of(claimed: Claimed) -> dict[str, list[Delivery]]:
    """The messages to be sent, by their ids: digests together, all others each by itself."""
    messages: defaultdict[str, list[Delivery]] = defaultdict(list)
    for delivery in claimed.deliveries:
        messages[delivery.digest_id or delivery.delivery_id].append(delivery)
    return dict(messages)
