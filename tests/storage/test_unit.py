"""What the ledger may rely on of a unit of work, on both engines alike: transactions and keys.

Not here: the other rows of a batch (`test_unit_rows`).
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import bindparam, delete, func, insert, select, text, update

from budget.domain.cursors import unpack
from budget.storage import schema
from budget.storage.database import Database, open_database
from budget.storage.errors import Broken, StorageError
from budget.storage.unit import (
    HEAD_COLUMNS,
    Changes,
    Unit,
)
from tests.support.rows import (
    NOW_US,
    allocation,
    entry,
    head,
    key,
)
from tests.support.units import (
    NewUnit,
    count,
    in_batch,
    make_heads,
)

# --- The transaction -----------------------------------------------------------------------------


def test_a_new_ledger_begins_in_epoch_one_with_catalogue_one(unit: Unit) -> None:
    begun = unit.begin()
    assert (begun.epoch, begun.catalogue_version) == (1, 1)
    assert begun.xid >= 1


def test_each_transaction_that_writes_has_a_higher_number_than_all_before(
    new_unit: NewUnit,
) -> None:
    numbers = []
    for unit in (new_unit(), new_unit(), new_unit()):
        for _ in range(3):
            begun = unit.begin()
            numbers.append(begun.xid)
            unit.write(Changes(entries=[entry(begun)]))
            unit.commit()
    assert numbers == sorted(set(numbers))


def test_what_is_committed_is_there_for_readers(unit: Unit, database: Database) -> None:
    begun = unit.begin()
    unit.write(Changes(entries=[entry(begun, 0), entry(begun, 1)]))
    unit.commit()
    with database.engine.connect() as connection:
        ids = connection.execute(select(schema.entries.c.id).order_by("id")).scalars().all()
    assert [unpack(id_) for id_ in ids] == [(1, begun.xid, 0), (1, begun.xid, 1)]


def test_what_is_rolled_back_is_gone(unit: Unit, database: Database) -> None:
    begun = unit.begin()
    unit.heads([("pol_1", "")], [])
    unit.write(Changes(entries=[entry(begun)], placed=[allocation("a")], keys=[key("k")]))
    unit.rollback()
    for table in ("entries", "allocations", "keys", "heads"):
        assert count(database, table) == 0


def test_rolling_back_is_always_allowed(unit: Unit) -> None:
    unit.rollback()
    unit.begin()
    unit.rollback()
    unit.rollback()
    unit.begin()
    unit.commit()
    unit.rollback()


def test_beginning_again_gives_up_what_was_begun(unit: Unit, database: Database) -> None:
    begun = unit.begin()
    unit.write(Changes(entries=[entry(begun)]))
    unit.begin()
    unit.commit()
    assert count(database, "entries") == 0


def test_nothing_is_done_outside_a_transaction(unit: Unit) -> None:
    for act in (
        lambda: unit.due(NOW_US, 1),
        lambda: unit.usage(["u"]),
        lambda: unit.heads([("pol_1", "")], []),
        unit.commit,
        lambda: unit.execute(select(schema.state)),
    ):
        with pytest.raises(StorageError):
            act()


def test_a_batch_of_nothing_commits(unit: Unit) -> None:
    unit.begin()
    unit.write(Changes())
    unit.commit()


def test_a_clock_that_is_passed_in_tells_the_time(url: str) -> None:
    with closing(open_database(url, clock=lambda: 1_234_567)) as database:
        assert database.now_us() == 1_234_567
        with closing(database.unit()) as unit:
            assert unit.begin().now_us == 1_234_567


def test_questions_about_nothing_are_answered_with_nothing(unit: Unit) -> None:
    unit.begin()
    assert unit.claim([]) == []
    assert unit.allocations([], []) == []
    assert unit.usage([]) == []
    assert unit.settling_usage([]) == []
    assert unit.reversals([]) == []
    assert unit.entry_legs([]) == []
    assert unit.heads([], []) == ([], [])
    assert unit.windows([]) == []


# --- Keys ----------------------------------------------------------------------------------------


def test_a_key_is_known_once_its_command_was_accepted(unit: Unit) -> None:
    unit.begin()
    assert unit.claim([key("a"), key("b")]) == []
    unit.write(Changes(keys=[key("a"), key("b")]))
    unit.commit()
    unit.begin()
    asked = [key("b", request_hash="other", ref=""), key("c")]
    assert unit.claim(asked) == [key("b")]


def test_the_key_of_a_refused_command_is_free_again(unit: Unit, database: Database) -> None:
    unit.begin()
    unit.claim([key("a"), key("b")])
    unit.write(Changes(keys=[key("a")], keys_unused=[key("b")]))
    unit.commit()
    assert count(database, "keys") == 1
    assert in_batch(unit, lambda: unit.claim([key("b")])) == []


def test_a_key_belongs_to_its_actor_and_act(unit: Unit) -> None:
    unit.begin()
    unit.claim([key("a")])
    unit.write(Changes(keys=[key("a")]))
    unit.commit()
    unit.begin()
    assert unit.claim([key("a", actor="other"), key("a", act="record")]) == []


def test_any_number_of_keys_is_found(unit: Unit) -> None:
    for size in (1, 4, 5, 64, 65, 257):
        rows = [key(f"{size}-{n:04}") for n in range(size)]
        unit.begin()
        unit.claim(rows)
        unit.write(Changes(keys=rows))
        unit.commit()
        unit.begin()
        assert sorted(unit.claim([*rows, key("new")])) == rows
        unit.rollback()


# --- Several writers -----------------------------------------------------------------------------


def test_two_writers_on_one_head_take_turns(new_unit: NewUnit) -> None:
    (id_,) = make_heads(new_unit(), "")
    turns = 40

    def count_up(unit: Unit) -> None:
        for _ in range(turns):
            begun = unit.begin()
            (row,), _ = unit.heads([("pol_1", "")], [])
            spent = row[HEAD_COLUMNS.index("spent")] + 1
            unit.write(Changes(entries=[entry(begun)], heads=[head(id_, row[3], spent=spent)]))
            unit.commit()

    with ThreadPoolExecutor() as pool:
        list(pool.map(count_up, (new_unit(), new_unit())))
    unit = new_unit()
    (row,), _ = in_batch(unit, lambda: unit.heads([], [id_]))
    assert (row[3], row[HEAD_COLUMNS.index("spent")]) == (2 * turns, 2 * turns)


def test_nobody_begins_while_the_catalogue_is_changed(new_unit: NewUnit) -> None:
    changing, waiting = new_unit(), new_unit()
    changing.begin_catalogue()
    with ThreadPoolExecutor() as pool:
        begun = pool.submit(waiting.begin)
        with pytest.raises(TimeoutError):
            begun.result(timeout=0.2)
        changing.execute(update(schema.state).values(catalogue_version=2))
        changing.commit()
        assert begun.result().catalogue_version == 2


# --- Core statements -----------------------------------------------------------------------------


def test_core_statements_run_inside_the_transaction(unit: Unit, database: Database) -> None:
    keys = schema.keys
    rows = [dict(zip(keys.c.keys(), key(name), strict=True)) for name in ("a", "b", "c")]
    unit.begin()
    assert unit.execute(insert(keys), rows) == []
    wanted = select(keys.c.key, keys.c.ref).order_by(keys.c.key)
    assert unit.execute(wanted.where(keys.c.key.in_(["a", "c"]))) == [
        ("a", "alloc_a"),
        ("c", "alloc_c"),
    ]
    change = update(keys).where(keys.c.key == bindparam("name")).values(ref=bindparam("new"))
    unit.execute(change, {"name": "a", "new": "alloc_z"})
    unit.execute(change, [{"name": "b", "new": "alloc_y"}, {"name": "c", "new": "alloc_x"}])
    assert [row[1] for row in unit.execute(wanted)] == ["alloc_z", "alloc_y", "alloc_x"]
    gone = delete(keys).where(keys.c.at_us <= NOW_US).returning(keys.c.key)
    assert sorted(unit.execute(gone)) == [("a",), ("b",), ("c",)]
    unit.rollback()
    assert count(database, "keys") == 0


def test_core_statements_see_the_heads_made_in_the_batch(unit: Unit) -> None:
    unit.begin()
    _, created = unit.heads([("pol_1", "")], [])
    assert unit.execute(select(schema.heads.c.id)) == [(created[0],)]
    unit.write(Changes(heads_unused=created))
    assert unit.execute(select(schema.heads.c.id)) == []


def test_a_core_statement_that_fails_is_broken(unit: Unit) -> None:
    unit.begin()
    with pytest.raises(Broken):
        unit.execute(insert(schema.state).values(id=2, epoch=1, xid=1, catalogue_version=1))
    unit.rollback()
    unit.begin()
    with pytest.raises(Broken):
        unit.execute(text("SELECT nothing FROM nowhere"))


# --- Readers -------------------------------------------------------------------------------------


def test_readers_cannot_write(database: Database, unit: Unit) -> None:
    with database.engine.connect() as connection, pytest.raises(Exception, match=r"read-?only"):
        connection.execute(update(schema.state).values(epoch=9))


def test_a_reader_sees_one_moment(database: Database, unit: Unit) -> None:
    with database.engine.connect() as connection:
        wanted = select(func.count()).select_from(schema.keys)
        assert connection.execute(wanted).scalar_one() == 0
        unit.begin()
        unit.claim([key("a")])
        unit.write(Changes(keys=[key("a")]))
        unit.commit()
        assert connection.execute(wanted).scalar_one() == 0
    assert count(database, "keys") == 1
