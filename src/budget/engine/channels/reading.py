"""Reading channels: which there are, what was sent through one, and where the journal stood when.

Not here: who may change them (`acts`).
"""

from sqlalchemy import Connection, RowMapping, select

from budget.domain import cursors
from budget.domain.answers_channels import STATUSES, Channel, Delivery
from budget.domain.answers_pages import Page
from budget.domain.errors import Forbidden, InvalidInput, NotFound
from budget.domain.windows import parse_rfc3339
from budget.engine.callers import Caller
from budget.engine.channels.acts import may_see
from budget.engine.channels.rows import SELECT_DELIVERIES, channel_of, delivery_of
from budget.engine.pages import Order, is_storable, read_page, read_seen
from budget.engine.snapshots import snapshot
from budget.storage.database import Database
from budget.storage.schema import channels, deliveries, entries

SLACK_US = 60_000_000
"""Of entries that were written at once, the order of ids and that of times may differ a little."""


def check_manages(caller: Caller) -> None:
    """Forbidden unless the caller may manage channels; where they lead is for nobody else."""
    if not caller.manage:
        raise Forbidden("This key may not manage channels; use one with the right `manage`.")


def channel(database: Database, channel_id: str, caller: Caller) -> Channel:
    """One channel, archived or not; NotFound."""
    with snapshot(database) as connection:
        return _found(connection, channel_id, caller)


def _found(connection: Connection, channel_id: str, caller: Caller) -> Channel:
    if is_storable(channel_id):
        wanted = select(channels).where(channels.c.channel_id == channel_id)
        row = connection.execute(wanted).mappings().one_or_none()
        if row is not None and may_see(caller, found := channel_of(row)):
            return found
    raise NotFound("channel", channel_id)


def list_channels(
    database: Database, caller: Caller, *, archived: bool, limit: int, cursor: str | None
) -> Page[Channel]:
    """Channels by id; archived ones only when asked for."""
    wanted = select(channels)
    if not archived:
        wanted = wanted.where(channels.c.archived_us.is_(None))

    def keep(some: list[RowMapping]) -> list[RowMapping]:
        return [row for row in some if may_see(caller, channel_of(row))]

    with snapshot(database) as connection:
        found, after = read_seen(
            connection, wanted, Order((channels.c.channel_id,)), keep, limit=limit, cursor=cursor
        )
        return Page([channel_of(row) for row in found], after)


def list_deliveries(
    database: Database, channel_id: str, caller: Caller, *, status: str | None, limit: int,
    cursor: str | None,
) -> Page[Delivery]:  # fmt: skip
    """What a channel was told, is to be told and could not be told, newest first."""
    if status is not None and status not in STATUSES:
        raise InvalidInput("status", "is not a status of a delivery.", STATUSES)
    wanted = SELECT_DELIVERIES.where(deliveries.c.channel_id == channel_id)
    if status is not None:
        wanted = wanted.where(deliveries.c.status == status)
    with snapshot(database) as connection:
        _found(connection, channel_id, caller)
        found, after = read_page(
            connection, wanted, [deliveries.c.created_us, deliveries.c.entry_id],
            limit=limit, cursor=cursor,
        )  # fmt: skip
        return Page([delivery_of(row) for row in found], after)


def entry_before(database: Database, since: object) -> int:
    """The entry id after which a time begins, or that of a cursor; InvalidInput for neither."""
    if isinstance(since, str) and since.startswith("ent_"):
        return cursors.decode(since, "since")
    if since is None:
        raise InvalidInput("since", "is required: a time, or a cursor.")
    at_us = parse_rfc3339(since, "since") - SLACK_US
    with snapshot(database) as connection:
        return _place_of(connection, at_us)


def _place_of(connection: Connection, at_us: int) -> int:
    """The id after which entries are of a time or later, found by halves: ids grow with time."""
    newest = connection.execute(select(entries.c.id).order_by(entries.c.id.desc()).limit(1))
    low, high = -1, newest.scalar_one_or_none() or 0
    while low < high:
        middle = (low + high) // 2
        after = (
            select(entries.c.id, entries.c.at_us)
            .where(entries.c.id > middle)
            .order_by(entries.c.id)
            .limit(1)
        )
        found = connection.execute(after).one_or_none()
        if found is None or found.at_us >= at_us:
            high = middle
        else:
            low = found.id
    return max(low, 0)
