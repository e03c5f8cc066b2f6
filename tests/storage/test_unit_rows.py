"""What becomes of the rows of a batch, on both engines alike.

Not here: transactions and keys (`test_unit`).
"""

from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from budget.storage import schema
from budget.storage.database import Database
from budget.storage.errors import Broken
from budget.storage.unit import (
    ALLOCATION_COLUMNS,
    HEAD_COLUMNS,
    NEW_HEAD,
    WINDOW_COLUMNS,
    Changes,
    Row,
    Unit,
)
from tests.support.rows import (
    HOUR_US,
    NOW_US,
    alert,
    allocation,
    entry,
    head,
    key,
    moved,
    rollup,
    series,
    usage,
    window,
)
from tests.support.units import (
    count,
    in_batch,
    make_heads,
    refused,
    write,
    write_and_commit,
)

# Around the numbers of rows for which SQLite has statements: 1, 4, 16, 64 and 256.
SIZES = (1, 3, 4, 5, 15, 16, 17, 21, 63, 64, 65, 85, 256, 257, 600)


# --- Allocations ---------------------------------------------------------------------------------


def test_an_allocation_comes_back_as_it_was_placed(unit: Unit) -> None:
    placed = allocation(
        "a", provider="acme", model="m-1", session="s", rates="{}", requests_held=1, granted=7,
        input_tokens=3, settled_by=None, legs='[["é","\U0001f600"]]', metadata='{"ü": 1}',
    )  # fmt: skip
    write(unit, placed=[placed])
    assert in_batch(unit, lambda: unit.allocations(["a", "unknown"], [])) == [placed]


def test_parents_come_along_and_envelopes_come_first(unit: Unit) -> None:
    rows = [
        allocation("z-envelope", envelope=1),
        allocation("b-envelope", envelope=1),
        allocation("a-call"),
        allocation("c-child", parent_id="z-envelope"),
        allocation("d-child", parent_id="z-envelope"),
    ]
    write(unit, placed=rows)

    def ids(named: list[str], ending: list[str]) -> list[str]:
        return [row[0] for row in in_batch(unit, lambda: unit.allocations(named, ending))]

    assert ids(["c-child"], []) == ["z-envelope", "c-child"]
    assert ids(["d-child", "a-call", "b-envelope", "c-child"], []) == [
        "b-envelope", "z-envelope", "a-call", "c-child", "d-child",
    ]  # fmt: skip
    assert ids(["z-envelope"], []) == ["z-envelope"]


def test_with_what_ends_come_its_open_children_only(unit: Unit) -> None:
    write(
        unit,
        placed=[
            allocation("e", envelope=1),
            allocation("open-1", parent_id="e"),
            allocation("open-2", parent_id="e"),
            allocation("settled", parent_id="e", status="settled"),
            allocation("expired", parent_id="e", status="expired"),
            allocation("other", envelope=1),
            allocation("stranger", parent_id="other"),
        ],
    )
    loaded = in_batch(unit, lambda: unit.allocations(["e", "settled"], ["e"]))
    assert [row[0] for row in loaded] == ["e", "open-1", "open-2", "settled"]


def test_an_allocation_moves_once_from_the_status_expected(unit: Unit) -> None:
    write(unit, placed=[allocation("a")])
    write(unit, moved=[moved("a", settled_by="use_1")])
    (row,) = in_batch(unit, lambda: unit.allocations(["a"], []))
    now = dict(zip(ALLOCATION_COLUMNS, row, strict=True))
    assert (now["status"], now["settled_by"], now["usd_left"]) == ("settled", "use_1", 0)
    assert (now["placed_us"], now["usd_first"]) == (NOW_US, 5_000_000_000)
    refused(unit, moved=[moved("a", "open")])


def test_one_allocation_that_is_not_as_expected_stops_the_whole_batch(
    unit: Unit, database: Database
) -> None:
    write(unit, placed=[allocation(f"a{n}") for n in range(40)])
    begun = unit.begin()
    with pytest.raises(Broken):
        write_and_commit(
            unit,
            entries=[entry(begun)],
            moved=[moved(f"a{n}", "expired" if n == 39 else "open") for n in range(40)],
        )
    unit.rollback()
    assert count(database, "entries") == 0
    loaded = in_batch(unit, lambda: unit.allocations([f"a{n}" for n in range(40)], []))
    assert {row[1] for row in loaded} == {"open"}


def test_any_number_of_allocations_is_placed_and_moved(unit: Unit) -> None:
    settled_by = ALLOCATION_COLUMNS.index("settled_by")
    for size in SIZES:
        ids = [f"{size}-{n:04}" for n in range(size)]
        write(unit, placed=[allocation(id_) for id_ in ids])
        write(unit, moved=[moved(id_, settled_by=f"use_{id_}") for id_ in ids])
        unit.begin()
        loaded = unit.allocations(ids, [])
        assert [(row[0], row[settled_by]) for row in loaded] == [(i, f"use_{i}") for i in ids]
        unit.rollback()


def test_holds_are_due_when_their_time_has_come_the_oldest_first(unit: Unit) -> None:
    write(
        unit,
        placed=[
            allocation("now", expires_us=NOW_US),
            allocation("soon", expires_us=NOW_US + 1),
            allocation("b-early", expires_us=NOW_US - 5),
            allocation("a-early", expires_us=NOW_US - 5),
            allocation("done", expires_us=NOW_US - 9, status="settled"),
        ],
    )
    assert in_batch(unit, lambda: unit.due(NOW_US, 10)) == ["a-early", "b-early", "now"]
    assert in_batch(unit, lambda: unit.due(NOW_US, 2)) == ["a-early", "b-early"]
    assert in_batch(unit, lambda: unit.due(NOW_US - 6, 10)) == []


# --- Usage and entries ---------------------------------------------------------------------------


def test_usage_is_found_by_its_id_by_what_it_settled_and_by_what_reversed_it(unit: Unit) -> None:
    first = usage("u1", allocation_id="a", final=0)
    last = usage("u2", allocation_id="a")
    reversal = usage("u3", reverses="u1", cost_nanos=-1_000_000, input_tokens=-30)
    write(
        unit,
        placed=[allocation("a", status="settled", settled_by="u2"), allocation("b")],
        usage=[first, last, reversal],
        usage_tags=[("tag.city", "Zürich", "u1"), ("tag.city", "Bern", "u1")],
    )
    unit.begin()
    assert sorted(unit.usage(["u3", "u1", "unknown"])) == [first, reversal]
    assert unit.settling_usage(["a", "b", "unknown"]) == [last]
    assert unit.reversals(["u1", "u2"]) == [("u1", "u3")]


def test_any_number_of_records_and_entries_is_written_and_found(unit: Unit) -> None:
    for size in SIZES:
        begun = unit.begin()
        entries = [entry(begun, n, legs=f"[{n}]") for n in range(size)]
        records = [usage(f"{size}-{n:04}", entry_id=entries[n][0]) for n in range(size)]
        unit.write(Changes(entries=entries, usage=records))
        unit.commit()
        unit.begin()
        assert sorted(unit.usage([row[0] for row in records])) == records
        legs = unit.entry_legs([row[0] for row in entries])
        assert sorted(legs) == [(entries[n][0], f"[{n}]") for n in range(size)]
        unit.rollback()


def test_a_record_is_reversed_once(unit: Unit) -> None:
    write(unit, usage=[usage("u1"), usage("u2", reverses="u1")])
    refused(unit, usage=[usage("u3", reverses="u1")])


def test_entries_and_usage_are_never_changed(unit: Unit, database: Database) -> None:
    begun = unit.begin()
    unit.write(Changes(entries=[entry(begun)], usage=[usage("u1")]))
    unit.commit()
    for table in (schema.entries, schema.usage):
        acts: list[Any] = [update(table).values(actor="somebody else"), delete(table)]
        if database.dialect == "postgresql":
            acts.append(text(f"TRUNCATE {table.name}"))
        for act in acts:
            unit.begin()
            with pytest.raises(Broken, match="are never changed"):
                unit.execute(act)
            unit.rollback()
        assert count(database, table.name) == 1
    assert in_batch(unit, lambda: unit.usage(["u1"])) == [usage("u1")]


# --- Balances ------------------------------------------------------------------------------------


def test_a_head_is_created_once_and_then_loaded(unit: Unit) -> None:
    unit.begin()
    rows, created = unit.heads([("pol_2", "b"), ("pol_1", "a"), ("pol_2", "b")], [])
    assert len(rows) == len(set(created)) == 2
    assert [row[0] for row in rows] == sorted(created)
    assert {row[1:] for row in rows} == {
        ("pol_1", "a", *NEW_HEAD),
        ("pol_2", "b", *NEW_HEAD),
    }
    unit.commit()
    unit.begin()
    assert unit.heads([("pol_1", "a"), ("pol_2", "b")], []) == (rows, [])


def test_heads_are_loaded_by_pair_and_by_id_each_once_in_the_order_of_ids(unit: Unit) -> None:
    a, b, c = sorted(make_heads(unit, "a", "b", "c"))
    unit.begin()
    rows, created = unit.heads([("pol_1", "b"), ("pol_1", "new")], [c, a, b, 999])
    assert [row[0] for row in rows] == [a, b, c, *created]
    assert len(created) == 1


def test_a_head_made_in_a_batch_is_written_in_it(unit: Unit) -> None:
    unit.begin()
    (row,), (id_,) = unit.heads([("pol_1", "")], [])
    unit.write(Changes(heads=[head(row[0], 0, spent=7, carry=3, buckets='{"1": [7, 0, 0, 0]}')]))
    unit.commit()
    ((*_, stored),) = [in_batch(unit, lambda: unit.heads([], [id_]))[0]]
    now = dict(zip(HEAD_COLUMNS, stored, strict=True)) if stored else {}
    assert (now["version"], now["spent"], now["carry"]) == (1, 7, 3)
    assert now["buckets"] == '{"1": [7, 0, 0, 0]}'


def test_a_head_made_for_a_refused_call_is_gone_with_it(unit: Unit, database: Database) -> None:
    unit.begin()
    _, created = unit.heads([("pol_1", "a"), ("pol_1", "b")], [])
    kept, unused = created
    unit.write(Changes(heads=[head(kept)], heads_unused=[unused]))
    unit.commit()
    assert count(database, "heads") == 1
    rows, _ = in_batch(unit, lambda: unit.heads([], [kept, unused]))
    assert [row[0] for row in rows] == [kept]


def test_heads_made_for_refused_calls_alone_leave_nothing(unit: Unit, database: Database) -> None:
    unit.begin()
    unit.claim([key("a")])
    _, created = unit.heads([("pol_1", "a")], [])
    unit.write(Changes(heads_unused=created, keys_unused=[key("a")]))
    unit.commit()
    assert count(database, "heads") == 0
    assert count(database, "keys") == 0


def test_a_head_at_another_version_stops_the_whole_batch(unit: Unit, database: Database) -> None:
    ids = make_heads(unit, *(f"p{n:02}" for n in range(40)))
    write(unit, heads=[head(ids[39], 0)])
    begun = unit.begin()
    with pytest.raises(Broken):
        write_and_commit(
            unit,
            entries=[entry(begun)],
            placed=[allocation("a")],
            heads=[head(id_, 0, spent=5) for id_ in ids],
        )
    unit.rollback()
    assert count(database, "entries") == 0
    assert count(database, "allocations") == 0
    rows, _ = in_batch(unit, lambda: unit.heads([], ids))
    assert {row[HEAD_COLUMNS.index("spent")] for row in rows} == {0}


def test_any_number_of_heads_is_created_and_updated(unit: Unit) -> None:
    for size in SIZES:
        pairs = [(f"pol_{size}", f"{n:04}") for n in range(size)]
        unit.begin()
        rows, created = unit.heads(pairs, [])
        assert sorted(row[1:3] for row in rows) == pairs
        unit.write(Changes(heads=[head(row[0], 0, spent=int(row[2])) for row in rows]))
        unit.commit()
        unit.begin()
        rows, again = unit.heads(pairs, created)
        assert again == []
        unit.write(Changes(heads=[head(row[0], 1, spent=row[7] + 10_000) for row in rows]))
        unit.commit()
        unit.begin()
        rows, _ = unit.heads(pairs, [])
        assert sorted((row[2], row[3], row[7]) for row in rows) == [
            (f"{n:04}", 2, 10_000 + n) for n in range(size)
        ]
        unit.rollback()


def test_a_closed_window_is_written_and_then_overwritten(unit: Unit) -> None:
    write(unit, windows=[window(1, NOW_US, spent=5), window(2, NOW_US, spent=6)])
    write(unit, windows=[window(1, NOW_US, spent=8, overrun=2, carry=1)])
    asked = [(1, NOW_US), (2, NOW_US), (1, NOW_US + HOUR_US), (3, NOW_US)]
    rows = sorted(in_batch(unit, lambda: unit.windows(asked)))
    assert [dict(zip(WINDOW_COLUMNS, row, strict=True))["spent"] for row in rows] == [8, 6]
    assert rows[0] == window(1, NOW_US, spent=8, overrun=2, carry=1)


# --- Rollups and alerts --------------------------------------------------------------------------


def test_rollups_add_up_within_a_batch_and_over_batches(unit: Unit, database: Database) -> None:
    write(unit, rollups=[rollup("s1"), rollup("s2"), rollup("s1", requests=3)])
    write(unit, rollups=[rollup("s1", records=-1, requests=-1, cost_nanos=-1_000_000)])
    columns = schema.rollups.c
    wanted = select(columns.series_id, columns.records, columns.requests, columns.cost_nanos)
    with database.engine.connect() as connection:
        rows = connection.execute(wanted.order_by(columns.series_id)).all()
    assert [tuple(row) for row in rows] == [("s1", 1, 3, 1_000_000), ("s2", 1, 1, 1_000_000)]


def test_a_series_is_kept_once(unit: Unit, database: Database) -> None:
    write(unit, series=[series("s1", user="ann", key="k"), series("s2")])
    write(unit, series=[series("s1", user="ann", key="k"), series("s3")])
    assert count(database, "series") == 3


def test_an_alert_is_raised_once_for_a_policy_partition_window_and_kind(
    unit: Unit, database: Database
) -> None:
    write(unit, alerts=[alert("1"), alert("2"), alert("3", kind="action")])
    write(unit, alerts=[alert("4"), alert("5", window_us=NOW_US + 1), alert("6", partition="x")])
    with database.engine.connect() as connection:
        ids = connection.execute(select(schema.alerts.c.id).order_by("id")).scalars().all()
    assert ids == ["1", "3", "5", "6"]


# --- What the tables refuse ----------------------------------------------------------------------


BAD_ROWS: list[dict[str, list[Row]]] = [
    {"placed": [allocation("a", status="lost")]},
    {"placed": [allocation("a", usd_held=-1)]},
    {"placed": [allocation("a", legs=None)]},
    {"placed": [allocation("a"), allocation("a")]},
    {"windows": [window(1, NOW_US, spent=-1)]},
    {"windows": [window(1, NOW_US, end_us=NOW_US)]},
    {"usage": [usage("u", cost_nanos=4 * 10**18 + 1)]},
    {"usage": [usage("u", input_tokens=2**63)]},
    {"usage": [usage("u", actor="\ud800")]},
    {"usage": [usage("u", entry_id="one")]},
    {"rollups": [rollup("s", grain="minute")]},
    {"alerts": [alert("a", severity="fatal")]},
    {"keys": [key("k", at_us=None)]},
]


def test_a_row_that_breaks_a_rule_breaks_its_batch_and_no_other(
    unit: Unit, database: Database
) -> None:
    for done, rows in enumerate(BAD_ROWS):
        begun = unit.begin()
        with pytest.raises(Broken):
            write_and_commit(unit, entries=[entry(begun)], **rows)
        unit.rollback()
        begun = unit.begin()
        unit.write(Changes(entries=[entry(begun)]))
        unit.commit()
        assert count(database, "entries") == done + 1


def test_a_balance_below_zero_is_refused(unit: Unit) -> None:
    (id_,) = make_heads(unit, "")
    refused(unit, heads=[head(id_, 0, reserved=-1)])
    refused(unit, heads=[head(id_, 0, spent=4 * 10**18 + 1)])
