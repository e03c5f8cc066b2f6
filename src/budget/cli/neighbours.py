"""`budget neighbours`: with whom Budget is in touch, and how that goes.

Not here: what is said to each (`budget.neighbours`).
"""

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.face import Face
from budget.cli.tables import Column, Row, show

if TYPE_CHECKING:
    from budget.domain.shapes_neighbours import NeighbourShape

_COLUMNS: Final = (
    Column("Neighbour"),
    Column("State"),
    Column("Last contact"),
    Column("Address", rank=2, folds=True),
    Column("Last error", optional=True, folds=True, rank=1),
    Column("Notes", optional=True, folds=True, rank=3),
)


def neighbours(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show with whom Budget is in touch: the state of each, when it last answered, its last error.

    Of the service where one runs; else all are off, for only a service speaks with them.
    """
    found = _found(face)
    if face.json:
        face.print_json({"items": found})
        return exits.OK
    show(face, _COLUMNS, [Row(_words(one)) for one in found])
    return exits.OK


def _found(face: Face) -> "list[NeighbourShape]":
    """Those of the service that was meant, else all that there are, off."""
    from budget.engine.places import find_place
    from budget.engine.settings import Settings

    place = find_place(Settings.read(target=face.target))
    if place.url is None:
        from budget.neighbours.company import listed

        face.note("No service runs here; only `budget serve` speaks with neighbours.")
        return listed(None)
    from budget.cli.remote import Service

    with Service(place.url, place.key) as service:
        items: list[NeighbourShape] = service.call("GET", "/neighbours")["items"]
    return items


def _words(one: "NeighbourShape") -> tuple[str, ...]:
    notes = ", ".join(f"{name.replace('_', ' ')}: {fact}" for name, fact in one["facts"].items())
    if one["state"] == "off":
        notes = f"set {one['setting']}"
    return (
        one["name"],
        one["state"],
        _moment(one["last_contact_at"]) or "never",
        one["address"] or "-",
        " ".join(filter(None, (_moment(one["last_error_at"]), one["last_error"]))),
        notes,
    )


def _moment(at: str | None) -> str:
    """An instant to the second: 2026-11-26T15:57:06Z."""
    return "" if at is None else f"{at[:19]}Z"
