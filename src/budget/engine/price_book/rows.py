"""Price rows: how the price book lies in its tables, both ways.

What was stored has been checked before, so reading trusts it. Not here: what is decided
(`applying`), and the book made of it (`shelf`).
"""

import gzip
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, bindparam, insert, select, update

from budget.domain.answers_prices import PriceOverride, PriceUpdate
from budget.domain.pricing import decode_rates, encode_rates
from budget.engine import catalogue_rows
from budget.engine.batch import Batch
from budget.prices.combined import Key
from budget.prices.schedules import Piece, Schedule
from budget.storage.schema import (
    closed_prices,
    price_overrides,
    price_snapshots,
    price_sources,
    price_state,
    price_updates,
)
from budget.storage.unit import Unit


class SourceRow(NamedTuple):
    """A source, the snapshot of it in force, and how its last reading went."""

    source: str
    basis: str | None = None
    place: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    checked_us: int | None = None
    applied_us: int | None = None
    error: str | None = None


class ClosedRow(NamedTuple):
    """A price that its source no longer has, and that holds in [from_us, until_us)."""

    id: str
    source: str
    provider: str
    model: str
    context: str
    from_us: int | None
    until_us: int | None
    schedule: str
    basis: str
    reason: str

    @property
    def key(self) -> Key:
        """Provider, model and context."""
        return self.provider, self.model, self.context


class Snapshot(NamedTuple):
    """What a source said, as it came."""

    basis: str
    source: str
    version: str
    sha256: str
    models: int
    taken_us: int
    origin: str
    status: str
    body: bytes

    @property
    def data(self) -> bytes:
        """The bytes as they came."""
        return gzip.decompress(self.body)


class Stored(NamedTuple):
    """All of the price book but the snapshots' bodies, at one version."""

    version: int
    sources: tuple[SourceRow, ...]
    closed: tuple[ClosedRow, ...]
    overrides: tuple[PriceOverride, ...]

    def source(self, name: str) -> SourceRow:
        """The row of a source, empty if there is none yet."""
        return next((row for row in self.sources if row.source == name), SourceRow(name))

    def closed_of(self, source: str) -> tuple[ClosedRow, ...]:
        """The closed prices of a source."""
        return tuple(row for row in self.closed if row.source == source)


_VERSION: Final = select(price_state.c.version)
_SOURCES: Final = select(price_sources).order_by(price_sources.c.source)
_CLOSED: Final = select(closed_prices).order_by(closed_prices.c.id)
_OVERRIDES: Final = select(price_overrides).order_by(price_overrides.c.id)


def read_version(connection: Connection) -> int:
    """The price book's version."""
    return int(connection.execute(_VERSION).scalar_one())


def read_stored(connection: Connection) -> Stored:
    """The price book at the connection's moment."""
    return Stored(
        read_version(connection),
        tuple(read_sources(connection).values()),
        tuple(ClosedRow(*row) for row in connection.execute(_CLOSED)),
        tuple(override_from_row(row) for row in connection.execute(_OVERRIDES)),
    )


def read_source(connection: Connection, source: str) -> SourceRow:
    """The row of a source, empty if there is none yet."""
    found = connection.execute(source_query(source)).one_or_none()
    return SourceRow(source) if found is None else SourceRow(*found)


def read_sources(connection: Connection) -> dict[str, SourceRow]:
    """The rows of all sources by name."""
    return {row.source: SourceRow(*row) for row in connection.execute(_SOURCES)}


def read_snapshot(connection: Connection, basis: str) -> Snapshot | None:
    """One snapshot with its body."""
    found = connection.execute(
        select(price_snapshots).where(price_snapshots.c.basis == basis)
    ).one_or_none()
    return None if found is None else Snapshot(*found)


def read_status(connection: Connection, basis: str) -> str | None:
    """What became of a snapshot; None if it is not there."""
    return connection.execute(
        select(price_snapshots.c.status).where(price_snapshots.c.basis == basis)
    ).scalar_one_or_none()


def read_origin(connection: Connection, basis: str) -> str | None:
    """Where a snapshot came from."""
    return connection.execute(
        select(price_snapshots.c.origin).where(price_snapshots.c.basis == basis)
    ).scalar_one_or_none()


def source_query(source: str) -> Select[Any]:
    """The row of one source."""
    return select(price_sources).where(price_sources.c.source == source)


def override_from_row(row: Sequence[Any]) -> PriceOverride:
    """An override from a row of its table."""
    override_id, provider, model, context, rates, *rest = row
    return PriceOverride(override_id, provider, model, context, decode_rates(rates), *rest)


def encode_schedule(schedule: Schedule) -> str:
    """A schedule as JSON: [[rates, start, daily, end], ...]."""
    return json.dumps(
        [
            [piece.rates and encode_rates(piece.rates), *piece[1:]]
            for piece in schedule.pieces
        ],
        separators=(",", ":"),
    )  # fmt: skip


def decode_schedule(text: str) -> Schedule:
    """The schedule that `encode_schedule` wrote."""
    return Schedule(
        tuple(
            Piece(
                None if rates is None else decode_rates(rates),
                start_us,
                None if daily is None else (daily[0], daily[1]),
                end_us,
            )
            for rates, start_us, daily, end_us in json.loads(text)
        )
    )


# --- Writing, in a transaction that nobody else is in --------------------------------------------

_ADD_SNAPSHOT: Final = insert(price_snapshots)
_ADD_SOURCE: Final = insert(price_sources)
_CHANGE_SOURCE: Final = update(price_sources).where(price_sources.c.source == bindparam("of"))
_ADD_CLOSED: Final = insert(closed_prices)
_END_CLOSED: Final = (
    update(closed_prices)
    .where(closed_prices.c.id == bindparam("of"), closed_prices.c.until_us.is_(None))
    .values(until_us=bindparam("ends_us"))
)
_ADD_UPDATES: Final = insert(price_updates)
_WITHDRAW: Final = (
    update(price_updates)
    .where(
        price_updates.c.source == bindparam("of_source"),
        price_updates.c.provider == bindparam("of_provider"),
        price_updates.c.model == bindparam("of_model"),
        price_updates.c.context == bindparam("of_context"),
        price_updates.c.status == "quarantined",
    )
    .values(
        status=bindparam("to"), decided_by=bindparam("by"), decided_us=bindparam("at"),
        reason=bindparam("why"),
    )
)  # fmt: skip
_COUNT_UP: Final = update(price_state).values(version=price_state.c.version + 1)


def version_in(unit: Unit) -> int:
    """The price book's version, in the unit's transaction."""
    return int(unit.execute(_VERSION)[0][0])


def count_up(batch: Batch) -> None:
    """Tell every process that prices have changed."""
    batch.unit.execute(_COUNT_UP)
    catalogue_rows.count_up(batch.unit)
    batch.catalogue = batch.catalogue.with_prices()


def is_stored(unit: Unit, basis: str) -> bool:
    """Whether a snapshot is there, in the unit's transaction."""
    table = price_snapshots.c
    return bool(unit.execute(select(table.basis).where(table.basis == basis)))


def add_snapshot(unit: Unit, snapshot: Snapshot) -> None:
    """Store a snapshot, or tell the status of one that is there already."""
    table = price_snapshots
    known = unit.execute(select(table.c.status).where(table.c.basis == snapshot.basis))
    if not known:
        unit.execute(_ADD_SNAPSHOT, snapshot._asdict())
    elif known[0][0] != snapshot.status:
        set_snapshot_status(unit, snapshot.basis, snapshot.status)


def set_snapshot_status(unit: Unit, basis: str, status: str) -> None:
    """Say what became of a snapshot."""
    unit.execute(
        update(price_snapshots).where(price_snapshots.c.basis == basis).values(status=status)
    )


def give_up_held(unit: Unit, source: str) -> None:
    """Snapshots of a source that were held as a whole are overtaken by one that is applied."""
    table = price_snapshots
    unit.execute(
        update(table)
        .where(table.c.source == source, table.c.status == "quarantined")
        .values(status="rejected")
    )


def reject_held(unit: Unit, basis: str) -> bool:
    """Turn a snapshot down that is held; False if it is held no more."""
    table = price_snapshots
    held = unit.execute(
        select(table.c.basis).where(table.c.basis == basis, table.c.status == "quarantined")
    )
    if held:
        set_snapshot_status(unit, basis, "rejected")
    return bool(held)


def end_kept(unit: Unit, source: str, keys: Iterable[Key], at_us: int) -> None:
    """End the prices of these models that were kept."""
    table = closed_prices
    ids = []
    for provider, model, context in keys:
        found = unit.execute(
            select(table.c.id).where(
                table.c.source == source, table.c.provider == provider, table.c.model == model,
                table.c.context == context, table.c.until_us.is_(None),
            )
        )  # fmt: skip
        ids += [id_ for (id_,) in found]
    end_closed(unit, ids, at_us)


def put_source(unit: Unit, row: SourceRow) -> None:
    """Store how a source stands."""
    values = row._asdict()
    known = unit.execute(select(price_sources.c.source).where(price_sources.c.source == row.source))
    if known:
        unit.execute(_CHANGE_SOURCE, {**values, "of": values.pop("source")})
    else:
        unit.execute(_ADD_SOURCE, values)


def add_closed(unit: Unit, rows: Iterable[ClosedRow]) -> None:
    """Store closed prices."""
    values = [row._asdict() for row in rows]
    if values:
        unit.execute(_ADD_CLOSED, values)


def end_closed(unit: Unit, ids: Iterable[str], at_us: int) -> None:
    """End prices that were kept."""
    values = [{"of": id_, "ends_us": at_us} for id_ in ids]
    if values:
        unit.execute(_END_CLOSED, values)


def add_updates(unit: Unit, updates: Iterable[PriceUpdate]) -> None:
    """Store update records."""
    values = []
    for one in updates:
        row = one._asdict()
        row["id"] = row.pop("update_id")
        values.append(row)
    if values:
        unit.execute(_ADD_UPDATES, values)


def decide_updates(
    unit: Unit, source: str, keys: Iterable[Key], status: str, by: str, at_us: int,
    reason: str | None = None,
) -> None:  # fmt: skip
    """Give the updates in quarantine of these models another status."""
    values = [
        {
            "of_source": source, "of_provider": provider, "of_model": model,
            "of_context": context, "to": status, "by": by, "at": at_us, "why": reason,
        }
        for provider, model, context in keys
    ]  # fmt: skip
    if values:
        unit.execute(_WITHDRAW, values)


def add_override(unit: Unit, override: PriceOverride) -> None:
    """Store an override."""
    unit.execute(
        insert(price_overrides),
        {
            "id": override.override_id, "provider": override.provider, "model": override.model,
            "context": override.context, "rates": encode_rates(override.rates),
            "from_us": override.from_us, "until_us": override.until_us, "actor": override.actor,
            "reason": override.reason, "created_us": override.created_us,
        },
    )  # fmt: skip


def end_override(unit: Unit, override_id: str, until_us: int) -> None:
    """End an override, or let it end sooner."""
    table = price_overrides
    unit.execute(update(table).where(table.c.id == override_id).values(until_us=until_us))
