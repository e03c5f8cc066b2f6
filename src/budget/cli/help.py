"""The help of commands: its texts flow into the line they are read on, and are wrapped once.

As they come, they keep the line breaks of the docstrings they were taken from, and for pipes they
are wrapped a second time after they were indented. Not here: what the help says (each command).
"""

import io
import textwrap
from typing import TYPE_CHECKING, Final

from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel, PlainFormatter

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_INDENT: Final = "  "
_ENDLESS: Final = 100_000


class PrettyHelp(DefaultFormatter):
    """For terminals."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: HelpPanel) -> None:
        """Print a panel."""
        entries = [entry.copy(description=_words(entry)) for entry in panel.entries]
        super().__call__(console, options, panel.copy(entries=entries))


class PlainHelp(PlainFormatter):
    """For pipes: each option begins a line, and what goes on is indented further."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: HelpPanel) -> None:
        """Print a panel."""
        del options
        if not panel.entries:
            return
        lines = [f"{panel.title}:"]
        for entry in panel.entries:
            names = ", ".join(entry.display_labels_with_metavar)
            lines += textwrap.wrap(
                f"{names}: {' '.join((_words(entry), *_facts(entry)))}",
                console.width,
                initial_indent=_INDENT,
                subsequent_indent=3 * _INDENT,
                break_long_words=False,
                break_on_hyphens=False,
            )
        for line in (*lines, ""):
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def _words(entry: HelpEntry) -> str:
    """The text of an entry on one line."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=_ENDLESS, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(entry.description or "", highlight=False)
    return " ".join(capture.get().split())


def _facts(entry: HelpEntry) -> list[str]:
    """What else is to be known, in brackets."""
    facts = []
    if entry.choices:
        facts.append(f"[choices: {', '.join(entry.choices)}]")
    if entry.env_var:
        facts.append(f"[env var: {', '.join(entry.env_var)}]")
    if entry.default is not None:
        facts.append(f"[default: {entry.default}]")
    if entry.required:
        facts.append("[required]")
    return facts
