"""Report HTML: sections as one page that loads nothing else. All text is escaped.

Not here: the other pages (`report_pages`).
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from budget.cli.report_sections import Section
from budget.domain.money import format_usd

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --bar: #3b82f6; --warn: #b45309; --over: #dc2626; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
.amount { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.warn { color: var(--warn); } .over { color: var(--over); font-weight: 600; }
svg { width: 100%; height: 8rem; margin: .5rem 0; } rect { fill: var(--bar); }
"""
_HEIGHT: Final = 100
_STEP: Final = 10


def page(heading: str, told: Sequence[Section]) -> str:
    """The report as a page by itself."""
    body = "\n".join(_section(section) for section in told)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(heading)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(heading)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    parts = [f"<section>\n<h2>{escape(section.title)}</h2>"]
    if any(section.bars):
        parts.append(_bars(section.bars, section.title))
    if section.rows:
        parts.append(_table(section))
    if section.note:
        parts.append(f"<p>{escape(section.note)}</p>")
    return "\n".join([*parts, "</section>"])


def _table(section: Section) -> str:
    shown = [place for place, column in enumerate(section.columns) if not column.pretty]

    def line(tag: str, cells: Sequence[str], mood: str = "") -> str:
        made = "".join(
            f"<{tag}{_amount(section, place)}>{escape(cells[place])}</{tag}>" for place in shown
        )
        return f'<tr class="{mood}">{made}</tr>' if mood else f"<tr>{made}</tr>"

    head = line("th", [column.title for column in section.columns])
    rows = "\n".join(line("td", row.cells, row.mood) for row in section.rows)
    return f"<table>\n<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _amount(section: Section, place: int) -> str:
    return ' class="amount"' if section.columns[place].kind == "amount" else ""


def _bars(values: Sequence[int], title: str) -> str:
    """A bar for each value; the highest is the greatest."""
    most = max(values)
    drawn = "".join(
        f'<rect x="{place * _STEP}" y="{_HEIGHT - height}" width="{_STEP - 2}" height="{height}">'
        f"<title>{format_usd(value)} USD</title></rect>"
        for place, value in enumerate(values)
        for height in [max(0, value) * _HEIGHT // most]
    )
    return (
        f'<svg viewBox="0 0 {len(values) * _STEP} {_HEIGHT}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(title)}: spend">{drawn}</svg>'
    )
