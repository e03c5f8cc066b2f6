"""`budget neighbours`: with whom Budget is in touch, and how that goes.

Not here: what is said to each (`budget.neighbours`).
"""

from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli import exits
from budget.cli.face import Face
from budget.cli.tables import Column, Row, one_line, show
from budget.domain.errors import InvalidInput

if TYPE_CHECKING:
    from budget.domain.shapes_neighbours import NeighbourShape

MOST_SAID: Final = 60
"""So many characters of what a neighbour said are in the table."""
_COLUMNS: Final = (
    Column("Neighbour"),
    Column("State"),
    Column("Last contact"),
    Column("Address", rank=2, folds=True),
    Column("What", folds=True, rank=1),
)


def neighbours(name: str | None = None, /, *, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Show with whom Budget is in touch: the state of each, when it last answered, its last error.

    Of the service where one runs; else all are off, for only a service speaks with them.

    Parameters
    ----------
    name:
        Show only this one, with all that is known of it.
    """
    found = sorted(read_neighbours(face), key=lambda one: one["name"])
    if name is not None:
        return _show_one(face, _named(found, name))
    if face.json:
        face.print_json({"items": found})
        return exits.OK
    show(face, _COLUMNS, [Row(_words(one)) for one in found])
    return exits.OK


def read_neighbours(face: Face) -> "list[NeighbourShape]":
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


def _named(found: "list[NeighbourShape]", name: str) -> "NeighbourShape":
    for one in found:
        if one["name"] == name.strip().lower():
            return one
    known = [one["name"] for one in found]
    raise InvalidInput("NAME", f"{name[:80]!r} is no neighbour that is known.", known)


def _show_one(face: Face, one: "NeighbourShape") -> int:
    """A neighbour in full, a fact a line."""
    if face.json:
        face.print_json(one)
        return exits.OK
    error = " ".join(filter(None, (_moment(one["last_error_at"]), one["last_error"])))
    lines = {
        "State": one["state"],
        "Address": one["address"] or "none: it comes to us, or is off",
        "Last contact": _moment(one["last_contact_at"]) or "never",
        "Last error": error or "none",
        "Setting": one["setting"],
        **{_spelt(fact).capitalize(): told for fact, told in one["facts"].items()},
    }
    width = max(map(len, lines))
    face.print(f"{one['name']}: {one_line(one['about'])}")
    for title, text in lines.items():
        face.print(f"  {one_line(title):<{width}}  {one_line(text)}")
    return exits.OK


def _words(one: "NeighbourShape") -> tuple[str, ...]:
    return (
        one["name"],
        one["state"],
        _moment(one["last_contact_at"]) or "never",
        one["address"] or "-",
        _cut(_what(one)),
    )


def _what(one: "NeighbourShape") -> str:
    """What there is to say of a neighbour: how to turn it on, what went wrong, or its facts."""
    if one["state"] == "off":
        return f"set {one['setting']}"
    if one["state"] != "working" and one["last_error"]:
        return one["last_error"]
    return ", ".join(f"{_spelt(fact)}: {told}" for fact, told in one["facts"].items())


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SAID else f"{text[: MOST_SAID - 1].rstrip()}…"


def _spelt(fact: str) -> str:
    return fact.replace("_", " ")


def _moment(at: str | None) -> str:
    """An instant to the second: 2026-11-26T15:57:06Z."""
    return "" if at is None else f"{at[:19]}Z"
