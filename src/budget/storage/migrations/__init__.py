"""How the tables came to be: Alembic's revisions, applied when a database is opened.

Whether there is anything to do is known without Alembic, which is imported only then. A new SQLite
file does without it too: `new_file.sql` has what the revisions make of it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from budget.domain.errors import Conflict

if TYPE_CHECKING:
    from sqlalchemy import Connection

REVISIONS: Final = (
    "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009",
)  # fmt: skip
"""Oldest first, as in `versions`."""

VERSION_TABLE: Final = "budget_revision"
REVISION: Final = "SELECT version_num FROM budget_revision"


def is_latest(rows: Iterable[Sequence[Any]]) -> bool:
    """Whether the rows of the version table name the latest revision.

    Conflict if they name one that is not known here.
    """
    names = [str(row[0]) for row in rows]
    for name in names:
        if name not in REVISIONS:
            raise Conflict(
                f"The database was written by a newer Budget (revision {name}); update this one.",
                code="database_newer",
            )
    return names == [REVISIONS[-1]]


def new_sqlite_file() -> str:
    """The statements that make a new SQLite file one of the latest revision."""
    return Path(__file__).with_name("new_file.sql").read_text("utf-8")


def upgrade(connection: "Connection") -> None:
    """Bring the tables up to date, within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "budget.storage:migrations")
    command.upgrade(config, "head")
