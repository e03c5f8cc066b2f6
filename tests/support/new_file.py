"""What the migrations make of a new SQLite file, as statements.

    python -m tests.support.new_file

writes it where the program reads it: after each new revision.
"""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from budget.storage import migrations

HEAD = """\
-- A new SQLite file, as the revisions make it: `python -m tests.support.new_file` writes this.
"""


def statements() -> str:
    """The tables, indexes and triggers in the order they were made, and the rows in them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "new.db"
        engine = create_engine(f"sqlite:///{file}")
        with engine.begin() as connection:
            migrations.upgrade(connection)
        engine.dispose()
        with closing(sqlite3.connect(file)) as connection:
            made = connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
            ).fetchall()
            rows = [line for line in connection.iterdump() if line.startswith("INSERT INTO")]
    lines = [HEAD, *(f"{sql};\n" for (sql,) in made), *(f"{row}\n" for row in rows)]
    return "".join(lines)


if __name__ == "__main__":
    Path(migrations.__file__).with_name("new_file.sql").write_text(statements(), "utf-8")
