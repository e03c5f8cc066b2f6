"""Price overrides: the prices that operators set by the API, which win over every source.

Of two that hold at an instant, in one context, the one that was set later counts: so a mistake is
put right for its own time too. Not here: the operator's file (`prices.own`).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from budget.domain.answers_prices import PriceOverride, PriceUpdate
from budget.domain.attributes import parse_value
from budget.domain.errors import Conflict, InvalidInput, KeyReused, NotFound
from budget.domain.pricing import MAX_RATE_PICO, MAX_TIERS, Rate, Rates, validated_rates
from budget.domain.usage import MAX_TOKENS, OTHER_UNITS, UNITS
from budget.domain.windows import parse_rfc3339, to_rfc3339
from budget.engine.asks import Caller, PriceAsk
from budget.engine.batch import Batch
from budget.engine.fields import (
    only_fields,
    parse_idempotency_key,
    parse_reason,
    price_context,
    request_hash,
)
from budget.engine.ids import new_id
from budget.engine.job import Job
from budget.engine.pages import is_storable
from budget.engine.price_book import rows as price_rows
from budget.engine.price_book.acts import check_manages, do
from budget.engine.price_book.shelf import OVERRIDE
from budget.prices.book import MAX_NAME_CHARS, Piece, Schedule
from budget.prices.changes import steps
from budget.prices.combined import Combined, context_of, context_text
from budget.storage.schema import price_overrides

if TYPE_CHECKING:
    from budget.engine.books import Books

PICO_PLACES: Final = 12
MTOK_PLACES: Final = 6
MAX_DIGITS: Final = 60
ACT: Final = "set_price"

_EXACT: Final = Context(prec=MAX_DIGITS)
_FIELDS: Final = frozenset(PriceAsk.__annotations__)
_KINDS: Final = (
    "input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning",
)  # fmt: skip
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
    rates = _rates(ask)._replace(
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
    updates = [
        PriceUpdate(
            new_id("pu"), batch.now_us, OVERRIDE, made.provider or "", made.model, made.context,
            step.kind, step.from_tokens, step.old_pico, step.new_pico, step.change_bps,
            made.from_us, former and former.basis, basis, "applied", made.actor, batch.now_us,
            made.reason,
        )
        for step in steps(before, Schedule((Piece(made.rates),)), made.from_us)
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


def _rates(ask: Mapping[str, Any]) -> Rates:
    kinds: dict[str, Any] = {
        kind: _rate(ask[kind], kind, MTOK_PLACES)
        for kind in _KINDS
        if ask.get(kind) is not None
    }  # fmt: skip
    request = ask.get("request")
    units = _units(ask.get("units"))
    by_the_token = bool(kinds) or (request is None and not units)
    by_the_token |= any(unit not in OTHER_UNITS for unit, _ in units)
    for kind in ("input", "output"):
        if kind not in kinds and by_the_token:
            raise InvalidInput(kind, 'is required, in USD per million; write "0" where it is free.')
    request_pico = 0 if request is None else _pico(request, "request", PICO_PLACES)
    rates = Rates(kinds.pop("input", 0), kinds.pop("output", 0), request=request_pico, units=units)
    return validated_rates(rates._replace(**kinds), "")


def _units(given: object) -> tuple[tuple[str, Rate], ...]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise InvalidInput("units", "must be an object of unit: price.")
    rates = {}
    for name, value in given.items():
        field = f"units.{str(name)[:80]}"
        if name not in UNITS:
            raise InvalidInput(field, "is not a unit.", UNITS)
        if value is not None:
            rates[name] = _rate(value, field, PICO_PLACES)
    return tuple(sorted(rates.items()))


def _rate(value: object, field: str, places: int) -> Rate:
    """A price or tiers of it."""
    if not isinstance(value, list | tuple):
        return _pico(value, field, places)
    if not 0 < len(value) <= MAX_TIERS:
        raise InvalidInput(field, f"must have 1 to {MAX_TIERS} tiers.")
    tiers: list[tuple[int, int]] = []
    for tier in value:
        if not isinstance(tier, list | tuple) or len(tier) != 2:
            raise InvalidInput(field, 'must be tiers such as [[0, "1.25"], [200001, "2.5"]].')
        start, price = tier
        if type(start) is not int or not 0 <= start <= MAX_TOKENS:
            raise InvalidInput(field, "each tier must begin with a whole number of input tokens.")
        tiers.append((start, _pico(price, field, places)))
    starts = [start for start, _ in tiers]
    if starts[0] != 0 or starts != sorted(set(starts)):
        raise InvalidInput(field, "tiers must ascend, the first from 0.")
    return tuple(tiers)


def _pico(value: object, field: str, places: int) -> int:
    """A price in USD as a whole number of pico-USD: as many decimals as places, exactly."""
    wrong = InvalidInput(field, 'must be a price in USD of 0 or more, such as "2.50".')
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise wrong
    if str(value).lstrip().startswith("."):  # a shell makes it of $2.00
        raise InvalidInput(field, 'must begin with a digit, such as "0.50"; write "0" for free.')
    try:
        usd = Decimal(str(value).strip() if len(str(value)) <= MAX_DIGITS else "NaN")
    except (InvalidOperation, ValueError):
        raise wrong from None
    most = Decimal(MAX_RATE_PICO).scaleb(-places)
    if not usd.is_finite() or usd < 0:
        raise wrong
    if usd > most:
        raise InvalidInput(field, f"must be at most {most} USD.")
    digits = usd.normalize(_EXACT)
    if -int(digits.as_tuple().exponent) > places:
        raise InvalidInput(field, f"must have at most {places} decimals.")
    return int(digits.scaleb(places, _EXACT))
