"""Report pages: sections as Markdown and as CSV. What users wrote stays text in both.

Not here: HTML (`report_html`).
"""

import csv as csv_files
import io
import re
from collections.abc import Sequence
from typing import Final

from budget.cli.report_sections import Section
from budget.cli.tables import Column

_MARKS: Final = re.compile(r"([\\`*_\[\]<>|#~])")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def markdown(heading: str, told: Sequence[Section]) -> str:
    """The report as Markdown."""
    lines = [f"# {_plain(heading)}"]
    for section in told:
        lines += ["", f"## {_plain(section.title)}", ""]
        if section.rows:
            columns = [place for place, one in enumerate(section.columns) if not one.pretty]
            lines.append(_line([section.columns[place].title for place in columns]))
            lines.append("|" + "|".join(_rule(section.columns[place]) for place in columns) + "|")
            lines += [_line([row.cells[place] for place in columns]) for row in section.rows]
            lines.append("")
        if section.note:
            lines.append(_plain(section.note))
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _rule(column: Column) -> str:
    return "---:" if column.kind == "amount" else "---"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def csv(told: Sequence[Section]) -> str:
    """The report as CSV: each section's title and its column titles before its rows."""
    page = io.StringIO()
    writer = csv_files.writer(page, lineterminator="\n")
    for section in told:
        if not section.rows:
            continue
        writer.writerow(["Section", *(one.title for one in section.columns)])
        for row in section.rows:
            cells = zip(row.cells, section.columns, strict=True)
            writer.writerow([section.title, *(_cell(text, one) for text, one in cells)])
    return page.getvalue()


def _cell(text: str, column: Column) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if column.kind == "amount" or not text.startswith(_FORMULA):
        return text
    return f"'{text}"
