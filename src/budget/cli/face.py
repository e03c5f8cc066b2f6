"""The face of a command: which books it was told to use, and how it speaks.

Answers go to standard output; progress and notes go to standard error, so that a pipe carries
answers alone.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


@dataclass(frozen=True, slots=True)
class Face:
    """What may be said with every command. The `target` is one that was typed, else None."""

    target: str | None = None
    json: bool = False
    no_color: bool = False
    quiet: bool = False

    @property
    def pretty(self) -> bool:
        """Whether a person looks at the answer: colours, bars and lines are welcome."""
        return not self.json and sys.stdout.isatty()

    def console(self, *, stderr: bool = False) -> "Console":
        """Where to print for people."""
        from rich.console import Console

        return Console(stderr=stderr, no_color=self.no_color or None, highlight=False)

    def print(self, text: str = "") -> None:
        """Write a line of the answer, as it is."""
        print(text)

    def print_json(self, answer: Any) -> None:
        """Write the answer for a program."""
        print(json.dumps(answer, indent=2, ensure_ascii=False))

    def note(self, text: str) -> None:
        """Say something beside the answer, unless asked to be quiet."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def progress(self, *columns: Any) -> "Progress":
        """A progress bar on standard error: shown on a terminal only, and not when quiet."""
        from rich.progress import Progress

        hidden = self.quiet or not sys.stderr.isatty()
        return Progress(*columns, console=self.console(stderr=True), disable=hidden, transient=True)

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A progress bar for what can tell how far it has come: (done, in all)."""
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

        with self.progress(TextColumn(what), BarColumn(), TimeElapsedColumn()) as progress:
            bar = progress.add_task("", total=None)
            yield lambda done, total: progress.update(bar, completed=done, total=total)
