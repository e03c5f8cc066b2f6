"""`budget doctor`, `budget db check`: whether all is well, and what to do where it is not.

Not here: the checks themselves (`checks`), and whether the books add up (`verify`).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from budget.cli import checks, checks_gateway, checks_neighbours, exits
from budget.cli.books import NoLedger, open_budget
from budget.cli.checks import Finding
from budget.cli.face import Face
from budget.cli.gateway import upstreams_of
from budget.domain.errors import BudgetError, InvalidInput
from budget.engine.key_file import books_name
from budget.engine.places import Place, database_file, find_place
from budget.engine.settings import Settings

if TYPE_CHECKING:
    from budget.domain.facade import Facade

_MARKS: Final = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_NAME_CELLS: Final = 13


def doctor(*, confirm_clock: bool = False, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Check the installation and say what to do: ends with 1 if something is broken.

    Parameters
    ----------
    confirm_clock:
        First trust the service's clock as it is now, so that its holds expire again after a jump.
    """
    return _tell(face, _everything(face, confirm_clock))


def check_database(*, face: Annotated[Face, Parameter(parse=False)]) -> int:
    """Check the database: reachable, up to date, writable, safe, and that its pages hang together.

    A service is asked for what it knows of its own. Ends with 1 if something is broken.
    """
    return _tell(face, _of_database(face, find_place(Settings.read(target=face.target))))


def _everything(face: Face, confirm_clock: bool) -> Iterator[Finding]:
    """Each finding as it comes. What another one needs is looked at first."""
    try:
        settings = Settings.read(target=face.target)
        place = find_place(settings)
    except BudgetError as error:
        yield Finding("configuration", "fail", error.detail, "Mend that first.")
        return
    yield from checks.configuration(settings)
    yield from checks_neighbours.settings()
    yield Finding("target", "ok", _where(place))
    if confirm_clock:
        yield _confirmed(face, place)
    broken = False
    for finding in _of_database(face, place, pages=False):
        broken = broken or finding.state == "fail"
        yield finding
    if broken:
        return
    yield from _of_gateway(face)
    yield from checks_neighbours.neighbours(place)
    try:
        with open_budget(face, priced=True) as books:
            yield from _of_books(books, settings, place)
    except BudgetError as error:
        yield Finding("access", "fail", error.detail)


def _confirmed(face: Face, place: Place) -> Finding:
    """Confirm the clock of the service; books that none has open are left alone."""
    name = "clock"
    if place.url is None:
        words = "nothing to confirm: expiry pauses in a running service alone, and none is asked"
        return Finding(name, "ok", words, "Name the service with --target http://…, if one runs.")
    try:
        with open_budget(face) as books:
            told = books.confirm_clock()
    except BudgetError as error:
        return Finding(name, "fail", error.detail, "It is not confirmed.")
    if told.was_paused:
        return Finding(name, "ok", "confirmed: holds expire again")
    return Finding(name, "ok", "confirmed; it had not jumped, so holds expired all along")


def _of_books(books: "Facade", settings: Settings, place: Place) -> Iterator[Finding]:
    yield from checks.clock(books, settings.timezone)
    yield from checks.prices(books)
    yield checks.holds(books, served=place.url is not None)


def _of_gateway(face: Face) -> Iterator[Finding]:
    try:
        found = upstreams_of(face)
    except InvalidInput as error:
        yield Finding("gateway", "fail", error.detail, "Mend that: the service does not start so.")
        return
    except BudgetError:
        return  # the service has none, or our key may not ask, which comes below
    yield from checks_gateway.upstreams(found)


def _of_database(face: Face, place: Place, *, pages: bool = True) -> Iterator[Finding]:
    if place.url is not None:
        yield from checks.service(place)
        return
    try:
        from budget.engine.budget import Budget

        with open_budget(face) as books:
            assert isinstance(books, Budget)  # no service has it, so it is opened here
            opened = books.books.database
            yield from checks.database(opened, place.target)
            if pages and database_file(place.target) is not None:
                yield checks.intact(opened)
    except NoLedger as error:
        yield Finding("database", "fail", error.detail)
    except BudgetError as error:
        yield Finding("database", "fail", error.detail)


def _where(place: Place) -> str:
    if place.url is None:
        return books_name(place.target)
    if place.target.startswith("http"):
        return place.url
    return f"{books_name(place.target)}, which the service at {place.url} has open"


def _tell(face: Face, findings: Iterator[Finding]) -> int:
    told = []
    for finding in findings:
        told.append(finding)
        if not face.json:
            _print(face, finding)
    failed = sum(finding.state == "fail" for finding in told)
    warned = sum(finding.state == "warn" for finding in told)
    if face.json:
        face.print_json(
            {"ok": not failed, "checks": [
                {"name": one.name, "state": one.state, "told": one.told,
                 "advice": one.advice or None}
                for one in told
            ]}
        )  # fmt: skip
    elif failed or warned:
        face.print(f"{failed} broken, {warned} to look at.")
    else:
        face.print("All is well.")
    return exits.FAILED if failed else exits.OK


def _print(face: Face, finding: Finding) -> None:
    lines = [f"{_MARKS[finding.state]}  {finding.name:<{_NAME_CELLS}}  {finding.told}"]
    if finding.advice:
        lines.append(f"{'':<{_NAME_CELLS + 8}}{finding.advice}")
    if not face.pretty:
        for line in lines:
            face.print(line)
        return
    from rich.text import Text

    console = face.console()
    shown = Text(lines[0])
    shown.stylize(_STYLES[finding.state], 0, len(_MARKS[finding.state]))
    console.print(shown, soft_wrap=True)
    for line in lines[1:]:
        console.print(Text(line, style="dim"), soft_wrap=True)
