"""Notices: an entry of the journal as people and programs are told of it.

A program gets the entry as `GET /events` shows it, people a line that says what happened and the
figures below it. Not here: to whom (`subjects`), by which way (`sending`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from budget.domain import cursors, wire
from budget.domain.answers import Event
from budget.domain.answers_channels import Channel, Delivery
from budget.domain.rights import Bound, sees_budget
from budget.domain.shapes_channels import NoticeShape
from budget.domain.windows import to_rfc3339
from budget.domain.wire import channels as channel_wire
from budget.engine.events.reading import Happened, shown
from budget.engine.events.subjects import ALERTS, Subject, subjects_of
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import entries

MAX_LINES: Final = 20
MAX_LINE_CHARS: Final = 300


class Notice(NamedTuple):
    """What a delivery tells: to programs its shape, to people a title and the figures below it.

    `owners` are those of the budgets that it is about.
    """

    delivery: Delivery
    at_us: int
    shape: NoticeShape
    title: str
    text: str
    owners: tuple[str, ...]
    severity: str


def notices_of(database: Database, deliveries: Sequence[Delivery], bound: Bound) -> list[Notice]:
    """What deliveries tell, in their order, to a channel that is bound to attributes."""
    ids = [delivery.entry_id for delivery in deliveries]
    with snapshot(database) as connection:
        found = connection.execute(select(entries).where(entries.c.id.in_(ids)))
        events = {row.id: Event(*row) for row in found}
        subjects = subjects_of(connection, list(events.values()))
    told = []
    for delivery in deliveries:
        event, subject = events[delivery.entry_id], subjects[delivery.entry_id]
        # What may not be seen was not gathered, but a replay may meet what has changed since.
        seen = shown(Happened(event, subject), bound)
        if seen is not None:
            told.append(_notice(delivery, seen, subject, bound))
    return told


def _notice(delivery: Delivery, event: Event, subject: Subject, bound: Bound) -> Notice:
    shape = wire.event(event, cursors.encode(event.cursor))
    places = [place for place in subject.places if sees_budget(bound, place.budget)]
    budgets = {place.budget.name: place.budget for place in places}
    title = _title(event, list(budgets), shape["detail"], subject.severity)
    return Notice(
        delivery,
        event.at_us,
        channel_wire.notice(event.kind, event.at_us, shape),
        title,
        "\n".join(_lines(event, list(budgets), shape["detail"])),
        tuple(dict.fromkeys(budget.owner for budget in budgets.values() if budget.owner)),
        subject.severity,
    )


def _title(event: Event, budgets: Sequence[str], detail: Mapping[str, Any], severity: str) -> str:
    what = event.kind.replace("_", " ").capitalize()
    if event.kind.startswith(ALERTS):
        what = detail.get("message") or f"{what}: {str(detail.get('alert', '')).replace('_', ' ')}"
        what = f"[{severity}] {what}"
        if "message" in detail:
            return what
    about = f" ({', '.join(budgets[:3])})" if budgets else ""
    return f"{what}{about}"


def _lines(event: Event, budgets: Sequence[str], detail: Mapping[str, Any]) -> list[str]:
    told: dict[str, Any] = {
        "at": to_rfc3339(event.at_us),
        "event": event.kind,
        "cursor": cursors.encode(event.cursor),
        "by": event.actor,
        "budget": ", ".join(budgets[:10]),
        "policy": event.policy_id,
        "allocation": event.allocation_id,
        "usage record": event.usage_id,
    }
    told |= {
        name.replace("_", " "): value
        for name, value in detail.items()
        if name != "message" and not name.endswith("_us")
    }
    lines = [
        f"{name}: {_written(value)}" for name, value in told.items() if value not in (None, "")
    ]
    return [line[:MAX_LINE_CHARS] for line in lines[:MAX_LINES]]


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def trial_shape(channel: Channel, at_us: int) -> NoticeShape:
    """What a webhook gets as a test."""
    data = {"channel_id": channel.channel_id, "name": channel.name, "message": trial_text(channel)}
    return channel_wire.notice("test", at_us, data)


def trial_text(channel: Channel) -> str:
    """What people get as a test."""
    return f"This is a test of the channel {channel.name}. Nothing has happened."
