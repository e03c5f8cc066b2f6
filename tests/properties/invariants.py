"""The invariants of the books, checked over the rows of a SQLite file with nothing of the engine.

The numbers are those of the catalogue of faults, read in the design's wording. I2 (what is
admitted) is checked against the limits that the model knows, step by step; here the journal is
replayed under the limits that it names itself. Not here: what `budget verify` makes of the same
file.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

NEVER_US = 253402300800_000_000
TOKENS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "reasoning_tokens",
)  # fmt: skip
Cell = tuple[int, int]
"""(head, start of the window or bucket)."""


class Rows:
    """All tables of a file, as dictionaries by column."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row

        def read(sql: str) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(sql)]

        self.entries = read("SELECT * FROM entries ORDER BY id")
        self.heads = {row["id"]: row for row in read("SELECT * FROM heads")}
        self.windows = read("SELECT * FROM windows ORDER BY head_id, start_us")
        self.allocations = {row["id"]: row for row in read("SELECT * FROM allocations")}
        self.usage = {row["id"]: row for row in read("SELECT * FROM usage")}
        self.policies = {row["policy_id"]: row for row in read("SELECT * FROM policies")}
        self.idempotency = read("SELECT * FROM keys")
        for entry in self.entries:
            entry["legs"] = json.loads(entry["legs"])
        for allocation in self.allocations.values():
            allocation["legs"] = json.loads(allocation["legs"])

    def rolling_us(self, head_id: int) -> int:
        """The width of a head's buckets; 0 where it has windows."""
        period = str(self.policies[self.heads[head_id]["policy_id"]]["period"])
        if not period.startswith("rolling:"):
            return 0
        seconds = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[period[-1]] * int(period[8:-1])
        return -(-seconds * 1_000_000 // 60)

    def unit(self, head_id: int) -> str:
        """What a head counts."""
        return str(self.policies[self.heads[head_id]["policy_id"]]["unit"])


def check(connection: sqlite3.Connection) -> None:
    """Hold every invariant against the rows; AssertionError naming the first that is broken."""
    rows = Rows(connection)
    stored = _stored(rows)
    _check_balances(rows, stored)
    _check_admissions(rows)
    _check_holds(rows, stored)
    _check_lives(rows)
    _check_usage(rows)
    _check_windows(rows)
    _check_keys(rows)


def _stored(rows: Rows) -> dict[Cell, tuple[int, ...]]:
    """The figures of every window and bucket that is kept."""
    stored: dict[Cell, tuple[int, ...]] = {}
    for head in rows.heads.values():
        if rows.rolling_us(head["id"]):
            for start, figures in json.loads(head["buckets"]).items():
                stored[head["id"], int(start)] = tuple(figures)
        else:
            names = ("spent", "reserved", "assumed", "overrun")
            stored[head["id"], head["start_us"]] = tuple(head[name] for name in names)
    for row in rows.windows:
        figures = row["spent"], row["reserved"], row["assumed"], row["overrun"]
        stored[row["head_id"], row["start_us"]] = figures
    return stored


def _check_balances(rows: Rows, stored: dict[Cell, tuple[int, ...]]) -> None:
    sums: dict[Cell, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    versions: dict[int, list[int]] = defaultdict(list)
    for entry in rows.entries:
        for head_id, cell_us, *amounts, version, _ in entry["legs"]:
            versions[head_id].append(version)
            for at, amount in enumerate(amounts):
                sums[head_id, cell_us][at] += amount
                assert sums[head_id, cell_us][at] >= 0, f"I4: negative after entry {entry['id']}"
    for cell, kept in stored.items():
        assert list(kept) == sums.pop(cell, [0, 0, 0, 0]), f"I1: {cell} is not its entries' sum"
    for (head_id, cell_us), figures in sums.items():
        width = rows.rolling_us(head_id)
        gone = width and cell_us < rows.heads[head_id]["start_us"] - 60 * width
        assert gone or not any(figures), f"I1: {cell_us} of head {head_id} has entries only"
    for head_id, seen in versions.items():
        assert sorted(seen) == list(range(1, len(seen) + 1)), f"I13: versions of head {head_id}"
        assert rows.heads[head_id]["version"] == len(seen), f"I13: version of head {head_id}"


def _check_admissions(rows: Rows) -> None:
    cells: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    last: dict[int, int] = defaultdict(int)
    for entry in rows.entries:
        for head_id, cell_us, spent, reserved, assumed, _, _, limit in entry["legs"]:
            width = rows.rolling_us(head_id)
            last[head_id] = max(last[head_id], entry["at_us"])
            cells[head_id][cell_us] += spent + reserved + assumed
            if limit is not None and reserved > 0:
                if width:
                    oldest = last[head_id] // width * width - 60 * width
                    total = sum(n for at, n in cells[head_id].items() if at >= oldest)
                else:
                    total = cells[head_id][cell_us]
                assert total <= limit, f"I2: entry {entry['id']} took head {head_id} to {total}"


def _check_holds(rows: Rows, stored: dict[Cell, tuple[int, ...]]) -> None:
    held: dict[str, Counter[Cell]] = {"open": Counter(), "expired": Counter()}
    for allocation in rows.allocations.values():
        for head_id, cell_us, _, left, _ in allocation["legs"]:
            assert left >= 0, f"I4: {allocation['id']} holds {left}"
            if left:
                assert allocation["status"] in held, f"I6: {allocation['id']} has ended and holds"
                held[allocation["status"]][head_id, cell_us] += left
    for cell, (_, reserved, assumed, _) in stored.items():
        assert reserved == held["open"][cell], f"I6: {cell} has reserved {reserved}"
        assert assumed == held["expired"][cell], f"I6: {cell} has assumed {assumed}"


def _check_lives(rows: Rows) -> None:
    lives: dict[str, list[str]] = defaultdict(list)
    for entry in rows.entries:
        allocation_id = entry["allocation_id"]
        if allocation_id is None:
            continue
        lives[allocation_id].append(entry["kind"])
        touched = {(leg[0], leg[1]) for leg in entry["legs"]}
        kept = {(leg[0], leg[1]) for leg in rows.allocations[allocation_id]["legs"]}
        if entry["kind"] in ("recorded", "settled", "released", "expired"):
            strange = {cell for cell in touched - kept if not rows.rolling_us(cell[0])}
            parent = rows.allocations[allocation_id]["parent_id"]
            if parent is not None:
                strange -= {(leg[0], leg[1]) for leg in rows.allocations[parent]["legs"]}
            assert not strange, f"I11: entry {entry['id']} touches {strange}"
        if entry["kind"] in ("recorded", "settled"):
            met = {leg[0] for leg in rows.allocations[allocation_id]["legs"]}
            assert {head for head, _ in touched} == met, f"I9: entry {entry['id']} leaves some out"
    assert lives.keys() == rows.allocations.keys(), "I5: an allocation without an entry"
    for allocation_id, kinds in lives.items():
        status = rows.allocations[allocation_id]["status"]
        assert kinds[0] == "placed", f"I5: {allocation_id} began with {kinds[0]}"
        assert kinds.count("placed") == 1, f"I5: {allocation_id} was placed twice"
        for once in ("settled", "released", "expired"):
            assert kinds.count(once) <= 1, f"I5: {allocation_id} was {once} twice"
        ends = [kind for kind in kinds if kind in ("settled", "released", "expired")]
        assert status == (ends[-1] if ends else "open"), f"I5: {allocation_id} is {status}"
        assert ends == sorted(ends, key=("expired", "released", "settled").index), f"I5: {ends}"


def _check_usage(rows: Rows) -> None:
    reversed_by: Counter[str] = Counter()
    for record in rows.usage.values():
        name = f"{record['id']}"
        if record["reverses"] is not None:
            reversed_by[record["reverses"]] += 1
            first = rows.usage[record["reverses"]]
            for column in (*TOKENS, "requests"):
                assert record[column] == -first[column], f"I15: {name} reverses other {column}"
            cost = None if first["cost_nanos"] is None else -first["cost_nanos"]
            assert record["cost_nanos"] == cost, f"I15: {name} reverses another cost"
        elif record["rates"] is not None:
            exact = _pico(json.loads(record["rates"]), record)
            assert record["cost_nanos"] == -(-exact // 1000), f"I19: {name} costs otherwise"
    assert all(count == 1 for count in reversed_by.values()), "I15: reversed twice"
    by_entry: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for record in rows.usage.values():
        by_entry[record["entry_id"]].append(record)
    for entry in rows.entries:
        if entry["kind"] not in ("recorded", "settled", "reported"):
            assert not by_entry[entry["id"]] or entry["kind"] == "corrected", "I8: usage of nothing"
            continue
        (record,) = by_entry[entry["id"]]
        spent: Counter[int] = Counter()
        for leg in entry["legs"]:
            spent[leg[0]] += leg[2]
        for head_id, amount in spent.items():
            used = _amount(record, rows.unit(head_id))
            assert amount == used, f"I8: {record['id']} is {used} but {amount} was spent"


def _amount(record: dict[str, Any], unit: str) -> int:
    if unit == "usd":
        return int(record["cost_nanos"] or 0)
    if unit == "tokens":
        return int(record["input_tokens"]) + int(record["output_tokens"])
    return int(record[unit])


def _pico(rates: dict[str, Any], record: dict[str, Any]) -> int:
    """The exact cost: a rate that is left out is that of what it is part of."""
    given, output = rates["i"], rates["o"]
    write = rates.get("w", given)
    kinds = {
        "cache_read_tokens": rates.get("r", given) - given,
        "cache_write_tokens": write - given,
        "cache_write_1h_tokens": rates.get("h", write) - given,
        "reasoning_tokens": rates.get("t", output) - output,
        "input_tokens": given,
        "output_tokens": output,
        "requests": rates.get("q", 0),
    }
    return sum(int(record[kind]) * rate for kind, rate in kinds.items())


def _check_windows(rows: Rows) -> None:
    by_head: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in rows.windows:
        by_head[row["head_id"]].append((row["start_us"], row["end_us"]))
    for head in rows.heads.values():
        if not rows.rolling_us(head["id"]):
            by_head[head["id"]].append((head["start_us"], head["end_us"]))
            assert head["end_us"] > head["last_us"], f"I12: head {head['id']} is behind its time"
    for head_id, windows in by_head.items():
        assert all(start < end for start, end in windows), f"I12: head {head_id} has an empty one"
        ends = [end for _, end in windows]
        starts = [start for start, _ in windows[1:]]
        assert all(e <= s for e, s in zip(ends, starts, strict=False)), f"I12: {windows} overlap"


def _check_keys(rows: Rows) -> None:
    made = rows.allocations.keys() | rows.usage.keys()
    refs = [(key["act"], key["ref"]) for key in rows.idempotency]
    for key in rows.idempotency:
        for ref in str(key["ref"]).partition("|")[0].split():
            assert ref in made, f"I7: key {key['key']} stands for {ref}, which is not there"
    once = [ref for ref in refs if ref[0] in ("allocate", "record", "record_usage", "correct")]
    assert len(once) == len(set(once)), "I7: two keys for one effect"


def check_immutable(connection: sqlite3.Connection) -> None:
    """I14: entries and usage cannot be changed, whoever tries."""
    for table in ("entries", "usage"):
        if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
            for sql in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id"):
                with pytest.raises(sqlite3.Error):
                    connection.execute(sql)
    connection.rollback()


def check_grown(before: list[tuple[Any, ...]], after: Iterable[tuple[Any, ...]]) -> None:
    """I14: what was in the journal is still in it, as it was."""
    assert list(after)[: len(before)] == before, "I14: the journal has changed"
