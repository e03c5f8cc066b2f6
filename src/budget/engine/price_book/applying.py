"""Price applying: what a new reading of a source does to the price book, in one transaction.

    plan = planned(stored, old, reading, at_us)     # pure, beside the writer
    ledger.do(... change=applying(plan, actor))     # writes it, or raises Outdated

A plan holds for the version of the price book it was made from; of two processes that read the same
feed at once the second finds another version and plans again. Not here: reading (`acts`).
"""

import gzip
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from budget.domain.answers_prices import PriceUpdate, SourceUpdate
from budget.domain.errors import Conflict
from budget.engine.batch import Batch
from budget.engine.ids import new_id, new_ids_down
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.rows import ClosedRow, Snapshot, SourceRow, Stored, decode_schedule
from budget.prices.changes import Listings, ModelChange, changes, lost_half
from budget.prices.combined import Key
from budget.prices.listings import Feed

MAX_TOLD: Final = 20
"""How many models an entry or an alert names."""
MAX_ALERTS: Final = 20


class Outdated(Conflict):
    """The price book has changed since the plan was made: plan again."""

    code = "outdated"


class Reading(NamedTuple):
    """A feed, the bytes it was read from, and where those came from.

    `origin` is `feed` (configured: a URL or a file), `file` (named by who asked), `bundled` or
    `installed`.
    """

    feed: Feed
    data: bytes
    origin: str
    place: str | None = None
    etag: str | None = None
    last_modified: str | None = None


class Plan(NamedTuple):
    """What is to be written. `status`: `first`, `applied`, or `quarantined` as a whole."""

    version: int
    status: str
    snapshot: Snapshot
    source: SourceRow
    models: tuple[ModelChange, ...]
    kept: dict[Key, ClosedRow]
    ends: dict[Key, int | None]
    skipped: int
    former_basis: str | None
    accepted: str | None = None
    """Why a snapshot that was held is applied after all."""

    @property
    def report(self) -> SourceUpdate:
        """The counts of it."""
        count = [model.what for model in self.models].count
        return SourceUpdate(
            self.snapshot.source,
            "quarantined" if self.status == "quarantined" else "applied",
            self.snapshot.basis,
            models=self.snapshot.models,
            changed=count("changed") + count("returned"),
            added=count("added") if self.status != "first" else self.snapshot.models,
            dropped=count("dropped"),
            quarantined=count("quarantined"),
            skipped=self.skipped,
        )


def planned(
    stored: Stored,
    old: Listings | None,
    new: Listings,
    reading: Reading,
    now_us: int,
    accepted: str | None = None,
) -> Plan:
    """What a reading does; `old` are the listings of the snapshot in force, None if none is."""
    source = reading.feed.source
    row = stored.source(source)
    closed = stored.closed_of(source)
    kept = {one.key: one for one in closed if one.until_us is None}
    ends: dict[Key, int | None] = {}
    for one in closed:
        if one.until_us is not None:
            ends[one.key] = max(one.until_us, ends.get(one.key) or one.until_us)
    status = "first" if old is None else "applied"
    if old is not None and accepted is None and lost_half(old, new):
        status = "quarantined"
    models: tuple[ModelChange, ...] = ()
    if old is not None and status == "applied":
        schedules = {key: decode_schedule(one.schedule) for key, one in kept.items()}
        models = tuple(changes(old, new, schedules, now_us))
    held = "quarantined" if status == "quarantined" else "applied"
    snapshot = snapshot_of(reading, held, now_us)
    told = SourceRow(
        source,
        row.basis if status == "quarantined" else snapshot.basis,
        reading.place, reading.etag, reading.last_modified,
        now_us, row.applied_us if status == "quarantined" else now_us,
    )  # fmt: skip
    return Plan(
        stored.version, status, snapshot, told, models, kept, ends, len(reading.feed.skipped),
        row.basis, accepted,
    )  # fmt: skip


def snapshot_of(reading: Reading, status: str, now_us: int) -> Snapshot:
    """A reading as it is stored."""
    feed = reading.feed
    models = {(one.provider.lower(), one.model.lower()) for one in feed.prices}
    return Snapshot(
        feed.basis, feed.source, feed.version, feed.sha256, len(models), now_us,
        reading.origin, status, gzip.compress(reading.data, 6, mtime=0),
    )  # fmt: skip


def applying(plan: Plan, actor: str) -> Callable[[Batch], SourceUpdate]:
    """The change that writes a plan; Outdated if the price book is another one by now."""

    def change(batch: Batch) -> SourceUpdate:
        unit = batch.unit
        if price_rows.version_in(unit) != plan.version:
            raise Outdated("The price book has just changed; do it again.")
        if plan.status == "applied":
            price_rows.give_up_held(unit, plan.snapshot.source)
        price_rows.add_snapshot(unit, plan.snapshot)
        told = plan.source._replace(checked_us=batch.now_us)
        if plan.status != "quarantined":
            told = told._replace(applied_us=batch.now_us)
        price_rows.put_source(unit, told)
        _close(batch, plan)
        price_rows.add_updates(unit, _updates(plan, batch.now_us))
        _alert(batch, plan)
        if plan.status != "first" or plan.snapshot.origin != "bundled":
            price_rows.count_up(batch)
            batch.enter("price_update", actor, [], _told(plan))
        batch.write(())
        return plan.report

    return change


def _close(batch: Batch, plan: Plan) -> None:
    """End what was kept, keep what held until now or still does; withdraw what is overtaken."""
    now_us, unit = batch.now_us, batch.unit
    ended, closed, overtaken = [], [], []
    for model in plan.models:
        kept = plan.kept.get(model.key)
        stays = model.what == "quarantined" and kept is not None and kept.reason == "quarantined"
        if kept is not None:
            overtaken.append(model.key)
            if not stays:
                ended.append(kept.id)
        if model.former is None or stays or (kept is not None and model.what != "quarantined"):
            continue  # nothing held, or what was kept has its end now
        closed.append(_closed_row(plan, model, now_us, kept is not None))
    price_rows.end_closed(unit, ended, now_us)
    price_rows.add_closed(unit, closed)
    source = plan.snapshot.source
    price_rows.decide_updates(unit, source, overtaken, "withdrawn", "budget", now_us)


def _closed_row(plan: Plan, model: ModelChange, now_us: int, was_kept: bool) -> ClosedRow:
    assert model.former is not None
    return ClosedRow(
        new_id("closed"), plan.snapshot.source, *model.key,
        now_us if was_kept else plan.ends.get(model.key),
        now_us if model.what == "changed" else None,
        price_rows.encode_schedule(model.former),
        next((p.rates.basis for p in model.former.pieces if p.rates), plan.former_basis or ""),
        model.what,
    )  # fmt: skip


def _updates(plan: Plan, now_us: int) -> Iterator[PriceUpdate]:
    """The updates of a plan, which `price_updates` tells in this order."""
    changed = [(model, step) for model in plan.models for step in model.steps]
    for update_id, (model, step) in zip(new_ids_down("pu", len(changed)), changed, strict=True):
        status = "quarantined" if model.what == "quarantined" else "applied"
        yield PriceUpdate(
            update_id, now_us, plan.snapshot.source, *model.key, step.kind,
            step.from_tokens, step.old_pico, step.new_pico, step.change_bps,
            max(step.from_us, 0), plan.former_basis, plan.snapshot.basis, status,
        )  # fmt: skip


def _alert(batch: Batch, plan: Plan) -> None:
    """Raise what a person should see: each model in quarantine, or all of them in one."""
    snapshot = plan.snapshot
    detail: dict[str, Any] = {"source": snapshot.source, "basis": snapshot.basis}
    if plan.status == "quarantined":
        batch.alert_subject(
            "price_quarantined", snapshot.source,
            {**detail, "why": "half of the models are gone", "models": snapshot.models},
        )  # fmt: skip
        return
    waiting = [model for model in plan.models if model.what == "quarantined"]
    if len(waiting) > MAX_ALERTS:
        names = sorted({"/".join(model.key[:2]) for model in waiting})
        more = {"count": len(names), "models": names[:MAX_TOLD]}
        batch.alert_subject("price_quarantined", snapshot.source, {**detail, **more})
        return
    for model in waiting:
        batch.alert_subject(
            "price_quarantined", "/".join(model.key[:2]), {**detail, "changes": _steps(model)}
        )


def _told(plan: Plan) -> dict[str, Any]:
    """The detail of the entry: counts, and the first models."""
    report = plan.report
    told = [model for model in plan.models if model.steps][:MAX_TOLD]
    return {
        "source": report.source, "status": report.status, "basis": report.basis,
        "former_basis": plan.former_basis, "models": report.models, "changed": report.changed,
        "added": report.added, "dropped": report.dropped, "quarantined": report.quarantined,
        **({"reason": plan.accepted} if plan.accepted else {}),
        "updates": [
            {
                "provider": model.key[0], "model": model.key[1], "context": model.key[2],
                "what": model.what, "changes": _steps(model),
            }
            for model in told
        ],
    }  # fmt: skip


def _steps(model: ModelChange) -> list[dict[str, Any]]:
    return [
        {
            "kind": step.kind, "old_pico": step.old_pico, "new_pico": step.new_pico,
            "change_bps": step.change_bps,
        }
        for step in model.steps[:MAX_TOLD]
    ]  # fmt: skip
