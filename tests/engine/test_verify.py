"""Verify: healthy books are clean, and whatever is tampered with is found, on both engines.

Every check has its negative control: a change made behind Budget's back, which must be told under
exactly the invariant that it breaks.
"""

import json
import threading
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from budget.domain.answers_audit import Sealed, Verification
from budget.domain.errors import BudgetError
from budget.engine.audit import findings
from budget.engine.verify import verify
from budget.storage.database import open_database
from tests.engine.busy import Sql, fill, tampered
from tests.engine.conftest import migrate
from tests.engine.opened import MINUTE, Clock, allocated, open_books, us
from tests.support.databases import Databases, PostgresDatabases, SqliteDatabases


@pytest.fixture
def busy_url(databases: Databases) -> str:
    """A database with the books of `fill`; the test runs once per engine."""
    return databases.new(fill)


@pytest.fixture
def file_url(sqlite_databases: SqliteDatabases) -> str:
    """The same on SQLite alone: what the checks find in rows does not depend on the engine."""
    return sqlite_databases.new(fill)


def verified(url: str, **ask: Any) -> Verification:
    database = open_database(url)
    try:
        return verify(database, **ask)
    finally:
        database.close()


def broken(url: str) -> set[str]:
    """The invariants that verify says are broken."""
    return {violation.invariant for violation in verified(url).violations}


# --- Healthy books -------------------------------------------------------------------------------


def test_busy_books_are_clean(busy_url: str) -> None:
    answer = verified(busy_url)
    assert answer.violations == ()
    assert answer.clean
    assert (answer.entries, answer.usage_records, answer.allocations) == (59, 16, 15)
    assert answer.balances == 10


def test_the_journal_of_the_busy_books_has_every_kind_of_entry(busy_url: str) -> None:
    with tampered(busy_url) as sql:
        kinds = {row[0] for row in sql("SELECT kind FROM entries")}
        statuses = {row[0] for row in sql("SELECT status FROM allocations")}
    assert kinds >= {
        "placed", "recorded", "settled", "released", "extended", "expired", "reported",
        "corrected", "backfilled", "refused", "topped_up", "policy_changed", "budget_created",
    }  # fmt: skip
    assert statuses == {"open", "settled", "released", "expired"}


def test_books_without_an_entry_are_clean(databases: Databases) -> None:
    assert verified(databases.new(migrate)) == Verification(0, 0, 0, 0, Sealed(), (), 0)


def test_it_does_not_matter_where_a_long_table_is_cut(
    busy_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "CHUNK", 2)
    assert verified(busy_url).clean


def test_progress_is_told_and_ends_at_all_rows(busy_url: str) -> None:
    told: list[tuple[int, int]] = []
    answer = verified(busy_url, progress=lambda done, total: told.append((done, total)))
    total = answer.entries + answer.usage_records + answer.allocations
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_books_that_are_being_written_are_clean_at_every_moment(books_url: str) -> None:
    clock = Clock(us("2026-05-15 12:00"))
    done = threading.Event()
    with open_books(books_url, clock) as books:
        books.create_budget(
            name="Firm",
            policies=[
                {"unit": "usd", "period": "minute", "limit": "10"},
                {"unit": "tokens", "period": "rolling:1m", "limit": 9000},
            ],
        )

        def spend() -> None:
            while not done.is_set():
                clock.move(300_000)
                try:
                    held = allocated(books, model="m", input_tokens=9, max_output_tokens=9)
                    books.settle(held.allocation_id, input_tokens=8, output_tokens=10)
                except (BudgetError, AssertionError):
                    clock.move(MINUTE)

        writer = threading.Thread(target=spend)
        writer.start()
        try:
            seen = [verify(books.books.database)]
            while len(seen) < 8 or (seen[0].entries == seen[-1].entries and writer.is_alive()):
                seen.append(verify(books.books.database))
        finally:
            done.set()
            writer.join()
    assert [answer.violations for answer in seen] == [()] * len(seen)
    assert seen[0].entries < seen[-1].entries


# --- Tampering -----------------------------------------------------------------------------------


def head_of(sql: Sql, unit: str, period: str, partition: str = "{}") -> int:
    ((head_id,),) = sql(
        "SELECT heads.id FROM heads JOIN policies USING (policy_id)"
        " WHERE unit = :unit AND period = :period AND partition = :partition",
        unit=unit, period=period, partition=partition,
    )  # fmt: skip
    return int(head_id)


def change_leg(sql: Sql, kind: str, allocation_id: str, head_id: int, **by: Any) -> None:
    """Change an entry's leg on one head: `spent=1` adds to it, `limit=None` replaces it."""
    places = {"spent": 2, "reserved": 3, "assumed": 4, "overrun": 5, "version": 6}
    ((entry_id, written),) = sql(
        "SELECT id, legs FROM entries WHERE kind = :kind AND allocation_id = :of",
        kind=kind, of=allocation_id,
    )  # fmt: skip
    legs = json.loads(written)
    (leg,) = [leg for leg in legs if leg[0] == head_id]
    for name, value in by.items():
        if name == "limit":
            leg[7] = value
        else:
            leg[places[name]] += value
    sql("UPDATE entries SET legs = :legs WHERE id = :id", legs=json.dumps(legs), id=entry_id)


def change_hold(
    sql: Sql, allocation_id: str, head_id: int, *, held: int = 0, left: int = 0
) -> None:
    """Change what an allocation's row says of its first leg on a head."""
    ((written,),) = sql("SELECT legs FROM allocations WHERE id = :id", id=allocation_id)
    legs = json.loads(written)
    leg = next(leg for leg in legs if leg[0] == head_id)
    leg[2] += held
    leg[3] += left
    sql(
        "UPDATE allocations SET legs = :legs WHERE id = :id",
        legs=json.dumps(legs), id=allocation_id,
    )  # fmt: skip


def test_tampering_with_nothing_leaves_the_books_clean(busy_url: str) -> None:
    with tampered(busy_url) as sql:
        sql("UPDATE heads SET spent = spent + 0")
    assert broken(busy_url) == set()


# --- I1: legs add up to the stored figures


@pytest.mark.parametrize("figure", ["spent", "overrun", "end_us"])
def test_a_head_that_is_not_the_sum_of_its_legs_breaks_i1(file_url: str, figure: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "usd", "daily")
        sql(f"UPDATE heads SET {figure} = {figure} + 1 WHERE id = :id", id=head_id)
    assert broken(file_url) == {"I1"}


def test_a_finding_names_the_balance_and_both_figures(busy_url: str) -> None:
    with tampered(busy_url) as sql:
        head_id = head_of(sql, "usd", "hourly", '{"team":"b"}')
        ((policy_id, spent),) = sql("SELECT policy_id, spent FROM heads WHERE id = :id", id=head_id)
        sql("UPDATE heads SET spent = spent + 5 WHERE id = :id", id=head_id)
    (violation,) = verified(busy_url).violations
    assert violation.subject == f'{policy_id} {{"team":"b"}}'
    assert f"stored spent {spent + 5}, " in violation.detail
    assert f"its legs give spent {spent}, " in violation.detail
    assert "\n" not in violation.detail


@pytest.mark.parametrize("figure", ["spent", "overrun"])
def test_a_closed_window_that_is_not_the_sum_of_its_legs_breaks_i1(
    file_url: str, figure: str
) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "usd", "daily")
        ((start_us,),) = sql("SELECT min(start_us) FROM windows WHERE head_id = :id", id=head_id)
        sql(
            f"UPDATE windows SET {figure} = {figure} + 1"
            " WHERE head_id = :id AND start_us = :start_us",
            id=head_id, start_us=start_us,
        )  # fmt: skip
    (violation,) = verified(file_url).violations
    assert violation.invariant == "I1"
    assert f"[{start_us}]" in violation.subject


def test_figures_moved_between_two_closed_windows_break_i1(file_url: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "usd", "daily")
        starts = sql("SELECT start_us FROM windows WHERE head_id = :id ORDER BY 1", id=head_id)
        for (start_us,), by in zip(starts, (-1, 1), strict=True):
            sql(
                "UPDATE windows SET spent = spent + :by WHERE head_id = :id AND start_us = :start",
                by=by, id=head_id, start=start_us,
            )  # fmt: skip
    answer = verified(file_url)
    assert {violation.invariant for violation in answer.violations} == {"I1"}
    assert answer.count == 2


def test_a_closed_window_that_is_gone_breaks_i1(file_url: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "requests", "minute", '{"team":"b"}')
        sql("DELETE FROM windows WHERE head_id = :id", id=head_id)
    assert broken(file_url) == {"I1"}


def test_a_rolling_bucket_that_is_not_the_sum_of_its_legs_breaks_i1(file_url: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "tokens", "rolling:1h")
        ((written,),) = sql("SELECT buckets FROM heads WHERE id = :id", id=head_id)
        buckets = json.loads(written)
        newest = max(buckets, key=int)
        buckets[newest][0] += 1
        sql("UPDATE heads SET buckets = :b WHERE id = :id", b=json.dumps(buckets), id=head_id)
    assert broken(file_url) == {"I1"}


def test_a_leg_on_no_head_breaks_i1(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE entries SET legs = '[[999999,0,0,0,0,0,1,null]]' WHERE kind = 'refused'")
    assert broken(file_url) == {"I1"}


# --- I2: no admission beyond the limit


def test_an_admission_beyond_the_limit_breaks_i2(busy_url: str) -> None:
    with tampered(busy_url) as sql:
        head_id = head_of(sql, "usd", "daily")
        beyond = 500 * 10**9  # in entry, head and allocation alike: all else still adds up
        change_leg(sql, "placed", "third-day", head_id, reserved=beyond)
        change_hold(sql, "third-day", head_id, held=beyond, left=beyond)
        sql(f"UPDATE heads SET reserved = reserved + {beyond} WHERE id = :id", id=head_id)
    assert broken(busy_url) == {"I2"}


def test_an_admission_beyond_a_rolling_limit_breaks_i2(file_url: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "tokens", "rolling:1h")
        sql(
            "UPDATE policies SET limit_amount = 3001, limits = '[[' || created_us || ', 3001]]' "
            "WHERE unit = 'tokens'"
        )
        for entry_id, written in sql("SELECT id, legs FROM entries WHERE legs <> '[]'"):
            legs = json.loads(written)
            for leg in legs:
                if leg[0] == head_id and leg[7] is not None:
                    leg[7] = 3001
            sql("UPDATE entries SET legs = :l WHERE id = :id", l=json.dumps(legs), id=entry_id)
        ((entry_id, detail),) = sql(
            "SELECT id, detail FROM entries WHERE kind = 'budget_created' AND detail LIKE '%Firm%'"
        )
        sql(
            "UPDATE entries SET detail = :detail WHERE id = :id",
            detail=detail.replace('"limit":100000', '"limit":3001'), id=entry_id,
        )  # fmt: skip
    answer = verified(file_url)
    assert {violation.invariant for violation in answer.violations} == {"I2"}
    # plain 1000 settled, crossing 1500, long 1500 make 4000 in the first bucket: the third went
    # over; on the second day many more did.
    assert "admitted 1500 to a total of 4000, over the limit 3001" in answer.violations[0].detail


@pytest.mark.parametrize("limit", [10**9, None])
def test_an_admission_under_another_limit_than_was_in_force_breaks_i2(
    file_url: str, limit: int | None
) -> None:
    with tampered(file_url) as sql:
        change_leg(sql, "placed", "topped", head_of(sql, "usd", "daily"), limit=limit)
    assert broken(file_url) == {"I2"}


def test_a_limit_without_a_change_in_the_journal_breaks_i2(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE policies SET limit_amount = 1 WHERE period = 'hourly'")
    assert broken(file_url) == {"I2"}


def test_a_history_of_limits_that_the_journal_does_not_tell_breaks_i2(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql(
            "UPDATE policies SET limits = replace(limits, '140000000000', '150000000000')"
            " WHERE unit = 'usd' AND period = 'daily'"
        )
    assert broken(file_url) == {"I2"}


@pytest.mark.parametrize("change", ["UPDATE top_ups SET amount = 1", "DELETE FROM top_ups"])
def test_a_top_up_that_was_changed_breaks_i2(file_url: str, change: str) -> None:
    with tampered(file_url) as sql:
        sql(change)
    assert broken(file_url) == {"I2"}


def test_a_top_up_that_the_journal_does_not_tell_breaks_i2(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE top_ups SET top_up_id = 'forged'")
    assert broken(file_url) == {"I2"}


@pytest.mark.parametrize("table", ["heads", "windows"])
def test_a_carry_that_is_not_what_was_unused_breaks_i2(file_url: str, table: str) -> None:
    column = "id" if table == "heads" else "head_id"
    with tampered(file_url) as sql:
        head_id = head_of(sql, "usd", "daily")
        sql(f"UPDATE {table} SET carry = carry + 1 WHERE {column} = :id", id=head_id)
    assert broken(file_url) == {"I2"}


# --- I4: nothing is negative


def test_a_negative_balance_breaks_i4(busy_url: str) -> None:
    with tampered(busy_url) as sql:
        head_id = head_of(sql, "requests", "minute", '{"team":"a"}')
        # third-day holds the only request of its minute: its 1 becomes -1 in all three places.
        change_leg(sql, "placed", "third-day", head_id, reserved=-2)
        change_hold(sql, "third-day", head_id, held=-2, left=-2)
        sql("UPDATE heads SET reserved = reserved - 2 WHERE id = :id", id=head_id)
    assert broken(busy_url) == {"I4"}


def test_an_overrun_without_as_much_spent_breaks_i4(file_url: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "requests", "minute", '{"team":"a"}')
        change_leg(sql, "placed", "third-day", head_id, overrun=1)
        sql("UPDATE heads SET overrun = overrun + 1 WHERE id = :id", id=head_id)
    assert broken(file_url) == {"I4"}


# --- I5: the life of an allocation


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE allocations SET status = 'released' WHERE id = 'plain'",
        "UPDATE allocations SET records = records + 1 WHERE id = 'plain'",
        "UPDATE allocations SET settled_by = 'another' WHERE id = 'plain'",
        "DELETE FROM allocations WHERE id = 'plain'",
        "UPDATE entries SET kind = 'recorded' WHERE kind = 'settled' AND allocation_id = 'plain'",
        "UPDATE entries SET kind = 'extended' WHERE kind = 'placed' AND allocation_id = 'plain'",
        "UPDATE entries SET kind = 'released' WHERE kind = 'expired' AND allocation_id = 'assumed'",
    ],
)
def test_a_life_that_its_entries_do_not_tell_breaks_i5(file_url: str, change: str) -> None:
    with tampered(file_url) as sql:
        sql(change)
    assert broken(file_url) == {"I5"}


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        ("expired", set()),
        ("extended", set()),
        ("released", set()),
        ("placed", {"I9"}),  # on no policy
        ("settled", {"I8", "I9"}),  # with no usage, and on no policy
    ],
)
def test_an_entry_after_the_end_breaks_i5(file_url: str, kind: str, also: set[str]) -> None:
    with tampered(file_url) as sql:
        sql(
            "INSERT INTO entries (id, at_us, kind, actor, allocation_id, legs, detail)"
            " SELECT max(id) + 1, max(at_us), :kind, 'forger', 'plain', '[]', '{}' FROM entries",
            kind=kind,
        )
    assert broken(file_url) == {"I5"} | also


def swap(sql: Sql, one: str, other: str) -> None:
    """Let two entries have each other's ids, and the records they booked with them."""
    ids = [
        sql("SELECT id FROM entries WHERE kind || ' ' || allocation_id = :name", name=name)[0][0]
        for name in (one, other)
    ]
    for table, column in (("entries", "id"), ("usage", "entry_id")):
        for old, new in ((ids[0], -1), (ids[1], ids[0]), (-1, ids[1])):
            sql(f"UPDATE {table} SET {column} = :new WHERE {column} = :old", new=new, old=old)


def test_entries_of_several_processes_need_not_be_numbered_in_the_order_of_versions(
    busy_url: str,
) -> None:
    with tampered(busy_url) as sql:
        swap(sql, "placed crossing", "placed long")
        swap(sql, "placed assumed", "released released")
    assert broken(busy_url) == set()


def test_a_life_told_by_several_processes_is_read_in_the_order_of_versions(
    postgres_databases: PostgresDatabases,
) -> None:
    url = postgres_databases.new(fill)
    with tampered(url) as sql:
        swap(sql, "recorded crossing", "settled crossing")
        swap(sql, "expired late", "settled late")
    assert broken(url) == set()
    with tampered(url) as sql:  # settled, and then more was recorded: versions say so
        sql("UPDATE entries SET kind = 'x' WHERE kind = 'settled' AND allocation_id = 'crossing'")
        sql("UPDATE entries SET kind = 'settled'"
            " WHERE kind = 'recorded' AND allocation_id = 'crossing'")  # fmt: skip
        sql("UPDATE entries SET kind = 'recorded' WHERE kind = 'x'")
    assert "I5" in broken(url)


# --- I6: what is reserved is what open allocations hold


def test_a_hold_that_is_smaller_than_what_is_reserved_breaks_i6(file_url: str) -> None:
    with tampered(file_url) as sql:
        change_hold(sql, "third-day", head_of(sql, "usd", "daily"), left=-1)
    assert broken(file_url) == {"I6"}


def test_a_hold_in_a_closed_window_counts_too(file_url: str) -> None:
    with tampered(file_url) as sql:
        change_hold(sql, "topped", head_of(sql, "usd", "daily"), left=-1)
    assert broken(file_url) == {"I6"}


def test_a_hold_that_is_smaller_than_what_is_assumed_breaks_i6(file_url: str) -> None:
    with tampered(file_url) as sql:
        change_hold(sql, "assumed", head_of(sql, "usd", "daily"), left=-1)
    assert broken(file_url) == {"I6"}


def test_an_ended_allocation_that_still_holds_breaks_i6(file_url: str) -> None:
    with tampered(file_url) as sql:
        change_hold(sql, "plain", head_of(sql, "usd", "daily"), left=1)
    assert broken(file_url) == {"I6"}


# --- I8: an entry spends what its records used


def test_an_entry_that_spends_more_than_its_usage_breaks_i8(file_url: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "usd", "daily")
        change_leg(sql, "settled", "last", head_id, spent=1)
        sql("UPDATE heads SET spent = spent + 1 WHERE id = :id", id=head_id)
    assert broken(file_url) == {"I8"}


def test_an_entry_that_spends_without_usage_breaks_i8(file_url: str) -> None:
    with tampered(file_url) as sql:
        head_id = head_of(sql, "usd", "daily")
        change_leg(sql, "placed", "third-day", head_id, spent=1)
        sql("UPDATE heads SET spent = spent + 1 WHERE id = :id", id=head_id)
    assert broken(file_url) == {"I8"}


def test_a_record_of_no_entry_breaks_i8(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE usage SET entry_id = entry_id + 5000 WHERE id = 'last-use'")
    assert broken(file_url) == {"I8"}


def test_a_record_of_another_entry_breaks_i8(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql(
            "UPDATE usage SET entry_id = (SELECT min(id) FROM entries WHERE kind = 'placed')"
            " WHERE id = 'last-use'"
        )
    assert broken(file_url) == {"I8"}


def test_a_record_of_another_allocation_breaks_i8(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE usage SET allocation_id = 'crossing' WHERE id = 'last-use'")
    assert broken(file_url) == {"I8"}


def test_a_correction_that_leaves_a_balance_out_breaks_i8(file_url: str) -> None:
    with tampered(file_url) as sql:
        ((entry_id, written),) = sql(
            "SELECT id, legs FROM entries WHERE kind = 'corrected' AND usage_id = 'of-yesterday'"
        )
        *legs, last = json.loads(written)
        sql("UPDATE entries SET legs = :l WHERE id = :id", l=json.dumps(legs), id=entry_id)
        sql("UPDATE heads SET version = version - 1 WHERE id = :id", id=last[0])
        sql(
            "UPDATE windows SET spent = spent - :by WHERE head_id = :id AND start_us = :start",
            by=last[2], id=last[0], start=last[1],
        )  # fmt: skip
    assert "I8" in broken(file_url)


# --- I9: on every policy or on none


def test_an_allocation_that_lost_a_leg_breaks_i9(file_url: str) -> None:
    with tampered(file_url) as sql:
        ((written,),) = sql("SELECT legs FROM allocations WHERE id = 'plain'")
        sql(
            "UPDATE allocations SET legs = :legs WHERE id = 'plain'",
            legs=json.dumps(json.loads(written)[:-1]),
        )
    assert broken(file_url) == {"I9"}


def test_an_allocation_that_holds_more_than_was_placed_breaks_i9(file_url: str) -> None:
    with tampered(file_url) as sql:
        change_hold(sql, "plain", head_of(sql, "usd", "daily"), held=1)
    assert broken(file_url) == {"I9"}


def test_a_call_that_was_placed_without_a_policy_it_met_breaks_i9(file_url: str) -> None:
    with tampered(file_url) as sql:
        # It was held on team a's balances and met those of team c; the budget Free, which is for
        # team c too, was not there yet.
        sql(
            'UPDATE allocations SET attributes = replace(attributes, \'"team":"a"\','
            " '\"team\":\"c\"') WHERE id = 'plain'"
        )
    violations = verified(file_url).violations
    assert {violation.invariant for violation in violations} == {"I9"}
    told = [violation.detail for violation in violations]
    assert sum(detail.startswith("was placed without policy") for detail in told) == 2
    assert sum("which it did not meet" in detail for detail in told) == 2


def test_usage_that_was_booked_without_a_policy_it_met_breaks_i9(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql(
            "UPDATE usage SET attributes = replace(attributes, '\"c\"', '\"b\"')"
            " WHERE model = 'unknown'"
        )
    assert broken(file_url) == {"I9", "rollups"}


def test_usage_that_leaves_a_balance_of_its_hold_out_breaks_i9(file_url: str) -> None:
    with tampered(file_url) as sql:
        ((entry_id, written),) = sql(
            "SELECT id, legs FROM entries WHERE kind = 'settled' AND allocation_id = 'last'"
        )
        legs = json.loads(written)[:-1]
        sql("UPDATE entries SET legs = :l WHERE id = :id", l=json.dumps(legs), id=entry_id)
    assert "I9" in broken(file_url)


def test_a_policy_that_the_journal_does_not_tell_breaks_i9(file_url: str) -> None:
    with tampered(file_url) as sql:
        ((entry_id, detail),) = sql("SELECT id, detail FROM entries WHERE kind = 'policy_created'")
        sql("UPDATE entries SET kind = 'policy_archived' WHERE id = :id", id=entry_id)
    assert detail
    assert "I9" in broken(file_url)


# --- I12: windows are disjoint


def test_a_window_that_reaches_into_the_next_breaks_i12(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql(
            "UPDATE windows SET end_us = end_us + 1 WHERE head_id = :id",
            id=head_of(sql, "usd", "daily"),
        )
    assert broken(file_url) == {"I12"}


def test_a_window_that_ends_as_it_starts_breaks_i12(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql(
            "UPDATE windows SET end_us = start_us WHERE head_id = :id",
            id=head_of(sql, "usd", "daily"),
        )
    assert broken(file_url) == {"I12"}


# --- I13: the versions of a balance have no gap


def test_a_head_ahead_of_its_legs_breaks_i13(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql(
            "UPDATE heads SET version = version + 1 WHERE id = :id",
            id=head_of(sql, "usd", "daily"),
        )
    assert broken(file_url) == {"I13"}


def test_an_entry_that_is_gone_leaves_a_gap_which_breaks_i13(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("DELETE FROM entries WHERE kind = 'settled' AND allocation_id = 'plain'")
    assert "I13" in broken(file_url)


def test_a_leg_that_comes_twice_breaks_i13(file_url: str) -> None:
    with tampered(file_url) as sql:
        ((legs,),) = sql(
            "SELECT legs FROM entries WHERE kind = 'placed' AND allocation_id = 'third-day'"
        )
        sql("UPDATE entries SET legs = :legs WHERE kind = 'refused'", legs=legs)
    assert "I13" in broken(file_url)


# --- I14: nothing booked can be changed


def test_a_trigger_that_is_gone_breaks_i14(busy_url: str) -> None:
    with tampered(busy_url):
        pass
    engine = create_engine(busy_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        _drop_seal(connection)
    engine.dispose()
    violations = verified(busy_url).violations
    assert {violation.invariant for violation in violations} == {"I14"}
    assert {violation.subject for violation in violations} == {"usage"}


def _drop_seal(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("DROP TRIGGER usage_no_update"))
    else:
        connection.execute(text("ALTER TABLE usage DISABLE TRIGGER USER"))


def test_a_trigger_that_refuses_nothing_breaks_i14(busy_url: str) -> None:
    engine = create_engine(busy_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER entries_no_delete"))
            connection.execute(
                text(
                    "CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN SELECT 1; END"
                )
            )
        else:
            connection.execute(
                text(
                    "CREATE OR REPLACE FUNCTION refuse_to_edit() RETURNS trigger"
                    " LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
                )
            )
    engine.dispose()
    assert broken(busy_url) == {"I14"}


# --- I15: a record is reversed once, by its opposite


def test_a_reversal_that_is_not_the_opposite_breaks_i15(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE usage SET provider = 'another' WHERE reverses IS NOT NULL")
    answer = verified(file_url)
    assert {violation.invariant for violation in answer.violations} == {"I15"}
    assert answer.count == 3


def test_a_reversal_of_other_counts_breaks_i15(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE usage SET input_tokens = input_tokens + 1 WHERE reverses = 'of-yesterday'")
    assert broken(file_url) == {"I8", "I15", "rollups"}


def test_a_record_reversed_twice_breaks_i15(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("DROP INDEX ix_usage_reverses")
        columns = ", ".join(row[0] for row in sql("SELECT * FROM usage LIMIT 0") or _columns(sql))
        copied = columns.replace("id,", "'again',", 1)
        sql(
            f"INSERT INTO usage ({columns}) SELECT {copied} FROM usage"
            " WHERE reverses = 'of-yesterday'"
        )
    assert "I15" in broken(file_url)


def _columns(sql: Sql) -> list[tuple[str]]:
    from budget.storage.unit import USAGE_COLUMNS

    return [(name,) for name in USAGE_COLUMNS]


def test_a_reversal_of_nothing_breaks_i15(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE usage SET reverses = 'nothing' WHERE reverses = 'of-yesterday'")
        sql("UPDATE entries SET usage_id = 'nothing' WHERE usage_id = 'of-yesterday'"
            " AND kind = 'corrected'")  # fmt: skip
    assert broken(file_url) == {"I15"}


# --- I19: a cost is the tokens at their rates


@pytest.mark.parametrize(
    "rates",
    [
        '{"i":1000000001,"o":2000000000}',
        '{"i":1000000000,"o":2000000000,"q":1}',
        '{"i":[[0,1000000000],[1,1000000001]],"o":2000000000}',
    ],
)
def test_a_cost_that_is_not_the_tokens_at_their_rates_breaks_i19(file_url: str, rates: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE usage SET rates = :rates WHERE id = 'last-use'", rates=rates)
    (violation,) = verified(file_url).violations
    assert violation.invariant == "I19"
    assert violation.subject == "last-use"


def test_a_cost_without_rates_breaks_i19(file_url: str) -> None:
    with tampered(file_url) as sql:
        sql("UPDATE usage SET rates = NULL WHERE id = 'last-use'")
    assert broken(file_url) == {"I19"}


# --- Rollups


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rollups SET cost_nanos = cost_nanos + 1 WHERE grain = 'hour'",
        "UPDATE rollups SET requests = requests + 1 WHERE grain = 'day'",
        "UPDATE rollups SET start_us = start_us + 864000000000 WHERE grain = 'day'",
        "DELETE FROM rollups WHERE grain = 'day'",
        "DELETE FROM rollups WHERE grain = 'hour'",
        "UPDATE series SET team = 'another' WHERE team = 'a'",
        "DELETE FROM series WHERE team = 'a'",
    ],
)
def test_rollups_that_are_not_the_sum_of_usage_are_told(file_url: str, change: str) -> None:
    with tampered(file_url) as sql:
        sql(change)
    assert broken(file_url) == {"rollups"}


# --- Many


def test_a_thousand_violations_are_told_and_all_are_counted(file_url: str) -> None:
    with tampered(file_url) as sql:
        for number in range(1100):
            sql(
                "INSERT INTO entries (id, at_us, kind, actor, allocation_id, legs, detail)"
                " SELECT max(id) + 1, 0, 'released', 'forger', :id, '[]', '{}' FROM entries",
                id=f"forged-{number}",
            )
    answer = verified(file_url)
    assert len(answer.violations) == findings.MAX_VIOLATIONS
    assert answer.count == 1100
    assert not answer.clean
