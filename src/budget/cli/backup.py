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
from budget.engine.places import ADDRESSES, check_target, database_file
from budget.engine.settings import Settings


def backup(file: str | None = None, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Copy the books as they are at this moment, while they are in use, and check the copy.

    Parameters
    ----------
    file:
        The file to write; unless given, budget-<time>.db in this folder. Nothing is overwritten.
    """
    ledger = books_of(face, "copied")
    if isinstance(ledger, Path) and not ledger.exists():
        raise NoLedger(ledger)
    copy = Path(file or f"budget-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.db").absolute()
    check_free(copy)
    from budget.engine.copying import backup as make_copy
    from budget.engine.manifests import manifest_file

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


def books_of(face: Face, done: str) -> Path | str:
    """The SQLite file that is meant, or the URL of the PostgreSQL database; no service."""
    target = Settings.read(target=face.target).target
    check_target(target)
    if target.startswith(ADDRESSES):
        raise InvalidInput(
            "--target",
            f"books are {done} where they are: name the database of the service, as "
            "sqlite:///file.db or postgresql://….",
        )
    ledger = database_file(target)
    return target if ledger is None else ledger.absolute()
