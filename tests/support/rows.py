"""Rows as the ledger writes them, for tests of storage: each a valid one but for what is named."""

from typing import Any

from budget.domain.cursors import pack
from budget.storage.unit import (
    ALERT_COLUMNS,
    ALLOCATION_CHANGES,
    ALLOCATION_COLUMNS,
    ENTRY_COLUMNS,
    HEAD_CHANGES,
    KEY_COLUMNS,
    ROLLUP_COLUMNS,
    SERIES_COLUMNS,
    USAGE_COLUMNS,
    WINDOW_COLUMNS,
    Begun,
    Row,
)

NOW_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000


def _row(columns: tuple[str, ...], values: dict[str, Any], named: dict[str, Any]) -> Row:
    unknown = named.keys() - set(columns)
    assert not unknown, f"no such columns: {unknown}"
    return tuple({**values, **named}.get(column) for column in columns)


def entry(begun: Begun, number: int = 0, **named: Any) -> Row:
    """An entry of the transaction begun."""
    values = {
        "id": pack(begun.epoch, begun.xid, number),
        "at_us": NOW_US,
        "kind": "placed",
        "actor": "tester",
        "legs": "[]",
        "detail": "{}",
    }
    return _row(ENTRY_COLUMNS, values, named)


def allocation(id_: str, **named: Any) -> Row:
    """An open allocation of 5 USD and 100 tokens that expires in an hour."""
    values = {
        "id": id_,
        "status": "open",
        "actor": "tester",
        "envelope": 0,
        "attributes": '{"team":"red"}',
        "priority": 5,
        "placed_us": NOW_US,
        "expires_us": NOW_US + HOUR_US,
        "ttl_us": HOUR_US,
        "legs": "[]",
        "usd_held": 5_000_000_000,
        "usd_left": 5_000_000_000,
        "usd_first": 5_000_000_000,
        "tokens_held": 100,
        "tokens_left": 100,
        "tokens_first": 100,
        "records": 0,
        "request_hash": "hash",
        "metadata": "{}",
        "updated_us": NOW_US,
    }
    return _row(ALLOCATION_COLUMNS, values, named)


def moved(id_: str, expected: str = "open", **named: Any) -> Row:
    """The same allocation, settled, where it was in the status expected."""
    values = {
        "status": "settled",
        "expires_us": NOW_US + HOUR_US,
        "ttl_us": HOUR_US,
        "legs": "[]",
        "usd_held": 5_000_000_000,
        "usd_left": 0,
        "tokens_held": 100,
        "tokens_left": 0,
        "records": 1,
        "updated_us": NOW_US + 1,
    }
    return (*_row(ALLOCATION_CHANGES, values, named), id_, expected)


def head(id_: int, expected: int = 0, **named: Any) -> Row:
    """A head one version on, where it was at the version expected."""
    values = {
        "version": expected + 1,
        "last_us": NOW_US,
        "start_us": NOW_US,
        "end_us": NOW_US + HOUR_US,
        "spent": 0,
        "reserved": 0,
        "assumed": 0,
        "overrun": 0,
        "carry": 0,
        "buckets": "{}",
    }
    return (*_row(HEAD_CHANGES, values, named), id_, expected)


def window(head_id: int, start_us: int, **named: Any) -> Row:
    """A closed window of an hour with nothing in it."""
    values = {
        "head_id": head_id,
        "start_us": start_us,
        "end_us": start_us + HOUR_US,
        "spent": 0,
        "reserved": 0,
        "assumed": 0,
        "overrun": 0,
        "carry": 0,
    }
    return _row(WINDOW_COLUMNS, values, named)


def usage(id_: str, **named: Any) -> Row:
    """A final record of 30 input and 12 output tokens for 0.001 USD."""
    values = {
        "id": id_,
        "entry_id": 1,
        "actor": "tester",
        "recorded_us": NOW_US,
        "occurred_us": NOW_US,
        "attributes": '{"team":"red"}',
        "input_tokens": 30,
        "output_tokens": 12,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "requests": 1,
        "cost_nanos": 1_000_000,
        "flags": "",
        "final": 1,
        "request_hash": "hash",
        "metadata": "{}",
        "units": "{}",
    }
    return _row(USAGE_COLUMNS, values, named)


def key(name: str, **named: Any) -> Row:
    """An idempotency key for placing an allocation."""
    values = {
        "actor": "tester",
        "act": "place",
        "key": name,
        "request_hash": "hash",
        "ref": f"alloc_{name}",
        "at_us": NOW_US,
    }
    return _row(KEY_COLUMNS, values, named)


def series(id_: str, **named: Any) -> Row:
    """A combination of attributes: none, but for those named."""
    return _row(SERIES_COLUMNS, dict.fromkeys(SERIES_COLUMNS, "") | {"id": id_}, named)


def rollup(series_id: str, **named: Any) -> Row:
    """One request of 30 input and 12 output tokens in an hour."""
    values = dict.fromkeys(ROLLUP_COLUMNS, 0) | {
        "grain": "hour",
        "start_us": NOW_US,
        "series_id": series_id,
        "records": 1,
        "requests": 1,
        "input_tokens": 30,
        "output_tokens": 12,
        "cost_nanos": 1_000_000,
    }
    return _row(ROLLUP_COLUMNS, values, named)


def alert(id_: str, **named: Any) -> Row:
    """A warning about a window."""
    values = {
        "id": id_,
        "kind": "warning",
        "severity": "warning",
        "policy_id": "pol_1",
        "partition": "",
        "window_us": NOW_US,
        "at_us": NOW_US,
        "detail": "{}",
        "entry_id": None,
    }
    return _row(ALERT_COLUMNS, values, named)
