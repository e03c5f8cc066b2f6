"""Rows: how holdings, balances and usage records lie in the tables, both ways.

Not here: SQL (`storage`), decisions (`domain`).
"""

import hashlib
from functools import lru_cache
from typing import Any, Final

import msgspec

from budget.domain.allocations import Held, Holding, Leg, State, Terms
from budget.domain.answers import UsageRecord
from budget.domain.attributes import ROLLED_UP
from budget.domain.balances import Balance, Cell
from budget.domain.budgets import Policy
from budget.domain.pricing import decode_rates, encode_rates
from budget.domain.usage import Units, Usage
from budget.storage.unit import Row

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 86_400_000_000

_new = tuple.__new__  # makes a named tuple at half the price; a ledger makes millions
encode_json = msgspec.json.Encoder().encode
legs_from_json = msgspec.json.Decoder(tuple[Leg, ...]).decode
"""An allocation's legs from their JSON text."""
decode_attributes = lru_cache(maxsize=4096)(msgspec.json.Decoder(dict[str, str]).decode)
"""Attributes from their JSON text; remembered, and not to be changed."""

_decode_buckets = msgspec.json.Decoder(dict[int, tuple[int, int, int, int]]).decode
_decode_units = msgspec.json.Decoder(dict[str, int]).decode
_decode_postings = msgspec.json.Decoder(
    list[tuple[int, int, int, int, int, int, int, int | None]]
).decode


def to_json(value: Any) -> str:
    """Compact JSON text."""
    return encode_json(value).decode()


# --- Allocations ---------------------------------------------------------------------------------


def holding_from_row(row: Row) -> Holding:
    """A holding from an ALLOCATION_COLUMNS row."""
    (
        id_, status, actor, parent_id, envelope, attributes, provider, model, _session,
        priority, placed_us, expires_us, ttl_us, rates, legs,
        usd_held, tokens_held, requests_held, usd_left, tokens_left, requests_left,
        usd_first, tokens_first, requests_first, input_tokens, granted_first, granted,
        records, settled_by, request_hash, metadata, _updated_us,
        bound_tokens, bound_family, price_context,
    ) = row  # fmt: skip
    terms = _new(
        Terms,
        (
            id_, actor, placed_us, decode_attributes(attributes), provider, model, priority,
            bool(envelope), parent_id, None if rates is None else decode_rates(rates),
            _new(Held, (usd_first, tokens_first, requests_first)), granted_first, input_tokens,
            request_hash, metadata, attributes, bound_tokens, bound_family,
            price_context,
        ),
    )  # fmt: skip
    state = _new(
        State,
        (
            status, expires_us, ttl_us, legs_from_json(legs),
            _new(Held, (usd_held, tokens_held, requests_held)),
            _new(Held, (usd_left, tokens_left, requests_left)), granted, records, settled_by,
        ),
    )  # fmt: skip
    return Holding(terms, state)


def placed_row(holding: Holding, now_us: int) -> Row:
    """The ALLOCATION_COLUMNS row of a new holding."""
    terms, state = holding.terms, holding.state
    return (
        terms.allocation_id, state.status, terms.actor, terms.parent_id, int(terms.envelope),
        terms.attributes_json, terms.provider, terms.model, terms.attributes.get("session"),
        terms.priority, terms.placed_us, state.expires_us, state.ttl_us,
        None if terms.rates is None else encode_rates(terms.rates), to_json(state.legs),
        *state.held, *state.left, *terms.first, terms.input_tokens,
        terms.first_granted_output_tokens, state.granted_output_tokens,
        state.records, state.settled_by, terms.request_hash, terms.metadata, now_us,
        terms.bound_tokens, terms.bound_family, terms.price_context,
    )  # fmt: skip


def moved_row(holding: Holding, now_us: int) -> Row:
    """The ALLOCATION_CHANGES row of a holding, with its id and the status it must still have."""
    state = holding.state
    return (
        state.status, state.expires_us, state.ttl_us, to_json(state.legs),
        *state.held, *state.left, state.granted_output_tokens, state.records, state.settled_by,
        now_us, holding.terms.allocation_id, holding.status_before,
    )  # fmt: skip


# --- Balances ------------------------------------------------------------------------------------


def balance_from_row(row: Row, policy: Policy) -> Balance:
    """A balance from a HEAD_COLUMNS row."""
    balance = Balance(row[0], policy, row[2])
    (
        balance.version, balance.last_us, balance.start_us, balance.end_us,
        balance.spent, balance.reserved, balance.assumed, balance.overrun, balance.carry,
    ) = row[3:12]  # fmt: skip
    if policy.rolling:
        balance.cells = {
            start_us: Cell(*figures) for start_us, figures in _decode_buckets(row[12]).items()
        }
    return balance


def head_row(balance: Balance, version_before: int) -> Row:
    """The HEAD_CHANGES row of a balance, with its id and the version it must still have."""
    buckets = "{}"
    if balance.policy.rolling:
        buckets = to_json(
            {
                str(start_us): (cell.spent, cell.reserved, cell.assumed, cell.overrun)
                for start_us, cell in balance.cells.items()
            }
        )
    return (
        balance.version, balance.last_us, balance.start_us, balance.end_us,
        balance.spent, balance.reserved, balance.assumed, balance.overrun, balance.carry,
        buckets, balance.id, version_before,
    )  # fmt: skip


def window_row(balance: Balance, start_us: int) -> Row:
    """The WINDOW_COLUMNS row of one of a balance's closed windows."""
    cell = balance.cells[start_us]
    return (
        balance.id, start_us, cell.end_us, cell.spent, cell.reserved, cell.assumed, cell.overrun,
        cell.carry,
    )  # fmt: skip


def postings_from_json(legs: str) -> list[tuple[int, int, int, int, int, int, int, int | None]]:
    """An entry's legs: (head_id, cell_us, spent, reserved, assumed, overrun, version, limit)."""
    return _decode_postings(legs)


# --- Usage ---------------------------------------------------------------------------------------


def units_to_json(units: Units) -> str:
    """Units as they lie in a usage record: an object of unit: count."""
    return to_json(dict(units)) if units else "{}"


def units_from_json(text: str) -> Units:
    """Units from a usage record."""
    return () if text == "{}" else tuple(_decode_units(text).items())


def usage_from_row(row: Row) -> UsageRecord:
    """A usage record from a USAGE_COLUMNS row."""
    (
        id_, allocation_id, _entry_id, actor, recorded_us, occurred_us, attributes,
        provider, model, _session, _task,
        input_tokens, output_tokens, cache_read, cache_write, cache_write_1h, reasoning, requests,
        cost_nanos, reported_cost_nanos, rates, flags, final, reverses, replaces,
        reason, _request_hash, metadata, units, price_context,
    ) = row  # fmt: skip
    rated = None if rates is None else decode_rates(rates)
    if price_context is None and rated is not None:
        price_context = rated.context or None  # a record of before it was kept
    return UsageRecord(
        usage_id=id_,
        allocation_id=allocation_id,
        actor=actor,
        recorded_us=recorded_us,
        occurred_us=occurred_us,
        attributes=decode_attributes(attributes),
        provider=provider,
        model=model,
        usage=Usage(
            input_tokens,
            output_tokens,
            cache_read,
            cache_write,
            cache_write_1h,
            reasoning,
            requests,
            units_from_json(units),
        ),
        cost_nanos=cost_nanos,
        reported_cost_nanos=reported_cost_nanos,
        basis=None if rated is None else rated.basis,
        flags=tuple(flags.split()),
        final=bool(final),
        reverses=reverses,
        replaces=replaces,
        reason=reason,
        metadata=metadata,
        price_context=price_context,
    )


@lru_cache(maxsize=4096)
def series_of(attributes_json: str) -> Row:
    """The SERIES_COLUMNS row that usage with these attributes is rolled up under."""
    attributes = decode_attributes(attributes_json)
    values = [attributes.get(name, "") for name in ROLLED_UP]
    digest = hashlib.blake2b("\x1f".join(values).encode(), digest_size=16)
    return (digest.hexdigest(), *values)


@lru_cache(maxsize=4096)
def tags_of(attributes_json: str) -> tuple[tuple[str, str], ...]:
    """The free tags among the attributes."""
    return tuple(
        (key, value)
        for key, value in decode_attributes(attributes_json).items()
        if key.startswith("tag.")
    )
