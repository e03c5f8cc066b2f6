"""Price decisions: accepting or rejecting what is held in quarantine, by whom and why.

Not here: what is held, and why (`applying`).
"""

from typing import TYPE_CHECKING

from sqlalchemy import select

from budget.domain.answers_prices import PriceDecision, PriceUpdate
from budget.domain.errors import Conflict, InvalidInput, NotFound
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.fields import parse_reason
from budget.engine.job import Job
from budget.engine.pages import is_storable
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.acts import apply, check_manages, do
from budget.engine.price_book.applying import MAX_TOLD, Reading
from budget.engine.price_book.reading import feed_of
from budget.engine.price_book.rows import Snapshot
from budget.engine.snapshots import snapshot
from budget.storage.schema import price_updates

if TYPE_CHECKING:
    from budget.engine.books import Books


def deciding(
    books: "Books", what: object, status: str, reason: str, caller: Caller
) -> Job[PriceDecision]:
    """The job of `accept_price` and `reject_price`."""
    check_manages(caller)
    why = parse_reason(reason)
    if not isinstance(what, str) or not is_storable(what) or len(what) > 512:
        raise InvalidInput("id", "must be the id of an update, or the basis of a snapshot.")
    return Job(read=lambda: decide(books, what, status, why, caller.actor))


def decide(books: "Books", what: str, status: str, reason: str, actor: str) -> PriceDecision:
    """Accept or reject what waits: all updates of a model, all of a snapshot, or the snapshot.

    NotFound for what never was, Conflict for what was decided before.
    """
    shelf = books.shelf
    with snapshot(books.database) as connection:
        held = price_rows.read_snapshot(connection, what)
    if held is not None and held.status == "quarantined":
        return _decide_snapshot(books, held, status, reason, actor)
    if held is not None and held.status == "rejected":
        raise Conflict("The snapshot was turned down, or a newer one was applied.", code="decided")

    def change(batch: Batch) -> PriceDecision:
        return _decide_updates(batch, what, held is not None, status, reason, actor)

    decision = do(books.ledger, change)
    assert isinstance(decision, PriceDecision)
    shelf.load()
    return decision


def _decide_snapshot(
    books: "Books", held: Snapshot, status: str, reason: str, actor: str
) -> PriceDecision:
    if status == "accepted":
        reading = Reading(feed_of(held), held.data, held.origin)
        apply(books.database, books.ledger, books.shelf, reading, actor, accepted=reason)
        return PriceDecision(status, (), held.basis)

    def change(batch: Batch) -> None:
        if not price_rows.reject_held(batch.unit, held.basis):
            raise Conflict("The snapshot was decided about meanwhile.", code="decided")
        detail = {"source": held.source, "basis": held.basis, "status": status, "reason": reason}
        batch.enter("price_update", actor, [], detail)
        batch.write(())

    do(books.ledger, change)
    return PriceDecision(status, (), held.basis)


def _decide_updates(
    batch: Batch, what: str, is_basis: bool, status: str, reason: str, actor: str
) -> PriceDecision:
    table, unit = price_updates, batch.unit
    chosen = table.c.new_basis == what if is_basis else table.c.id == what
    named = [PriceUpdate(*row) for row in unit.execute(select(table).where(chosen))]
    if not named:
        raise NotFound(
            "price update", what, f"There is no price update {what!r}; those that wait have their "
            "ids in the updates with the status quarantined.",
        )  # fmt: skip
    waiting = [one for one in named if one.status == "quarantined"]
    if not waiting:
        raise Conflict(f"It was {named[0].status} already; nothing waits.", code="decided")
    source = waiting[0].source
    keys = sorted({(one.provider, one.model, one.context) for one in waiting})
    decided = [
        PriceUpdate(*row)
        for row in unit.execute(
            select(table).where(table.c.source == source, table.c.status == "quarantined")
        )
        if (row[3], row[4], row[5]) in keys
    ]
    price_rows.decide_updates(unit, source, keys, status, actor, batch.now_us, reason)
    if status == "accepted":
        price_rows.end_kept(unit, source, keys, batch.now_us)
        price_rows.count_up(batch)
    batch.enter(
        "price_update", actor, [],
        {
            "source": source, "status": status, "basis": waiting[0].new_basis, "reason": reason,
            "count": len(keys), "models": ["/".join(key[:2]) for key in keys[:MAX_TOLD]],
        },
    )  # fmt: skip
    batch.write(())
    told = (
        one._replace(status=status, decided_by=actor, decided_us=batch.now_us, reason=reason)
        for one in decided
    )
    return PriceDecision(status, tuple(told))
