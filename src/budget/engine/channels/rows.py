"""Channel rows: how channels and deliveries lie in their tables, both ways.

What was stored has been checked before, so reading trusts it. Not here: what may be stored
(`asks`), what is sent when (`outbox`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import RowMapping, select

from budget.domain.answers_channels import Channel, Delivery, Wanted
from budget.domain.quiet import Quiet
from budget.engine.rows import to_json
from budget.storage.schema import channels, deliveries, entries

COLUMNS: Final = tuple(column.name for column in channels.columns)

SELECT_DELIVERIES: Final = select(deliveries, entries.c.kind).join(
    entries, entries.c.id == deliveries.c.entry_id
)


class Signing(NamedTuple):
    """The secrets that sign now, the newest first."""

    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return "Signing(...)"


def row_of(channel: Channel) -> dict[str, Any]:
    """The columns of a channel, but for those of its secrets."""
    return {
        "channel_id": channel.channel_id,
        "name": channel.name,
        "kind": channel.kind,
        "target": to_json(channel.target),
        "wanted": to_json(channel.wanted._asdict()),
        "quiet": None if channel.quiet is None else to_json(channel.quiet._asdict()),
        "digest_us": None if channel.digest_seconds is None else channel.digest_seconds * 1_000_000,
        "bound": to_json(dict(channel.bound)),
        "enabled": int(channel.enabled),
        "created_by": channel.created_by,
        "created_us": channel.created_us,
        "updated_us": channel.updated_us,
        "archived_us": channel.archived_us,
        "after": channel.after,
    }


def channel_of(row: Mapping[str, Any] | RowMapping) -> Channel:
    """A channel from its row, without its secrets."""
    wanted = json.loads(row["wanted"])
    quiet = None if row["quiet"] is None else json.loads(row["quiet"])
    return Channel(
        channel_id=row["channel_id"],
        name=row["name"],
        kind=row["kind"],
        target=json.loads(row["target"]),
        wanted=Wanted(**{**wanted, **_tuples(wanted, "topics", "kinds", "severities")}),
        quiet=None if quiet is None else Quiet(**{**quiet, **_tuples(quiet, "days")}),
        digest_seconds=None if row["digest_us"] is None else row["digest_us"] // 1_000_000,
        bound=json.loads(row["bound"]),
        enabled=bool(row["enabled"]),
        created_by=row["created_by"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
        archived_us=row["archived_us"],
        former_until_us=row["former_until_us"],
        after=row["after"],
    )


def _tuples(read: Mapping[str, Any], *names: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(read[name]) for name in names}


def signing_of(row: Mapping[str, Any] | RowMapping, now_us: int) -> Signing:
    """The secrets of a channel's row that sign at an instant."""
    former = row["former_secret"]
    both = former is not None and (row["former_until_us"] or 0) > now_us
    secret = row["secret"]
    return Signing(((secret,) if secret else ()) + ((former,) if both else ()))


def delivery_of(row: Mapping[str, Any] | RowMapping) -> Delivery:
    """A delivery from a row of `SELECT_DELIVERIES`."""
    return Delivery(*(row[name] for name in Delivery._fields))
