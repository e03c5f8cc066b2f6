"""Price overrides: the prices that operators set by the API, which win over every source.

Of two that hold at an instant, in one context, the one that was set later counts: so a mistake is
put right for its own time too. Not here: the operator's file (`prices.own`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from budget.domain.answers_prices import PriceOverride, PriceUpdate
from budget.domain.asks_prices import PriceAsk
from budget.domain.attributes import parse_value
from budget.domain.errors import Conflict, InvalidInput, KeyReused, NotFound
from budget.domain.pricing import Rates
from budget.domain.windows import parse_rfc3339, to_rfc3339
from budget.engine.batch import Batch
from budget.engine.callers import Caller
from budget.engine.fields import (
    only_fields,
    parse_idempotency_key,
    parse_reason,
    price_context,
    request_hash,
)
from budget.engine.ids import new_id, new_ids_down
from budget.engine.job import Job
from budget.engine.pages import is_storable
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.acts import check_manages, do
from budget.engine.price_book.shelf import OVERRIDE
from budget.prices.book import MAX_NAME_CHARS
from budget.prices.changes import steps
from budget.prices.combined import Combined, context_of, context_text
from budget.prices.schedules import Piece, Schedule
from budget.prices.stated import stated_rates
from budget.storage.schema import price_overrides

if TYPE_CHECKING:
    from budget.engine.books import Books

ACT: Final = "set_price"

_FIELDS: Final = frozenset(PriceAsk.__annotations__)
_UNWRITABLE: Final = re.compile(r"[,=]")


def setting(books: "Books", ask: Mapping[str, Any], caller: Caller) -> Job[PriceOverride]:
    """The job of `set_price`."""
    check_manages(caller)
    only_fields(ask, _FIELDS)
    key = parse_idempotency_key(ask)
    made = _parsed(ask, caller, books.database.now_us())
    digest = request_hash(ask)
    shelf = books.shelf

    def set_it() -> PriceOverride:
        ours = _as_listed(made, shelf.load().combined)
        answer = do(books.ledger, lambda batch: _set(batch, books, ours, key, digest))
        books.shelf.load()
        assert isinstance(answer, PriceOverride)
        return answer

    return Job(read=set_it)


def _as_listed(made: PriceOverride, combined: Combined) -> PriceOverride:
    """Under the one id of its provider, also where that was written before the model's name."""
    provider, model = made.provider, made.model
    if provider is not None:
        provider = combined.provider_id(provider) or provider
    elif "/" in model:
        before, _, after = model.partition("/")
        seller = combined.provider_id(before)
        if seller is not None and after:
            provider, model = seller, after
    rates = made.rates._replace(provider=provider or "", model=model)
    return replace(made, provider=provider, model=model, rates=rates)


def _parsed(ask: Mapping[str, Any], caller: Caller, now_us: int) -> PriceOverride:
    """What was asked for, checked; `from_us` None: from the moment on that it is written."""
    provider, model = _name(ask, "provider"), _name(ask, "model")
    if model is None:
        raise InvalidInput("model", "is required: the model's whole name.")
    told = price_context({**ask, "model": model})
    for name, value in told:
        if _UNWRITABLE.search(value):
            raise InvalidInput(f"price_context.{name}", "must not contain , or =.")
    context = context_text(told)
    from_us = _instant(ask, "starts_at")
    until_us = _instant(ask, "ends_at")
    if until_us is not None and until_us <= (from_us or now_us):
        raise InvalidInput("ends_at", "must be after the start.")
    override_id = new_id("price")
    rates = stated_rates(ask)._replace(
        provider=provider or "", model=model, basis=f"{OVERRIDE}/{override_id}", context=context
    )
    return PriceOverride(
        override_id, provider, model, context, rates, from_us, until_us,
        caller.actor, parse_reason(ask.get("reason")), 0,
    )  # fmt: skip


def _set(
    batch: Batch, books: "Books", made: PriceOverride, key: str | None, digest: str
) -> PriceOverride:
    name = (made.actor, ACT, key or "")
    if key is not None:
        batch.needs.keys.append((*name, digest, "", batch.now_us))
        batch.load_keys()
        if name in batch.keys:
            earlier, ref, _ = batch.keys[name]
            if earlier != digest:
                raise KeyReused(
                    "This idempotency key was used before with another payload; use a new key."
                )
            return replace(_find(batch, ref), replayed=True)
    from_us = batch.now_us if made.from_us is None else made.from_us
    if made.until_us is not None and made.until_us <= from_us:
        raise InvalidInput("ends_at", "must be after the start.")
    made = replace(made, from_us=from_us, created_us=batch.now_us)
    made = _make_room(batch, made)
    price_rows.add_override(batch.unit, made)
    former = books.prices.lookup(made.provider, made.model, from_us, context_of(made.context))
    _tell(batch, made, former)
    if key is not None:
        batch.keys[name] = (digest, made.override_id, batch.now_us)
        batch.changes.keys.append((*name, digest, made.override_id, batch.now_us))
    batch.write(batch.needs.keys)
    return made


def _make_room(batch: Batch, made: PriceOverride) -> PriceOverride:
    """End those that would go on in its span; without an end of its own it has that of the next
    planned one.

    What has ended keeps its end, and what goes on beyond it holds again after it: of two that hold
    at an instant the one that was set later counts, so neither is in its way.
    """
    assert made.from_us is not None
    now_us, until_us = batch.now_us, made.until_us
    others = [one for one in _others(batch, made) if one.until_us is None or one.until_us > now_us]
    if until_us is None:
        planned = [one.from_us for one in others if one.from_us is not None]
        until_us = min((us for us in planned if us > max(made.from_us, now_us)), default=None)
    for other in others:
        from_us = other.from_us or 0
        ends_us = made.from_us if from_us < made.from_us else max(from_us, now_us)
        in_its_span = until_us is None or (
            ends_us < until_us and other.until_us is not None and other.until_us <= until_us
        )
        if in_its_span and (other.until_us is None or ends_us < other.until_us):
            price_rows.end_override(batch.unit, other.override_id, ends_us)
    return replace(made, until_us=until_us)


def _others(batch: Batch, made: PriceOverride) -> list[PriceOverride]:
    table = price_overrides
    rows = batch.unit.execute(
        select(table).where(
            table.c.model == made.model, table.c.context == made.context,
            table.c.provider.is_not_distinct_from(made.provider),
        )
    )  # fmt: skip
    return [price_rows.override_from_row(row) for row in rows]


def _no_price(override_id: str) -> NotFound:
    return NotFound(
        "price", override_id, f"No price that was set has the id {override_id!r}; the history of a "
        "model has those of its prices.",
    )  # fmt: skip


def _find(batch: Batch, override_id: str) -> PriceOverride:
    rows = batch.unit.execute(select(price_overrides).where(price_overrides.c.id == override_id))
    if not rows:
        raise _no_price(override_id)
    return price_rows.override_from_row(rows[0])


def _tell(batch: Batch, made: PriceOverride, former: Rates | None) -> None:
    """The update records and the entry of a price that was set."""
    assert made.from_us is not None
    before = None if former is None else Schedule((Piece(former),))
    basis = made.rates.basis
    changed = list(steps(before, Schedule((Piece(made.rates),)), made.from_us))
    updates = [
        PriceUpdate(
            update_id, batch.now_us, OVERRIDE, made.provider or "", made.model, made.context,
            step.kind, step.from_tokens, step.old_pico, step.new_pico, step.change_bps,
            made.from_us, former and former.basis, basis, "applied", made.actor, batch.now_us,
            made.reason,
        )
        for update_id, step in zip(new_ids_down("pu", len(changed)), changed, strict=True)
    ]  # fmt: skip
    price_rows.add_updates(batch.unit, updates)
    price_rows.count_up(batch)
    batch.enter(
        "price_update", made.actor, [],
        {
            "source": OVERRIDE, "status": "applied", "basis": basis, "provider": made.provider,
            "model": made.model, "context": made.context, "starts_at": to_rfc3339(made.from_us),
            "ends_at": None if made.until_us is None else to_rfc3339(made.until_us),
            "reason": made.reason,
            "changes": [
                {
                    "kind": one.kind, "old_pico": one.old_pico, "new_pico": one.new_pico,
                    "change_bps": one.change_bps,
                }
                for one in updates
            ],
        },
    )  # fmt: skip


def ending(
    books: "Books", override_id: object, reason: str, ends_at: str | None, caller: Caller
) -> Job[PriceOverride]:
    """The job of `end_price`."""
    check_manages(caller)
    why = parse_reason(reason)
    until_us = None if ends_at is None else parse_rfc3339(ends_at, "ends_at")
    if not isinstance(override_id, str) or not is_storable(override_id):
        raise _no_price(str(override_id)[:80])

    def end_it() -> PriceOverride:
        answer = do(
            books.ledger, lambda batch: _end(batch, override_id, until_us, why, caller.actor)
        )
        books.shelf.load()
        assert isinstance(answer, PriceOverride)
        return answer

    return Job(read=end_it)


def _end(
    batch: Batch, override_id: str, until_us: int | None, reason: str, actor: str
) -> PriceOverride:
    found = _find(batch, override_id)
    ends_us = batch.now_us if until_us is None else until_us
    if found.until_us is not None and found.until_us <= batch.now_us:
        raise Conflict(f"It ended on {to_rfc3339(found.until_us)} already.", code="ended")
    if ends_us < batch.now_us:
        raise InvalidInput("ends_at", "must not lie in the past.")
    if found.until_us is not None and ends_us > found.until_us:
        raise InvalidInput(
            "ends_at", f"must be before {to_rfc3339(found.until_us)}, when it ends anyway."
        )
    if ends_us != found.until_us:
        price_rows.end_override(batch.unit, override_id, ends_us)
        price_rows.count_up(batch)
        detail = {
            "source": OVERRIDE, "status": "ended", "basis": found.rates.basis,
            "provider": found.provider, "model": found.model, "context": found.context,
            "ends_at": to_rfc3339(ends_us), "reason": reason,
        }  # fmt: skip
        batch.enter("price_update", actor, [], detail)
        batch.write(())
    return replace(found, until_us=ends_us)


# --- What was written ----------------------------------------------------------------------------


def _name(ask: Mapping[str, Any], field: str) -> str | None:
    value = ask.get(field)
    if value is None:
        return None
    name = parse_value(value, field).strip().lower()
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise InvalidInput(field, f"must have 1 to {MAX_NAME_CHARS} characters.")
    return name


def _instant(ask: Mapping[str, Any], field: str) -> int | None:
    value = ask.get(field)
    return None if value is None else parse_rfc3339(value, field)
