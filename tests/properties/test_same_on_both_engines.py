"""The same history on SQLite and on PostgreSQL: the same answers, the same balances."""

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budget.engine.budget import Budget
from tests.properties import steps
from tests.properties.sides import Clock, EngineSide, ModelSide, comparable, read_rows
from tests.support.databases import PostgresDatabases, SqliteDatabases

HISTORIES = st.lists(
    st.one_of(
        steps.places(), steps.places(), steps.records, steps.releases, steps.extends,
        steps.reports, steps.corrects, st.just(steps.Sweep()), steps.set_limits, steps.top_ups,
        steps.advances, steps.agains,
    ),
    min_size=10,
    max_size=40,
)  # fmt: skip


def migrate(url: str) -> None:
    Budget.open(url, sweep=False).close()


def test_both_engines_keep_the_same_books(
    sqlite_databases: SqliteDatabases, postgres_databases: PostgresDatabases, long_run: bool
) -> None:
    played = 0

    @settings(
        max_examples=300 if long_run else 10,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(steps.STARTS_US), steps.catalogues, HISTORIES)
    def play(start_us: int, catalogue: list[steps.NewBudget], history: list[steps.Step]) -> None:
        nonlocal played
        played += 1
        model = ModelSide(Clock(start_us))
        sides = [
            EngineSide(databases.new(migrate), Clock(start_us))
            for databases in (sqlite_databases, postgres_databases)
        ]
        try:
            _play(model, sides, catalogue, history)
        finally:
            for side in sides:
                side.close()

    play()
    print(f"histories played on both engines: {played}")  # noqa: T201


def _play(
    model: ModelSide,
    sides: list[EngineSide],
    catalogue: list[steps.NewBudget],
    history: list[steps.Step],
) -> None:
    lite, postgres = sides
    for new in catalogue:
        model.create(new)
        for side in sides:
            side.create(new)
    script = steps.Script()
    for step in history:
        command = script.command(
            step,
            model.clock(),
            allocations=len(model.allocations),
            envelopes=model.envelopes,
            records=len(model.records),
            policies=len(model.policies),
        )
        if command is None:
            continue
        model.do(command)  # names what later steps speak of
        told = lite.do(command)
        assert postgres.do(command) == told, f"{command}: SQLite {told}"
    with psycopg.connect(postgres.url) as connection:
        kept = read_rows(lambda sql: connection.execute(sql.encode()).fetchall(), postgres)
    assert comparable(kept, model) == comparable(lite.rows(), model)
    for side in sides:
        assert side.budget.verify().violations == ()
