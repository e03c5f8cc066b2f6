"""The third migration: a ledger of before it keeps its rows, and starts to learn from there."""

from contextlib import closing

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, select, text

from budget.storage import migrations, schema
from budget.storage.database import open_database
from budget.storage.unit import ALLOCATION_COLUMNS, Changes
from tests.support import rows
from tests.support.databases import Databases
from tests.support.units import migrate

BOUND = ALLOCATION_COLUMNS.index("bound_tokens")
BEFORE = ALLOCATION_COLUMNS[:BOUND]


def made_by_the_second(url: str) -> None:
    """A ledger as the second revision left it, with one settled allocation."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "budget.storage:migrations")
        command.upgrade(config, "0002")
        old = dict(zip(ALLOCATION_COLUMNS, rows.allocation("old", status="settled"), strict=True))
        names = ", ".join(f'"{name}"' for name in BEFORE)
        marks = ", ".join(f":{name}" for name in BEFORE)
        connection.execute(
            text(f"INSERT INTO allocations ({names}) VALUES ({marks})"),
            {name: old[name] for name in BEFORE},
        )
    engine.dispose()


def test_a_ledger_of_the_second_revision_keeps_its_rows_and_has_nothing_to_teach(
    databases: Databases,
) -> None:
    url = databases.new()
    made_by_the_second(url)
    migrate(url)
    with closing(open_database(url)) as database, database.engine.connect() as connection:
        found = connection.execute(select(schema.allocations)).mappings().one()
        assert (found["id"], found["status"], found["tokens_held"]) == ("old", "settled", 100)
        assert (found["bound_tokens"], found["bound_family"]) == (None, None)
        assert connection.execute(select(schema.calibration_state)).all() == [(1, 0, "")]
        assert connection.execute(select(schema.calibrations)).all() == []
        revision = connection.execute(text(migrations.REVISION)).scalar_one()
        assert revision == migrations.REVISIONS[-1]


def test_an_allocation_keeps_its_bound_and_family_through_the_writer(databases: Databases) -> None:
    with (
        closing(open_database(databases.new(migrate))) as database,
        closing(database.unit()) as unit,
    ):
        unit.begin()
        placed = rows.allocation("a", bound_tokens=1200, bound_family="claude")
        unit.write(Changes(placed=[placed]))
        unit.commit()
        unit.begin()
        (found,) = unit.allocations(["a"], [])
        assert found[BOUND : BOUND + 2] == (1200, "claude")
        unit.write(Changes(moved=[rows.moved("a")]))
        unit.commit()
        unit.begin()
        (found,) = unit.allocations(["a"], [])
        assert found[1] == "settled"
        assert found[BOUND : BOUND + 2] == (1200, "claude")


def test_there_is_an_index_of_what_can_teach(databases: Databases) -> None:
    with (
        closing(open_database(databases.new(migrate))) as database,
        database.engine.connect() as connection,
    ):
        names = connection.execute(
            text(
                "SELECT name FROM sqlite_master"
                if database.dialect == "sqlite"
                else "SELECT indexname FROM pg_indexes"
            )
        ).scalars()
        assert "ix_allocations_taught" in set(names)
