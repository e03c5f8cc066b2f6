"""`budget restore`: a copy of the books put in force, in a new epoch; the old file is kept.

Not here: how that is done (`engine.copying`), and making a copy (`backup`).
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.backup import books_of, told
from budget.cli.face import Face
from budget.cli.tables import counted
from budget.domain.errors import Conflict, InvalidInput
from budget.engine.key_file import books_name
from budget.engine.places import service_of


def restore(
    file: str,
    /,
    *,
    to: str | None = None,
    yes: bool = False,
    face: Annotated[Face, Parameter(parse=False)],
) -> int:
    """Check a copy of the books and put it in force; the file that was in force is kept.

    Parameters
    ----------
    file:
        The copy that `budget backup` made.
    to:
        Where to, as sqlite:///file.db or postgresql://…; the books that --target means unless
        given.
    yes:
        Put it in force even where the present books have entries that the copy has not.
    """
    target = books_of(replace(face, target=to) if to else face, "restored")
    if isinstance(target, Path):
        _check_file(target)
        name, url = str(target), f"sqlite:///{target}"
    else:
        name, url = "The database", books_name(target)
    from budget.engine import copying

    copy = Path(file).absolute()
    with face.counting("Restoring") as tell:
        if isinstance(target, Path):
            done = copying.restore(copy, target, discard=yes, progress=tell)
        else:
            done = copying.restore_to_server(copy, target, discard=yes, progress=tell)
    if face.json:
        face.print_json({
            "target": url, "epoch": done.epoch,
            "kept": None if done.kept is None else str(done.kept),
            "discarded_entries": done.discarded_entries,
            "open_allocations": done.open_allocations, "copy": told(done.manifest),
        })  # fmt: skip
        return exits.OK
    face.print(
        f"{name} is in force as of the copy: {counted(done.manifest.entries, 'entry', 'entries')}"
        f"; epoch {done.epoch} begins."
    )
    if done.kept is not None:
        face.print(
            f"What was there lies in {done.kept.name}; "
            f"{counted(done.discarded_entries, 'entry', 'entries')} of it "
            f"{'is' if done.discarded_entries == 1 else 'are'} not in force any more."
        )
    if done.open_allocations:
        face.note(
            f"{counted(done.open_allocations, 'allocation')} of the copy still open: those whose "
            "time is up expire at once, by the rules of their limits."
        )
    return exits.OK


def _check_file(target: Path) -> None:
    """Conflict where a service has the file open; InvalidInput where no file can be."""
    service = service_of(f"sqlite:///{target}")
    if service is not None:
        raise Conflict(f"The service at {service} has {target} open; stop it first.", code="in_use")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            "--to", f"there can be no folder {target.parent}: {error.strerror}."
        ) from None
