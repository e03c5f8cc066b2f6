"""Tables: rows for people on a terminal, the same rows as plain aligned text in a pipe.

Amounts are text by now; their decimal points stand under each other. Not here: what the rows mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from budget.cli.face import Face

Kind = Literal["text", "amount"]

BAR_CELLS: Final = 10
_GAP: Final = 3
_STYLES: Final = {"warn": "yellow", "over": "bold red"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and whether its cells are amounts.

    On a terminal, an `optional` one is left out when its cells say nothing (empty, or all zero),
    and where the line is too short those of the highest `rank` go first. A `pretty` one is for
    terminals alone.
    """

    title: str
    kind: Kind = "text"
    optional: bool = False
    rank: int = 0
    pretty: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and what is the matter with it: nothing, `warn` or `over`."""

    cells: tuple[str, ...]
    mood: str = ""


def show(face: Face, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table, as fits who reads it."""
    if not face.pretty:
        _show_plain(face, columns, rows)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = face.console()
    titles, lines = _laid_out(columns, rows, _grouped)
    said = [place for place, column in enumerate(columns) if _says_something(column, place, rows)]
    kept = _fitting(columns, [len(title) for title in titles], said, console.width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for place in kept:
        table.add_column(titles[place], no_wrap=True)
    for row, cells in zip(rows, lines, strict=True):
        table.add_row(*(Text(cells[place]) for place in kept), style=_STYLES.get(row.mood, ""))
    console.print(table)
    left_out = [
        columns[place].title for place in said if place not in kept and columns[place].title
    ]
    if left_out:
        face.note(f"Too narrow for: {', '.join(left_out)}.")


def _fitting(
    columns: Sequence[Column], widths: Sequence[int], places: Sequence[int], room: int
) -> list[int]:
    """The columns that fit beside each other, the least important ones left out."""
    kept = list(places)
    while sum(widths[place] + _GAP for place in kept) > room:
        last = max(kept, key=lambda place: columns[place].rank)
        if not columns[last].rank:
            break
        kept.remove(last)
    return kept


def _show_plain(face: Face, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    titles, lines = _laid_out(columns, rows, str)
    for cells in (titles, *lines):
        shown = [cell for cell, column in zip(cells, columns, strict=True) if not column.pretty]
        face.print("  ".join(shown).rstrip())


def _says_something(column: Column, place: int, rows: Sequence[Row]) -> bool:
    return not column.optional or any(row.cells[place].strip("0.") for row in rows)


def _laid_out(
    columns: Sequence[Column], rows: Sequence[Row], spell: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    """Titles and cells, padded to the width of their columns, points of amounts in one line."""
    titles: list[str] = []
    filled: list[list[str]] = []
    for place, column in enumerate(columns):
        cells = [row.cells[place] for row in rows]
        if column.kind == "amount":
            cells = [spell(cell) for cell in cells]
            behind = max(map(_behind, cells), default=0)
            cells = [cell + " " * (behind - _behind(cell)) for cell in cells]
        width = max(len(column.title), *map(len, cells)) if cells else len(column.title)
        pad = str.rjust if column.kind == "amount" else str.ljust
        titles.append(pad(column.title, width))
        filled.append([pad(cell, width) for cell in cells])
    return titles, [list(line) for line in zip(*filled, strict=True)]


def _behind(amount: str) -> int:
    """How many characters an amount has from its point on."""
    return len(amount) - amount.find(".") if "." in amount else 0


def _grouped(amount: str) -> str:
    whole, point, rest = amount.partition(".")
    return f"{int(whole):,}{point}{rest}" if whole.isdigit() else amount


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number with what it counts: 1 call, 2,000 calls."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def bar(fraction: float) -> str:
    """How full something is, in ten cells."""
    full = min(BAR_CELLS, int(fraction * BAR_CELLS))
    return "█" * full + "░" * (BAR_CELLS - full)
