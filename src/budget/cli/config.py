"""`budget config get`, `set`: what the commands of this user go by, and where that is said.

Not here: what a service is started with and what can be set while it runs (`docs/reference`).
"""

import os
from dataclasses import replace
from typing import Annotated, Any, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.face import Face
from budget.cli.tables import Column, Row, show
from budget.domain.errors import InvalidInput
from budget.engine import config_file
from budget.engine.key_file import books_name
from budget.engine.places import everywhere
from budget.engine.settings import Settings

_COLUMNS: Final = (Column("Name"), Column("Value", folds=True), Column("From", folds=True))


def get(name: str | None = None, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show what is set, and where: by an option, a variable, the config file, or nobody.

    Parameters
    ----------
    name:
        Show the value of this alone: target or timezone.
    """
    settings = Settings.read(target=face.target)
    if name is not None:
        _known(name)
        value, _ = _said(settings, face, name)
        if face.json:
            face.print_json({"name": name, "value": value})
        else:
            face.print(value)
        return exits.OK
    path = config_file.path_of(settings.config_dir)
    told = [
        {"name": one, "value": value, "from": place}
        for one in config_file.FIELDS
        for value, place in [_said(settings, face, one)]
    ]
    if face.json:
        face.print_json({"file": str(path), "exists": path.exists(), "settings": told})
        return exits.OK
    show(face, _COLUMNS, [Row((one["name"], one["value"], one["from"])) for one in told])
    if not path.exists():
        face.note(f"There is no config file at {path}. `budget init` writes one.")
    return exits.OK


def set_value(name: str, value: str, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Set something in the config file.

    Parameters
    ----------
    name:
        What: target or timezone.
    value:
        What it is to be; "" leaves it out of the file again.
    """
    _known(name)
    folder = Settings.read(target=face.target).config_dir
    before = config_file.read(folder)
    new = config_file.checked(name, value) if value else None
    if name == "target" and new is not None:
        new = everywhere(new)
    changed: dict[str, Any] = {name: new}
    path = config_file.write(folder, replace(before, **changed))
    was = getattr(before, name)
    if face.json:
        face.print_json({"file": str(path), "name": name, "value": new, "before": was})
        return exits.OK
    instead = f", instead of {_shown(name, was)}" if was not in (None, new) else ""
    told = "is not set any more" if new is None else f"is {_shown(name, new)}"
    face.print(f"{name} {told}{instead}; in {path}")
    if variable := os.environ.get(f"BUDGET_{name.upper()}"):
        face.note(f"BUDGET_{name.upper()} wins over it: {_shown(name, variable)}.")
    return exits.OK


def _known(name: str) -> None:
    if name not in config_file.FIELDS:
        raise InvalidInput("NAME", f"{name[:80]!r} cannot be set here.", config_file.FIELDS)


def _said(settings: Settings, face: Face, name: str) -> tuple[str, str]:
    """What is set, and where; of a database's URL no password."""
    variable = f"BUDGET_{name.upper()}"
    kept = getattr(config_file.read(settings.config_dir), name)
    if name == "target" and face.target:
        place = "--target"
    elif os.environ.get(variable):
        place = variable
    else:
        path = config_file.path_of(settings.config_dir)
        place = "nobody: the default" if kept is None else str(path)
    return _shown(name, str(getattr(settings, name))), place


def _shown(name: str, value: str) -> str:
    is_database = name == "target" and not value.startswith("http")
    return books_name(value) if is_database else value
