"""Tables: rows for people on a terminal, the same rows as plain aligned text in a pipe.

Amounts are text by now; their decimal points stand under each other. Not here: what the rows mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from budget.cli.face import Face

Kind = Literal["text", "amount"]

BAR_CELLS: Final = 10
_STYLES: Final = {"warn": "yellow", "over": "bold red"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title and whether its cells are amounts. An `optional` one is left out on a
    terminal when its cells say nothing (empty, or all zero)."""

    title: str
    kind: Kind = "text"
    optional: bool = False


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

    kept = [place for place, column in enumerate(columns) if _says_something(column, place, rows)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place in kept:
        right = columns[place].kind == "amount"
        title = columns[place].title
        table.add_column(title, justify="right" if right else "left", no_wrap=right)
    aligned = _aligned(columns, rows, lambda text: _grouped(text))
    for row, cells in zip(rows, aligned, strict=True):
        # A figure space is as wide as a digit and is not stripped as a blank at the end would be.
        table.add_row(
            *(Text(cells[place].replace(" ", "\u2007") if columns[place].kind == "amount"
                   else cells[place]) for place in kept),
            style=_STYLES.get(row.mood, ""),
        )  # fmt: skip
    face.console().print(table)


def _show_plain(face: Face, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    titles = [column.title for column in columns]
    aligned = _aligned(columns, rows, lambda text: text)
    widths = [max(map(len, cells)) for cells in zip(titles, *aligned, strict=True)]
    for cells in (titles, *aligned):
        line = [
            cell.rjust(width) if column.kind == "amount" else cell.ljust(width)
            for cell, width, column in zip(cells, widths, columns, strict=True)
        ]
        face.print("  ".join(line).rstrip())


def _says_something(column: Column, place: int, rows: Sequence[Row]) -> bool:
    return not column.optional or any(row.cells[place].strip("0.") for row in rows)


def _aligned(
    columns: Sequence[Column], rows: Sequence[Row], spell: Callable[[str], str]
) -> list[list[str]]:
    """The cells of each row, amounts padded behind so that their points stand in one line."""
    made = [
        [
            spell(cell) if column.kind == "amount" else cell
            for cell, column in zip(row.cells, columns, strict=True)
        ]
        for row in rows
    ]
    for place, column in enumerate(columns):
        if column.kind == "amount":
            longest = max((_behind(cells[place]) for cells in made), default=0)
            for cells in made:
                cells[place] += " " * (longest - _behind(cells[place]))
    return made


def _behind(amount: str) -> int:
    """How many characters an amount has from its point on."""
    return len(amount) - amount.find(".") if "." in amount else 0


def _grouped(amount: str) -> str:
    whole, point, rest = amount.partition(".")
    return f"{int(whole):,}{point}{rest}" if whole.isdigit() else amount


def bar(fraction: float) -> str:
    """How full something is, in ten cells."""
    full = min(BAR_CELLS, int(fraction * BAR_CELLS))
    return "█" * full + "░" * (BAR_CELLS - full)
