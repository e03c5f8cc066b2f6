"""Tables: rows for people on a terminal, the same rows as plain aligned text in a pipe.

Amounts are text by now; their decimal points stand under each other, whole counts end at the right.
Not here: what the rows mean.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from budget.cli.face import Face

if TYPE_CHECKING:
    from rich.console import Console

Kind = Literal["text", "amount"]

BAR_CELLS: Final = 10
NARROWEST: Final = 12
"""How far a column is folded before others are left out instead."""
_GAP: Final = 2
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
_STYLES: Final = {"warn": "yellow", "over": "bold red"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and whether its cells are amounts, which are always shown whole.

    On a terminal, an `optional` one is left out when its cells say nothing (empty, or all zero).
    Where the line is too short, what `folds` is folded first, then those of the highest `rank` are
    left out. A `pretty` one is for terminals alone.
    """

    title: str
    kind: Kind = "text"
    optional: bool = False
    rank: int = 0
    pretty: bool = False
    folds: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, and what is the matter with it: nothing, `warn` or `over`."""

    cells: tuple[str, ...]
    mood: str = ""


def show(face: Face, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table, as fits who reads it: in blocks where a line is too short for a row."""
    rows = [Row(tuple(map(one_line, row.cells)), row.mood) for row in rows]
    if not face.pretty:
        _show_plain(face, columns, rows)
        return
    from rich.cells import cell_len

    console = face.console()
    titles, lines = _laid_out(columns, rows, _grouped)
    said = [place for place, column in enumerate(columns) if _says_something(column, place, rows)]
    needed = {
        place: max(cell_len(line[place].rstrip()) for line in (titles, *lines)) for place in said
    }
    # The blanks that stand behind an amount are part of it: they keep its point in its place.
    needed |= {place: len(titles[place]) for place in said if columns[place].kind == "amount"}
    widths = _fitting(columns, needed, console.width)
    if widths is None:
        _show_blocks(console, [columns[place] for place in said], [_at(row, said) for row in rows])
        return
    _show_lines(console, columns, widths, titles, lines, [row.mood for row in rows])
    left_out = [
        columns[place].title for place in said if place not in widths and columns[place].title
    ]
    if left_out:
        face.note(f"Too narrow for: {', '.join(left_out)}.")


def _fitting(
    columns: Sequence[Column], needed: Mapping[int, int], room: int
) -> dict[int, int] | None:
    """How wide each column becomes that stays; None if even the needed ones are too wide."""
    kept = list(needed)

    def least(place: int) -> int:
        return min(NARROWEST, needed[place]) if columns[place].folds else needed[place]

    while sum(least(place) + _GAP for place in kept) - _GAP > room:
        last = max(kept, key=lambda place: columns[place].rank)
        if not columns[last].rank:
            return None
        kept.remove(last)
    widths = {place: needed[place] for place in kept}
    while sum(width + _GAP for width in widths.values()) - _GAP > room:
        foldable = [place for place in kept if widths[place] > least(place)]
        widths[max(foldable, key=lambda place: widths[place])] -= 1
    return widths


def _show_lines(
    console: "Console",
    columns: Sequence[Column],
    widths: Mapping[int, int],
    titles: Sequence[str],
    lines: Sequence[Sequence[str]],
    moods: Sequence[str],
) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, _GAP - 1, 0, 0),  # the box puts a blank between columns too
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for place, width in widths.items():
        title = titles[place].rstrip()
        folds = columns[place].folds
        table.add_column(title, width=width, no_wrap=not folds, overflow="fold")
    for cells, mood in zip(lines, moods, strict=True):
        shown = (
            Text(cells[place].rstrip() if columns[place].folds else cells[place])
            for place in widths
        )
        table.add_row(*shown, style=_STYLES.get(mood, ""))
    console.print(table)


def _show_blocks(console: "Console", columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Each row as lines of their own: the first cell, and below it each other with its title."""
    from rich.text import Text

    named = [place for place, column in enumerate(columns) if place and column.title]
    indent = max(len(columns[place].title) for place in named)
    for row in rows:
        cells = list(row.cells)
        amounts = [place for place in named if columns[place].kind == "amount"]
        aligned = _aligned([_grouped(cells[place]) for place in amounts])
        for place, cell in zip(amounts, aligned, strict=True):
            cells[place] = cell
        lines = [
            f"  {columns[place].title:<{indent}}  {cells[place].rstrip()}"
            for place in named
            if cells[place]
        ]
        block = "\n".join((cells[0], *lines))
        console.print(Text(block, style=_STYLES.get(row.mood, "")), soft_wrap=True)


def _at(row: Row, places: Sequence[int]) -> Row:
    return Row(tuple(row.cells[place] for place in places), row.mood)


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
            cells = _aligned([spell(cell) for cell in cells])
        width = max(len(column.title), *map(len, cells)) if cells else len(column.title)
        pad = str.rjust if column.kind == "amount" else str.ljust
        titles.append(pad(column.title, width))
        filled.append([pad(cell, width) for cell in cells])
    return titles, [list(line) for line in zip(*filled, strict=True)]


def _aligned(amounts: Sequence[str]) -> list[str]:
    """Amounts of one length, their points under each other; whole counts end at the right."""
    behind = max(map(_behind, amounts), default=0)
    ended = [
        amount + " " * (behind - _behind(amount)) if "." in amount else amount for amount in amounts
    ]
    width = max(map(len, ended), default=0)
    return [amount.rjust(width) for amount in ended]


def _behind(amount: str) -> int:
    """How many characters an amount has from its point on."""
    return len(amount) - amount.find(".") if "." in amount else 0


def _grouped(amount: str) -> str:
    whole, point, rest = amount.partition(".")
    return f"{int(whole):,}{point}{rest}" if whole.isdigit() else amount


def one_line(text: str) -> str:
    """A text that others wrote, so that it can neither leave its line nor command a terminal."""
    return _CONTROLS.sub(" ", text)


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number with what it counts: 1 call, 2,000 calls."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def bar(fraction: float) -> str:
    """How full something is, in ten cells."""
    full = min(BAR_CELLS, int(fraction * BAR_CELLS))
    return "█" * full + "░" * (BAR_CELLS - full)
