"""Books in which everything has happened, and the means to tamper with them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import create_engine, text

from budget.domain.answers import Refusal
from tests.engine.conftest import migrate
from tests.engine.opened import DAY, HOUR, Clock, allocated, open_books, us

Sql = Callable[..., list[Any]]

_GUARDED: Final = ("entries", "usage", "blocks")
"""The tables that triggers guard."""


def fill(url: str) -> None:
    """Books of three days, of every kind of act, with holds still open and one assumed."""
    migrate(url)
    clock = Clock(us("2026-05-14 22:30"))
    with open_books(url, clock) as books:
        firm = books.create_budget(
            name="Firm",
            policies=[
                {"unit": "usd", "period": "daily", "limit": "100", "rollover": "unused"},
                {"unit": "tokens", "period": "rolling:1h", "limit": 100_000},
            ],
        )
        daily = firm.policies[0].policy_id
        books.create_budget(
            name="Teams",
            per=["team"],
            policies=[
                {"unit": "usd", "period": "hourly", "limit": "30"},
                {"unit": "requests", "period": "minute", "limit": 9, "enforcement": "warn"},
            ],
        )
        a: dict[str, Any] = {"attributes": {"team": "a", "tag.x": "1"}}
        b: dict[str, Any] = {"attributes": {"team": "b"}}
        call: dict[str, Any] = {"model": "m", "input_tokens": 1000, "max_output_tokens": 500}

        # Settled in its own window; settled two windows later; settled beyond its hold.
        allocated(books, allocation_id="plain", **call, **a)
        books.settle("plain", usage_id="plain-use", input_tokens=900, output_tokens=100)
        allocated(books, allocation_id="crossing", ttl_seconds=86_400, **call, **b)
        allocated(books, allocation_id="long", ttl_seconds=86_400, **call, **a)
        clock.move(2 * HOUR)
        books.record("crossing", input_tokens=500, output_tokens=100)
        books.settle("crossing", input_tokens=2000, output_tokens=900)
        allocated(books, allocation_id="second-day", **call, **a)
        books.extend("long", usd="1.5")
        books.record("long", input_tokens=1000, output_tokens=600)

        # Released; expired and assumed; expired and used late; released and used late.
        allocated(books, allocation_id="released", **call, **a)
        books.release("released", reason="not needed")
        for name in ("assumed", "late", "freed"):
            allocated(books, allocation_id=name, ttl_seconds=1, **call, **a)
        clock.move(2_000_000)
        books.sweep()
        books.settle("late", input_tokens=1100, output_tokens=1)
        books.release("freed")
        books.settle("freed", input_tokens=10, output_tokens=1)

        # An envelope with a call settled beyond what it held, one open, and one released.
        allocated(books, allocation_id="run", envelope=True, usd="9", ttl_seconds=86_400, **a)
        for name in ("run-1", "run-2", "run-3"):
            allocated(books, allocation_id=name, parent_id="run", ttl_seconds=86_400, **call, **a)
        books.settle("run-1", input_tokens=1500, output_tokens=600)
        books.release("run-3")

        # Usage that nobody reserved, of now and of yesterday; without a price; corrected twice.
        books.record_usage(usage_id="loose", model="m", input_tokens=70, output_tokens=7, **b)
        books.record_usage(
            usage_id="of-yesterday", model="m", input_tokens=50, occurred_at="2026-05-14T23:59:00Z",
            **b,
        )  # fmt: skip
        books.create_budget(
            name="Free", scope={"team": "c"}, unpriced="allow",
            policies=[{"unit": "usd", "period": "total", "limit": "1", "enforcement": "warn"}],
        )  # fmt: skip
        books.record_usage(model="unknown", input_tokens=5, attributes={"team": "c"})
        corrected = books.correct("loose", reason="miscounted", replacement={"input_tokens": 90})
        assert corrected.replacement_id is not None
        books.correct(corrected.replacement_id, reason="still", replacement={"output_tokens": 0})
        books.correct("of-yesterday", reason="never happened")

        # The limit raised, lowered and topped up; a refusal; a policy that counts the past in.
        books.change_policy(daily, limit="140")
        books.top_up(daily, amount="20", reason="release day")
        allocated(books, allocation_id="topped", ttl_seconds=86_400, usd="25", tokens=1, **b)
        assert isinstance(books.allocate(usd="500", tokens=1), Refusal)
        books.create_policy(
            firm.budget_id, unit="output_tokens", period="daily", limit=9000, backfill=True
        )
        clock.move(DAY)
        books.change_policy(daily, limit="120")
        allocated(books, allocation_id="third-day", ttl_seconds=86_400, **call, **a)
        allocated(books, allocation_id="last", ttl_seconds=86_400, **call, **a)
        books.settle("last", usage_id="last-use", input_tokens=1, output_tokens=1)


@contextmanager
def tampered(url: str) -> Iterator[Sql]:
    """Change anything: triggers and checks are out of the way meanwhile, and back afterwards."""
    on_sqlite = url.startswith("sqlite")
    engine = create_engine(url if on_sqlite else url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:

        def sql(statement: str, **parameters: Any) -> list[Any]:
            found = connection.execute(text(statement), parameters)
            return list(found) if found.returns_rows else []

        put_back = _unguard_sqlite(sql) if on_sqlite else _unguard_postgres(sql)
        yield sql
        for statement in put_back:
            sql(statement)
        connection.commit()
    engine.dispose()


def _unguard_sqlite(sql: Sql) -> list[str]:
    sql("PRAGMA ignore_check_constraints = ON")
    triggers = sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    for name, _ in triggers:
        sql(f"DROP TRIGGER {name}")
    return [made for _, made in triggers]


def _unguard_postgres(sql: Sql) -> list[str]:
    for (name,) in sql("SELECT conname FROM pg_constraint WHERE conrelid = 'heads'::regclass"
                       " AND contype = 'c'"):  # fmt: skip
        sql(f"ALTER TABLE heads DROP CONSTRAINT {name}")
    sql("ALTER TABLE windows DROP CONSTRAINT IF EXISTS ck_windows_order")
    for table in _GUARDED:
        sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    return [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in _GUARDED]
