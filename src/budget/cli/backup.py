"""`budget backup`: a copy of the books, made while they are in use, checked, with its manifest.

Not here: how a copy is made (`engine.copying`), and putting it in force (`restore`).
"""

import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.books import NoLedger
from budget.cli.face import Face
from budget.cli.tables import counted
from budget.domain.errors import InvalidInput
from budget.engine.places import check_target, database_file
from budget.engine.settings import Settings


def backup(file: str | None = None, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Copy the books as they are at this moment, while they are in use, and check the copy.

    Parameters
    ----------
    file:
        The file to write; unless given, budget-<time>.db in this folder. Nothing is overwritten.
    """
    ledger = sqlite_ledger(face, "copied")
    if not ledger.exists():
        raise NoLedger(ledger)
    copy = Path(file or f"budget-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.db").absolute()
    check_free(copy)
    from budget.engine.copying import backup as make_copy
    from budget.engine.copying import manifest_file

    with face.counting("Copying") as tell:
        manifest = make_copy(ledger, copy, progress=tell)
    if face.json:
        face.print_json({"file": str(copy), **told(manifest)})
    else:
        face.print(
            f"Copied {counted(manifest.entries, 'entry', 'entries')}, "
            f"{counted(manifest.usage_records, 'usage record')} and "
            f"{counted(manifest.allocations, 'allocation')} to {copy}; the books of the copy "
            "add up."
        )
        face.note(f"What it holds is written in {manifest_file(copy).name} beside it.")
    return exits.OK


def told(manifest: Any) -> dict[str, Any]:
    """A manifest in JSON."""
    from budget.domain.cursors import encode
    from budget.domain.windows import to_rfc3339

    values = dict(manifest._asdict())
    values["created_at"] = to_rfc3339(values.pop("created_us"))
    values["last_entry"] = encode(values["last_entry"])
    return values


def check_free(copy: Path) -> None:
    """InvalidInput unless a file can be made at this place."""
    try:
        if "\0" in str(copy):
            raise ValueError("it has a NUL")
        if copy.exists():
            raise InvalidInput("FILE", f"{copy} is there already; name another.")
        if not copy.parent.is_dir():
            raise InvalidInput("FILE", f"there is no folder {copy.parent}.")
    except (OSError, ValueError) as error:
        raise InvalidInput("FILE", f"is not the name of a file: {error}.") from None


def sqlite_ledger(face: Face, done: str) -> Path:
    """The SQLite file that is meant; InvalidInput for a service or for PostgreSQL."""
    target = Settings.read(target=face.target).target
    check_target(target)
    ledger = database_file(target)
    if ledger is None:
        way = (
            "pg_dump and pg_restore do this, and a restored dump begins a new epoch."
            if target.startswith("postgres")
            else "run this on the machine that has the database, with --target sqlite:///file.db."
        )
        raise InvalidInput("--target", f"only SQLite files are {done} here: {way}")
    return ledger.absolute()
